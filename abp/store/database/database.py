"""A database, opened: its transactions, and statements that both kinds of database understand."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from abp.store.database import opening, retrying
from abp.store.database.kind import Kind

T = TypeVar("T")


class Database:
    """A database, opened; all that is read and written goes through its transactions.

    Parameters
    ----------
    guard
        See `abp.store.store.Store`.
    patience
        Seconds for which a transaction is tried again while the database is away.

    Raises
    ------
    StoreUnusable
        See `abp.store.database.opening.open_database`.
    """

    def __init__(self, kind: Kind, guard: Callable[[], None] | None = None, *, patience: float = 0.0) -> None:
        self.kind, self.patience = kind, patience
        self._thread = threading.local()  # holds the transaction that this thread is in, if any
        self._engine = self.again(lambda: opening.open_database(kind))
        self._guard = guard

    def again(self, work: Callable[[], T], *, once: bool = False) -> T:
        """What `work`, one whole transaction, comes to; done again while the database is away (`retrying.again`)."""
        if self._joined is not None:
            return work()  # a part of another one, which is done again as a whole
        return retrying.again(work, self.patience, once=once)

    @contextmanager
    def writing(self, *, guarded: bool = True, alone: bool = False) -> Iterator[Connection]:
        """A transaction: all of it happens, or nothing. Within another one, a part of that.

        Parameters
        ----------
        guarded
            Ask the guard first; whoever looks may make what is not guarded.
        alone
            Whether no other such transaction, and no claim of a run, may happen until this one ends.
        """
        if guarded and self._guard is not None:
            self._guard()
        if self._joined is not None:
            if alone:
                self.kind.alone(self._joined)
            yield self._joined
            return
        with opening.writing(self._engine, self.kind) as connection:
            self._thread.connection = connection
            try:
                if alone:
                    self.kind.alone(connection)
                yield connection
            finally:
                del self._thread.connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for looking only, which holds nobody up. Within a transaction it sees what that has written."""
        if self._joined is not None:
            yield self._joined
            return
        with opening.reading(self._engine) as connection:
            yield connection

    @property
    def _joined(self) -> Connection | None:
        return getattr(self._thread, "connection", None)

    def now(self) -> ColumnElement[float]:
        """The time of day by the database's clock, in seconds since 1970, for a statement."""
        return self.kind.now()

    def dispose(self) -> None:
        """Let go of the database; it is connected to again when needed."""
        self._engine.dispose()


def put(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row, or replace the one with the same key."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in row.items() if name not in keys}
    connection.execute(_insert(connection, table).values(**row).on_conflict_do_update(index_elements=keys, set_=rest))


def put_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row, unless there is one with the same key."""
    connection.execute(_insert(connection, table).values(**row).on_conflict_do_nothing())


def _insert(connection: Connection, table: Table) -> sqlite.Insert:
    """SQLite and PostgreSQL share the form of an upsert, but SQLAlchemy has one class for each."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)  # type: ignore[return-value]
    return sqlite.insert(table)


def is_id(number: int) -> bool:
    """Whether a database takes this for the number of a row; links may hold others."""
    return 0 < number < 2**63
