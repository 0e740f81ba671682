"""One repository a noun: what is read and written of it, each over the one transaction object."""
