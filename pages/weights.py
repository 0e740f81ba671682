"""Weights and zero patterns, neuron by neuron: ``/weights?run=<id>``, and ``&layer=1&neuron=17`` for one neuron."""

import streamlit as st

from abp.dashboard.frame.links import choose_run
from abp.dashboard.frame.page import page, store
from abp.dashboard.networks.weights import weights_view

with page("Weights"):
    st.title("Weights", anchor=False)
    st.caption("Every weight that is left in the network, and the pattern that each neuron prefers.")
    run = choose_run()
    if run is not None:
        weights_view(store(), run)
