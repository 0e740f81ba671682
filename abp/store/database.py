"""Opening the database, and saying in plain words what is wrong with it."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.schema import CreateColumn

from abp.errors import AbpError
from abp.home import home
from abp.store.schema import OLDEST, VERSION, metadata, schema


class StoreUnusable(AbpError):
    """The database cannot be used; the message names the file and the way out."""


class StoreFull(StoreUnusable):
    """The disk has no room for the database to grow."""


class StoreBusy(StoreUnusable):
    """Somebody else kept the database locked for too long."""


BUSY = 30
"""Seconds to wait for another writer."""


def database_path() -> Path:
    """The database file in the home folder (`abp.home`)."""
    return home() / "abp.sqlite3"


class Database:
    """A database file, opened; all that is read and written goes through its transactions.

    Parameters
    ----------
    guard
        See `abp.store.store.Store`.

    Raises
    ------
    StoreUnusable
        See `open_database`.
    """

    def __init__(self, path: Path, guard: Callable[[], None] | None = None) -> None:
        self._engine = open_database(path)
        self._guard = guard
        self._thread = threading.local()  # holds the transaction that this thread is in, if any

    @contextmanager
    def writing(self, *, guarded: bool = True) -> Iterator[Connection]:
        """A transaction: all of it happens, or nothing; one writer at a time. Within another one, a part of that.

        The guard is asked first, unless the transaction is not `guarded`: whoever looks may make it.
        """
        if guarded and self._guard is not None:
            self._guard()
        connection = getattr(self._thread, "connection", None)
        if connection is not None:
            yield connection
            return
        with writing(self._engine) as connection:
            self._thread.connection = connection
            try:
                yield connection
            finally:
                del self._thread.connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for looking only, which holds nobody up. Within a transaction it sees what that has written."""
        connection = getattr(self._thread, "connection", None)
        if connection is not None:
            yield connection
            return
        with reading(self._engine) as connection:
            yield connection

    def dispose(self) -> None:
        """Let go of the file; it is opened again when needed."""
        self._engine.dispose()


def put(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row, or replace the one with the same key (SQLite and PostgreSQL share this form of upsert)."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in row.items() if name not in keys}
    statement = sqlite.insert(table).values(**row)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))


def is_id(number: int) -> bool:
    """Whether a database takes this for the number of a row; links may hold others."""
    return 0 < number < 2**63


def open_database(path: Path) -> Engine:
    """The database in this file, made if there is none.

    Raises
    ------
    StoreUnusable
        If the file is no database of this program, or of another version of it. It is left as it is.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY, "check_same_thread": False})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "handle_error", lambda context: _explain(context, path))
    with reading(engine) as connection:
        names = set(inspect(connection).get_table_names())
    if not names:
        with writing(engine) as connection:
            metadata.create_all(connection)
            if connection.execute(select(schema.c.version)).scalar() is None:
                connection.execute(schema.insert().values(version=VERSION))
    _check_version(engine, path, names)
    _add_tables(engine)
    _use_log(engine)  # only now that the file is known to be ours: this writes to it
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for looking only, which holds nobody up."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction: all of it happens, or nothing; one writer at a time."""
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def _set_up(connection, _record) -> None:  # type: ignore[no-untyped-def]
    connection.isolation_level = None  # transactions begin when we say so
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_log(engine: Engine) -> None:
    """Let readers and a writer work side by side.

    The first time takes a lock that SQLite does not wait for while another process is opening the new file too.
    """
    deadline = time.monotonic() + BUSY
    while True:
        try:
            with reading(engine) as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except StoreBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _check_version(engine: Engine, path: Path, names: set[str]) -> None:
    version = None
    if not names or schema.name in names:
        with reading(engine) as connection:
            version = connection.execute(select(schema.c.version)).scalar()
    if version is not None and OLDEST <= version <= VERSION:
        return
    engine.dispose()
    what = "holds something else" if version is None else f"was made by another version (schema {version})"
    raise StoreUnusable(
        f"The database {path} {what}; this version of ABP Lab reads schema {VERSION}. Nothing in it was changed. "
        "Move the file away, or set ABP_HOME to another folder, and start again."
    )


def _add_tables(engine: Engine) -> None:
    """Give a database of an earlier version the tables and columns that it lacks."""
    with reading(engine) as connection:
        if connection.execute(select(schema.c.version)).scalar() == VERSION:
            return
    with writing(engine) as connection:
        metadata.create_all(connection)
        for table in metadata.tables.values():
            there = {column["name"] for column in inspect(connection).get_columns(table.name)}
            for column in table.columns:
                if column.name not in there:
                    made = CreateColumn(column).compile(dialect=engine.dialect)
                    connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {made}")
        connection.execute(schema.update().values(version=VERSION))


def _explain(context: ExceptionContext, path: Path) -> None:
    """Turn SQLite's errors into ours, which say what to do."""
    error = context.original_exception
    text = str(error).lower()
    if "full" in text or "no space" in text or ("disk i/o" in text and _no_room(path)):
        raise StoreFull(
            f"The disk that holds {path} is full. Free some space on it and go on: a run that could not save waits as "
            "of its last checkpoint and can be resumed."
        ) from error
    if isinstance(context.sqlalchemy_exception, IntegrityError):
        return
    if isinstance(context.sqlalchemy_exception, OperationalError) and "locked" in text:
        raise StoreBusy(f"The database {path} has been busy for half a minute. Try again.") from error
    if isinstance(context.sqlalchemy_exception, DatabaseError) or isinstance(error, OSError):
        reason = "it is not writable" if path.exists() and not os.access(path, os.W_OK) else str(error)
        raise StoreUnusable(
            f"The database {path} cannot be used: {reason}. Nothing was changed. Move the file away, or set ABP_HOME "
            "to another folder, and start again."
        ) from error


def _no_room(path: Path) -> bool:
    """Whether the disk has no room for SQLite's own small files; it calls that an input or output error."""
    return path.parent.is_dir() and shutil.disk_usage(path.parent).free < 2**16
