"""Rank reduction: a slider for the rank, the accuracy at every rank, and the variance that PCA explains."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from abp.analysis.low_rank import METHODS as REDUCTIONS
from abp.analysis.low_rank import Decomposition, Reducible, worthwhile_rank
from abp.dashboard.charts.charts import LOWEST, Chart
from abp.dashboard.charts.colours import METHODS, MUTED
from abp.dashboard.charts.widgets import chart_with_data
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.page import fragment
from abp.runs.baselines import Comparison
from abp.store.records import Run
from abp.store.store import Store

_POINTS = 8  # ranks at which a curve is computed, the run's own left out


def rank_steps(full: int, own: int) -> list[int]:
    """Ranks at which a curve is computed: dense where one rank makes a difference, and the run's own.

    >>> rank_steps(50, 26)
    [0, 1, 2, 4, 7, 14, 26, 50]
    """
    spread = {round(full ** (step / (_POINTS - 2))) for step in range(_POINTS - 1)}
    return sorted({0, min(own, full), *spread})


def ranks_at(share: float, full: Sequence[int]) -> list[int]:
    """Rank of every layer at a share of its full rank, 0 to 1."""
    return [round(share * rank) for rank in full]


def curve(reducible: Reducible, layer: int | None, own: Sequence[int]) -> pd.DataFrame:
    """Test accuracy against rank by each method: columns ``method``, ``rank``, ``accuracy`` (0 to 1).

    Parameters
    ----------
    layer
        The layer that is reduced while the others stay unchanged, from 0; None for all layers, with ``rank`` their sum.
    own
        The run's ranks; that of the layer becomes a point of its curve.
    """
    full = reducible.full_ranks
    if layer is None:
        chosen = [ranks_at(step / 100, full) for step in rank_steps(100, 100)]
    else:
        chosen = [[*full[:layer], rank, *full[layer + 1 :]] for rank in rank_steps(full[layer], own[layer])]
    rows = [
        {
            "method": REDUCTIONS[method],
            "rank": sum(ranks) if layer is None else ranks[layer],
            "accuracy": reducible.accuracy(method, ranks),
        }
        for method in REDUCTIONS
        for ranks in chosen
    ]
    return pd.DataFrame(rows).sort_values(["method", "rank"], ignore_index=True)


def explore_ranks(
    store: Store, run: Run, comparison: Comparison, reducible: Reducible, names: Mapping[str, tuple[str, str]]
) -> None:
    """A slider for the rank of one layer or of all, the accuracy at that rank, and the curve over all ranks.

    Parameters
    ----------
    names
        Title and colour of each network of the comparison, by method.
    """
    st.subheader(
        "Rank reduction",
        anchor=False,
        help="A layer of rank r keeps only the r strongest directions of its matrix. The reduced network is tested "
        "on all test pictures as soon as you move the slider.",
    )
    own = comparison.ranks
    layers = ["all layers", *(f"hidden {index + 1}" for index in range(len(own)))]
    chosen = st.segmented_control(
        "Layers to reduce", layers, default=layers[0], required=True, key=f"low-rank-layer-{run.id}"
    )
    layer = None if chosen == layers[0] else layers.index(chosen) - 1
    place = st.container()
    work = (store.name, "curve", run.id, comparison.dense, layer)
    table = in_background(work, lambda: curve(reducible, layer, own), "Testing the network at other ranks")

    @fragment(run_every=None)
    def explore() -> None:
        ranks = _chosen_ranks(run, layer, own, reducible.full_ranks)
        _accuracies(reducible, ranks)
        if table is not None:
            _curve_chart(comparison, names, table, layer, sum(ranks) if layer is None else ranks[layer])

    with place:
        explore()


def _chosen_ranks(run: Run, layer: int | None, own: Sequence[int], full: Sequence[int]) -> list[int]:
    if layer is not None:
        key = f"low-rank-{run.id}-{layer}"
        rank = st.slider(f"Rank of hidden layer {layer + 1}", 0, full[layer], min(own[layer], full[layer]), key=key)
        return [*full[:layer], rank, *full[layer + 1 :]]
    average = round(100 * sum(own) / sum(full))
    share = st.slider("Rank kept, % of full rank", 0, 100, average, key=f"low-rank-{run.id}-all")
    return ranks_at(share / 100, full)


def _accuracies(reducible: Reducible, ranks: Sequence[int]) -> None:
    with st.container(horizontal=True):
        for method, name in REDUCTIONS.items():
            accuracy = reducible.accuracy(method, ranks)
            st.metric(f"{name}, test accuracy", f"{100 * accuracy:.1f} %", border=True)
        st.metric("Ranks", " ".join(map(str, ranks)), border=True)


def _curve_chart(
    comparison: Comparison, names: Mapping[str, tuple[str, str]], table: pd.DataFrame, layer: int | None, position: int
) -> None:
    points = [
        {
            "method": names[baseline.method][0],
            "rank": sum(baseline.ranks) if layer is None else baseline.ranks[layer],
            "accuracy": baseline.test_accuracy,
        }
        for baseline in comparison.baselines
        if baseline.method not in REDUCTIONS
    ]
    colours = {name: METHODS[method] for method, name in REDUCTIONS.items()}
    colours |= {name: colour for method, (name, colour) in names.items() if method not in REDUCTIONS}
    where = "all hidden layers, ranks summed" if layer is None else f"hidden layer {layer + 1}, the others unchanged"
    chart_with_data(
        "Accuracy against rank",
        f"Test accuracy of the dense network reduced to each rank ({where}); diamonds are the networks as trained.",
        "Where a curve is flat, directions can be removed without harm. A pruned network above the curves keeps more "
        "than PCA or SVD of the same rank. The dotted line marks the position of the slider.",
        [rank_chart(table, pd.DataFrame(points), colours, position)],
        lambda: pd.concat([table, pd.DataFrame(points)], ignore_index=True),
        "accuracy-against-rank",
    )


def rank_chart(table: pd.DataFrame, points: pd.DataFrame, colours: dict[str, str], position: int) -> Chart:
    """Accuracy against rank as lines, networks as trained as points (both ``method``, ``rank``, ``accuracy``)."""
    encodings = {
        "x": alt.X("rank:Q", title="rank", axis=alt.Axis(grid=False, tickMinStep=1, tickCount=6)),
        "y": alt.Y(
            "accuracy:Q",
            title="test accuracy, %",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format="%", tickCount=5),
        ),
        "color": alt.Color(
            "method:N",
            scale=alt.Scale(domain=list(colours), range=list(colours.values())),
            legend=alt.Legend(orient="top", title=None, columns=2),
        ),
        "tooltip": [alt.Tooltip("method:N"), alt.Tooltip("rank:Q"), alt.Tooltip("accuracy:Q", format=".2%")],
    }
    lines = alt.Chart(table).mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=18)).encode(**encodings)
    dots = alt.Chart(points).mark_point(size=110, filled=True, shape="diamond", opacity=1).encode(**encodings)
    here = (
        alt.Chart(pd.DataFrame({"rank": [position]}))
        .mark_rule(color=MUTED, strokeDash=[2, 3])
        .encode(x=alt.X("rank:Q"))
    )
    return alt.layer(here, lines, dots).properties(height=320)


def explained(layers: Sequence[Decomposition], own: Sequence[int]) -> pd.DataFrame:
    """Cumulative explained variance: columns ``layer``, ``component``, ``share`` (0 to 1), ``own`` (the run's rank)."""
    parts = []
    for layer, decomposition in enumerate(layers):
        shares = decomposition.explained
        component = range(1, len(shares) + 1)
        parts.append(pd.DataFrame({"layer": layer + 1, "component": component, "share": shares, "own": own[layer]}))
    return pd.concat(parts, ignore_index=True)


def show_explained(comparison: Comparison, reducible: Reducible) -> None:
    """The cumulative explained variance of every layer."""
    table = explained(reducible.decompositions["pca"], comparison.ranks)
    shapes = [weight.shape for weight in reducible.network.weights[:-1]]
    worth = ", ".join(str(worthwhile_rank(*shape)) for shape in shapes)
    chart_with_data(
        "Variance explained by PCA",
        "Share of each dense layer's variance that its first components explain; the dotted line is this run's rank.",
        "The steeper the curve, the fewer directions the layer uses. A layer stored as two factors saves work only "
        f"up to rank {worth}.",
        [scree(part) for _, part in table.groupby("layer")],
        lambda: table,
        "explained-variance",
    )


def scree(table: pd.DataFrame) -> Chart:
    """One layer's cumulative explained variance (columns of `explained`)."""
    line = (
        alt.Chart(table)
        .mark_line(color=METHODS["pca"], strokeWidth=2)
        .encode(
            x=alt.X("component:Q", title="components", axis=alt.Axis(grid=False, tickCount=4)),
            y=alt.Y(
                "share:Q",
                title="variance explained, %",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", tickCount=5),
            ),
            tooltip=[alt.Tooltip("layer:Q"), alt.Tooltip("component:Q"), alt.Tooltip("share:Q", format=".1%")],
        )
    )
    own = alt.Chart(table.head(1)).mark_rule(color=MUTED, strokeDash=[2, 3], strokeWidth=1.5).encode(x=alt.X("own:Q"))
    return alt.layer(own, line).properties(height=LOWEST)
