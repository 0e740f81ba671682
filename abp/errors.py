"""Errors whose message is for the person who sees it."""

from collections.abc import Iterable


def quoted(value: object, most: int = 100) -> str:
    """A value as a message quotes it: in one line, without control characters, and cut where it is long.

    >>> quoted("two"), quoted(0.5), quoted(list(range(99)), most=12)
    ("'two'", '0.5', '[0, 1, 2, 3,…')
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole numbers of more than some thousand digits
        text = "a number of thousands of digits"
    return text if len(text) <= most else f"{text[:most]}…"


def listed(names: Iterable[str], most: int = 100) -> str:
    """Names that somebody gave, as a message lists them, cut where they are long.

    >>> listed(["seed", "sead"])
    'seed, sead'
    """
    return ", ".join(names)[:most].encode("utf-8", "backslashreplace").decode()


class AbpError(Exception):
    """What went wrong, in a sentence that names the value and says what to do.

    The command line and the pages show the message as it is; any other exception is a fault of the program.
    """
