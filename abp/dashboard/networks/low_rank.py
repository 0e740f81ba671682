"""The low-rank page: a pruned network beside its dense twin reduced to the same ranks by PCA and SVD."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from abp.analysis.low_rank import METHODS as REDUCTIONS
from abp.dashboard.charts.charts import Chart, height
from abp.dashboard.charts.colours import METHODS, MUTED
from abp.dashboard.charts.widgets import download_csv, show_chart
from abp.dashboard.frame.access import operating
from abp.dashboard.frame.background import in_background
from abp.dashboard.frame.markdown import literal
from abp.dashboard.frame.page import fragment
from abp.dashboard.networks.rank_curve import explore_ranks, show_explained
from abp.runs.baselines import Baseline, Comparison, compare
from abp.runs.fine_tuning import fine_tune, fine_tuned
from abp.store.lineage import dense_twin, first_of_family, is_dense
from abp.store.records import Run, Status
from abp.store.store import Store
from abp.training.experiment import dense_settings

BEFORE, AFTER = "before fine-tuning", "after fine-tuning"
"""Columns of the comparison."""


def low_rank_view(store: Store, run: Run) -> None:
    """Everything the page shows of one run."""
    if not run.has_weights:
        st.info(
            f"This run is {run.status}. The comparison needs its final weights, which are recorded when training ends.",
            icon=":material/hourglass_empty:",
        )
        return
    twin = run if is_dense(run) else dense_twin(store, run)
    _twin_note(store, run, twin)
    work = (store.name, "comparison", run.id, twin.id if twin and twin.status == Status.FINISHED else None)
    comparison = in_background(work, lambda: compare(store, run), "Reducing the layers and testing the networks")
    if comparison is None:
        return
    place = st.container()
    after = _side_by_side(store, run, comparison)
    with place:
        _conclusion(comparison, after)
    if comparison.reducible is not None:
        names = {each.method: (title(each.method, run), _colour(each.method, run)) for each in comparison.baselines}
        explore_ranks(store, run, comparison, comparison.reducible, names)
        show_explained(comparison, comparison.reducible)


def _twin_note(store: Store, run: Run, twin: Run | None) -> None:
    """The dense network that this run is compared with, or how to train it."""
    first = first_of_family(store, run)
    if first is None:
        st.caption("The run that this one continues was deleted, so its dense twin is unknown.")
    elif twin is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(
                "PCA and SVD start from the dense network with the same settings and seed, which has not been "
                "trained yet.",
                icon=":material/help:",
            )
            if operating() and st.button("Train the dense network", type="primary", icon=":material/play_arrow:"):
                store.runs.add(dense_settings(first.experiment))
                st.rerun()
    elif twin is run:
        st.caption("Nothing was removed in this run: it is the dense network that PCA and SVD start from.")
    elif twin.status == Status.FINISHED:
        st.page_link(
            "pages/train.py",
            label=f"Dense twin: run {twin.id}, {literal(twin.name)}",
            icon=":material/compare_arrows:",
            query_params={"run": str(twin.id)},
        )
    else:
        link = {"run": str(twin.id)}
        name = f"Dense network in training: run {twin.id}"
        st.page_link("pages/train.py", label=name, icon=":material/open_in_new:", query_params=link)
        _show_progress(store, run, {"dense": twin})


def title(method: str, run: Run) -> str:
    """The name of one network of the comparison."""
    this = f"pruned (run {run.id})" if run.sparsity else f"run {run.id}"
    return {"dense": "dense", "pruned": this, **REDUCTIONS}[method]


def _colour(method: str, run: Run) -> str:
    return METHODS[{"dense": "none", "pruned": run.experiment.criterion}.get(method, method)]


def _conclusion(comparison: Comparison, after: Mapping[str, float]) -> None:
    """The result of the comparison in sentences."""
    by_method = {baseline.method: baseline for baseline in comparison.baselines}
    pruned, pca, svd = by_method.get("pruned"), by_method.get("pca"), by_method.get("svd")
    if pruned is None or pca is None or svd is None:
        return
    if all(rank >= full for rank, full in zip(comparison.ranks, _full(comparison), strict=True)):
        st.markdown(
            "The pruned network has **full rank** in every layer, so PCA and SVD of the same ranks leave the dense "
            "network unchanged."
        )
        return
    accuracies = [f"**{100 * baseline.test_accuracy:.1f} %**" for baseline in (pruned, pca, svd)]
    more = ""
    if tuple(pca.ranks) != tuple(comparison.ranks):
        more = (
            f"PCA's own ranks are {', '.join(map(str, pca.ranks))}: it takes the mean out before it reduces a layer "
            "and puts it back afterwards, which may be one direction more. "
        )
    st.markdown(
        f"The pruned network classifies {accuracies[0]} of the test pictures correctly; the dense network reduced to "
        f"the same ranks ({', '.join(map(str, comparison.ranks))}) classifies {accuracies[1]} with PCA and "
        f"{accuracies[2]} with SVD. {more}{_after_fine_tuning(after)}One run only; see Compare for several seeds."
    )


def _after_fine_tuning(after: Mapping[str, float]) -> str:
    if not {"pruned", "pca", "svd"} <= after.keys():
        return ""
    pruned, pca, svd = (f"**{100 * after[method]:.1f} %**" for method in ("pruned", "pca", "svd"))
    return f"After equally long fine-tuning the figures are {pruned}, {pca} and {svd}. "


def _full(comparison: Comparison) -> tuple[int, ...]:
    assert comparison.reducible is not None
    return comparison.reducible.full_ranks


def comparison_table(run: Run, baselines: Sequence[Baseline], after: Mapping[str, float]) -> pd.DataFrame:
    """The comparison, a row per network; `after` holds test accuracies (0 to 1) after fine-tuning, by method."""
    rows = [
        {
            "Network": title(baseline.method, run),
            "Ranks": " ".join(map(str, baseline.ranks)),
            BEFORE: 100 * baseline.test_accuracy,
            AFTER: 100 * after[baseline.method] if baseline.method in after else None,
            "Parameters": baseline.parameters,
            "FLOPs": baseline.flops,
        }
        for baseline in baselines
    ]
    table = pd.DataFrame(rows)
    return table.astype({AFTER: float})


def _side_by_side(store: Store, run: Run, comparison: Comparison) -> dict[str, float]:
    """Chart and table of the comparison; test accuracies after fine-tuning, by method."""
    st.subheader(
        "Comparison",
        anchor=False,
        help="PCA is scikit-learn's with its exact solver, fitted to each hidden matrix as in the published study; "
        "the mean is added back, so the rank can be one higher. SVD gives the nearest matrix of that rank. A "
        "low-rank layer saves work only if it is stored as two factors, and only below a certain rank; the FLOPs "
        "take this into account. During fine-tuning the layers reduced by PCA and SVD keep their ranks.",
    )
    after = _fine_tuning(store, run, comparison) if comparison.reducible and len(comparison.baselines) == 4 else {}
    table = comparison_table(run, comparison.baselines, after)
    colours = {title(each.method, run): _colour(each.method, run) for each in comparison.baselines}
    st.caption("Test accuracy of each network before and after the same number of epochs of fine-tuning.")
    show_chart(
        accuracy_bars(table, colours),
        key="low-rank-bars",
        alt="Test accuracy of each network before and after fine-tuning, as bars.",
    )
    percent, whole = st.column_config.NumberColumn(format="%.1f %%"), st.column_config.NumberColumn(format="localized")
    st.dataframe(
        table,
        hide_index=True,
        alt="Ranks, test accuracy before and after fine-tuning, parameters and FLOPs of each network.",
        column_config={BEFORE: percent, AFTER: percent, "Parameters": whole, "FLOPs": whole},
    )
    download_csv("low-rank", lambda: table)
    return after


def _fine_tuning(store: Store, run: Run, comparison: Comparison) -> dict[str, float]:
    """The button that fine-tunes all networks equally, its progress, and the test accuracies that were reached."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        epochs = st.number_input("Epochs of fine-tuning", 1, 500, 5, key=f"fine-tune-{run.id}", width=180)
        runs = fine_tuned(store, run, comparison, epochs)
        complete = len(runs) == len(comparison.baselines)
        if operating() and st.button("Fine-tune all four", icon=":material/model_training:", disabled=complete):
            fine_tune(store, run, comparison, epochs)
            st.rerun()
    active = {method: each for method, each in runs.items() if each.active}
    if active:
        _show_progress(store, run, active)
    finished = {method: each.test_accuracy for method, each in runs.items() if each.status == Status.FINISHED}
    return {method: accuracy for method, accuracy in finished.items() if accuracy is not None}


def _show_progress(store: Store, run: Run, active: Mapping[str, Run]) -> None:
    """Show the progress of runs, and redraw the page when one has ended."""

    @fragment(run_every=1.0)
    def progress() -> None:
        now = {method: store.runs.get(each.id) for method, each in active.items()}
        if not all(each.active for each in now.values()):
            st.rerun()
        states = (
            f"{title(method, run)}: {each.status}, epoch {each.epoch} of at most {each.experiment.epochs}"
            for method, each in now.items()
        )
        st.caption(f":material/sync: {' · '.join(states)}")

    progress()


def accuracy_bars(table: pd.DataFrame, colours: dict[str, str]) -> Chart:
    """Test accuracy (columns ``Network``, `BEFORE`, `AFTER` in %) as bars from zero, each with its number."""
    long = table.melt(["Network", "Ranks"], [BEFORE, AFTER], "stage", "accuracy").dropna()
    base = alt.Chart(long).encode(
        y=alt.Y("Network:N", sort=None, title=None, axis=alt.Axis(labelLimit=160, labelOverlap=False, ticks=False)),
        yOffset=alt.YOffset("stage:N", sort=[BEFORE, AFTER], scale=alt.Scale(domain=[BEFORE, AFTER])),
        x=alt.X(
            "accuracy:Q",
            title="test accuracy, %",
            scale=alt.Scale(domain=[0, 100]),
            axis=alt.Axis(tickCount=5),
        ),
    )
    bars = base.mark_bar().encode(
        color=alt.Color("Network:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=None),
        opacity=alt.Opacity(
            "stage:N",
            scale=alt.Scale(domain=[BEFORE, AFTER], range=[0.6, 1]),
            legend=alt.Legend(orient="top", title=None, symbolFillColor=MUTED),
        ),
        tooltip=[
            alt.Tooltip("Network:N"),
            alt.Tooltip("stage:N"),
            alt.Tooltip("Ranks:N"),
            alt.Tooltip("accuracy:Q", format=".2f"),
        ],
    )
    numbers = base.mark_text(align="left", dx=5, color=MUTED).encode(text=alt.Text("accuracy:Q", format=".1f"))
    return alt.layer(bars, numbers).properties(height=height(24 * len(long), legend=2))
