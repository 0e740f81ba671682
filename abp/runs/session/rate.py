"""The rate at which a run trains."""

import time


class Rate:
    """Samples a second, over about the last second of training."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start measuring afresh, as after a pause."""
        self._began, self._samples, self._last = time.monotonic(), 0, 0.0

    def add(self, samples: int) -> None:
        """Take note of samples just trained on."""
        self._samples += samples
        elapsed = time.monotonic() - self._began
        if elapsed >= 1:
            self._last = self._samples / elapsed
            self._began, self._samples = time.monotonic(), 0

    def value(self) -> float:
        """Samples a second; 0 while nothing is known."""
        return self._last or self._samples / max(time.monotonic() - self._began, 1e-3)
