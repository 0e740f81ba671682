"""Predictions of two networks for one sample: their answers, and how many test samples each classifies correctly."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from abp.analysis.neuron_responses import activations
from abp.dashboard.charts.colours import METHODS
from abp.dashboard.frame.markdown import literal
from abp.dashboard.playground.damage import Copy, accuracy
from abp.dashboard.playground.picture_source import Picture
from abp.data.datasets import DATASETS
from abp.network.mlp import Network
from abp.pruning.criteria import CRITERIA

SIDE = 168
"""Pixels of one answer: two stand beside each other on a phone."""

TITLES = ("As trained", "Your copy")


def outputs_of(shown: Picture, network: Network) -> list[NDArray]:
    """Outputs of each hidden layer and the classes' probabilities; zeros while there is no sample."""
    if shown.pixels is None:
        return [np.zeros(width, dtype=np.float32) for width in network.sizes[1:]]
    return activations(network, shown.pixels)


def show_predictions(shown: Picture, left: Copy, right: Copy) -> tuple[DeltaGenerator, DeltaGenerator]:
    """What each network takes the sample for; the places for `show_scores`."""
    scores = []
    with st.container(horizontal=True, gap="small"):
        for copy, title in zip((left, right), TITLES, strict=True):
            run = copy.trained.run
            probabilities = outputs_of(shown, copy.trained.network)[-1]
            with st.container(width=SIDE, gap="xsmall"):
                st.markdown(f"**{title}**")
                st.markdown(f"#### {answer_words(run.experiment.dataset, shown, probabilities)}")
                names = DATASETS[run.experiment.dataset].class_names
                st.html(probability_bars(names, probabilities, METHODS[run.experiment.criterion], title))
                scores.append(st.empty())
    return scores[0], scores[1]


def show_scores(places: Sequence[DeltaGenerator], left: Copy, right: Copy, *, rests: bool) -> None:
    """The share of the test samples that each network classifies correctly; drawn last, since it takes time.

    Parameters
    ----------
    rests
        Whether the copy is worth testing: while the slider is dragged it is not.
    """
    found = [accuracy(left, patience=0.25), accuracy(right, patience=0.25) if rests else None]
    for place, copy, share in zip(places, (left, right), found, strict=True):
        run = copy.trained.run
        place.caption(
            f"Run {run.id}, {CRITERIA[run.experiment.criterion].title}{_score(share, found[0], copy is right)}."
        )


def _score(share: float | None, base: float | None, differs: bool) -> str:
    """The share of test samples that a copy classifies correctly, and its difference from the one as trained."""
    if share is None:
        return ": …"
    difference = "" if base is None or not differs else f" ({100 * (share - base):+.1f} points)".replace("-", "−")
    return f": classifies **{100 * share:.1f} %** correctly{difference if share != base else ''}"


def answer_words(dataset: str, shown: Picture, probabilities: NDArray) -> str:
    """A network's answer, and its second guess."""
    if shown.pixels is None:
        return literal(shown.hint)
    names = DATASETS[dataset].class_names
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    if shown.label is None:
        said = f"{literal(names[first])}, {percent(probabilities[first])} sure."
    elif first == shown.label:
        said = f"{literal(names[first])}: correct."
    else:
        said = f"{literal(names[first])}: wrong."
    return f"{said} :small[(Second guess: {literal(names[second])}, {percent(probabilities[second])})]"


def percent(share: float) -> str:
    r"""A probability in words: it never claims certainty, and its percent sign stays on the same line.

    >>> percent(0.876), percent(0.9999), percent(0.0001)
    ('88\xa0%', 'over 99\xa0%', 'under 1\xa0%')
    """
    if share > 0.99:
        return "over 99\xa0%"
    return "under 1\xa0%" if share < 0.01 else f"{100 * share:.0f}\xa0%"


def probability_bars(names: Sequence[str], probabilities: NDArray, colour: str, title: str) -> str:
    """A bar and a figure for each class, as HTML: a chart takes the browser many times as long after each stroke."""
    most = int(np.argmax(probabilities)) if probabilities.any() else -1
    rows = "".join(
        f'<li style="display: contents{"; font-weight: 600" if index == most else ""}"><span>{html.escape(name)}</span>'
        f'<span style="width: {100 * share:.1f}%; height: .75em; border-radius: .2em; background: {colour}"></span>'
        f'<span style="text-align: right">{100 * share:.0f} %</span></li>'
        for index, (name, share) in enumerate(zip(names, probabilities.tolist(), strict=True))
    )
    label = f"{html.escape(title)}: class probabilities"
    style = (
        "display: grid; grid-template-columns: fit-content(5.5rem) 1fr 3em; column-gap: .4em; align-items: center; "
        "padding: 0; margin: 0; font-size: .75rem; line-height: 1.3"
    )
    return f'<ul aria-label="{label}" style="{style}">{rows}</ul>'


def probability_table(names: Sequence[str], both: Sequence[NDArray]) -> pd.DataFrame:
    """Probabilities of every class by both networks: columns ``class``, ``as trained``, ``your copy``."""
    left, right = (np.round(probabilities, 4) for probabilities in both)
    return pd.DataFrame({"class": list(names), "as trained": left, "your copy": right})
