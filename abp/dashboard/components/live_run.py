"""A run in its live view, on whichever page: over the channel, or fed once a second where that does not get through."""

import streamlit as st

from abp.dashboard.components.live_network import live_network
from abp.dashboard.frame.page import fragment
from abp.store.records import Run
from abp.store.store import Store


def live_run(store: Store, shown: Run, *, brief: bool = False) -> None:
    """Draw a run, live or as a film; the page is drawn anew when what it shows around the view is out of date.

    Parameters
    ----------
    brief
        Only the network and a few numbers; a film plays by itself.
    """
    key = f"live-{shown.id}"
    start = _live_at_start(store, shown) if shown.parent is not None else None
    blocked = st.session_state.get(key, {}).get("channel") == "closed"

    @fragment(run_every=1.0 if blocked else None)
    def draw() -> None:
        snapshot, frame = current_state(store, shown.id) if blocked else ("", b"")
        state = live_network(shown, key=key, brief=brief, start=start, snapshot=snapshot, frame=frame)
        if state.changed or (state.channel == "closed") != blocked:
            st.rerun()

    draw()


# Imported where they are needed: the first page is drawn without PyTorch and pandas.


def _live_at_start(store: Store, run: Run) -> list[int]:
    """Incoming weights of every neuron of a run that starts under another one's mask; it shows so before it begins."""
    import torch

    from abp.network.masks import live_weights
    from abp.store.snapshots import recorded_masks

    return torch.cat(live_weights(recorded_masks(store, run, 0))).tolist()


def current_state(store: Store, number: int) -> tuple[str, bytes]:
    """What the channel would have told by now; whoever asks for it watches the run."""
    from abp.dashboard.channel.messages import encoded, frame_bytes, history

    run = store.runs.get(number)
    store.watches.mark(number)
    frame = store.frames.newest(number, run.experiment.hidden)
    snapshot = encoded(history(store, run, frame.batches if frame else 1))
    return snapshot, frame_bytes(frame) if frame else b""
