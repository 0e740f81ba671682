"""Baselines: test accuracies of dense networks reduced to the ranks of pruned ones, computed once."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from abp.store import schema
from abp.store.database import Database, patient


@patient
@dataclass(frozen=True)
class Baselines:
    """Known accuracies by run and method; see `abp.runs.baselines`."""

    database: Database

    def all(self) -> dict[int, dict[str, float]]:
        """Test accuracies known so far, 0 to 1, by run and method."""
        found: dict[int, dict[str, float]] = {}
        with self.database.reading() as connection:
            for row in connection.execute(select(schema.baselines)):
                found.setdefault(row.run, {})[row.method] = row.accuracy
        return found

    def save(self, run: int, accuracies: Mapping[str, float]) -> None:
        """Record the accuracies of a run by method, unless it has been deleted meanwhile."""
        rows = [{"run": run, "method": method, "accuracy": accuracy} for method, accuracy in accuracies.items()]
        with self.database.writing() as connection:
            there = select(schema.runs.c.id).where(schema.runs.c.id == run).with_for_update(read=True, key_share=True)
            if rows and connection.execute(there).first() is not None:
                connection.execute(delete(schema.baselines).where(schema.baselines.c.run == run))
                connection.execute(insert(schema.baselines), rows)
