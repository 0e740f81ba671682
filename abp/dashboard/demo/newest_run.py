"""What moves on the first page: the newest run, live or as a film; a drawing while there is none."""

import streamlit as st

from abp.dashboard.components.live_run import live_run
from abp.dashboard.demo.start_drawing import pruning_drawings
from abp.dashboard.frame.access import offers_controls
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.status import STATUS
from abp.store.records import Run
from abp.store.store import Store

_RECENT = 200  # runs among which one is looked for that has begun


def newest_run(store: Store) -> None:
    """Draw the newest run there is something to see of."""
    offers_controls()
    run = next((run for run in store.runs.readable(limit=_RECENT) if run.active or run.epoch), None)
    if run is None:
        _drawing()
    else:
        _heading(run)
        live_run(store, run, brief=True)


def _heading(run: Run) -> None:
    word, icon, colour = STATUS[run.status]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.page_link(
            "pages/train.py",
            label=f"Newest run: {literal(run.name)}",
            icon=":material/play_circle:",
            query_params={"run": str(run.id)},
            width="content",
        )
        st.badge(word, icon=icon, color=colour)


def _drawing() -> None:
    with st.container(horizontal=True):
        for drawing in pruning_drawings():
            st.html(drawing, width="content")
    st.caption("Illustration: some neurons of a network hardly ever fire (the weakest colour) and are removed.")
