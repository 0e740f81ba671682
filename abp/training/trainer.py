"""The trainer: trains one network, counts its activations, prunes it and keeps what was pruned at zero."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from abp.data.datasets import Dataset, load_dataset
from abp.display import Displayed
from abp.network.activation_statistics import measure
from abp.network.evaluation import Metrics, evaluate
from abp.network.gradients import loss_gradients
from abp.network.live import LiveNetwork, live_network, zero_removed
from abp.network.masks import cascade, full_masks, kept, sparsity, total
from abp.network.mlp import Network
from abp.pruning.criteria import CRITERIA
from abp.pruning.prune_network import prune_network
from abp.pruning.selection import Request
from abp.training.activation_counts import Activity
from abp.training.experiment import Experiment
from abp.training.history import Epoch, Pruning
from abp.training.nuclear_norm import Regulariser
from abp.training.randomness import generator
from abp.training.rank_projection import EVERY, limit_ranks
from abp.training.schedule import Schedule
from abp.training.step import TrainingStep, optimiser_of
from abp.training.trainer_state import TrainerState, named

SPLITS = ("train", "valid", "test")
_CHUNK = 1024  # samples between two moments at which a run can be watched, commanded or saved
_PLAIN = ("epoch", "batch", "prunings", "stopped_by", "due", "loss_sum", "correct")  # attributes of a state as they are


class Diverged(ArithmeticError):
    """The loss is no longer a finite number."""


class Trainer(Displayed):
    """Trains the network of an experiment.

    The same settings, thread count and sequence of calls give the same bits. A trainer sets the number of threads that
    PyTorch uses, in the whole process, to the experiment's.

    Parameters
    ----------
    experiment
        The settings.
    data
        Its data set, where it is loaded already.
    tensors
        Parameters to start from, as `Network.tensors` names them; by default new random ones of the seed.
    masks
        Masks to start from, bool ``[out, in]`` per hidden layer; by default nothing is removed. What they removed is
        zeroed, with the biases and outgoing weights of neurons without inputs.

    Raises
    ------
    ValueError
        If the tensors or masks are of another network.

    Attributes
    ----------
    network
        Its tensors are current after every method.
    masks
        Per hidden layer, bool ``[out, in]``; True = kept.
    activity
        Counts of activations.
    schedule
        What remains to be pruned, and when to stop.
    epoch, batch
        The epoch in progress, or the last one (0 before the first), and how many of its batches are done.
    prunings
        Number of prunings made, by the schedule or by hand.
    due
        ``"schedule"`` or ``"stall"`` while a scheduled pruning is due (see `prune_due`), else None.
    reinitialise_due
        Whether the weights get new random values before the next epoch: see `abp.pruning.criteria.Criterion`.
    regulariser
        What holds the nuclear norm down: see `abp.training.nuclear_norm.Regulariser`.
    stopped_by
        None while there is more to do, or ``"stop-accuracy"``, ``"early-stopping"``, ``"fine-tuned"``, ``"epochs"``.

    Examples
    --------
    >>> trainer = Trainer(Experiment(dataset="digits", criterion="none", hidden=(20,), seed=0))
    >>> metrics = trainer.train_epoch()
    >>> trainer.activity.samples == len(trainer.data.train_x)
    True
    >>> pruning = trainer.prune("magnitude", amount=0.25)
    >>> pruning.achieved
    0.25
    """

    def __init__(
        self,
        experiment: Experiment,
        data: Dataset | None = None,
        *,
        tensors: Mapping[str, Tensor] | None = None,
        masks: Sequence[Tensor] | None = None,
    ) -> None:
        torch.set_num_threads(experiment.threads)
        self.experiment = experiment
        self.data = data or load_dataset(experiment.dataset)
        self.network = Network.glorot(experiment.sizes, generator(experiment.seed, "weights"))
        self.masks = full_masks(experiment.sizes)
        if tensors is not None:
            self.network.load_tensors(tensors)
        if masks is not None:
            if [mask.shape for mask in masks] != [mask.shape for mask in self.masks]:
                raise ValueError(f"the masks must have the shapes {[list(mask.shape) for mask in self.masks]}")
            self.masks = cascade(masks)
            zero_removed(self.network, self.masks)
        self.activity = Activity(experiment.hidden)
        self.schedule = Schedule(experiment)
        self.regulariser = Regulariser(experiment)
        self.epoch = self.batch = self.prunings = 0
        self.loss_sum, self.correct = 0.0, 0  # of the epoch in progress
        self.stopped_by: str | None = None
        self.due: str | None = "schedule" if self.schedule.before_training else None
        self.reinitialise_due = False
        self._renew_step()

    # Training

    @property
    def batches(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return math.ceil(len(self.data.train_x) / self.experiment.batch_size)

    @property
    def in_progress(self) -> bool:
        """Whether an epoch is begun and not ended."""
        return 0 < self.batch < self.batches

    @property
    def running(self) -> Metrics:
        """Training metrics of the epoch in progress, or of the last one, so far."""
        samples = max(self.activity.epoch_samples, 1)
        return Metrics(self.loss_sum / samples, self.correct / samples)

    def evaluate(self, split: str) -> Metrics:
        """Loss and accuracy of the network as it is on ``"train"``, ``"valid"`` or ``"test"``."""
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
        x, y = getattr(self.data, f"{split}_x"), getattr(self.data, f"{split}_y")
        return evaluate(self._live.network, x, y)

    def train_batches(self, most: int | None = None) -> bool:
        """Train on the next batches, about a thousand samples.

        Parameters
        ----------
        most
            Batches at most, so that a slow run can be watched more closely; the weights are the same.

        Returns
        -------
        bool
            Whether they completed an epoch.

        Raises
        ------
        Diverged
            If the loss is no longer finite.
        """
        if not self.in_progress:
            self._begin_epoch()
        size = self.experiment.batch_size
        stride = max(1, _CHUNK // size)
        last = min(self.batch + min(stride, most or stride), self.batches)
        chosen = self._order[self.batch * size : last * size]
        x, y = self.data.train_x.index_select(0, chosen), self.data.train_y[chosen]
        one_hot = functional.one_hot(y, self.experiment.sizes[-1]).float()
        outputs = torch.empty_like(one_hot)
        with torch.no_grad():
            batches = zip(x.split(size), one_hot.split(size), outputs.split(size), strict=True)
            for number, batch in enumerate(batches, start=self.batch + 1):
                self._step(*batch)
                self._hold_down(number)
            self._live.write_back(self.network)
        self._note(outputs, y)
        self.batch = last
        return self.batch == self.batches

    def train_epoch(self) -> Metrics:
        """One pass over the training set, or what is left of the one in progress: its loss and accuracy.

        The schedule takes no notice of it; `run` and `finish_epoch` do.
        """
        while not self.train_batches():
            pass
        return self.running

    def finish_epoch(self) -> Epoch:
        """Evaluate at an epoch's end and let the schedule decide: then `due` or `stopped_by` may be set.

        Raises
        ------
        Diverged
            If the validation loss is no longer finite.
        """
        record = Epoch(self.epoch, self.running, self.evaluate("valid"), self.evaluate("test"), self.sparsity)
        self._require_finite(record.valid.loss)
        decision = self.schedule.after_epoch(record.train.accuracy, record.valid.loss, self.epoch)
        self.due = {"prune": "schedule", "prune-stalled": "stall"}.get(decision)
        if decision in ("stop-accuracy", "early-stopping", "fine-tuned"):
            self.stopped_by = decision
        elif self.epoch >= self.experiment.epochs:
            self.stopped_by = "epochs"
        return record

    def run(self) -> Iterator[Epoch | Pruning]:
        """Train by the schedule until it ends, yielding every epoch and every pruning."""
        while self.due or self.stopped_by is None:
            if self.due:
                yield self.prune_due()
            else:
                self.train_epoch()
                yield self.finish_epoch()

    # Pruning

    @property
    def sparsity(self) -> float:
        """Share of hidden weights that are removed, 0 to 1."""
        return sparsity(self.masks)

    def prune(self, criterion: str, amount: float, *, of: str = "all", by: str = "hand") -> Pruning:
        """Remove this share of all hidden weights, beyond those already removed, ranked over the experiment's scope.

        Parameters
        ----------
        criterion
            A key of `abp.pruning.criteria.CRITERIA`, not ``none``.
        amount
            0 to 1; outgoing weights of neurons that die with their last incoming one are counted in.
        of
            ``"left"`` for a share of the hidden weights that are left, instead of all.
        by
            Who asked, for the record.

        Raises
        ------
        SettingError
            If the criterion is unknown, the amount not between 0 and 1, or ranks are limited; nothing is changed then.
        """
        self.experiment.check_pruning(criterion, amount, of)
        weights = total(self.masks) if of == "all" else kept(self.masks)
        requested = float(amount) if of == "all" else amount * weights / total(self.masks)
        pruning = self._prune(criterion, Request(round(amount * weights)), requested, by)
        self.reinitialise_due |= CRITERIA[criterion].reinitialises and not self.schedule.remaining
        return pruning

    def undo_pruning(
        self, tensors: Mapping[str, Tensor], masks: Sequence[Tensor], *, criterion: str, by: str = "undo"
    ) -> Pruning:
        """Take a pruning back: the network is what it was just before it. Epochs and counts go on.

        Parameters
        ----------
        tensors, masks
            The parameters, as `Network.tensors` names them, and what was kept, just before the pruning.
        criterion
            What that pruning chose by, for the record.
        by
            Who asked, for the record.

        Returns
        -------
        Pruning
            What was brought back, as negative numbers of removed weights and neurons.

        Raises
        ------
        ValueError
            If the tensors are of another network; nothing is changed then.
        """

        def restore() -> None:
            self.network.load_tensors(tensors)
            self._mask_anew([mask.clone() for mask in masks])
            self.reinitialise_due &= CRITERIA[self.experiment.criterion].reinitialises

        return self._record(restore, criterion, -(kept(masks) - kept(self.masks)) / total(masks), by)

    def _prune(self, criterion: str, request: Request, amount: float, by: str) -> Pruning:
        return self._record(lambda: self._apply(criterion, request), criterion, amount, by)

    def _record(self, change: Callable[[], None], criterion: str, amount: float, by: str) -> Pruning:
        """Change the masks; what that came to."""
        before = self.masks
        valid_before, test_before = self.evaluate("valid"), self.evaluate("test")
        self._require_finite(valid_before.loss)
        change()
        return Pruning.between(
            before,
            self.masks,
            epoch=self.epoch,
            batch=self.batch,
            criterion=criterion,
            by=by,
            requested=amount,
            train_accuracy=self.running.accuracy,
            valid_before=valid_before,
            valid_after=self.evaluate("valid"),
            test_before=test_before,
            test_after=self.evaluate("test"),
        )

    def prune_due(self) -> Pruning:
        """Make the scheduled pruning that is due: what is missing to its cumulative target, perhaps nothing.

        Raises
        ------
        ValueError
            If all scheduled prunings are made.
        """
        if not self.schedule.remaining:
            raise ValueError("no scheduled pruning is left to be made")
        sizes = [mask.numel() for mask in self.masks]
        removed = [size - kept([mask]) for size, mask in zip(sizes, self.masks, strict=True)]
        amount, request = self.schedule.next_request(removed, sizes)
        pruning = self._prune(self.experiment.criterion, request, amount, self.due or "schedule")
        self.schedule.done += 1
        self.due = None
        self.reinitialise_due = CRITERIA[self.experiment.criterion].reinitialises and not self.schedule.remaining
        return pruning

    def _apply(self, criterion: str, request: Request) -> None:
        settings = self.experiment
        masks = prune_network(
            self.network,
            self.masks,
            criterion,
            request,
            scope=settings.scope,
            counts=self.activity.counts,
            samples=self.activity.samples,
            generator=generator(settings.seed, "pruning", self.prunings),
            measure=lambda: measure(self.network, self.data.train_x),
            gradients=lambda: loss_gradients(self.network, self.data.train_x, self.data.train_y),
        )
        if settings.reset_counts:
            self.activity.reset()
        self._mask_anew(masks)

    def _mask_anew(self, masks: list[Tensor]) -> None:
        """Train on under other masks, as after a pruning."""
        self.masks = masks
        self.prunings += 1
        self.schedule.early_stopping.restart()
        self._renew_step(self._step.optimiser_state())

    def _reinitialise(self) -> None:
        """Give the weights that are left new random values; the optimiser forgets."""
        fresh = Network.glorot(self.experiment.sizes, generator(self.experiment.seed, "weights", 1))
        zero_removed(fresh, self.masks)
        self.network.load_tensors(fresh.tensors())
        self.reinitialise_due = False
        self._renew_step()

    # Stopping and going on

    def state(self) -> TrainerState:
        """Copies of all that is needed to go on with the same bits: see `load_state`."""
        tensors = {**self.network.tensors(), **named("mask", self.masks), **self.activity.tensors()}
        for parameter, remembered in self._step.optimiser_state().items():
            tensors |= {f"optimiser.{parameter}.{name}": value.clone() for name, value in remembered.items()}
        values = {name: getattr(self, name) for name in _PLAIN} | {
            "anew": self.reinitialise_due,
            "regularising": self.regulariser.active,
            "samples": self.activity.samples,
            "epoch_samples": self.activity.epoch_samples,
            **self.schedule.state(),
        }
        return TrainerState(tensors, values)

    def load_state(self, state: TrainerState) -> None:
        """Go on from a state that a trainer of the same experiment had.

        Raises
        ------
        ValueError
            If something is missing from it, or is of another network; nothing is changed then.
        """
        state = state.checked(self.state(), self.experiment.optimiser if self._step.optimiser else None)
        self.network.load_tensors(state.tensors)
        self.masks = state.layers("mask")
        self.activity.load(state)
        self.schedule.load_state(state.values)
        for name in _PLAIN:
            setattr(self, name, state.values[name])
        self.reinitialise_due, self.regulariser.active = state.values["anew"], state.values["regularising"]
        self._renew_step(state.optimiser())
        self._draw_order()

    def _begin_epoch(self) -> None:
        if self.reinitialise_due:
            self._reinitialise()
        self.regulariser.begin_epoch(self.running.accuracy)  # 0 before the first epoch
        self.epoch += 1
        self.batch = 0
        self.loss_sum, self.correct = 0.0, 0
        self.activity.begin_epoch()
        self._draw_order()

    def _hold_down(self, batch: int) -> None:
        """What acts on singular values after this batch of the epoch: the regulariser, and limits of rank."""
        ranks, weights = self.experiment.ranks, self._live.network.weights[:-1]
        try:
            self.regulariser.after_step((self.epoch - 1) * self.batches + batch, self._live)
            if ranks and (batch % EVERY == 0 or batch == self.batches):
                limit_ranks(weights, ranks)
        except torch.linalg.LinAlgError:
            self._require_finite(sum(float(weight.sum()) for weight in weights))
            raise

    def _draw_order(self) -> None:
        order = generator(self.experiment.seed, "order", self.epoch)
        self._order = torch.randperm(len(self.data.train_x), generator=order)

    def _note(self, outputs: Tensor, y: Tensor) -> None:
        """Take note of what some batches came to."""
        self.activity.add(self._step.take_counts(), self._live.alive, len(y))
        self.correct += int((outputs.argmax(1) == y).sum())
        losses = functional.cross_entropy(outputs, y, reduction="none").double()
        size = self.experiment.batch_size
        # Batch by batch, so that the sum has the same bits however many batches were trained at a time.
        for loss in functional.pad(losses, (0, -len(losses) % size)).view(-1, size).sum(1).tolist():
            self.loss_sum += loss
        self._require_finite(self.loss_sum)

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise Diverged(f"the loss became {loss} in epoch {self.epoch}; a smaller learning rate may help")

    def _renew_step(self, optimiser_state: dict[int, dict[str, Tensor]] | None = None) -> None:
        """Make the training step for the network and masks as they are now, with what the optimiser remembers."""
        make_optimiser = optimiser_of(self.experiment)
        # The state of an optimiser has the whole network's shapes.
        self._live: LiveNetwork = live_network(self.network, self.masks, drop_dead=make_optimiser is None)
        self._step = TrainingStep(self._live, self.experiment.learning_rate, make_optimiser)
        if optimiser_state:
            self._step.load_optimiser(optimiser_state)
