"""What a study found: a row per cell with its scatter over seeds, a row per run, and verdicts on the paper's claims."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from abp.analysis.network_summary import NetworkSummary
from abp.analysis.paired_statistics import mean, paired_difference, standard_deviation
from abp.data.datasets import DATASETS
from abp.runs.summaries import recorded_summaries
from abp.store.records import Status
from abp.store.store import Store
from abp.studies.registry import StudyRun, StudyState, read_study
from abp.studies.specification import DENSE, Cell

Value = Callable[[StudyRun], Any]


@dataclass(frozen=True)
class Results:
    """All runs of a study by cell and seed, read once.

    Attributes
    ----------
    cells
        Every cell of the specification with its runs by seed, whatever became of them.
    measures
        Of every run that counts.
    baselines
        Known test accuracies of PCA and SVD, and of what `abp.studies.equal_training` fine-tuned, by run and method.
    last_prunings
        The epoch after which each run was pruned last, by run.
    """

    cells: dict[Cell, dict[int, StudyRun]]
    measures: dict[int, NetworkSummary]
    baselines: dict[int, dict[str, float]]
    last_prunings: dict[int, int]

    def per_seed(self, cell: Cell, value: Value) -> dict[int, Any]:
        """A value of each run of a cell that counts, by seed; none of a cell that the study does not have."""
        return {seed: value(member) for seed, member in self.cells.get(cell, {}).items() if member.counts}


def read_results(store: Store, number: int) -> Results:
    """Everything that the tables and verdicts below are made from.

    Raises
    ------
    abp.studies.registry.StudyUnknown
        If the study does not exist or was deleted.
    """
    return results_of(store, read_study(store, number))


def results_of(store: Store, state: StudyState) -> Results:
    """`read_results` of a study that has been read."""
    cells: dict[Cell, dict[int, StudyRun]] = {cell: {} for cell in state.record.study.cells()}
    for member in state.members:
        cells[member.cell][member.seed] = member
    measured = recorded_summaries(store, [member.run for member in state.members if member.counts])
    return Results(cells, measured, store.baselines.all(), store.histories.last_prunings())


# The tables


def run_table(results: Results) -> pd.DataFrame:
    """A row per run of the study, whatever became of it; what is not known is None.

    Columns: ``dataset, criterion, amount, nuclear, seed, run, status, counts, test_accuracy, valid_accuracy,
    train_accuracy, sparsity, epochs, seconds, prunings_missing, density, live_neurons, ranks, stable_ranks,
    effective_ranks, shuffled_ranks, above_edge`` (lists, a value per hidden layer), ``parameters, flops, latency,
    latency_ratio, pca_accuracy, svd_accuracy, epochs_after, dense_tuned_accuracy, pca_tuned_accuracy,
    svd_tuned_accuracy``.
    """
    rows = [_run_row(results, member) for runs in results.cells.values() for member in runs.values()]
    return pd.DataFrame(rows, columns=_RUN_COLUMNS)


def rows(results: Results) -> list[dict[str, Any]]:
    """A row per cell, as the command line's JSON has it.

    ``seeds`` counts the runs that are results; ``unreached`` those that ended before their last pruning, which are
    none. Means and the sample standard deviation are over the former. Differences are paired by seed, ``{mean, low,
    high, n}`` with a 95 % interval no narrower than the test set's resolution, all None where there is nothing to
    compare; those from PCA and SVD are to the dense network of the same seed, reduced to the run's ranks. What ends in
    ``_tuned`` is compared after equal training (`abp.studies.equal_training`): ``epochs_after_mean`` are the pruned
    networks' epochs after the last pruning, ``dense_epochs_tuned_mean`` the fine-tuned dense one's in all. Ranks,
    densities, live neurons and what chance would give are means per hidden layer (see `NetworkSummary`).
    ``compression_ratio`` is parameters of the dense network over those kept, ``speed_up`` the same of multiply-adds.
    ``latency_mean`` (seconds) and ``latency_ratio`` are measured: see `abp.analysis.network_summary`.
    """
    return [_row(results, cell) for cell in results.cells]


def table(results: Results) -> pd.DataFrame:
    """`rows` as a table: each difference as four columns, such as ``difference_from_dense_low``."""
    return pd.json_normalize(rows(results), sep="_")


def _row(results: Results, cell: Cell) -> dict[str, Any]:
    runs = list(results.cells[cell].values())
    counting = [member for member in runs if member.counts]
    measured = [results.measures[member.run.id] for member in counting if member.run.id in results.measures]

    def average(value: Value) -> float | None:
        return mean([value(member) for member in counting])

    def per_layer(value: Callable[[NetworkSummary], list]) -> list[float]:
        known = [value(each) for each in measured if value(each)]
        return np.mean(known, axis=0).tolist() if known else []

    def after(member: StudyRun) -> int:
        """Epochs after the last pruning."""
        return member.run.epoch - results.last_prunings.get(member.run.id, member.run.epoch)

    tests = [tested(member) for member in counting]
    dense = results.per_seed(Cell(cell.dataset, DENSE), lambda member: member.run.epoch)
    tuned = {
        seed: after(runs) for seed, runs in results.cells[cell].items() if runs.counts and _is_tuned(results, runs)
    }
    return {
        **asdict(cell),
        "seeds": len(counting),
        "requested": cell.amount,
        "sparsity_mean": average(lambda member: member.run.sparsity),
        "test_accuracy_mean": mean(tests),
        "test_accuracy_std": standard_deviation(tests),
        "valid_accuracy_mean": average(validated),
        "difference_from_magnitude": _difference(results, cell, same_amount("magnitude", cell)),
        "difference_from_magnitude_neuron": _difference(results, cell, same_amount("magnitude-neuron", cell)),
        "difference_from_dense": _difference(results, cell, Cell(cell.dataset, DENSE)),
        "difference_from_pca": _difference_from_baseline(results, cell, "pca"),
        "difference_from_svd": _difference_from_baseline(results, cell, "svd"),
        **{
            f"difference_from_{method}_tuned": _difference_from_baseline(results, cell, f"{method}-tuned")
            for method in ("dense", "pca", "svd")
        },
        "epochs_mean": average(lambda member: member.run.epoch),
        "epochs_after_mean": mean(list(results.per_seed(cell, after).values())) if cell.amount else None,
        "dense_epochs_tuned_mean": mean([dense[seed] + epochs for seed, epochs in tuned.items() if seed in dense]),
        "seconds_mean": average(lambda member: member.run.seconds),
        "density": per_layer(lambda each: each.density),
        "live_neurons": per_layer(lambda each: each.live_neurons),
        "ranks": per_layer(lambda each: each.ranks),
        "stable_ranks": per_layer(lambda each: each.stable_ranks),
        "effective_ranks": per_layer(lambda each: each.effective_ranks),
        "shuffled_ranks": per_layer(lambda each: each.shuffled_ranks),
        "above_edge": per_layer(lambda each: each.above_edge),
        "parameters": mean([each.cost.parameters for each in measured]),
        "flops": mean([each.cost.flops for each in measured]),
        "compression_ratio": mean([each.dense_cost.parameters / each.cost.parameters for each in measured]),
        "speed_up": mean([each.dense_cost.multiply_adds / each.cost.multiply_adds for each in measured]),
        "latency_mean": mean([each.latency for each in measured]),
        "latency_ratio": mean([each.latency_ratio for each in measured]),
        "unreached": sum(member.unreached for member in runs),
        "failed": sum(member.run.status == Status.FAILED for member in runs),
        "diverged": sum(member.run.status == Status.DIVERGED for member in runs),
        "spoilt": sum(member.spoilt for member in runs),
        "going_on": sum(member.run.active or member.run.status == Status.INTERRUPTED for member in runs),
    }


def _run_row(results: Results, member: StudyRun) -> dict[str, Any]:
    run, found = member.run, results.measures.get(member.run.id)
    baselines = results.baselines.get(run.id, {})
    return {
        **asdict(member.cell),
        "seed": member.seed,
        "run": run.id,
        "status": run.status,
        "counts": member.counts,
        "test_accuracy": run.test_accuracy,
        "valid_accuracy": run.valid_accuracy,
        "train_accuracy": run.train_accuracy,
        "sparsity": run.sparsity,
        "epochs": run.epoch,
        "seconds": run.seconds,
        "prunings_missing": run.scheduled_left,
        **{name: found and getattr(found, name) for name in _PER_LAYER},
        "parameters": found and found.cost.parameters,
        "flops": found and found.cost.flops,
        "latency": found and found.latency,
        "latency_ratio": found and found.latency_ratio,
        "pca_accuracy": baselines.get("pca"),
        "svd_accuracy": baselines.get("svd"),
        "epochs_after": run.epoch - results.last_prunings[run.id] if run.id in results.last_prunings else None,
        **{f"{method}_tuned_accuracy": baselines.get(f"{method}-tuned") for method in ("dense", "pca", "svd")},
    }


_PER_LAYER = ("density", "live_neurons", "ranks", "stable_ranks", "effective_ranks", "shuffled_ranks", "above_edge")
_RUN_COLUMNS = [
    "dataset", "criterion", "amount", "nuclear", "seed", "run", "status", "counts", "test_accuracy", "valid_accuracy",
    "train_accuracy", "sparsity", "epochs", "seconds", "prunings_missing", *_PER_LAYER, "parameters", "flops",
    "latency", "latency_ratio", "pca_accuracy", "svd_accuracy",
    "epochs_after", "dense_tuned_accuracy", "pca_tuned_accuracy", "svd_tuned_accuracy",
]  # fmt: skip


def _difference(results: Results, cell: Cell, other: Cell) -> dict[str, float | None]:
    return _paired(cell, results.per_seed(cell, tested), results.per_seed(other, tested))


def _is_tuned(results: Results, member: StudyRun) -> bool:
    return "dense-tuned" in results.baselines.get(member.run.id, {})


def _difference_from_baseline(results: Results, cell: Cell, method: str) -> dict[str, float | None]:
    found = results.per_seed(cell, lambda member: results.baselines.get(member.run.id, {}).get(method))
    known = {seed: value for seed, value in found.items() if value is not None}
    return _paired(cell, results.per_seed(cell, tested), known)


def _paired(cell: Cell, first: dict[int, float], second: dict[int, float]) -> dict[str, float | None]:
    difference = paired_difference(first, second, least=1 / (2 * DATASETS[cell.dataset].test_samples))
    return asdict(difference) if difference else {"mean": None, "low": None, "high": None, "n": 0}


def same_amount(criterion: str, cell: Cell) -> Cell:
    """The cell of another criterion at the same amount; a dense one's amount is 0, so it has none to differ from."""
    return Cell(cell.dataset, criterion, cell.amount)


def tested(member: StudyRun) -> float:
    """Test accuracy of a run that counts, 0 to 1."""
    return math.nan if member.run.test_accuracy is None else member.run.test_accuracy


def validated(member: StudyRun) -> float:
    """Validation accuracy of a run that counts, 0 to 1."""
    return math.nan if member.run.valid_accuracy is None else member.run.valid_accuracy
