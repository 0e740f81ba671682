"""Hostile input: hundreds of thousands of inputs for every way in, and what memory they took."""

from __future__ import annotations

import os
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from abp.errors import quoted
from abp.store.store import Store
from abp.training.experiment import Experiment
from benchmarks.soak.lines import Line

MOST_MEMORY = 300
"""Megabytes that the process may grow by: a picture of 16 million pixels and an unpacked file of 64 MB among them."""


_SLICE = 2_500  # inputs that a process is given at a time


def part(inputs: int = 200_000, seed_: int | None = None) -> list[Line]:
    """Give every target its share of the inputs, one process a core; a line for all of them and one for memory."""
    from tests.hostile.targets import TARGETS

    chance = int(time.time()) if seed_ is None else seed_
    slices = [
        (name, min(_SLICE, count - start), chance + start)
        for name, count in ((name, round(inputs * each.share)) for name, each in TARGETS.items())
        for start in range(0, count, _SLICE)
    ]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("forkserver")) as processes:
        met = list(processes.map(_met, slices))
    found = {name: problem for name, _, problem, _ in met if problem}
    visits, problem = _flood(max(1, inputs - sum(sent for _, sent, _, _ in met)), chance)
    if problem:
        found["the live socket"] = problem
    given_in_all, grown = visits + sum(sent for _, sent, _, _ in met), max(peak for _, _, _, peak in met)
    whole = not found and given_in_all >= inputs
    return [
        Line(
            f"hostile inputs to {len(TARGETS) + 1} targets, worse than a refusal",
            f"{len(found)} of {given_in_all:,}",
            "0",
            whole,
            "; ".join(f"{name} (seed {chance}): {problem}" for name, problem in found.items()),
        ),
        Line("memory that hostile input took at its peak", f"{grown} MB", f"{MOST_MEMORY} MB", grown <= MOST_MEMORY),
    ]


def _met(slice_: tuple[str, int, int]) -> tuple[str, int, str, int]:
    """In a process: a target's name, how many inputs it was given, what went wrong, and megabytes taken at the peak."""
    from tests.hostile.targets import TARGETS

    name, count, chance = slice_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _before.append(_peak())
        sent, problem = _meet(TARGETS[name].inputs, TARGETS[name].target, count, chance)
    return name, sent, problem, _peak() - _before[0]


_before: list[int] = []
"""Megabytes that this process had taken at most when it began, once everything was imported."""


def _meet(inputs: Any, target: Callable[[Any], None], count: int, chance: int) -> tuple[int, str]:
    """How many inputs a target was given, and what went wrong, if anything.

    Hypothesis stops where it knows all inputs: it begins again with another seed.
    """
    sent, last = 0, None

    def meet(value: Any) -> None:
        nonlocal sent, last
        sent, last = sent + 1, value
        target(value)

    rounds = 0
    while sent < count:
        small = settings(
            max_examples=min(1_000, count - sent),
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        try:
            seed(chance + rounds)(small(given(inputs)(meet)))()
        except Exception as error:
            return sent, f"{quoted(last, 300)}: {type(error).__name__}: {str(error)[:300]}"
        rounds += 1
    return sent, ""


def _flood(count: int, chance: int) -> tuple[int, str]:
    """Visit the live socket so many times."""
    from tests.hostile.live_socket import Visit, serving, visits

    found: list[Visit] = []
    _meet(visits, found.append, count, chance)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ABP_HOME"] = folder
        store = Store(Path(folder) / "abp.sqlite3")
        store.runs.add(Experiment(hidden=(5,), criterion="none", epochs=1))
        with serving(store) as server:
            try:
                server.meet(found)
            except Exception as error:
                return len(found), f"{type(error).__name__}: {error}"
            return len(found), "; ".join(server.errors[:3])


def _peak() -> int:
    """Megabytes that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
