"""Restoring: what a backup holds takes the place of all that a database holds, in one transaction."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, update

from abp.home import home
from abp.store import schema
from abp.store.database import Database, StoreUnusable, located
from abp.store.database.copying import copy_rows, count_on, unused
from abp.store.database.errors import StorePassing
from abp.store.database.sqlite import SqliteFile
from abp.store.records import Lane, Status
from abp.store.store import Store
from abp.store.upkeep.backup import Contents, backup, contents
from abp.store.upkeep.checking import check

TABLES = [table for table in schema.metadata.sorted_tables if table is not schema.schema]


@dataclass(frozen=True)
class Restored:
    """What was restored, and where that lies which it took the place of; None if there was nothing."""

    contents: Contents
    before: Path | None


def restore(path: Path) -> Restored:
    """Let a backup take the place of all that the default database holds, which is kept in a backup of its own.

    Runs that were in training then go on from their checkpoints; workers that train now lose their runs.

    Raises
    ------
    StoreUnusable
        If it cannot be restored. Nothing was changed then.
    """
    check(path)
    with _up_to_date(path) as source:
        store, damaged = _opened()
        before = damaged or _kept(store)
        with source.reading() as reading, store.transaction(alone=True) as connection:
            for table in reversed(TABLES):
                connection.execute(delete(table))
            copy_rows(reading, connection, TABLES)
            count_on(connection, TABLES)
            _let_go(connection)
            found = contents(connection)
        store.database.dispose()
    return Restored(found, before)


@contextmanager
def _up_to_date(path: Path) -> Iterator[Database]:
    """A copy of a backup, brought to today's schema and checked again."""
    with tempfile.TemporaryDirectory(prefix="restoring-", dir=home(), ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "backup.sqlite3"
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise StoreUnusable(
                f"{path} cannot be copied to {home()}: {error.strerror}. Nothing was changed. Free some space there."
            ) from error
        source = Database(located(copy))
        try:
            check(copy)
            yield source
        finally:
            source.dispose()


def _opened() -> tuple[Store, Path | None]:
    """The database to be replaced; a file that cannot be used is moved aside, and where to is said too."""
    try:
        return Store(), None
    except StorePassing:
        raise
    except StoreUnusable:
        kind = located()
        if not isinstance(kind, SqliteFile) or not kind.path.is_file():
            raise
        aside = unused(kind.path.with_name(f"{kind.path.stem}-damaged{kind.path.suffix}"))
        kind.path.rename(aside)
        for ending in ("-wal", "-shm"):
            beside = kind.path.with_name(kind.path.name + ending)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + ending))
        return Store(), aside


def _kept(store: Store) -> Path | None:
    """A backup of what is about to be replaced, if that is anything."""
    with store.database.reading() as connection:
        if contents(connection) == Contents(0, 0, 0):
            return None
    path = unused(home() / f"before-restore-{time.strftime('%Y-%m-%d-%H%M%S')}.sqlite3")
    backup(store, path)
    return path


def _let_go(connection) -> None:  # type: ignore[no-untyped-def]
    """No worker has a run that was in training when the backup was made: such runs wait for one again."""
    runs = schema.runs
    held = runs.c.owner.is_not(None)
    again = {"status": Status.QUEUED, "owner": None, "lease": None}
    connection.execute(update(runs).where(held, runs.c.lane == Lane.SELF).values(lane=Lane.HAND))
    connection.execute(update(runs).where(held).values(again))
