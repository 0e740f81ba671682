"""The demo: a real run on the digits that ship with scikit-learn, slowed down for watching."""

import streamlit as st

from abp.pruning.experiment import Experiment
from abp.view.page import store

DEMO = Experiment(dataset="digits", criterion="activation-neuron", amount=0.8, prunings=5)
DEMO_PACE = 2.0  # epochs a second; unpaced it would be over in a second


def demo_button() -> None:
    """A button that starts the demo run and opens its page."""
    if st.button("Start a demo run", type="primary", icon=":material/play_arrow:"):
        number = store().add_run(DEMO, name="Demo: neurons that seldom fire", pace=DEMO_PACE)
        st.switch_page("pages/train.py", query_params={"run": str(number)})
