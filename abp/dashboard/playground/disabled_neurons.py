"""Disabled neurons: those of the copy that a visitor has switched off, by clicking them or in a list."""

import streamlit as st

from abp.dashboard.components.neuron_lights import Neuron
from abp.runs.damage import TrainedNetwork


def choose_disabled(trained: TrainedNetwork) -> tuple[Neuron, ...]:
    """The list of neurons that are switched off, in order."""
    names = {
        _name((layer, neuron)): (layer, neuron)
        for layer, width in enumerate(trained.run.experiment.hidden)
        for neuron in range(width)
    }
    key, state = _key(trained), st.session_state
    state[key] = [name for name in state.get(key, []) if name in names]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Switch all on", icon=":material/power:", disabled=not state[key]):
            state[key] = []
        st.multiselect(
            "Neurons switched off in your copy",
            list(names),
            key=key,
            placeholder="Click neurons below, or choose them here",
            width=520,
        )
    return tuple(sorted(names[name] for name in state[key]))


def switch(trained: TrainedNetwork, neuron: Neuron) -> None:
    """Switch a neuron off, or on again, before the page is drawn."""
    key, state = _key(trained), st.session_state
    name, off = _name(neuron), state.get(key, [])
    state[key] = [other for other in off if other != name] if name in off else [*off, name]


def _name(neuron: Neuron) -> str:
    return f"hidden {neuron[0] + 1}, neuron {neuron[1] + 1}"


def _key(trained: TrainedNetwork) -> str:
    return f"off-{trained.run.id}"
