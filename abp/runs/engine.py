"""The engine: Dask workers in a child process, which take queued runs out of the store and train them.

The store decides everything: the engine looks for queued runs and lets Dask place them; a worker then claims its run.
The engine ends when its standard input closes, which the system does for it however its parent ends.
``python -m abp.runs.engine`` is what `Engine` starts; nobody need call it by hand.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import set_forkserver_preload
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import TYPE_CHECKING

from abp import logs
from abp.home import home
from abp.store.records import Lane

if TYPE_CHECKING:  # imported for good only once the workers are starting
    from distributed import Client, Future

    from abp.store.records import Run
    from abp.store.store import Store

LOOK_EVERY = 0.2  # seconds between looks into the store
RETRY_AFTER = 2.0  # seconds after a look that failed

_log = logging.getLogger(__name__)


class Engine:
    """The child process, started at once and again whenever `ensure` finds it gone.

    Parameters
    ----------
    workers
        How many runs of the queue it trains at a time; by default one for each core.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._arguments = [] if workers is None else [str(workers)]
        self._lock = threading.Lock()
        self._process = self._start()

    def ensure(self) -> None:
        """Start the engine anew if it has died; its runs are interrupted by then, not lost."""
        with self._lock:
            if self._process.poll() is not None:
                _log.warning("the engine had ended with status %s; a new one starts", self._process.returncode)
                self._process = self._start()

    @property
    def pid(self) -> int:
        """Process number of the engine."""
        return self._process.pid

    def stop(self) -> None:
        """End the engine and wait for it; runs in progress are interrupted."""
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()

    def _start(self) -> subprocess.Popen:
        root = Path(__file__).resolve().parents[2]
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        # Absolute, since the child may be given another working directory some day and workers must agree on it.
        environment = {
            **os.environ,
            "ABP_HOME": str(home()),
            "PYTHONPATH": os.pathsep.join(paths),
            "DASK_LOGGING__DISTRIBUTED": "error",
        }
        with (home() / "engine.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "abp.runs.engine", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
            )


def train(run: int, placement: str) -> bool:
    """What a worker does with one run that was placed with it; False if another one had claimed it."""
    from abp.runs.worker import execute, new_owner
    from abp.store.database import PATIENCE
    from abp.store.store import Store

    logs.write_to(f"worker {_worker()}")
    return execute(Store(patience=PATIENCE), run, new_owner(placement))


def _worker() -> str:
    """The name of this process among the engine's workers."""
    from distributed import get_worker

    try:
        return str(get_worker().name)
    except ValueError:  # outside of one
        return str(os.getpid())


_PRELOADED = ["torch", "abp.runs.worker", "distributed", "sklearn.datasets", "sklearn.model_selection"]
"""What every worker needs, imported once by the process that all of them are forked from."""


def start_fork_server() -> None:
    """Start the process that workers are forked from: it imports for seconds, and each worker then starts at once."""
    set_forkserver_preload(_PRELOADED)
    ensure_running()


async def serve(ended: asyncio.Event, queue_workers: int) -> None:
    """Run the scheduler, `queue_workers` workers and one more for runs started by hand; feed them until `ended`."""
    import dask

    dask.config.set(
        {
            "temporary-directory": str(home() / "workers"),
            "distributed.worker.multiprocessing-method": "forkserver",
            "distributed.scheduler.allowed-failures": 0,  # what a dead worker had is interrupted, not rerun
            "distributed.worker.profile.enabled": False,  # it samples every 10 ms
            "distributed.admin.tick.interval": "1s",  # a look at its own event loop, by default every 20 ms
            "distributed.admin.system-monitor.interval": "10s",
            "distributed.admin.system-monitor.gil.enabled": False,
        }
    )
    from distributed import Client, Nanny, Scheduler, SpecCluster  # reads the settings above when imported

    place = {"host": "127.0.0.1", "dashboard_address": None, "dashboard": False}
    worker = {"cls": Nanny, "options": {"host": "127.0.0.1", "nthreads": 1, "memory_limit": 0, "dashboard": False}}
    # Workers for any run, and one more that a run from the queue may not take.
    workers = {f"core-{core}": _with_resources(worker, {"queue": 1}) for core in range(queue_workers)}
    workers["hand"] = _with_resources(worker, {})
    async with (
        SpecCluster(
            scheduler={"cls": Scheduler, "options": place},
            workers=workers,
            asynchronous=True,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster, asynchronous=True, set_as_default=False) as client,
    ):
        await feed(client, ended, queue_workers)
        # Dask would wait half a minute for what is being trained; that can go on from its checkpoint another day.
        closing = (nanny.close(timeout=0.5) for nanny in cluster.workers.values())
        await asyncio.gather(*closing, return_exceptions=True)


def _with_resources(worker: dict, resources: dict[str, float]) -> dict:
    return {**worker, "options": {**worker["options"], "resources": resources}}


@dataclass(frozen=True)
class Placement:
    """A run that Dask has; its worker's name as the run's owner ends in `name`."""

    name: str
    lane: Lane
    future: Future


async def feed(client: Client, ended: asyncio.Event, queue_workers: int) -> None:
    """Hand queued runs to Dask as they appear, until `ended`; what goes wrong is logged and tried again."""
    from abp.store.database import StoreUnusable
    from abp.store.store import Store

    store: Store | None = None
    placed: dict[int, Placement] = {}
    while not ended.is_set():
        pause = LOOK_EVERY
        try:
            store = store or Store()
            await _let_go(store, placed)
            store.leases.expire()
            for run in store.runs.queued(limit=len(placed) + queue_workers):  # those placed may not be claimed yet
                if run.id not in placed and _has_room(run, placed, queue_workers):
                    placed[run.id] = _place(client, run)
        except StoreUnusable as error:
            _log.error("%s", error)
            pause = RETRY_AFTER
        except Exception:
            _log.exception("The engine could not look for queued runs; it tries again in %g s", RETRY_AFTER)
            pause = RETRY_AFTER
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), pause)


def _has_room(run: Run, placed: Mapping[int, Placement], queue_workers: int) -> bool:
    """Whether Dask should have this run now: the queue stays in the store, so that a run by hand is never behind it."""
    return run.lane == Lane.HAND or sum(each.lane == run.lane for each in placed.values()) < queue_workers


def _place(client: Client, run: Run) -> Placement:
    by_hand = run.lane == Lane.HAND
    name = f"run-{run.id}-{uuid.uuid4().hex[:12]}"
    future = client.submit(
        train,
        run.id,
        name,
        key=name,
        pure=False,
        resources=None if by_hand else {"queue": 1},
        priority=1 if by_hand else 0,
    )
    return Placement(name, run.lane, future)


async def _let_go(store: Store, placed: dict[int, Placement]) -> None:
    """Forget the runs that Dask has done with; those whose worker died are interrupted."""
    for run, placement in list(placed.items()):
        if placement.future.done():
            if placement.future.status == "error":
                _log.error("The worker of run %s was lost: %s", run, await placement.future.exception())
                store.leases.interrupt(run, placement.name)
            del placed[run]


def cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has, as in a container."""
    from dask.system import CPU_COUNT

    return CPU_COUNT


def main() -> None:
    """Serve until standard input closes."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    logs.write_to("engine")
    # Control-C in a terminal reaches all processes of a program; this one and its workers end with their parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start_fork_server()
    queue_workers = int(sys.argv[1]) if len(sys.argv) > 1 else cores()
    ended = asyncio.Event()

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def wait_for_parent() -> None:
            sys.stdin.buffer.read()
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=wait_for_parent, daemon=True).start()
        await serve(ended, queue_workers)

    asyncio.run(run())


if __name__ == "__main__":
    main()
