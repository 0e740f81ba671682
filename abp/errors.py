"""Errors whose message is for the person who sees it."""


class AbpError(Exception):
    """What went wrong, in a sentence that names the value and says what to do.

    The command line and the pages show the message as it is; any other exception is a fault of the program.
    """
