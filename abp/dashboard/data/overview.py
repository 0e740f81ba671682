"""A data set before its eyes: samples a class, examples or ranges, what was left out, and what a run will take."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from abp.dashboard.charts.charts import Chart
from abp.dashboard.charts.colours import MUTED, TRAINING, VALIDATION
from abp.dashboard.charts.images import picture_png
from abp.dashboard.charts.widgets import chart_with_data, download_csv, picture
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.markdown import literal
from abp.data.own.columns import table_of
from abp.data.own.content import OwnData
from abp.runs.balance import is_unbalanced
from abp.training.experiment import Experiment

_PARTS = {"training": TRAINING, "validation": VALIDATION, "test": MUTED}
_BARS = 40  # classes in the chart
_EXAMPLES = 16

# A training step of the published network, 321,000 weights and 32 samples, takes 0.6 ms; a worker without data 300 MB.
_STEP, _STEP_A_WEIGHT, _WORKER = 1.5e-4, 1.4e-9, 3e8


def overview(own: OwnData, *, key: str) -> None:
    """Everything that can be said of a data set before it is trained on."""
    counts = own.samples
    total, what = sum(counts.values()), "rows" if own.image_shape is None else "pictures"
    shape = f"{own.x.shape[1]:,} inputs" if own.image_shape is None else " × ".join(map(str, own.image_shape))
    given = own.notes["given"]
    drawn = f"the parts {', '.join(given)} are the file's own" if given else f"drawn by seed {own.notes['seed']}"
    st.markdown(
        f"**{total:,} {what}** ({shape}) of **{len(own.class_names):,} classes**: {counts['train']:,} for training, "
        f"{counts['valid']:,} for validation, {counts['test']:,} for testing ({drawn}). {estimate(own)}"
    )
    _warnings(own)
    left, right = st.columns(2, gap="large")
    with left:
        _classes(own, key)
    with right:
        if own.private and not operating():
            st.caption(":material/lock: These data are private: their samples are shown to the operator alone.")
        elif own.image_shape is None:
            _ranges(own, key)
        else:
            _examples(own)


def estimate(own: OwnData) -> str:
    """Time and memory of a run with the usual network, in words."""
    usual = Experiment()
    sizes = [own.x.shape[1], *usual.hidden, len(own.class_names)]
    weights = sum(inputs * outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True))
    seconds = own.samples["train"] / usual.batch_size * (_STEP + _STEP_A_WEIGHT * weights)
    memory = (_WORKER + 2 * 4 * own.x.size) / 1e9
    return (
        f"With the usual network an epoch takes about {max(seconds, 0.01):.1g} s, and a run about {memory:.1f} GB of "
        "memory."
    )


def _warnings(own: OwnData) -> None:
    notes = own.notes
    if notes["duplicates"]:
        st.warning(
            f"{notes['duplicates']:,} validation or test samples are training samples too, to the last bit: accuracy "
            "will look better than it is.",
            icon=":material/content_copy:",
        )
    counts = np.array(notes["counts"])
    largest = int(counts.argmax())
    if is_unbalanced(notes["counts"]):
        st.info(
            f"The classes are unbalanced: a network that always answered “{literal(own.class_names[largest])}” would "
            f"be right for {100 * counts.max() / counts.sum():.0f} % of the samples. Look at the balanced accuracy, "
            "the mean over the classes, beside the accuracy.",
            icon=":material/balance:",
        )
    if notes["refused_in_all"]:
        number = notes["refused_in_all"]
        with st.expander(f"Left out: {number:,} file{'s' * (number > 1)}", icon=":material/rule:"):
            st.markdown("\n".join(f"- {literal(sentence)}" for sentence in notes["refused"]))
            if notes["refused_in_all"] > len(notes["refused"]):
                st.caption(f"The first {len(notes['refused'])} of them are listed.")


def _classes(own: OwnData, key: str) -> None:
    table = class_table(own)
    most = (
        f" The {_BARS} largest of {len(own.class_names):,} classes are drawn." if len(own.class_names) > _BARS else ""
    )
    chart_with_data(
        "Samples a class",
        f"How many samples of each class are for training, validation and testing.{most}",
        "Networks learn from the training part; the validation part decides when to stop, and the test part measures "
        "what was learned. A class with few samples is hard to learn.",
        [class_chart(table)],
        lambda: table,
        f"classes-{key}",
    )


def class_table(own: OwnData) -> pd.DataFrame:
    """Samples of each class in each part: columns ``class``, ``part``, ``samples``."""
    ends = np.cumsum([own.samples["valid"], own.samples["train"]])
    valid, train, test = np.split(own.y, ends)
    rows = [
        (name, part, int(count))
        for part, labels in zip(_PARTS, (train, valid, test), strict=True)
        for name, count in zip(own.class_names, np.bincount(labels, minlength=len(own.class_names)), strict=True)
    ]
    return pd.DataFrame(rows, columns=["class", "part", "samples"])


def class_chart(table: pd.DataFrame) -> Chart:
    """A bar a class (columns of `class_table`), its parts side by side in it."""
    largest = table.groupby("class", sort=False)["samples"].sum().nlargest(_BARS).index
    shown = table[table["class"].isin(largest)].assign(order=lambda rows: rows["part"].map(list(_PARTS).index))
    return (
        alt.Chart(shown)
        .mark_bar()
        .encode(
            x=alt.X("samples:Q", title="samples", axis=alt.Axis(tickCount=5, tickMinStep=1)),
            y=alt.Y("class:N", sort=None, title=None, axis=alt.Axis(labelOverlap=False, labelLimit=160)),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=list(_PARTS), range=list(_PARTS.values())),
                legend=alt.Legend(orient="top", title=None),
            ),
            order=alt.Order("order:O"),
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("part:N"), alt.Tooltip("samples:Q")],
        )
        .properties(height=alt.Step(20))
    )


def _examples(own: OwnData) -> None:
    """A few pictures of each class, of the training part."""
    assert own.image_shape is not None
    st.subheader("Examples", anchor=False, help="As the network sees them, from the training part.")
    st.caption("The first training pictures of each class, as the network sees them.")
    start, end = own.samples["valid"], own.samples["valid"] + own.samples["train"]
    labels = own.y[start:end]
    each = max(1, _EXAMPLES // len(own.class_names))
    places = [start + place for kind in range(len(own.class_names)) for place in np.flatnonzero(labels == kind)[:each]]
    places = places[: 2 * _EXAMPLES]
    scale = 255 if own.x.dtype == np.uint8 else 1
    names = [own.class_names[own.y[place]] for place in places]
    picture(
        [picture_png(own.x[place].reshape(own.image_shape) / scale) for place in places],
        caption=names,
        width=84,
        alt=[f"Training picture of the class {name}" for name in names],
    )


def _ranges(own: OwnData, key: str) -> None:
    """The range of each column, in its own units."""
    st.subheader(
        "Columns",
        anchor=False,
        help="A network sees numbers with mean 0 and standard deviation 1 in the training part, and a column of words "
        "as one input a word, 1 or 0.",
    )
    st.caption("The range of each column over all samples, and its mean in the training part.")
    numbers = [column for column in own.columns if not column.group]
    table = pd.DataFrame(
        {
            "Column": [column.name for column in numbers],
            "Lowest": [column.low for column in numbers],
            "Mean": [column.mean for column in numbers],
            "Highest": [column.high for column in numbers],
        }
    )
    height: Any = 240 if len(table) > 6 else "auto"
    st.dataframe(table, hide_index=True, height=height, alt="Lowest, mean and highest value of each column.")
    download_csv(f"columns-{key}", lambda: table)
    words = [column.name for column in own.columns if column.group]
    if words:
        st.caption(f"Inputs made of words: {literal(', '.join(words[:20]))}.")
    start = own.samples["valid"]
    rows = table_of(own.columns, own.x[start : start + 5])
    rows.insert(0, "Class", [own.class_names[label] for label in own.y[start : start + 5]])
    st.caption("The first training samples.")
    st.dataframe(rows, hide_index=True, alt="The first training samples with their classes.")
