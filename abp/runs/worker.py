"""The worker: claims a run in the store, trains it, obeys commands, and records everything as it goes.

The command line calls `execute` in its own process; the engine calls it in worker processes.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.torch import load, save

from abp.analysis.network_summary import summarise_network
from abp.analysis.spectra import singular_values
from abp.data.datasets import Dataset, DataUnavailable, load_dataset
from abp.data.download import Progress
from abp.home import HomeUnusable
from abp.network.masks import live_weights, pack, unpack
from abp.network.mlp import Network
from abp.runs.recent_activity import RecentActivity
from abp.runs.summaries import to_row
from abp.store.database import StoreUnusable
from abp.store.leases import LEASE, ClaimLost
from abp.store.records import Command, CommandKind, Run, Status, pack_counts
from abp.store.store import Store
from abp.training.checkpoint import CheckpointDamaged, restore_checkpoint, save_checkpoint
from abp.training.experiment import SettingError
from abp.training.history import Pruning
from abp.training.trainer import Diverged, Trainer

WATCHED_FRAME_EVERY = 0.1  # seconds between live frames while somebody watches
FRAME_EVERY = 5.0  # and while nobody does
LOOK_EVERY = 0.2  # seconds between looks for commands
SAVE_EVERY = 2.0  # seconds between checkpoints, at least
PARK_AFTER = 60.0  # seconds of pause after which the worker is given back

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progressed:
    """What `execute` reports: epochs done, epochs at most, and how it stands."""

    epoch: int
    epochs: int
    train_accuracy: float
    valid_accuracy: float
    sparsity: float


Report = Callable[[Progressed], None]


def new_owner(ending: str | None = None) -> str:
    """A name for a worker that no other has: its machine, its process and an ending, by default a random one."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{ending or uuid.uuid4().hex[:12]}"


def execute(
    store: Store,
    run: int,
    owner: str,
    *,
    report: Report | None = None,
    download_progress: Progress = None,
    park: bool = True,
) -> bool:
    """Train a queued run to its end, or until it is parked, taken away or fails.

    Parameters
    ----------
    report
        Called after every epoch.
    download_progress
        How to show a download; by default in the run's message.
    park
        Whether to give up the worker when the run is paused for long.

    Returns
    -------
    bool
        False if the run could not be claimed, since it is not queued or another worker was faster.
    """
    claimed = store.leases.claim(run, owner)
    if claimed is None:
        return False
    with _lease_kept(store, run, owner):
        try:
            try:
                session = Session(store, claimed, owner, report=report, park=park)
                session.start(download_progress)
                session.train()
            except Diverged as error:
                message = f"Training diverged: {error}. All epochs before it are kept."
                store.runs.close(run, owner, Status.DIVERGED, stopped_by="diverged", message=message)
            except (DataUnavailable, HomeUnusable, CheckpointDamaged, SettingError) as error:
                store.runs.close(run, owner, Status.FAILED, message=str(error))
            except (ClaimLost, StoreUnusable):
                raise
            except MemoryError:
                store.runs.close(
                    run, owner, Status.FAILED, message="The network needs more memory than this machine has free."
                )
            except Exception as error:
                _log.exception("run %s failed", run)
                message = f"Something unexpected went wrong ({type(error).__name__}: {error}). The log has the details."
                store.runs.close(run, owner, Status.FAILED, message=message)
        except ClaimLost:
            _log.warning("run %s was taken away from this worker", run)
    return True


class Session:
    """One worker's work on one run, between claiming it and letting go."""

    def __init__(self, store: Store, run: Run, owner: str, *, report: Report | None, park: bool) -> None:
        self.store, self.run, self.owner = store, run.id, owner
        self.experiment, self.keep = run.experiment, run.keep
        self.held, self.pace = run.held, run.pace
        self.report, self.may_park = report, park
        self.seconds = 0.0
        self.stop_asked = self.step_asked = False
        self._looked = self._framed = self._saved = 0.0
        self._rate = Rate()
        self._recent = RecentActivity(self.experiment.hidden)
        self._watched, self._frames = False, 0

    def start(self, download_progress: Progress = None) -> None:
        """Load the data and build the trainer: from the checkpoint if there is one, else from the start."""
        self._set_status()
        data = self._load(download_progress)
        self.trainer = self._new_trainer(data)
        shown = self.store.frames.newest(self.run, self.experiment.hidden)
        self._frames = shown.number if shown else 0  # numbers go on rising, so that a viewer knows what is new
        checkpoint = self.store.checkpoints.restore(self.run, self.owner)
        if checkpoint is None:
            self.store.histories.begin(
                self.run, self.owner, _tensors(self.trainer.network), sparsity=self.trainer.sparsity
            )
        else:
            state, self.seconds = checkpoint
            restore_checkpoint(self.trainer, state)
            self.trainer.regulariser.seconds = self.store.runs.get(self.run).regulariser_seconds
        self._show(force=True)

    def _new_trainer(self, data: Dataset) -> Trainer:
        start = self.store.weights.start(self.run)
        if start is None:
            return Trainer(self.experiment, data)
        tensors, masks = load(start[0]), unpack(start[1], self.experiment.sizes)
        return Trainer(self.experiment, data, tensors=tensors, masks=masks)

    def train(self) -> None:
        """Train, looking for commands and showing frames between batches, until the end."""
        paused_since = time.monotonic()
        while self.trainer.stopped_by is None:
            self._look()
            if self.stop_asked:
                break
            if self.held:
                self._rate.restart()
                if self.may_park and time.monotonic() - paused_since > PARK_AFTER:
                    self._save(force=True)
                    if self.store.leases.park(self.run, self.owner):
                        return
                time.sleep(LOOK_EVERY / 2)
                continue
            paused_since = time.monotonic()
            if self.trainer.due:  # before training
                self._prune(self.trainer.prune_due)
            share = self._train_batches()
            self._show()
            self._save()
            self._keep_pace(paused_since, share)
        self._close()

    # Between batches

    def _train_batches(self) -> float:
        """Train on the next batches; the share of an epoch that they were."""
        trainer = self.trainer
        began, batch = time.monotonic(), trainer.batch if trainer.in_progress else 0
        samples = trainer.activity.epoch_samples if trainer.in_progress else 0
        ended = trainer.train_batches(self._most_batches())
        self._rate.add(trainer.activity.epoch_samples - samples)
        self._recent.add(trainer.activity.epoch_counts, trainer.activity.epoch_samples)
        if ended:
            self._end_epoch(began)
        else:
            self.seconds += time.monotonic() - began
        return (trainer.batch - batch) / trainer.batches

    def _most_batches(self) -> int | None:
        """Batches until the next frame is due, if a slowed-down run is watched: it is to move, not to jump."""
        if not (self._watched and self.pace):
            return None
        return max(1, round(self.trainer.batches * self.pace * WATCHED_FRAME_EVERY))

    def _end_epoch(self, began: float) -> None:
        trainer = self.trainer
        epoch = trainer.finish_epoch()
        self.seconds += time.monotonic() - began
        row = {
            "epoch": epoch.number,
            "train_loss": epoch.train.loss,
            "train_accuracy": epoch.train.accuracy,
            "valid_loss": epoch.valid.loss,
            "valid_accuracy": epoch.valid.accuracy,
            "test_loss": epoch.test.loss,
            "test_accuracy": epoch.test.accuracy,
            "sparsity": epoch.sparsity,
            "seconds": self.seconds,
            "samples": trainer.activity.epoch_samples,
            "counts": pack_counts(trainer.activity.epoch_counts),
        }
        self.store.histories.add_epoch(self.run, self.owner, row)
        if self.report:
            accuracies = (epoch.train.accuracy, epoch.valid.accuracy)
            self.report(Progressed(epoch.number, self.experiment.epochs, *accuracies, epoch.sparsity))
        if trainer.due:
            self._prune(trainer.prune_due)
        if self.step_asked:
            self.step_asked = False
            self._pause()

    def _prune(self, prune: Callable[[], Pruning], command: Command | None = None) -> None:
        trainer = self.trainer
        weights = _tensors(trainer.network) if self.keep == "all" else None
        before = _spectra(trainer)
        began = time.monotonic()
        pruning = prune()
        self.seconds += time.monotonic() - began
        row = {
            "number": trainer.prunings,
            "epoch": pruning.epoch,
            "batch": pruning.batch,
            "criterion": pruning.criterion,
            "made_by": pruning.by,
            "requested": pruning.requested,
            "achieved": pruning.achieved,
            "sparsity": pruning.sparsity,
            "weights_removed": pruning.weights_removed,
            "neurons_removed": pruning.neurons_removed,
            "train_accuracy": pruning.train_accuracy,
            "valid_accuracy_before": pruning.valid_before.accuracy,
            "valid_accuracy_after": pruning.valid_after.accuracy,
            "test_accuracy_before": pruning.test_before.accuracy,
            "test_accuracy_after": pruning.test_after.accuracy,
            "masks": pack(trainer.masks),
            "live_weights": pack_counts(live_weights(trainer.masks)),
            "spectra_before": before,
            "spectra_after": _spectra(trainer),
        }
        self.store.histories.add_pruning(
            self.run,
            self.owner,
            row,
            scheduled_left=trainer.schedule.remaining,
            weights_before=weights,
            checkpoint=self._checkpoint(),
            answered=(command, describe(pruning)) if command else None,
        )
        self._saved = time.monotonic()
        self._show(force=True)

    # Commands

    def _look(self) -> None:
        """Do what was asked since the last look."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        watched = self.store.watches.watched(self.run)
        joined, self._watched = watched and not self._watched, watched
        if joined:
            self._show(force=True)
        for command in self.store.commands.pending(self.run):
            if command.kind == CommandKind.PRUNE:
                self._prune_now(command)
            else:
                self._answer(command, self._obey(command))

    def _answer(self, command: Command, outcome: str) -> None:
        """Record what came of a command, together with a frame of the run as it is then."""
        state = {"status": self._status, "held": self.held, "pace": self.pace}
        place = {"epoch": self.trainer.epoch, "batch": self.trainer.batch}
        with self.store.transaction():
            self.store.commands.settle(self.run, self.owner, command, **place, outcome=outcome, state=state)
            self._show(force=True)

    def _obey(self, command: Command) -> str:
        """Do what a command says; what came of it, for people."""
        match command.kind:
            case CommandKind.PAUSE:
                self.held, self.step_asked = True, False
                return "Paused."
            case CommandKind.RESUME:
                self.held = self.step_asked = False
                return "Training goes on."
            case CommandKind.STEP:
                self.held, self.step_asked = False, True
                return "Trains to the end of the epoch and pauses."
            case CommandKind.STOP:
                self.stop_asked = True
                return "Stopped."
            case CommandKind.PACE:
                self.pace = _positive(command.arguments.get("epochs_per_second"))
                return f"Pace: {self.pace:g} epochs a second." if self.pace else "Pace: as fast as it goes."
        raise AssertionError(f"{command.kind} is obeyed elsewhere")

    def _prune_now(self, command: Command) -> None:
        """Prune as a command says; what came of it is recorded with the pruning, if there is one."""
        criterion, amount = command.arguments.get("criterion", ""), command.arguments.get("amount", -1)
        try:
            self._prune(lambda: self.trainer.prune(criterion, amount), command)
        except SettingError as error:
            self._answer(command, f"Nothing was removed: {error}.")

    @property
    def _status(self) -> Status:
        return Status.PAUSED if self.held else Status.RUNNING

    def _pause(self) -> None:
        self.held = True
        self._set_status()
        self._show(force=True)  # a paused run shows where it stands

    def _set_status(self) -> None:
        self.store.runs.set_state(self.run, self.owner, status=self._status, held=self.held)

    # Showing and saving

    def _show(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if now - self._framed < (WATCHED_FRAME_EVERY if self._watched else FRAME_EVERY) and not force:
            return
        self._framed = now
        self._frames += 1
        trainer, activity, running = self.trainer, self.trainer.activity, self.trainer.running
        row = {
            "number": self._frames,
            "made": time.time(),
            "epoch": trainer.epoch,
            "batch": trainer.batch,
            "batches": trainer.batches,
            "rate": self._rate.value(),
            "train_loss": running.loss,
            "train_accuracy": running.accuracy,
            "samples": activity.samples,
            "counts": pack_counts(activity.counts),
            "epoch_samples": activity.epoch_samples,
            "epoch_counts": pack_counts(activity.epoch_counts),
            "live_weights": pack_counts(live_weights(trainer.masks)),
            "sparsity": trainer.sparsity,
            "recent_samples": self._recent.samples,
            "recent_counts": self._recent.counts.astype(np.uint32).tobytes(),
        }
        spent = {"seconds": self.seconds, "regulariser_seconds": trainer.regulariser.seconds}
        self.store.frames.save(self.run, self.owner, row, **spent)

    def _save(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if now - self._saved >= SAVE_EVERY or force:
            self._saved = now
            self.store.checkpoints.save(self.run, self.owner, self._checkpoint())

    def _checkpoint(self) -> dict[str, Any]:
        finished = self.trainer.epoch - self.trainer.in_progress
        return {
            "epoch": finished,
            "seconds": self.seconds,
            "regulariser_seconds": self.trainer.regulariser.seconds,
            "state": save_checkpoint(self.trainer),
        }

    def _close(self) -> None:
        self._show(force=True)
        trainer, weights = self.trainer, _tensors(self.trainer.network)
        if self.stop_asked:
            self.store.runs.close(self.run, self.owner, Status.STOPPED, stopped_by="hand", weights=weights)
            return
        pruned = self.store.histories.spectra(self.run, self.experiment.sizes)
        found = summarise_network(trainer.network, trainer.masks, pruned[-1][1] if pruned else None)
        self.store.runs.close(
            self.run,
            self.owner,
            Status.FINISHED,
            stopped_by=trainer.stopped_by,
            weights=weights,
            measures=to_row(found),
        )

    def _keep_pace(self, began: float, share: float) -> None:
        """Wait until batches that are this share of an epoch have taken their time; a command changes or ends that."""
        while self.pace and not (self.held or self.stop_asked):
            left = began + share / self.pace - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(LOOK_EVERY / 2, left))
            self._look()

    def _load(self, download_progress: Progress) -> Dataset:
        def tell(file: str, done: int, size: int) -> None:
            share = f"{done / size:.0%}" if size else f"{done / 1e6:.1f} MB"
            self.store.runs.set_state(self.run, self.owner, message=f"Downloading {file}: {share}")

        data = _dataset(self.experiment.dataset, tell if download_progress is None else download_progress)
        self.store.runs.set_state(self.run, self.owner, message=None)
        return data


class Rate:
    """Samples a second, over about the last second of training."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start measuring afresh, as after a pause."""
        self._began, self._samples, self._last = time.monotonic(), 0, 0.0

    def add(self, samples: int) -> None:
        """Take note of samples just trained on."""
        self._samples += samples
        elapsed = time.monotonic() - self._began
        if elapsed >= 1:
            self._last = self._samples / elapsed
            self._began, self._samples = time.monotonic(), 0

    def value(self) -> float:
        """Samples a second; 0 while nothing is known."""
        return self._last or self._samples / max(time.monotonic() - self._began, 1e-3)


def describe(pruning: Pruning) -> str:
    """One sentence on what a pruning did."""
    neurons = f" and {pruning.neurons_removed:,} neurons" if pruning.neurons_removed else ""
    counted = pruning.epoch > 0 or "activation" not in pruning.criterion
    uncounted = "" if counted else " No picture had been counted yet: all were equal, and the first in order went."
    return (
        f"Removed {pruning.weights_removed:,} weights{neurons}: sparsity {100 * pruning.sparsity:.1f} %, "
        f"validation accuracy {100 * pruning.valid_before.accuracy:.1f} → {100 * pruning.valid_after.accuracy:.1f} %."
        f"{uncounted}"
    )


_loaded: dict[str, Dataset] = {}


def _dataset(name: str, progress: Progress) -> Dataset:
    """A data set, kept for the next run; another one is let go before it is loaded, so that memory holds one."""
    if name not in _loaded:
        _loaded.clear()
        _loaded[name] = load_dataset(name, progress=progress)
    return _loaded[name]


@contextmanager
def _lease_kept(store: Store, run: int, owner: str) -> Iterator[None]:
    """Renew the lease in the background, also while a download or a large batch takes its time."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(LEASE / 4):
            try:
                store.leases.renew(run, owner)
            except StoreUnusable:
                continue  # perhaps it is only busy
            except ClaimLost:
                return  # the worker's own next write meets the same and acts on it

    thread = threading.Thread(target=renew, name=f"lease of run {run}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _tensors(network: Network) -> bytes:
    return save(network.tensors())


def _spectra(trainer: Trainer) -> bytes:
    """Singular values of the hidden layers, float64, joined."""
    return b"".join(singular_values(weight).tobytes() for weight in trainer.network.weights[:-1])


def _positive(value: Any) -> float | None:
    """A pace from a command's arguments, between 0.01 and 1,000 epochs a second; None for as fast as it goes."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), 0.01), 1000.0) if is_number and value > 0 else None
