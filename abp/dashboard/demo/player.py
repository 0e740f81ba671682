"""The player of the guided demo: ``/demo?run=<id>&beside=<id>&step=<1 to 5>``, and ``&present=1`` for a projector.

What it shows depends only on the store and on how long it has played; the runs never wait for it.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from abp.dashboard.charts.widgets import csv_file
from abp.dashboard.components.demo_stage import Reel, stage
from abp.dashboard.demo.digits import digits_to_read
from abp.dashboard.demo.presets import recent_guided, start_button, start_guided
from abp.dashboard.demo.story import MOST_NEURONS, TITLES, Recording, Scene, comparable, read_recording, scenes
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.links import number_or_warning, run_from_link
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import fragment, presenting
from abp.dashboard.frame.status import STATUS
from abp.store.records import Run, RunUnknown, Status
from abp.store.store import Store

TICK = 1.0
"""Seconds between two looks at runs in training; between them the browser plays, and follows the live channel."""

_READ = 4.0  # seconds for which the last frame of a step stays
_REST = 12.0  # the same for the last step, before it starts again in presenter mode

_FOLDER = Path(__file__).parent


@dataclass
class Clock:
    """The position of one browser in a demo: the step, and the seconds of it that have been played."""

    runs: tuple[int, int | None]
    step: int
    played: float = 0.0
    since: float | None = None  # when it last started to play (monotonic); None while it is paused
    stays: bool = False  # at the end of this step, because a person goes step by step
    ended: bool = False
    live: bool = False  # it has caught up with the run, and the browser shows the network as it is now

    @property
    def playing(self) -> bool:
        """Whether it moves."""
        return self.since is not None

    @property
    def seconds(self) -> float:
        """Seconds played of this step."""
        return self.played + (time.monotonic() - self.since if self.since is not None else 0.0)

    def set(self, seconds: float) -> None:
        """Move to this many seconds of the step."""
        self.played = seconds
        self.since = None if self.since is None else time.monotonic()

    def play(self) -> None:
        """Continue; from the start, if it has ended."""
        if self.ended:
            self.go(1)
        self.stays, self.ended = False, False
        self.since = time.monotonic() if self.since is None else self.since

    def hold(self) -> None:
        """Pause."""
        self.played, self.since, self.live = self.seconds, None, False

    def go(self, step: int) -> None:
        """Play a step from its beginning, and pause at its end if it was paused; the link changes too."""
        self.step = min(max(step, 1), len(TITLES))
        self.stays, self.ended, self.live = self.stays or not self.playing, False, False
        self.played, self.since = 0.0, time.monotonic()
        st.query_params["step"] = str(self.step)


def guided_demo(store: Store) -> None:
    """The demo of the link's runs, or a page that offers to start one; in presenter mode it starts by itself."""
    present = presenting()
    for name in ("player", "presenter") if present else ("player",):
        st.html(_FOLDER / f"{name}.css")
    number = run_from_link()
    if number is None:
        if present:
            _open(*(recent_guided(store) or start_guided(store)))
        _welcome(store)
        return
    try:
        run, beside = store.runs.get(number), _beside(store)
    except RunUnknown as error:
        st.warning(
            f"{literal(str(error))} A demo can be shown only while its runs exist.", icon=":material/search_off:"
        )
        if operating() and st.button("Start a new demo", type="primary", icon=":material/play_arrow:"):
            _open(*start_guided(store))
        _ways_out(present)
        return
    if sum(run.experiment.hidden) > MOST_NEURONS:
        st.warning(
            f"Run {number} has {sum(run.experiment.hidden):,} neurons; the demo shows networks of up to "
            f"{MOST_NEURONS:,}, neuron by neuron. The Train page shows larger ones.",
            icon=":material/zoom_out_map:",
        )
        st.page_link("pages/train.py", label="Watch this run", icon=":material/play_circle:", query_params=_of(run))
        return
    _play(store, run, beside, present=present)


def _open(run: int, beside: int) -> None:
    """Show these runs from the start; the page is redrawn."""
    st.query_params.from_dict({"run": str(run), "beside": str(beside), **_present()})
    st.session_state.pop("demo", None)
    st.rerun()


def _present() -> dict[str, str]:
    return {"present": "1"} if presenting() else {}


def _of(run: Run) -> dict[str, str]:
    return {"run": str(run.id)}


def _welcome(store: Store) -> None:
    st.title("A network in a minute", anchor=False)
    st.markdown(
        "Watch a network learn to read handwritten digits, lose the neurons that it hardly uses, and go on learning: "
        "five short steps, with two real networks trained here and now."
    )
    start_button(store)
    link = {"present": "1"}
    st.page_link(
        "pages/demo.py", label="Presenter mode, for a projector", icon=":material/slideshow:", query_params=link
    )


def _beside(store: Store) -> Run | None:
    """The run of ``?beside=``; None if there is none or it was deleted: the demo does without it."""
    number = run_from_link("beside")
    try:
        return None if number is None else store.runs.get(number)
    except RunUnknown:
        return None


def _play(store: Store, run: Run, beside: Run | None, *, present: bool) -> None:
    if not present:
        st.title("A network in a minute", anchor=False)
    clock = _clock(run, beside)
    _problems(run, beside)
    # The buttons come first, where they are on every screen; below the picture where it fills a projector.
    place = st.container() if present else None
    with st.container(horizontal=True, vertical_alignment="center"):
        _controls(clock)
        if clock.step == len(TITLES) and run.has_weights:
            _draw_one_yourself(run)
    place = place or st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        _more(store, run, present=present)

    in_training = run.active or (beside is not None and beside.active)

    @fragment(run_every=TICK if in_training else None)
    def draw() -> None:
        try:
            now, other = _recorded(store, run.id), None if beside is None else _recorded(store, beside.id)
        except RunUnknown:
            st.rerun()  # the page says that it was deleted
        if _standing(now.run) != _standing(run) or (beside and other and _standing(other.run) != _standing(beside)):
            st.rerun()
        other = other if other is not None and comparable(now.run, other.run) else None
        shown = scenes(now, other)
        scene = shown[clock.step - 1]
        stage(
            _reel(clock, scene, shown, present=present),
            run=run.id,
            follow=now.run.active,
            hidden=now.run.experiment.hidden,
            titles=TITLES,
            step=clock.step,
            sentence=scene.sentence if scene else _waiting(now),
            large=present,
            digits=digits_to_read(now.run.experiment.dataset),
            key="stage",
        )

    with place:
        draw()


def _clock(run: Run, beside: Run | None) -> Clock:
    """This browser's clock, at the step of the link."""
    runs = (run.id, beside.id if beside else None)
    step = number_or_warning("step", len(TITLES), "step of this demo", "The first step is shown.") or 1
    clock = st.session_state.get("demo")
    if clock is None or clock.runs != runs:
        clock = st.session_state["demo"] = Clock(runs, step, since=time.monotonic())
    elif clock.step != step:  # by the browser's Back, or by hand
        clock.step, clock.live = step, False
        clock.set(0.0)
    return clock


def _reel(clock: Clock, scene: Scene | None, shown: tuple[Scene | None, ...], *, present: bool) -> Reel:
    """What the browser plays; moves on to the next step when its time has come."""
    if scene is None:
        clock.set(0.0)
        newest = next(scene.frames[-1] for scene in reversed(shown) if scene is not None)
        return Reel((newest,), 1.0, complete=False, at=0.0, playing=clock.playing, rest=0.0)
    last = clock.step == len(TITLES)
    end, rest = len(scene.frames) * scene.seconds, _REST if last and present else _READ
    if clock.live or (not scene.complete and clock.seconds > end - scene.seconds):
        clock.set(end - scene.seconds)  # wait for the run
        clock.live = clock.playing and not scene.complete
    elif clock.playing and clock.seconds > end + rest:
        if clock.stays or (last and not present):
            clock.hold()
            clock.ended = last
        else:
            clock.go(1 if last else clock.step + 1)
        st.rerun()
    return Reel(scene.frames, scene.seconds, scene.complete, clock.seconds, clock.playing, rest)


def _controls(clock: Clock) -> None:
    """The buttons, which keep their places whatever happens."""
    last = len(TITLES)
    if st.button("Back", icon=":material/skip_previous:", shortcut="Left", disabled=clock.step == 1):
        clock.go(clock.step - 1)
        st.rerun()
    if st.button("Pause", icon=":material/pause:", shortcut="P", disabled=not clock.playing, help=_HOLDS):
        clock.hold()
        st.rerun()
    if st.button("Play", icon=":material/play_arrow:", shortcut="G", disabled=clock.playing):
        clock.play()
        st.rerun()
    if st.button("Next", icon=":material/skip_next:", shortcut="Right", disabled=clock.step == last):
        clock.go(clock.step + 1)
        st.rerun()
    if st.button("Restart", icon=":material/replay:", shortcut="Home"):
        clock.go(1)
        clock.play()
        st.rerun()


def _draw_one_yourself(run: Run) -> None:
    """The way on for whoever has seen it to the end: the playground, with this network."""
    if st.button("Now draw one yourself", type="primary", icon=":material/draw:"):
        st.switch_page("pages/playground.py", query_params=_of(run))


_HOLDS = "Holds the picture; training continues, and nothing is lost."


def _more(store: Store, run: Run, *, present: bool) -> None:
    """When it was recorded, and where to go next."""
    st.caption(_when(run), width="content")
    if operating() and st.button("Train two new networks", type="tertiary", icon=":material/add:"):
        _open(*start_guided(store))
    _ways_out(present)
    if not present:
        st.page_link("pages/train.py", label="Open this run", icon=":material/play_circle:", query_params=_of(run))
        st.download_button(
            "CSV",
            csv_file(_table(_recorded(store, run.id))),
            file_name=f"demo-run-{run.id}.csv",
            mime="text/csv",
            type="tertiary",
            icon=":material/download:",
            on_click="ignore",
            help="Download the data shown, round by round",
        )


def _ways_out(present: bool) -> None:
    if present:
        if st.button("Leave presenter mode", type="tertiary", icon=":material/close_fullscreen:", shortcut="Esc"):
            st.query_params.from_dict({k: v for k, v in st.query_params.to_dict().items() if k != "present"})
            st.rerun()
    elif st.button("Presenter mode", type="tertiary", icon=":material/slideshow:"):
        st.query_params["present"] = "1"
        st.rerun()


def _table(recording: Recording) -> pd.DataFrame:
    """What the demo shows of a run, a row per moment."""
    return pd.DataFrame(
        {
            "epoch": [state.epoch for state in recording.states],
            "moment": ["epoch" if state.removed is None else "pruning" for state in recording.states],
            "test_accuracy": [state.accuracy for state in recording.states],
            "sparsity": [state.sparsity for state in recording.states],
            "live_neurons": [int(state.alive.sum()) for state in recording.states],
        }
    )


def _when(run: Run) -> str:
    if run.active:
        return "Live: the network is training while you watch."
    minutes = int((time.time() - run.created) // 60)
    if minutes < 1:
        return "Recorded here a moment ago, from a real run."
    if minutes < 90:
        return f"Recorded here {minutes} min ago, from a real run."
    return f"Recorded here on {time.strftime('%d %B %Y, %H:%M', time.localtime(run.created))}, from a real run."


def _problems(run: Run, beside: Run | None) -> None:
    """Warnings about what keeps the demo from continuing."""
    if os.environ.get("ABP_ENGINE") == "off" and run.active:
        st.warning(
            "Training is switched off here (ABP_ENGINE=off), so this run does not continue. Earlier demos are in "
            "the list of runs.",
            icon=":material/power_off:",
        )
        st.page_link("pages/runs.py", label="Show all runs", icon=":material/list_alt:")
    for one in (run, beside):
        if one is None or one.status in (Status.QUEUED, Status.RUNNING, Status.FINISHED):
            continue
        word, icon, _ = STATUS[one.status]
        which = "The run" if one is run else "The run with random removal"
        why = f": {literal(one.message)}" if one.message else "."
        st.warning(f"{which} is {word.lower()}{why} The demo shows what was recorded.", icon=icon)


def _standing(run: Run) -> tuple:
    return run.status, run.message, run.active


def _waiting(recording: Recording) -> str:
    run = recording.run
    if not run.active:
        return f"There is nothing to show: the run ended before this step ({STATUS[run.status][0].lower()})."
    if run.status == Status.QUEUED:
        return "The network is waiting: training is being started, or all workers are busy."
    if run.status == Status.PAUSED:
        return "The network has not reached this step: the run is paused. It can be resumed on the Train page."
    return f"The network has not reached this step yet: it is in training round {run.epoch + 1}."


def _recorded(store: Store, number: int) -> Recording:
    run = store.runs.get(number)
    return _read(store.name, number, (run.epoch, run.prunings, run.status, run.message), store, run)


@st.cache_resource(show_spinner=False, max_entries=32)
def _read(database: str, number: int, version: tuple, _store: Store, _run: Run) -> Recording:
    return read_recording(_store, _run)
