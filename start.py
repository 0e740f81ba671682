"""The first page: what activation-based pruning is, and a demo at one click."""

import streamlit as st

from abp.dashboard.demo.presets import demo_button, start_button
from abp.dashboard.demo.start_drawing import pruning_drawings
from abp.dashboard.frame.access import offers_controls
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
        st.caption("Five short steps, in which two real networks learn to read handwritten digits, here and now.")
    with st.container(horizontal=True):
        for drawing in pruning_drawings():
            st.html(drawing, width="content")
    st.caption("Illustration: some neurons of a network hardly ever fire (the weakest colour) and are removed.")
    if offers_controls():
        demo_button(store(), first=False)
    room_link()
    st.page_link("pages/train.py", label="Choose your own data and network", icon=":material/tune:")
    st.page_link("pages/runs.py", label="Show all runs", icon=":material/list_alt:")
