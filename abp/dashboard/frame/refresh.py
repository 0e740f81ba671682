"""Following a run on a page that is drawn as a whole: drawn again when there is more to see, never in between."""

import streamlit as st

from abp.dashboard.frame.page import fragment
from abp.store.records import Run
from abp.store.store import Store


def version(run: Run) -> tuple:
    """What of a run changes when more weights, masks or spectra of it are recorded; a part of caches' keys."""
    return run.prunings, run.status, run.finished


def follow(store: Store, shown: Run) -> None:
    """Draw the page again after each pruning of a run, and when its status changes."""

    @fragment(run_every=1.0 if shown.active else None)
    def watch() -> None:
        if version(store.runs.get(shown.id)) != version(shown):
            st.rerun()

    watch()


def newest_first_choice(options: list, key: str) -> None:
    """Before a widget of this `key` is drawn: let it stand at the newest of its options, as long as it stood there.

    A choice of anything else stays, however many options are added.
    """
    state, newest = st.session_state, f"{key}-newest"
    chosen = state.get(key)
    state[key] = options[-1] if chosen not in options or chosen == state.get(newest) else chosen
    state[newest] = options[-1]
