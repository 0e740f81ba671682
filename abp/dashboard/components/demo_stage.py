"""The guided demo's picture: a network's neurons on the house's grid, what it reads, and a few measures as bars.

The browser plays a step's frames by itself, and follows a run in training over the live channel.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from abp.dashboard.components.scripts import GRID, script, style

_HTML = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
_JS, _CSS = script(*GRID, "network_turn", "live_channel", "demo_stage"), style("demo_stage")


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
    read
        Which classes it gives the first test pictures; None where that is not known.
    """

    note: str
    glow: NDArray
    alive: NDArray
    marked: NDArray
    bars: tuple[Bar, ...]
    packed: bool = False
    read: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Digits:
    """Test pictures to be read: uint8 brightness in base64, one after the other, and the class of each."""

    name: str
    shape: tuple[int, ...]
    pixels: str
    labels: tuple[int, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Reel:
    """The frames of a step, for the browser to play.

    Attributes
    ----------
    seconds
        For which each is shown.
    complete
        Whether no more will come; otherwise the live network is shown after the last one.
    at
        Seconds of it that have been played.
    playing
        Whether it goes on by itself.
    rest
        Seconds for which its end stays before the browser asks for the next step.
    """

    frames: Sequence[Frame]
    seconds: float
    complete: bool
    at: float
    playing: bool
    rest: float


def stage(
    reel: Reel,
    *,
    run: int,
    follow: bool,
    hidden: Sequence[int],
    titles: Sequence[str],
    step: int,
    sentence: str,
    large: bool,
    digits: Digits | None,
    key: str,
) -> Any:
    """Draw a step.

    Parameters
    ----------
    follow
        Whether the run goes on, so that its live channel has something to tell.
    hidden
        Neurons of each hidden layer.
    titles, step
        Of all steps, and which of them this is, from 1.
    large
        For a projector.

    Returns
    -------
    Any
        Streamlit's state of the component: ``over`` is set once when the step has been played to its end.
    """
    data = {
        "run": run,
        "base": st.get_option("server.baseUrlPath"),
        "follow": follow,
        "hidden": list(hidden),
        "titles": list(titles),
        "step": step,
        "sentence": sentence,
        "large": large,
        "frames": [_shown(frame) for frame in reel.frames],
        "seconds": reel.seconds,
        "complete": reel.complete,
        "at": reel.at,
        "playing": reel.playing,
        "rest": reel.rest,
        "digits": None if digits is None else asdict(digits),
    }
    # Declared at every drawing, since each page of a test has its own registry; repeating it changes nothing.
    mount = st.components.v2.component("guided_demo_stage", html=_HTML, css=_CSS, js=_JS)
    return mount(key=key, data=data, on_over_change=lambda: None)


def _shown(frame: Frame) -> dict[str, Any]:
    return {
        "note": frame.note,
        "glow": np.rint(100 * frame.glow).astype(int).tolist(),
        "alive": frame.alive.astype(int).tolist(),
        "marked": frame.marked.astype(int).tolist(),
        "packed": frame.packed,
        "bars": [asdict(bar) for bar in frame.bars],
        "read": None if frame.read is None else list(frame.read),
        "alt": alt(frame),
    }


def alt(frame: Frame) -> str:
    """The picture in words."""
    alive, marked = int(frame.alive.sum()), int(frame.marked.sum())
    words = f"{frame.note}: {alive} of {len(frame.alive)} neurons are left"
    words += f", {marked} of them highlighted" if marked else ""
    mean = 100 * float(frame.glow[frame.alive].mean()) if alive else 0.0
    return f"{words}; on average they fire for {mean:.0f} % of the pictures."
