"""Opening the database, and saying in plain words what is wrong with it."""

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, create_engine, event, inspect, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from abp.errors import AbpError
from abp.home import home
from abp.store.schema import OLDEST, VERSION, metadata, schema

_log = logging.getLogger(__name__)


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
    """The database in this file, made if there is none, and brought up to date after it was copied if it is older.

    Raises
    ------
    StoreUnusable
        If the file is no database of this program, or of a newer version of it. It is left as it is.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY, "check_same_thread": False})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "handle_error", lambda context: _explain(context, path))
    with reading(engine) as connection:
        empty = not inspect(connection).get_table_names()
    if empty:
        with writing(engine) as connection:
            metadata.create_all(connection)
            if _version(connection) is None:  # not made by another process meanwhile
                connection.execute(schema.insert().values(version_num=str(VERSION)))
    with reading(engine) as connection:
        version = _version(connection)
    if version is None or not OLDEST <= version <= VERSION:
        engine.dispose()
        raise StoreUnusable(_refusal(path, version))
    if version < VERSION:
        _migrate(engine, path)
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


def _version(connection: Connection) -> int | None:
    """The number of the schema of a database; None if it is not one of ours."""
    names = inspect(connection).get_table_names()
    if schema.name in names:
        number = connection.execute(select(schema.c.version_num)).scalar()
    elif _EARLIER.name in names:
        number = connection.execute(select(_EARLIER.c.version)).scalar()
    else:
        return None
    return int(number) if number is not None and str(number).isdecimal() else None


_EARLIER = Table("abp_schema", MetaData(), Column("version", Integer))
"""What held the number of the schema up to version 6."""


def _refusal(path: Path, version: int | None) -> str:
    whose = f"was made by {'a newer' if version and version > VERSION else 'an older'} version of ABP Lab"
    what = "holds something else" if version is None else f"{whose} (schema {version})"
    return (
        f"The database {path} {what}; this version of ABP Lab reads schema {VERSION}. Nothing in it was changed. "
        "Move the file away, or set ABP_HOME to another folder, and start again."
    )


def _migrate(engine: Engine, path: Path) -> None:
    """Copy a database of an earlier version beside itself, then bring it up to date, unless somebody else just has."""
    from abp.store.migrations import migrate

    with writing(engine) as connection:
        version = _version(connection)
        if version is not None and version < VERSION:
            copy = _copy(path, version)
            migrate(connection, version)
            _log.warning("%s was brought from schema %s to %s; it lies as it was in %s", path, version, VERSION, copy)


def _copy(path: Path, version: int) -> Path:
    """Copy a database that nobody writes to now beside itself, under a name that says its version."""
    names = (f"{path.stem}-schema-{version}{more}{path.suffix}" for more in chain([""], (f"-{n}" for n in count(2))))
    copy = next(each for each in map(path.with_name, names) if not each.exists())
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        raise StoreUnusable(
            f"The database {path} is of an earlier version and must be copied before it is changed, but {copy} could "
            f"not be written: {error}. Nothing was changed. Free some space on the disk and start again."
        ) from error
    return copy


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
    if "too big" in text:
        raise StoreUnusable(
            f"A value is too large for the database {path}: it takes a thousand million bytes at most. Nothing was "
            "changed. Train a smaller network."
        ) from error
    if isinstance(context.sqlalchemy_exception, DatabaseError) or isinstance(error, OSError):
        reason = "it is not writable" if path.exists() and not os.access(path, os.W_OK) else str(error)
        raise StoreUnusable(
            f"The database {path} cannot be used: {reason}. Nothing was changed. Move the file away, or set ABP_HOME "
            "to another folder, and start again."
        ) from error


def _no_room(path: Path) -> bool:
    """Whether the disk has no room for SQLite's own small files; it calls that an input or output error."""
    return path.parent.is_dir() and shutil.disk_usage(path.parent).free < 2**16
