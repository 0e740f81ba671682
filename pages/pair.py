"""Two runs side by side: ``/pair?run=<id>&other=<id>``."""

import streamlit as st

from abp.dashboard.frame.links import choose_two_runs
from abp.dashboard.frame.page import page, store
from abp.dashboard.networks.pair import pair_view

with page("Side by side"):
    st.title("Two runs", anchor=False)
    st.caption("What two runs have in common, and what sets them apart.")
    runs = choose_two_runs()
    if runs is not None:
        pair_view(store(), *runs)
