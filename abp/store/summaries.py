"""Summaries: what the final networks of finished runs show, recorded once as each run ends."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from abp.store import schema
from abp.store.database import Database


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
        with suppress(IntegrityError), self.database.writing() as connection:
            connection.execute(insert(schema.measures).values(run=run, **row))

    def complete(self, run: int, numbers: Mapping[str, Any]) -> None:
        """Replace the numbers of a run's summary, where an earlier version recorded fewer."""
        with self.database.writing() as connection:
            connection.execute(update(schema.measures).where(schema.measures.c.run == run).values(numbers=numbers))
