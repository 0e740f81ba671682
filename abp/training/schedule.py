"""The schedule: when to prune and how far, and when to stop: the published rules, with two decisions of ours.

Pruning is due at an epoch's end when that epoch's training accuracy reaches a threshold, which rises with each pruning.
Training stops when all prunings are done and the training accuracy is high enough, or when the validation loss has
risen well above its minimum. Ours: should that happen before the last pruning, the next pruning is made at once
(``stalled="prune"``), and after any pruning the early-stopping rule starts afresh, since the network has changed.

The polynomial schedule is that of the study's post-training baseline: the dense network is fully trained, by the same
rules, and pruned while it is fine-tuned. Published (Zhu & Gupta 2017, TensorFlow Model Optimization): a sparsity
of ``amount * (1 - (1 - t)^3)`` after a share t of the steps, per layer, by magnitude, with two epochs of fine-tuning.
Ours: one pruning an epoch instead of one every hundred steps, the two epochs after the last one, and a start early
enough to finish within the run's epochs. Criterion and scope are the run's.

Before training all goes at once, from the initial weights (SNIP, Lee et al. 2019); the run then trains what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from abp.pruning.selection import Request
from abp.training.experiment import Experiment

_FINE_TUNING = 2  # epochs after the last pruning of the polynomial schedule


def cumulative_targets(amount: float, prunings: int, ratio: float) -> list[float]:
    """Sparsity to be reached by each pruning: geometric shares of `amount`, each `ratio` times the one before.

    >>> [round(target, 3) for target in cumulative_targets(0.8, 5, 0.8)]
    [0.238, 0.428, 0.581, 0.703, 0.8]
    """
    shares = [ratio**index for index in range(prunings)]
    targets = [amount * sum(shares[: index + 1]) / sum(shares) for index in range(prunings)]
    return [*targets[:-1], amount] if prunings else []


def polynomial_targets(amount: float, prunings: int) -> list[float]:
    """Sparsity to be reached by each pruning of the polynomial schedule, of power 3 (Zhu & Gupta 2017).

    >>> [round(target, 4) for target in polynomial_targets(0.8, 4)]
    [0.4625, 0.7, 0.7875, 0.8]
    """
    return [amount * (1 - (1 - step / prunings) ** 3) for step in range(1, prunings + 1)]


def accuracy_thresholds(start: float, stop: float, prunings: int) -> list[float]:
    """Training accuracy at which each pruning is due: from `start`, in equal steps that would end at `stop`.

    >>> [round(threshold, 3) for threshold in accuracy_thresholds(0.80, 0.98, 5)]
    [0.8, 0.836, 0.872, 0.908, 0.944]
    """
    return [start + (stop - start) * index / prunings for index in range(prunings)]


@dataclass
class EarlyStopping:
    """Fires when the validation loss was above `factor` times its minimum, and rising, for `patience` epochs.

    The epochs need not follow one another; their count returns to zero when the loss is back below that bound.
    A patience of zero never fires.
    """

    factor: float
    patience: int
    lowest: float = float("inf")
    last: float = float("inf")
    ticks: int = 0

    def fires(self, loss: float) -> bool:
        """Take note of one epoch's validation loss and say whether the rule fires now."""
        self.lowest = min(self.lowest, loss)
        if loss <= self.factor * self.lowest:
            self.ticks = 0
        elif loss > self.last:
            self.ticks += 1
        self.last = loss
        return 0 < self.patience <= self.ticks

    def restart(self) -> None:
        """Forget everything seen so far, as after a pruning."""
        self.lowest = self.last = float("inf")
        self.ticks = 0


@dataclass
class Schedule:
    """Which of an experiment's prunings are done, and what comes next.

    Attributes
    ----------
    done
        Scheduled prunings made so far.
    fine_tuned
        Epochs after the last pruning of the polynomial schedule.
    """

    experiment: Experiment
    done: int = 0
    fine_tuned: int = 0
    early_stopping: EarlyStopping = field(init=False)

    def __post_init__(self) -> None:
        settings = self.experiment
        self.early_stopping = EarlyStopping(settings.early_stopping, settings.patience)
        steps = settings.prunings if settings.scheduled_prunings else 0
        self.before_training = settings.schedule == "before-training" and steps > 0
        if self.before_training:
            steps = 1
        self.targets = cumulative_targets(settings.amount, steps, settings.share_ratio)
        self.thresholds = accuracy_thresholds(
            settings.start_accuracy, settings.stop_accuracy, settings.scheduled_prunings
        )
        self.after_training = settings.schedule == "polynomial" and steps > 0
        if self.after_training:
            self.targets, self.thresholds = polynomial_targets(settings.amount, steps), []

    @property
    def remaining(self) -> int:
        """Scheduled prunings still to be made."""
        return self.experiment.scheduled_prunings - self.done

    def state(self) -> dict[str, Any]:
        """What was done and seen so far, as plain values for `load_state`."""
        seen = self.early_stopping
        stopping = {"lowest": seen.lowest, "last": seen.last, "ticks": seen.ticks}
        return {"scheduled": self.done, "fine_tuned": self.fine_tuned, "stopping": stopping}

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.done, self.fine_tuned = values["scheduled"], values["fine_tuned"]
        self.early_stopping = replace(self.early_stopping, **values["stopping"])

    def after_epoch(self, train_accuracy: float, valid_loss: float, epoch: int = 0) -> str:
        """What to do at the end of this epoch.

        Returns
        -------
        str
            ``"train"``, ``"prune"`` (the threshold is reached, or the dense training is over), ``"prune-stalled"``
            (early stopping fired with prunings to go), ``"stop-accuracy"``, ``"early-stopping"`` or ``"fine-tuned"``.
        """
        stalled = self.early_stopping.fires(valid_loss)
        stop = self.experiment.stop_accuracy
        accurate = stop < 1 and train_accuracy >= stop
        if self.after_training:
            return self._after_training(accurate or stalled, epoch)
        if self.remaining and train_accuracy >= self.thresholds[self.done]:
            return "prune"
        if not self.remaining and accurate:
            return "stop-accuracy"
        if stalled and self.remaining and self.experiment.stalled == "prune":
            return "prune-stalled"
        return "early-stopping" if stalled else "train"

    def _after_training(self, ended: bool, epoch: int) -> str:
        """The decision of the polynomial schedule; `ended` says whether the dense training is over by its own rules."""
        if self.remaining:
            last_moment = epoch + self.remaining + _FINE_TUNING > self.experiment.epochs
            return "prune" if self.done or ended or last_moment else "train"
        self.fine_tuned += 1
        return "train" if self.fine_tuned < _FINE_TUNING else "fine-tuned"

    def next_request(self, removed: Sequence[int], sizes: Sequence[int]) -> tuple[float, Request]:
        """What the next scheduled pruning must remove to reach its cumulative target; perhaps nothing.

        Layer by layer, a pruning brings all layers up to and including its own to the target together: it makes up for
        weights that one of them lost with the neurons of the layer before, or kept because neurons go whole. Counting
        what dies in later layers, it never removes more than all layers together still lack.

        Parameters
        ----------
        removed, sizes
            Weights removed so far, and weights in all, per hidden layer.

        Returns
        -------
        tuple
            The share of all hidden weights that it is to remove, and the request for the selection.
        """
        by_layer = self.experiment.schedule == "layer-by-layer"
        step, layer = divmod(self.done, len(sizes)) if by_layer else (self.done, len(sizes) - 1)
        target, until = self.targets[step], layer + 1
        at_most = _missing(target, removed, sizes)
        missing = min(at_most, _missing(target, removed[:until], sizes[:until]))
        request = Request(round(missing), layer, round(at_most)) if by_layer else Request(round(missing))
        return missing / sum(sizes), request


def _missing(target: float, removed: Sequence[int], sizes: Sequence[int]) -> float:
    """Weights still to be removed for a sparsity of `target`; none where it is reached already."""
    return max(0.0, target * sum(sizes) - sum(removed))
