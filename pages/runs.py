"""All runs: open, rename, rerun with changes, delete, download."""

import streamlit as st

from abp.view.page import page
from abp.view.runs import run_list

with page("Runs"):
    st.title("Runs", anchor=False)
    run_list()
