"""The live view of a run: its network, numbers and curves, drawn by the browser as they come over the live channel."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from abp.dashboard.charts.colours import MUTED, TRAINING, VALIDATION
from abp.dashboard.components.scripts import GRID, script, style
from abp.store.records import Run

_HTML = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
_JS = script(
    *GRID,
    *("network_turn", "live_channel", "run_record"),
    *("curves", "run_curves", "film", "poster", "film_view", "live_network"),
)
_CSS = style("live_network")
_COLOURS = {"training": TRAINING, "validation": VALIDATION, "removed": MUTED}


def live_network(
    run: Run,
    *,
    key: str,
    brief: bool = False,
    start: Sequence[int] | None = None,
    snapshot: str = "",
    frame: bytes = b"",
) -> Any:
    """Draw a run, live while it goes on and as a film when it has ended.

    What the page shows of the run outside this view is `run`'s name, status, pace, and how it was pruned.

    Parameters
    ----------
    brief
        Only the network and a few numbers; a film plays by itself.
    start
        Incoming weights of every hidden neuron at the start, where some are removed from the start on.
    snapshot, frame
        The channel's history message, as JSON, and its newest frame, for a browser that the channel does not reach.

    Returns
    -------
    Any
        Streamlit's state of the component: ``channel`` is ``"closed"`` while this browser has to be given them, once a
        second; ``changed`` is set once when the page around the view is out of date.
    """
    data = {
        "run": run.id,
        "brief": brief,
        "base": st.get_option("server.baseUrlPath"),
        "hidden": list(run.experiment.hidden),
        "start": start,
        "colours": _COLOURS,
        "drawn": {name: getattr(run, name) for name in ("status", "name", "pace", "pruned_by_hand", "prunings")},
        "snapshot": snapshot,
        "frame": base64.b64encode(frame).decode(),  # within other data, Streamlit sends no bytes
    }
    # Declared at every drawing, which changes nothing while it is the same: a test's pages have each their own list.
    mount = st.components.v2.component("live_network", html=_HTML, css=_CSS, js=_JS)
    return mount(key=key, data=data, on_channel_change=lambda: None, on_changed_change=lambda: None)
