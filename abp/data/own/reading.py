"""Reading a file or folder of somebody's own, whatever its format: what is in it, and its samples."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from abp.data.own.archive import opened
from abp.data.own.arrays import read_npz
from abp.data.own.content import OwnData
from abp.data.own.idx_pairs import is_idx, read_idx
from abp.data.own.limits import BadData, check_size
from abp.data.own.pictures import ink_of, preview, read_pictures
from abp.data.own.preparation import prepare
from abp.data.own.samples import Options, Samples
from abp.data.own.tables import guessed_label, read_frame, read_table

READERS: dict[str, Callable[[Path, Options], Samples]] = {
    "pictures": read_pictures,
    "table": read_table,
    "arrays": read_npz,
    "idx": read_idx,
}
"""How each kind of source is read."""

FORMATS = (
    "a folder or zip of pictures with one sub-folder a class; CSV or Parquet with one labelled row a sample; .npz with "
    "arrays x and y; a pair of IDX files"
)
"""What can be read, in words."""


@dataclass(frozen=True, eq=False)
class Glance:
    """What a source holds, seen before anything is prepared.

    Attributes
    ----------
    kind
        A key of `READERS`.
    counts
        Files of each class, of pictures.
    examples
        Some pictures with their classes.
    refused
        What cannot be used and why.
    rows
        The first rows, of a table.
    label
        The column that looks like the label, of a table.
    """

    kind: str
    counts: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[str, NDArray]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    rows: pd.DataFrame | None = None
    label: str = ""


def is_dark_ink(seen: Glance) -> bool:
    """Whether a source holds drawings of dark ink on light paper, which are learned better if they are inverted."""
    grey = [pixels for _, pixels in seen.examples if pixels.ndim == 2]
    return bool(grey) and ink_of(np.stack(grey)) == "dark"


def kind_of(path: Path) -> str:
    """A key of `READERS`.

    Raises
    ------
    BadData
        If there is no such file, or none of this format can be read.
    """
    if not path.exists():
        raise BadData(f"There is no file or folder {path}.")
    ending = path.suffix.lower()
    if path.is_dir() or ending == ".zip" or (ending not in (".npz", ".csv") and zipfile.is_zipfile(path)):
        with opened(path) as archive:
            return "idx" if is_idx(archive.names) else "pictures"
    kinds = {".npz": "arrays", ".csv": "table", ".tsv": "table", ".txt": "table", ".parquet": "table", ".pq": "table"}
    if ending in kinds:
        check_size(path.stat().st_size, path.name)
        return kinds[ending]
    if "idx3" in path.name or "idx1" in path.name:
        return "idx"
    raise BadData(f"{path.name} is of no format that can be read. These are: {FORMATS}.")


def glance(path: Path, options: Options) -> Glance:
    """Look at the beginning of a source."""
    with _readable(path):
        kind = kind_of(path)
        if kind == "pictures":
            counts, examples, refused = preview(path, options)
            return Glance(kind, counts, examples, refused)
        if kind == "table":
            rows = read_frame(path, rows=20)
            return Glance(kind, rows=rows, label=guessed_label(rows))
        return Glance(kind)


def read_own(name: str, path: Path, options: Options) -> OwnData:
    """Read, check and prepare a source.

    Raises
    ------
    BadData
        If it cannot be used; the message says what is wrong, where, and what to do.
    """
    with _readable(path):
        samples = READERS[kind_of(path)](path, options)
        return prepare(name, samples, options, path.name)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say what cannot be opened, and that memory did not suffice, in a sentence."""
    try:
        yield
    except OSError as error:
        raise BadData(f"{error.filename or path} cannot be read: {error.strerror or error}.") from None
    except MemoryError:
        raise BadData(f"{path.name} does not fit into this machine's memory. Leave out some of it.") from None
