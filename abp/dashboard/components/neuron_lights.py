"""The neurons of a network as cells, each coloured by its output for one picture."""

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
        Outputs of each hidden layer, ``[neurons]``.
    strongest
        The output that has the strongest colour, for each hidden layer.
    title
        Name of the network, for people who cannot see it.
    pointed, clicked
        Called before the page is redrawn: the one when the mouse rests on a neuron, the other when a neuron is clicked,
        tapped or chosen by keys. Without `clicked`, that counts as pointing.
    """

    def notify(event: str, then: Callable[[Neuron], None] | None) -> None:
        neuron = neuron_of(st.session_state[key].get(event), hidden)
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
    # Declared at every drawing, since each page of a test has its own registry; repeating it changes nothing.
    mount = st.components.v2.component("neuron_lights", html=_HTML, css=_CSS, js=_JS)
    mount(
        key=key,
        data=data,
        on_pointed_change=lambda: notify("pointed", pointed),
        on_clicked_change=lambda: notify("clicked", clicked),
    )


def layer_columns(neurons: int, cell: int) -> int:
    """Columns in which a layer of this many neurons is laid out: a block about ten rows high, no wider than a phone."""
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
