"""Where the database is: the file in the home folder, or what ``ABP_DATABASE`` names."""

import os
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from abp.store.database.errors import StoreUnusable
from abp.store.database.kind import Kind
from abp.store.database.postgresql import PostgresqlServer
from abp.store.database.sqlite import SqliteFile, database_path

VARIABLE = "ABP_DATABASE"


def located(where: Path | str | Kind | None = None) -> Kind:
    """The database in this file or at this URL; by default the one that ``ABP_DATABASE`` names, or the home folder's.

    Raises
    ------
    StoreUnusable
        If the URL is none of a database that this program can use.
    abp.home.HomeUnusable
        If it would be in the home folder, which cannot be used.
    """
    if where is None:
        where = os.environ.get(VARIABLE) or database_path()
    if isinstance(where, Path):
        return SqliteFile(where)
    if not isinstance(where, str):
        return where
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        raise StoreUnusable(_refusal("something else")) from None  # not shown: it may hold a password
    backend, _, driver = url.drivername.partition("+")
    if backend == "sqlite" and driver in ("", "pysqlite") and url.database:
        return SqliteFile(Path(url.database).expanduser().absolute())
    if backend == "postgresql" and driver in ("", "psycopg"):
        return PostgresqlServer(_by_psycopg(url))
    raise StoreUnusable(_refusal(url.drivername + ("" if url.database else " without the name of a database")))


def exists() -> bool:
    """Whether there is a default database already: a file must have been made, a server is taken to be there."""
    kind = located()
    return not isinstance(kind, SqliteFile) or kind.path.exists()


def _by_psycopg(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg")


def _refusal(what: str) -> str:
    return (
        f"{VARIABLE} must be sqlite:////FOLDER/FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, not {what}. "
        "Leave it out to keep everything in a file in the home folder."
    )
