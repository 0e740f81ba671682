"""Checkpoints, from which interrupted runs are resumed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from abp.store import schema
from abp.store.database import Database, patient, put
from abp.store.records import ACCURACIES
from abp.store.repositories.leases import Leases

PART = 2**26
"""Bytes of a checkpoint in one row: SQLite takes a thousand million at most, and all of them go through memory."""


@patient
@dataclass(frozen=True)
class Checkpoints:
    """The newest checkpoint of every run that has not ended."""

    database: Database
    leases: Leases

    def save(self, run: int, owner: str, row: Mapping[str, Any]) -> None:
        """Replace the checkpoint of a run: columns of `schema.checkpoints`, and its bytes as ``state``."""
        place = {name: value for name, value in row.items() if name != "state"}
        state, parts = memoryview(row["state"]), schema.checkpoint_parts
        with self.leases.held(run, owner, deaths=0) as connection:
            put(connection, schema.checkpoints, {"run": run, **place})
            for part, start in enumerate(range(0, len(state), PART)):
                put(connection, parts, {"run": run, "part": part, "content": bytes(state[start : start + PART])})
            connection.execute(delete(parts).where(parts.c.run == run, parts.c.part >= -(-len(state) // PART)))

    def restore(self, run: int, owner: str) -> tuple[bytes, float] | None:
        """The checkpoint to resume from and the seconds of training until then; later epochs are deleted."""
        with self.leases.held(run, owner) as connection:
            columns = schema.checkpoints.c
            row = connection.execute(select(schema.checkpoints).where(columns.run == run)).first()
            if row is None:
                return None
            epochs = schema.epochs
            connection.execute(delete(epochs).where(epochs.c.run == run, epochs.c.epoch > row.epoch))
            stood = _standing(connection, run, row.epoch)
            stood |= {"seconds": row.seconds, "regulariser_seconds": row.regulariser_seconds}
            connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(stood))
            return self._state(connection, run), row.seconds

    def _state(self, connection: Connection, run: int) -> bytes:
        parts = schema.checkpoint_parts.c
        query = select(parts.content).where(parts.run == run).order_by(parts.part)
        return b"".join(connection.execute(query).scalars())


def _standing(connection: Connection, run: int, epoch: int) -> dict[str, Any]:
    """How a run stood after this epoch, and after a pruning since: what its history noted."""
    last = select(schema.epochs).where(schema.epochs.c.run == run, schema.epochs.c.epoch == epoch)
    row = connection.execute(last).mappings().first()
    standing: dict[str, Any] = {"epoch": epoch, **{name: row and row[name] for name in ACCURACIES}}
    columns = schema.prunings.c
    newest = select(schema.prunings).where(columns.run == run).order_by(columns.number.desc())
    pruning = connection.execute(newest).mappings().first()
    # At an epoch's end its row, with the sparsity until then, is written before it is pruned.
    if pruning and (row is None or pruning["epoch"] > epoch or pruning["sparsity"] > row["sparsity"]):
        for name in ("valid_accuracy", "test_accuracy"):
            standing[name] = pruning[f"{name}_after"]
    return standing
