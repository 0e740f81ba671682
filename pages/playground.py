"""Let trained networks classify a picture: ``/playground?run=<id>``, and ``&beside=<id>`` for another beside it."""

import streamlit as st

from abp.dashboard.demo.presets import demo_button
from abp.dashboard.frame.links import choose_run
from abp.dashboard.frame.page import page, store
from abp.dashboard.playground.playground import playground_view

with page("Playground"):
    st.title("Playground", anchor=False)
    st.caption("Draw a picture and watch, neuron by neuron, how a trained network classifies it.")
    play = st.container()  # above the choices: a visitor's phone shows the pad first
    left, right = st.columns(2)
    with left:
        run = choose_run()
    if run is None:
        demo_button(store())
    else:
        playground_view(store(), run, play, right)
