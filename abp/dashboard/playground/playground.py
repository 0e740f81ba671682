"""The playground: one sample, and how two trained networks, side by side, classify it."""

from collections.abc import Collection, Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from abp.dashboard.components.network_flow import Neuron
from abp.dashboard.demo.presets import demo_button
from abp.dashboard.frame.links import LinkInvalid, choose_run, in_link, invalid_link, linked_number
from abp.dashboard.frame.page import fragment
from abp.dashboard.frame.refresh import redraw_on_change
from abp.dashboard.playground.damage import (
    UNDAMAGED,
    Copy,
    Damage,
    choose_damage,
    copy_of,
    damage_curves,
    damage_measured,
)
from abp.dashboard.playground.disabled_neurons import choose_disabled, disabled
from abp.dashboard.playground.flow import show_flow
from abp.dashboard.playground.mistakes import mistakes_view
from abp.dashboard.playground.picture_source import choose_picture
from abp.dashboard.playground.predictions import show_predictions, show_scores
from abp.runs.damage import NotMeasured
from abp.store.lineage import dense_twin
from abp.store.records import COMPLETE, Run, Status
from abp.store.store import Store

_STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"
_RECENT = 20  # finished runs among which the best is opened
_MANY = 100  # other runs offered


def playground_view(store: Store) -> None:
    """Everything that the page shows below its title."""
    st.html(_STYLE)
    stage = st.container()  # above the choices: what one plays with comes first
    left, right = st.columns(2)
    with left:
        run = choose_run(first=best_run)
    if run is None:
        demo_button(store)
        return
    if copy_of(store, run, UNDAMAGED) is None:
        _not_trained(store, run)
        return
    with right:
        other = _choose_beside(store, run) or run

    @fragment(run_every=None)
    def play() -> None:
        """Redrawn by itself whenever a stroke ends, the slider moves or a neuron is tapped."""
        _play(store, run, other)

    with stage:
        play()


def best_run(runs: Sequence[Run]) -> int:
    """The number of the run to open with: of those finished last, newest first in `runs`, the most accurate."""
    finished = [run for run in runs if run.status == Status.FINISHED and run.has_weights][:_RECENT]
    tested = [run for run in finished if run.test_accuracy is not None]
    return max(tested, key=lambda run: run.test_accuracy or 0.0, default=runs[0]).id


def _play(store: Store, run: Run, other: Run) -> None:
    left, whole = copy_of(store, run, UNDAMAGED), copy_of(store, other, UNDAMAGED)
    assert left is not None and whole is not None  # runs without weights were not offered
    beside = st.container(horizontal=True, gap="small")
    with beside.container(width=246):
        shown = choose_picture(run.experiment.dataset)
    answers = beside.container(width=352, key="answers")
    with beside.container(width=260):
        damage, rests = choose_damage(other)
        curves = _toggle("curves", "Accuracy for every share removed")
        waits, off = st.container(), disabled(whole.trained)
    right = _copy_or_whole(store, other, damage, off, waits)
    with answers:
        scores = show_predictions(shown, left, right)
    show_flow(store, shown, left, right)
    choose_disabled(whole.trained)
    show_scores(scores, left, right, rests=rests)
    # What takes long, and is not looked at while one plays.
    if curves:
        damage_curves(store, other, damage)
    if _toggle("mistakes", "Compare mistakes"):
        mistakes_view(left, right)


def _toggle(name: str, label: str) -> bool:
    """A switch that the page's link holds."""
    return in_link(name, name, (False, True), False, lambda: st.toggle(label, key=name))


def _copy_or_whole(store: Store, run: Run, damage: Damage, off: tuple[Neuron, ...], waits: DeltaGenerator) -> Copy:
    """The copy as the visitor wants it; undamaged, after saying so, while a criterion looks at the training samples."""
    try:
        copy = copy_of(store, run, damage, off)
    except NotMeasured:
        with waits:
            ready = damage_measured(store, run, damage.criterion)
        copy = copy_of(store, run, damage if ready else UNDAMAGED, off)
    assert copy is not None  # a run without weights was not offered
    return copy


def _not_trained(store: Store, run: Run) -> None:
    """A run without a final network: why, and what to do."""
    redraw_on_change(store, run)
    waits = "This run is still in training; its network appears here by itself when it has finished."
    never = "This run ended without a trained network; rerun it to get one."
    st.info(waits if run.active else never, icon=":material/info:")
    st.page_link(
        "pages/train.py", label="Open this run", icon=":material/play_circle:", query_params={"run": str(run.id)}
    )
    ready = next((other for other in store.runs.readable(COMPLETE) if other.has_weights), None)
    if ready is None:
        demo_button(store)
    else:
        label = f"Open run {ready.id} in the playground"
        st.page_link("pages/playground.py", label=label, icon=":material/draw:", query_params={"run": str(ready.id)})


def _choose_beside(store: Store, run: Run) -> Run | None:
    """The run of ``?beside=``, whose network is shown on the right; None for the same network."""
    twin = dense_twin(store, run)
    others = {
        other.id: other
        for other in store.runs.readable(COMPLETE)
        if other.id != run.id and other.has_weights and other.experiment.dataset == run.experiment.dataset
    }
    first = [twin.id] if twin is not None and twin.id in others else []
    offered = [0, *first, *(number for number in list(others)[:_MANY] if number not in first)]
    chosen = _linked_beside(run, others)
    if chosen not in offered:
        offered.append(chosen)

    def title(number: int) -> str:
        if not number:
            return "the same network"
        return f"{number}: {others[number].name}{' (its dense twin)' if number in first else ''}"

    def update_link() -> None:
        if st.session_state["beside"]:
            st.query_params["beside"] = str(st.session_state["beside"])
        else:
            st.query_params.pop("beside", None)

    st.session_state["beside"] = chosen
    st.selectbox("Network on the right", offered, format_func=title, key="beside", on_change=update_link)
    return others.get(chosen)


def _linked_beside(run: Run, others: Collection[int]) -> int:
    """The run of ``?beside=``; 0, after saying so, for one that cannot stand beside `run`."""
    try:
        linked = linked_number("beside")
        if linked is None or linked == run.id:
            return 0
        if linked in others:
            return linked
        raise LinkInvalid(linked)
    except LinkInvalid as error:
        invalid_link(error, "finished run with the same data", "The same network is shown on both sides.")
        return 0
