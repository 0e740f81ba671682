"""The demos: real runs on the digits that ship with scikit-learn, slowed down for watching."""

import dataclasses
import time

import streamlit as st

from abp.dashboard.frame.access import operating
from abp.store.records import Run, Status
from abp.store.store import Store
from abp.training.experiment import Experiment

DEMO = Experiment(dataset="digits", criterion="activation-neuron", amount=0.8, prunings=5)
DEMO_PACE = 2.0  # epochs a second; unpaced it would be over in a second

GUIDED = Experiment(
    dataset="digits",
    hidden=(120, 80, 40),  # few enough to be seen one by one
    criterion="activation-neuron",
    amount=0.8,
    prunings=4,
    learning_rate=0.05,
    start_accuracy=0.95,  # it has learnt before anything is removed, so that before and after can be compared
)
"""The guided demo's run; the one beside it removes at random, with the same seed."""

GUIDED_AT_RANDOM = dataclasses.replace(GUIDED, criterion="random")
GUIDED_PACE = 1.5  # it learns within seven seconds, which are shown live

_RECENT = 600.0  # seconds


def start_guided(store: Store) -> tuple[int, int]:
    """Queue the guided demo's two runs; their numbers. Only the first is watched, so only that one is slowed down."""
    run = _watched(store, GUIDED, name="Guided demo: neurons that seldom fire", pace=GUIDED_PACE)
    return run, store.runs.add(GUIDED_AT_RANDOM, name="Guided demo: at random")


def _watched(store: Store, experiment: Experiment, *, name: str, pace: float) -> int:
    """Queue a run that is watched from its first batch on, before any viewer has reached it."""
    run = store.runs.add(experiment, name=name, pace=pace)
    store.watches.mark(run)
    return run


def recent_guided(store: Store) -> tuple[int, int] | None:
    """The newest guided demo's runs, if they finished within the last ten minutes."""
    ended = [run for run in store.runs.readable(limit=50) if run.status == Status.FINISHED and _is_recent(run)]
    first = next((run.id for run in ended if run.experiment == GUIDED), None)
    beside = next((run.id for run in ended if run.experiment == GUIDED_AT_RANDOM), None)
    return (first, beside) if first is not None and beside is not None else None


def _is_recent(run: Run) -> bool:
    return not run.pruned_by_hand and run.parent is None and time.time() - run.created < _RECENT


def demo_button(store: Store, *, first: bool = True) -> None:
    """A button that starts the demo run and opens its page; the page's main one if it is the `first`."""
    if operating() and st.button(
        "Start a demo run", type="primary" if first else "secondary", icon=":material/play_circle:"
    ):
        number = _watched(store, DEMO, name="Demo: neurons that seldom fire", pace=DEMO_PACE)
        st.switch_page("pages/train.py", query_params={"run": str(number)})


def start_button(store: Store) -> None:
    """The button that starts a demo and opens it."""
    if operating() and st.button("Show me, in a minute", type="primary", icon=":material/play_arrow:"):
        run, beside = start_guided(store)
        st.switch_page("pages/demo.py", query_params={"run": str(run), "beside": str(beside)})
