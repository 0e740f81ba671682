"""Pairs of IDX files, pictures and labels, in a folder or zip: the format of MNIST."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from abp.data.idx import parse
from abp.data.own.archive import Archive, opened
from abp.data.own.limits import FILE_BYTES, UNPACKED_BYTES, BadData, check_inputs, check_samples
from abp.data.own.samples import Options, Samples

_PARTS = {"train": "train", "t10k": "test", "test": "test", "valid": "valid"}


def is_idx(names: tuple[str, ...] | list[str]) -> bool:
    """Whether these are names of IDX files, at least a pair."""
    return any("idx3" in name for name in names) and any("idx1" in name for name in names)


def read_idx(path: Path, options: Options) -> Samples:
    """All pairs of a folder or zip, or the pair to which one file belongs.

    Raises
    ------
    BadData
        If a file is damaged, or has no partner.
    """
    with opened(path.parent if path.is_file() and path.suffix != ".zip" else path) as archive:
        names = [name for name in archive.names if path.is_dir() or path.suffix == ".zip" or _partners(name, path.name)]
        pictures = [name for name in names if "idx3" in name]
        found = []
        for name in pictures:
            partner = next((other for other in names if _partners(other, name) and "idx1" in other), None)
            if partner is None:
                raise BadData(f"{name} has no labels beside it: a file with labels and idx1 in its name.")
            found.append((_part(name), _array(archive, name, 3), _array(archive, partner, 1), name))
    if not found:
        raise BadData(f"{path.name} holds no pair of IDX files, such as images-idx3-ubyte and labels-idx1-ubyte.")
    for _, x, y, name in found:
        if len(x) != len(y):
            raise BadData(f"{name} holds {len(x):,} pictures, but there are {len(y):,} labels.")
    if len({x.shape[1:] for _, x, _, _ in found}) > 1:
        raise BadData(f"The pictures of {path.name} have different sizes.")
    x = np.concatenate([each[1] for each in found])
    check_samples(len(x))
    check_inputs(math.prod(x.shape[1:]), len(x))
    labels = np.concatenate([each[2] for each in found])
    parts = np.repeat([each[0] for each in found], [len(each[1]) for each in found])
    return Samples(x, labels.astype(str), parts if len(found) > 1 else np.full(len(x), ""))


def _stem(name: str) -> str:
    """What the files of a pair share.

    >>> _stem("a/train-images-idx3-ubyte.gz") == _stem("a/train-labels-idx1-ubyte")
    True
    """
    for word in (".gz", "images", "image", "labels", "label", "idx3", "idx1"):
        name = name.replace(word, "")
    return name


def _partners(one: str, other: str) -> bool:
    return "idx" in one and _stem(one) == _stem(other)


def _part(name: str) -> str:
    file = PurePosixPath(name).name.lower()
    return next((part for word, part in _PARTS.items() if word in file), "")


def _array(archive: Archive, name: str, dimensions: int) -> np.ndarray:
    contents = archive.read(name, FILE_BYTES)
    try:
        if contents[:2] == b"\x1f\x8b":
            contents = _inflated(contents, name)
        if contents[:3] == bytes([0, 0, 8]) and len(contents) >= 4 + 4 * dimensions and contents[3] == dimensions:
            sizes = struct.unpack_from(f">{dimensions}I", contents, 4)
            if dimensions == 3:
                check_inputs(sizes[1] * sizes[2], sizes[0])
        return parse(contents, dimensions)
    except BadData:
        raise
    except ValueError as error:
        raise BadData(f"{name} is damaged: {error}.") from None


def _inflated(contents: bytes, name: str) -> bytes:
    """Unpacked gzip, but never more than is allowed."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        found = unpacking.decompress(contents, UNPACKED_BYTES)
    except zlib.error as error:
        raise BadData(f"{name} is damaged: {error}.") from None
    if unpacking.unconsumed_tail:
        raise BadData(f"{name} unpacks to more than {UNPACKED_BYTES // 2**20:,} MB.")
    if not unpacking.eof:
        raise BadData(f"{name} is damaged: its compressed contents end too early.")
    return found
