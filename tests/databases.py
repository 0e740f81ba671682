"""Databases of tests: a file of SQLite each or, where a server of PostgreSQL was started for them, a database there.

``python -m tests.postgresql`` starts one and says so in `VARIABLE`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from abp.store.database.copying import copy_rows, count_on
from abp.store.store import Store
from abp.store.upkeep.restore import TABLES

VARIABLE = "ABP_TEST_DATABASE"
"""Names the server's own database, through which others are made."""

TEMPLATE = "abp_template"
"""The name of an empty database with our tables in it, which is copied for every test."""

POSTGRESQL = bool(os.environ.get(VARIABLE))

only_sqlite = pytest.mark.skipif(POSTGRESQL, reason="it is about files of SQLite")
any_database = pytest.mark.skipif(POSTGRESQL, reason="the database makes no difference to it")
only_postgresql = pytest.mark.skipif(not POSTGRESQL, reason="make test-postgresql runs it")


def where(folder: Path) -> Path | str:
    """Where a new database is to be: in this folder, or on the server; `dropped` when its test has ended."""
    if not POSTGRESQL:
        return folder / "abp.sqlite3"
    name = f"test_{uuid.uuid4().hex[:16]}"
    administer(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    return beside(os.environ[VARIABLE], name)


@contextmanager
def dropped(place: Path | str) -> Iterator[Path | str]:
    """A database for as long as a test takes; the folders of files are removed by pytest."""
    try:
        yield place
    finally:
        if isinstance(place, str):
            administer(f"DROP DATABASE {make_url(place).database} WITH (FORCE)")


def new_store(factory: pytest.TempPathFactory) -> Store:
    """A store for all tests of a module."""
    return Store(where(factory.mktemp("store")))


def copy_of(store: Store, folder: Path) -> Path | str:
    """A database with all that is in a store, which nobody writes to now."""
    if not POSTGRESQL:
        path = folder / "abp.sqlite3"
        store.database.kind.snapshot(path)
        return path
    store.database.dispose()
    name = f"copy_{uuid.uuid4().hex[:16]}"
    source = make_url(os.environ[VARIABLE]).set(database=make_url(store.name).database).database
    administer(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY file_copy")
    return beside(os.environ[VARIABLE], name)


def as_it_is(store: Store, folder: Path) -> Store:
    """A store with all that another one holds at this moment, while runs go on there."""
    file = folder / "as-it-is.sqlite3"
    store.database.kind.snapshot(file)
    if not POSTGRESQL:
        return Store(file)
    source, copy = Store(file), Store(where(folder))
    with source.database.reading() as reading, copy.transaction() as connection:
        copy_rows(reading, connection, TABLES)
        count_on(connection, TABLES)
    return copy


def beside(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def administer(statement: str, url: str = "") -> None:
    """Do on the server what belongs to no transaction."""
    engine = create_engine(url or os.environ[VARIABLE], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
