"""The low-rank page: a pruned network beside what PCA and SVD of the same ranks make of its dense twin."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from abp.analysis.low_rank import METHODS as REDUCTIONS
from abp.analysis.low_rank import Decomposition, Reducible, worthwhile_rank
from abp.runs.baselines import Baseline, Comparison, compare, dense_settings, dense_twin, first_of_family, is_dense
from abp.runs.records import Run
from abp.runs.store import Store
from abp.view.background import in_background
from abp.view.charts import Chart
from abp.view.colours import METHODS, MUTED
from abp.view.page import fragment
from abp.view.parts import chart_with_data

_POINTS = 10  # ranks at which a curve is computed, the run's own left out


def low_rank_view(store: Store, run: Run) -> None:
    """Everything the page shows of one run."""
    if run.status not in ("finished", "stopped") or run.started is None:
        st.info(
            f"This run is {run.status}. The comparison needs its final weights, which are recorded when it ends.",
            icon=":material/hourglass_empty:",
        )
        return
    twin = run if is_dense(run) else dense_twin(store, run)
    _twin_note(store, run, twin)
    work = (str(store.path), "comparison", run.id, twin.id if twin and twin.status == "finished" else None)
    comparison = in_background(work, lambda: compare(store, run), "Reducing the layers and testing them")
    if comparison is None:
        return
    _sentence(comparison)
    _comparison_chart(run, comparison)
    if comparison.reducible is not None:
        _explorer(store, run, comparison, comparison.reducible)
        _explained(comparison, comparison.reducible)


def _twin_note(store: Store, run: Run, twin: Run | None) -> None:
    """Which dense network this run is compared with, or how to get it."""
    first = first_of_family(store, run)
    if first is None:
        st.caption("The run that this one continues was deleted, so its dense twin is not known.")
    elif twin is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(
                "PCA and SVD start from the dense network of the same settings and seed, which is not trained yet.",
                icon=":material/help:",
            )
            if st.button("Train the dense network", type="primary", icon=":material/play_arrow:"):
                store.add_run(dense_settings(first.experiment))
                st.rerun()
    elif twin is run:
        st.caption("Nothing was removed from this run: it is the dense network that PCA and SVD start from.")
    elif twin.status == "finished":
        st.page_link(
            "pages/train.py",
            label=f"Compared with its dense twin: run {twin.id}, {twin.name}",
            icon=":material/compare_arrows:",
            query_params={"run": str(twin.id)},
        )
    else:
        _follow_twin(store, twin)


def _follow_twin(store: Store, twin: Run) -> None:
    """Show how far the dense twin is, and draw the page anew when it has ended."""

    @fragment(run_every=1.0)
    def progress() -> None:
        now = store.run(twin.id)
        if not now.active:
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                "pages/train.py",
                label=f"The dense network is being trained: run {now.id}, {now.status}, epoch {now.epoch}",
                icon=":material/sync:",
                query_params={"run": str(now.id)},
            )

    progress()


def title(method: str, run: Run) -> str:
    """What people call one network of the comparison."""
    this = f"{'pruned ' if run.sparsity else ''}(run {run.id})"
    return {"dense": "dense", "pruned": this, **REDUCTIONS}[method]


def _colour(method: str, run: Run) -> str:
    return METHODS[{"dense": "none", "pruned": run.experiment.criterion}.get(method, method)]


def _sentence(comparison: Comparison) -> None:
    """What the comparison shows, in plain words."""
    by_method = {baseline.method: baseline for baseline in comparison.baselines}
    pruned, pca, svd = by_method.get("pruned"), by_method.get("pca"), by_method.get("svd")
    if pruned is None or pca is None or svd is None:
        return
    if all(rank >= full for rank, full in zip(comparison.ranks, _full(comparison), strict=True)):
        st.markdown(
            "The pruned network has **full rank** in every layer: there is nothing for PCA or SVD to cut, and they "
            "leave the dense network as it is."
        )
        return
    accuracies = [f"**{100 * baseline.test_accuracy:.1f} %**" for baseline in (pruned, pca, svd)]
    st.markdown(
        f"Of the test pictures the pruned network tells apart {accuracies[0]}; the dense network cut to the same ranks "
        f"({', '.join(map(str, comparison.ranks))}) tells apart {accuracies[1]} by PCA and {accuracies[2]} by SVD. "
        "This is one run: another seed may differ by as much."
    )


def _full(comparison: Comparison) -> tuple[int, ...]:
    assert comparison.reducible is not None
    return comparison.reducible.full_ranks


def comparison_table(run: Run, baselines: Sequence[Baseline]) -> pd.DataFrame:
    """The comparison, a row per network."""
    rows = [
        {
            "Network": title(baseline.method, run),
            "Ranks": " ".join(map(str, baseline.ranks)),
            "Test accuracy": 100 * baseline.test_accuracy,
            "Parameters": baseline.parameters,
            "FLOPs": baseline.flops,
        }
        for baseline in baselines
    ]
    return pd.DataFrame(rows)


def _comparison_chart(run: Run, comparison: Comparison) -> None:
    table = comparison_table(run, comparison.baselines)
    colours = {title(each.method, run): _colour(each.method, run) for each in comparison.baselines}
    chart_with_data(
        "Side by side",
        "Test accuracy of each network, without any training after the cut.",
        "PCA is scikit-learn's, fitted on each hidden matrix as the published study does, by its exact solver; its "
        "mean is added back, so its rank can be one higher. SVD is the nearest matrix of that rank. A layer of low "
        "rank takes less work only if it is stored as two factors, and only below a certain rank; FLOPs count that.",
        [accuracy_bars(table, colours)],
        lambda: table,
        "low-rank",
    )
    st.dataframe(
        table,
        hide_index=True,
        alt="Ranks, test accuracy, parameters and FLOPs of each network.",
        column_config={
            "Test accuracy": st.column_config.NumberColumn(format="%.1f %%"),
            "Parameters": st.column_config.NumberColumn(format="localized"),
            "FLOPs": st.column_config.NumberColumn(format="localized"),
        },
    )


def accuracy_bars(table: pd.DataFrame, colours: dict[str, str]) -> Chart:
    """Test accuracy (columns ``Network``, ``Test accuracy`` in %) as bars from zero, each with its number."""
    base = alt.Chart(table).encode(
        y=alt.Y("Network:N", sort=None, title=None, axis=alt.Axis(labelLimit=160, labelOverlap=False, ticks=False)),
        x=alt.X(
            "Test accuracy:Q", title="test accuracy, %", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5)
        ),
    )
    bars = base.mark_bar(height=20).encode(
        color=alt.Color("Network:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=None),
        tooltip=["Network:N", "Ranks:N", alt.Tooltip("Test accuracy:Q", format=".2f")],
    )
    numbers = base.mark_text(align="right", dx=-5, color="#111", fontWeight="bold").encode(
        text=alt.Text("Test accuracy:Q", format=".1f")
    )
    return alt.layer(bars, numbers).properties(height=alt.Step(30))


# The explorer


def rank_steps(full: int, own: int) -> list[int]:
    """Ranks at which a curve is computed: close together where a rank more makes a difference, and the run's own.

    >>> rank_steps(50, 26)
    [0, 1, 2, 3, 4, 7, 12, 19, 26, 31, 50]
    """
    spread = {round(full ** (step / (_POINTS - 2))) for step in range(_POINTS - 1)}
    return sorted({0, min(own, full), *spread})


def ranks_at(share: float, full: Sequence[int]) -> list[int]:
    """Ranks of all layers together at a share of their full ranks, 0 to 1."""
    return [round(share * rank) for rank in full]


def curve(reducible: Reducible, layer: int | None, own: Sequence[int]) -> pd.DataFrame:
    """Test accuracy against rank by each method: columns ``method``, ``rank``, ``accuracy`` (0 to 1).

    Parameters
    ----------
    layer
        The one that is reduced while the others stay whole, from 0; None for all together, when ``rank`` is the sum.
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


def _explorer(store: Store, run: Run, comparison: Comparison, reducible: Reducible) -> None:
    st.subheader(
        "How far can a layer be cut?",
        anchor=False,
        help="A layer of rank r keeps only the r strongest directions of its matrix. Move the slider: the reduced "
        "network is tested at once on all test pictures.",
    )
    own = comparison.ranks
    names = ["all layers", *(f"hidden {index + 1}" for index in range(len(own)))]
    chosen = st.segmented_control("Cut", names, default=names[0], required=True, key=f"low-rank-layer-{run.id}")
    layer = None if chosen == names[0] else names.index(chosen) - 1
    place = st.container()
    work = (str(store.path), "curve", run.id, comparison.dense, layer)
    table = in_background(work, lambda: curve(reducible, layer, own), "Testing the network at other ranks")

    @fragment(run_every=None)
    def explore() -> None:
        ranks = _chosen_ranks(run, layer, own, reducible.full_ranks)
        _accuracies(reducible, ranks)
        if table is not None:
            _curve_chart(run, comparison, table, layer, sum(ranks) if layer is None else ranks[layer])

    with place:
        explore()


def _chosen_ranks(run: Run, layer: int | None, own: Sequence[int], full: Sequence[int]) -> list[int]:
    if layer is not None:
        key = f"low-rank-{run.id}-{layer}"
        rank = st.slider(f"Rank of hidden {layer + 1}", 0, full[layer], min(own[layer], full[layer]), key=key)
        return [*full[:layer], rank, *full[layer + 1 :]]
    average = round(100 * sum(own) / sum(full))
    share = st.slider("Share of the full ranks, %", 0, 100, average, key=f"low-rank-{run.id}-all")
    return ranks_at(share / 100, full)


def _accuracies(reducible: Reducible, ranks: Sequence[int]) -> None:
    with st.container(horizontal=True):
        for method, name in REDUCTIONS.items():
            accuracy = reducible.accuracy(method, ranks)
            st.metric(f"{name}, test accuracy", f"{100 * accuracy:.1f} %", border=True)
        st.metric("Ranks", " ".join(map(str, ranks)), border=True)


def _curve_chart(run: Run, comparison: Comparison, table: pd.DataFrame, layer: int | None, position: int) -> None:
    points = []
    for baseline in comparison.baselines:
        if baseline.method in ("dense", "pruned"):
            rank = sum(baseline.ranks) if layer is None else baseline.ranks[layer]
            points.append({"method": title(baseline.method, run), "rank": rank, "accuracy": baseline.test_accuracy})
    colours = {name: METHODS[method] for method, name in REDUCTIONS.items()}
    colours |= {title(method, run): _colour(method, run) for method in ("dense", "pruned")}
    where = "all hidden layers, summed" if layer is None else f"hidden layer {layer + 1}, the others whole"
    chart_with_data(
        "Accuracy against rank",
        f"Test accuracy of the dense network cut to each rank ({where}); dots are the networks as trained.",
        "Where a curve is flat, directions can go without harm. A pruned network above the curves keeps more than PCA "
        "or SVD of the same rank could. The dotted line is where the slider stands.",
        [rank_chart(table, pd.DataFrame(points), colours, position)],
        lambda: pd.concat([table, pd.DataFrame(points)], ignore_index=True),
        "accuracy-against-rank",
    )


def rank_chart(table: pd.DataFrame, points: pd.DataFrame, colours: dict[str, str], position: int) -> Chart:
    """Accuracy against rank as lines, networks as trained as points (both ``method``, ``rank``, ``accuracy``)."""
    shown = {name: colour for name, colour in colours.items() if name in {*table["method"], *points["method"]}}
    encodings = {
        "x": alt.X("rank:Q", title="rank", axis=alt.Axis(grid=False, tickMinStep=1, tickCount=6)),
        "y": alt.Y("accuracy:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
        "color": alt.Color(
            "method:N",
            scale=alt.Scale(domain=list(shown), range=list(shown.values())),
            legend=alt.Legend(orient="top", title=None, columns=2),
        ),
        "tooltip": ["method:N", "rank:Q", alt.Tooltip("accuracy:Q", format=".2%")],
    }
    lines = alt.Chart(table).mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=18)).encode(**encodings)
    dots = alt.Chart(points).mark_point(size=110, filled=True, shape="diamond", opacity=1).encode(**encodings)
    here = alt.Chart(pd.DataFrame({"rank": [position]})).mark_rule(color=MUTED, strokeDash=[2, 3]).encode(x="rank:Q")
    return alt.layer(here, lines, dots).properties(height=320)


# Explained variance


def explained(layers: Sequence[Decomposition], own: Sequence[int]) -> pd.DataFrame:
    """Cumulative explained variance: columns ``layer``, ``component``, ``share`` (0 to 1), ``own`` (the run's rank)."""
    parts = []
    for layer, decomposition in enumerate(layers):
        shares = decomposition.explained
        component = range(1, len(shares) + 1)
        parts.append(pd.DataFrame({"layer": layer + 1, "component": component, "share": shares, "own": own[layer]}))
    return pd.concat(parts, ignore_index=True)


def _explained(comparison: Comparison, reducible: Reducible) -> None:
    table = explained(reducible.decompositions["pca"], comparison.ranks)
    shapes = [weight.shape for weight in reducible.weights[:-1]]
    worth = ", ".join(str(worthwhile_rank(*shape)) for shape in shapes)
    chart_with_data(
        "How much variance PCA keeps",
        "Share of each dense layer's variance that its first components explain; the dotted line is this run's rank.",
        "The steeper the curve, the fewer directions the layer uses. A layer as two factors saves work only up to rank "
        f"{worth}.",
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
            y=alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
            tooltip=["layer:Q", "component:Q", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    own = alt.Chart(table.head(1)).mark_rule(color=MUTED, strokeDash=[2, 3], strokeWidth=1.5).encode(x="own:Q")
    return alt.layer(own, line).properties(height=200)
