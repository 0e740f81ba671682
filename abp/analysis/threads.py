"""Threads: numerical work that keeps to one core, however many pieces of it go on at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def on_one_core() -> Iterator[None]:
    """Let PyTorch, NumPy and SciPy use one thread for the work within, and afterwards as many as before.

    PyTorch has a number of threads for each thread that calls it. The linear algebra behind NumPy and SciPy has one
    for the whole process: it is one from when the first piece of work begins until the last ends.
    """
    own = torch.get_num_threads()
    torch.set_num_threads(1)
    _limit.begin()
    try:
        yield
    finally:
        _limit.end()
        torch.set_num_threads(own)


class _Limit:
    """One thread for the process's linear algebra while any work goes on.

    The thread that sets a number must be the one that brings the old one back, so a thread of its own does both.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work = 0

    def begin(self) -> None:
        with self._lock:
            if not self._at_work:
                self._set, self._over = threading.Event(), threading.Event()
                self._holder = threading.Thread(target=self._hold, name="one core", daemon=True)
                self._holder.start()
                self._set.wait()
            self._at_work += 1

    def end(self) -> None:
        with self._lock:
            self._at_work -= 1
            if not self._at_work:
                self._over.set()
                self._holder.join()

    def _hold(self) -> None:
        with threadpool_limits(limits=1, user_api="blas"):
            self._set.set()
            self._over.wait()


_limit = _Limit()
