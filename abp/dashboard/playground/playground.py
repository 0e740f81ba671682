"""The playground: one picture, two trained networks side by side, and what each makes of it."""

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from abp.dashboard.charts.images import picture_png
from abp.dashboard.charts.widgets import download_csv, picture
from abp.dashboard.demo.presets import demo_button
from abp.dashboard.frame.page import fragment
from abp.dashboard.frame.refresh import follow
from abp.dashboard.networks.neuron import portrait
from abp.dashboard.playground.damage import NOTHING, Break, break_curves, choose_break, copy_of
from abp.dashboard.playground.disabled_neurons import choose_switched_off
from abp.dashboard.playground.mistakes import mistakes_view
from abp.dashboard.playground.picture_source import Picture, choose_picture
from abp.dashboard.playground.predictions import SIDE, in_pictures, in_words, pointed_at
from abp.data.datasets import DATASETS
from abp.runs.baselines import dense_twin
from abp.store.records import Run
from abp.store.store import Store

_MANY = 100  # other runs offered


def playground_view(store: Store, run: Run, stage: DeltaGenerator, choice: DeltaGenerator) -> None:
    """All that the page shows of one run: pad and answers on the `stage`; what stands beside is chosen in `choice`."""
    if copy_of(store, run, NOTHING) is None:
        _not_trained(store, run)
        return
    with choice:
        other = _choose_beside(store, run) or run
    asked = choose_break(other)

    @fragment(run_every=None)
    def play() -> None:
        """Drawn anew, alone, whenever a stroke ends or a neuron is clicked."""
        _play(store, run, other, asked)

    with stage:
        play()
    break_curves(store, other, asked)


def _play(store: Store, run: Run, other: Run, asked: Break) -> None:
    left, whole = copy_of(store, run, NOTHING), copy_of(store, other, NOTHING)
    assert left is not None and whole is not None  # runs without weights were not offered
    beside = st.container(horizontal=True, gap="large")
    pad, said = beside.container(width=300), beside.container(width=440)
    with pad:
        shown = choose_picture(run.experiment.dataset)
    off = choose_switched_off(whole.trained)
    right = copy_of(store, other, asked, off)
    assert right is not None
    with said:
        in_words(shown, left, right)
        _as_the_network_sees_it(run.experiment.dataset, shown)
    sides = in_pictures(shown, left, right)
    pointed = pointed_at(run.id, other.id)
    if pointed is not None:
        with sides.container(width=SIDE):
            portrait(store, run if pointed[0] == run.id else other, *pointed[1:])
    if st.toggle("Compare their mistakes", key="mistakes"):
        mistakes_view(left, right)


def _not_trained(store: Store, run: Run) -> None:
    """A run without a final network: why, and what can be done."""
    follow(store, run)
    waits = "This run is still being trained. Its network comes here by itself when it has ended."
    never = "This run left no trained network: it ended before its training did. A rerun of it would leave one."
    st.info(waits if run.active else never, icon=":material/info:")
    st.page_link(
        "pages/train.py", label="See this run", icon=":material/play_circle:", query_params={"run": str(run.id)}
    )
    ready = next((other for other in store.runs.all() if other.has_weights), None)
    if ready is None:
        demo_button(store)
    else:
        label = f"Play with run {ready.id}, which is ready"
        st.page_link("pages/playground.py", label=label, icon=":material/draw:", query_params={"run": str(ready.id)})


def _choose_beside(store: Store, run: Run) -> Run | None:
    """The run of ``?beside=`` whose network stands on the right; None for the same run's."""
    twin = dense_twin(store, run)
    others = {
        other.id: other
        for other in store.runs.all()
        if other.id != run.id and other.has_weights and other.experiment.dataset == run.experiment.dataset
    }
    first = [twin.id] if twin is not None and twin.id in others else []
    offered = [0, *first, *(number for number in list(others)[:_MANY] if number not in first)]
    linked = st.query_params.get("beside")
    chosen = int(linked) if linked and linked.isascii() and linked.isdigit() and len(linked) < 16 else 0
    if chosen == run.id:
        chosen = 0
    elif linked is not None and chosen not in others:
        st.warning(
            f"“{linked[:40]}” in the link is not a finished run of the same data. This run stands on both sides.",
            icon=":material/link_off:",
        )
        chosen = 0
    if chosen not in offered:
        offered.append(chosen)

    def title(number: int) -> str:
        if not number:
            return "the same network"
        return f"{number}: {others[number].name}{' (its dense twin)' if number in first else ''}"

    def lead() -> None:
        if st.session_state["beside"]:
            st.query_params["beside"] = str(st.session_state["beside"])
        else:
            st.query_params.pop("beside", None)

    st.session_state["beside"] = chosen
    st.selectbox("On the right", offered, format_func=title, key="beside", on_change=lead)
    return others.get(chosen)


def _as_the_network_sees_it(dataset: str, shown: Picture) -> None:
    rows, columns = DATASETS[dataset].image_shape
    st.subheader(
        "As the network sees it",
        anchor=False,
        help="Your picture is made as the pictures that the network learned from were: cut out, made small, and put "
        "into the middle. Strokes that are much thinner or thicker than usual are evened out.",
    )
    st.caption(f"The picture in {rows} × {columns} pixels: all that the networks get.")
    pixels = np.zeros((rows, columns), dtype=np.float32) if shown.pixels is None else shown.pixels
    alt_text = "No picture yet." if shown.pixels is None else f"The picture, {rows} × {columns} pixels."
    picture(picture_png(pixels, width=168), alt=alt_text)
    download_csv("picture", lambda: pd.DataFrame(pixels, columns=[str(column + 1) for column in range(columns)]))
