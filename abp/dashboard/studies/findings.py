"""The results of a study, read once in the background for all browsers, and its conclusions in sentences."""

from dataclasses import dataclass

import pandas as pd

from abp.analysis.claims import ERROR, FEWEST
from abp.analysis.paired_statistics import Interval, holm, p_value, signed
from abp.dashboard.frame.background import in_background
from abp.dashboard.studies import charts as study_charts
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.store import Store
from abp.studies.comparison import Results, results_of, run_table
from abp.studies.comparison import table as cell_table
from abp.studies.registry import StudyState

_MOST_CURVES = 200  # runs whose histories are drawn


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
    version
        Changes with what they were made from.
    """

    results: Results
    runs: pd.DataFrame
    cells: pd.DataFrame
    histories: pd.DataFrame
    version: tuple


def findings(store: Store, state: StudyState) -> Findings | None:
    """The results of a study so far; None, after saying so, while they are being tabulated."""
    finished = tuple((member.run.id, member.run.status) for member in state.members)
    baselines = sum(map(len, store.baselines.all().values()))
    version = (state.record.id, state.record.specification, finished, baselines)
    work = (store.name, "study", *version)
    return in_background(
        work, lambda: _tabulate(store, state, version), "Reading the results of the study", patience=0.4
    )


def _tabulate(store: Store, state: StudyState, version: tuple) -> Findings:
    found = results_of(store, state)
    runs = run_table(found)
    return Findings(found, runs, cell_table(found), _histories(store, runs[runs["counts"]]), version)


def _histories(store: Store, runs: pd.DataFrame) -> pd.DataFrame:
    """See `Findings`."""
    named = study_charts.named(runs)[["dataset", "method", "run", "seed"]]
    shown = named.groupby("dataset", sort=False).head(_MOST_CURVES)
    epochs = store.histories.valid_accuracies(shown["run"].tolist())
    return shown.merge(epochs.rename(columns={"valid_accuracy": "accuracy"}), on="run")


def conclusions(cells: pd.DataFrame) -> list[str]:
    """What the data show about activation-based pruning, and how certain that is, by data set and method.

    A difference takes five seeds, and is corrected for the number of those that are told (Holm).
    """
    told = [
        (title, other, interval)
        for title, row in _judged(cells).items()
        for name, other in _others(row["criterion"]).items()
        if (interval := _interval(row, f"difference_from_{name}")) is not None
    ]
    p_values = {place: p_value(told[place][2], 0.0) for place in range(len(told)) if told[place][2].n >= FEWEST}
    corrected = dict(zip(p_values, holm([p or 0.0 for p in p_values.values()]), strict=True))
    sentences: dict[str, list[str]] = {}
    for place, (title, other, interval) in enumerate(told):
        sentence = _sentence(other, interval, p_values.get(place), corrected.get(place))
        sentences.setdefault(title, []).append(sentence)
    return [f"**{title}**: {' '.join(found)}" for title, found in sentences.items()]


def _judged(cells: pd.DataFrame) -> dict[str, pd.Series]:
    """Of each data set and criterion by activation, the rows nearest to 80 % and of the highest amount, by title."""
    rows = cells[cells["criterion"].str.startswith("activation")]
    found = {}
    for (dataset, criterion), part in rows.groupby(["dataset", "criterion"], sort=False):
        for place in ((part["amount"] - 0.8).abs().idxmin(), part["amount"].idxmax()):
            row = part.loc[place]
            title = f"{DATASETS[dataset].title}, {CRITERIA[criterion].title}, {study_charts.percent(row['amount'])}"
            found[title] = row
    return found


def _others(criterion: str) -> dict[str, str]:
    others = {"dense": "the dense network", "magnitude": "pruning by magnitude"}
    if CRITERIA[criterion].whole_neurons:
        others |= {
            "magnitude_neuron": "pruning neurons by magnitude",
            "magnitude": "pruning single weights by magnitude, which can keep every neuron",
        }
    return others


def _interval(row: pd.Series, name: str) -> Interval | None:
    mean, low, high, n = (row[f"{name}_{part}"] for part in ("mean", "low", "high", "n"))
    if pd.isna(mean):
        return None
    return Interval(mean, None, None, int(n)) if pd.isna(low) else Interval(mean, low, high, int(n))


def _sentence(other: str, interval: Interval, p: float | None, corrected: float | None) -> str:
    points = f"{signed(100 * interval.mean)} points"
    if interval.low is None or interval.high is None:
        return f"{points} compared with {other}, but with only one seed."
    if p is None or corrected is None:
        return f"{points} compared with {other}, but {interval.n} seeds are too few to tell; it takes {FEWEST}."
    bounds = f"{signed(100 * interval.low)} to {signed(100 * interval.high)}"
    evidence = f"({points}, 95\u00a0% interval {bounds}, {interval.n} seeds)"
    comparison = "More" if interval.mean > 0 else "Less"
    if corrected < ERROR:
        return f"{comparison} accurate than {other} {evidence}."
    if p < ERROR:
        return f"{comparison} accurate than {other} {evidence}, but not beyond chance after the correction."
    return f"No significant difference from {other} {evidence}."
