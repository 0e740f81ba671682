"""Criteria over seeds, side by side: ``/compare?study=<id>``."""

import streamlit as st

from abp.dashboard.frame.links import choose_study
from abp.dashboard.frame.page import page, store
from abp.dashboard.studies.compare import compare_view
from abp.dashboard.studies.form import study_form

with page("Compare"):
    st.title("Compare", anchor=False)
    st.caption(
        "Accuracy varies by chance too, so a study repeats every method with several seeds (other random "
        "starting weights)."
    )
    study_form(store())
    number = choose_study()
    if number is not None:
        compare_view(store(), number)
