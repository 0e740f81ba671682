"""Predictions of two networks for one picture: classes, probabilities and the outputs of every neuron."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from abp.analysis.neuron_responses import activations
from abp.dashboard.charts.colours import METHODS
from abp.dashboard.charts.widgets import download_csv
from abp.dashboard.components.neuron_lights import Neuron, neuron_lights
from abp.dashboard.frame.markdown import literal
from abp.dashboard.playground.damage import Copy, accuracy
from abp.dashboard.playground.disabled_neurons import switch
from abp.dashboard.playground.picture_source import Picture
from abp.data.datasets import DATASETS
from abp.network.mlp import Network
from abp.pruning.criteria import CRITERIA
from abp.runs.damage import TrainedNetwork
from abp.training.experiment import Experiment

SIDE = 360
"""Pixels of one side: the widest layer, and a phone."""

_POINTED = "pointed-at"  # the neuron that the visitor pointed at last: run, hidden layer, neuron

TITLES = ("As trained", "Your copy")


def outputs_of(shown: Picture, network: Network) -> list[NDArray]:
    """Outputs of each hidden layer and the classes' probabilities; zeros while there is no picture."""
    if shown.pixels is None:
        return [np.zeros(width, dtype=np.float32) for width in network.sizes[1:]]
    return activations(network, shown.pixels)


def show_predictions(shown: Picture, left: Copy, right: Copy) -> None:
    """The class that each network predicts, and the share of test pictures that it classifies correctly."""
    for place, copy, title in zip(st.columns(2, gap="large"), (left, right), TITLES, strict=True):
        run = copy.trained.run
        with place:
            st.subheader(title, anchor=False)
            _prediction(run.experiment.dataset, shown, outputs_of(shown, copy.trained.network)[-1])
            st.caption(f"Run {run.id}, {CRITERIA[run.experiment.criterion].title}{_score(copy, left)}.")


def show_outputs(shown: Picture, left: Copy, right: Copy) -> DeltaGenerator:
    """The probabilities and the neurons' outputs of both networks, the outputs on one scale.

    Returns
    -------
    DeltaGenerator
        The container of both sides, which stand beside each other if there is room.
    """
    found = [outputs_of(shown, copy.trained.network) for copy in (left, right)]
    strongest = _strongest([outputs[:-1] for outputs in found])
    sides = zip((left, right), TITLES, ("as-trained", "yours"), found, strict=True)
    both = st.container(horizontal=True, gap="large")  # one below the other where two heatmaps have no room
    for copy, title, name, outputs in sides:
        with both.container(width=SIDE):
            st.subheader(title, anchor=False)
            _probabilities(copy.trained.run.experiment, outputs[-1], title, name)
            _layers(copy.trained, outputs[:-1], strongest, title, name)
    return both


def _score(copy: Copy, other: Copy) -> str:
    """The share of test pictures that a copy classifies correctly, and its difference from another's."""
    right, base = accuracy(copy), accuracy(other)
    if right is None or base is None:
        return ""
    difference = f" ({100 * (right - base):+.1f} points)".replace("-", "−") if copy is not other else ""
    return f": classifies **{100 * right:.1f} %** of the test pictures correctly{difference}"


def _strongest(outputs: Sequence[Sequence[NDArray]]) -> list[float]:
    """The largest output of each hidden layer, on either side."""
    depth = max(len(layers) for layers in outputs)
    return [
        max((float(layers[index].max(initial=0)) for layers in outputs if index < len(layers)), default=0) or 1.0
        for index in range(depth)
    ]


def _prediction(dataset: str, shown: Picture, probabilities: NDArray) -> None:
    if shown.pixels is None:
        st.markdown("#### Draw or choose a picture")
        st.caption(shown.hint)
        return
    names = DATASETS[dataset].class_names
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    verdict, truth = "", ""
    if shown.label is not None:
        verdict = ": correct" if first == shown.label else ": wrong"
        truth = "" if first == shown.label else f"The picture shows: {literal(names[shown.label])}. "
    st.markdown(f"#### {literal(names[first])}{verdict} ({percent(probabilities[first])} sure)")
    st.caption(f"{truth}Second guess: {literal(names[second])}, {percent(probabilities[second])}.")


def percent(share: float) -> str:
    r"""A probability in words: it never claims certainty, and its percent sign stays on the same line.

    >>> percent(0.876), percent(0.9999), percent(0.0001)
    ('88\xa0%', 'over 99\xa0%', 'under 1\xa0%')
    """
    if share > 0.99:
        return "over 99\xa0%"
    return "under 1\xa0%" if share < 0.01 else f"{100 * share:.0f}\xa0%"


def _probabilities(experiment: Experiment, probabilities: NDArray, title: str, name: str) -> None:
    names = DATASETS[experiment.dataset].class_names
    st.markdown("**Class probabilities**", help="The softmax of the output layer; the probabilities add up to 100 %.")
    st.caption("The probability that the network gives to each class.")
    st.html(probability_bars(names, probabilities, METHODS[experiment.criterion], title))
    download_csv(
        f"probabilities-{name}", lambda: pd.DataFrame({"class": names, "probability": np.round(probabilities, 4)})
    )


def probability_bars(names: Sequence[str], probabilities: NDArray, colour: str, title: str) -> str:
    """A bar and a figure for each class, as HTML: a chart takes the browser many times as long after each stroke."""
    rows = "".join(
        f'<li style="display: contents"><span>{html.escape(name)}</span>'
        f'<span style="width: {100 * share:.1f}%; height: 1em; border-radius: .2em; background: {colour}"></span>'
        f'<span style="text-align: right">{100 * share:.0f} %</span></li>'
        for name, share in zip(names, probabilities.tolist(), strict=True)
    )
    label = f"{html.escape(title)}: class probabilities"
    style = (
        "display: grid; grid-template-columns: max-content 1fr 3em; column-gap: .75em; align-items: center; padding: 0"
    )
    return f'<ul aria-label="{label}" style="{style}">{rows}</ul>'


def _layers(
    trained: TrainedNetwork, outputs: Sequence[NDArray], strongest: Sequence[float], title: str, name: str
) -> None:
    yours = name == "yours"
    st.markdown(
        "**Neuron outputs**",
        help="The picture passes through the layers from first to last. A neuron's output is zero or more; its colour "
        "compares it with the largest output in its layer, on both sides alike.",
    )
    click = ", click it to switch it off or on" if yours else ""
    st.caption(
        "Each cell is a neuron: the stronger its colour, the larger its output; a cross is a removed neuron. "
        f"Point at a neuron to see its weights{click}."
    )

    def point(neuron: Neuron) -> None:
        st.session_state[_POINTED] = (trained.run.id, *neuron)

    def click_on(neuron: Neuron) -> None:
        point(neuron)
        switch(trained, neuron)

    key = f"lights-{name}"
    clicked = click_on if yours else None
    neuron_lights(trained.masks, outputs, strongest, title=title, key=key, pointed=point, clicked=clicked)
    download_csv(f"outputs-{name}", lambda: outputs_table(trained.masks, outputs))


def pointed_at(*runs: int) -> tuple[int, int, int] | None:
    """Run, hidden layer and neuron (from 0) last pointed at; None if it belongs to none of these runs."""
    pointed = st.session_state.get(_POINTED)
    return pointed if pointed and pointed[0] in runs else None


def outputs_table(masks: Sequence[Tensor], outputs: Sequence[NDArray]) -> pd.DataFrame:
    """A row for each hidden neuron: columns ``layer``, ``neuron``, ``output``, ``live_weights``, ``state``."""
    shown = []
    for index, found in enumerate(outputs):
        live = masks[index].sum(dim=1).numpy()
        shown.append(
            pd.DataFrame(
                {
                    "layer": f"hidden {index + 1}",
                    "neuron": np.arange(len(found)) + 1,
                    "output": found,
                    "live_weights": live,
                    "state": np.where(live > 0, "live", "removed"),
                }
            )
        )
    return pd.concat(shown)
