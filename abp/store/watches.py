"""Watches: which runs somebody looks at now, so that their workers show more of them."""

import time
from dataclasses import dataclass

from sqlalchemy import func, select

from abp.store import schema
from abp.store.database import Database, put

LASTS = 5.0
"""Seconds after which a mark fades, unless it is made again."""


@dataclass(frozen=True)
class Watches:
    """A mark for each run that is watched."""

    database: Database

    def mark(self, run: int) -> None:
        """Say that somebody watches a run; whoever looks may say so, and it changes nothing of the run."""
        with self.database.writing(guarded=False) as connection:
            if connection.execute(select(schema.runs.c.id).where(schema.runs.c.id == run)).first() is not None:
                put(connection, schema.watches, {"run": run, "until": time.time() + LASTS})

    def watched(self, run: int) -> bool:
        """Whether somebody watches a run now."""
        columns = schema.watches.c
        marks = select(func.count()).select_from(schema.watches).where(columns.run == run, columns.until > time.time())
        with self.database.reading() as connection:
            return bool(connection.execute(marks).scalar())
