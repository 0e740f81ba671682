"""Commands: what people ask of runs, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

from sqlalchemy import ColumnElement, and_, insert, select, update

from abp.store import schema
from abp.store.database import Database, once, patient
from abp.store.records import ACTIVE, Arguments, Command, CommandKind, Lane, Status, no_run
from abp.store.repositories.leases import Leases

TOO_LATE = "Too late: the run had ended."

_WAKING = (CommandKind.RESUME, CommandKind.STEP, CommandKind.STOP)
"""What an interrupted run is queued again for."""


@patient
@dataclass(frozen=True)
class Commands:
    """Commands of all runs, settled or not."""

    database: Database
    leases: Leases

    @once
    def add(self, run: int, kind: CommandKind | str, **arguments: Unpack[Arguments]) -> int:
        """Ask something of a run and return the number of the command.

        A run without a worker that the command concerns is queued again, from its checkpoint.

        Raises
        ------
        RunUnknown
            If there is no such run.
        ValueError
            If there is no such kind of command.
        """
        kind, runs = CommandKind(kind), schema.runs
        with self.database.writing() as connection:
            asked = select(runs.c.status, runs.c.owner, runs.c.started).where(runs.c.id == run)
            row = connection.execute(asked.with_for_update(key_share=True)).first()  # its worker may be parking it
            if row is None:
                raise no_run(run)
            now = self.database.now()
            values = {"run": run, "kind": kind, "arguments": arguments, "created": now}
            if row.status not in (*ACTIVE, Status.INTERRUPTED):
                values |= {"settled": now, "outcome": TOO_LATE}
            elif kind == CommandKind.STOP and row.status == Status.QUEUED and row.started is None:
                values |= {"settled": now, "epoch": 0, "batch": 0, "outcome": "Stopped."}
                self.stop_waiting(runs.c.id == run)
            adding = insert(schema.commands).values(values).returning(schema.commands.c.id)
            number = connection.execute(adding).scalar_one()
            wakes = row.status == Status.PAUSED or (row.status == Status.INTERRUPTED and kind in _WAKING)
            if wakes and row.owner is None:
                again = {"status": Status.QUEUED, "lane": Lane.HAND, "message": None, "deaths": 0}
                connection.execute(update(runs).where(runs.c.id == run).values(again))
            return int(number)

    def of(self, run: int) -> list[Command]:
        """All commands of a run, the newest first."""
        columns = schema.commands.c
        query = select(schema.commands).where(columns.run == run).order_by(columns.id.desc())
        with self.database.reading() as connection:
            return [Command(**row) for row in connection.execute(query).mappings()]

    def newest(self, run: int) -> Command | None:
        """What was asked of a run last, if anything."""
        query = select(schema.commands).where(schema.commands.c.run == run).order_by(schema.commands.c.id.desc())
        with self.database.reading() as connection:
            row = connection.execute(query.limit(1)).mappings().first()
        return None if row is None else Command(**row)

    def pending(self, run: int) -> list[Command]:
        """Commands of a run still to be done, in order."""
        columns = schema.commands.c
        query = select(schema.commands).where(columns.run == run, columns.settled.is_(None)).order_by(columns.id)
        with self.database.reading() as connection:
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
        values = {"settled": self.database.now(), "epoch": epoch, "batch": batch, "outcome": outcome}
        with self.leases.held(run, owner, **state) as connection:
            connection.execute(update(schema.commands).where(schema.commands.c.id == command.id).values(values))

    def settle_pending(self, of: ColumnElement[bool]) -> None:
        """Settle what was asked of runs that have ended, and can no longer be done."""
        ended = select(schema.runs.c.id).where(of)
        waiting = and_(schema.commands.c.run.in_(ended), schema.commands.c.settled.is_(None))
        with self.database.writing() as connection:
            settled = update(schema.commands).where(waiting).values(settled=self.database.now(), outcome=TOO_LATE)
            connection.execute(settled)

    def stop_waiting(self, which: ColumnElement[bool]) -> None:
        """Stop those of these runs that no worker has begun; what was asked of them before comes too late."""
        runs = schema.runs.c
        waiting = and_(which, runs.status == Status.QUEUED, runs.started.is_(None))
        stopped = {"status": Status.STOPPED, "stopped_by": "hand", "finished": self.database.now()}
        with self.database.writing() as connection:
            self.settle_pending(waiting)
            connection.execute(update(schema.runs).where(waiting).values(stopped))
