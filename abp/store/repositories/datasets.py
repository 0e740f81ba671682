"""People's own data sets: described in one row each, their bytes in parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from abp.data import DataUnavailable
from abp.errors import AbpError
from abp.store import schema
from abp.store.database import Database, patient

if TYPE_CHECKING:
    from abp.data.datasets import DatasetRecord
    from abp.data.own.content import OwnData

PART = 2**26
"""Bytes of samples in one row: SQLite takes a thousand million at most."""


class DatasetUnknown(AbpError, LookupError):
    """There is no data set of this name or key."""


class DatasetInUse(AbpError):
    """Runs or studies depend on a data set that somebody would delete."""


@dataclass(frozen=True)
class DatasetRow:
    """One data set as the store knows it; columns are described in `abp.store.schema`."""

    key: str
    name: str
    hash: str
    private: bool
    created: float
    size: int
    description: Mapping[str, Any]


@dataclass(frozen=True)
class Users:
    """What depends on a data set: numbers of runs and studies."""

    runs: tuple[int, ...]
    studies: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.runs or self.studies)

    def __str__(self) -> str:
        kinds = {"run": self.runs, "study": self.studies}
        plurals = {"run": "runs", "study": "studies"}
        words = []
        for kind, numbers in kinds.items():
            if numbers:
                shown = ", ".join(map(str, numbers[:5])) + (", …" if len(numbers) > 5 else "")
                words.append(f"{len(numbers)} {kind if len(numbers) == 1 else plurals[kind]} ({shown})")
        return " and ".join(words)


@patient
@dataclass(frozen=True, eq=False)
class Datasets:
    """All data sets that are kept."""

    database: Database
    _records: dict[str, DatasetRecord] = field(default_factory=dict)

    def add(self, own: OwnData) -> str:
        """Keep a data set and return its key; the same content under the same name is kept once."""
        with self.database.writing(alone=True) as connection:
            columns, key = schema.datasets.c, own.key
            known = connection.execute(select(columns.private).where(columns.key == key)).first()
            if known is None:
                row = {"key": key, "name": own.name, "hash": own.hash, "private": own.private}
                row |= {"created": self.database.now(), "size": len(own.packed), "description": own.description}
                connection.execute(insert(schema.datasets).values(row))
                for part, start in enumerate(range(0, len(own.packed), PART)):
                    content = own.packed[start : start + PART]
                    connection.execute(insert(schema.dataset_parts).values(dataset=key, part=part, content=content))
            elif own.private and not known.private:
                connection.execute(update(schema.datasets).where(columns.key == key).values(private=True))
                self._records.pop(key, None)
        return key

    def all(self) -> list[DatasetRow]:
        """All data sets, the newest first."""
        query = select(schema.datasets).order_by(schema.datasets.c.created.desc(), schema.datasets.c.key)
        with self.database.reading() as connection:
            return [DatasetRow(**row) for row in connection.execute(query).mappings()]

    def keys(self) -> list[str]:
        """Keys of all data sets, the newest first."""
        query = select(schema.datasets.c.key).order_by(schema.datasets.c.created.desc(), schema.datasets.c.key)
        with self.database.reading() as connection:
            return list(connection.execute(query).scalars())

    def get(self, name: str) -> DatasetRow:
        """The data set of a key, or the newest of a name.

        Raises
        ------
        DatasetUnknown
            If there is none.
        """
        found = [row for row in self.all() if name in (row.key, row.name)]
        if not found:
            raise DatasetUnknown(f"There is no data set {name!r} of your own here, or it was deleted.")
        return found[0]

    def record(self, key: str) -> DatasetRecord | None:
        """What `abp.data.datasets.DATASETS` knows of it; None if it is not here."""
        if key not in self._records:
            from abp.data.own.content import record_of  # needs NumPy

            query = select(schema.datasets).where(schema.datasets.c.key == key)
            with self.database.reading() as connection:
                row = connection.execute(query).mappings().first()
            if row is None:
                return None
            packed = partial(_packed, self.database, key)  # holds no record, so that a store that is let go is gone
            self._records[key] = record_of(row["name"], row["description"], row["private"], packed)
        return self._records[key]

    def content(self, key: str) -> OwnData:
        """A data set as it was added, samples and all.

        Raises
        ------
        DatasetUnknown
            If there is none of this key.
        abp.data.DataUnavailable
            If its samples are damaged.
        """
        from abp.data.own.content import own_data

        row = self.get(key)
        return own_data(row.name, row.description, row.private, _packed(self.database, row.key))

    def users(self, key: str) -> Users:
        """The runs and studies that name a data set."""
        quoted = f'%"{key}"%'
        runs, studies = schema.runs.c, schema.studies.c
        with self.database.reading() as connection:
            return Users(
                tuple(
                    connection.execute(select(runs.id).where(runs.settings.like(quoted)).order_by(runs.id)).scalars()
                ),
                tuple(
                    connection.execute(
                        select(studies.id).where(studies.specification.like(quoted)).order_by(studies.id)
                    ).scalars()
                ),
            )

    def set_private(self, key: str, private: bool) -> None:
        """Show the samples to the operator alone, or to everybody."""
        with self.database.writing() as connection:
            changing = update(schema.datasets).where(schema.datasets.c.key == key).values(private=private)
            connection.execute(changing)
        self._records.pop(key, None)

    def remove(self, key: str, *, with_users: bool = False) -> None:
        """Delete a data set, with all that depends on it if so asked.

        Raises
        ------
        DatasetUnknown
            If there is none of this key.
        DatasetInUse
            If runs or studies depend on it and are not to be deleted too.
        """
        row = self.get(key)
        with self.database.writing() as connection:
            users = self.users(row.key)
            if users and not with_users:
                raise DatasetInUse(
                    f"{row.name} is used by {users}. Delete them first, or delete it together with them."
                )
            connection.execute(delete(schema.runs).where(schema.runs.c.id.in_(users.runs)))
            connection.execute(delete(schema.studies).where(schema.studies.c.id.in_(users.studies)))
            connection.execute(delete(schema.datasets).where(schema.datasets.c.key == row.key))
        self._records.pop(row.key, None)


def _packed(database: Database, key: str) -> bytes:
    columns = schema.dataset_parts.c
    with database.reading() as connection:
        query = select(columns.content).where(columns.dataset == key).order_by(columns.part)
        content = b"".join(connection.execute(query).scalars())
        about = connection.execute(select(schema.datasets).where(schema.datasets.c.key == key)).mappings().first()
    if not content or about is None:
        raise DataUnavailable(f"The data set {key} was deleted. Add it again to use it.")
    from abp.data.own.content import hash_of

    if hash_of(about["description"], content) != about["hash"]:
        raise DataUnavailable(f"The data set {key} is damaged: its bytes are not those that were added.")
    return content
