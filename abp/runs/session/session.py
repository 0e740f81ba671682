"""A session: one worker's work on one run, which it trains, records, and lets people command between batches."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safetensors.torch import load

from abp.analysis.network_summary import summarise_network
from abp.data.datasets import Dataset, load_dataset
from abp.data.download import Progress
from abp.network.masks import unpack
from abp.runs.session.command_words import NOT_UNDONE, OUTCOMES, pace_outcome, pruning_outcome, refusal
from abp.runs.session.rate import Rate
from abp.runs.session.recent_activity import RecentActivity
from abp.runs.session.recording import checkpoint_row, epoch_row, frame_row, pack_spectra, pack_weights, pruning_row
from abp.runs.summaries import to_row
from abp.store.records import Command, CommandKind, Run, Status
from abp.store.snapshots import recorded_masks
from abp.store.store import Store
from abp.training.checkpoint import restore_checkpoint
from abp.training.experiment import SettingError
from abp.training.history import Pruning
from abp.training.trainer import Trainer

WATCHED_FRAME_EVERY = (
    0.09  # seconds between live frames while somebody watches: some come late, and ten a second are due
)
FRAME_EVERY = 5.0  # and while nobody does
LOOK_EVERY = 0.2  # seconds between looks for commands
SAVE_EVERY = 2.0  # seconds between checkpoints, at least
PARK_AFTER = 60.0  # seconds of pause after which the worker is given back


@dataclass(frozen=True)
class Progressed:
    """What `execute` reports: epochs done, epochs at most, and how it stands."""

    epoch: int
    epochs: int
    train_accuracy: float
    valid_accuracy: float
    sparsity: float


Report = Callable[[Progressed], None]


class Session:
    """One worker's work on one run, between claiming it and letting go."""

    def __init__(self, store: Store, run: Run, owner: str, *, report: Report | None, park: bool) -> None:
        self.store, self.run, self.owner = store, run.id, owner
        self.experiment, self.keep = run.experiment, run.keep
        self.held, self.pace = run.held, run.pace
        self.report, self.may_park = report, park
        self.seconds = 0.0
        self.stop_asked = self.step_asked = False
        self._looked = self._frame_due = self._saved = 0.0
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
            weights = pack_weights(self.trainer)
            self.store.histories.begin(self.run, self.owner, weights, sparsity=self.trainer.sparsity)
        else:
            state, self.seconds = checkpoint
            restore_checkpoint(self.trainer, state)
            self.trainer.regulariser.seconds = self.store.runs.get(self.run).regulariser_seconds
        self._watched = self.store.watches.watched(self.run)
        self._show(force=True)
        self._frame_due = 0.0  # the first batches are shown at once

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
        """Batches of half the time between frames, if a slowed-down run is watched: it is to move, not to jump.

        Of the whole time it would be that a frame is seldom due just when they end.
        """
        if not (self._watched and self.pace):
            return None
        return max(1, round(self.trainer.batches * self.pace * WATCHED_FRAME_EVERY / 2))

    def _end_epoch(self, began: float) -> None:
        trainer = self.trainer
        epoch = trainer.finish_epoch()
        self.seconds += time.monotonic() - began
        self.store.histories.add_epoch(self.run, self.owner, epoch_row(epoch, trainer, self.seconds))
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
        weights = pack_weights(trainer) if self.keep == "all" else None
        before = pack_spectra(trainer.network.weights)
        began = time.monotonic()
        pruning = prune()
        self.seconds += time.monotonic() - began
        self.store.histories.add_pruning(
            self.run,
            self.owner,
            pruning_row(pruning, trainer, before),
            scheduled_left=trainer.schedule.remaining,
            weights_before=weights,
            checkpoint=checkpoint_row(trainer, self.seconds),
            answered=(command, pruning_outcome(pruning)) if command else None,
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
            self._do(command)

    def _do(self, command: Command) -> None:
        """Do what a command says, and record what came of it."""
        if command.kind == CommandKind.PRUNE:
            self._prune_now(command)
        elif command.kind == CommandKind.UNDO:
            self._undo(command)
        else:
            self._answer(command, self._obey(command))

    def _answer(self, command: Command, outcome: str) -> None:
        """Record what came of a command, together with a frame of the run as it is then."""
        state = {"status": self._status, "held": self.held, "pace": self.pace}
        place = {"epoch": self.trainer.epoch, "batch": self.trainer.batch}

        def record() -> None:
            with self.store.transaction():
                self.store.commands.settle(self.run, self.owner, command, **place, outcome=outcome, state=state)
                self._show(force=True)

        self.store.database.again(record)

    def _obey(self, command: Command) -> str:
        """Do what a command other than to prune says; what came of it, for people."""
        match command.kind:
            case CommandKind.PAUSE:
                self.held, self.step_asked = True, False
            case CommandKind.RESUME:
                self.held = self.step_asked = False
            case CommandKind.STEP:
                self.held, self.step_asked = False, True
            case CommandKind.STOP:
                self.stop_asked = True
            case CommandKind.PACE:
                self.pace = _positive(command.arguments.get("epochs_per_second"))
                return pace_outcome(self.pace)
        return OUTCOMES[command.kind]

    def _prune_now(self, command: Command) -> None:
        """Prune as a command says; what came of it is recorded with the pruning, if there is one."""
        arguments = command.arguments
        criterion, amount, of = arguments.get("criterion", ""), arguments.get("amount", -1), arguments.get("of", "all")
        try:
            self._prune(lambda: self.trainer.prune(criterion, amount, of=of), command)
        except SettingError as error:
            self._answer(command, refusal(error))

    def _undo(self, command: Command) -> None:
        """Take the last pruning by hand back; recorded like a pruning."""
        found = self.store.histories.undoable_pruning(self.run)
        recorded = found and self.store.weights.get(self.run, f"before-{found[0]}")
        if not found or not recorded:
            self._answer(command, NOT_UNDONE)
            return
        number, criterion = found
        tensors, masks = load(recorded), recorded_masks(self.store, self.store.runs.get(self.run), number - 1)
        self._prune(lambda: self.trainer.undo_pruning(tensors, masks, criterion=criterion), command)

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
        late = now - self._frame_due
        if late < 0 and not force:
            return
        every = WATCHED_FRAME_EVERY if self._watched else FRAME_EVERY
        # By the clock: when one frame is late, the next is not, so that they come as often as they are due.
        self._frame_due = (self._frame_due if 0 <= late < every else now) + every
        self._frames += 1
        row = frame_row(self.trainer, self._recent, number=self._frames, rate=self._rate.value())
        spent = {"seconds": self.seconds, "regulariser_seconds": self.trainer.regulariser.seconds}
        self.store.frames.save(self.run, self.owner, row, **spent)

    def _save(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if now - self._saved >= SAVE_EVERY or force:
            self._saved = now
            self.store.checkpoints.save(self.run, self.owner, checkpoint_row(self.trainer, self.seconds))

    def _close(self) -> None:
        self._show(force=True)
        trainer, weights = self.trainer, pack_weights(self.trainer)
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


_loaded: dict[str, Dataset] = {}


def _dataset(name: str, progress: Progress) -> Dataset:
    """A data set, kept for the next run; another one is let go before it is loaded, so that memory holds one."""
    if name not in _loaded:
        _loaded.clear()
        _loaded[name] = load_dataset(name, progress=progress)
    return _loaded[name]


def _positive(value: Any) -> float | None:
    """A pace from a command's arguments, between 0.01 and 1,000 epochs a second; None for as fast as it goes."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(min(max(value, 0.01), 1000.0)) if is_number and value > 0 else None
