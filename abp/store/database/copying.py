"""Copying all that a database holds to another one, of the same or of the other kind."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import chain, count
from pathlib import Path

from sqlalchemy import Connection, LargeBinary, MetaData, Table, create_engine, func, insert, select, text

from abp.store.database.errors import StoreUnusable

_ROWS = 500
"""Rows at a time, of tables without values that may be large."""


def to_file(source: Connection, path: Path) -> None:
    """Copy what a database holds, of whatever version of ours, to a new file of SQLite.

    `source` is in a transaction in which nothing changes.
    """
    tables = _as_they_are(source)
    target = create_engine(f"sqlite:///{path}")
    try:
        with target.begin() as connection:
            tables.create_all(connection)
            copy_rows(source, connection, tables.sorted_tables)
    finally:
        target.dispose()


def file_to_file(source: Path, path: Path) -> None:
    """Copy a file of SQLite as it is at this moment, whoever reads and writes it."""
    with closing(sqlite3.connect(source, timeout=30)) as original, closing(sqlite3.connect(path)) as copy:
        original.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with no others beside it


def copy_rows(source: Connection, target: Connection, tables: Iterable[Table]) -> None:
    """Copy all rows of tables that both have, in this order."""
    for table in tables:
        large = any(isinstance(column.type, LargeBinary) for column in table.columns)
        reading = select(table).execution_options(yield_per=1 if large else _ROWS)
        rows = source.execute(reading).mappings()
        for several in rows.partitions():
            target.execute(insert(table), [dict(row) for row in several])


def count_on(connection: Connection, tables: Iterable[Table]) -> None:
    """Let numbers that PostgreSQL gives to new rows be above those that were copied, and above all given before."""
    if connection.dialect.name != "postgresql":
        return  # SQLite sees to it
    for table in tables:
        key = table.primary_key.columns.values()
        if [column.name for column in key] == ["id"]:
            sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, "id"))).scalar_one()
            highest = connection.execute(select(func.coalesce(func.max(key[0]), 0))).scalar_one()
            given = connection.execute(text(f"SELECT last_value FROM {sequence}")).scalar_one()
            connection.execute(select(func.setval(sequence, max(highest, given, 1))))


def unused(path: Path) -> Path:
    """This path, or one with a number before its ending, where nothing is yet."""
    endings = chain([""], (f"-{number}" for number in count(2)))
    names = (f"{path.stem}{ending}{path.suffix}" for ending in endings)
    return next(each for each in map(path.with_name, names) if not each.exists())


def refuse_unwritable(path: Path, error: Exception, what: str) -> StoreUnusable:
    """What to raise where a copy cannot be written."""
    path.unlink(missing_ok=True)
    return StoreUnusable(
        f"{what}, but {path} could not be written: {error}. Nothing was changed. Free some space on the disk and start "
        "again."
    )


def _as_they_are(connection: Connection) -> MetaData:
    """The tables of a database, which may be of an earlier version, as SQLite would have them."""
    found = MetaData()
    found.reflect(connection)
    for table in found.tables.values():
        for column in table.columns:
            column.server_default = None
            column.type = column.type.as_generic()
    return found
