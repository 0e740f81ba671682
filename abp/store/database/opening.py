"""Opening a database: made where there is none, brought up to date, and refused where it is not one of ours."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, event, inspect, select
from sqlalchemy.engine import ExceptionContext

from abp.store.database.errors import StorePassing, StoreUnusable
from abp.store.database.kind import Kind
from abp.store.schema import OLDEST, VERSION, metadata, schema

_log = logging.getLogger(__name__)


def open_database(kind: Kind) -> Engine:
    """The database, made if there is none, and brought up to date after it was copied if it is older.

    Raises
    ------
    StoreUnusable
        If it is no database of this program, or of a newer version of it. It is left as it is.
    """
    engine = kind.engine()
    event.listen(engine, "handle_error", lambda context: _explain(kind, context))
    try:
        with reading(engine) as connection:
            empty = not inspect(connection).get_table_names()
        if empty:
            _make(engine, kind)
        with reading(engine) as connection:
            version = stored_version(connection)
        if version is None or not OLDEST <= version <= VERSION:
            raise StoreUnusable(_refusal(kind, version))
        if version < VERSION:
            _migrate(engine, kind)
        kind.settle_down(engine)  # only now that it is known to be ours: this writes to it
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for looking only, which holds nobody up."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


@contextmanager
def writing(engine: Engine, kind: Kind) -> Iterator[Connection]:
    """A transaction: all of it happens, or nothing."""
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            kind.begin(connection)
            yield connection
        except BaseException:
            transaction.close()
            raise
        try:
            transaction.commit()
        except StorePassing as error:
            error.uncertain = True
            raise


def stored_version(connection: Connection) -> int | None:
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


def _explain(kind: Kind, context: ExceptionContext) -> None:
    explained = kind.explain(context)
    if explained is not None:
        raise explained from context.original_exception


def _make(engine: Engine, kind: Kind) -> None:
    with writing(engine, kind) as connection:
        kind.alone(connection)
        metadata.create_all(connection)
        if stored_version(connection) is None:  # not made by another process meanwhile
            connection.execute(schema.insert().values(version_num=str(VERSION)))


def _refusal(kind: Kind, version: int | None) -> str:
    whose = f"was made by {'a newer' if version and version > VERSION else 'an older'} version of ABP Lab"
    what = "holds something else" if version is None else f"{whose} (schema {version})"
    return (
        f"The database {kind.name} {what}; this version of ABP Lab reads schema {VERSION}. Nothing in it was changed. "
        f"{kind.instead}"
    )


def _migrate(engine: Engine, kind: Kind) -> None:
    """Copy a database of an earlier version, then bring it up to date, unless somebody else just has."""
    from abp.store.migrations import migrate

    with writing(engine, kind) as connection:
        kind.alone(connection)
        version = stored_version(connection)
        if version is not None and version < VERSION:
            copy = kind.keep_copy(connection, version)
            migrate(connection, version)
            _log.warning(
                "%s was brought from schema %s to %s; it lies as it was in %s", kind.name, version, VERSION, copy
            )
