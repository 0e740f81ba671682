"""Starting a run: the form of a new one, and that of one that continues another."""

import dataclasses

import streamlit as st

from abp.dashboard.frame.access import offers_controls
from abp.dashboard.frame.links import run_from_link
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import plain_errors
from abp.dashboard.frame.status import STATUS
from abp.dashboard.train.continue_form import continue_form
from abp.dashboard.train.form import ExperimentForm
from abp.store.records import ACTIVE, Lane
from abp.store.store import Store
from abp.training.experiment import Experiment


def new_run(store: Store) -> None:
    """The form of a new run, and links to the active ones."""
    st.title("Train a network", anchor=False)
    st.caption("Choose the data, the network and how it is pruned, then watch every neuron during training.")
    if offers_controls():
        _form(store)
    active = store.runs.all(ACTIVE)
    if active:
        st.subheader("Active runs", anchor=False)
        for run in active[:10]:
            word, icon, _ = STATUS[run.status]
            st.page_link(
                "pages/train.py", label=f"{literal(run.name)} · {word}", icon=icon, query_params={"run": str(run.id)}
            )


def _form(store: Store) -> None:
    """Settings, and the button that starts with them."""
    source = run_from_link("from")
    initial = Experiment() if source is None else store.runs.get(source).experiment
    key, data = "new" if source is None else f"from-{source}", st.query_params.get("data")
    if data is not None and source is None:  # the link of a data set
        initial, key = dataclasses.replace(initial, dataset=data), f"new-{data}"
    form = ExperimentForm(initial, key=key)
    experiment = form.experiment
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Start training", type="primary", icon=":material/play_arrow:", disabled=experiment is None)
        queued = st.toggle("Add to queue", help="The run waits for others to finish instead of starting beside them.")
    if experiment is None:
        st.caption(f"To start, correct {_listed(form.wrong)} above.")
    with plain_errors():
        if pressed and experiment is not None:
            _open(store, store.runs.add(experiment, lane=Lane.QUEUE if queued else Lane.HAND))


def _listed(labels: list[str]) -> str:
    return " and ".join(f"“{label}”" for label in labels) or "the settings"


def continue_run(store: Store, parent: int) -> None:
    """The form of a run that continues another one."""
    if not offers_controls():
        return
    started = continue_form(store, store.runs.get(parent))
    if started is not None:
        _open(store, started)


def _open(store: Store, run: int) -> None:
    store.watches.mark(run)  # so that its first frames need not wait for the viewer
    st.query_params.from_dict({"run": str(run)})
    st.rerun()
