"""Data of one's own: sent, seen, kept and deleted."""

import streamlit as st

from abp.dashboard.data.kept_data import kept_data
from abp.dashboard.data.new_data import new_data
from abp.dashboard.frame.page import page, store

with page("Data"):
    st.title("Your own data", anchor=False)
    new_data(store())
    kept_data(store())
