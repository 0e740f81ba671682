"""Backups: all that the database holds, as one file of SQLite, whichever kind of database it is."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from abp.store import schema
from abp.store.database import Database, StoreUnusable, located
from abp.store.store import Store
from abp.store.upkeep.checking import check


@dataclass(frozen=True)
class Contents:
    """What a database holds, in numbers."""

    runs: int
    studies: int
    datasets: int

    def __str__(self) -> str:
        names = {"run": "runs", "study": "studies", "data set": "data sets"}
        counts = zip((self.runs, self.studies, self.datasets), names.items(), strict=True)
        words = [f"{count:,} {one if count == 1 else many}" for count, (one, many) in counts if count]
        return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "nothing yet"


def contents(connection: Connection) -> Contents:
    """How many runs, studies and data sets a database holds."""
    counts = (select(func.count()).select_from(each) for each in (schema.runs, schema.studies, schema.datasets))
    return Contents(*(int(connection.execute(count).scalar_one()) for count in counts))


def backup(store: Store, path: Path) -> Contents:
    """Write all that a store holds at this moment to a file, while runs go on; what stood there before is replaced.

    Raises
    ------
    StoreUnusable
        If the file cannot be written, or what was written is not whole; what stood there before still does.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        store.database.kind.snapshot(part)
        check(part)
        copied = Database(located(part))
        with copied.reading() as connection:
            found = contents(connection)
        copied.dispose()
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except (sqlite3.Error, SQLAlchemyError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise StoreUnusable(
            f"The backup {path} could not be written: {reason}. Choose a folder with enough space that you can "
            "write to."
        ) from error
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + ending).unlink(missing_ok=True)
    return found
