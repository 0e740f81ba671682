"""Leases: which worker has which run, and for how long.

Every worker's write is conditional on the run still being its own, so a worker that lost its run harms nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update

from abp.store import schema
from abp.store.database import Database
from abp.store.records import Run
from abp.store.studies import may_start

LEASE = 6.0
"""Seconds for which a worker has a run, unless it renews its lease."""

_INTERRUPTED = {"status": "interrupted", "owner": None, "lease": None}


class ClaimLost(Exception):
    """The run is no longer this worker's: its lease expired, or the run was deleted."""


@dataclass(frozen=True)
class Leases:
    """Who trains which run."""

    database: Database

    @contextmanager
    def held(self, run: int, owner: str, **values: Any) -> Iterator[Connection]:
        """A transaction of the worker that has a run: changes columns of the run and renews the lease.

        Raises
        ------
        ClaimLost
            If the run is not `owner`'s; nothing of the transaction happens then.
        """
        columns = schema.runs.c
        mine = and_(columns.id == run, columns.owner == owner)
        row = {**values, "lease": time.time() + LEASE}
        with self.database.writing() as connection:
            if connection.execute(update(schema.runs).where(mine).values(row)).rowcount != 1:
                raise ClaimLost(f"run {run} is no longer {owner}'s")
            yield connection

    def claim(self, run: int, owner: str) -> Run | None:
        """Take a queued run, if nobody else has and its study is not paused: one conditional UPDATE decides."""
        columns = schema.runs.c
        now = time.time()
        taking = (
            update(schema.runs)
            .where(columns.id == run, columns.status == "queued", may_start())
            .values(
                status="running",
                owner=owner,
                lease=now + LEASE,
                started=func.coalesce(columns.started, now),
                message=None,
            )
        )
        with self.database.writing() as connection:
            if connection.execute(taking).rowcount != 1:
                return None
            return Run(**connection.execute(select(schema.runs).where(columns.id == run)).mappings().one())

    def renew(self, run: int, owner: str) -> None:
        """Keep a claimed run for `LEASE` more seconds, or raise ClaimLost."""
        with self.held(run, owner):
            pass

    def park(self, run: int, owner: str) -> bool:
        """Give a paused run's worker back, unless a command has just come in."""
        columns = schema.commands.c
        with self.held(run, owner) as connection:
            waiting = select(func.count()).select_from(schema.commands)
            if connection.execute(waiting.where(columns.run == run, columns.settled.is_(None))).scalar():
                return False
            connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(owner=None, lease=None))
            return True

    def expire(self) -> int:
        """Mark runs whose lease has expired as interrupted; their number."""
        columns = schema.runs.c
        expired = and_(columns.status.in_(("running", "paused")), columns.lease < time.time())
        with self.database.reading() as connection:
            if connection.execute(select(func.count()).select_from(schema.runs).where(expired)).scalar() == 0:
                return 0
        with self.database.writing() as connection:
            return connection.execute(update(schema.runs).where(expired).values(**_INTERRUPTED)).rowcount

    def interrupt(self, run: int) -> None:
        """Mark a run as interrupted whose worker is known to be gone, perhaps before it could claim it."""
        columns = schema.runs.c
        held = and_(columns.status.in_(("running", "paused")), columns.owner.is_not(None))
        unclaimed = and_(columns.status == "queued", columns.lane == "self")
        with self.database.writing() as connection:
            gone = update(schema.runs).where(columns.id == run, or_(held, unclaimed))
            connection.execute(gone.values(**_INTERRUPTED))
