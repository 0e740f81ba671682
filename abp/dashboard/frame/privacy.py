"""Private data: their samples are for the operator alone, on every page and in every file."""

import streamlit as st

from abp.dashboard.frame.access import operating
from abp.data.datasets import DATASETS


def may_show_samples(dataset: str) -> bool:
    """Whether the samples of a data set may be shown to this browser; says so in their place if not."""
    if not DATASETS[dataset].private or operating():
        return True
    st.caption(":material/lock: These data are private: their samples are shown to the operator alone.")
    return False
