"""All runs: open, rename, rerun with changes, delete, download."""

import streamlit as st

from abp.dashboard.frame.page import page, store
from abp.dashboard.runs.open_network import open_network
from abp.dashboard.runs.run_list import run_list

with page("Runs"):
    st.title("Runs", anchor=False)
    run_list()
    open_network(store())
