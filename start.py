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
        "A neural network learns with many small units, its **neurons**; each fires for some pictures and stays silent "
        "for others. **Activation-based pruning** counts, while the network learns, how often every neuron fires, and "
        "removes what is seldom used. Here you can watch it happen, remove parts yourself, and see what is lost: often "
        "very little."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        start_button(store())
        st.caption("Five short steps: two real networks learn to read handwritten digits, here and now.")
    with st.container(horizontal=True):
        for drawing in pruning_drawings():
            st.html(drawing, width="content")
    st.caption(
        "A drawing: while a network learns, some neurons hardly ever fire (the weakest colour); they are removed."
    )
    if offers_controls():
        demo_button(store(), first=False)
    room_link()
    st.page_link("pages/train.py", label="Choose your own data and network", icon=":material/tune:")
    st.page_link("pages/runs.py", label="See all runs", icon=":material/list_alt:")
