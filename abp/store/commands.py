"""Commands: what people ask of runs, and what came of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, insert, select, update

from abp.store import schema
from abp.store.database import Database
from abp.store.leases import Leases
from abp.store.records import ACTIVE, Command, RunUnknown

TOO_LATE = "Too late: the run had ended."


@dataclass(frozen=True)
class Commands:
    """Commands of all runs, settled or not."""

    database: Database
    leases: Leases

    def add(self, run: int, kind: str, **arguments: Any) -> int:
        """Ask something of a run: ``pause``, ``resume``, ``step``, ``stop``, ``pace`` or ``prune``.

        A run without a worker that the command concerns is queued again, from its checkpoint.

        Raises
        ------
        RunUnknown
            If the run does not exist or was deleted.
        """
        runs = schema.runs
        with self.database.writing() as connection:
            row = connection.execute(
                select(runs.c.status, runs.c.owner, runs.c.started).where(runs.c.id == run)
            ).first()
            if row is None:
                raise RunUnknown(f"Run {run} does not exist or was deleted.")
            now = time.time()
            values = {"run": run, "kind": kind, "arguments": arguments, "created": now}
            if row.status not in (*ACTIVE, "interrupted"):
                values |= {"settled": now, "outcome": TOO_LATE}
            elif row.status == "queued" and row.started is None and kind == "stop":
                values |= {"settled": now, "epoch": 0, "batch": 0, "outcome": "Stopped."}
                stopped = {"status": "stopped", "stopped_by": "hand", "finished": now}
                connection.execute(update(runs).where(runs.c.id == run).values(stopped))
            adding = insert(schema.commands).values(values).returning(schema.commands.c.id)
            number = connection.execute(adding).scalar_one()
            wakes = row.status == "paused" or (row.status == "interrupted" and kind in ("resume", "step", "stop"))
            if wakes and row.owner is None:
                again = {"status": "queued", "lane": "hand", "message": None}
                connection.execute(update(runs).where(runs.c.id == run).values(again))
            return int(number)

    def of(self, run: int) -> list[Command]:
        """Everything that was asked of a run, the newest first."""
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
        values = {"settled": time.time(), "epoch": epoch, "batch": batch, "outcome": outcome}
        with self.leases.held(run, owner, **state) as connection:
            connection.execute(update(schema.commands).where(schema.commands.c.id == command.id).values(values))

    def settle_pending(self, run: int, outcome: str) -> None:
        """Settle all commands of a run that can no longer be done."""
        waiting = and_(schema.commands.c.run == run, schema.commands.c.settled.is_(None))
        with self.database.writing() as connection:
            settled = update(schema.commands).where(waiting).values(settled=time.time(), outcome=outcome)
            connection.execute(settled)
