"""One neuron: its weights, how often it fires, for which classes, and the pictures that activate it most."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.dashboard.charts.charts import Chart, height, step_above
from abp.dashboard.charts.colours import METHODS
from abp.dashboard.charts.images import NEGATIVE, POSITIVE, neuron_png
from abp.dashboard.charts.widgets import chart_with_data, download_csv, picture
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.links import number_or_warning
from abp.dashboard.frame.markdown import literal
from abp.dashboard.networks.cache import limits_of, moments_of, pictures_of, responses_of, snapshot_of
from abp.dashboard.networks.samples import sample_png, show_test_samples, weights_of_columns
from abp.data.datasets import DATASETS, DataUnavailable
from abp.store.records import Run
from abp.store.snapshots import Snapshot
from abp.store.store import Store

_BARS = 40  # weights in a bar chart
_STRONGEST = 5  # samples in a portrait


def neuron_view(store: Store, run: Run, snapshot: Snapshot, frequencies: list[NDArray]) -> None:
    """One neuron: its weights, how often it fires, for which classes, and the pictures that activate it most."""
    st.subheader(
        "Single neuron",
        anchor=False,
        help="The address of this page contains the layer and the neuron, so it can be shared.",
    )
    layer, neuron = _chosen_neuron(run, snapshot)
    live = int(snapshot.masks[layer][neuron].sum())
    inputs = snapshot.masks[layer].shape[1]
    if live:
        st.caption(
            f"Neuron {neuron + 1} of hidden layer {layer + 1} keeps {live:,} of its {inputs:,} incoming weights."
        )
    else:
        st.caption(
            f"Neuron {neuron + 1} of hidden layer {layer + 1} is dead: all its incoming weights were removed, so it "
            "no longer responds to any picture."
        )
    left, middle, right = st.columns(3)
    with left:
        _incoming(store, run, snapshot, layer, neuron)
    with middle:
        _frequency(run, frequencies[layer][:, neuron])
    try:
        responses = responses_of(store, run, snapshot.moment)[layer]
        with right:
            _classes(run, responses.shares[:, neuron], responses.seen)
        _strongest(run, responses.pictures[neuron], responses.outputs[neuron])
    except DataUnavailable as error:
        with right:
            st.info(
                f"Its responses cannot be shown without the test pictures. {literal(str(error))}",
                icon=":material/image_not_supported:",
            )


def portrait_of(store: Store, run: Run, layer: int, neuron: int) -> tuple[str, list[tuple[bytes, str]]] | None:
    """One neuron of an ended run in short: a sentence, and pictures (PNG and words); indices from 0.

    The pictures are its incoming weights, where they have places in one, and the test samples that activate it most.
    None without the run's final network.
    """
    snapshot = snapshot_of(store, run, moments_of(store, run)[-1])
    if snapshot.network is None:
        return None
    mask = snapshot.masks[layer][neuron]
    if not mask.any():
        return "Removed during training: no incoming weights are left, and it responds to nothing.", []
    dataset, pictures = run.experiment.dataset, []
    record = DATASETS[dataset]
    if layer == 0 and not record.is_table:
        weights = snapshot.network.weights[0][neuron].numpy().reshape(record.shape)
        png = neuron_png(weights, mask.numpy().reshape(record.shape), limits_of(store, run)[0], pixels=84)
        pictures.append((png, "The pattern that it prefers: bright in the orange places, dark in the blue ones"))
    try:
        responses = responses_of(store, run, snapshot.moment)[layer]
        _, y = pictures_of(dataset)
    except DataUnavailable:
        return "The test samples are not on this computer.", pictures
    fired = responses.pictures[neuron][responses.outputs[neuron] > 0][:_STRONGEST]
    names = [record.class_names[int(y[index])] for index in fired]
    if not names:
        return "It fires for none of the test samples.", pictures
    if not record.is_table and (not record.private or operating()):
        x, _ = pictures_of(dataset)
        pictures += [(sample_png(dataset, x[index].numpy()), name) for index, name in zip(fired, names, strict=True)]
    return f"It fires most for: {', '.join(dict.fromkeys(names))}.", pictures


def _chosen_neuron(run: Run, snapshot: Snapshot) -> tuple[int, int]:
    """Layer and neuron, from 0: those of the link until a person chooses others, to which the link then changes.

    A link without any means the first live neuron.
    """
    hidden, state = run.experiment.hidden, st.session_state
    layer_key, neuron_key = f"layer-{run.id}", f"neuron-{run.id}"
    linked = st.query_params.get("layer"), st.query_params.get("neuron")
    if linked != state.get("linked-neuron") or layer_key not in state:
        layer = number_or_warning("layer", len(hidden), "hidden layer", "The first layer is shown.") or 1
        width = hidden[layer - 1]
        alive = snapshot.masks[layer - 1].any(dim=1).int().argmax().item() + 1
        state[layer_key] = layer
        what = f"neuron of hidden layer {layer}"
        state[neuron_key] = number_or_warning("neuron", width, what, "The first live neuron is shown.") or alive
        state["linked-neuron"] = linked
        state[f"named-{run.id}"] = layer, state[neuron_key]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        layer = st.selectbox("Hidden layer", list(range(1, len(hidden) + 1)), key=layer_key, width=140)
        width = hidden[layer - 1]
        state[neuron_key] = min(state.get(neuron_key, 1), width)
        neuron = st.number_input(f"Neuron (of {width:,})", 1, width, key=neuron_key, width=180)
    if (layer, neuron) != state.get(f"named-{run.id}"):
        st.query_params["layer"], st.query_params["neuron"] = str(layer), str(neuron)
        state["linked-neuron"] = str(layer), str(neuron)
        state[f"named-{run.id}"] = layer, neuron
    return layer - 1, neuron - 1


def _incoming(store: Store, run: Run, snapshot: Snapshot, layer: int, neuron: int) -> None:
    assert snapshot.network is not None
    weights, mask = snapshot.network.weights[layer][neuron].numpy(), snapshot.masks[layer][neuron].numpy()
    table = pd.DataFrame({"input": np.arange(1, len(weights) + 1), "weight": weights, "kept": mask})
    if layer == 0:
        record = DATASETS[run.experiment.dataset]
        if record.is_table:
            _columns(weights_of_columns(run.experiment.dataset, weights, mask))
            return
        shape = record.shape
        png = neuron_png(weights.reshape(shape), mask.reshape(shape), limits_of(store, run)[0])
        st.subheader("Preferred pattern", anchor=False, help="Its incoming weights, each in the place of its pixel.")
        st.caption("It fires for pictures that are bright in the orange places and dark in the blue ones.")
        picture(
            png,
            alt=f"Incoming weights of neuron {neuron + 1} of the first hidden layer, each in the place of its pixel.",
        )
        download_csv("incoming-weights", lambda: table)
        return
    shown = table[table["kept"]].sort_values("weight", key=abs, ascending=False, kind="stable").head(_BARS)
    chart_with_data(
        "Incoming weights",
        f"The strongest of its weights from neurons of hidden layer {layer}, at most {_BARS}.",
        f"Orange: its output rises when that neuron of hidden layer {layer} fires. Blue: its output falls.",
        [_weights_chart(shown)],
        lambda: table,
        "incoming-weights",
    )


def _columns(table: pd.DataFrame) -> None:
    """The weights of one neuron of the first layer, of a network that learned a table."""
    shown = table.sort_values("weight", key=abs, ascending=False, kind="stable").head(_BARS)
    chart_with_data(
        "Preferred values",
        f"Its incoming weights by column, the strongest first, at most {_BARS}.",
        "It fires for rows that are above the average in its orange columns and below it in its blue ones.",
        [column_bars(shown)],
        lambda: table,
        "incoming-weights",
    )


def column_bars(table: pd.DataFrame) -> Chart:
    """Bars of named columns: ``input``, ``weight``."""
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("weight:Q", title="weight", axis=alt.Axis(tickCount=5)),
            y=alt.Y("input:N", sort=None, title=None, axis=alt.Axis(labelOverlap=False, labelLimit=160)),
            color=alt.condition("datum.weight > 0", alt.value(POSITIVE), alt.value(NEGATIVE)),
            tooltip=[alt.Tooltip("input:N"), alt.Tooltip("weight:Q", format="+.4f")],
        )
        .properties(height=height(16 * len(table)))
    )


def _weights_chart(table: pd.DataFrame) -> Chart:
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X(
                "input:N", sort=None, title="neuron of the previous layer", axis=alt.Axis(labels=False, ticks=False)
            ),
            y=alt.Y("weight:Q", title="weight", axis=alt.Axis(tickCount=5)),
            color=alt.condition("datum.weight > 0", alt.value(POSITIVE), alt.value(NEGATIVE)),
            tooltip=[alt.Tooltip("input:N"), alt.Tooltip("weight:Q", format="+.4f")],
        )
        .properties(height=240)
    )


def _frequency(run: Run, frequencies: NDArray) -> None:
    table = pd.DataFrame({"epoch": np.arange(1, len(frequencies) + 1), "frequency": frequencies})
    chart_with_data(
        "Activation frequency",
        "Share of the training pictures for which it fired in each epoch.",
        "Counted during training. Activation-based pruning removes neurons for which this is low.",
        [
            alt.Chart(table)
            .mark_line(strokeWidth=2, color=METHODS[run.experiment.criterion], point=len(table) < 2)
            .encode(
                x=alt.X(
                    "epoch:Q",
                    scale=alt.Scale(domain=[0, step_above(max(len(table), 1))], nice=False),
                    axis=alt.Axis(tickMinStep=1, tickCount=5, grid=False),
                ),
                y=alt.Y(
                    "frequency:Q",
                    title="training samples, %",
                    scale=alt.Scale(domain=[0, 1]),
                    axis=alt.Axis(format="%"),
                ),
                tooltip=[alt.Tooltip("epoch:Q"), alt.Tooltip("frequency:Q", format=".1%")],
            )
            .properties(height=240)
        ],
        lambda: table,
        "frequency",
    )


def _classes(run: Run, shares: NDArray, seen: tuple[int, int]) -> None:
    names = list(DATASETS[run.experiment.dataset].class_names)
    table = pd.DataFrame({"class": names, "share": shares})
    which = f"all {seen[1]:,} test pictures" if seen[0] == seen[1] else f"the first {seen[0]:,} test pictures"
    chart_with_data(
        "Response by class",
        f"Share of the pictures of each class for which it fires, among {which}.",
        "A neuron that fires only for some classes helps to tell them from the others. One that fires for all classes, "
        "or for none, does not.",
        [
            alt.Chart(table)
            .mark_bar(color=METHODS[run.experiment.criterion])
            .encode(
                x=alt.X(
                    "share:Q",
                    title="samples of the class, %",
                    scale=alt.Scale(domain=[0, 1]),
                    axis=alt.Axis(format="%", tickCount=5),
                ),
                y=alt.Y("class:N", sort=None, title="class", axis=alt.Axis(labelOverlap=False)),
                tooltip=[alt.Tooltip("class:N"), alt.Tooltip("share:Q", format=".1%")],
            )
            .properties(height=240)
        ],
        lambda: table,
        "classes",
    )


def _strongest(run: Run, pictures: NDArray, outputs: NDArray) -> None:
    """The test pictures that activate the neuron most, strongest first."""
    st.subheader(
        "Strongest responses", anchor=False, help="The test pictures for which the output of this neuron is largest."
    )
    fired = pictures[outputs > 0]
    if not len(fired):
        st.caption("It fires for none of the test pictures.")
        return
    st.caption("The test pictures for which its output is largest, in descending order.")
    class_names = DATASETS[run.experiment.dataset].class_names
    _, y = pictures_of(run.experiment.dataset)
    names = [class_names[int(y[index])] for index in fired]
    alt_texts = [f"Test picture {index + 1}: {name}" for index, name in zip(fired, names, strict=True)]
    show_test_samples(run.experiment.dataset, fired, names, alt_texts)
    table = pd.DataFrame({"picture": fired + 1, "class": names, "output": outputs[outputs > 0]})
    download_csv("strongest-pictures", lambda: table)
