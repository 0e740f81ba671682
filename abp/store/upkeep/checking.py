"""Checking a backup before anything of it is used: whole, of a version that is known, and nothing in it forged."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import JSON, Boolean, Column, Enum, Float, Integer, LargeBinary, create_engine
from sqlalchemy.exc import DatabaseError

from abp.errors import AbpError
from abp.store import schema
from abp.store.database import StoreUnusable
from abp.store.database.opening import stored_version
from abp.training.experiment import LONGEST_TEXT, Experiment, SettingError
from abp.training.setting import read_json


class BackupUnusable(StoreUnusable):
    """A file that cannot be restored; the message says why. Nothing was changed."""


def check(path: Path) -> int:
    """The version of a backup, after all of it was looked at.

    Raises
    ------
    BackupUnusable
        If it is no backup, is damaged, or of a version that this program does not know.
    """
    if not path.is_file():
        raise BackupUnusable(f"There is no file {path}.")
    try:
        with closing(_read_only(path)) as connection:
            for pragma in ("integrity_check(1)", "foreign_key_check"):
                found = connection.execute(f"PRAGMA {pragma}").fetchone()
                if found not in (None, ("ok",)):
                    raise _unusable(path, "it is damaged")
            version = _version(path)
            if version == schema.VERSION:  # an older one is looked at again once it is brought up to date
                for complaint in _complaints(connection):
                    raise _unusable(path, complaint)
    except (sqlite3.DatabaseError, DatabaseError, UnicodeError) as error:  # UnicodeError: a text in it is no text
        raise _unusable(path, f"it is no backup, or damaged ({str(error)[:200]})") from error
    return version


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _version(path: Path) -> int:
    engine = create_engine("sqlite://", creator=lambda: _read_only(path))
    try:
        with engine.connect() as connection:
            version = stored_version(connection)
    finally:
        engine.dispose()
    if version is None:
        raise _unusable(path, "it is a database, but none of ABP Lab")
    if not schema.OLDEST <= version <= schema.VERSION:
        whose = "a newer" if version > schema.VERSION else "too old a"
        raise _unusable(path, f"it was made by {whose} version of ABP Lab (schema {version})")
    return version


def _complaints(connection: sqlite3.Connection) -> Iterator[str]:
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in schema.metadata.sorted_tables:
        columns = {row[1] for row in connection.execute(f'PRAGMA table_info("{table.name}")')}
        if table.name not in names or columns != {column.name for column in table.columns}:
            yield f"its table {table.name} is missing or another one"
        wrong = " OR ".join(_is_wrong(column) for column in table.columns)
        if connection.execute(f'SELECT 1 FROM "{table.name}" WHERE {wrong} LIMIT 1').fetchone():
            yield f"its table {table.name} holds values that do not belong there"
    for number, settings in connection.execute("SELECT id, settings FROM runs ORDER BY id"):
        try:
            Experiment.from_json(_with_known_data(settings))
        except (AbpError, SettingError, ValueError, TypeError, KeyError, AttributeError) as error:
            yield f"the settings of its run {number} cannot be used ({str(error)[:200]})"


def _with_known_data(settings: str) -> str:
    """Settings with a data set that comes with the program, where they name one of the backup's own."""
    values = read_json(settings, "settings", LONGEST_TEXT)
    if "@" in str(values.get("dataset")):
        values["dataset"] = "digits"
    return json.dumps(values)


def _is_wrong(column: Column) -> str:
    """A condition that no value of a column fulfils that we would have written."""
    name, kind = f'"{column.name}"', column.type
    if isinstance(kind, Enum):
        return f"coalesce({name}, '') NOT IN ({', '.join(map(repr, kind.enums))})"
    kinds: tuple[str, ...] = ("text",)
    if isinstance(kind, Float):
        kinds = ("real", "integer")
    elif isinstance(kind, Integer | Boolean):
        kinds = ("integer",)
    elif isinstance(kind, LargeBinary):
        kinds = ("blob",)
    if column.nullable:
        kinds = (*kinds, "null")
    wrong = f"typeof({name}) NOT IN ({', '.join(map(repr, kinds))})"
    return f"{wrong} OR NOT json_valid({name})" if isinstance(kind, JSON) else wrong


def _unusable(path: Path, why: str) -> BackupUnusable:
    return BackupUnusable(f"{path} cannot be restored: {why}. Nothing was changed.")
