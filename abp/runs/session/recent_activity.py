"""Recent activity: how often each neuron fired for the newest training samples."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

SAMPLES = 1000
"""The counts are of the fewest newest parts of an epoch that hold so many samples."""


class RecentActivity:
    """Activation counts of the newest samples, told apart by what an epoch's counts grow by.

    Attributes
    ----------
    samples
        How many samples the counts are of.
    counts
        int64 ``[neurons]``, of all hidden layers joined.

    Examples
    --------
    >>> recent = RecentActivity((2,))
    >>> recent.add([np.array([700, 0])], 700)
    >>> recent.add([np.array([700, 600])], 1400)
    >>> recent.add([np.array([700, 1200])], 2000)
    >>> recent.samples, recent.counts.tolist()
    (1300, [0, 1200])
    """

    def __init__(self, hidden: Sequence[int]) -> None:
        self.samples = 0
        self.counts: NDArray = np.zeros(sum(hidden), dtype=np.int64)
        self._parts: deque[tuple[int, NDArray]] = deque()
        self._before: tuple[int, NDArray | int] = 0, 0

    def add(self, epoch_counts: Sequence[Tensor] | Sequence[NDArray], epoch_samples: int) -> None:
        """Take note of how far the counts of an epoch have come; fewer samples than before are a new epoch's."""
        joined = np.concatenate([np.asarray(layer) for layer in epoch_counts])
        samples, counts = self._before if epoch_samples >= self._before[0] else (0, 0)
        self._before = epoch_samples, joined
        self._parts.append((epoch_samples - samples, joined - counts))
        self.samples += epoch_samples - samples
        self.counts = self.counts + joined - counts
        while self.samples - self._parts[0][0] >= SAMPLES:
            gone, part = self._parts.popleft()
            self.samples -= gone
            self.counts = self.counts - part
