"""A cache of the results of background work, bounded by the bytes that they take. No Streamlit here."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Set
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pandas as pd
import torch

BUDGET = 2**30
"""Bytes that all results may take together."""

_LATEST = 6  # results that stay whatever they take: a page shows as many at once, and would else never be complete


class ResultCache:
    """Work done once for all who ask for it, under a key, by an executor.

    The results that were asked for longest ago are forgotten when all of them take more than `budget` bytes.
    """

    def __init__(self, executor: Executor, budget: int = BUDGET) -> None:
        self._executor, self._budget = executor, budget
        self._lock = threading.RLock()  # work may be done before its future is handed out
        self._futures: OrderedDict[Hashable, Future] = OrderedDict()  # what was asked for last comes last
        self._bytes: dict[Hashable, int] = {}  # of those that are done

    def future(self, key: Hashable, work: Callable[[], Any]) -> Future:
        """What becomes of the work of this key, which is begun if it is not yet."""
        with self._lock:
            if key not in self._futures:
                self._futures[key] = self._executor.submit(work)
                self._futures[key].add_done_callback(lambda future: self._weigh(key, future))
            self._futures.move_to_end(key)
            return self._futures[key]

    def forget(self, key: Hashable, future: Future) -> None:
        """Begin the work of this key again when it is next asked for, unless somebody has already."""
        with self._lock:
            if self._futures.get(key) is future:
                del self._futures[key]
                self._bytes.pop(key, None)

    def __len__(self) -> int:
        return len(self._futures)

    def _weigh(self, key: Hashable, future: Future) -> None:
        taken = 0 if future.cancelled() or future.exception() else bytes_of(future.result())
        with self._lock:
            if self._futures.get(key) is not future:
                return
            self._bytes[key] = taken
            for old in list(self._futures)[:-_LATEST]:
                if sum(self._bytes.values()) <= self._budget:
                    break
                if old in self._bytes:  # work that goes on is waited for
                    del self._futures[old], self._bytes[old]


def bytes_of(result: object) -> int:
    """Bytes of all tensors, arrays, tables and texts in a result, in the objects and collections it is made of."""
    seen: set[int] = set()

    def measured(value: object) -> int:
        if isinstance(value, torch.Tensor):
            storage = value.untyped_storage()
            return once(storage.data_ptr(), storage.nbytes())
        if isinstance(value, np.ndarray):
            return measured(value.base) if isinstance(value.base, np.ndarray) else once(id(value), value.nbytes)
        if isinstance(value, pd.DataFrame):
            return once(id(value), int(value.memory_usage(deep=True).sum()))
        if isinstance(value, str | bytes | bytearray):
            return once(id(value), len(value))
        if not once(id(value), 1):
            return 0
        return sum(measured(part) for part in _parts(value))

    def once(place: int, size: int) -> int:
        if place in seen:
            return 0
        seen.add(place)
        return size

    return measured(result)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | Set):
        return list(value)
    return list(getattr(value, "__dict__", {}).values())
