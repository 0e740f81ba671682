"""The neurons of the first hidden layer on a sheet: the pattern that each of them prefers."""

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from abp.dashboard.charts.images import sheet_png
from abp.dashboard.charts.widgets import download_csv, picture, show_chart
from abp.dashboard.networks.cache import limits_of
from abp.dashboard.networks.neuron import column_bars
from abp.dashboard.networks.samples import weights_of_columns
from abp.data.datasets import DATASETS
from abp.store.records import Run
from abp.store.snapshots import Snapshot
from abp.store.store import Store

_SHEET = 96  # neurons on one sheet
_BARS, _COLUMNS = 6, 12  # neurons drawn as bars, and bars of each
_ORDERS = {
    "activation frequency": "Frequency",
    "norm": "Norm",
    "live weights": "Live weights",
    "number": "Neuron",
}


def neuron_sheet(store: Store, run: Run, snapshot: Snapshot, frequencies: NDArray) -> None:
    """The pattern that each neuron of the first hidden layer prefers, as pictures.

    Parameters
    ----------
    frequencies
        Of the first layer, ``[epochs, neurons]``.
    """
    if snapshot.network is None:
        return
    st.subheader(
        "Patterns of the first layer",
        anchor=False,
        help="Each picture shows the incoming weights of one neuron, each in the place of its pixel. The activation "
        "frequency is the share of training pictures for which the neuron fired, up to this moment.",
    )
    if not DATASETS[run.experiment.dataset].is_table:
        st.caption(
            "Each square is a neuron of the first hidden layer: it fires for pictures that are bright in its orange "
            "places and dark in its blue ones."
        )
    table = neuron_table(snapshot, frequencies[: snapshot.moment.epoch])
    removed = int((table["Live weights"] == 0).sum())
    if removed == len(table):
        st.caption("All neurons of this layer are removed.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        order = st.selectbox("Sort by", list(_ORDERS), key="sheet-order", width=220)
        pages = -(-(len(table) - removed) // _SHEET)
        page = st.number_input(
            f"Sheet (of {pages})", 1, pages, key=f"sheet-{run.id}-{pages}", width=160, disabled=pages == 1
        )
    ordered = sorted_neurons(table, order)
    alive = ordered[ordered["Live weights"] > 0]
    part = alive[(page - 1) * _SHEET : page * _SHEET]
    places = part["Neuron"].to_numpy() - 1
    record = DATASETS[run.experiment.dataset]
    if record.is_table:
        _bars(run, snapshot, places[:_BARS])
        download_csv("first-neurons", lambda: ordered)
        return
    shape = (len(places), *record.shape)
    png = sheet_png(
        snapshot.network.weights[0].numpy()[places].reshape(shape),
        snapshot.masks[0].numpy()[places].reshape(shape),
        [str(number) for number in part["Neuron"]],
        limits_of(store, run)[0],
    )
    words = f"Neurons {(page - 1) * _SHEET + 1:,} to {(page - 1) * _SHEET + len(part):,} of {len(alive):,}, by {order}"
    words += f"; {removed:,} of {len(table):,} are removed and not shown." if removed else "."
    picture(png, caption=words, alt=f"Incoming weights of the first layer's neurons as pictures. {words}")
    download_csv("first-neurons", lambda: ordered)


def _bars(run: Run, snapshot: Snapshot, places: NDArray) -> None:
    """The first of the chosen neurons of a network that learned a table: bars of named columns."""
    assert snapshot.network is not None
    st.caption(
        f"The first {len(places)} of them: each fires for rows above the average in its orange columns and below it "
        "in its blue ones. *Single neuron* shows any other."
    )
    for start in range(0, len(places), 3):
        for place, column in zip(places[start : start + 3], st.columns(3), strict=False):
            weights, kept = snapshot.network.weights[0][place].numpy(), snapshot.masks[0][place].numpy()
            table = weights_of_columns(run.experiment.dataset, weights, kept)
            shown = table.sort_values("weight", key=abs, ascending=False, kind="stable").head(_COLUMNS)
            with column:
                st.markdown(f"**Neuron {place + 1}**" + ("" if kept.any() else " · dead"))
                words = ", ".join(f"{row.input} {row.weight:+.2f}" for row in shown.head(5).itertuples())
                show_chart(
                    column_bars(shown),
                    key=f"bars-{place}",
                    alt=f"Incoming weights of neuron {place + 1}, the strongest first: {words}.",
                )


def neuron_table(snapshot: Snapshot, frequencies: NDArray) -> pd.DataFrame:
    """The first layer's neurons, a row each: number (from 1), frequency up to now, norm and number of live weights."""
    assert snapshot.network is not None
    neurons = len(snapshot.masks[0])
    return pd.DataFrame(
        {
            "Neuron": np.arange(1, neurons + 1),
            "Frequency": frequencies.mean(axis=0) if len(frequencies) else np.zeros(neurons),
            "Norm": snapshot.network.weights[0].norm(dim=1).numpy(),
            "Live weights": snapshot.masks[0].sum(dim=1).numpy(),
        }
    )


def sorted_neurons(table: pd.DataFrame, order: str) -> pd.DataFrame:
    """A `neuron_table` with the highest first (by number: the lowest), and dead neurons last."""
    column = _ORDERS[order]
    keys = pd.DataFrame({"dead": table["Live weights"] == 0, "by": table[column] * (1 if order == "number" else -1)})
    return table.loc[keys.sort_values(["dead", "by"], kind="stable").index]
