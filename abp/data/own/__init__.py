"""People's own data: files of several formats read, checked, prepared and split into what `abp.data.datasets` holds."""
