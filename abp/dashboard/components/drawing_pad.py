"""The drawing pad, for mouse, finger, pen or keyboard; it sends its picture whenever a stroke ends."""

import base64
import binascii
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

_SENT = 112  # pixels of the picture's sides, as in drawing_pad.js
_LONGEST = 500_000  # characters of a picture and its strokes

_HTML = """
<div class="pad">
  <canvas tabindex="0" role="application" aria-label="Drawing pad" aria-describedby="how"></canvas>
  <div class="buttons">
    <button type="button">Undo stroke</button>
    <button type="button">Clear</button>
  </div>
  <p id="how"><span class="keys">Arrow keys move the pen, Space lowers or lifts it, Escape clears the pad.</span></p>
  <span class="spoken" aria-live="polite"></span>
</div>
"""
_CSS, _JS = (Path(__file__).with_name(f"drawing_pad.{kind}").read_text() for kind in ("css", "js"))


def drawing_pad(key: str) -> NDArray[np.uint8] | None:
    """Show the pad, and return what is drawn on it: bright ink on black, ``[112, 112]``; None while it is empty.

    What was drawn stays when the pad is away for a while, since another source of pictures was chosen, or another page.
    """
    kept = f"{key}-kept"
    # Declared at every drawing, since each page of a test has its own registry; repeating it changes nothing.
    mount = st.components.v2.component("drawing_pad", html=_HTML, css=_CSS, js=_JS)
    before = st.session_state.get(kept, "")
    sent = mount(key=key, data={"strokes": before.partition("|")[2]}, on_ink_change=lambda: None).ink
    if isinstance(sent, str) and len(sent) < _LONGEST:
        st.session_state[kept] = before = sent
    return ink_of(before.partition("|")[0])


def ink_of(sent: object) -> NDArray[np.uint8] | None:
    """The picture that a browser sent; None for anything that is not a picture.

    >>> ink_of("nonsense") is None
    True
    """
    if not isinstance(sent, str) or len(sent) != 4 * -(-_SENT * _SENT // 3):
        return None
    try:
        pixels = base64.b64decode(sent, validate=True)
    except (binascii.Error, ValueError):
        return None
    return np.frombuffer(pixels, dtype=np.uint8).reshape(_SENT, _SENT) if len(pixels) == _SENT * _SENT else None
