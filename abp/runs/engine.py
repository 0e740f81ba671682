"""The engine: Dask workers in a child process, which take queued runs out of the store and train them.

The store decides everything: the engine looks for queued runs and lets Dask place them; a worker then claims its run.
The engine ends when its standard input closes, which the system does for it however its parent ends.
``python -m abp.runs.engine`` is what `Engine` starts; nobody need call it by hand.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import set_forkserver_preload
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import TYPE_CHECKING

from abp import logs
from abp.home import home
from abp.runs.cluster import settings
from abp.runs.cluster.address import scheduler_address, security
from abp.runs.cluster.software import software
from abp.runs.cluster.workers import QUEUE, cores, resources
from abp.store.records import Lane, Status
from abp.store.repositories.leases import LEASE

if TYPE_CHECKING:  # imported for good only once the workers are starting
    from distributed import Client, Future

    from abp.store.records import Run
    from abp.store.store import Store

LOOK_EVERY = 0.1  # seconds between looks into the store
RETRY_AFTER = 2.0  # seconds after a look that failed
ASK_EVERY = 1.0  # seconds between questions to a cluster's scheduler who is there
ANSWER_WITHIN = 10.0  # seconds for its answer

_log = logging.getLogger(__name__)


class Engine:
    """The child process, started at once and again whenever `ensure` finds it gone.

    Parameters
    ----------
    workers
        How many runs of the queue it trains at a time; by default one for each core.
    """

    def __init__(self, workers: int | None = None) -> None:
        scheduler_address()  # says what is wrong with it, here where somebody sees it
        self._arguments = [] if workers is None else [str(workers)]
        self._lock = threading.Lock()
        self._process = self._start()

    def ensure(self) -> None:
        """Start the engine anew if it has died; its runs go on from their checkpoints."""
        with self._lock:
            if self._process.poll() is not None:
                _log.warning("the engine had ended with status %s; a new one starts", self._process.returncode)
                self._process = self._start()

    @property
    def pid(self) -> int:
        """Process number of the engine."""
        return self._process.pid

    def stop(self) -> None:
        """End the engine and wait for it; runs in progress go on from their checkpoints with the next one."""
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
            process = subprocess.Popen(
                [sys.executable, "-m", "abp.runs.engine", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
            )
        _give_up_dead()
        return process


def _give_up_dead() -> None:
    """Say at once which runs the engine before this one left, while the new one takes seconds to start."""
    from abp.store.database import StoreUnusable
    from abp.store.store import Store

    with suppress(StoreUnusable):  # the new engine looks again
        store = Store()
        give_up_dead(store)
        store.database.dispose()


def give_up_dead(store: Store) -> None:
    """Let runs of this machine go on whose worker is gone, before their leases end: people watch them."""
    for run in store.runs.all((Status.RUNNING, Status.PAUSED)):
        host, _, rest = (run.owner or "").partition(":")
        number = rest.partition(":")[0]
        if host == socket.gethostname()[:40] and number.isdecimal() and not _lives(int(number)):
            _log.warning("The worker of run %s is gone; the run goes on from its checkpoint", run.id)
            store.leases.lost(run.id, run.owner or "")


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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


_PRELOADED = ["torch", "abp.runs.worker", "distributed"]
"""What every worker needs, imported once by the process that all of them are forked from."""


def start_fork_server() -> None:
    """Start the process that workers are forked from: it imports for seconds, and each worker then starts at once."""
    set_forkserver_preload(_PRELOADED)
    ensure_running()


async def serve(ended: asyncio.Event, queue_workers: int) -> None:
    """Feed workers until `ended`: those of the cluster that ``ABP_SCHEDULER`` names, or else some of our own."""
    address = scheduler_address()
    if address is not None:
        await _serve_cluster(address, ended)
        return
    settings.configure()
    from distributed import Client, Nanny, Scheduler, Security, SpecCluster  # reads the settings when imported

    # Known to this process and its workers alone: nobody else on this machine can send them programs.
    own = Security.temporary()
    place = {"host": "127.0.0.1", "protocol": "tls://", "security": own, "dashboard_address": None}
    options = {"host": "127.0.0.1", "protocol": "tls://", "security": own, "nthreads": 1, "memory_limit": 0}
    # Workers for any run, and one more that a run from the queue may not take.
    workers = {
        name: {"cls": Nanny, "options": {**options, "dashboard": False, "resources": resources(queue=name != "hand")}}
        for name in (*(f"core-{core}" for core in range(queue_workers)), "hand")
    }
    async with (
        SpecCluster(
            scheduler={"cls": Scheduler, "options": {**place, "dashboard": False}},
            workers=workers,
            security=own,
            asynchronous=True,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster, security=own, asynchronous=True, set_as_default=False) as client,
    ):
        await feed(client, ended, queue_workers)
        # Dask would wait half a minute for what is being trained; that can go on from its checkpoint another day.
        closing = (nanny.close(timeout=0.5) for nanny in cluster.workers.values())
        await asyncio.gather(*closing, return_exceptions=True)


async def _serve_cluster(address: str, ended: asyncio.Event) -> None:
    """Feed the workers of a cluster, as many as there are at each moment; wait for its scheduler if it is away."""
    settings.configure(settings.BETWEEN_HOSTS)
    from distributed import Client

    protected = security(address)
    while not ended.is_set():
        try:
            async with Client(address, security=protected, asynchronous=True, set_as_default=False) as client:
                await feed(client, ended, partial(_room, client))
        except (OSError, TimeoutError) as error:
            _log.error("The scheduler %s does not answer: %s", address, error)
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), RETRY_AFTER)


async def _room(client: Client) -> int:
    """How many runs of the queue the workers train that are there now and have our versions."""
    found = await client.scheduler.identity()  # type: ignore[union-attr]
    offers = [worker["resources"] for worker in found["workers"].values()]
    return sum(int(offer.get(QUEUE, 0)) for offer in offers if software() in offer)


@dataclass(frozen=True)
class Placement:
    """A run that Dask has; its worker's name as the run's owner ends in `name`.

    Attributes
    ----------
    claims
        How often the run had been taken when Dask got it.
    """

    name: str
    lane: Lane
    claims: int
    future: Future


async def feed(client: Client, ended: asyncio.Event, room: int | Callable[[], Awaitable[int]]) -> None:
    """Hand queued runs to Dask as they appear, until `ended`; what goes wrong is logged and tried again.

    Parameters
    ----------
    room
        How many runs of the queue there are workers for; of a cluster, what tells it now.
    """
    from abp.store.database import StoreUnusable
    from abp.store.store import Store

    store: Store | None = None
    placed: dict[int, Placement] = {}
    known = _Known(room)
    well_since = -math.inf  # since when the database has been there, as far as is known
    while not ended.is_set():
        pause = LOOK_EVERY
        try:
            if store is None:
                store = Store()
                give_up_dead(store)
            await _let_go(store, placed)
            if time.monotonic() - well_since > LEASE:  # after an outage all leases count anew
                store.leases.expire()
            workers = await known.now()
            for run in store.runs.queued(limit=len(placed) + max(workers, 1)):  # those placed may not be claimed yet
                _take_back(placed, run)
                if run.id not in placed and _has_room(run, placed, workers):
                    placed[run.id] = _place(client, run)
        except StoreUnusable as error:
            _log.error("%s", error)
            well_since, pause = time.monotonic() + RETRY_AFTER, RETRY_AFTER
        except OSError:
            if getattr(client, "status", "running") != "running":  # the scheduler is gone: whoever called begins anew
                raise
            _log.exception("The engine could not look for queued runs; it tries again in %g s", RETRY_AFTER)
            pause = RETRY_AFTER
        except Exception:
            _log.exception("The engine could not look for queued runs; it tries again in %g s", RETRY_AFTER)
            pause = RETRY_AFTER
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), pause)


class _Known:
    """The room of a cluster, asked for now and then; that of workers of our own does not change."""

    def __init__(self, room: int | Callable[[], Awaitable[int]]) -> None:
        self._ask = None if isinstance(room, int) else room
        self._room = room if isinstance(room, int) else 0
        self._asked = -math.inf

    async def now(self) -> int:
        if self._ask is not None and time.monotonic() - self._asked > ASK_EVERY:
            self._room = await asyncio.wait_for(self._ask(), ANSWER_WITHIN)
            self._asked = time.monotonic()
        return self._room


def _take_back(placed: dict[int, Placement], run: Run) -> None:
    """Forget the placement of a run that a worker took and lost since: it waits for another one."""
    if run.id in placed and placed[run.id].claims < run.claims:
        placed.pop(run.id).future.release()


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
        resources=resources(queue=not by_hand),
        priority=1 if by_hand else 0,
    )
    return Placement(name, run.lane, run.claims, future)


async def _let_go(store: Store, placed: dict[int, Placement]) -> None:
    """Forget the runs that Dask has done with; those whose worker died wait for another one."""
    for run, placement in list(placed.items()):
        if placement.future.done():
            if placement.future.status == "error":
                _log.error("The worker of run %s was lost: %s", run, await placement.future.exception())
                store.leases.lost(run, placement.name)
            del placed[run]


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
