"""The paper's four claims and what a study says about them: ``/claims?study=<id>``."""

import streamlit as st

from abp.dashboard.frame.links import choose_study
from abp.dashboard.frame.page import page, store
from abp.dashboard.studies.claims import claims_view

with page("Claims"):
    st.title("The paper's claims", anchor=False)
    st.caption("The claims of Ganguli and Chong (2024) about activation-based pruning, tested on the runs of a study.")
    number = choose_study()
    if number is not None:
        claims_view(store(), number)
