"""The command line: the dashboard's work without a browser. Each command is a module with a function `run`."""
