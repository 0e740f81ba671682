"""The controls of a run: each writes a command, which the run's worker obeys."""

from contextlib import suppress

import streamlit as st

from abp.pruning.criteria import CRITERIA
from abp.runs.records import Run
from abp.runs.store import RunUnknown, Store
from abp.view.page import plain_errors

PACES: dict[float | None, str] = {
    None: "As fast as it goes",
    4.0: "4 epochs a second",
    2.0: "2 epochs a second",
    1.0: "1 epoch a second",
    0.2: "1 epoch in 5 seconds",
}


def controls(store: Store, run: Run) -> None:
    """Pause, step, stop, pace and prune a run that goes on; resume one that was interrupted."""

    def ask(kind: str, **arguments: object) -> None:
        with plain_errors(), suppress(RunUnknown):  # the page, drawn next, says that the run is gone
            store.command(run.id, kind, **arguments)

    if run.status == "interrupted":
        st.button("Resume", icon=":material/play_arrow:", type="primary", on_click=ask, args=("resume",))
        return
    if not run.active:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if run.status == "paused":
                st.button("Resume", icon=":material/play_arrow:", type="primary", on_click=ask, args=("resume",))
            else:
                st.button("Pause", icon=":material/pause:", on_click=ask, args=("pause",))
            st.button("Step", icon=":material/skip_next:", on_click=ask, args=("step",), help="One epoch, then pause.")
            st.button("Stop", icon=":material/stop:", on_click=ask, args=("stop",), help="End the run and keep it.")
            _pace(run, ask)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _prune(run, ask)


def _pace(run: Run, ask) -> None:  # type: ignore[no-untyped-def]
    paces = dict(PACES)
    if run.pace not in paces:
        paces[run.pace] = f"{run.pace:g} epochs a second"

    def set_pace() -> None:
        ask("pace", epochs_per_second=st.session_state[key])

    key, last = f"pace-{run.id}", f"last-pace-{run.id}"
    if key not in st.session_state or st.session_state.get(last) != run.pace:
        st.session_state[key] = st.session_state[last] = run.pace  # at first, and when it was set elsewhere
    st.selectbox(
        "Pace",
        list(paces),
        format_func=lambda pace: paces[pace],
        key=key,
        on_change=set_pace,
        width=200,
    )


def _prune(run: Run, ask) -> None:  # type: ignore[no-untyped-def]
    choices = [name for name, criterion in CRITERIA.items() if criterion.scores]
    preferred = run.experiment.criterion
    criterion, amount = f"prune-criterion-{run.id}", f"prune-amount-{run.id}"

    def prune() -> None:  # reads what stands in the fields now: an amount may have been typed just before the click
        ask("prune", criterion=st.session_state[criterion], amount=st.session_state[amount] / 100)

    st.selectbox(
        "Remove",
        choices,
        index=choices.index(preferred) if preferred in choices else 0,
        format_func=lambda name: CRITERIA[name].title,
        key=criterion,
        width=230,
    )
    st.number_input(
        "Share of weights, %",
        min_value=1,
        max_value=99,
        value=10,
        step=5,
        key=amount,
        width=160,
        help="Beyond those already removed. What the schedule still has to do shrinks by it.",
    )
    st.button(
        "Prune now",
        icon=":material/content_cut:",
        type="primary",
        on_click=prune,
    )
