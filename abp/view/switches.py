"""Switches: neurons of a copy that a visitor has switched off, by a click in a heatmap or in a list."""

import streamlit as st

from abp.runs.trained import Trained
from abp.view.breaking import Neuron
from abp.view.charts import CLICKED


def chart_key(run: int, layer: int) -> str:
    """Key of the heatmap whose clicks switch neurons of a hidden layer (from 0)."""
    return f"switch-{run}-{layer}"


def choose_switched_off(network: Trained) -> tuple[Neuron, ...]:
    """The list of neurons that are switched off, with what was clicked since the last time; in order."""
    names = {
        f"hidden {layer + 1}, neuron {neuron + 1}": (layer, neuron)
        for layer, width in enumerate(network.sizes[1:-1])
        for neuron in range(width)
    }
    key = f"off-{network.run}"
    state = st.session_state
    chosen = {names[name] for name in state.get(key, []) if name in names}
    clicked = _clicked(network)
    if clicked:
        chosen ^= clicked
        state[f"looked-at-{network.run}"] = max(clicked)
        titles = {neuron: name for name, neuron in names.items()}
        state[key] = [titles[neuron] for neuron in sorted(chosen)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Switch all on", icon=":material/power:", disabled=not chosen):
            chosen, state[key] = set(), []
        st.multiselect(
            "Neurons switched off in yours",
            list(names),
            key=key,
            placeholder="Click neurons below, or choose them here",
            width=520,
        )
    return tuple(sorted(names[name] for name in state[key]))


def looked_at(network: Trained) -> Neuron | None:
    """The neuron that was clicked last; None if none was."""
    return st.session_state.get(f"looked-at-{network.run}")


def _clicked(network: Trained) -> set[Neuron]:
    """Neurons clicked since the last time: a click adds one to its heatmap's selection, another takes it out."""
    found: set[Neuron] = set()
    for layer, width in enumerate(network.sizes[1:-1]):
        event = st.session_state.get(chart_key(network.run, layer))
        points = event.selection.get(CLICKED, []) if event else []
        now = {int(point["neuron"]) - 1 for point in points}
        seen = f"seen-{chart_key(network.run, layer)}"
        before = st.session_state.get(seen, set())
        st.session_state[seen] = now
        found |= {(layer, neuron) for neuron in now ^ before if 0 <= neuron < width}
    return found
