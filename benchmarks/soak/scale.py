"""Scale: what two workers gain over one, and how many that only sleep and write the scheduler and PostgreSQL bear.

All of it is on this machine: database, scheduler, engine and the simulated workers share its cores, so that where it
saturates is where they do together. The database flushes every commit to the disk, as it would for people's runs.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from abp.store.records import Status
from abp.store.store import Store
from abp.training.experiment import Experiment
from benchmarks.soak.cluster import Cluster, end, ended
from benchmarks.soak.lines import Line
from benchmarks.soak.simulated_workers import EPOCH
from tests.databases import administer, beside
from tests.hosts import Host
from tests.postgresql import server
from tests.waiting import wait_until

CROWDS = (8, 32, 128)
"""Numbers of simulated workers."""

EPOCHS = 12
"""Of each simulated run, whose network is the published one."""

REAL = Experiment(criterion="none", epochs=120, stop_accuracy=1.0, patience=0)
SIMULATED = Experiment(criterion="activation", epochs=EPOCHS, stop_accuracy=1.0, start_accuracy=1.0, patience=0)

_ON_DISK = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on"}
_A_PROCESS = 16  # simulated workers in one process


class Here(Host):
    """This machine, as a host."""

    @property
    def prefix(self) -> list[str]:
        """Nothing comes before a command."""
        return []


@dataclass
class Borne:
    """What a crowd of simulated workers came to.

    Attributes
    ----------
    efficiency
        Time that the runs sleep over the time that the workers had.
    placed
        Runs that began in a second, while all workers waited for one.
    commits, database, others
        Commits a second; cores that PostgreSQL used, and that scheduler, engine and simulated workers used.
    """

    finished: int
    efficiency: float
    placed: float
    commits: float
    database: float
    others: float


@contextmanager
def machine(folder: Path) -> Iterator[tuple[Cluster, Store]]:
    """A database, a scheduler and an engine on this machine, and the store."""
    with ExitStack() as stack:
        running = stack.enter_context(server(max_connections="500", shared_buffers="512MB", **_ON_DISK))
        administer("CREATE DATABASE scale", running.url)
        url = beside(running.url, "scale")
        made = Cluster(folder, [Here("here", "127.0.0.1")], url, url, stack)
        store = Store(url, patience=30.0)
        stack.callback(store.database.dispose)
        made.start(0, "-m", "abp", "scheduler", "--host", "127.0.0.1", "--port", "8786", name="scheduler")
        wait_until(lambda: "listens at" in made.log("scheduler"), "for the scheduler")
        made.start(0, "-m", "abp.runs.engine", name="engine")
        yield made, store


def joined(made: Cluster, name: str, *arguments: str) -> subprocess.Popen:
    """Start workers, once they have joined."""
    process = made.start(0, *arguments, name=name)
    wait_until(lambda: "joined" in made.log(name) or process.poll() is not None, f"for {name}")
    return process


def real(made: Cluster, store: Store, processes: int, runs: int) -> float:
    """Seconds that so many workers take for runs on the digits."""
    crew = joined(made, f"real-{processes}", "-m", "abp", "worker", "--processes", str(processes))
    began = time.monotonic()
    numbers = [store.runs.add(REAL, keep="ends") for _ in range(runs)]
    wait_until(lambda: all(ended(store, run) for run in numbers), "for the runs", within=600)
    spent = time.monotonic() - began
    end(crew)
    return spent


def simulated(made: Cluster, store: Store, workers: int) -> Borne:
    """Two runs for each of so many simulated workers."""
    module, crew = "benchmarks.soak.simulated_workers", []
    for first in range(0, workers, _A_PROCESS):
        count = min(_A_PROCESS, workers - first)
        crew.append(joined(made, f"simulated-{workers}-{first}", "-m", module, str(count)))
    commits, used, began = _commits(store), _cores(), time.monotonic()
    with store.transaction():
        numbers = [store.runs.add(SIMULATED, keep="ends") for _ in range(2 * workers)]
    wait_until(lambda: not store.runs.all((Status.QUEUED, Status.RUNNING)), "for the runs", within=900)
    spent = time.monotonic() - began
    database, others = ((after - before) / spent for before, after in zip(used, _cores(), strict=True))
    rows = [store.runs.get(run) for run in numbers]
    starts = sorted(row.started for row in rows if row.started)[:workers]
    found = Borne(
        finished=sum(row.status == Status.FINISHED for row in rows),
        efficiency=len(rows) * EPOCHS * EPOCH / (workers * spent),
        placed=(len(starts) - 1) / max(starts[-1] - starts[0], 1e-3),
        commits=(_commits(store) - commits) / spent,
        database=database,
        others=others,
    )
    for process in crew:
        end(process)
    return found


def _commits(store: Store) -> int:
    with store.database.reading() as connection:
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        return int(connection.exec_driver_sql(query).scalar_one())


def _cores() -> tuple[float, float]:
    """CPU seconds so far of PostgreSQL, and of what the cluster started; of those that still run."""
    database = others = 0.0
    family = {child.pid for child in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter(["name", "cpu_times"]):
        if (times := process.info["cpu_times"]) is None:
            continue
        spent = sum(times[:4])  # with that of children which have ended, such as a connection's
        if process.info["name"] == "postgres":
            database += spent
        elif process.pid in family:
            others += spent
    return database, others


def part() -> Iterator[Line]:
    """The lines of this part."""
    with tempfile.TemporaryDirectory(prefix="abp-scale-") as name, machine(Path(name)) as (made, store):
        alone, together = real(made, store, 1, 6), real(made, store, 2, 6)
        share = alone / (2 * together)
        yield Line("scale: efficiency of two workers that train", f"{share:.2f}", "0.90", share >= 0.9)
        for workers in CROWDS:
            found = simulated(made, store, workers)
            done = f"{found.finished} of {2 * workers}"
            yield Line(f"scale: runs of {workers} simulated workers", done, "all", found.finished == 2 * workers)
            yield Line(
                f"scale: efficiency of {workers} simulated workers",
                f"{found.efficiency:.2f}",
                "",
                True,
                f"{found.placed:.0f} runs placed a second, {found.commits:.0f} commits a second; cores used: "
                f"PostgreSQL {found.database:.2f}, scheduler, engine and workers {found.others:.2f}",
            )


if __name__ == "__main__":
    for each in part():
        print(each, flush=True)
