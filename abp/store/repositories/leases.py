"""Leases: which worker has which run, and for how long.

Every worker's write is conditional on the run still being its own, so a worker that lost its run harms nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select, update

from abp.store import schema
from abp.store.database import Database, patient
from abp.store.records import Lane, Run, Status

LEASE = 6.0
"""Seconds for which a worker has a run, unless it renews its lease."""

DEATHS = 3
"""Deaths of its workers, without a checkpoint in between, after which a run no longer goes on by itself."""

DIED = f"Its worker died {DEATHS} times at the same place. The logs may say why; Resume tries again."

_INTERRUPTED = {"status": Status.INTERRUPTED, "owner": None, "lease": None}
_HELD = schema.runs.c.status.in_((Status.RUNNING, Status.PAUSED))


class ClaimLost(Exception):
    """The run is no longer this worker's: its lease expired, or the run was deleted."""


@patient
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
        with self.database.writing() as connection:
            began = time.monotonic()
            row = {**values, "lease": self._until()}
            if connection.execute(update(schema.runs).where(mine).values(row)).rowcount != 1:
                raise ClaimLost(f"run {run} is no longer {owner}'s")
            yield connection
            if time.monotonic() - began > LEASE / 4:  # as the checkpoint of a large network takes on a slow disk
                connection.execute(update(schema.runs).where(mine).values(lease=self._until()))

    def claim(self, run: int, owner: str, *, processor: str | None = None) -> Run | None:
        """Take a queued run, if nobody else has and its study is not paused; nobody waits for another one's claim."""
        columns = schema.runs.c
        waiting = and_(columns.status == Status.QUEUED, may_start())
        mine = and_(columns.status == Status.RUNNING, columns.owner == owner)  # of a claim whose answer got lost
        free = select(columns.id).where(columns.id == run, or_(waiting, mine))
        taking = (
            update(schema.runs)
            .where(columns.id == run)
            .values(
                status=Status.RUNNING,
                owner=owner,
                lease=self._until(),
                started=func.coalesce(columns.started, self.database.now()),
                message=None,
                claims=columns.claims + 1,
                processor=processor,
            )
        )
        with self.database.writing() as connection:
            self.database.kind.share(connection)  # a study that is being paused is paused first
            if connection.execute(free.with_for_update(key_share=True, skip_locked=True)).first() is None:
                return None
            connection.execute(taking)
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
        """Let runs whose lease has expired go on with another worker, and return how many there were."""
        columns = schema.runs.c
        expired = select(columns.id).where(_HELD, self.database.kind.over(columns.lease, LEASE)).order_by(columns.id)
        with self.database.reading() as connection:
            if connection.execute(expired.limit(1)).first() is None:
                return 0
        with self.database.writing() as connection:
            # Who has a run's row locked is alive, or will be found out when the database ends its transaction.
            runs = connection.execute(expired.with_for_update(key_share=True, skip_locked=True)).scalars().all()
            _died(connection, columns.id.in_(runs))
            return len(runs)

    def lost(self, run: int, owner: str) -> None:
        """Let a run whose worker died go on with another one, unless that has happened already.

        Parameters
        ----------
        owner
            The name of the lost worker, or an ending of it that is unique.
        """
        columns = schema.runs.c
        with self.database.writing() as connection:
            _died(connection, and_(columns.id == run, _HELD, columns.owner.endswith(owner, autoescape=True)))

    def interrupt(self, run: int, owner: str) -> None:
        """Mark a run as interrupted whose worker gives it up, unless another worker has claimed it since.

        A run in `Lane.SELF` is marked even if it had not been claimed yet.

        Parameters
        ----------
        owner
            The worker's name, or an ending of it that is unique.
        """
        columns = schema.runs.c
        held = and_(_HELD, columns.owner.endswith(owner, autoescape=True))
        unclaimed = and_(columns.status == Status.QUEUED, columns.lane == Lane.SELF)
        with self.database.writing() as connection:
            gone = update(schema.runs).where(columns.id == run, or_(held, unclaimed))
            connection.execute(gone.values(**_INTERRUPTED))

    def _until(self) -> ColumnElement[float]:
        return self.database.kind.ticks() + LEASE


def _died(connection: Connection, which: ColumnElement[bool]) -> None:
    """Queue runs again whose workers died; those that do not get further are interrupted."""
    columns = schema.runs.c
    dead = {"owner": None, "lease": None, "deaths": columns.deaths + 1}
    hopeless, others = and_(which, columns.deaths >= DEATHS - 1), and_(which, columns.deaths < DEATHS - 1)
    ended = update(schema.runs).where(hopeless).values(**dead, status=Status.INTERRUPTED, message=DIED)
    # What a process trained for itself goes on with any worker: that process is gone.
    lane = case((columns.lane == Lane.SELF, literal(Lane.HAND, columns.lane.type)), else_=columns.lane)
    again = update(schema.runs).where(others).values(**dead, status=Status.QUEUED, lane=lane)
    connection.execute(ended)
    connection.execute(again)


def in_paused_study_only() -> ColumnElement[bool]:
    """Whether a run belongs to studies that are all paused; false of a run of no study."""
    members, studies = schema.study_runs.c, schema.studies.c
    of_run = (
        select(members.run).join(schema.studies, studies.id == members.study).where(members.run == schema.runs.c.id)
    )
    going_on = of_run.where(studies.paused.is_(False))
    return and_(of_run.exists(), ~going_on.exists())


def may_start() -> ColumnElement[bool]:
    """Whether a queued run may start. What a person starts by hand need not wait for a paused study."""
    return or_(schema.runs.c.lane != Lane.QUEUE, ~in_paused_study_only())
