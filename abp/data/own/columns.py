"""Tables back in their own units: what a row's inputs stand for, and the inputs of values that somebody chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from abp.data.datasets import Column


def words_of(columns: Sequence[Column]) -> dict[str, list[str]]:
    """The words of each column of words, in order."""
    found: dict[str, list[str]] = {}
    for column in columns:
        if column.group:
            found.setdefault(column.group, []).append(column.name.removeprefix(f"{column.group}: "))
    return found


def table_of(columns: Sequence[Column], x: ArrayLike) -> pd.DataFrame:
    """Inputs ``[samples, inputs]`` as the table that they were made from, in its own units."""
    inputs = np.atleast_2d(np.asarray(x, dtype=np.float64))
    words = words_of(columns)
    found: dict[str, object] = {}
    for place, column in enumerate(columns):
        if not column.group:
            values = inputs[:, place] * column.scale + column.mean
            # float32 holds seven digits, and what it lost is not to look like a measurement
            found[column.name] = [float(f"{value:.6g}") for value in values]
        elif column.group not in found:
            kinds = words[column.group]
            one_hot = inputs[:, place : place + len(kinds)]
            found[column.group] = [kinds[int(row.argmax())] if row.any() else "" for row in one_hot]
    return pd.DataFrame(found)


def inputs_of(columns: Sequence[Column], values: Mapping[str, float | str]) -> NDArray[np.float32]:
    """One sample's inputs, float32 ``[inputs]``, of a value for each column."""
    found = [
        float(values[column.group] == column.name.removeprefix(f"{column.group}: "))
        if column.group
        else (float(values[column.name]) - column.mean) / column.scale
        for column in columns
    ]
    return np.array(found, dtype=np.float32)
