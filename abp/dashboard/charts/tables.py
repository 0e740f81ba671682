"""Tables: the store's records as the DataFrames that people see and download."""

from collections.abc import Sequence

import pandas as pd

from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.records import Run


def runs(records: Sequence[Run]) -> pd.DataFrame:
    """All runs for the list of runs, a row each."""
    rows = []
    for run in records:
        settings = run.experiment
        pruned = bool(settings.scheduled_prunings)
        rows.append(
            {
                "Run": run.id,
                "Name": run.name,
                "Status": run.status + (", pruned by hand" if run.pruned_by_hand else ""),
                "Validation accuracy": None if run.valid_accuracy is None else 100 * run.valid_accuracy,
                "Test accuracy": None if run.test_accuracy is None else 100 * run.test_accuracy,
                "Sparsity": 100 * run.sparsity,
                "Epochs": run.epoch,
                "Started": None if run.started is None else pd.Timestamp(run.started, unit="s", tz="UTC"),
                "Continues": _continues(run),
                "Data": DATASETS[settings.dataset].title,
                "Method": CRITERIA[settings.criterion].title if pruned else _unpruned(run),
                "Amount": 100 * settings.amount if pruned else 0.0,
                "Seed": settings.seed,
                "Seconds": run.seconds,
            }
        )
    return pd.DataFrame(rows)


def _continues(run: Run) -> str:
    if run.from_file:
        return str(run.origin)
    return "" if run.parent is None else f"{run.parent}: {run.origin}"


def _unpruned(run: Run) -> str:
    """Method of a run that removes nothing by itself; one that continues another may have a mask all the same."""
    if run.from_file:
        return "trained elsewhere"
    return "dense" if run.parent is None else "continued"
