"""The store: the one place of truth about runs. Pages read it and write commands; workers write what happens.

Every worker's write is conditional on the run still being its own, so a worker that lost its run harms nothing.
"""

import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import sqlite

from abp.network.masks import sparsity, unpack
from abp.store import schema
from abp.store.database import database_path, open_database, reading, writing
from abp.store.records import ACTIVE, RESUMABLE, Command, Frame, Run, unpack_counts, unpack_spectra
from abp.training.experiment import Experiment, SettingError

LEASE = 6.0
"""Seconds for which a worker has a run, unless it renews its lease."""


class ClaimLost(Exception):
    """The run is no longer this worker's: its lease expired, or the run was deleted."""


class RunUnknown(LookupError):
    """There is no run of this number."""


class Store:
    """Runs, their histories, commands and weights, in one database file.

    Parameters
    ----------
    path
        The file; by default ``abp.sqlite3`` in the home folder.

    Raises
    ------
    abp.store.database.StoreUnusable
        By any method, when the database cannot be used; the message says what to do.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or database_path()
        self.database = open_database(self.path)
        self._reading = partial(reading, self.database)
        self._writing = partial(writing, self.database)

    # What people do

    def add_run(
        self,
        experiment: Experiment,
        *,
        name: str | None = None,
        lane: str = "hand",
        keep: str = "all",
        pace: float | None = None,
        held: bool = False,
        parent: int | None = None,
        origin: str | None = None,
        start: tuple[bytes, bytes] | None = None,
    ) -> int:
        """Write a run as queued and return its number.

        Parameters
        ----------
        name
            For people, of 1 to 200 characters; by default the experiment's title.
        lane
            A key of `abp.store.records.LANES`.
        keep
            ``"all"`` to record the weights before each pruning, ``"ends"`` for the initial and final ones only.
        pace
            Epochs a second, or None for as fast as it goes.
        held
            Whether it starts paused.
        parent, origin, start
            Of a run that continues another one: that run's number, what was made of it in words, and the weights
            (safetensors) and packed masks to start from; see `abp.runs.continuation`.

        Raises
        ------
        abp.training.experiment.SettingError
            If the name is empty or too long.
        """
        row = {
            "name": experiment.title if name is None else checked_name(name),
            "pace": pace,
            "held": held,
            "parent": parent,
            "origin": origin,
            "sparsity": sparsity(unpack(start[1], experiment.sizes)) if start else 0.0,
        }
        with self._writing() as connection:
            number = insert_run(connection, experiment, lane=lane, keep=keep, **row)
            if start:
                _put(connection, schema.starts, {"run": number, "tensors": start[0], "masks": start[1]})
            return number

    def rename(self, run: int, name: str) -> None:
        """Give a run another name, of 1 to 200 characters, or raise a SettingError."""
        self._update(run, name=checked_name(name))

    def delete(self, run: int) -> None:
        """Remove a run and all that was recorded of it; a worker that still has it lets go."""
        with self._writing() as connection:
            connection.execute(delete(schema.runs).where(schema.runs.c.id == run))

    def command(self, run: int, kind: str, **arguments: Any) -> int:
        """Ask something of a run: ``pause``, ``resume``, ``step``, ``stop``, ``pace`` or ``prune``.

        A run without a worker that the command concerns is queued again, from its checkpoint.

        Raises
        ------
        RunUnknown
            If there is no such run (any more).
        """
        with self._writing() as connection:
            row = connection.execute(
                select(schema.runs.c.status, schema.runs.c.owner, schema.runs.c.started).where(schema.runs.c.id == run)
            ).first()
            if row is None:
                raise RunUnknown(f"There is no run {run} (any more).")
            now = time.time()
            values = {"run": run, "kind": kind, "arguments": arguments, "created": now}
            if row.status not in (*ACTIVE, "interrupted"):
                values |= {"settled": now, "outcome": _TOO_LATE}
            elif row.status == "queued" and row.started is None and kind == "stop":
                values |= {"settled": now, "epoch": 0, "batch": 0, "outcome": "Stopped."}
                stopped = {"status": "stopped", "stopped_by": "hand", "finished": now}
                connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(stopped))
            number = insert_row(connection, schema.commands, values)
            wakes = row.status == "paused" or (row.status == "interrupted" and kind in ("resume", "step", "stop"))
            if wakes and row.owner is None:
                again = {"status": "queued", "lane": "hand", "message": None}
                connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(again))
            return number

    # What people see

    def run(self, run: int) -> Run:
        """One run.

        Raises
        ------
        RunUnknown
            If there is no such run.
        """
        row = None
        if 0 < run < 2**63:  # what a database takes for a number: links may hold others
            with self._reading() as connection:
                row = connection.execute(select(schema.runs).where(schema.runs.c.id == run)).mappings().first()
        if row is None:
            raise RunUnknown(f"There is no run {run} (any more).")
        return Run(**row)

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        with self._reading() as connection:
            rows = connection.execute(select(schema.runs).order_by(schema.runs.c.id.desc())).mappings()
            return [Run(**row) for row in rows]

    def epochs(self, run: int) -> pd.DataFrame:
        """History of a run, a row per finished epoch, without the counts; see `epoch_counts`."""
        return self._table(schema.epochs, run, leave_out=("run", "counts"))

    def valid_accuracies(self, runs: Iterable[int]) -> pd.DataFrame:
        """Validation accuracy after every epoch of several runs: columns ``run``, ``epoch``, ``valid_accuracy``."""
        columns = [schema.epochs.c.run, schema.epochs.c.epoch, schema.epochs.c.valid_accuracy]
        query = select(*columns).where(columns[0].in_(list(runs))).order_by(*columns[:2])
        with self._reading() as connection:
            return pd.DataFrame(connection.execute(query).all(), columns=[column.name for column in columns])

    def epoch_counts(self, run: int) -> list[tuple[int, int, bytes]]:
        """Epoch, samples and packed activation counts of every finished epoch."""
        columns = schema.epochs.c
        query = select(columns.epoch, columns.samples, columns.counts).where(columns.run == run)
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query.order_by(columns.epoch))]

    def prunings(self, run: int) -> pd.DataFrame:
        """Prunings of a run in order, a row each, without masks and spectra."""
        return self._table(
            schema.prunings, run, leave_out=("run", "masks", "live_weights", "spectra_before", "spectra_after")
        )

    def live_weights(self, run: int, hidden: tuple[int, ...]) -> list[tuple[int, list]]:
        """Epoch of every pruning, and the live incoming weights of each neuron after it."""
        columns = schema.prunings.c
        query = select(columns.epoch, columns.live_weights).where(columns.run == run).order_by(columns.number)
        with self._reading() as connection:
            return [(row.epoch, unpack_counts(row.live_weights, hidden)) for row in connection.execute(query)]

    def spectra(self, run: int, sizes: list[int]) -> list[tuple[list, list]]:
        """Singular values of the hidden layers before and after every pruning, in order."""
        columns = schema.prunings.c
        query = select(columns.spectra_before, columns.spectra_after).where(columns.run == run)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(columns.number)).all()
        return [(unpack_spectra(row[0], sizes), unpack_spectra(row[1], sizes)) for row in rows]

    def masks(self, run: int, number: int) -> bytes | None:
        """Masks after pruning `number` (1, 2, ...) as `abp.network.masks.pack` made them, or None.

        Number 0 is the start of a run that continues another one; other runs start with nothing removed.
        """
        if number == 0:
            start = self.start(run)
            return start and start[1]
        columns = schema.prunings.c
        query = select(columns.masks).where(columns.run == run, columns.number == number)
        with self._reading() as connection:
            return connection.execute(query).scalar()

    def frame(self, run: int, hidden: tuple[int, ...]) -> Frame | None:
        """The newest live look at a run, if there was one."""
        with self._reading() as connection:
            row = connection.execute(select(schema.frames).where(schema.frames.c.run == run)).mappings().first()
        if row is None:
            return None
        values = {name: value for name, value in row.items() if name != "run"}
        for name in ("counts", "epoch_counts", "live_weights"):
            values[name] = unpack_counts(values[name], hidden)
        return Frame(**values)

    def commands(self, run: int) -> list[Command]:
        """Everything that was asked of a run, the newest first."""
        columns = schema.commands.c
        with self._reading() as connection:
            rows = connection.execute(
                select(schema.commands).where(columns.run == run).order_by(columns.id.desc())
            ).mappings()
            return [Command(**row) for row in rows]

    def weights(self, run: int, moment: str) -> bytes | None:
        """Safetensors bytes of the weights at ``"initial"``, ``"before-1"``, ... or ``"final"``, if recorded."""
        columns = schema.weights.c
        query = select(columns.tensors).where(columns.run == run, columns.moment == moment)
        with self._reading() as connection:
            return connection.execute(query).scalar()

    def has_weights(self, run: int, moment: str) -> bool:
        """Whether `weights` has something for this moment, without reading it."""
        columns = schema.weights.c
        query = select(func.count()).select_from(schema.weights).where(columns.run == run, columns.moment == moment)
        with self._reading() as connection:
            return bool(connection.execute(query).scalar())

    def start(self, run: int) -> tuple[bytes, bytes] | None:
        """Weights (safetensors) and packed masks that a run starts from, if it continues another one."""
        columns = schema.starts.c
        with self._reading() as connection:
            row = connection.execute(select(columns.tensors, columns.masks).where(columns.run == run)).first()
        return row and (row.tensors, row.masks)

    # What workers do

    def queued(self, limit: int | None = None) -> list[Run]:
        """Runs that wait for a worker of the engine, in order, without those of paused studies; the first so many."""
        columns = schema.runs.c
        wanted = and_(columns.status == "queued", columns.lane.in_(("hand", "queue")), _may_start())
        query = select(schema.runs).where(wanted)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(columns.lane, columns.id).limit(limit)).mappings()
            return [Run(**row) for row in rows]  # "hand" before "queue"

    def claim(self, run: int, owner: str) -> Run | None:
        """Take a queued run, if nobody else has and its study is not paused: one conditional UPDATE decides."""
        columns = schema.runs.c
        now = time.time()
        taking = (
            update(schema.runs)
            .where(columns.id == run, columns.status == "queued", _may_start())
            .values(
                status="running",
                owner=owner,
                lease=now + LEASE,
                started=func.coalesce(columns.started, now),
                message=None,
            )
        )
        with self._writing() as connection:
            taken = connection.execute(taking).rowcount == 1
        return self.run(run) if taken else None

    def renew(self, run: int, owner: str) -> None:
        """Keep a claimed run for `LEASE` more seconds, or raise ClaimLost."""
        with self._writing() as connection:
            self._own(connection, run, owner, {})

    def expire(self) -> int:
        """Mark runs whose lease has expired as interrupted; their number."""
        columns = schema.runs.c
        expired = and_(columns.status.in_(("running", "paused")), columns.lease < time.time())
        with self._reading() as connection:
            if connection.execute(select(func.count()).select_from(schema.runs).where(expired)).scalar() == 0:
                return 0
        with self._writing() as connection:
            return connection.execute(update(schema.runs).where(expired).values(**_INTERRUPTED)).rowcount

    def interrupt(self, run: int) -> None:
        """Mark a run as interrupted whose worker is known to be gone, perhaps before it could claim it."""
        columns = schema.runs.c
        held = and_(columns.status.in_(("running", "paused")), columns.owner.is_not(None))
        unclaimed = and_(columns.status == "queued", columns.lane == "self")
        with self._writing() as connection:
            gone = update(schema.runs).where(columns.id == run, or_(held, unclaimed))
            connection.execute(gone.values(**_INTERRUPTED))

    def pending_commands(self, run: int) -> list[Command]:
        """Commands of a run still to be done, in order."""
        columns = schema.commands.c
        query = select(schema.commands).where(columns.run == run, columns.settled.is_(None)).order_by(columns.id)
        with self._reading() as connection:
            return [Command(**row) for row in connection.execute(query).mappings()]

    def settle(
        self,
        run: int,
        owner: str,
        command: Command,
        *,
        epoch: int,
        batch: int,
        outcome: str,
        state: Mapping[str, Any],
    ) -> None:
        """Record what came of a command, and the run's state after it."""
        with self._writing() as connection:
            self._own(connection, run, owner, state)
            _settle(connection, command, epoch, batch, outcome)

    def begin(self, run: int, owner: str, weights: bytes, *, sparsity: float = 0.0) -> None:
        """Start a run's history afresh, with its initial weights and their sparsity."""
        with self._writing() as connection:
            nothing = {"epoch": 0, "prunings": 0, "pruned_by_hand": False, "sparsity": sparsity}
            nothing |= {"seconds": 0.0, "regulariser_seconds": 0.0}
            self._own(connection, run, owner, {**nothing, **dict.fromkeys(_ACCURACIES)})
            for table in (schema.epochs, schema.prunings, schema.frames, schema.checkpoints, schema.weights):
                connection.execute(delete(table).where(table.c.run == run))
            _put(connection, schema.weights, {"run": run, "moment": "initial", "tensors": weights})

    def go_back(self, run: int, owner: str) -> tuple[bytes, float] | None:
        """The checkpoint to go on from and the seconds spent until then; later epochs are forgotten."""
        with self._writing() as connection:
            self._own(connection, run, owner, {})
            columns = schema.checkpoints.c
            row = connection.execute(select(schema.checkpoints).where(columns.run == run)).first()
            if row is None:
                return None
            later = and_(schema.epochs.c.run == run, schema.epochs.c.epoch > row.epoch)
            connection.execute(delete(schema.epochs).where(later))
            spent = {"seconds": row.seconds, "regulariser_seconds": row.regulariser_seconds}
            self._own(connection, run, owner, {**spent, **_standing(connection, run, row.epoch)})
            return row.state, row.seconds

    def save_epoch(self, run: int, owner: str, row: Mapping[str, Any]) -> None:
        """Record a finished epoch (columns of `schema.epochs`)."""
        summary = {name: row[name] for name in ("epoch", "sparsity", "seconds", *_ACCURACIES)}
        with self._writing() as connection:
            self._own(connection, run, owner, summary)
            _put(connection, schema.epochs, {"run": run, **row})

    def save_pruning(
        self,
        run: int,
        owner: str,
        row: Mapping[str, Any],
        *,
        scheduled_left: int,
        weights_before: bytes | None,
        checkpoint: Mapping[str, Any],
        answered: tuple[Command, str] | None = None,
    ) -> None:
        """Record a pruning (columns of `schema.prunings`) with the checkpoint after it, so that neither comes alone.

        So also with the command that asked for it and its outcome: who goes on from there must not prune again.
        """
        summary = {
            "prunings": row["number"],
            "sparsity": row["sparsity"],
            "scheduled_left": scheduled_left,
            "valid_accuracy": row["valid_accuracy_after"],
            "test_accuracy": row["test_accuracy_after"],
        }
        if row["made_by"] == "hand":
            summary["pruned_by_hand"] = True
        with self._writing() as connection:
            self._own(connection, run, owner, summary)
            _put(connection, schema.prunings, {"run": run, **row})
            _put(connection, schema.checkpoints, {"run": run, **checkpoint})
            if weights_before is not None:
                moment = f"before-{row['number']}"
                _put(connection, schema.weights, {"run": run, "moment": moment, "tensors": weights_before})
            if answered is not None:
                command, outcome = answered
                _settle(connection, command, row["epoch"], row["batch"], outcome)

    def save_frame(
        self, run: int, owner: str, row: Mapping[str, Any], *, seconds: float, regulariser_seconds: float = 0.0
    ) -> None:
        """Replace the live look at a run (columns of `schema.frames`), and the time spent on it so far."""
        with self._writing() as connection:
            self._own(connection, run, owner, {"seconds": seconds, "regulariser_seconds": regulariser_seconds})
            _put(connection, schema.frames, {"run": run, **row})

    def save_checkpoint(self, run: int, owner: str, row: Mapping[str, Any]) -> None:
        """Replace the checkpoint of a run (columns of `schema.checkpoints`)."""
        with self._writing() as connection:
            self._own(connection, run, owner, {})
            _put(connection, schema.checkpoints, {"run": run, **row})

    def set_state(self, run: int, owner: str, **values: Any) -> None:
        """Change columns of a claimed run."""
        with self._writing() as connection:
            self._own(connection, run, owner, values)

    def park(self, run: int, owner: str) -> bool:
        """Give a paused run's worker back, unless a command has just come in."""
        columns = schema.commands.c
        with self._writing() as connection:
            self._own(connection, run, owner, {})
            waiting = select(func.count()).select_from(schema.commands)
            if connection.execute(waiting.where(columns.run == run, columns.settled.is_(None))).scalar():
                return False
            connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(owner=None, lease=None))
            return True

    def close(
        self,
        run: int,
        owner: str,
        status: str,
        *,
        stopped_by: str | None = None,
        message: str | None = None,
        weights: bytes | None = None,
        measures: Mapping[str, Any] | None = None,
    ) -> None:
        """End a run, with its final weights and measures; what was still asked of it can no longer be done."""
        now = time.time()
        columns = schema.commands.c
        with self._writing() as connection:
            state = {"status": status, "stopped_by": stopped_by, "message": message, "finished": now}
            self._own(connection, run, owner, state)
            if weights is not None:
                _put(connection, schema.weights, {"run": run, "moment": "final", "tensors": weights})
            if measures is not None:
                _put(connection, schema.measures, {"run": run, **measures})
            waiting = and_(columns.run == run, columns.settled.is_(None))
            connection.execute(update(schema.commands).where(waiting).values(settled=now, outcome=_TOO_LATE))
            if status not in RESUMABLE:
                connection.execute(delete(schema.checkpoints).where(schema.checkpoints.c.run == run))
            connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(owner=None, lease=None))

    # In common

    def _own(self, connection: Connection, run: int, owner: str, values: Mapping[str, Any]) -> None:
        """Change a run that is `owner`'s and renew the lease, or raise ClaimLost, which undoes the transaction."""
        columns = schema.runs.c
        mine = and_(columns.id == run, columns.owner == owner)
        row = {**values, "lease": time.time() + LEASE}
        if connection.execute(update(schema.runs).where(mine).values(row)).rowcount != 1:
            raise ClaimLost(f"run {run} is no longer {owner}'s")

    def _update(self, run: int, **values: Any) -> None:
        with self._writing() as connection:
            changed = connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(values)).rowcount
        if not changed:
            raise RunUnknown(f"There is no run {run} (any more).")

    def _table(self, table: Any, run: int, leave_out: tuple[str, ...]) -> pd.DataFrame:
        columns = [column for column in table.c if column.name not in leave_out]
        query = select(*columns).where(table.c.run == run).order_by(columns[0])
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return pd.DataFrame(rows, columns=[column.name for column in columns])


def checked_name(name: str) -> str:
    """A name for people without the spaces around it, or a SettingError if it has not 1 to 200 characters."""
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise SettingError(f"a name must have 1 to 200 characters, not {len(name)}")
    return name


_ACCURACIES = ("train_accuracy", "valid_accuracy", "test_accuracy")
_INTERRUPTED = {"status": "interrupted", "owner": None, "lease": None}
_TOO_LATE = "Too late: the run had ended."


def in_paused_study_only() -> ColumnElement[bool]:
    """Whether a run belongs to studies that are all paused; false of a run of no study."""
    members, studies = schema.study_runs.c, schema.studies.c
    of_run = (
        select(members.run).join(schema.studies, studies.id == members.study).where(members.run == schema.runs.c.id)
    )
    going_on = of_run.where(studies.paused.is_(False))
    return and_(of_run.exists(), ~going_on.exists())


def _may_start() -> ColumnElement[bool]:
    """Whether a queued run may start. What a person starts by hand need not wait for a paused study."""
    return or_(schema.runs.c.lane != "queue", ~in_paused_study_only())


def _standing(connection: Connection, run: int, epoch: int) -> dict[str, Any]:
    """How a run stood after this epoch, and after a pruning since: what `save_epoch` and `save_pruning` noted."""
    last = select(schema.epochs).where(schema.epochs.c.run == run, schema.epochs.c.epoch == epoch)
    row = connection.execute(last).mappings().first()
    standing: dict[str, Any] = {"epoch": epoch, **{name: row and row[name] for name in _ACCURACIES}}
    columns = schema.prunings.c
    newest = select(schema.prunings).where(columns.run == run).order_by(columns.number.desc())
    pruning = connection.execute(newest).mappings().first()
    # At an epoch's end its row, with the sparsity until then, is written before it is pruned.
    if pruning and (row is None or pruning["epoch"] > epoch or pruning["sparsity"] > row["sparsity"]):
        for name in ("valid_accuracy", "test_accuracy"):
            standing[name] = pruning[f"{name}_after"]
    return standing


def insert_run(connection: Connection, experiment: Experiment, *, lane: str, keep: str, **more: Any) -> int:
    """Write a run as queued within a transaction and return its number; `more` are columns of `schema.runs`."""
    row = {
        "name": experiment.title,
        "settings": experiment.to_json(),
        "status": "queued",
        "lane": lane,
        "keep": keep,
        "held": False,
        "created": time.time(),
        "scheduled_left": experiment.scheduled_prunings,
        "sparsity": 0.0,
        **more,
    }
    return insert_row(connection, schema.runs, row)


def insert_row(connection: Connection, table: Any, row: Mapping[str, Any]) -> int:
    """Insert a row and return the number it was given."""
    return int(connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one())


def _settle(connection: Connection, command: Command, epoch: int, batch: int, outcome: str) -> None:
    values = {"settled": time.time(), "epoch": epoch, "batch": batch, "outcome": outcome}
    connection.execute(update(schema.commands).where(schema.commands.c.id == command.id).values(values))


def _put(connection: Connection, table: Any, row: Mapping[str, Any]) -> None:
    """Insert a row, or replace the one with the same key (SQLite and PostgreSQL share this form of upsert)."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in row.items() if name not in keys}
    statement = sqlite.insert(table).values(**row)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))
