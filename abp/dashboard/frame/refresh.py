"""Pages that follow a run: redrawn as a whole when more of it is recorded, and not in between."""

import streamlit as st

from abp.dashboard.frame.page import fragment
from abp.store.records import Run
from abp.store.store import Store


def version(run: Run) -> tuple:
    """A value that changes whenever more weights, masks or spectra of a run are recorded; part of the caches' keys."""
    return run.prunings, run.status, run.finished


def redraw_on_change(store: Store, shown: Run) -> None:
    """Redraw the page after each pruning of a run and when its status changes."""

    @fragment(run_every=1.0 if shown.active else None)
    def watch() -> None:
        if version(store.runs.get(shown.id)) != version(shown):
            st.rerun()

    watch()


def follow_newest(options: list, key: str) -> None:
    """Keep the widget with this `key` at the newest of its options; to be called before it is drawn.

    Once a person has chosen another option, the widget stays there, however many are added.
    """
    state, newest = st.session_state, f"{key}-newest"
    chosen = state.get(key)
    state[key] = options[-1] if chosen not in options or chosen == state.get(newest) else chosen
    state[newest] = options[-1]
