"""Whether somebody waits for a page: what can wait goes on when nobody does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Visits:
    """The pages that are being drawn in this process.

    Attributes
    ----------
    drawn
        Whether any page has been drawn to its end.

    Parameters
    ----------
    clock
        Seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.drawn = False
        self._clock, self._lock = clock, threading.Lock()
        self._drawing, self._last = 0, clock()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """While a page is being drawn."""
        with self._lock:
            self._drawing += 1
        try:
            yield
        finally:
            with self._lock:
                self._drawing -= 1
                self._last, self.drawn = self._clock(), True

    def idle(self) -> float:
        """Seconds since the last page was drawn, or since the start; 0 while one is being drawn."""
        with self._lock:
            return 0.0 if self._drawing else self._clock() - self._last


visits = Visits()
"""Of this server."""
