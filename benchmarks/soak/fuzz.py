"""Hostile input: hundreds of thousands of inputs for every way in, and what memory they took."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from abp.errors import quoted
from abp.store.store import Store
from abp.training.experiment import Experiment
from benchmarks.soak.lines import Line

MOST_MEMORY = 300
"""Megabytes that the process may grow by: a picture of 16 million pixels and an unpacked file of 64 MB among them."""


def part(inputs: int = 200_000, seed_: int | None = None) -> list[Line]:
    """Give every target its share of the inputs; one line for all, one for memory, and one for each that failed."""
    from tests.hostile.targets import TARGETS

    chance = int(time.time()) if seed_ is None else seed_
    lines: list[Line] = []
    given_in_all = 0
    before = None
    for name, hostile in TARGETS.items():
        sent, problem = _meet(hostile.inputs, hostile.target, round(inputs * hostile.share), chance)
        given_in_all += sent
        if problem:
            lines.append(Line(f"hostile input, {name} (seed {chance})", "failed", "refused", False, problem))
        before = before or _peak()  # after the first target, when everything is imported
    sent, problem = _flood(max(1, round(inputs * 0.02)), chance)
    given_in_all += sent
    if problem:
        lines.append(Line(f"hostile input, the live socket (seed {chance})", "failed", "refused", False, problem))
    grown = _peak() - (before or 0)
    summary = Line(
        f"hostile inputs to {len(TARGETS) + 1} targets, worse than a refusal",
        f"{len(lines)} of {given_in_all:,}",
        "0",
        not lines and given_in_all >= inputs,
    )
    memory = Line(
        "memory that hostile input took at its peak", f"{grown} MB", f"{MOST_MEMORY} MB", grown <= MOST_MEMORY
    )
    return [summary, memory, *lines]


def _meet(inputs, target, count: int, chance: int) -> tuple[int, str]:  # type: ignore[no-untyped-def]
    """How many inputs a target was given, and what went wrong, if anything.

    Hypothesis stops where it knows all inputs: it begins again with another seed.
    """
    sent, last = 0, None

    def meet(value) -> None:  # type: ignore[no-untyped-def]
        nonlocal sent, last
        sent, last = sent + 1, value
        target(value)

    round_ = 0
    while sent < count:
        small = settings(
            max_examples=min(2_000, count - sent),
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        try:
            seed(chance + round_)(small(given(inputs)(meet)))()
        except Exception as error:
            return sent, f"{quoted(last, 300)}: {type(error).__name__}: {str(error)[:300]}"
        round_ += 1
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
