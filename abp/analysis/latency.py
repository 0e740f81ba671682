"""Latency: how long networks take to classify a batch of pictures, measured side by side on one core."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from abp.analysis.threads import on_one_core

_BLOCKS = 15
_BLOCK_SECONDS = 0.01


@dataclass(frozen=True)
class Latency:
    """Median `seconds` of one pass, and the median of its blocks' `ratio` to the first network's."""

    seconds: float
    ratio: float


def latencies(
    passes: Mapping[str, Callable[[], object]], *, blocks: int = _BLOCKS, block_seconds: float = _BLOCK_SECONDS
) -> dict[str, Latency]:
    """Measure passes on one core in turn, block by block, so that whatever else the machine does falls on all of them.

    Parameters
    ----------
    passes
        Each a forward pass, by name; ratios are to the first one.
    blocks
        How many blocks of passes each is given.
    block_seconds
        How long a block takes at least.
    """
    with on_one_core():
        times = _times(passes, blocks, block_seconds)
    first = next(iter(times.values()))
    return {
        name: Latency(statistics.median(spent), statistics.median(a / b for a, b in zip(spent, first, strict=True)))
        for name, spent in times.items()
    }


def _times(passes: Mapping[str, Callable[[], object]], blocks: int, block_seconds: float) -> dict[str, list[float]]:
    """Seconds of a pass in each block."""
    repeats = {name: _repeats(run, block_seconds) for name, run in passes.items()}
    times: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(blocks):
        for name, run in passes.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                run()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return times


def _repeats(run: Callable[[], object], block_seconds: float) -> int:
    """How many passes fill a block; one runs first to warm up."""
    run()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < block_seconds:
        run()
        done += 1
    return max(1, done)  # a busy machine may let the time pass before the first one
