"""Runs: one row each, from the moment somebody asks for it until it is deleted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Select, and_, delete, insert, select, update

from abp.data.datasets import DATASETS
from abp.store import schema
from abp.store.database import Database, is_id, once, patient, put
from abp.store.quotas import require_room
from abp.store.records import RESUMABLE, Lane, Run, Status, checked_name, no_run
from abp.store.repositories.commands import Commands
from abp.store.repositories.datasets import Datasets
from abp.store.repositories.leases import Leases, may_start
from abp.training.experiment import Experiment

_COLUMNS = [schema.runs.c[field.name] for field in fields(Run) if field.name != "kept_by"]
"""In the order of `Run`, which takes them as they come: by their names, a thousand rows take twice as long."""


def read_runs(database: Database, which: Select, kept_by: Datasets | None = None) -> list[Run]:
    """The runs that a statement on the table of runs finds, whichever columns it names."""
    with database.reading() as connection:
        return [Run(*(*row, kept_by)) for row in connection.execute(which.with_only_columns(*_COLUMNS))]


@patient
@dataclass(frozen=True)
class Runs:
    """All runs."""

    database: Database
    leases: Leases
    commands: Commands
    datasets: Datasets

    @once
    def add(
        self,
        experiment: Experiment,
        *,
        name: str | None = None,
        lane: Lane = Lane.HAND,
        keep: str = "all",
        pace: float | None = None,
        held: bool = False,
        parent: int | None = None,
        origin: str | None = None,
        start: tuple[bytes, bytes] | None = None,
    ) -> int:
        """Write a run as queued and return its number; data registered in this process are kept with it.

        Parameters
        ----------
        name
            For people, of 1 to 200 characters; by default the experiment's title.
        lane
            Which workers may take it.
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
        abp.training.setting.SettingError
            If the name is empty or too long.
        abp.limits.LimitReached
            If this installation does not allow it.
        """
        row = {
            "name": experiment.title if name is None else checked_name(name),
            "settings": experiment.to_json(),
            "status": Status.QUEUED,
            "lane": lane,
            "keep": keep,
            "pace": pace,
            "held": held,
            "created": self.database.now(),
            "scheduled_left": experiment.scheduled_prunings,
            "sparsity": _sparsity_at_start(start[1], experiment) if start else 0.0,
            "parent": parent,
            "origin": origin,
        }
        with self.database.writing() as connection:
            require_room(connection, experiment)
            own = DATASETS.registered(experiment.dataset)
            if own is not None:
                self.datasets.add(own)
            run = int(connection.execute(insert(schema.runs).values(row).returning(schema.runs.c.id)).scalar_one())
            if start:
                put(connection, schema.starts, {"run": run, "tensors": start[0], "masks": start[1]})
            return run

    def rename(self, run: int, name: str) -> None:
        """Give a run another name, of 1 to 200 characters, or raise a SettingError."""
        renaming = update(schema.runs).where(schema.runs.c.id == run).values(name=checked_name(name))
        with self.database.writing() as connection:
            if not connection.execute(renaming).rowcount:
                raise no_run(run)

    def delete(self, run: int) -> None:
        """Remove a run and all that was recorded of it; a worker that still has it lets go."""
        with self.database.writing() as connection:
            connection.execute(delete(schema.runs).where(schema.runs.c.id == run))

    def get(self, run: int) -> Run:
        """One run.

        Raises
        ------
        RunUnknown
            If there is no such run.
        """
        row = None
        if is_id(run):
            with self.database.reading() as connection:
                row = connection.execute(select(schema.runs).where(schema.runs.c.id == run)).mappings().first()
        if row is None:
            raise no_run(run)
        return Run(**row, kept_by=self.datasets)

    def all(self, statuses: Collection[Status] | None = None, *, limit: int | None = None) -> list[Run]:
        """All runs, or those in one of these statuses, the newest first; no more than `limit`."""
        query = select(schema.runs).order_by(schema.runs.c.id.desc()).limit(limit)
        if statuses is not None:
            query = query.where(schema.runs.c.status.in_(statuses))
        return read_runs(self.database, query, self.datasets)

    def readable(self, statuses: Collection[Status] | None = None, *, limit: int | None = None) -> list[Run]:
        """Of `all` those whose settings can be used here: a package that changed may have left others behind."""
        return [run for run in self.all(statuses, limit=limit) if not run.unreadable]

    def queued(self, limit: int | None = None) -> list[Run]:
        """Runs that wait for a worker of the engine, those started by hand first, without those of paused studies.

        Parameters
        ----------
        limit
            The largest number of runs to return; None for all.
        """
        columns = schema.runs.c
        wanted = and_(columns.status == Status.QUEUED, columns.lane.in_((Lane.HAND, Lane.QUEUE)), may_start())
        query = select(schema.runs).where(wanted).order_by(columns.lane != Lane.HAND, columns.id).limit(limit)
        return read_runs(self.database, query, self.datasets)

    def set_state(self, run: int, owner: str, **values: Any) -> None:
        """Change columns of a claimed run."""
        with self.leases.held(run, owner, **values):
            pass

    def close(
        self,
        run: int,
        owner: str,
        status: Status,
        *,
        stopped_by: str | None = None,
        message: str | None = None,
        weights: bytes | None = None,
        measures: Mapping[str, Any] | None = None,
    ) -> None:
        """End a run, with its final weights and measures; what was still asked of it can no longer be done."""
        state = {"status": status, "stopped_by": stopped_by, "message": message, "finished": self.database.now()}
        with self.leases.held(run, owner, **state) as connection:
            if weights is not None:
                put(connection, schema.weights, {"run": run, "moment": "final", "tensors": weights})
            if measures is not None:
                put(connection, schema.measures, {"run": run, **measures})
            self.commands.settle_pending(schema.runs.c.id == run)
            if status not in RESUMABLE:
                connection.execute(delete(schema.checkpoints).where(schema.checkpoints.c.run == run))
            connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(owner=None, lease=None))


def _sparsity_at_start(masks: bytes, experiment: Experiment) -> float:
    from abp.network.masks import sparsity, unpack  # needs PyTorch, which listing runs does without

    return sparsity(unpack(masks, experiment.sizes))
