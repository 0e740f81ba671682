"""Frames: the newest live look at every run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from abp.store import schema
from abp.store.database import Database, patient, put
from abp.store.records import Frame, unpack_counts
from abp.store.repositories.leases import Leases


@patient
@dataclass(frozen=True)
class Frames:
    """One frame a run."""

    database: Database
    leases: Leases

    def newest(self, run: int, hidden: Sequence[int], *, after: int = -1) -> Frame | None:
        """The newest live look at a run with these hidden layers, if there is one of a number above `after`."""
        columns = schema.frames.c
        query = select(schema.frames).where(columns.run == run, columns.number > after)
        with self.database.reading() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        values = {name: value for name, value in row.items() if name != "run"}
        for name in ("counts", "epoch_counts", "live_weights", "recent_counts"):
            values[name] = unpack_counts(values[name] or bytes(4 * sum(hidden)), hidden)
        return Frame(**values)

    def save(
        self, run: int, owner: str, row: Mapping[str, Any], *, seconds: float, regulariser_seconds: float = 0.0
    ) -> None:
        """Replace the live look at a run (columns of `schema.frames`), and the time spent on it so far."""
        spent = {"seconds": seconds, "regulariser_seconds": regulariser_seconds}
        with self.leases.held(run, owner, **spent) as connection:
            put(connection, schema.frames, {"run": run, "made": self.database.now(), **row})
