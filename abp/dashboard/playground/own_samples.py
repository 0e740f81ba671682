"""Samples of people's own data on the playground: a drawing, a picture of one's own, or chosen values of a table."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from abp.data.datasets import DATASETS, Column
from abp.data.own.columns import inputs_of, table_of, words_of
from abp.data.own.pictures import decoded
from abp.data.own.samples import Options

_SLIDERS = 30  # columns that are asked for; the others keep the values of the test sample


def can_be_drawn(dataset: str) -> bool:
    """Whether the samples are drawings on an even background, so that one more can be drawn."""
    return DATASETS[dataset].notes.get("ink") is not None


def can_be_sent(dataset: str) -> bool:
    """Whether the samples came from picture files, so that one more can be prepared like them."""
    return bool(DATASETS[dataset].notes.get("pictures", {}).get("size"))


def drawing_like(ink: NDArray[np.uint8], dataset: str) -> NDArray[np.float32]:
    """A drawing from the pad, bright on black, as the samples are: float32 ``[rows, columns]``, 0 to 1."""
    record = DATASETS[dataset]
    rows, columns = record.pixels
    small = Image.fromarray(ink).resize((columns, rows), Image.Resampling.BOX)
    pixels = np.asarray(small) if record.notes["ink"] == "bright" else 255 - np.asarray(small)
    return np.divide(pixels, 255, dtype=np.float32)


def picture_like(contents: bytes, dataset: str) -> NDArray[np.float32]:
    """A picture file prepared as the samples were, float32 of their shape, 0 to 1.

    Raises
    ------
    abp.data.own.limits.BadData
        If it is no picture; the message completes a sentence that begins with the file.
    """
    return np.divide(decoded(contents, Options(**DATASETS[dataset].notes["pictures"])), 255, dtype=np.float32)


def values_form(dataset: str, start: NDArray[np.float32], *, key: str) -> NDArray[np.float32]:
    """A slider for each column of numbers and a choice for each column of words, at first those of `start`."""
    columns = DATASETS[dataset].describe()
    values = table_of(columns, start).iloc[0].to_dict()
    words = words_of(columns)
    places = st.container(height=320)
    with places:
        for name in list(values)[:_SLIDERS]:
            field = f"value-{key}-{name}"
            if name in words:
                shown = values[name] if values[name] in words[name] else words[name][0]
                values[name] = st.selectbox(name, words[name], index=words[name].index(shown), key=field)
            else:
                values[name] = _slider(next(each for each in columns if each.name == name), float(values[name]), field)
    if len(values) > _SLIDERS:
        st.caption(f"The other {len(values) - _SLIDERS:,} columns keep the values of the test sample.")
    return inputs_of(columns, values)


def _slider(column: Column, value: float, key: str) -> float:
    low, high = column.low, column.high
    if low >= high:
        return low
    return st.slider(column.name, low, high, min(max(value, low), high), step=_step(low, high), format="%g", key=key)


def _step(low: float, high: float) -> float:
    """About a hundredth of the range, a round number.

    >>> _step(0, 1), _step(11.03, 14.83), _step(0, 1680)
    (0.01, 0.01, 10.0)
    """
    return float(f"1e{int(np.floor(np.log10((high - low) / 100) + 1e-9))}")
