"""Singular values before and after every pruning, ``/spectra?run=<id>``, or those of a file."""

import streamlit as st

from abp.dashboard.frame.links import choose_run
from abp.dashboard.frame.page import page, store
from abp.dashboard.networks.opened_file import opened_file
from abp.dashboard.networks.spectra import spectra_view

with page("Spectra"):
    st.title("Singular values", anchor=False)
    st.caption("How pruning changes the weight matrices: the number and the strength of their directions.")
    run = choose_run()
    if not opened_file() and run is not None:
        spectra_view(store(), run)
