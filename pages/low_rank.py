"""Pruning beside PCA and SVD of the same ranks: ``/low_rank?run=<id>``."""

import streamlit as st

from abp.dashboard.frame.links import choose_run
from abp.dashboard.frame.page import page, store
from abp.dashboard.networks.low_rank import low_rank_view

with page("Low rank"):
    st.title("Low rank", anchor=False)
    st.caption(
        "Pruning may lower the ranks of layers; here you see whether reducing a dense network to the same ranks "
        "does as well."
    )
    run = choose_run()
    if run is not None:
        low_rank_view(store(), run)
