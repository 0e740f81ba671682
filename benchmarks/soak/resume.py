"""Killed at any moment and resumed: runs whose worker gets SIGKILL come to the bits of runs that are left alone.

``python -m benchmarks.soak.resume KIND ...`` kills one run of each of these kinds, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from abp.runs.replay import replay
from abp.runs.worker import execute, new_owner
from abp.store.records import CommandKind, Status
from abp.store.store import Store
from abp.training.experiment import Experiment
from benchmarks.soak.lines import Line

_COMMON: dict[str, Any] = {"hidden": (40, 20), "amount": 0.6, "prunings": 3, "start_accuracy": 0.3, "epochs": 8}
_COMMON |= {"stop_accuracy": 1.0, "patience": 0}

EXPERIMENTS = {
    "momentum": Experiment(**_COMMON, criterion="activation", momentum=0.9, learning_rate=0.02),
    "Adam": Experiment(**_COMMON, criterion="activation-neuron", optimiser="adam", learning_rate=0.002),
    "regulariser": Experiment(
        **_COMMON, criterion="magnitude", learning_rate=0.05, nuclear=0.001, nuclear_from=0.0, nuclear_every=10
    ),
    "by hand": Experiment(**_COMMON, criterion="none", learning_rate=0.05),
    "killed after a pruning": Experiment(**_COMMON, criterion="activation", momentum=0.5, learning_rate=0.05),
}
"""What is killed: each kind of state that a checkpoint has to hold."""

AFTER_PRUNING = "killed after a pruning"
"""The one that dies between a pruning and its record."""


@dataclass(frozen=True)
class Died:
    """What came of one run that was killed: how often, and what was not as in a run that was left alone."""

    kind: str
    kills: int
    different: tuple[str, ...]


def killed_and_resumed(store: Store, kind: str, chance: random.Random, *, patience: float = 300.0) -> Died:
    """Train a run in a process that is killed at a random moment, resume it in another one, and compare.

    The moment is a share of what it takes to train it: after a random epoch has begun, and a random while.
    """
    run = store.runs.add(EXPERIMENTS[kind])
    if kind == "by hand":
        store.commands.add(run, CommandKind.PRUNE, criterion="random", amount=0.2)
    epoch, pause = chance.randrange(EXPERIMENTS[kind].epochs), chance.uniform(0.0, 0.05)
    by_itself = chance.randint(1, 3) if kind == AFTER_PRUNING else 0
    process = _started(store.path, run, by_itself)

    def far_enough() -> bool:
        if kind == "by hand" and not store.commands.pending(run) and store.runs.get(run).active:
            store.commands.add(run, CommandKind.PRUNE, criterion="magnitude", amount=0.05)
        return store.runs.get(run).epoch >= epoch or not process.is_alive()

    if not by_itself:
        _wait(far_enough, patience)
        time.sleep(pause)
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
    process.join(patience)
    kills = int(process.exitcode == -signal.SIGKILL)
    _resume(store, run)
    process = _started(store.path, run, 0)
    process.join(patience)
    ended = store.runs.get(run)
    if ended.status != Status.FINISHED:
        return Died(kind, kills, (f"it is {ended.status}: {ended.message}",))
    return Died(kind, kills, replay(store, ended).different)


def killed(kinds: Sequence[str], chance: random.Random) -> list[Died]:
    """What came of a run of each of these kinds, in a store of their own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ABP_HOME"] = folder
        store = Store(Path(folder) / "abp.sqlite3")
        return [killed_and_resumed(store, kind, chance) for kind in kinds]


def part(moments: int = 50, seed: int = 0) -> list[Line]:
    """Kill so many runs; one line."""
    chance = random.Random(seed)
    died = killed([chance.choice(list(EXPERIMENTS)) for _ in range(moments)], chance)
    wrong = [f"{each.kind}: {', '.join(each.different)}" for each in died if each.different]
    kills = sum(each.kills for each in died)
    what = f"runs killed at a random moment and resumed ({kills} died), with other bits"
    return [Line(what, f"{len(wrong)} of {moments}", "0", not wrong and kills >= 0.8 * moments, "; ".join(wrong))]


def _started(path: Path, run: int, dies_after: int) -> BaseProcess:
    """A worker's process, forked from one that has imported what it needs."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["torch", "benchmarks.soak.resume", "sklearn.datasets"])
    process = context.Process(target=_work, args=(str(path), run, dies_after), daemon=True)
    process.start()
    return process


def _work(path: str, run: int, dies_after: int) -> None:
    """Train a run; if asked to, die between the so-manieth pruning and its record."""
    from abp.runs.session import session

    session.SAVE_EVERY = 0.05  # so that most moments have a checkpoint to go back to
    if dies_after:
        _die_after(session.Session, dies_after)
    execute(Store(Path(path)), run, new_owner())


def _die_after(session: Any, number: int) -> None:
    prune: Callable[..., None] = session._prune

    def dying(self: Any, pruning: Callable[[], Any], command: Any = None) -> None:
        def made() -> Any:
            done = pruning()
            if self.trainer.prunings == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        prune(self, made, command)

    session._prune = dying


def _resume(store: Store, run: int) -> None:
    """What the engine does with a run whose worker it has lost, and then a person."""
    row = store.runs.get(run)
    if row.owner is not None:
        store.leases.interrupt(run, row.owner)
    if store.runs.get(run).status == Status.INTERRUPTED:
        store.commands.add(run, CommandKind.RESUME)


def _wait(holds: Callable[[], bool], patience: float) -> None:
    until = time.monotonic() + patience
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("the run did not come on")
        time.sleep(0.005)


if __name__ == "__main__":  # for the tests: in a process of its own, since what is forked imports its parent's script
    print(json.dumps([asdict(each) for each in killed(sys.argv[1:], random.Random(0))]))
