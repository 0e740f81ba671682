"""Tables for charts: the store's records as the DataFrames that charts draw and people download."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from abp.dashboard.charts.charts import cell_size, layer_columns
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.records import Run


def neurons(
    hidden: Sequence[int], counts: Sequence[NDArray], samples: int, live_weights: Sequence[NDArray] | None
) -> list[pd.DataFrame]:
    """One table per hidden layer with a row per neuron, placed for the heatmap.

    Parameters
    ----------
    hidden
        Neurons of each layer.
    counts
        Activations per layer, ``[neurons]``.
    samples
        Training samples counted.
    live_weights
        Incoming weights left per layer, ``[neurons]``; None before the first pruning.
    """
    cell = cell_size(hidden)
    tables = []
    for index, width in enumerate(hidden):
        columns = layer_columns(width, cell)
        neuron = np.arange(width)
        table = pd.DataFrame(
            {
                "layer": f"hidden {index + 1}",
                "neuron": neuron + 1,
                "column": neuron % columns + 0.5,
                "row": neuron // columns + 0.5,
                "frequency": np.round(counts[index] / max(samples, 1), 4),
                "live_weights": np.nan if live_weights is None else live_weights[index],
                "state": "live",
            }
        )
        if live_weights is not None:
            table["state"] = np.where(live_weights[index] > 0, "live", "removed")
        tables.append(table)
    return tables


def pruning_rules(prunings: pd.DataFrame, batches: int) -> pd.DataFrame:
    """Where each pruning fell, in epochs, and what it did in words: columns ``position`` and ``what``."""
    if prunings.empty:
        return pd.DataFrame({"position": pd.Series(dtype=float), "what": pd.Series(dtype=str)})
    return pd.DataFrame(
        {
            # Epoch 0 is before the first: such a pruning fell at the very start.
            "position": (prunings["epoch"] - 1 + prunings["batch"] / max(batches, 1)).clip(lower=0.0),
            "what": [
                f"{CRITERIA[row.criterion].title}, {'by hand' if row.made_by == 'hand' else 'by schedule'}: "
                f"{100 * row.achieved:.1f} % of the weights"
                for row in prunings.itertuples()
            ],
        }
    )


def sparsity_steps(prunings: pd.DataFrame, batches: int, until: float, start: float = 0.0) -> pd.DataFrame:
    """Sparsity from `start` to that at epoch `until`, a row per change: columns ``position`` (epochs), ``sparsity``."""
    positions = pruning_rules(prunings, batches)["position"].tolist()
    values = prunings["sparsity"].tolist()
    return pd.DataFrame({"position": [0.0, *positions, until], "sparsity": [start, *values, [start, *values][-1]]})


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
                "Continues": "" if run.parent is None else f"{run.parent}: {run.origin}",
                "Data": DATASETS[settings.dataset].title,
                "Method": CRITERIA[settings.criterion].title if pruned else _unpruned(run),
                "Amount": 100 * settings.amount if pruned else 0.0,
                "Seed": settings.seed,
                "Seconds": run.seconds,
                "Started": None if run.started is None else pd.Timestamp(run.started, unit="s", tz="UTC"),
            }
        )
    return pd.DataFrame(rows)


def _unpruned(run: Run) -> str:
    """Method of a run that removes nothing by itself; one that continues another may have a mask all the same."""
    return "dense" if run.parent is None else "continued"
