"""One run: its state, its controls, its network as it learns, and links to what can be done next."""

import streamlit as st
import torch

from abp.dashboard.channel.messages import encoded, frame_bytes, history
from abp.dashboard.components.live_network import live_network
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import fragment
from abp.dashboard.frame.status import STATUS
from abp.dashboard.train.controls import controls
from abp.network.masks import live_weights
from abp.store.records import Run
from abp.store.snapshots import recorded_masks
from abp.store.store import Store


def watch(store: Store, number: int) -> None:
    """Draw the page of a run."""
    run = store.runs.get(number)
    _heading(run)
    controls(store, run)
    _live(store, run)
    _next_links(run)


def _heading(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(literal(run.name), anchor=False, width="content")
        word, icon, colour = STATUS[run.status]
        st.badge(word, icon=icon, color=colour)
        if not run.active:
            st.caption(f"{run.epoch} of {run.experiment.epochs} epochs", width="content")
        if run.experiment.nuclear and run.seconds:
            share = run.regulariser_seconds / run.seconds
            st.caption(f"Regulariser: {100 * share:.0f} % of the time", width="content")
        if run.pruned_by_hand:
            st.badge("Pruned by hand", icon=":material/content_cut:", color="violet")
        if run.parent is not None:
            st.badge(f"Run {run.parent}, {run.origin}", icon=":material/fast_forward:", color="gray")


def _live(store: Store, shown: Run) -> None:
    """The live view, which draws by itself; fed once a second where the channel does not reach the browser."""
    key = f"live-{shown.id}"
    start = None
    if shown.parent is not None:  # it starts with that run's mask, and shows so before its first frame
        start = torch.cat(live_weights(recorded_masks(store, shown, 0))).tolist()
    blocked = st.session_state.get(key, {}).get("channel") == "closed"

    @fragment(run_every=1.0 if blocked else None)
    def draw() -> None:
        snapshot, frame = current_state(store, shown.id) if blocked else ("", b"")
        state = live_network(shown, key=key, start=start, snapshot=snapshot, frame=frame)
        if state.changed or (state.channel == "closed") != blocked:
            st.rerun()

    draw()


def current_state(store: Store, number: int) -> tuple[str, bytes]:
    """What the channel would have sent by now."""
    run = store.runs.get(number)
    frame = store.frames.newest(number, run.experiment.hidden)
    snapshot = encoded(history(store, run, frame.batches if frame else 1))
    return snapshot, frame_bytes(frame) if frame else b""


def _next_links(run: Run) -> None:
    with st.container(horizontal=True):
        st.page_link("pages/train.py", label="New run", icon=":material/add:")
        st.page_link(
            "pages/train.py", label="Rerun with changes", icon=":material/replay:", query_params={"from": str(run.id)}
        )
        if run.has_weights:
            st.page_link(
                "pages/train.py",
                label="Continue",
                icon=":material/fast_forward:",
                query_params={"continue": str(run.id)},
            )
        st.page_link("pages/runs.py", label="All runs", icon=":material/list_alt:")
