"""Commands in words: the help of the buttons that send them, and their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abp.store.records import CommandKind

if TYPE_CHECKING:  # it brings PyTorch, which the buttons' words do without
    from abp.training.history import Pruning

HELP = {
    CommandKind.STEP: "Trains one epoch, then pauses.",
    CommandKind.STOP: "Ends the run and keeps its records.",
    CommandKind.PRUNE: "Share of the hidden weights that are left. Later scheduled prunings remove less accordingly.",
    CommandKind.UNDO: "Takes the last pruning by hand back: the network becomes what it was just before it, without "
    "what it has learnt since.",
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
    """One sentence on what a pruning did, or the taking back of one."""
    if pruning.by == "undo":
        return (
            f"Brought back {-pruning.weights_removed:,} weights{_and_neurons(-pruning.neurons_removed)}: "
            f"{_came_to(pruning)}"
        )
    counted = pruning.epoch > 0 or "activation" not in pruning.criterion
    uncounted = (
        ""
        if counted
        else " No picture had been counted yet, so all scores were equal and the first in order were removed."
    )
    return (
        f"Removed {pruning.weights_removed:,} weights{_and_neurons(pruning.neurons_removed)}: {_came_to(pruning)}"
        f"{uncounted}"
    )


def _and_neurons(count: int) -> str:
    return f" and {count:,} neurons" if count else ""


def _came_to(pruning: Pruning) -> str:
    return (
        f"sparsity {100 * pruning.sparsity:.1f} %, validation accuracy {100 * pruning.valid_before.accuracy:.1f} → "
        f"{100 * pruning.valid_after.accuracy:.1f} %."
    )


def refusal(error: Exception) -> str:
    """The outcome of a pruning that could not be made."""
    return f"Nothing was removed: {error}."


NOT_UNDONE = (
    "Nothing was undone: there is no pruning by hand to take back, or the schedule has pruned since, or the weights "
    "from before it were not recorded."
)
"""The outcome of a command to undo where there is nothing to take back."""
