"""Watches: which runs somebody looks at now, so that their workers show more of them."""

from dataclasses import dataclass

from sqlalchemy import func, select

from abp.store import schema
from abp.store.database import Database, patient, put

LASTS = 5.0
"""Seconds after which a mark fades, unless it is made again."""


@patient
@dataclass(frozen=True)
class Watches:
    """A mark for each run that is watched."""

    database: Database

    def mark(self, run: int) -> None:
        """Say that somebody watches a run; whoever looks may say so, and it changes nothing of the run."""
        with self.database.writing(guarded=False) as connection:
            there = select(schema.runs.c.id).where(schema.runs.c.id == run)
            if connection.execute(there.with_for_update(read=True, key_share=True)).first() is not None:
                put(connection, schema.watches, {"run": run, "until": self.database.now() + LASTS})

    def watched(self, run: int) -> bool:
        """Whether somebody watches a run now."""
        columns, now = schema.watches.c, self.database.now()
        marks = select(func.count()).select_from(schema.watches).where(columns.run == run, columns.until > now)
        with self.database.reading() as connection:
            return bool(connection.execute(marks).scalar())
