"""Disabled neurons: those of the copy that a visitor has switched off, by clicking them or in a list."""

import streamlit as st

from abp.dashboard.components.network_flow import Neuron
from abp.runs.damage import TrainedNetwork


def disabled(trained: TrainedNetwork) -> tuple[Neuron, ...]:
    """The neurons that are switched off, in order; none that this network does not have."""
    names, state, key = _names(trained), st.session_state, _key(trained)
    state[key] = [name for name in state.get(key, []) if name in names]
    return tuple(sorted(names[name] for name in state[key]))


def choose_disabled(trained: TrainedNetwork) -> None:
    """The list of neurons that are switched off, for those who do not point at them."""
    key, state = _key(trained), st.session_state

    def switch_all_on() -> None:
        state[key] = []

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.multiselect(
            "Neurons switched off in your copy",
            list(_names(trained)),
            key=key,
            placeholder="Tap neurons above, or choose them here",
            width=420,
        )
        st.button("Switch all on", icon=":material/power:", disabled=not state[key], on_click=switch_all_on)


def _names(trained: TrainedNetwork) -> dict[str, Neuron]:
    return {
        _name((layer, neuron)): (layer, neuron)
        for layer, width in enumerate(trained.run.experiment.hidden)
        for neuron in range(width)
    }


def switch(trained: TrainedNetwork, neuron: Neuron) -> None:
    """Switch a neuron off, or on again, before the page is drawn."""
    key, state = _key(trained), st.session_state
    name, off = _name(neuron), state.get(key, [])
    state[key] = [other for other in off if other != name] if name in off else [*off, name]


def _name(neuron: Neuron) -> str:
    return f"hidden {neuron[0] + 1}, neuron {neuron[1] + 1}"


def _key(trained: TrainedNetwork) -> str:
    return f"off-{trained.run.id}"
