"""The controls of a run: each writes a command, which the run's worker obeys.

What a click does stands behind the button, not in its ``on_click``: Streamlit forgets the callbacks of widgets that an
interrupted rerun had not come to yet, and a live page is interrupted often. A click would be lost now and then.
"""

from contextlib import suppress

import streamlit as st

from abp.dashboard.frame.page import plain_errors
from abp.pruning.criteria import CRITERIA
from abp.store.records import Run, RunUnknown
from abp.store.store import Store

PACES: dict[float, str] = {
    0.0: "As fast as it goes",
    4.0: "4 epochs a second",
    2.0: "2 epochs a second",
    1.0: "1 epoch a second",
    0.2: "1 epoch in 5 seconds",
}


def controls(store: Store, run: Run) -> None:
    """Pause, step, stop, pace and prune a run that goes on; resume one that was interrupted."""

    def ask(kind: str, **arguments: object) -> None:
        with plain_errors(), suppress(RunUnknown):  # the page, drawn next, says that the run is gone
            store.commands.add(run.id, kind, **arguments)

    if run.status == "interrupted":
        if st.button("Resume", icon=":material/play_arrow:", type="primary"):
            ask("resume")
        return
    if not run.active:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            # Both stay, one of them idle: a button that came or went would move the others from under the mouse.
            paused = run.status == "paused"
            if st.button("Pause", icon=":material/pause:", disabled=paused):
                ask("pause")
            if st.button("Resume", icon=":material/play_arrow:", disabled=not paused):
                ask("resume")
            if st.button("Step", icon=":material/skip_next:", help="One epoch, then pause."):
                ask("step")
            if st.button("Stop", icon=":material/stop:", help="End the run and keep it."):
                ask("stop")
            _pace(run, ask)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _prune(run, ask)


def _pace(run: Run, ask) -> None:  # type: ignore[no-untyped-def]
    pace = run.pace or 0.0
    paces = {**PACES, pace: PACES.get(pace, f"{pace:g} epochs a second")}
    key, last, asked = (f"{what}-{run.id}" for what in ("pace", "last-pace", "asked-pace"))
    if key not in st.session_state or st.session_state.get(last) != pace:
        for name in (key, last, asked):  # at first, and when it was set elsewhere
            st.session_state[name] = pace
    chosen = st.selectbox("Pace", list(paces), format_func=lambda choice: paces[choice], key=key, width=200)
    if chosen != st.session_state[asked]:
        st.session_state[asked] = chosen
        ask("pace", epochs_per_second=chosen)


def _prune(run: Run, ask) -> None:  # type: ignore[no-untyped-def]
    choices = [name for name, criterion in CRITERIA.items() if criterion.scores]
    preferred = run.experiment.criterion
    criterion = st.selectbox(
        "Remove",
        choices,
        index=choices.index(preferred) if preferred in choices else 0,
        format_func=lambda name: CRITERIA[name].title,
        key=f"prune-criterion-{run.id}",
        width=290,
    )
    percent = st.number_input(
        "Share of weights, %",
        min_value=1,
        max_value=99,
        value=10,
        step=5,
        key=f"prune-amount-{run.id}",
        width=160,
        help="Beyond those already removed. What the schedule still has to do shrinks by it.",
    )
    if st.button("Prune now", icon=":material/content_cut:", type="primary"):
        ask("prune", criterion=criterion, amount=percent / 100)
