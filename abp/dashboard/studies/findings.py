"""What a study found, read once in the background for all browsers, and what it shows in a sentence."""

from dataclasses import dataclass

import pandas as pd

from abp.dashboard.frame.background import in_background
from abp.dashboard.studies import charts as study_charts
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.store import Store
from abp.studies.comparison import Results, read_results, run_table
from abp.studies.comparison import table as cell_table
from abp.studies.registry import StudyRecord, study_runs

_MOST_CURVES = 200  # runs whose histories are drawn
_ENOUGH = 5  # seeds, before a comparison is believed


@dataclass(frozen=True)
class Findings:
    """What a study found so far, read and tabled once for all browsers.

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


def findings(store: Store, record: StudyRecord) -> Findings | None:
    """What a study found so far; None, after saying so, while it is being read."""
    finished = tuple((member.run.id, member.run.status) for member in study_runs(store, record.id))
    baselines = len(store.baselines.all())
    work = (str(store.path), "study", record.id, record.specification, finished, baselines)
    return in_background(work, lambda: _read(store, record), "Reading what the study found", patience=0.4)


def _read(store: Store, record: StudyRecord) -> Findings:
    found = read_results(store, record.id)
    runs = run_table(found)
    return Findings(found, runs, cell_table(found), _histories(store, runs[runs["counts"]]))


def _histories(store: Store, runs: pd.DataFrame) -> pd.DataFrame:
    """See `Findings`."""
    runs = study_charts.named(runs).assign(dataset=runs["dataset"])[["dataset", "method", "run", "seed"]]
    shown = runs.groupby("dataset", sort=False).head(_MOST_CURVES)
    epochs = store.histories.valid_accuracies(shown["run"].tolist())
    return shown.merge(epochs.rename(columns={"valid_accuracy": "accuracy"}), on="run")


def sentences(cells: pd.DataFrame) -> list[str]:
    """What the data show of activation-based pruning and how sure that is, a sentence for each data set and method."""
    told = []
    for dataset in cells["dataset"].unique():
        rows = cells[(cells["dataset"] == dataset) & cells["criterion"].str.startswith("activation")]
        for _, of_criterion in rows.groupby("criterion", sort=False):
            row = of_criterion.loc[(of_criterion["amount"] - 0.8).abs().idxmin()]
            sentence = _sentence(row)
            if sentence:
                told.append(
                    f"**{DATASETS[dataset].title}, {CRITERIA[row['criterion']].title}, "
                    f"{100 * row['amount']:g} %**: {sentence}"
                )
    return told


def _sentence(row: pd.Series) -> str:
    parts = [
        _difference(row, f"difference_from_{other}", words)
        for other, words in (("dense", "the dense network"), ("magnitude", "pruning by magnitude"))
    ]
    seeds = row["difference_from_dense_n"]
    few = "Fewer than five seeds say little." if 1 < seeds < _ENOUGH else ""
    return " ".join(part for part in (*parts, few) if part)


def _difference(row: pd.Series, name: str, other: str) -> str:
    mean, low, high, seeds = (row[f"{name}_{part}"] for part in ("mean", "low", "high", "n"))
    if pd.isna(mean):
        return ""
    if pd.isna(low):
        return f"Against {other} {100 * mean:+.2f} points in one seed: one seed proves nothing."
    interval = f"({100 * mean:+.2f} points, 95 % interval {100 * low:+.2f} to {100 * high:+.2f}, {int(seeds)} seeds)"
    if low > 0:
        return f"More accurate than {other} {interval}."
    if high < 0:
        return f"Less accurate than {other} {interval}."
    return f"No difference from {other} can be told {interval}."
