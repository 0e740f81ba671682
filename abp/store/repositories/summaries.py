"""Summaries: what the final networks of finished runs show, recorded once as each run ends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from abp.store import schema
from abp.store.database import Database, patient, put_new


@patient
@dataclass(frozen=True)
class Summaries:
    """One summary a run; see `abp.runs.summaries`."""

    database: Database

    def of(self, runs: Collection[int]) -> dict[int, tuple[dict[str, Any], bytes]]:
        """Numbers and packed spectra by run, of those of these runs that have them."""
        with self.database.reading() as connection:
            rows = connection.execute(select(schema.measures)).all()
        return {row.run: (row.numbers, row.spectra) for row in rows if row.run in runs}

    def add(self, run: int, row: Mapping[str, Any]) -> None:
        """Record the summary of a run, unless somebody else was faster or the run has been deleted meanwhile."""
        there = select(schema.runs.c.id).where(schema.runs.c.id == run).with_for_update(read=True, key_share=True)
        with self.database.writing() as connection:
            if connection.execute(there).first() is not None:
                put_new(connection, schema.measures, {"run": run, **row})

    def complete(self, run: int, numbers: Mapping[str, Any]) -> None:
        """Replace the numbers of a run's summary, where an earlier version recorded fewer."""
        with self.database.writing() as connection:
            connection.execute(update(schema.measures).where(schema.measures.c.run == run).values(numbers=numbers))
