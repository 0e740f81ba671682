"""Rows of the store changed behind its back, to bring a run into a state that would take long to reach."""

from typing import Any

from sqlalchemy import select, update

from abp.store import schema
from abp.store.store import Store


def change_run(store: Store, run: int, **values: Any) -> None:
    """Set columns of a run."""
    with store.transaction() as connection:
        assert connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(values)).rowcount == 1


def contents(store: Store) -> list[tuple]:
    """All that a database holds: tables and rows, in the order of their keys."""
    tables = schema.metadata.sorted_tables
    with store.database.reading() as connection:
        return [
            (table.name, *row)
            for table in tables
            for row in connection.execute(select(table).order_by(*table.primary_key.columns))
        ]


def die(store: Store, run: int) -> None:
    """Let a run's worker be gone."""
    store.leases.interrupt(run, store.runs.get(run).owner or "nobody")
