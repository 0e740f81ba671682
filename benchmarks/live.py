"""The live channel under an audience: frames that arrive, their age, and what the viewers cost server and training."""

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from abp.store.records import CommandKind
from abp.store.store import Store
from abp.training.experiment import Experiment
from benchmarks.drawing import draw
from benchmarks.table import show

ROOT = Path(__file__).parents[1]
SECONDS = 15.0
"""For which each crowd watches."""

VIEWERS = 100

_ENDLESS = {"criterion": "none", "epochs": 10_000, "stop_accuracy": 1.0, "patience": 0}
_PACE = 2.0  # epochs a second, as of the demo


def frames() -> None:
    """New frames a second that reach a viewer, unpaced and at the demo's pace."""
    with served() as (server, store):
        for dataset, pace in (("digits", _PACE), ("digits", None), ("fashion-mnist", _PACE), ("fashion-mnist", None)):
            run = start(store, dataset, pace)
            found = server.watch(run, 1, 10.0)
            stop(store, run)
            speed = f"{pace:g} epochs a second" if pace else "as fast as it goes"
            show(f"new frames a second, {dataset}, {speed}", f"{found['frames_a_second']:.1f}", "10")


def audience() -> None:
    """What viewers see, and what they cost the server, while two runs train."""
    with served() as (server, store):
        watched, other = start(store, "digits", _PACE), start(store, "fashion-mnist")
        for viewers, goals in ((VIEWERS, ("0.20 s", "0.15")), (500, ("", ""))):
            found = server.watch(watched, viewers)
            show(f"{viewers} viewers: served", f"{found['served']:.0f}", str(viewers))
            show(f"{viewers} viewers: frames a second that reach each", f"{found['frames_a_second']:.1f}", "10")
            show(f"{viewers} viewers: age of a frame at arrival, median", f"{found['age_median']:.3f} s")
            show(f"{viewers} viewers: age of a frame at arrival, 95th percentile", f"{found['age_95']:.3f} s", goals[0])
            show(f"{viewers} viewers: server's CPU, cores", f"{found['server_cores']:.3f}", goals[1])
        stop(store, watched, other)


def drawing() -> None:
    """What one Chromium page costs that draws the published network sixty times a second."""
    if shutil.which("chromium") is None:
        print("drawing: not measured: needs chromium (Debian: apt-get install chromium)")
        return
    with served() as (server, store):
        run = start(store, "fashion-mnist")
        page = draw(f"http://localhost:{server.port}/train?run={run}")
        stop(store, run)
    show("frames a second that a page is sent", f"{page.came:.1f}")
    show("frames a second that it draws", f"{page.drawn:.1f}")
    show("its main thread's time, of a core", f"{page.main_thread:.2f}", "0.2")
    show("the whole browser's CPU with software rasterising, cores", f"{page.browser:.2f}")


def costs_of_watching() -> None:
    """The worker's CPU for an epoch, watched against not."""
    with served() as (server, store):
        run = start(store, "fashion-mnist")
        for viewers, goal in ((1, "2 %"), (VIEWERS, "10 %")):
            more = 100 * (watching_costs(server, store, run, viewers) - 1)
            show(f"worker's CPU an epoch, {viewers} watching against nobody", f"{more:+.1f} %", goal)
        stop(store, run)


def memory() -> None:
    """The server's memory under an audience, and a worker's."""
    with served() as (server, store):
        run = start(store, "digits", _PACE)
        url = f"ws://localhost:{server.port}/live/{run}"
        command = [sys.executable, "-m", "benchmarks.live_viewers", url, str(VIEWERS), "310"]
        crowd = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        time.sleep(60.0)
        early = server.process.memory_info().rss
        time.sleep(240.0)
        grown = (server.process.memory_info().rss - early) / 2**20
        crowd.wait()
        show(f"server's memory with {VIEWERS} viewers, after 5 min against after 1", f"{grown:+.0f} MB", "+30 MB")
        stop(store, run)
        run = start(store, "fashion-mnist")
        peak, until = 0.0, time.monotonic() + 20.0
        while time.monotonic() < until:
            peak = max(peak, proportional_memory(worker_of(store, run)))
            time.sleep(0.2)
        show("peak memory of a Fashion-MNIST worker, shared pages in parts", f"{peak:.0f} MB", "450 MB")
        stop(store, run)


def cold_start() -> None:
    """From launch to the first page's heading and to the first live frame; then from a click on the warm dashboard."""
    program = shutil.which("chromium")
    if program is None:
        print("cold start: not measured: needs chromium (Debian: apt-get install chromium)")
        return
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        with served() as (server, store):
            moving = page.get_by_text(re.compile(r"^\s*[1-9]\d* of 500\s*$")).first
            page.goto(f"http://localhost:{server.port}/")
            page.wait_for_selector("h1", timeout=60_000)
            show("from launch to the first page's heading", f"{time.monotonic() - server.launched:.1f} s", "2.5 s")
            page.get_by_role("button", name="Start a demo run").first.click()
            moving.wait_for(timeout=90_000)
            show("from launch to the first live frame of a demo", f"{time.monotonic() - server.launched:.1f} s", "8 s")
            warm = []
            for _ in range(5):
                stop(store, *(run.id for run in store.runs.all() if run.active))
                page.goto(f"http://localhost:{server.port}/")
                button = page.get_by_role("button", name="Start a demo run").first
                button.wait_for()
                page.wait_for_timeout(3000)  # what the pages need has been imported, and nothing else goes on
                clicked = time.monotonic()
                button.click()
                page.wait_for_url("**/train?run=*")
                moving.wait_for(timeout=90_000)
                warm.append(time.monotonic() - clicked)
            show("from the click to the first live frame, warm", f"{statistics.median(warm):.2f} s", "0.5 s")
        browser.close()


def command_line() -> None:
    """How long the command line takes to answer."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "ABP_HOME": home, "PYTHONPATH": str(ROOT)}

        def seconds(*words: str) -> float:
            spent = []
            for _ in range(5):
                began = time.perf_counter()
                subprocess.run([sys.executable, "-m", "abp", *words], env=environment, capture_output=True)
                spent.append(time.perf_counter() - began)
            return statistics.median(spent)

        show("abp --help", f"{seconds('--help'):.2f} s", "0.4 s")
        show("abp with a wrong option", f"{seconds('--nonsense'):.2f} s", "0.4 s")
        small = ("--dataset", "digits", "--hidden", "20", "--epochs", "1", "--criterion", "none")
        show("abp train on digits, one epoch of a small network, in all", f"{seconds('train', *small):.2f} s", "5 s")
        weights = str(Path(home) / "weights.safetensors")
        show("abp export of one run's weights", f"{seconds('export', '1', '--weights', weights):.2f} s", "2 s")


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
def served() -> Iterator[tuple[Server, Store]]:
    """A dashboard with a home folder of its own, and its store."""
    with tempfile.TemporaryDirectory() as home, serving(home) as server:
        yield server, Store(Path(home) / "abp.sqlite3")


@contextmanager
def serving(home: str) -> Iterator[Server]:
    """A dashboard on a free port of this machine, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "abp", "dashboard", "--no-browser", "--port", str(port)]
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


def stop(store: Store, *runs: int) -> None:
    """End runs, and wait until they have ended."""
    for run in runs:
        store.commands.add(run, CommandKind.STOP)
    wait_until(lambda: not any(store.runs.get(run).active for run in runs))


def worker_of(store: Store, run: int) -> psutil.Process:
    """The process that trains a run."""
    owner = store.runs.get(run).owner
    assert owner is not None
    return psutil.Process(int(owner.split(":")[1]))


def cpu_an_epoch(store: Store, run: int, seconds: float) -> float:
    """The worker's CPU seconds for one epoch of a run, measured for so long."""
    worker = worker_of(store, run)
    epoch, used = _next_position(store, run), cpu(worker)
    time.sleep(seconds)
    further = _next_position(store, run) - epoch
    return (cpu(worker) - used) / further


def _next_position(store: Store, run: int) -> float:
    """Epochs a run has done, to a part of one, as soon as it says so: unwatched, what is on record is old."""

    def position() -> float:
        frame = store.frames.newest(run, store.runs.get(run).experiment.hidden)
        assert frame is not None
        return frame.epoch - 1 + frame.batch / frame.batches

    before = position()
    wait_until(lambda: position() != before)
    return position()


def watching_costs(server: Server, store: Store, run: int, viewers: int, turns: int = 2) -> float:
    """The worker's CPU an epoch while so many watch over that while nobody does: the median of turns, one by one."""
    ratios = []
    for _ in range(turns):
        time.sleep(6.0)  # the mark of the last viewers has faded
        alone = cpu_an_epoch(store, run, 6.0)
        url = f"ws://localhost:{server.port}/live/{run}"
        command = [sys.executable, "-m", "benchmarks.live_viewers", url, str(viewers), "7"]
        crowd = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert crowd.stdout is not None
        crowd.stdout.readline()
        ratios.append(cpu_an_epoch(store, run, 6.0) / alone)
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
