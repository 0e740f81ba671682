"""What the whole server has one of, whoever asks: the store, and the engine that trains."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from abp.dashboard.frame.access import require_operator
from abp.runs.engine import Engine

if TYPE_CHECKING:
    from abp.store.store import Store

_lock = threading.Lock()
_stores: dict[str, Store] = {}
_engines: dict[str, Engine] = {}


def store() -> Store:
    """The store, opened once for all browsers; a page writes to it only for the operator.

    Raises
    ------
    abp.store.database.StoreUnusable
        If it cannot be opened.
    """
    from abp.store.store import Store

    home = os.environ.get("ABP_HOME", "")
    with _lock:
        if home not in _stores:
            _stores[home] = Store(guard=require_operator)
        return _stores[home]


def ensure_engine() -> None:
    """Make sure that the engine runs, unless ``ABP_ENGINE=off`` says that it is not wanted here."""
    if os.environ.get("ABP_ENGINE") == "off":
        return
    home = os.environ.get("ABP_HOME", "")
    with _lock:
        if home in _engines:
            _engines[home].ensure()
        else:
            _engines[home] = Engine()


def stop_engine() -> None:
    """End the engine; runs in progress are interrupted."""
    with _lock:
        for engine in _engines.values():
            engine.stop()
        _engines.clear()
