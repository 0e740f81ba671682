"""The controls of a run: each writes a command, which the run's worker obeys.

What a click does follows the button instead of standing in its ``on_click``: Streamlit forgets the callbacks of widgets
that an interrupted rerun had not reached yet, so that a click would be lost now and then.
"""

from contextlib import suppress
from typing import Unpack

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from abp.dashboard.frame.fields import number_field
from abp.dashboard.frame.page import plain_errors
from abp.pruning.criteria import CRITERIA
from abp.runs.session.command_words import HELP
from abp.store.records import Arguments, CommandKind, Run, RunUnknown, Status
from abp.store.store import Store

PACES: dict[float, str] = {
    0.0: "As fast as possible",
    4.0: "4 epochs a second",
    2.0: "2 epochs a second",
    1.0: "1 epoch a second",
    0.2: "1 epoch in 5 seconds",
}

_SWITCH = 98  # pixels of the button that pauses and resumes: the others must not move when its word changes


def controls(store: Store, run: Run) -> None:
    """Pause, step, stop, pace and prune an active run; resume one that was interrupted."""

    def send(kind: CommandKind, **arguments: Unpack[Arguments]) -> None:
        with plain_errors(), suppress(RunUnknown):  # the page, redrawn next, says that the run was deleted
            store.commands.add(run.id, kind, **arguments)
        st.rerun()  # what the command changed at once stands above the controls too

    if run.status == Status.INTERRUPTED:
        if st.button("Resume", icon=":material/play_arrow:", type="primary"):
            send(CommandKind.RESUME)
        return
    if not run.active:
        return
    row, below = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"), st.container()
    with row:
        # Both share one place, but each is a button of its own to Streamlit: a click does what the button said.
        if run.status == Status.PAUSED:
            if st.button("Resume", icon=":material/play_arrow:", width=_SWITCH):
                send(CommandKind.RESUME)
        elif st.button("Pause", icon=":material/pause:", width=_SWITCH):
            send(CommandKind.PAUSE)
        if st.button("Step", icon=":material/skip_next:", help=HELP[CommandKind.STEP]):
            send(CommandKind.STEP)
        if st.button("Stop", icon=":material/stop:", help=HELP[CommandKind.STOP]):
            send(CommandKind.STOP)
        _pace(store, run, send)
        percent = _prune(run, send, below)
    with below.container(horizontal=True, vertical_alignment="center"):
        if percent is not None:
            st.caption(would_remain(run, percent), width="content")
        if store.histories.undoable_pruning(run.id) and st.button(
            "Undo", icon=":material/undo:", help=HELP[CommandKind.UNDO]
        ):
            send(CommandKind.UNDO)


def _pace(store: Store, run: Run, send) -> None:  # type: ignore[no-untyped-def]
    """The pace that was requested last, here or elsewhere.

    Each request makes it a new field with that pace as its default: a value other than the default was therefore chosen
    by a person in this very field, and whatever a browser still holds of an older one does not count.
    """
    newest = next((command for command in store.commands.of(run.id) if command.kind == CommandKind.PACE), None)
    pace = (newest.arguments.get("epochs_per_second") if newest else run.pace) or 0.0
    paces = {**PACES, pace: PACES.get(pace, f"{pace:g} epochs a second")}
    chosen = st.selectbox(
        "Pace",
        list(paces),
        index=list(paces).index(pace),
        format_func=lambda choice: paces[choice],
        key=f"pace-{run.id}-{newest.id if newest else 0}",
        width=160,
    )
    if chosen != pace:
        send(CommandKind.PACE, epochs_per_second=chosen)


def _prune(run: Run, send, below: DeltaGenerator) -> int | None:  # type: ignore[no-untyped-def]
    """The fields and the button that prune; the share that is asked for, if it can be used."""
    choices = [name for name, criterion in CRITERIA.items() if criterion.scores]
    preferred = run.experiment.criterion
    criterion = st.selectbox(
        "Criterion",
        choices,
        index=choices.index(preferred) if preferred in choices else 0,
        format_func=lambda name: CRITERIA[name].title,
        key=f"prune-criterion-{run.id}",
        width=179,
    )
    percent = number_field(
        "Remove, %",
        value=10,
        low=1,
        high=99,
        place=below,
        step=5,
        key=f"prune-amount-{run.id}",
        width=90,
        help=HELP[CommandKind.PRUNE],
    )
    if st.button("Prune now", type="primary", disabled=percent is None) and percent is not None:
        send(CommandKind.PRUNE, criterion=criterion, amount=percent / 100, of="left")
    return percent


def would_remain(run: Run, percent: int) -> str:
    """What a pruning of so many per cent of the weights that are left would leave."""
    sizes = run.experiment.sizes
    weights = sum(inputs * outputs for inputs, outputs in zip(sizes[:-2], sizes[1:-1], strict=True))
    left = round((1 - run.sparsity) * weights)
    remaining = left - round(percent / 100 * left)
    return (
        f"*Prune now* would leave about {remaining:,} of the {left:,} weights that are left: "
        f"{100 * remaining / weights:.1f} % of all {weights:,}."
    )
