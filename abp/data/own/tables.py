"""Tables: CSV and Parquet files, one labelled row a sample."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd

from abp.data.own.limits import MOST_CATEGORIES, MOST_INPUTS, MOST_NUMBERS, SAMPLES, BadData, check_inputs, check_size
from abp.data.own.samples import PARTS, Options, Samples

LABELS = ("label", "class", "target", "y", "species", "kind", "category", "diagnosis", "klasse")
"""Names of columns that are taken for the label unless another one is named."""

_PART_COLUMNS = ("split", "part")


def read_frame(path: Path, rows: int | None = None) -> pd.DataFrame:
    """A CSV or Parquet file as a table; the first rows alone where that is asked for.

    Raises
    ------
    BadData
        If it is too large, damaged, or no such file.
    """
    check_size(path.stat().st_size, path.name)
    frame = _read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _read_csv(path, rows)
    frame = frame.rename(columns=str)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise BadData(f"{path.name} has two columns named {twice!r}. Rename one of them.")
    return frame if rows is None else frame.head(rows)


def guessed_label(frame: pd.DataFrame) -> str:
    """The column that its name gives away as the label; empty if there is none."""
    return next((name for name in frame.columns if name.strip().lower() in LABELS), "")


def _read_csv(path: Path, rows: int | None) -> pd.DataFrame:
    with path.open("rb") as file:
        head = file.read(2**16)
    try:
        text = head.decode("utf-8-sig", errors="ignore" if len(head) == 2**16 else "strict")
        separator, header = _layout(text)
        frame = pd.read_csv(
            path,
            sep=separator,
            header=0 if header else None,
            encoding="utf-8-sig",
            nrows=SAMPLES[1] + 1 if rows is None else rows,
            low_memory=False,
            skipinitialspace=True,
        )
    except UnicodeDecodeError:
        raise BadData(f"{path.name} is no text in UTF-8. Save the table as “CSV UTF-8”.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error, ValueError, OverflowError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise BadData(f"{path.name} cannot be read as CSV: {reason}.") from None
    return frame if header else frame.rename(columns=lambda place: f"column {place + 1}")


def _layout(text: str) -> tuple[str, bool]:
    """The separator of a CSV file, and whether its first line names the columns.

    >>> _layout("a;b\\n1;2\\n"), _layout("1,2\\n3,4\\n")
    ((';', True), (',', False))
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError("it is empty")
    separator = max(",;\t|", key=lines[0].count)
    first = next(csv.reader(io.StringIO(lines[0]), delimiter=separator))
    return separator, not any(_is_number(cell) for cell in first)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_parquet(path: Path) -> pd.DataFrame:
    from pyarrow import ArrowException, parquet

    try:
        file = parquet.ParquetFile(path)
        rows, columns = file.metadata.num_rows, file.metadata.num_columns
        if columns > 2 * MOST_INPUTS or rows > SAMPLES[1] or rows * columns > 2 * MOST_NUMBERS:
            raise BadData(
                f"{path.name} has {rows:,} rows and {columns:,} columns; at most {SAMPLES[1]:,} rows and "
                f"{MOST_INPUTS:,} columns can be used."
            )
        return file.read().to_pandas()
    except (ArrowException, OSError, ValueError) as error:
        if isinstance(error, BadData):
            raise
        raise BadData(f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0]}.") from None


def read_table(path: Path, options: Options) -> Samples:
    """A labelled table from a file; see `table_samples`."""
    return table_samples(read_frame(path), options)


def table_samples(frame: pd.DataFrame, options: Options) -> Samples:
    """Samples of a table: the label taken out, unused columns left out, every cell checked.

    Raises
    ------
    BadData
        If there is no such column, a cell is empty, a label is no name or whole number, or a column is free text.
    """
    label = options.label or guessed_label(frame)
    names = ", ".join(map(repr, frame.columns[:8])) + (", …" if len(frame.columns) > 8 else "")
    if not label:
        raise BadData(f"No column is named like a label. Say which one holds the class: {names}.")
    for name in (label, *options.leave_out):
        if name not in frame.columns:
            raise BadData(f"There is no column {name!r}; the columns are {names}.")
    parts = np.full(len(frame), "")
    left_out = {label, *options.leave_out}
    for name in frame.columns:
        values = frame[name]
        if name.strip().lower() in _PART_COLUMNS and name not in left_out and set(map(str, values)) <= set(PARTS):
            parts, left_out = np.array([PARTS[str(value)] for value in values]), {*left_out, name}
    check_inputs(len(frame.columns) - len(left_out), len(frame))
    labels = label_texts(frame[label], f"column {label!r}")
    x = frame[[name for name in frame.columns if name not in left_out]].reset_index(drop=True)
    for name in x.columns:
        check_column(x[name], name)
    if options.pixels or (options.pixels is None and _looks_like_pixels(x)):
        return Samples(_as_pictures(x), labels, parts)
    return Samples(x, labels, parts)


def label_texts(values: pd.Series, where: str) -> np.ndarray:
    """Labels as text: names, or whole numbers."""
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise BadData(f"The label is missing in row {missing[0] + 1}, {where}. Fill it in, or leave out the row.")
    if pd.api.types.is_bool_dtype(values):
        return np.array(["true" if value else "false" for value in values])
    if pd.api.types.is_numeric_dtype(values):
        fractions = np.flatnonzero(values != np.floor(values))
        if len(fractions):
            raise BadData(
                f"Labels must be names or whole numbers, but row {fractions[0] + 1}, {where}, holds "
                f"{values.iloc[fractions[0]]:g}. Choose another column, or make classes of its values."
            )
        return np.array([str(int(value)) for value in values])
    return np.array([str(value).strip() for value in values])


def check_column(values: pd.Series, name: str) -> None:
    """Refuse a column with empty or endless cells, or of free text."""
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise BadData(
            f"Row {missing[0] + 1}, column {name!r} is empty ({len(missing):,} such cells in this column). Fill them "
            "in, leave out the column, or leave out the rows."
        )
    if pd.api.types.is_bool_dtype(values):
        return
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values):
        endless = np.flatnonzero(~np.isfinite(values.to_numpy(dtype=np.float64)))
        if len(endless):
            raise BadData(f"Row {endless[0] + 1}, column {name!r} is infinite. Put a number in its place.")
        return
    kinds = values.astype(str).nunique()
    if kinds > MOST_CATEGORIES or kinds > max(2, len(values) // 2):
        raise BadData(
            f"Column {name!r} is text ({kinds:,} different values, such as {str(values.iloc[0])[:30]!r}). Leave it "
            f"out; a column of at most {MOST_CATEGORIES} different words can be used."
        )


def _looks_like_pixels(x: pd.DataFrame) -> bool:
    side = math.isqrt(x.shape[1])
    if side**2 != x.shape[1] or side < 8:
        return False
    if not all(pd.api.types.is_integer_dtype(kind) for kind in x.dtypes):
        return False
    return x.to_numpy().min() >= 0 and 15 <= x.to_numpy().max() <= 255


def _as_pictures(x: pd.DataFrame) -> np.ndarray:
    """Square pictures of columns; of numbers up to 16 or 255, the largest is white."""
    side = math.isqrt(x.shape[1])
    if side**2 != x.shape[1]:
        raise BadData(f"{x.shape[1]:,} columns are no square picture. Use them as numbers.")
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in x.dtypes):
        raise BadData("Columns of words are no pixels. Use the columns as they are.")
    return as_pixels(x.to_numpy().reshape(len(x), side, side))


def as_pixels(x: np.ndarray) -> np.ndarray:
    """Brightness as uint8, of bytes, of whole numbers from 0 to 255, or of numbers from 0 to 1."""
    if x.dtype == np.uint8:
        return x
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 255 or not math.isfinite(high):
        raise BadData(f"Pixels must be from 0 to 255, or from 0 to 1, not from {low:g} to {high:g}.")
    if np.issubdtype(x.dtype, np.floating) and high <= 1:
        return np.rint(255 * x).astype(np.uint8)
    if high <= 16:  # as scikit-learn's digits
        return np.rint(x * (255 / 16)).astype(np.uint8)
    return np.rint(x).astype(np.uint8)
