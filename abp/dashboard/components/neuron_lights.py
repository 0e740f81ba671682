"""The lights: every hidden neuron of a network as a cell, as bright as its answer to one picture."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from abp.dashboard.components.scripts import GRID, script, style

Neuron = tuple[int, int]
"""Hidden layer and neuron, both from 0."""

_WIDEST = 325  # pixels of the widest layer: what a phone can show

_HTML = '<div class="frame"><div class="lights"></div><div class="tip" aria-live="polite" hidden></div></div>'
_JS, _CSS = script(*GRID, "neuron_lights"), style("neuron_lights")


def neuron_lights(
    masks: Sequence[Tensor],
    outputs: Sequence[NDArray],
    strongest: Sequence[float],
    *,
    title: str,
    key: str,
    pointed: Callable[[Neuron], None],
    clicked: Callable[[Neuron], None] | None = None,
) -> None:
    """Draw one canvas for each hidden layer.

    Parameters
    ----------
    masks
        Which weights are kept, bool ``[neurons, inputs]`` per hidden layer.
    outputs
        Of each hidden layer, ``[neurons]``.
    strongest
        The output of each hidden layer that is drawn brightest.
    title
        Of the network, for those who cannot see it.
    pointed, clicked
        Called before the page is drawn anew when a mouse rests on a neuron, and when one is clicked, tapped or chosen
        by keys; without `clicked`, that is pointing too.
    """

    def told(what: str, then: Callable[[Neuron], None] | None) -> None:
        neuron = neuron_of(st.session_state[key].get(what), hidden)
        if neuron is not None and then is not None:
            then(neuron)

    hidden = [len(mask) for mask in masks]
    cell = cell_size(hidden)
    data = {
        "title": title,
        "cell": cell,
        "switches": clicked is not None,
        "layers": [
            {
                "name": f"Hidden {index + 1}",
                "columns": layer_columns(width, cell),
                "outputs": np.round(outputs[index].astype(float), 4).tolist(),
                "strongest": strongest[index],
                "live": masks[index].sum(dim=1).tolist(),
            }
            for index, width in enumerate(hidden)
        ],
    }
    # Declared at every drawing, which changes nothing while it is the same: a test's pages have each their own list.
    mount = st.components.v2.component("neuron_lights", html=_HTML, css=_CSS, js=_JS)
    mount(
        key=key,
        data=data,
        on_pointed_change=lambda: told("pointed", pointed),
        on_clicked_change=lambda: told("clicked", clicked),
    )


def layer_columns(neurons: int, cell: int) -> int:
    """Columns in which a layer of so many neurons is laid out: a block about ten rows high, no wider than a phone."""
    return max(1, min(_WIDEST // cell, math.ceil(neurons / 10)))


def cell_size(hidden: Sequence[int]) -> int:
    """Pixels of a neuron's cell, the same for all layers of a network."""
    widest = max(hidden)
    return 13 if widest <= 400 else 8 if widest <= 1200 else 5


def neuron_of(sent: object, hidden: Sequence[int]) -> Neuron | None:
    """The neuron in what a browser sent; None if that is not one of these layers', whatever it is.

    >>> neuron_of([0, 19], (20, 10)), neuron_of([1, 19], (20, 10)), neuron_of("nonsense", (20, 10))
    ((0, 19), None, None)
    """
    if not isinstance(sent, list | tuple) or len(sent) != 2 or not all(type(number) is int for number in sent):
        return None
    layer, neuron = sent
    return (layer, neuron) if 0 <= layer < len(hidden) and 0 <= neuron < hidden[layer] else None
