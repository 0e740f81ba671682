"""Answers: what two networks make of one picture, side by side, neuron by neuron."""

import functools
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.pruning.criteria import CRITERIA
from abp.pruning.data import DATASETS
from abp.runs.trained import Trained, activations
from abp.view import charts
from abp.view.breaking import Copy, accuracy
from abp.view.colours import METHODS
from abp.view.parts import download_csv
from abp.view.pictures import Picture
from abp.view.switches import chart_key

_SIDE = 360  # pixels: the widest heatmap, and a phone

TITLES = ("As trained", "Yours to break")


def answers(shown: Picture, network: Trained) -> list[NDArray]:
    """Outputs of each hidden layer and the classes' probabilities; zeros while there is no picture."""
    if shown.pixels is None:
        return [np.zeros(width, dtype=np.float32) for width in network.sizes[1:]]
    return activations(network, shown.pixels)


def in_words(shown: Picture, left: Copy, right: Copy) -> None:
    """What both networks say, and how often they are right."""
    for place, copy, title in zip(st.columns(2, gap="large"), (left, right), TITLES, strict=True):
        network = copy.network
        with place:
            st.subheader(title, anchor=False)
            _words(network.dataset, shown, answers(shown, network)[-1])
            st.caption(f"Run {network.run}, {CRITERIA[network.criterion].title}. {_score(copy, left)}")


def in_pictures(shown: Picture, left: Copy, right: Copy) -> None:
    """How sure both networks are of each class, and what each of their neurons gives; outputs on one scale."""
    found = [answers(shown, copy.network) for copy in (left, right)]
    strongest = _strongest([answer[:-1] for answer in found])
    sides = zip((left, right), TITLES, ("as-trained", "yours"), found, strict=True)
    both = st.container(horizontal=True, gap="large")  # one below the other where two heatmaps have no room
    for copy, title, name, answer in sides:
        with both.container(width=_SIDE):
            st.subheader(title, anchor=False)
            _probabilities(copy.network.dataset, copy.network, answer[-1], title, name)
            _layers(copy.network, answer[:-1], strongest, title, name)


def _score(copy: Copy, other: Copy) -> str:
    """How many test pictures a copy gets right, and how many more or fewer than another."""
    right, base = accuracy(copy), accuracy(other)
    if right is None or base is None:
        return ""
    difference = f", {100 * (right - base):+.1f} points".replace("-", "−") if copy is not other else ""
    return f"It gets **{100 * right:.1f} %** of the test pictures right{difference}."


def _strongest(answers: Sequence[Sequence[NDArray]]) -> list[float]:
    """The largest output of each hidden layer, on either side."""
    depth = max(len(layers) for layers in answers)
    return [
        max((float(layers[index].max(initial=0)) for layers in answers if index < len(layers)), default=0) or 1.0
        for index in range(depth)
    ]


def _words(dataset: str, shown: Picture, probabilities: NDArray) -> None:
    if shown.pixels is None:
        st.markdown("#### It waits for a picture.")
        st.caption(shown.waiting)
        return
    names = DATASETS[dataset].class_names
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    st.markdown(f"#### It says {names[first]}, {percent(probabilities[first])} sure.")
    judged = ""
    if shown.label is not None:
        judged = " That is right." if first == shown.label else f" That is wrong: it is {names[shown.label]}."
    st.caption(f"Its second guess: {names[second]}, {percent(probabilities[second])}.{judged}")


def percent(share: float) -> str:
    """A probability in words that never claims certainty.

    >>> percent(0.876), percent(0.9999), percent(0.0001)
    ('88 %', 'over 99 %', 'under 1 %')
    """
    if share > 0.99:
        return "over 99 %"
    return "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _probabilities(dataset: str, network: Trained, probabilities: NDArray, title: str, name: str) -> None:
    names = list(DATASETS[dataset].class_names)
    table = pd.DataFrame({"class": names, "probability": np.round(probabilities, 4)})
    table["share"] = [f"{100 * value:.0f} %" for value in probabilities]
    st.markdown("**What it takes it for**", help="Softmax of the ten outputs; together they make 100 %.")
    st.caption("How probable it finds each class.")
    st.vega_lite_chart(
        table,
        _probabilities_spec(tuple(names), METHODS[network.criterion]),
        width="stretch",
        key=f"probabilities-{name}",
        alt=f"{title}: how probable it finds each class. "
        + ", ".join(f"{row} {share}" for row, share in zip(names, table["share"], strict=True)),
    )
    download_csv(f"probabilities-{name}", lambda: table.drop(columns="share"))


@functools.lru_cache(maxsize=32)
def _probabilities_spec(names: tuple[str, ...], colour: str) -> dict[str, Any]:
    """Bars of ten probabilities, as Vega-Lite without its data: Altair would take 30 ms for it at each stroke."""
    base = alt.Chart(pd.DataFrame({"class": [], "probability": [], "share": []})).encode(
        x=alt.X(
            "probability:Q", title=None, scale=alt.Scale(domain=[0, 1.1], nice=False),
            axis=alt.Axis(format="%", values=[0, 0.5, 1]),
        ),
        y=alt.Y("class:N", sort=None, title=None, scale=alt.Scale(domain=names), axis=alt.Axis(labelOverlap=False)),
        tooltip=["class:N", alt.Tooltip("probability:Q", format=".2%")],
    )  # fmt: skip
    words = base.mark_text(align="left", dx=4, fontSize=12).encode(text="share:N")
    return charts.without_data(alt.layer(base.mark_bar(color=colour), words).properties(height=240))


def _layers(network: Trained, outputs: Sequence[NDArray], strongest: Sequence[float], title: str, name: str) -> None:
    hidden = network.sizes[1:-1]
    live = [mask.sum(dim=1).numpy() for mask in network.masks]
    cell = charts.cell_size(hidden)
    st.markdown(
        "**How its neurons answer**",
        help="The picture goes through the layers from first to last. A neuron's output is zero or more; colours "
        "compare it with the largest of its layer, on both sides.",
    )
    yours = name == "yours"
    st.caption(
        "Each cell is a neuron: the stronger its colour, the larger its output; a cross was removed."
        + (" Click one to switch it off, or on again." if yours else "")
    )
    shown = []
    for index, width in enumerate(hidden):
        table = _answering(index, outputs[index], strongest[index], live[index], cell)
        shown.append(table)
        fired = int((outputs[index] > 0).sum())
        st.markdown(f"**Hidden {index + 1}** · {fired} of {width} fire")
        st.vega_lite_chart(
            table,
            charts.activity_spec(width, cell, "strength", clickable=yours),
            width="content",
            key=chart_key(network.run, index) if yours else f"answers-{name}-{index}",
            on_select="rerun" if yours else "ignore",
            selection_mode=[charts.CLICKED] if yours else (),
            alt=f"{title}: outputs of the {width} neurons of hidden layer {index + 1}; {fired} fire.",
        )
    download_csv(f"outputs-{name}", lambda: pd.concat(shown)[["layer", "neuron", "output", "live_weights", "state"]])


def _answering(layer: int, outputs: NDArray, strongest: float, live: NDArray, cell: int) -> pd.DataFrame:
    """A row for each neuron of a hidden layer, placed for the heatmap; made in one go, at each stroke."""
    neuron = np.arange(len(outputs))
    columns = charts.layer_columns(len(outputs), cell)
    return pd.DataFrame(
        {
            "layer": f"hidden {layer + 1}",
            "neuron": neuron + 1,
            "column": neuron % columns + 0.5,
            "row": neuron // columns + 0.5,
            "output": np.round(outputs, 4),
            "strength": np.round(outputs / strongest, 4),
            "live_weights": live,
            "state": np.where(live > 0, "live", "removed"),
        }
    )
