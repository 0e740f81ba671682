"""Replaying: training an ended run once more from its record, and comparing every bit that was recorded.

The record is its settings, with the seed, what it started from, and its commands with the batches after which they took
effect. The same session trains it that trains every run; only its commands come from the record instead of the store.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from abp.errors import AbpError
from abp.runs.session.session import Progressed, Session
from abp.store.records import Command, CommandKind, Run, Status
from abp.store.store import Store
from abp.training.trainer import Diverged

REPLAYABLE = (Status.FINISHED, Status.STOPPED, Status.DIVERGED)

_BITS_STAY = (CommandKind.PAUSE, CommandKind.RESUME, CommandKind.STEP, CommandKind.PACE)
"""What changes when a run trains, and nothing that it computes."""

_TIMES = ["seconds"]
"""Columns of histories that say how long something took."""


class NotReplayable(AbpError):
    """A run that has no complete record."""


@dataclass(frozen=True)
class Replayed:
    """What came of a replay: what was compared, and what of it is different, in words; empty if nothing is."""

    run: int
    epochs: int
    prunings: int
    commands: int
    compared: tuple[str, ...]
    different: tuple[str, ...]


def replay(store: Store, run: Run, *, report: Callable[[Progressed], None] | None = None) -> Replayed:
    """Train an ended run again beside the store, from its record, and compare.

    Raises
    ------
    NotReplayable
        If it has not ended with a record.
    """
    if run.status not in REPLAYABLE or run.started is None:
        raise NotReplayable(f"run {run.id} cannot be replayed: it is {run.status}, and has no complete record")
    commands = [each for each in store.commands.of(run.id)[::-1] if _took_effect(each)]
    log = list(commands)
    with tempfile.TemporaryDirectory(prefix="abp-replay-") as folder:
        beside = Store(Path(folder) / "abp.sqlite3")
        try:
            number = _train(store, beside, run, log, report)
            found = _record(beside, beside.runs.get(number))
        finally:
            beside.database.dispose()
    expected = _record(store, run)
    different = [name for name in expected if not _same(expected[name], found.get(name))]
    different += sorted(found.keys() - expected.keys())
    different += [f"command {each.id} ({each.kind}), which found no place" for each in log]
    return Replayed(run.id, run.epoch, run.prunings, len(commands), tuple(expected), tuple(different))


class _Replay(Session):
    """A session whose commands come from a record, each after the batch after which it took effect."""

    def __init__(self, *arguments: Any, log: list[Command], **details: Any) -> None:
        super().__init__(*arguments, **details)
        self._log = log

    def _look(self) -> None:
        here = (self.trainer.epoch, self.trainer.batch)
        for command in [each for each in self._log if (each.epoch, each.batch) == here]:
            self._log.remove(command)
            self._do(command)

    def _most_batches(self) -> int | None:
        """Batches until the next command."""
        trainer = self.trainer
        epoch, batch = (trainer.epoch, trainer.batch) if trainer.in_progress else (trainer.epoch + 1, 0)
        to_come = [each.batch - batch for each in self._log if each.epoch == epoch and each.batch is not None]
        return min((batches for batches in to_come if batches > 0), default=None)

    def _keep_pace(self, began: float, share: float) -> None:
        self._look()  # a paced run could be commanded even after its last epoch


def _train(store: Store, beside: Store, run: Run, log: list[Command], report: Any) -> int:
    """Train the run in a store of its own; its number there."""
    number = beside.runs.add(run.experiment, keep=run.keep, start=store.weights.start(run.id))
    claimed = beside.leases.claim(number, "replay")
    assert claimed is not None  # nobody else knows of it
    session = _Replay(beside, claimed, "replay", report=report, park=False, log=log)
    try:
        session.start()
        session.train()
    except Diverged:
        beside.runs.close(number, "replay", Status.DIVERGED, stopped_by="diverged")
    return number


def _took_effect(command: Command) -> bool:
    """Whether a command has changed what a run computes."""
    made = command.settled is not None and command.epoch is not None and command.batch is not None
    return made and command.kind not in _BITS_STAY


def _record(store: Store, run: Run) -> dict[str, Any]:
    """All that is recorded of a run and that may not depend on when, where and how fast it was trained, by name."""
    histories, prunings = store.histories, range(1, run.prunings + 1)
    moments = ("initial", *(f"before-{number}" for number in prunings), "final")
    weights = {f"weights ({moment})": store.weights.get(run.id, moment) for moment in moments}
    frame = store.frames.newest(run.id, run.experiment.hidden)
    return {
        "status": (run.status, run.stopped_by),
        "epochs": histories.epochs(run.id).drop(columns=_TIMES),
        "counts of epochs": histories.epoch_counts(run.id),
        "counts": None
        if frame is None or run.status == Status.DIVERGED
        else [(count.tolist(), frame.samples) for count in frame.counts],
        "prunings": histories.prunings(run.id),
        "masks": [histories.masks(run.id, number) for number in range(run.prunings + 1)],
        "spectra": [
            [values.tobytes() for values in [*before, *after]]
            for before, after in histories.spectra(run.id, run.experiment.sizes)
        ],
        **{name: tensors for name, tensors in weights.items() if tensors is not None},
    }


def _same(first: Any, second: Any) -> bool:
    """Whether two parts of a record have the same bits; numbers that are no numbers are the same too."""
    if isinstance(first, pd.DataFrame):
        return isinstance(second, pd.DataFrame) and first.equals(second)
    return bool(first == second)
