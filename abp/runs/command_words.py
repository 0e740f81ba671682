"""Commands in words: what a button that gives a command says it does, and what its outcome is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abp.store.records import CommandKind

if TYPE_CHECKING:  # it brings PyTorch, which the buttons' words do without
    from abp.training.history import Pruning

HELP = {
    CommandKind.STEP: "Trains one epoch, then pauses.",
    CommandKind.STOP: "Ends the run and keeps its records.",
    CommandKind.PRUNE: "Share of all hidden weights, beyond those already removed. Later scheduled prunings remove "
    "less accordingly.",
}
"""What a command does, where its name does not say enough."""

OUTCOMES = {
    CommandKind.PAUSE: "Paused.",
    CommandKind.RESUME: "Training goes on.",
    CommandKind.STEP: "Trains to the end of the epoch and pauses.",
    CommandKind.STOP: "Stopped.",
}
"""What came of a command that cannot fail."""


def pace_outcome(pace: float | None) -> str:
    """What came of a command for so many epochs a second; None for as fast as possible."""
    return f"Pace: {pace:g} epochs a second." if pace else "Pace: as fast as it goes."


def pruning_outcome(pruning: Pruning) -> str:
    """One sentence on what a pruning did."""
    neurons = f" and {pruning.neurons_removed:,} neurons" if pruning.neurons_removed else ""
    counted = pruning.epoch > 0 or "activation" not in pruning.criterion
    uncounted = "" if counted else " No picture had been counted yet: all were equal, and the first in order went."
    return (
        f"Removed {pruning.weights_removed:,} weights{neurons}: sparsity {100 * pruning.sparsity:.1f} %, "
        f"validation accuracy {100 * pruning.valid_before.accuracy:.1f} → {100 * pruning.valid_after.accuracy:.1f} %."
        f"{uncounted}"
    )


def refusal(error: Exception) -> str:
    """What came of a pruning that could not be made."""
    return f"Nothing was removed: {error}."
