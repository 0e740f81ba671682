"""Start a run, continue one, and watch one: ``/train``, ``/train?continue=<id>`` and ``/train?run=<id>``."""

import streamlit as st

from abp.dashboard.frame.page import page, plain_errors, run_from_link, store
from abp.dashboard.frame.status import STATUS
from abp.dashboard.train.continue_form import continue_form
from abp.dashboard.train.controls import controls
from abp.dashboard.train.form import experiment_form
from abp.dashboard.train.live import live_view
from abp.training.experiment import Experiment


def new_run() -> None:
    """The form of a new run, and the runs that go on."""
    st.title("Train a network", anchor=False)
    st.caption("Choose what it learns and how it is pruned; you will see every neuron as it trains.")
    source = run_from_link("from")
    initial = Experiment() if source is None else store().runs.get(source).experiment
    experiment = None
    with plain_errors():
        experiment = experiment_form(initial, key="new" if source is None else f"from-{source}")
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Start training", type="primary", icon=":material/play_arrow:", disabled=experiment is None)
        queued = st.toggle("Behind other runs", help="Waits in the queue instead of starting beside the others.")
    with plain_errors():
        if pressed and experiment is not None:
            number = store().runs.add(experiment, lane="queue" if queued else "hand")
            st.query_params.from_dict({"run": str(number)})
            st.rerun()
    going_on = [run for run in store().runs.all() if run.active]
    if going_on:
        st.subheader("Going on now", anchor=False)
        for run in going_on[:10]:
            word, icon, _ = STATUS[run.status]
            st.page_link("pages/train.py", label=f"{run.name} · {word}", icon=icon, query_params={"run": str(run.id)})


def watch(number: int) -> None:
    """One run: its state, its controls, its neurons and its history."""
    run = store().runs.get(number)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(run.name, anchor=False, width="content")
        word, icon, colour = STATUS[run.status]
        st.badge(word, icon=icon, color=colour)
        if run.pruned_by_hand:
            st.badge("Pruned by hand", icon=":material/content_cut:", color="violet")
        if run.parent is not None:
            st.badge(f"Run {run.parent}, {run.origin}", icon=":material/fast_forward:", color="gray")
    controls(store(), run)
    live_view(store(), run)
    with st.container(horizontal=True):
        st.page_link("pages/train.py", label="New run", icon=":material/add:")
        st.page_link(
            "pages/train.py", label="Rerun with changes", icon=":material/replay:", query_params={"from": str(number)}
        )
        if run.has_weights:
            st.page_link(
                "pages/train.py",
                label="Continue",
                icon=":material/fast_forward:",
                query_params={"continue": str(number)},
            )
        st.page_link("pages/runs.py", label="All runs", icon=":material/list_alt:")


def continue_run(number: int) -> None:
    """The form of a run that continues another one."""
    started = continue_form(store(), store().runs.get(number))
    if started is not None:
        st.query_params.from_dict({"run": str(started)})
        st.rerun()


with page("Train"):
    chosen, continued = run_from_link(), run_from_link("continue")
    if chosen is not None:
        watch(chosen)
    elif continued is not None:
        continue_run(continued)
    else:
        new_run()
