"""Let trained networks classify a sample: ``/playground?run=<id>``, and ``&beside=<id>`` for another beside it."""

import streamlit as st

from abp.dashboard.frame.page import page, store
from abp.dashboard.playground.playground import playground_view

with page("Playground"):
    st.title("Playground", anchor=False)
    playground_view(store())
