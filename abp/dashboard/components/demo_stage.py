"""The guided demo's picture: a network whose neurons light up, disappear and move together, drawn by the browser.

An SVG of its own instead of a chart, since it has to fill a projector and fit a phone, and since what changes from one
frame to the next moves there by itself (CSS transitions).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from abp.dashboard.components.scripts import script, style

_HTML = """
<div class="stage">
  <ol class="steps"></ol>
  <p class="sentence" aria-live="polite"></p>
  <svg role="img" preserveAspectRatio="xMidYMid meet"></svg>
  <div class="under"><span class="note"></span>
    <span><span>fires for no picture</span> <span class="scale"></span> <span>for all</span></span></div>
  <div class="bars"></div>
</div>
"""

_component = st.components.v2.component(
    "guided_demo_stage", html=_HTML, css=style("demo_stage"), js=script("demo_stage")
)


@dataclass(frozen=True)
class Bar:
    """A measure as a bar: `share` of the full width, from 0 to 1, or None while it is not known."""

    label: str
    share: float | None
    text: str
    colour: str


@dataclass(frozen=True)
class Frame:
    """One picture of the network.

    Attributes
    ----------
    note
        When in the run it is, in words.
    glow
        Share of pictures for which each hidden neuron fires, ``[neurons]`` of all layers joined, 0 to 1.
    alive
        Whether it is still there, bool ``[neurons]``.
    marked
        Whether it is pointed out, bool ``[neurons]``.
    bars
        Measures below the picture; as many in every frame of a scene.
    packed
        Whether what is left is drawn close together.
    """

    note: str
    glow: NDArray
    alive: NDArray
    marked: NDArray
    bars: tuple[Bar, ...]
    packed: bool = False


def stage(
    frame: Frame, *, hidden: Sequence[int], titles: Sequence[str], step: int, sentence: str, large: bool, key: str
) -> None:
    """Draw one frame with its text.

    Parameters
    ----------
    hidden
        Neurons of each hidden layer.
    titles, step
        Of all steps, and which of them this is, from 1.
    large
        For a projector.
    """
    data = {
        "hidden": list(hidden),
        "titles": list(titles),
        "step": step,
        "sentence": sentence,
        "large": large,
        "note": frame.note,
        "glow": np.rint(100 * frame.glow).astype(int).tolist(),
        "alive": frame.alive.astype(int).tolist(),
        "marked": frame.marked.astype(int).tolist(),
        "packed": frame.packed,
        "bars": [
            {"label": bar.label, "share": bar.share, "text": bar.text, "colour": bar.colour} for bar in frame.bars
        ],
        "alt": alt(frame),
    }
    _component(data=data, key=key)


def alt(frame: Frame) -> str:
    """The picture in words."""
    alive, marked = int(frame.alive.sum()), int(frame.marked.sum())
    words = f"{frame.note}: {alive} of {len(frame.alive)} neurons are left"
    words += f", {marked} of them highlighted" if marked else ""
    mean = 100 * float(frame.glow[frame.alive].mean()) if alive else 0.0
    return f"{words}; on average they fire for {mean:.0f} % of the pictures."
