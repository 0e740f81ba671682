"""The IDX format: the arrays of unsigned bytes in which MNIST and Fashion-MNIST are published."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib

import numpy as np

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08

LARGEST = 2**26
"""Bytes of an unpacked file, at most: those of MNIST's training pictures are two thirds of that."""


def uncompressed(contents: bytes) -> bytes:
    """Return a file's contents without gzip compression; what is not compressed is returned as it is.

    The first two bytes decide, not the file's name: some servers and browsers unpack a ``.gz`` on the way and
    keep its name. No IDX file starts with gzip's two bytes.

    Raises
    ------
    ValueError
        If the compressed contents are damaged, cut short, or unpack to more than `LARGEST` bytes.
    """
    if not contents.startswith(_GZIP_MAGIC):
        return contents
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(contents)) as file:
            unpacked = file.read(LARGEST + 1)
    except EOFError:
        raise ValueError("its compressed contents end too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"its compressed contents are damaged ({error})") from None
    if len(unpacked) > LARGEST:
        raise ValueError(f"its compressed contents unpack to more than {LARGEST // 2**20} MB")
    return unpacked


def parse(contents: bytes, dimensions: int) -> np.ndarray:
    """Read an array of unsigned bytes from the contents of an IDX file.

    Parameters
    ----------
    contents : bytes
        The uncompressed file: two zero bytes, the element type, the number of dimensions, each dimension's
        size as a big-endian 32-bit integer, then the elements, last dimension fastest.
    dimensions : int
        How many dimensions the array must have: 3 for pictures, 1 for labels.

    Returns
    -------
    numpy.ndarray
        uint8, a read-only view of `contents`: ``[samples, rows, columns]`` for pictures, ``[samples]`` for
        labels.

    Raises
    ------
    ValueError
        If the magic number, the number of dimensions or the length is wrong; the message completes the
        sentence "This file is bad: ...".

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "File formats".

    Examples
    --------
    >>> parse(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), dimensions=1)
    array([7, 9], dtype=uint8)
    """
    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if contents[:4] != magic:
        raise ValueError(
            f"it starts with the bytes '{contents[:4].hex(' ')}' where '{magic.hex(' ')}' is due "
            f"(IDX, unsigned bytes, dimensions: {dimensions})"
        )
    header = len(magic) + 4 * dimensions
    if len(contents) < header:
        raise ValueError(f"it ends after {len(contents):,} bytes, inside its header of {header}")
    shape = struct.unpack_from(f">{dimensions}I", contents, offset=len(magic))
    due, found = math.prod(shape), len(contents) - header
    if found != due:
        sizes = " x ".join(map(str, shape))
        raise ValueError(f"it announces {sizes} = {due:,} elements but holds {found:,}")
    return np.frombuffer(contents, dtype=np.uint8, count=due, offset=header).reshape(shape)
