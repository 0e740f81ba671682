"""Blocks: a matrix made small enough to look at, without hiding what stands out."""

import numpy as np
from numpy.typing import NDArray


def strongest(matrix: NDArray, block: tuple[int, int]) -> NDArray:
    """The value of largest magnitude, with its sign, of every block of a matrix ``[m, n]``.

    Parameters
    ----------
    matrix
        ``[m, n]``.
    block
        Rows and columns of a block; those at the right and bottom edges may be smaller.

    Returns
    -------
    numpy.ndarray
        ``[ceil(m / rows), ceil(n / columns)]``; for 2 and -2 in one block, 2.

    Examples
    --------
    >>> strongest(np.array([[1, 0, 5], [0, -3, 0]]), (2, 2)).tolist()
    [[-3, 5]]
    """
    parts = _parts(matrix, block)
    highest, lowest = parts.max(axis=(1, 3)), parts.min(axis=(1, 3))
    return np.where(highest >= -lowest, highest, lowest)


def share(mask: NDArray, block: tuple[int, int]) -> NDArray:
    """Share of True in every block of a bool matrix ``[m, n]``; blocks as in `strongest`.

    >>> share(np.array([[True, True, True], [False, False, True]]), (2, 2)).tolist()
    [[0.5, 1.0]]
    """
    sizes = _parts(np.ones(mask.shape, dtype=np.int32), block).sum(axis=(1, 3))
    return _parts(mask.astype(np.int32), block).sum(axis=(1, 3)) / sizes


def _parts(matrix: NDArray, block: tuple[int, int]) -> NDArray:
    """The blocks ``[down, rows, across, columns]``, padded with zeros at the edges."""
    rows, columns = block
    down, across = -(-matrix.shape[0] // rows), -(-matrix.shape[1] // columns)
    padding = ((0, down * rows - matrix.shape[0]), (0, across * columns - matrix.shape[1]))
    return np.pad(matrix, padding).reshape(down, rows, across, columns)
