"""Load: a full store, two trainings, twenty visitors and twenty viewers at once, and one real browser, for minutes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import fmean

import psutil
from sqlalchemy import insert, literal, select, update

from abp.store import schema
from abp.store.store import Store
from benchmarks.live import ROOT, Server, proportional_memory, serving, start, stop, worker_of
from benchmarks.soak.lines import Line
from benchmarks.thousand import thousand_runs

VISITORS = VIEWERS = 20
EPOCHS = 100  # of each of the thousand runs

_WARM = 60.0  # seconds after which memory is compared: caches are warm by then


def part(minutes: float = 5.0) -> list[Line]:
    """Bear the load for so long; a line for each goal."""
    with tempfile.TemporaryDirectory() as home:
        store = Store(Path(home) / "abp.sqlite3")
        study = _fill(store)
        with serving(home) as server:
            runs = [start(store, "digits"), start(store, "fashion-mnist")]
            for run in runs:
                _give_way(worker_of(store, run))
            found = _bear(server, store, runs[0], study, 60 * minutes)
            stop(store, *runs)
        return _lines(found, _errors(Path(home)))


def _give_way(worker: psutil.Process) -> None:
    """Give a worker the lowest priority: each of its threads has its own, and the one that trains is not the first."""
    for thread in worker.threads():
        os.setpriority(os.PRIO_PROCESS, thread.id, 19)


def _fill(store: Store) -> int:
    """A thousand runs and a hundred thousand epochs; the study's number."""
    study = thousand_runs(store)
    epochs = schema.epochs
    rest = [column for column in epochs.c if column.name not in ("run", "epoch")]
    with store.transaction() as connection:
        for epoch in range(2, EPOCHS + 1):
            copies = select(epochs.c.run, literal(epoch), *rest).where(epochs.c.epoch == 1)
            connection.execute(insert(epochs).from_select(["run", "epoch", *(column.name for column in rest)], copies))
        connection.execute(update(schema.runs).values(epoch=EPOCHS))
    return study


def _bear(server: Server, store: Store, run: int, study: int, seconds: float) -> dict[str, object]:
    """What visitors and viewers saw, and the memory of the server, its engine and workers over the time."""
    ended = str(min(each.id for each in store.runs.all() if not each.active))
    visit = ["benchmarks.soak.visitors", str(server.port), str(VISITORS), str(seconds), str(run), str(study), ended]
    watch = ["benchmarks.live_viewers", f"ws://localhost:{server.port}/live/{run}", str(VIEWERS), str(seconds)]
    browse = ["benchmarks.soak.browser", str(server.port), str(seconds), str(run), ended]
    crowds = [
        subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for words in (visit, watch, browse)
    ]
    began = time.monotonic()
    memory: list[tuple[float, float, float]] = []
    while time.monotonic() < began + seconds:
        time.sleep(5.0)
        memory.append((time.monotonic() - began, _memory(server.process), proportional_memory(server.process)))
    told = [crowd.communicate(timeout=300)[0].splitlines()[-1] for crowd in crowds]
    visited, watched, browsed = (json.loads(line) for line in told)
    return {"visited": visited, "watched": watched, "browsed": browsed, "memory": memory}


def _memory(server: psutil.Process) -> float:
    """Megabytes of the server, its engine and workers; pages that they share are counted once."""
    total = 0.0
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.Error):
            total += proportional_memory(process)
    return total


def _errors(home: Path) -> list[str]:
    """What the logs hold of errors."""
    found = []
    for path in (home / "logs").glob("*.log*"):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if entry["level"] in ("error", "critical"):
                found.append(f"{entry['part']}: {entry['message']} {entry.get('error_message', '')}"[:200])
    return found


def _lines(found: dict, errors: list[str]) -> list[Line]:
    visited, watched, browsed, memory = (found[name] for name in ("visited", "watched", "browsed", "memory"))
    wrong = [*visited["wrong"], *browsed["wrong"]]
    early = [taken for taken in memory if taken[0] >= min(_WARM, memory[-1][0] / 2)][:3]
    grown, own = (
        fmean(taken[which] for taken in memory[-3:]) - fmean(taken[which] for taken in early) for which in (1, 2)
    )
    answers = sorted(visited["answers"])
    slow = answers[int(0.95 * len(answers))] if answers else float("inf")
    age = watched["age_95"]
    return [
        Line("load: errors in the logs", str(len(errors)), "0", not errors, "; ".join(errors[:3])),
        Line(f"load: errors shown in {len(answers)} pages", str(len(wrong)), "0", not wrong, "; ".join(wrong[:3])),
        Line(
            "load: memory after the first minute against the end",
            f"{grown:+.0f} MB",
            "+100 MB",
            grown <= 100,
            f"the server alone: {own:+.0f} MB",
        ),
        Line("load: a page drawn, 95th percentile", f"{slow:.2f} s", "3 s", slow <= 3.0),
        Line("load: age of a live frame, 95th percentile", f"{age:.3f} s", "0.200 s", age <= 0.2),
        Line(
            "load: frames a second that reach each viewer",
            f"{watched['frames_a_second']:.1f}",
            "9",
            watched["frames_a_second"] >= 9,
        ),
        Line(
            "load: pages seen, and strokes answered, in a real browser",
            str(browsed["seen"]),
            "10",
            browsed["seen"] >= 10,
        ),
    ]
