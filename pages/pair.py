"""Two runs side by side: ``/pair?run=<id>&other=<id>``."""

import streamlit as st

from abp.dashboard.frame.links import run_from_link
from abp.dashboard.frame.page import page, store
from abp.dashboard.networks.pair import pair_view

with page("Side by side"):
    st.title("Two runs", anchor=False)
    st.caption("What two runs have in common, and what sets them apart.")
    numbers = [run_from_link("run"), run_from_link("other")]
    if None in numbers:
        st.info("Select two runs in the list of runs, or two rows on Compare.", icon=":material/info:")
        st.page_link("pages/runs.py", label="Runs", icon=":material/list_alt:")
    else:
        pair_view(store(), *(store().runs.get(number) for number in numbers if number is not None))
