"""A part of the spectra page: the final network's singular values against chance."""

import pandas as pd
import streamlit as st
import torch

from abp.analysis.chance import Chance, against_chance, explanation
from abp.dashboard.charts.widgets import download_csv
from abp.dashboard.frame.background import in_background
from abp.store.records import Run
from abp.store.snapshots import final_network
from abp.store.store import Store


def chance_section(store: Store, run: Run) -> None:
    """What of the final network's spectra its weights in random places, or random weights, would show too."""
    if run.active or not run.has_weights:
        return
    st.subheader(
        "Against chance",
        anchor=False,
        help="Shuffled: the same weights in random order in the places that are left; those that are zero count as "
        "removed. Edge: the largest singular value expected of random weights (Marchenko & Pastur); where shuffled "
        "weights exceed it by a tenth, as those of sparse layers do, it fits poorly. Tail: exponent of a power law "
        "fitted to the largest squared values, where there are fifty and the package powerlaw is installed; the "
        "smaller the distance, the better the fit.",
    )
    layers = in_background((store.name, "chance", run.id), lambda: _layers(store, run), "Comparing with chance")
    if layers is None:
        return
    st.caption(explanation(layers))
    table = chance_table(layers)
    st.dataframe(table, hide_index=True, alt="Rank, largest singular value and edge of each layer against chance.")
    download_csv("against-chance", lambda: chance_curves(layers))


def _layers(store: Store, run: Run) -> list[Chance]:
    network = final_network(store, run)
    assert network is not None
    generator = torch.Generator().manual_seed(0)
    return [against_chance(weight, generator) for weight in network.weights[:-1]]


def chance_table(layers: list[Chance]) -> pd.DataFrame:
    """A row per layer."""
    return pd.DataFrame(
        [
            {
                "Layer": number,
                "Rank": layer.rank,
                "Rank, shuffled": layer.shuffled_rank,
                "Largest value": float(layer.values.max(initial=0)),
                "Largest, shuffled": float(layer.shuffled.max(initial=0)),
                "Edge": layer.edge,
                "Values above": layer.above,
                "Fit of the edge": "poor" if layer.poor else "good",
                "Tail exponent": None if layer.tail is None else layer.tail.alpha,
                "Tail distance": None if layer.tail is None else layer.tail.distance,
            }
            for number, layer in enumerate(layers, start=1)
        ]
    )


def chance_curves(layers: list[Chance]) -> pd.DataFrame:
    """Every singular value with that of shuffled weights: columns ``layer, index, value, shuffled, edge``."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "layer": number,
                    "index": range(1, len(layer.values) + 1),
                    "value": layer.values,
                    "shuffled": layer.shuffled,
                    "edge": layer.edge,
                }
            )
            for number, layer in enumerate(layers, start=1)
        ],
        ignore_index=True,
    )
