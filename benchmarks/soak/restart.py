"""Killed without warning: how soon watchers are told, how soon every run is somewhere again, what is left behind."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from websockets.sync.client import connect

from abp.store.records import Status
from abp.store.store import Store
from abp.training.experiment import Experiment
from benchmarks.live import Server, serving
from benchmarks.soak.lines import Line
from tests.waiting import wait_until

TOLD_WITHIN, BACK_WITHIN = 5.0, 10.0
"""Seconds: the goals."""

ENDLESS = Experiment(criterion="none", epochs=10_000, stop_accuracy=1.0, patience=0)
RUNS = 3


def part() -> Iterator[Line]:
    """The lines of this part."""
    with tempfile.TemporaryDirectory(prefix="abp-restart-") as home:
        store = Store(Path(home) / "abp.sqlite3")
        with serving(home) as server:
            runs = [store.runs.add(ENDLESS, keep="ends") for _ in range(RUNS)]
            wait_until(lambda: all(_trains(store, run) for run in runs[:2]), "for runs to train")
            for what, kill in (("engine", _engine_of), ("worker", lambda _: _worker_of(store, runs[0]))):
                told, back = _killed(server, store, runs[0], kill)
                yield _line(f"restart: {what} killed: its watchers are told", told, TOLD_WITHIN)
                yield _line(f"restart: {what} killed: the run trains again", back, BACK_WITHIN)
            family = [server.process, *server.process.children(recursive=True)]
            server.process.kill()
            server.process.wait()
            left = psutil.wait_procs(family, timeout=BACK_WITHIN)[1]
            yield Line("restart: dashboard killed: processes left behind", str(len(left)), "0", not left)
        with serving(home) as server:
            wait_until(lambda: all(_is_somewhere(store, run) for run in runs), "for the runs")
            yield _line("restart: dashboard killed: every run trains or waits", _since(server.launched), BACK_WITHIN)
        store.database.dispose()


def _line(what: str, seconds: float, goal: float) -> Line:
    return Line(what, f"{seconds:.1f} s", f"{goal:g} s", seconds <= goal)


def _since(moment: float) -> float:
    return time.monotonic() - moment


def _killed(server: Server, store: Store, run: int, victim: Callable[[Server], int]) -> tuple[float, float]:
    """Seconds after SIGKILL until a watcher is told that the run does not train, and until it trains again."""
    told: list[float] = []
    joined = threading.Event()

    def watch() -> None:
        with connect(f"ws://localhost:{server.port}/live/{run}", origin=f"http://localhost:{server.port}") as socket:
            for message in socket:
                joined.set()
                if isinstance(message, str) and _status(json.loads(message)) not in (None, Status.RUNNING):
                    told.append(time.monotonic())
                    return

    threading.Thread(target=watch, daemon=True).start()
    joined.wait(60)
    claims, began = store.runs.get(run).claims, time.monotonic()
    os.kill(victim(server), signal.SIGKILL)
    wait_until(lambda: store.runs.get(run).claims > claims and _trains(store, run), "for the run to train again")
    back = _since(began)
    wait_until(lambda: told, "for the watcher")
    return told[0] - began, back


def _status(message: dict[str, Any]) -> str | None:
    """What a message says about the run's status, if anything."""
    return message.get("run", message).get("status")


def _trains(store: Store, run: int) -> bool:
    row = store.runs.get(run)
    return row.status == Status.RUNNING and row.epoch > 0 and row.owner is not None and _lives(row.owner)


def _is_somewhere(store: Store, run: int) -> bool:
    """Whether a run is trained by a process that lives, waits for one, or is over."""
    row = store.runs.get(run)
    return row.status != Status.RUNNING or (row.owner is not None and _lives(row.owner))


def _lives(owner: str) -> bool:
    return psutil.pid_exists(int(owner.split(":")[1]))


def _worker_of(store: Store, run: int) -> int:
    owner = store.runs.get(run).owner
    assert owner is not None
    return int(owner.split(":")[1])


def _engine_of(server: Server) -> int:
    engines = (child for child in server.process.children() if "abp.runs.engine" in " ".join(child.cmdline()))
    return next(engines).pid


if __name__ == "__main__":
    for each in part():
        print(each, flush=True)
