"""All runs, or those of a study: ``/runs``, ``/runs?study=<id>``: open, compare, rename, rerun, delete, download."""

import streamlit as st

from abp.dashboard.demo.presets import DEMO, GUIDED, GUIDED_AT_RANDOM
from abp.dashboard.frame.page import page, store
from abp.dashboard.runs.open_network import open_network
from abp.dashboard.runs.run_list import run_list

with page("Runs"):
    st.title("Runs", anchor=False)
    run_list(demos=(DEMO, GUIDED, GUIDED_AT_RANDOM))
    open_network(store())
