"""Verdicts of a study on the paper's claims, the baselines they need, and all of it as the command line's JSON."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from abp.analysis.claims import (
    LOSS,
    MATCH,
    Case,
    Verdict,
    better_than,
    better_than_pca,
    corrected,
    effective,
    like_nuclear_norm,
    low_rank,
)
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.runs.baselines import baseline_of
from abp.store.records import Run
from abp.store.store import Store
from abp.studies.comparison import Results, read_results, results_of, rows, same_amount, tested, validated
from abp.studies.registry import read_study
from abp.studies.specification import DENSE, Cell

JUDGED = ("activation", "activation-neuron")
"""Criteria on which the paper's claims are judged, each apart."""


def verdicts(results: Results, *, loss: float = LOSS, match: float = MATCH) -> list[Verdict]:
    """The claims for every data set, amount and criterion of `JUDGED` that the study has, corrected for their number.

    Thresholds are those of `abp.analysis.claims`. The fifth claim has a verdict for every other criterion of the study
    that removes the same: single weights, or whole neurons.
    """
    judged = [cell for cell in results.cells if cell.criterion in JUDGED]
    return corrected([verdict for cell in judged for verdict in _judge(results, cell, loss, match)])


def whole_neurons(cell: Cell) -> bool:
    """Whether a cell's criterion removes whole neurons."""
    return CRITERIA[cell.criterion].whole_neurons


def rivals(results: Results, cell: Cell) -> list[Cell]:
    """Cells of the same data set and amount whose criterion removes the same in another way."""
    return [
        other
        for other in results.cells
        if (other.dataset, other.amount, other.nuclear) == (cell.dataset, cell.amount, cell.nuclear)
        and other.criterion not in (cell.criterion, DENSE)
        and whole_neurons(other) == whole_neurons(cell)
    ]


def _judge(results: Results, cell: Cell, loss: float, match: float) -> list[Verdict]:
    case = Case(cell.dataset, cell.criterion, cell.amount, DATASETS[cell.dataset].test_samples)
    dense, magnitude = Cell(cell.dataset, DENSE), same_amount("magnitude", cell)
    regularised = [each for each in results.cells if each.dataset == cell.dataset and each.nuclear]

    def accuracy(of: Cell) -> dict[int, float]:
        return results.per_seed(of, tested)

    def measured(of: Cell, name: str) -> dict[int, Any]:
        found = results.per_seed(of, lambda member: results.measures.get(member.run.id))
        return {seed: getattr(each, name) for seed, each in found.items() if each is not None}

    def baseline(method: str) -> dict[int, float]:
        found = results.per_seed(cell, lambda member: results.baselines.get(member.run.id, {}).get(method, math.nan))
        return {seed: value for seed, value in found.items() if not math.isnan(value)}

    return [
        effective(case, accuracy(cell), accuracy(dense), accuracy(magnitude), loss=loss),
        low_rank(case, measured(cell, "ranks"), measured(dense, "ranks"), measured(magnitude, "ranks")),
        better_than_pca(case, accuracy(cell), baseline("pca"), baseline("svd"), baseline("pca-tuned")),
        like_nuclear_norm(
            case,
            measured(cell, "spectra"),
            results.per_seed(cell, validated),
            {each.nuclear: measured(each, "spectra") for each in regularised},
            {each.nuclear: results.per_seed(each, validated) for each in regularised},
            match=match,
        ),
        *(better_than(case, accuracy(cell), accuracy(other), other.criterion) for other in rivals(results, cell)),
    ]


def compared_runs(results: Results) -> list[Run]:
    """Finished runs that are compared with PCA and SVD of their dense twin, where that is there.

    Of the criteria that are judged, and of all that remove whole neurons: beating PCA is no merit of one of them alone.
    """
    return [
        member.run
        for cell, runs in results.cells.items()
        if cell.criterion in JUDGED or (cell.criterion != DENSE and whole_neurons(cell))
        for seed, member in runs.items()
        if member.counts and seed in results.per_seed(Cell(cell.dataset, DENSE), tested)
    ]


def missing_baselines(results: Results) -> list[Run]:
    """Finished runs whose PCA and SVD are not known yet."""
    return [run for run in compared_runs(results) if run.id not in results.baselines]


def fill_baselines(store: Store, number: int, done: Callable[[int, int], None] | None = None) -> None:
    """Compute what `missing_baselines` names, about a second each; `done` is told how many of how many are there.

    Raises
    ------
    abp.data.datasets.DataUnavailable
        If the test pictures cannot be had.
    """
    missing = missing_baselines(read_results(store, number))
    for index, run in enumerate(missing, start=1):
        baseline_of(store, run)
        if done:
            done(index, len(missing))


def study_result(store: Store, number: int) -> dict[str, Any]:
    """What ``abp study --json`` writes of a study."""
    state = read_study(store, number)
    record, results = state.record, results_of(store, state)
    return {
        "study": number,
        "name": record.name,
        "specification": asdict(record.study),
        "runs": {member.run.id: member.run.status for runs in results.cells.values() for member in runs.values()},
        "rows": rows(results),
        "claims": [{**asdict(verdict), "title": verdict.title} for verdict in verdicts(results)],
    }


def study_summary(found: dict[str, Any]) -> str:
    """What `study_result` holds, as text for a terminal."""
    lines = []
    for row in found["rows"]:
        cell = Cell(row["dataset"], row["criterion"], row["amount"], row["nuclear"])
        accuracy = "no result" if row["test_accuracy_mean"] is None else f"{100 * row['test_accuracy_mean']:.2f} %"
        spread = "" if row["test_accuracy_std"] is None else f" ± {100 * row['test_accuracy_std']:.2f}"
        lines.append(f"{cell.title:40} test accuracy {accuracy}{spread} ({row['seeds']} seeds)")
    for claim in found["claims"]:
        cell = Cell(claim["dataset"], claim["criterion"], claim["amount"])
        alone = f" ({claim['uncorrected']} alone)" if claim["uncorrected"] != claim["verdict"] else ""
        lines.append(f"\n{claim['title']}, {cell.title}: {claim['verdict']}{alone}\n  {claim['words']}")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """A duration for people.

    >>> duration(20), duration(150), duration(7300)
    ('20 s', '3 min', '2.0 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
