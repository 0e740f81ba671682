"""All runs: open, rename, rerun with changes, delete, download."""

import streamlit as st

from abp.dashboard.frame.page import page
from abp.dashboard.runs.run_list import run_list

with page("Runs"):
    st.title("Runs", anchor=False)
    run_list()
