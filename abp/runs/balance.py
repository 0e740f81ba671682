"""Balanced accuracy: what a finished network gets right in each class, averaged over the classes."""

from __future__ import annotations

from collections.abc import Sequence

from abp.store.records import Run
from abp.store.store import Store

UNBALANCED = 2
"""From how many times the smallest class on the largest one makes accuracy misleading."""


def balanced_test_accuracy(store: Store, run: Run) -> float | None:
    """Of a run's final network on the test samples, 0 to 1; None where either is not there."""
    # Only now: pages that need none of it import neither PyTorch nor scikit-learn.
    from abp.analysis.confusion import balanced_accuracy, predictions
    from abp.data.datasets import DataUnavailable, load_test_set
    from abp.store.snapshots import final_network

    network = final_network(store, run)
    if network is None:
        return None
    try:
        x, y = load_test_set(run.experiment.dataset, download=False)
    except DataUnavailable:
        return None
    return balanced_accuracy(y.numpy(), predictions(network, x))


def is_unbalanced(counts: Sequence[int]) -> bool:
    """Whether the largest of these classes is much larger than the smallest one.

    >>> is_unbalanced([50, 50, 60]), is_unbalanced([90, 10])
    (False, True)
    """
    return max(counts) >= UNBALANCED * min(counts)
