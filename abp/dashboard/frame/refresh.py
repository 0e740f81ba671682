"""Pages that follow a run: redrawn as a whole when more of it is recorded, and not in between."""

import streamlit as st

from abp.dashboard.frame.page import fragment
from abp.store.records import Run, RunUnknown
from abp.store.store import Store

_ENDED_EVERY = 5.0  # seconds between two looks whether an ended run is still there


def version(run: Run) -> tuple:
    """A value that changes whenever more weights, masks or spectra of a run are recorded; part of the caches' keys."""
    return run.prunings, run.status, run.finished


def redraw_on_change(store: Store, shown: Run) -> None:
    """Redraw the page after each pruning of a run, and when its status changes or it is deleted."""

    @fragment(run_every=1.0 if shown.active else _ENDED_EVERY)
    def watch() -> None:
        try:
            now = version(store.runs.get(shown.id))
        except RunUnknown:
            st.rerun()  # the page says so
        if now != version(shown):
            st.rerun()

    watch()
