"""Waiting for what other threads and processes do: never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds after which whatever a test waits for is taken to hang, beside however busy neighbours."""


def wait_until(condition: Callable[[], T], what: str = "", *, within: float = PATIENCE) -> T:
    """Return what `condition` returns as soon as that is true; fail if it has not come within so many seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within:g} s in vain {what or 'for ' + getattr(condition, '__name__', '?')}")
        time.sleep(0.02)
    return value
