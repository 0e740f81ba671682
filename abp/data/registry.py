"""The registry of data sets: those that are built in, those registered in this process, and those of a store."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from abp.errors import AbpError

Record = TypeVar("Record")


class Source(Protocol):
    """Something that keeps people's own data: the store."""

    def keys(self) -> list[str]:
        """Keys of all it has, the newest first."""

    def record(self, key: str) -> Any:
        """The record of a key, or None."""


class Registry(Mapping[str, Record], Generic[Record]):
    """Records by key.

    A key of people's own data is its name and the beginning of its content's hash, ``name@0123456789ab``, so that it
    means the same bytes wherever it is found. Looking one up asks the sources, the one opened last first; a list of
    all shows what that one has.

    Parameters
    ----------
    built_in
        What is always there.
    """

    def __init__(self, built_in: Mapping[str, Record]) -> None:
        self.built_in = dict(built_in)
        self._registered: dict[str, tuple[Any, Record]] = {}
        self._sources: list[weakref.ref[Any]] = []

    def __getitem__(self, key: str) -> Record:
        if key in self.built_in:
            return self.built_in[key]
        if key in self._registered:
            return self._registered[key][1]
        if "@" in key:
            for source in self._alive():
                if record := _asked(partial(source.record, key)):
                    return record
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        yield from self._registered
        yield from (key for key in self._stored() if key not in self._registered)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def resolve(self, name: str) -> str:
        """The key of the newest data of this name; what is no such name is returned as it is."""
        if name in self.built_in or "@" in name:
            return name
        keys = [*reversed(self._registered), *self._stored()]
        return next((key for key in keys if key.rpartition("@")[0] == name), name)

    def register(self, key: str, content: Any, record: Record) -> None:
        """Have a data set for as long as this process lasts; its content is for whoever keeps it for longer."""
        self._registered.pop(key, None)
        self._registered[key] = content, record

    def registered(self, key: str) -> Any:
        """The content of a data set registered in this process, or None."""
        found = self._registered.get(key)
        return found and found[0]

    def forget(self, key: str | None = None) -> None:
        """Let go of a data set registered in this process, or of all of them."""
        if key is None:
            self._registered.clear()
        else:
            self._registered.pop(key, None)

    def consult(self, source: Source) -> None:
        """Ask this source too, before those that came earlier, until it is gone."""
        self._sources.insert(0, weakref.ref(source))

    def _alive(self) -> list[Source]:
        self._sources = [each for each in self._sources if each() is not None]
        return [source for each in self._sources if (source := each()) is not None]

    def _stored(self) -> list[str]:
        for source in self._alive():
            return _asked(source.keys) or []
        return []


def _asked(ask: Callable[[], Any]) -> Any:
    """What a source says; nothing where it cannot be read, which whoever opened it is told elsewhere."""
    try:
        return ask()
    except AbpError:
        return None
