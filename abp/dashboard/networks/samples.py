"""Samples on a page: pictures, or rows of a table in its own units; those of private data for the operator alone."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.dashboard.charts.images import picture_png
from abp.dashboard.charts.widgets import picture
from abp.dashboard.frame.privacy import may_show_samples
from abp.dashboard.networks.cache import pictures_of
from abp.data.datasets import DATASETS
from abp.data.own.columns import table_of


def sample_png(dataset: str, values: NDArray, *, width: int = 84) -> bytes:
    """A sample of a data set of pictures as a PNG file; its values are float32 of any shape."""
    return picture_png(values.reshape(DATASETS[dataset].shape), width=width)


def sample_table(dataset: str, values: NDArray) -> pd.DataFrame:
    """One row of a table in its own units: columns ``column``, ``value``."""
    row = table_of(DATASETS[dataset].describe(), values.reshape(1, -1)).iloc[0]
    return pd.DataFrame({"column": row.index, "value": [str(value) for value in row]})


def show_test_samples(dataset: str, indices: NDArray, captions: Sequence[str], alt: Sequence[str]) -> None:
    """Some test samples, each with a caption; `alt` describes those that are pictures."""
    if not may_show_samples(dataset):
        return
    record = DATASETS[dataset]
    x, _ = pictures_of(dataset)
    if record.is_table:
        table = table_of(record.describe(), x[indices.tolist()].numpy())
        table.insert(0, "Row", [f"{index + 1}: {words}" for index, words in zip(indices, captions, strict=True)])
        st.dataframe(table, hide_index=True, alt="Rows of the test samples. " + "; ".join(alt))
        return
    picture(
        [sample_png(dataset, x[index].numpy()) for index in indices.tolist()],
        caption=list(captions),
        width=84,
        alt=list(alt),
    )


def weights_of_columns(dataset: str, weights: NDArray, kept: NDArray) -> pd.DataFrame:
    """A neuron's incoming weights by the column of the table that each belongs to."""
    names = [column.name for column in DATASETS[dataset].describe()]
    return pd.DataFrame({"input": names, "weight": weights, "kept": kept})
