"""The first page: what activation-based pruning is, and a demo at one click."""

import streamlit as st

from abp.dashboard.demo.newest_run import newest_run
from abp.dashboard.demo.presets import demo_button, start_button
from abp.dashboard.frame.page import page, store
from abp.dashboard.frame.room import room_link

with page("Start"):
    st.title("Which neurons does a network need?", anchor=False)
    st.markdown(
        "A neural network learns with many small units, its **neurons**; each fires for some pictures and stays "
        "silent for others. **Activation-based pruning** counts how often every neuron fires during training and "
        "removes what is seldom used. Here you can watch this happen, remove parts yourself, and see what is lost: "
        "often very little."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        start_button(store())
        demo_button(store(), first=False)
        st.page_link("pages/train.py", label="Choose your own data and network", icon=":material/tune:")
        st.page_link("pages/runs.py", label="Show all runs", icon=":material/list_alt:")
    newest_run(store())
    room_link()
