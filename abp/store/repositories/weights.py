"""Weights: what runs start from and what they recorded of their networks, as safetensors."""

from dataclasses import dataclass

from sqlalchemy import func, select

from abp.store import schema
from abp.store.database import Database, patient


@patient
@dataclass(frozen=True)
class Weights:
    """Weights of all runs by moment: ``"initial"``, ``"before-1"``, ... and ``"final"``."""

    database: Database

    def get(self, run: int, moment: str) -> bytes | None:
        """Safetensors bytes of the weights at ``"initial"``, ``"before-1"``, ... or ``"final"``, if recorded."""
        columns = schema.weights.c
        query = select(columns.tensors).where(columns.run == run, columns.moment == moment)
        with self.database.reading() as connection:
            return connection.execute(query).scalar()

    def has(self, run: int, moment: str) -> bool:
        """Whether `get` has something for this moment, without reading it."""
        columns = schema.weights.c
        query = select(func.count()).select_from(schema.weights).where(columns.run == run, columns.moment == moment)
        with self.database.reading() as connection:
            return bool(connection.execute(query).scalar())

    def start(self, run: int) -> tuple[bytes, bytes] | None:
        """Weights (safetensors) and packed masks that a run starts from, if it continues another one."""
        columns = schema.starts.c
        with self.database.reading() as connection:
            row = connection.execute(select(columns.tensors, columns.masks).where(columns.run == run)).first()
        return row and (row.tensors, row.masks)
