"""Commands in words: the help of the buttons that send them, and their outcomes."""

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
"""What a command does, if its name does not say enough."""

OUTCOMES = {
    CommandKind.PAUSE: "Paused.",
    CommandKind.RESUME: "Training continues.",
    CommandKind.STEP: "Trains to the end of the epoch and pauses.",
    CommandKind.STOP: "Stopped.",
}
"""The outcome of a command that cannot fail."""


def pace_outcome(pace: float | None) -> str:
    """The outcome of a command for this many epochs a second; None for as fast as possible."""
    if not pace:
        return "Pace: as fast as possible."
    return f"Pace: {pace:g} epoch{'' if pace == 1 else 's'} a second."


def pruning_outcome(pruning: Pruning) -> str:
    """One sentence on what a pruning did."""
    neurons = f" and {pruning.neurons_removed:,} neurons" if pruning.neurons_removed else ""
    counted = pruning.epoch > 0 or "activation" not in pruning.criterion
    uncounted = (
        ""
        if counted
        else " No picture had been counted yet, so all scores were equal and the first in order were removed."
    )
    return (
        f"Removed {pruning.weights_removed:,} weights{neurons}: sparsity {100 * pruning.sparsity:.1f} %, "
        f"validation accuracy {100 * pruning.valid_before.accuracy:.1f} → {100 * pruning.valid_after.accuracy:.1f} %."
        f"{uncounted}"
    )


def refusal(error: Exception) -> str:
    """The outcome of a pruning that could not be made."""
    return f"Nothing was removed: {error}."
