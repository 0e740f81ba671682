"""The live channel under an audience: frames that arrive, their age, and what the viewers cost server and training."""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from abp.store.store import Store
from abp.training.experiment import Experiment

ROOT = Path(__file__).parents[1]
SECONDS = 20.0
"""For which each crowd watches."""

_ENDLESS = {"criterion": "none", "epochs": 10_000, "stop_accuracy": 1.0, "patience": 0}
_PACE = 2.0  # epochs a second, as of the demo


@dataclass(frozen=True)
class Server:
    """A dashboard that runs."""

    process: psutil.Process
    port: int
    launched: float

    def watch(self, run: int, viewers: int, seconds: float = SECONDS) -> dict[str, float]:
        """What so many viewers of a run saw, and the server's CPU meanwhile as ``server_cores``."""
        url = f"ws://localhost:{self.port}/live/{run}"
        command = [sys.executable, "-m", "benchmarks.live_viewers", url, str(viewers), str(seconds)]
        crowd = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert crowd.stdout is not None
        crowd.stdout.readline()  # they have all joined
        used, began = cpu(self.process), time.monotonic()
        found = json.loads(crowd.stdout.readline())
        found["server_cores"] = (cpu(self.process) - used) / (time.monotonic() - began)
        crowd.wait()
        return found


@contextmanager
def serving(home: str) -> Iterator[Server]:
    """A dashboard on a free port of this machine, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    launched = time.monotonic()
    server = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "ABP_HOME": home}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://localhost:{port}/_stcore/health")
        yield Server(psutil.Process(server.pid), port, launched)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def cpu(process: psutil.Process) -> float:
    """Seconds of CPU that a process has used."""
    times = process.cpu_times()
    return times.user + times.system


def start(store: Store, dataset: str, pace: float | None = None) -> int:
    """A run that goes on until it is stopped, once it has begun."""
    run = store.runs.add(Experiment(dataset=dataset, **_ENDLESS), pace=pace)
    wait_until(lambda: store.runs.get(run).epoch >= 1)
    return run


def worker_of(store: Store, run: int) -> psutil.Process:
    """The process that trains a run."""
    owner = store.runs.get(run).owner
    assert owner is not None
    return psutil.Process(int(owner.split(":")[1]))


def cpu_an_epoch(store: Store, run: int, seconds: float) -> float:
    """The worker's CPU seconds for one epoch of a run, measured for so long."""
    worker = worker_of(store, run)
    epoch, used = _position(store, run), cpu(worker)
    time.sleep(seconds)
    return (cpu(worker) - used) / (_position(store, run) - epoch)


def _position(store: Store, run: int) -> float:
    """Epochs a run has done, to a part of one."""
    frame = store.frames.newest(run, store.runs.get(run).experiment.hidden)
    assert frame is not None
    return frame.epoch - 1 + frame.batch / frame.batches


def watching_costs(server: Server, store: Store, run: int, viewers: int, turns: int = 4) -> float:
    """The worker's CPU an epoch while so many watch over that while nobody does: the median of turns, one by one."""
    ratios = []
    for _ in range(turns):
        time.sleep(6.0)  # the mark of the last viewers has faded
        alone = cpu_an_epoch(store, run, 8.0)
        url = f"ws://localhost:{server.port}/live/{run}"
        command = [sys.executable, "-m", "benchmarks.live_viewers", url, str(viewers), "10"]
        crowd = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert crowd.stdout is not None
        crowd.stdout.readline()
        ratios.append(cpu_an_epoch(store, run, 8.0) / alone)
        crowd.wait()
    return statistics.median(ratios)


def proportional_memory(process: psutil.Process) -> float:
    """Proportional set size in MB: pages that processes share are counted once, in parts."""
    return process.memory_full_info().pss / 2**20


def wait_until(holds, seconds: float = 120.0) -> None:  # type: ignore[no-untyped-def]
    """Wait until a condition holds, or raise TimeoutError."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("the benchmark waited in vain")
        time.sleep(0.02)


def _wait_for(url: str) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return reply.read() == b"ok"
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    wait_until(answers)
