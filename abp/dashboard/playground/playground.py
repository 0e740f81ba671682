"""The playground: one picture, and how two trained networks, side by side, classify it."""

from collections.abc import Collection

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from abp.dashboard.charts.images import picture_png
from abp.dashboard.charts.widgets import download_csv, picture
from abp.dashboard.demo.presets import demo_button
from abp.dashboard.frame.links import LinkInvalid, invalid_link, linked_number
from abp.dashboard.frame.page import fragment
from abp.dashboard.frame.refresh import redraw_on_change
from abp.dashboard.networks.neuron import portrait
from abp.dashboard.playground.damage import UNDAMAGED, Damage, choose_damage, copy_of, damage_curves
from abp.dashboard.playground.disabled_neurons import choose_disabled
from abp.dashboard.playground.mistakes import mistakes_view
from abp.dashboard.playground.picture_source import Picture, choose_picture
from abp.dashboard.playground.predictions import SIDE, pointed_at, show_outputs, show_predictions
from abp.data.datasets import DATASETS
from abp.store.lineage import dense_twin
from abp.store.records import Run
from abp.store.store import Store

_MANY = 100  # other runs offered


def playground_view(store: Store, run: Run, stage: DeltaGenerator, choice: DeltaGenerator) -> None:
    """Everything the page shows of one run: pad and predictions in `stage`, the choice of the other run in `choice`."""
    if copy_of(store, run, UNDAMAGED) is None:
        _not_trained(store, run)
        return
    with choice:
        other = _choose_beside(store, run) or run
    damage = choose_damage(other)

    @fragment(run_every=None)
    def play() -> None:
        """Redrawn by itself whenever a stroke ends or a neuron is clicked."""
        _play(store, run, other, damage)

    with stage:
        play()
    damage_curves(store, other, damage)


def _play(store: Store, run: Run, other: Run, damage: Damage) -> None:
    left, whole = copy_of(store, run, UNDAMAGED), copy_of(store, other, UNDAMAGED)
    assert left is not None and whole is not None  # runs without weights were not offered
    beside = st.container(horizontal=True, gap="large")
    pad, predictions = beside.container(width=300), beside.container(width=440)
    with pad:
        shown = choose_picture(run.experiment.dataset)
    off = choose_disabled(whole.trained)
    right = copy_of(store, other, damage, off)
    assert right is not None
    with predictions:
        show_predictions(shown, left, right)
        _network_input(run.experiment.dataset, shown)
    sides = show_outputs(shown, left, right)
    pointed = pointed_at(run.id, other.id)
    if pointed is not None:
        with sides.container(width=SIDE):
            portrait(store, run if pointed[0] == run.id else other, *pointed[1:])
    if st.toggle("Compare mistakes", key="mistakes"):
        mistakes_view(left, right)


def _not_trained(store: Store, run: Run) -> None:
    """A run without a final network: why, and what to do."""
    redraw_on_change(store, run)
    waits = "This run is still in training; its network appears here by itself when it has finished."
    never = "This run ended without a trained network; rerun it to get one."
    st.info(waits if run.active else never, icon=":material/info:")
    st.page_link(
        "pages/train.py", label="Open this run", icon=":material/play_circle:", query_params={"run": str(run.id)}
    )
    ready = next((other for other in store.runs.all() if other.has_weights), None)
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
        for other in store.runs.all()
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


def _network_input(dataset: str, shown: Picture) -> None:
    rows, columns = DATASETS[dataset].pixels
    st.subheader(
        "Network input",
        anchor=False,
        help="Your picture is prepared like those that the network learnt from: cropped, scaled down and centred. "
        "Strokes much thinner or thicker than usual are adjusted.",
    )
    st.caption(f"The picture as {rows} × {columns} pixels, which is all that the networks receive.")
    pixels = np.zeros((rows, columns), dtype=np.float32) if shown.pixels is None else shown.pixels
    alt_text = "No picture yet." if shown.pixels is None else f"The picture, {rows} × {columns} pixels."
    picture(picture_png(pixels, width=168), alt=alt_text)
    download_csv("picture", lambda: pd.DataFrame(pixels, columns=[str(column + 1) for column in range(columns)]))
