"""Pages are drawn one after the other, in the order in which they were asked for.

All threads of a process share one core for Python. Pages that are drawn at the same time take as long as one after the
other, each of them as long as all together; and every thread more keeps live frames and answers waiting.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Whose turn it is to draw; the others wait in line.

    Parameters
    ----------
    patience
        Seconds after which a thread goes on without its turn: a page that hangs must not hold up all others.
    """

    def __init__(self, patience: float = 5.0) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._free = True
        self._line: deque[threading.Event] = deque()  # each is set when it is that thread's turn
        self._thread = threading.local()  # `taken`: whether this thread has its turn

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and let the next one draw at the end. Within one's own turn, nothing more."""
        if self._has_turn:
            yield
            return
        self._take()
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let others draw while this thread waits for something else, and wait for one's turn again at the end."""
        if not self._has_turn:
            yield
            return
        self._give_back()
        try:
            yield
        finally:
            self._take()

    @property
    def _has_turn(self) -> bool:
        return getattr(self._thread, "taken", False)

    def _take(self) -> None:
        called = threading.Event()
        with self._lock:
            if self._free:
                self._free = False
                called.set()
            else:
                self._line.append(called)
        called.wait(self._patience)
        with self._lock:
            if not called.is_set():
                self._line.remove(called)
        self._thread.taken = called.is_set()

    def _give_back(self) -> None:
        if not self._has_turn:
            return
        self._thread.taken = False
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free = True


turns = Turns()
"""Of this server's pages."""
