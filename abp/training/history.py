"""The history of a run: what each epoch and each pruning came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from abp.network.evaluation import Metrics
from abp.network.masks import kept, live_neurons, sparsity, total


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; `train` is running, over weights that change, as Keras reports it."""

    number: int
    train: Metrics
    valid: Metrics
    test: Metrics
    sparsity: float


@dataclass(frozen=True)
class Pruning:
    """What one pruning came to.

    Attributes
    ----------
    epoch, batch
        Where it fell: after so many batches of this epoch (counted from 1).
    criterion, by
        What chose the weights, a key of `abp.pruning.criteria.CRITERIA`, and who asked: ``"schedule"``, ``"stall"`` or
        ``"hand"``; ``"undo"`` where a person took back a pruning by hand.
    requested, achieved
        Shares of all hidden weights that this pruning was to remove, and removed in all.
    sparsity
        Share of hidden weights that are zero afterwards.
    weights_removed, neurons_removed
        How many; negative where they were brought back.
    train_accuracy
        Running training accuracy of the epoch it fell in, so far.
    valid_before, valid_after, test_before, test_after
        Metrics just before and just after.
    """

    epoch: int
    batch: int
    criterion: str
    by: str
    requested: float
    achieved: float
    sparsity: float
    weights_removed: int
    neurons_removed: int
    train_accuracy: float
    valid_before: Metrics
    valid_after: Metrics
    test_before: Metrics
    test_after: Metrics

    @classmethod
    def between(cls, before: Sequence[Tensor], after: Sequence[Tensor], **details: Any) -> Self:
        """The pruning that made these masks of those before; `details` are the fields that they do not tell."""
        removed = kept(before) - kept(after)
        live_before, live_after = (sum(int(live.sum()) for live in live_neurons(masks)) for masks in (before, after))
        return cls(
            achieved=removed / total(before),
            sparsity=sparsity(after),
            weights_removed=removed,
            neurons_removed=live_before - live_after,
            **details,
        )
