"""Mistakes of two networks side by side: confusion matrices, and the pictures that only one of them gets right."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.analysis.confusion import balanced_accuracy, confusion, lost
from abp.dashboard.charts.charts import Chart
from abp.dashboard.charts.widgets import download_csv, show_chart
from abp.dashboard.networks.cache import pictures_of
from abp.dashboard.networks.samples import show_test_samples
from abp.dashboard.playground.damage import Copy, predictions_of
from abp.data.datasets import DATASETS

_SHOWN = 12  # pictures of a class at most


def mistakes_view(left: Copy, right: Copy) -> None:
    """Confusion matrices of both networks, and lost pictures; nothing without the test pictures."""
    before, after = predictions_of(left, patience=0.25), predictions_of(right, patience=0.25)
    if before is None or after is None:
        return
    dataset = left.trained.run.experiment.dataset
    truth, names = pictures_of(dataset)[1].numpy(), list(DATASETS[dataset].class_names)
    found = {"As trained": before, "Your copy": after}
    tables = [confusion_table(confusion(truth, predicted, len(names)), names) for predicted in found.values()]
    percents = {title: 100 * balanced_accuracy(truth, predicted) for title, predicted in found.items()}
    both = pd.concat(
        [table.assign(network=side) for table, side in zip(tables, ("as trained", "your copy"), strict=True)]
    )
    st.subheader(
        "Confusion matrix",
        anchor=False,
        help="A row for each true class and a column for each predicted class; on the diagonal the network is right. "
        "Balanced accuracy is the share of each class that is right, averaged over the classes, so that a large class "
        "counts no more than a small one.",
    )
    st.caption("Test pictures of each class by predicted class; everything off the diagonal is a mistake.")
    for place, title, table in zip(st.columns(2, gap="large"), ("As trained", "Your copy"), tables, strict=True):
        wrong = int(table.loc[table["true class"] != table["predicted class"], "pictures"].sum())
        with place:
            st.markdown(f"**{title}**: {wrong:,} of {len(truth):,} wrong; balanced accuracy {percents[title]:.1f} %")
            show_chart(
                confusion_chart(table, names),
                key=f"confusion-{title}",
                alt=f"{title}: confusion matrix; {wrong:,} of {len(truth):,} test pictures are misclassified.",
            )
    download_csv("confusion", lambda: both)
    _lost_samples(truth, before, after, names, dataset)


def confusion_table(counts: NDArray, names: list[str]) -> pd.DataFrame:
    """Counts ``[classes, classes]`` as columns ``true class``, ``predicted class``, ``pictures``, ``share`` of row."""
    rows = [
        (names[row], names[column], int(counts[row, column]), counts[row, column] / max(counts[row].sum(), 1))
        for row in range(len(names))
        for column in range(len(names))
    ]
    return pd.DataFrame(rows, columns=["true class", "predicted class", "pictures", "share"])


def confusion_chart(table: pd.DataFrame, names: list[str]) -> Chart:
    """A confusion matrix (columns of `confusion_table`) with its numbers."""
    base = (
        alt.Chart(table)
        .transform_filter("datum.pictures > 0")
        .encode(
            x=alt.X(
                "predicted class:N",
                title="predicted class",
                scale=alt.Scale(domain=names),
                axis=alt.Axis(orient="top", labelAngle=-45),
            ),
            y=alt.Y("true class:N", title="true class", scale=alt.Scale(domain=names)),
            tooltip=[
                alt.Tooltip("true class:N"),
                alt.Tooltip("predicted class:N"),
                alt.Tooltip("pictures:Q"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
    )
    # The same colours in both themes, so that one ink can be read on each of them.
    cells = base.mark_rect().encode(
        color=alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=["#FDE3C5", "#5C2A0D"]), legend=None)
    )
    ink = alt.condition("datum.share > 0.5", alt.value("white"), alt.value("#1C2026"))
    numbers = base.mark_text(fontSize=11).encode(text=alt.Text("pictures:Q"), color=ink)
    return alt.layer(cells, numbers).properties(height=330)


def _lost_samples(truth: NDArray, left: NDArray, right: NDArray, names: list[str], dataset: str) -> None:
    """Pictures that only the network on the left classifies correctly, class by class."""
    indices = lost(truth, left, right)
    gained = len(lost(truth, right, left))
    st.subheader(
        "Lost pictures",
        anchor=False,
        help="Classifying these pictures correctly needed what has been removed.",
    )
    st.caption(
        f"The network as trained classifies {len(indices):,} test pictures correctly that your copy does not; for "
        f"{gained:,} it is the other way round."
    )
    table = pd.DataFrame(
        {
            "picture": indices + 1,
            "true class": [names[label] for label in truth[indices]],
            "predicted class": [names[label] for label in right[indices]],
        }
    )
    if len(indices):
        counts = np.bincount(truth[indices], minlength=len(names))
        shown = st.selectbox(
            "Class",
            [index for index in np.argsort(-counts, kind="stable").tolist() if counts[index]],
            format_func=lambda index: f"{names[index]} ({counts[index]:,} lost)",
            key="lost-class",
            width=260,
        )
        some = indices[truth[indices] == shown][:_SHOWN]
        predicted = [names[label] for label in right[some]]
        show_test_samples(
            dataset,
            some,
            [f"as {word}" for word in predicted],
            [
                f"Test picture {index + 1}: {names[shown]}, classified as {word}"
                for index, word in zip(some, predicted, strict=True)
            ],
        )
    download_csv("lost-pictures", lambda: table)
