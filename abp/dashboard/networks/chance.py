"""A part of the spectra page: a network's singular values against chance."""

from collections.abc import Mapping

import altair as alt
import pandas as pd
import streamlit as st

from abp.analysis.chance import Chance, explanation, matrices_against_chance
from abp.dashboard.charts.charts import Chart
from abp.dashboard.charts.colours import METHODS, MUTED, distinct
from abp.dashboard.charts.legend import legend, line_png
from abp.dashboard.charts.widgets import chart_with_data, download_csv
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.markdown import literal
from abp.dashboard.networks.spectrum_chart import spectrum_chart
from abp.store.records import Run
from abp.store.snapshots import final_network
from abp.store.store import Store

Layers = Mapping[str, Chance] | Mapping[int, Chance]

_SHUFFLED = "weights in random order"
_DASHES = [[3, 3], [1, 0]]  # of shuffled weights, and of the layer's own
_EDGE_DASH = [8, 2, 2, 2]


def chance_section(store: Store, run: Run, *, log: bool) -> None:
    """What of the final network's spectra its weights in random places, or random weights, would show too."""
    if run.active or not run.has_weights:
        return
    layers = in_background((store.name, "chance", run.id), lambda: _layers(store, run), "Comparing with chance")
    if layers is not None:
        show_chance(layers, "at the end", METHODS[run.experiment.criterion], log=log)


def _layers(store: Store, run: Run) -> dict[int, Chance]:
    network = final_network(store, run)
    assert network is not None
    return dict(enumerate(matrices_against_chance(network.weights[:-1]), start=1))


def show_chance(layers: Layers, curve: str, colour: str, *, log: bool) -> None:
    """Each layer's singular values beside those of its shuffled weights, and a table of what follows.

    Parameters
    ----------
    layers
        By their names, or the numbers of hidden layers.
    curve, colour
        Of the layers' own values.
    """
    colours = distinct({_SHUFFLED: MUTED, curve: colour})
    lines = [(line_png(colours[name], dash), 40, name) for name, dash in zip(colours, _DASHES, strict=True)]
    fitting = any(layer.edge and not layer.poor for layer in layers.values())
    if fitting:
        lines.append((line_png(MUTED, _EDGE_DASH), 40, "edge of random weights"))
    values = chance_curves(layers)
    chart_with_data(
        "Against chance",
        "Each chart shows one layer's singular values, largest first, beside those of the same weights in random order"
        + (", and the edge: the largest that is expected of random weights." if fitting else "."),
        "In random order: in the places that are left; weights that are zero count as removed. Edge: the largest "
        "singular value expected of random weights (Marchenko & Pastur); where shuffled weights exceed it by a tenth, "
        "as those of sparse layers do, it fits poorly and is not drawn. Each chart has a scale of its own. Of layers "
        "with more than 500 values only some are drawn; the CSV contains all of them.",
        [chance_chart(part, colours, log=log) for _, part in values.groupby("layer", sort=False)],
        lambda: values,
        "against-chance",
        legend=lambda: legend(lines),
        headings=[literal(name) for name in layers if isinstance(name, str)],
    )
    st.caption(
        explanation(list(layers.values())),
        help="Tail: exponent of a power law fitted to the largest squared values, where there are fifty and the "
        "package powerlaw is installed; the smaller the distance, the better the fit.",
    )
    table = chance_table(layers)
    st.dataframe(table, hide_index=True, alt="Rank, largest singular value and edge of each layer against chance.")
    download_csv("ranks-against-chance", lambda: table)


def chance_chart(values: pd.DataFrame, colours: dict[str, str], *, log: bool) -> Chart:
    """One layer's rows of `chance_curves`: its own values, those of its shuffled weights, the edge where that fits."""
    shuffled, own = colours
    named = values.rename(columns={"shuffled": shuffled, "value": own})
    curves = named.melt(["layer", "index"], [shuffled, own], "curve", "value")
    edge = values[(values["fit"] == "good") & (values["edge"] > 0)][:1]
    highest = float(max(curves["value"].max(), edge["edge"].max() if len(edge) else 0.0))
    chart = spectrum_chart(curves, colours, log=log, highest=highest, dashed=_DASHES)
    rule = alt.Chart(edge).mark_rule(color=MUTED, strokeDash=_EDGE_DASH)
    rule = rule.encode(y=alt.Y("edge:Q", title="singular value"), tooltip=[alt.Tooltip("edge:Q", format=".5g")])
    return alt.layer(rule, chart) if len(edge) else chart


def chance_table(layers: Layers) -> pd.DataFrame:
    """A row per layer."""
    return pd.DataFrame(
        [
            {
                "Layer": name,
                "Size": f"{layer.shape[0]:,} × {layer.shape[1]:,}",
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
            for name, layer in layers.items()
        ]
    )


def chance_curves(layers: Layers) -> pd.DataFrame:
    """Every singular value with that of shuffled weights: columns ``layer, index, value, shuffled, edge, fit``."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "layer": name,
                    "index": range(1, len(layer.values) + 1),
                    "value": layer.values,
                    "shuffled": layer.shuffled,
                    "edge": layer.edge,
                    "fit": "poor" if layer.poor else "good",
                }
            )
            for name, layer in layers.items()
        ],
        ignore_index=True,
    )
