"""A slider for a share in per cent that tells its place while it is dragged, not only when it is let go."""

import streamlit as st

from abp.dashboard.components.scripts import script, style

MOST = 99

_HTML = """
<div class="share">
  <label for="range">Share</label>
  <output for="range"></output>
  <input id="range" type="range" min="0" step="1">
</div>
"""
_JS, _CSS = script("share_slider"), style("share_slider")


def share_slider(label: str, *, key: str) -> tuple[int, bool]:
    """Show the slider; per cent, 0 to `MOST`, and whether it rests there instead of being dragged on.

    The browser waits for the page's answer to one place before it tells the next, so that however fast the hand, every
    answer is seen.
    """
    shown, moving = place_of(st.session_state.get(key, {}).get("place"))
    # Declared at every drawing, since each page of a test has its own registry; repeating it changes nothing.
    mount = st.components.v2.component("share_slider", html=_HTML, css=_CSS, js=_JS)
    data = {"label": label, "most": MOST, "seen": shown, "moving": moving}
    shown, moving = place_of(mount(key=key, data=data, on_place_change=lambda: None).place)
    return shown, not moving


def place_of(sent: object) -> tuple[int, bool]:
    """Per cent, and whether it is still moving, in what a browser sent; none removed for whatever else it is.

    >>> place_of([40, True]), place_of("nonsense"), place_of([1000, False])
    ((40, True), (0, False), (0, False))
    """
    if not isinstance(sent, list | tuple) or len(sent) != 2 or type(sent[0]) is not int or type(sent[1]) is not bool:
        return 0, False
    return (sent[0], sent[1]) if 0 <= sent[0] <= MOST else (0, False)
