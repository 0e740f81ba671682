"""Two runs side by side: settings that differ, accuracy curves, masks and spectra."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.dashboard.charts.charts import Chart
from abp.dashboard.charts.colours import METHODS
from abp.dashboard.charts.images import block_of, pixels_png, swatch_png
from abp.dashboard.charts.legend import legend
from abp.dashboard.charts.tables import continues
from abp.dashboard.charts.widgets import chart_with_data, download_csv, picture
from abp.dashboard.frame.background import in_background
from abp.dashboard.networks.spectrum_chart import spectrum_chart
from abp.store.records import Run
from abp.store.snapshots import recorded_masks, spectral_snapshots
from abp.store.store import Store
from abp.training.experiment import settings

LEFT, RIGHT, BOTH = METHODS["magnitude"], METHODS["activation"], METHODS["none"]
"""Colours of what only the first run has, only the second, and both."""


def pair_view(store: Store, first: Run, second: Run) -> None:
    """Everything the page shows of two runs."""
    with st.container(horizontal=True):
        for run in (first, second):
            query = {"run": str(run.id)}
            st.page_link(
                "pages/train.py", label=f"Open run {run.id}", icon=":material/play_circle:", query_params=query
            )
    st.subheader("Settings that differ", anchor=False)
    table = differing_settings(first, second)
    if len(table):
        st.dataframe(table, hide_index=True, alt="Settings in which the two runs differ.")
    else:
        st.caption("Both runs have the same settings.")
    _accuracies(store, first, second)
    if first.experiment.sizes != second.experiment.sizes:
        st.info("Their networks have different layers, so masks and spectra cannot be laid over each other.")
        return
    _masks(store, first, second)
    _spectra(store, first, second)


def _name(run: Run) -> str:
    return f"{run.id}: {run.name}"


def differing_settings(first: Run, second: Run) -> pd.DataFrame:
    """A row per setting that differs, and one for what the runs continue: columns ``Setting``, ``First``, ``Second``.

    The values are as people see them.
    """
    rows = []
    for name, setting in settings().items():
        values = [getattr(run.experiment, name) for run in (first, second)]
        if values[0] != values[1]:
            shown = [setting.shown(value) for value in values]
            rows.append({"Setting": setting.label, "First": shown[0], "Second": shown[1]})
    began = [continues(run) or "no run" for run in (first, second)]
    if began[0] != began[1]:
        rows.append({"Setting": "Continues", "First": began[0], "Second": began[1]})
    return pd.DataFrame(rows)


def _accuracies(store: Store, first: Run, second: Run) -> None:
    table = accuracy_curves(store, first, second)
    if len(table):
        colours, drawn = _colours(first, second), set(table["run"])
        words = {name: name if name in drawn else f"{name}, which has no epochs" for name in colours}
        chart_with_data(
            "Validation accuracy",
            "Validation accuracy after each epoch of both runs.",
            "Runs of the same seed start from the same weights and see the pictures in the same order.",
            [_accuracy_chart(table, colours)],
            lambda: table,
            f"pair-{first.id}-{second.id}",
            legend=lambda: legend([(swatch_png(colour), 28, words[name]) for name, colour in colours.items()]),
        )


def accuracy_curves(store: Store, first: Run, second: Run) -> pd.DataFrame:
    """Validation accuracy by epoch: columns ``run``, ``epoch``, ``accuracy``."""
    parts = [
        store.histories.epochs(run.id)[["epoch", "valid_accuracy"]].assign(run=_name(run)) for run in (first, second)
    ]
    return pd.concat(parts, ignore_index=True).rename(columns={"valid_accuracy": "accuracy"})


def _colours(first: Run, second: Run) -> dict[str, str]:
    return {_name(first): LEFT, _name(second): RIGHT}


def _accuracy_chart(table: pd.DataFrame, colours: dict[str, str]) -> Chart:
    lowest = float(table["accuracy"].quantile(0.1))
    return (
        alt.Chart(table)
        .mark_line(strokeWidth=2, clip=True)
        .encode(
            x=alt.X("epoch:Q", axis=alt.Axis(grid=False, tickMinStep=1)),
            y=alt.Y(
                "accuracy:Q",
                title="validation accuracy, %",
                scale=alt.Scale(domain=[lowest, 1]),
                axis=alt.Axis(format=".0%"),
            ),
            color=alt.Color(
                "run:N",
                scale=alt.Scale(domain=list(colours), range=list(colours.values())),
                legend=None,
            ),
            tooltip=[alt.Tooltip("run:N"), alt.Tooltip("epoch:Q"), alt.Tooltip("accuracy:Q", format=".2%")],
        )
        .properties(height=260)
    )


# Masks


def _masks(store: Store, first: Run, second: Run) -> None:
    pairs = _mask_pairs(store, first, second)
    st.subheader(
        "Masks",
        anchor=False,
        help="Shared by chance: how many weights two masks as dense as these would share if their places were random.",
    )
    st.caption("Which weights both runs kept, and which only one of them did.")
    table = overlaps(pairs)
    st.dataframe(table, hide_index=True, alt="Weights of each layer that both runs kept, only one, or neither.")
    download_csv("masks", lambda: table)
    words = {BOTH: "both kept", LEFT: "only the first", RIGHT: "only the second"}
    legend([*((swatch_png(colour), 28, text) for colour, text in words.items()), (swatch_png(), 28, "neither")])
    for layer, pair in enumerate(pairs, start=1):
        picture(overlap_png(*pair), alt=f"Hidden layer {layer}: weights kept by both runs, by one, or by neither.")


def _mask_pairs(store: Store, first: Run, second: Run) -> list[tuple[NDArray, NDArray]]:
    masks = [recorded_masks(store, run, run.prunings) for run in (first, second)]
    return [(one.numpy(), other.numpy()) for one, other in zip(*masks, strict=True)]


def overlaps(pairs: list[tuple[NDArray, NDArray]]) -> pd.DataFrame:
    """A row per layer: weights that both masks keep, only one, or neither, and what chance would let them share."""
    rows = []
    for layer, (one, other) in enumerate(pairs, start=1):
        rows.append(
            {
                "Layer": layer,
                "Both": int((one & other).sum()),
                "Only the first": int((one & ~other).sum()),
                "Only the second": int((~one & other).sum()),
                "Neither": int((~one & ~other).sum()),
                "Shared by chance": round(float(one.sum() * other.sum() / one.size), 1),
            }
        )
    return pd.DataFrame(rows)


def overlap_png(one: NDArray, other: NDArray) -> bytes:
    """Masks ``[out, in]`` over each other, by the colours of the page; of a block, the first weight is drawn."""
    rows, columns = block_of(one.shape)
    one, other = one[::rows, ::columns], other[::rows, ::columns]
    cells = np.zeros((*one.shape, 4), dtype=np.uint8)
    for colour, where in ((BOTH, one & other), (LEFT, one & ~other), (RIGHT, ~one & other)):
        cells[where] = (*bytes.fromhex(colour[1:]), 255)
    return pixels_png(np.repeat(cells, 2, axis=0) if len(cells) < 200 else cells)


# Spectra


def _spectra(store: Store, first: Run, second: Run) -> None:
    work = (store.name, "pair", *((run.id, run.prunings, run.status) for run in (first, second)))
    table = in_background(work, lambda: spectra_curves(store, first, second), "Comparing singular values")
    if table is None:
        return
    if table.empty:
        st.caption("Singular values are recorded once a run has been pruned or has ended.")
        return
    highest, drawn = float(table["value"].max()), set(table["curve"])
    colours = {name: colour for name, colour in _colours(first, second).items() if name in drawn}
    chart_with_data(
        "Singular values",
        "The newest singular values of each hidden layer, the first run's and the second's.",
        "Where a curve reaches zero, the layer has lost rank.",
        [spectrum_chart(part, colours, log=False, highest=highest) for _, part in table.groupby("layer")],
        lambda: table,
        f"pair-spectra-{first.id}-{second.id}",
        legend=lambda: legend([(swatch_png(colour), 28, name) for name, colour in colours.items()]),
    )


def spectra_curves(store: Store, first: Run, second: Run) -> pd.DataFrame:
    """The newest singular values of both runs: columns ``layer``, ``index``, ``value``, ``curve``."""
    parts = []
    for run in (first, second):
        snapshots = spectral_snapshots(store, run)
        for layer, values in enumerate(snapshots[-1].spectra if snapshots else (), start=1):
            index = np.arange(1, len(values) + 1)
            parts.append(pd.DataFrame({"layer": layer, "index": index, "value": values, "curve": _name(run)}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
