"""The paper's four claims and what a study says of them: ``/claims?study=<id>``."""

import streamlit as st

from abp.dashboard.frame.links import choose_study
from abp.dashboard.frame.page import page, store
from abp.dashboard.studies.claims import claims_view

with page("Claims"):
    st.title("The paper's claims", anchor=False)
    st.caption(
        "What Ganguli and Chong (2024) claim of activation-based pruning, each tested on the runs of a study. "
        "The verdicts follow from the numbers and the thresholds below; none is written by hand."
    )
    number = choose_study()
    if number is not None:
        claims_view(store(), number)
