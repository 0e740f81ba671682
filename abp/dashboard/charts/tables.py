"""Tables: the store's records as the DataFrames that people see and download."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.records import Run


def runs(records: Sequence[Run]) -> pd.DataFrame:
    """All runs for the list of runs, a row each."""
    rows = []
    for run in records:
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
                "Continues": continues(run),
                **_settings(run),
                "Seconds": run.seconds,
            }
        )
    table = pd.DataFrame(rows)
    return table.astype({"Seed": "Int64"}) if rows else table  # whole, though it may be unknown


def _settings(run: Run) -> dict[str, Any]:
    """What the settings of a run say; that they cannot be read, if they cannot."""
    if run.unreadable:
        return {"Data": "cannot be read here", "Method": "cannot be read here", "Amount": None, "Seed": None}
    settings = run.experiment
    pruned = bool(settings.scheduled_prunings)
    return {
        "Data": DATASETS[settings.dataset].title,
        "Method": CRITERIA[settings.criterion].title if pruned else _unpruned(run),
        "Amount": 100 * settings.amount if pruned else 0.0,
        "Seed": settings.seed,
    }


def continues(run: Run) -> str:
    """The run that a run continues and how, or the file that it was read from; empty of any other."""
    if run.from_file:
        return str(run.origin)
    return "" if run.parent is None else f"{run.parent}: {run.origin}"


def _unpruned(run: Run) -> str:
    """Method of a run that removes nothing by itself; one that continues another may have a mask all the same."""
    if run.from_file:
        return "trained elsewhere"
    return "dense" if run.parent is None else "continued"
