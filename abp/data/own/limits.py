"""What a data set may be, said before anybody sends one, and the error for one that is not."""

from abp.errors import AbpError, listed

CLASSES = (2, 1_000)
SAMPLES = (10, 500_000)
MOST_INPUTS = 4_096
SIZE = (4, 64)  # rows and columns of pictures
MOST_NUMBERS = 100_000_000  # samples x inputs: 400 MB in memory
LEAST_OF_A_CLASS = 3  # one for each part
FILE_BYTES = 200 * 2**20
UNPACKED_BYTES = 2**30  # of all that a zip holds
PICTURE_BYTES = 20 * 2**20
PICTURE_PIXELS = 25_000_000
MOST_CATEGORIES = 100  # different words in a column; more are free text

RULES = (
    f"{CLASSES[0]} to {CLASSES[1]:,} classes, {SAMPLES[0]} to {SAMPLES[1]:,} samples, at most {MOST_INPUTS:,} inputs "
    f"each and {MOST_NUMBERS // 10**6} million numbers in all, at most {FILE_BYTES // 2**20} MB a file"
)
"""The limits in words, for pages and help."""


class BadData(AbpError, ValueError):
    """Data that cannot be used; says what is wrong, where, and what to do, however long the names in it are."""

    def __init__(self, message: str) -> None:
        super().__init__(listed([message], most=1500))


def check_size(bytes_: int, what: str) -> None:
    """Refuse a file that is too large before any of it is read."""
    if bytes_ > FILE_BYTES:
        raise BadData(
            f"{what} has {bytes_ / 2**20:,.0f} MB; at most {FILE_BYTES // 2**20} MB can be read. Leave out some of "
            "its samples, or make its pictures smaller."
        )


def check_samples(samples: int) -> None:
    """Refuse too few or too many samples."""
    low, high = SAMPLES
    if not low <= samples <= high:
        raise BadData(f"There are {samples:,} samples; a data set has {low} to {high:,}.")


def check_inputs(inputs: int, samples: int) -> None:
    """Refuse samples that are too large, or too much of them."""
    if not 1 <= inputs <= MOST_INPUTS:
        raise BadData(
            f"Each sample has {inputs:,} numbers; 1 to {MOST_INPUTS:,} are allowed. Make pictures smaller, or leave "
            "out columns."
        )
    if inputs * samples > MOST_NUMBERS:
        raise BadData(
            f"{samples:,} samples of {inputs:,} numbers are {inputs * samples / 1e6:,.0f} million numbers; at most "
            f"{MOST_NUMBERS // 10**6} million are allowed. Make pictures smaller, or leave out samples."
        )
