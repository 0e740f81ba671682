"""What the whole server has one of, whoever asks: the store, and the engine that trains."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from abp.dashboard.frame.access import require_operator
from abp.runs.engine import Engine

if TYPE_CHECKING:
    from abp.store.store import Store

_PATIENCE = 2.0  # seconds for which a page waits for a database that restarts, before it says so

_lock = threading.Lock()
_stores: dict[tuple, Store] = {}
_engines: dict[tuple, Engine] = {}


def _where() -> tuple:
    """What says which database and which home folder are meant."""
    return os.environ.get("ABP_HOME", ""), os.environ.get("ABP_DATABASE", "")


def store() -> Store:
    """The store, opened once for all browsers; a page writes to it only for the operator.

    Raises
    ------
    abp.store.database.StoreUnusable
        If it cannot be opened.
    """
    from abp.store.store import Store

    where = _where()
    with _lock:
        if where not in _stores:
            _stores[where] = Store(guard=require_operator, patience=_PATIENCE)
        return _stores[where]


def ensure_engine() -> None:
    """Make sure that the engine runs, unless ``ABP_ENGINE=off`` says that it is not wanted here."""
    if os.environ.get("ABP_ENGINE") == "off":
        return
    where = _where()
    with _lock:
        if where in _engines:
            _engines[where].ensure()
        else:
            _engines[where] = Engine()


def stop_engine() -> None:
    """End the engine; runs in progress go on with the next one."""
    with _lock:
        for engine in _engines.values():
            engine.stop()
        _engines.clear()
