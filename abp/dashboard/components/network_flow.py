"""The way of one sample through a network: its inputs, every neuron, what spoke for the answer, and the classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from abp.analysis.contributions import Contributions
from abp.dashboard.charts.images import NEGATIVE, POSITIVE
from abp.dashboard.components.scripts import GRID, script, style

Neuron = tuple[int, int]
"""Hidden layer and neuron, both from 0."""

_HTML = (
    '<div class="flow"><svg class="links" aria-hidden="true"></svg><div class="steps"></div>'
    '<div class="tip" aria-live="polite" hidden><span></span><div class="portrait"></div></div></div>'
)
_JS, _CSS = script(*GRID, "network_flow"), style("network_flow")


@dataclass(frozen=True, eq=False)
class Inputs:
    """What enters the network, in words and as a picture.

    Attributes
    ----------
    title, words
        "Input", and "28 × 28 pixels".
    picture
        Address of a picture of it; empty where there is none.
    speaking
        Address of a picture of the same size, of what each place of it contributed; empty where there is none.
    lines
        What contributed most, in words, where it is no picture.
    """

    title: str
    words: str
    picture: str = ""
    speaking: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Portrait:
    """More about one neuron, shown beside it: pictures (addresses and words), and a sentence."""

    neuron: Neuron
    words: str
    pictures: tuple[tuple[str, str], ...] = ()


def network_flow(
    masks: Sequence[Tensor],
    off: Sequence[Neuron],
    outputs: Sequence[NDArray],
    strongest: Sequence[float],
    *,
    inputs: Inputs,
    found: Contributions | None,
    classes: Sequence[str],
    answer: int | None,
    portrait: Portrait | None,
    title: str,
    colour: str,
    key: str,
    pointed: Callable[[Neuron], None],
    clicked: Callable[[Neuron], None] | None = None,
) -> None:
    """Draw the inputs, a canvas for each hidden layer, the classes, and the links between what spoke most.

    Parameters
    ----------
    masks
        Which weights are kept, bool ``[neurons, inputs]`` per hidden layer.
    off
        Neurons that are switched off.
    outputs
        Outputs of each hidden layer, ``[neurons]``, and at the end the probabilities of the classes.
    strongest
        The output that has the strongest colour, for each hidden layer.
    found, answer
        What contributed to which class; None while there is no sample.
    title, colour
        Name of the network, for people who cannot see it, and the colour of its bars.
    pointed, clicked
        Called before the page is redrawn: the one when the mouse rests on a neuron, the other when a neuron is clicked,
        tapped or chosen by keys. Without `clicked`, that counts as pointing.
    """

    def notify(event: str, then: Callable[[Neuron], None] | None) -> None:
        neuron = neuron_of(st.session_state[key].get(event), hidden)
        if neuron is not None and then is not None:
            then(neuron)

    hidden = [len(mask) for mask in masks]
    data = {
        "title": title,
        "switches": clicked is not None,
        "for": POSITIVE,
        "against": NEGATIVE,
        "colour": colour,
        "inputs": {**vars(inputs), "lines": list(inputs.lines)},
        "layers": [
            {
                "name": f"Hidden {index + 1}",
                "outputs": np.round(outputs[index].astype(float), 4).tolist(),
                "strongest": strongest[index],
                "live": masks[index].sum(dim=1).tolist(),
                "off": [neuron for layer, neuron in off if layer == index],
                "parts": _parts(found, index),
            }
            for index in range(len(hidden))
        ],
        "first": _parts(found, 0)[:4],
        "links": []
        if found is None
        else [[[link.start, link.end, link.weight, link.contribution] for link in links] for links in found.links],
        "classes": list(classes),
        "probabilities": np.round(outputs[-1].astype(float), 4).tolist(),
        "answer": answer,
        "portrait": None
        if portrait is None
        else {"neuron": portrait.neuron, "words": portrait.words, "pictures": portrait.pictures},
    }
    # Declared at every drawing, since each page of a test has its own registry; repeating it changes nothing.
    mount = st.components.v2.component("network_flow", html=_HTML, css=_CSS, js=_JS)
    mount(
        key=key,
        data=data,
        on_pointed_change=lambda: notify("pointed", pointed),
        on_clicked_change=lambda: notify("clicked", clicked),
    )


def _parts(found: Contributions | None, layer: int) -> list[list[float]]:
    """The neurons of a hidden layer that contributed most, each with its contribution."""
    if found is None:
        return []
    return [[neuron, round(float(found.layers[layer + 1][neuron]), 4)] for neuron in found.strongest[layer]]


def neuron_of(sent: object, hidden: Sequence[int]) -> Neuron | None:
    """The neuron in what a browser sent; None if that is not one of these layers', whatever it is.

    A third number only tells one click from the next.

    >>> neuron_of([0, 19], (20, 10)), neuron_of([1, 19], (20, 10)), neuron_of("nonsense", (20, 10))
    ((0, 19), None, None)
    """
    if not isinstance(sent, list | tuple) or len(sent) not in (2, 3) or not all(type(each) is int for each in sent):
        return None
    layer, neuron = sent[:2]
    return (layer, neuron) if 0 <= layer < len(hidden) and 0 <= neuron < hidden[layer] else None
