"""Workers on other hosts: where their scheduler is, who may join, and the processes that ``abp worker`` starts."""
