"""The results of a study, read once in the background for all browsers, and its conclusions in sentences."""

from dataclasses import dataclass

import pandas as pd

from abp.analysis.paired_statistics import signed
from abp.dashboard.frame.background import in_background
from abp.dashboard.studies import charts as study_charts
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.store import Store
from abp.studies.comparison import Results, results_of, run_table
from abp.studies.comparison import table as cell_table
from abp.studies.registry import StudyState

_MOST_CURVES = 200  # runs whose histories are drawn
_ENOUGH = 5  # seeds that make a comparison credible


@dataclass(frozen=True)
class Findings:
    """The results of a study so far, read and tabulated once for all browsers.

    Attributes
    ----------
    runs, cells
        As `abp.studies.comparison.run_table` and `table` make them.
    histories
        Validation accuracy per epoch of the first runs of each data set: columns ``dataset``, ``method``, ``run``,
        ``seed``, ``epoch``, ``accuracy``.
    """

    results: Results
    runs: pd.DataFrame
    cells: pd.DataFrame
    histories: pd.DataFrame


def findings(store: Store, state: StudyState) -> Findings | None:
    """The results of a study so far; None, after saying so, while they are being tabulated."""
    finished = tuple((member.run.id, member.run.status) for member in state.members)
    baselines = len(store.baselines.all())
    work = (store.name, "study", state.record.id, state.record.specification, finished, baselines)
    return in_background(work, lambda: _tabulate(store, state), "Reading the results of the study", patience=0.4)


def _tabulate(store: Store, state: StudyState) -> Findings:
    found = results_of(store, state)
    runs = run_table(found)
    return Findings(found, runs, cell_table(found), _histories(store, runs[runs["counts"]]))


def _histories(store: Store, runs: pd.DataFrame) -> pd.DataFrame:
    """See `Findings`."""
    runs = study_charts.named(runs).assign(dataset=runs["dataset"])[["dataset", "method", "run", "seed"]]
    shown = runs.groupby("dataset", sort=False).head(_MOST_CURVES)
    epochs = store.histories.valid_accuracies(shown["run"].tolist())
    return shown.merge(epochs.rename(columns={"valid_accuracy": "accuracy"}), on="run")


def conclusions(cells: pd.DataFrame) -> list[str]:
    """What the data show about activation-based pruning, and how certain that is, by data set and method."""
    found = []
    for dataset in cells["dataset"].unique():
        rows = cells[(cells["dataset"] == dataset) & cells["criterion"].str.startswith("activation")]
        for _, of_criterion in rows.groupby("criterion", sort=False):
            row = of_criterion.loc[(of_criterion["amount"] - 0.8).abs().idxmin()]
            conclusion = _conclusion(row)
            if conclusion:
                found.append(
                    f"**{DATASETS[dataset].title}, {CRITERIA[row['criterion']].title}, "
                    f"{study_charts.percent(row['amount'])}**: {conclusion}"
                )
    return found


def _conclusion(row: pd.Series) -> str:
    others = {"dense": "the dense network", "magnitude": "pruning by magnitude"}
    if CRITERIA[row["criterion"]].whole_neurons:
        others |= {
            "magnitude_neuron": "pruning neurons by magnitude",
            "magnitude": "pruning single weights by magnitude, which can keep every neuron",
        }
    parts = [_difference(row, f"difference_from_{other}", words) for other, words in others.items()]
    seeds = row["difference_from_dense_n"]
    few = "Fewer than five seeds give little evidence." if 1 < seeds < _ENOUGH else ""
    return " ".join(part for part in (*parts, few) if part)


def _difference(row: pd.Series, name: str, other: str) -> str:
    mean, low, high, seeds = (row[f"{name}_{part}"] for part in ("mean", "low", "high", "n"))
    if pd.isna(mean):
        return ""
    if pd.isna(low):
        return f"{signed(100 * mean)} points compared with {other}, but with only one seed."
    points, bounds = f"{signed(100 * mean)} points", f"{signed(100 * low)} to {signed(100 * high)}"
    interval = f"({points}, 95\u00a0% interval {bounds}, {int(seeds)} seeds)"
    if low > 0:
        return f"More accurate than {other} {interval}."
    if high < 0:
        return f"Less accurate than {other} {interval}."
    return f"No significant difference from {other} {interval}."
