"""Charts and tables of a study: one colour per criterion, a dot per run, and bold means with 95 % intervals."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from abp.analysis.claims import Verdict
from abp.analysis.paired_statistics import signed, t_interval
from abp.dashboard.charts.charts import Chart, height
from abp.dashboard.charts.colours import METHODS, distinct
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.studies.specification import DENSE

COSTS = {"flops": "FLOPs", "parameters": "parameters", "rank": "sum of ranks"}
"""The measures of cost against which accuracy can be drawn."""


def method(criterion: str, nuclear: float = 0.0) -> str:
    """The name of a criterion in a study."""
    if nuclear:
        return f"nuclear norm {nuclear:g}"
    return "dense" if criterion == DENSE else CRITERIA[criterion].title


def percent(share: float) -> str:
    """A share in per cent, which stays on one line.

    >>> percent(0.8).replace(chr(0xA0), "_")
    '80_%'
    """
    return f"{100 * share:g}\u00a0%"


def named(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs with the name of their ``method``."""
    names = [method(*pair) for pair in zip(runs["criterion"], runs["nuclear"], strict=True)]
    columns = ["dataset", "method", "criterion", "amount", "seed", "run", "sparsity", "test_accuracy"]
    return runs.assign(method=names)[columns]


def _shades(table: pd.DataFrame) -> alt.Scale:
    shades = {method(criterion): colour for criterion, colour in METHODS.items() if criterion in CRITERIA}
    shown = distinct({name: shades.get(name) for name in table["method"].unique()})
    return alt.Scale(domain=list(shown), range=list(shown.values()))


def _colour(table: pd.DataFrame) -> alt.Color:
    return alt.Color(
        "method:N",
        scale=_shades(table),
        legend=alt.Legend(orient="top", title=None, columns=2, labelLimit=150, symbolOpacity=1),
    )


def _span(values: pd.Series) -> alt.Scale:
    """A scale that covers all values with a small margin."""
    spread = max(float(values.max() - values.min()), 0.01)
    domain = [float(values.min()) - 0.1 * spread, min(1.0, float(values.max()) + 0.1 * spread)]
    return alt.Scale(domain=domain, nice=False, zero=False)


def _accuracy(field: str, values: pd.Series, title: str = "test accuracy, %") -> alt.Y:
    return alt.Y(field, title=title, scale=_span(values), axis=alt.Axis(format=".1%", tickCount=6))


def accuracies(runs: pd.DataFrame) -> Chart:
    """Test accuracy (columns of `named`): against sparsity, or by method where one or two amounts make no curve."""
    return trade_off(runs) if _amounts(runs) > 2 else by_method(runs)


def accuracies_title(runs: pd.DataFrame) -> str:
    """What `accuracies` shows of these runs."""
    return "Accuracy and sparsity" if _amounts(runs) > 2 else "Accuracy by method"


def _amounts(runs: pd.DataFrame) -> int:
    return runs.loc[runs["amount"] > 0, "amount"].nunique()


def by_method(runs: pd.DataFrame) -> Chart:
    """Test accuracy of each method (columns of `named`): a dot per run, the mean and its interval.

    A row is a method, or a method at one amount where there are several, those of one amount together.
    """
    axis = alt.Axis(format=".1%", tickCount=6)
    x = alt.X("test_accuracy:Q", title="test accuracy, %", scale=_span(runs["test_accuracy"]), axis=axis)
    y = alt.Y("row:N", title=None, sort=None, axis=alt.Axis(labelLimit=220, ticks=False, labelOverlap=False))
    colour = alt.Color("method:N", scale=_shades(runs), legend=None)
    tooltip: list[Any] = [
        alt.Tooltip("row:N", title="method"),
        alt.Tooltip("seed:Q"),
        alt.Tooltip("run:Q"),
        alt.Tooltip("test_accuracy:Q", format=".2%"),
    ]
    rows = _rows(runs)
    dots = alt.Chart(rows).mark_circle(size=40, opacity=0.4).encode(x=x, y=y, color=colour, tooltip=tooltip)
    base = alt.Chart(_rows(_within(means(runs), runs))).encode(y=y, color=colour, tooltip=_INTERVAL)
    bars = base.mark_rule(strokeWidth=3, clip=True).encode(x=alt.X("shown_low:Q"), x2=alt.X2("shown_high:Q"))
    points = base.mark_point(size=110, filled=True, opacity=1, shape="diamond").encode(x=alt.X("mean:Q"))
    each = 34 if _amounts(runs) == 1 else 24
    return alt.layer(dots, bars, points).properties(height=height(each * rows["row"].nunique()))


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the name of each ``row``, in the order of the amounts."""
    several = _amounts(table) > 1
    pairs = zip(table["method"], table["amount"], strict=True)
    names = [f"{percent(amount)}, {name}" if several and amount else name for name, amount in pairs]
    return table.assign(row=names).sort_values("amount", kind="stable")


_INTERVAL: list[Any] = [
    alt.Tooltip("method:N"),
    alt.Tooltip("mean:Q", format=".2%"),
    alt.Tooltip("low:Q", format=".2%"),
    alt.Tooltip("high:Q", format=".2%"),
    alt.Tooltip("seeds:Q"),
]


def trade_off(runs: pd.DataFrame) -> Chart:
    """Test accuracy against sparsity (columns of `named`): dots, means and intervals."""
    y = _accuracy("test_accuracy:Q", runs["test_accuracy"])
    x = alt.X(
        "sparsity:Q", title="weights removed, %", axis=alt.Axis(format="%", grid=False), scale=alt.Scale(zero=False)
    )
    colour = _colour(runs)
    tooltip: list[Any] = [
        alt.Tooltip("method:N"),
        alt.Tooltip("seed:Q"),
        alt.Tooltip("run:Q"),
        alt.Tooltip("sparsity:Q", format=".1%"),
        alt.Tooltip("test_accuracy:Q", format=".2%"),
    ]
    dots = alt.Chart(runs).mark_circle(size=36, opacity=0.45).encode(x=x, y=y, color=colour, tooltip=tooltip)
    table = _within(means(runs), runs)
    base = alt.Chart(table).encode(x=x, color=colour)
    line = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("mean:Q"))
    bars = base.mark_rule(strokeWidth=2.5, clip=True).encode(
        y=alt.Y("shown_low:Q"), y2=alt.Y2("shown_high:Q"), tooltip=_INTERVAL
    )
    points = base.mark_point(size=90, filled=True, opacity=1, shape="diamond").encode(
        y=alt.Y("mean:Q"), tooltip=_INTERVAL
    )
    return alt.layer(dots, line, bars, points).properties(height=height(320, legend=runs["method"].nunique()))


def _within(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Intervals (columns of `means`) as far as the axis goes: a wide one would run over the names beside the plot."""
    least, most = _span(runs["test_accuracy"]).domain
    bounds = table[["low", "high"]].astype(float).clip(least, most)
    return table.assign(shown_low=bounds["low"], shown_high=bounds["high"])


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean test accuracy with its 95 % interval per method and amount; no interval of a single seed.

    It is no narrower than the test set's resolution.
    """
    rows = []
    for (dataset, name, amount), part in runs.groupby(["dataset", "method", "amount"], sort=False):
        interval = t_interval(part["test_accuracy"].tolist(), least=1 / (2 * DATASETS[dataset].test_samples))
        rows.append(
            {
                "method": name,
                "amount": amount,
                "sparsity": part["sparsity"].mean(),
                "mean": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "seeds": interval.n,
            }
        )
    return pd.DataFrame(rows)


def over_epochs(histories: pd.DataFrame) -> Chart:
    """Validation accuracy over the epochs: a thin line per run, a bold mean per method while all its runs train."""
    x = alt.X("epoch:Q", axis=alt.Axis(grid=False, tickMinStep=1))
    y = _accuracy(
        "accuracy:Q", histories["accuracy"].clip(lower=histories["accuracy"].quantile(0.1)), "validation accuracy, %"
    )
    colour = _colour(histories)
    thin = (
        alt.Chart(histories)
        .mark_line(strokeWidth=0.8, opacity=0.35, clip=True)
        .encode(x=x, y=y, color=colour, detail=alt.Detail("run:N"))
    )
    together = histories.merge(
        histories.groupby(["method", "run"])["epoch"].max().groupby("method").min().rename("shortest"), on="method"
    )
    together = together[together["epoch"] <= together["shortest"]]
    mean = together.groupby(["method", "epoch"], as_index=False)["accuracy"].mean()
    bold = (
        alt.Chart(mean)
        .mark_line(strokeWidth=2.5, clip=True)
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=[alt.Tooltip("method:N"), alt.Tooltip("epoch:Q"), alt.Tooltip("accuracy:Q", format=".2%")],
        )
    )
    return alt.layer(thin, bold).properties(height=height(280, legend=histories["method"].nunique()))


def densities(cells: pd.DataFrame) -> pd.DataFrame:
    """Share of each layer's weights that are left: columns ``method``, ``amount``, ``layer``, ``density``."""
    rows = [
        {"method": method(row.criterion), "amount": row.amount, "layer": f"hidden {layer + 1}", "density": density}
        for row in cells.itertuples()
        if row.criterion != DENSE
        for layer, density in enumerate(row.density)
    ]
    return pd.DataFrame(rows, columns=["method", "amount", "layer", "density"])


def density(table: pd.DataFrame) -> Chart:
    """Density of each layer by method (columns of `densities`), at the highest amount."""
    highest = table[table["amount"] == table["amount"].max()]
    return (
        alt.Chart(highest)
        .mark_bar()
        .encode(
            x=alt.X("layer:N", title=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("method:N"),
            y=alt.Y("density:Q", title="weights kept, %", axis=alt.Axis(format="%", tickCount=5)),
            color=_colour(highest),
            tooltip=[
                alt.Tooltip("method:N"),
                alt.Tooltip("layer:N"),
                alt.Tooltip("density:Q", format=".1%"),
                alt.Tooltip("amount:Q"),
            ],
        )
        .properties(height=height(220, legend=highest["method"].nunique()))
    )


def costs(runs: pd.DataFrame) -> pd.DataFrame:
    """The cost of each run: columns of `named`, ``flops``, ``parameters``, ``rank`` (the sum over the layers)."""
    ranks = [None if ranks is None else sum(ranks) for ranks in runs["ranks"]]
    return named(runs).assign(flops=runs["flops"], parameters=runs["parameters"], rank=ranks)


def cost_chart(table: pd.DataFrame, measure: str) -> Chart:
    """Test accuracy against a key of `COSTS`, a dot per run."""
    return (
        alt.Chart(table.dropna(subset=[measure]))
        .mark_circle(size=50, opacity=0.6)
        .encode(
            x=alt.X(f"{measure}:Q", title=COSTS[measure], axis=alt.Axis(grid=False, format="~s", tickCount=6)),
            y=_accuracy("test_accuracy:Q", table["test_accuracy"]),
            color=_colour(table),
            tooltip=[
                alt.Tooltip("method:N"),
                alt.Tooltip("seed:Q"),
                alt.Tooltip("run:Q"),
                alt.Tooltip(f"{measure}:Q"),
                alt.Tooltip("test_accuracy:Q", format=".2%"),
            ],
        )
        .properties(height=height(260, legend=table["method"].nunique()))
    )


def readable(cells: pd.DataFrame) -> pd.DataFrame:
    """The table of results by method: accuracy in %, differences in points with their intervals."""
    rows = [
        {
            "Method": method(row["criterion"], row["nuclear"]),
            "Amount": percent(row["amount"]) if row["amount"] else "",
            "Seeds": int(row["seeds"]),
            "Test accuracy": _percent(row["test_accuracy_mean"]),
            "±": _percent(row["test_accuracy_std"]),
            "Difference from dense": interval_words(row, "difference_from_dense") if row["criterion"] != DENSE else "",
            "Difference from magnitude": interval_words(row, "difference_from_magnitude")
            if row["criterion"] not in (DENSE, "magnitude")
            else "",
            **(
                {
                    "Difference from neurons by magnitude": interval_words(row, "difference_from_magnitude_neuron")
                    if row["criterion"] != "magnitude-neuron" and CRITERIA[row["criterion"]].whole_neurons
                    else ""
                }
                if cells["difference_from_magnitude_neuron_n"].any()
                else {}
            ),
            **(
                {
                    "Against PCA": interval_words(row, "difference_from_pca"),
                    "Against SVD": interval_words(row, "difference_from_svd"),
                }
                if cells["difference_from_pca_n"].any()
                else {}
            ),
            **(
                {
                    "Against dense, equally trained": interval_words(row, "difference_from_dense_tuned"),
                    "Against PCA, equally trained": interval_words(row, "difference_from_pca_tuned"),
                    "Against SVD, equally trained": interval_words(row, "difference_from_svd_tuned"),
                    "Epochs, dense and equally trained": row["dense_epochs_tuned_mean"],
                }
                if cells["difference_from_dense_tuned_n"].any()
                else {}
            ),
            "Sparsity": _percent(row["sparsity_mean"]),
            "Epochs": row["epochs_mean"],
            "Ranks": " ".join(f"{rank:.0f}" for rank in row["ranks"]),
            "Ranks by chance": " ".join(f"{rank:.0f}" for rank in row["shuffled_ranks"]),
            "Above chance": " ".join(f"{count:.0f}" for count in row["above_edge"]),
            "Stable ranks": " ".join(f"{rank:.0f}" for rank in row["stable_ranks"]),
            "Effective ranks": " ".join(f"{rank:.0f}" for rank in row["effective_ranks"]),
            "Live neurons": " ".join(f"{count:.0f}" for count in row["live_neurons"]),
            "Compression ratio": row["compression_ratio"],
            "Theoretical speed-up": row["speed_up"],
            "Relative latency": row["latency_ratio"],
            "Excluded runs": _troubles(row),
        }
        for _, row in cells.iterrows()
    ]
    return pd.DataFrame(rows)


def verdict_table(judged: Sequence[Verdict]) -> pd.DataFrame:
    """Every verdict with the test that it rests on, a row each; differences of accuracies in points."""
    rows = [
        {
            "Claim": verdict.claim,
            "Verdict": verdict.verdict,
            "Method": method(verdict.criterion),
            "Against": method(verdict.against) if verdict.against else "",
            "Amount": percent(verdict.amount),
            "Difference": _bounds(verdict),
            "p, corrected": "" if verdict.p_corrected is None else f"{verdict.p_corrected:.2g}",
            "Alone": verdict.uncorrected,
            "Seeds": verdict.seeds,
            "More seeds": verdict.more_seeds or "",
            "Test set's error": "" if verdict.test_error is None else f"{100 * verdict.test_error:.2f}",
            "Data": DATASETS[verdict.dataset].title,
            "What it claims": verdict.title,
        }
        for verdict in judged
    ]
    return pd.DataFrame(rows)


def _bounds(verdict: Verdict) -> str:
    interval, scale = verdict.interval, 100 if verdict.statistic.startswith("accuracy") else 1
    if interval is None:
        return ""
    values = [interval.mean, *(each for each in (interval.low, interval.high) if each is not None)]
    mean, *bounds = (signed(scale * value) for value in values)
    return f"{mean} [{', '.join(bounds)}]" if bounds else mean


def interval_words(row: pd.Series, name: str) -> str:
    """A paired difference in points: ``"+0.31 [−0.10, +0.72]"``; without an interval if there is one seed only.

    Where it is of fewer seeds than the row, it says of how many.
    """
    mean, low, high, n = (row[f"{name}_{part}"] for part in ("mean", "low", "high", "n"))
    if pd.isna(mean):
        return "–"
    interval = "" if pd.isna(low) else f" [{signed(100 * low)}, {signed(100 * high)}]"
    fewer = f", {n:.0f} seed{'s' if n > 1 else ''}" if n < row["seeds"] else ""
    return f"{signed(100 * mean)}{interval}{fewer}"


def _percent(share: float | None) -> float | None:
    return None if share is None or pd.isna(share) else 100 * share


def _troubles(row: pd.Series) -> str:
    troubles = {
        "failed": row["failed"],
        "diverged": row["diverged"],
        "stopped or pruned by hand": row["spoilt"],
        "ended before the last pruning": row["unreached"],
    }
    return ", ".join(f"{count} {what}" for what, count in troubles.items() if count)
