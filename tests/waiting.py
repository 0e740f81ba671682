"""Waiting for what other threads and processes do: never for a fixed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds after which whatever a test waits for is taken to hang, beside however busy neighbours."""


def wait_until(condition: Callable[[], T], what: str = "", *, within: float = PATIENCE) -> T:
    """Return what `condition` returns as soon as that is true; fail if it has not come within so many seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within:g} s in vain {what or 'for ' + getattr(condition, '__name__', '?')}")
        time.sleep(0.02)
    return value


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine comes to, in a thread of its own: a browser of this process keeps a loop in the main one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
