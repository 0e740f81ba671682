"""The dashboard (``abp dashboard``, ``make run``): Streamlit serves the pages, and we the rest."""

import runpy
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from abp.dashboard import server

START = Path(__file__).with_name("start.py")

app = st.App(START, routes=server.routes(), lifespan=server.lifespan)

if get_script_run_ctx(suppress_warning=True) is not None:  # drawn as a page, as Streamlit's own AppTest does
    runpy.run_path(str(START))
