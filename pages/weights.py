"""Weights and zero patterns, neuron by neuron: ``/weights?run=<id>``, and ``&layer=1&neuron=17`` for one neuron."""

import streamlit as st

from abp.dashboard.frame.links import choose_run
from abp.dashboard.frame.page import page, store
from abp.dashboard.networks.weights import weights_view

with page("Weights"):
    st.title("Weights", anchor=False)
    st.caption("What is left of the network: every weight as a picture, and what each neuron looks for.")
    run = choose_run()
    if run is not None:
        weights_view(store(), run)
