"""What readers hand over: samples as they were found, not yet prepared; and what a person may ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abp.data.own.limits import SIZE, BadData

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PARTS = {"train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
"""Names of folders that give the split."""


@dataclass(frozen=True)
class Options:
    """How somebody wants data to be read and prepared.

    Attributes
    ----------
    label
        The column that holds the class; empty for the one that its name gives away.
    leave_out
        Columns that are not used.
    size
        Rows and columns that pictures are brought to.
    colour
        Whether pictures keep their colours.
    invert
        Whether dark becomes bright: for dark ink on light paper.
    pixels
        Whether columns of numbers are the pixels of a square picture; None if that is what they look like.
    seed
        Draws the parts, where none are given.
    private
        Whether the samples are shown to nobody but the operator, and are left out of exports and reports.
    """

    label: str = ""
    leave_out: tuple[str, ...] = ()
    size: int = 28
    colour: bool = False
    invert: bool = False
    pixels: bool | None = None
    seed: int = 0
    private: bool = False

    def __post_init__(self) -> None:
        low, high = SIZE
        if not low <= self.size <= high:
            raise BadData(f"Pictures can be brought to {low} to {high} rows and columns, not {self.size}.")
        if self.seed < 0:
            raise BadData(f"A seed is a whole number from 0, not {self.seed}.")


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples as they were found.

    Attributes
    ----------
    x
        Pictures, uint8 ``[samples, rows, columns]`` or ``[samples, rows, columns, 3]``; or a table of numbers and
        words, a row a sample.
    labels
        The class of each, text ``[samples]``.
    parts
        ``"train"``, ``"valid"`` or ``"test"`` of each, where the source says so; ``""`` otherwise.
    refused
        What was left out and why, a sentence each.
    size, colour, invert
        How pictures of files were made into these; size 0 where they came as they are.
    class_names
        Names in an order that the source gives; empty for the natural order.
    """

    x: NDArray | pd.DataFrame
    labels: NDArray
    parts: NDArray
    refused: tuple[str, ...] = ()
    size: int = 0
    colour: bool = False
    invert: bool = False
    class_names: tuple[str, ...] = field(default=())
