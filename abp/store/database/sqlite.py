"""SQLite: one file, one writer at a time, on one machine."""

import os
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Column, ColumnElement, Connection, Engine, Float, create_engine, event, literal, or_
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from abp.home import home
from abp.store.database.copying import file_to_file, refuse_unwritable, unused
from abp.store.database.errors import StoreBusy, StoreFull, StoreUnusable

BUSY = 30
"""Seconds to wait for another writer."""

AHEAD = 12.0
"""Seconds for which no lease lasts that was taken or renewed since the machine was started."""


def database_path() -> Path:
    """The database file in the home folder (`abp.home`)."""
    return home() / "abp.sqlite3"


@dataclass(frozen=True)
class SqliteFile:
    """A database in a file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def instead(self) -> str:
        """How to use another one."""
        return "Move the file away, or set ABP_HOME to another folder, and start again."

    def engine(self) -> Engine:
        """Connections to the file; a writer waits for the one before it."""
        engine = create_engine(f"sqlite:///{self.path}", connect_args={"timeout": BUSY, "check_same_thread": False})
        event.listen(engine, "connect", _set_up)
        return engine

    def begin(self, connection: Connection) -> None:
        """Begin a transaction that writes, as soon as nobody else does."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def alone(self, connection: Connection) -> None:
        """There is only ever one writer."""

    def share(self, connection: Connection) -> None:
        """There is only ever one writer."""

    def settle_down(self, engine: Engine) -> None:
        """Let readers and a writer work side by side.

        The first time takes a lock that SQLite does not wait for while another process is opening the new file too.
        """
        deadline = time.monotonic() + BUSY
        while True:
            try:
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                return
            except StoreBusy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def keep_copy(self, connection: Connection, version: int) -> Path:
        """Copy the file beside itself, under a name that says its version."""
        copy = unused(self.path.with_name(f"{self.path.stem}-schema-{version}{self.path.suffix}"))
        try:
            file_to_file(self.path, copy)
        except (sqlite3.Error, OSError) as error:
            what = f"The database {self.path} is of an earlier version and must be copied before it is changed"
            raise refuse_unwritable(copy, error, what) from error
        return copy

    def snapshot(self, path: Path) -> None:
        """Copy the file."""
        file_to_file(self.path, path)

    def now(self) -> ColumnElement[float]:
        """The machine's time of day."""
        return literal(time.time(), Float)

    def ticks(self) -> ColumnElement[float]:
        """Seconds since the machine started: no change of its clock ends a lease, and all of its processes share it."""
        return literal(time.monotonic(), Float)

    def over(self, lease: Column[float], lasting: float) -> ColumnElement[bool]:
        """Whether a lease is over; one from before the machine was started last is far ahead of its ticks."""
        ticks = self.ticks()
        return or_(lease < ticks, lease > ticks + AHEAD)

    def explain(self, context: ExceptionContext) -> Exception | None:
        """Turn SQLite's errors into ours, which say what to do."""
        error, path = context.original_exception, self.path
        text = str(error).lower()
        if "full" in text or "no space" in text or ("disk i/o" in text and _no_room(path)):
            return StoreFull(
                f"The disk that holds {path} is full. Free some space on it and go on: a run that could not save waits "
                "as of its last checkpoint and can be resumed."
            )
        if isinstance(context.sqlalchemy_exception, IntegrityError):
            return None
        if isinstance(context.sqlalchemy_exception, OperationalError) and "locked" in text:
            return StoreBusy(f"The database {path} has been busy for half a minute. Try again.")
        if "too big" in text:
            return StoreUnusable(
                f"A value is too large for the database {path}: it takes a thousand million bytes at most. Nothing was "
                "changed. Train a smaller network."
            )
        if isinstance(context.sqlalchemy_exception, DatabaseError) or isinstance(error, OSError):
            reason = "it is not writable" if path.exists() and not os.access(path, os.W_OK) else str(error)
            return StoreUnusable(f"The database {path} cannot be used: {reason}. Nothing was changed. {self.instead}")
        return None


def _set_up(connection, _record) -> None:  # type: ignore[no-untyped-def]
    connection.isolation_level = None  # transactions begin when we say so
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _no_room(path: Path) -> bool:
    """Whether the disk has no room for SQLite's own small files; it calls that an input or output error."""
    return path.parent.is_dir() and shutil.disk_usage(path.parent).free < 2**16
