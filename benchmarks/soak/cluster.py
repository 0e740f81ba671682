"""A study on three hosts, one unplugged, one losing its worker, one joining late: the rows are those of one machine.

The hosts are network namespaces with a home folder each; PostgreSQL and the scheduler are on the first.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from abp.runs.worker import execute
from abp.store.records import Status
from abp.store.store import Store
from abp.studies.registry import start_study, study_runs
from abp.studies.specification import Study
from abp.training.experiment import Experiment
from benchmarks.soak.lines import Line
from tests.databases import administer, beside
from tests.hosts import Host, hosts
from tests.postgresql import server
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
PORT = 8786
BASE = Experiment(hidden=(20, 12), epochs=60, start_accuracy=0.5, stop_accuracy=1.0, patience=0, learning_rate=0.1)


def study_of(seeds: int) -> Study:
    """A study of four runs a seed."""
    return Study(
        datasets=("digits",),
        criteria=("none", "activation", "magnitude", "random"),
        amounts=(0.5,),
        seeds=tuple(range(seeds)),
        prunings=2,
        base=BASE,
    )


@dataclass
class Survived:
    """What came of it.

    Attributes
    ----------
    different
        Runs whose rows are not those of one machine.
    owners
        Hosts that finished runs.
    claims
        How often workers took runs, of which there are `runs`.
    """

    runs: int = 0
    finished: int = 0
    different: list[int] = field(default_factory=list)
    claims: int = 0
    seconds: float = 0.0
    logs: dict[str, str] = field(default_factory=dict)


class Cluster:
    """Three hosts with a database and a scheduler, and what is started on them."""

    def __init__(self, folder: Path, wires: Sequence[Host], url: str, local: str, stack: ExitStack) -> None:
        self.folder, self.hosts, self.url, self.stack = folder, wires, url, stack
        self.local = local  # the same database, as programs see it that are on none of the hosts

    def start(self, number: int, *arguments: str, name: str) -> subprocess.Popen:
        """Start a program of ours on a host; its log is ``NAME.log``."""
        host, home = self.hosts[number], self.folder / f"host-{number + 1}"
        home.mkdir(exist_ok=True)
        certificates = self.folder / "host-1" / "cluster"
        if number and not (home / "cluster").exists():  # as a person copies it to each host
            (home / "cluster").symlink_to(certificates)
        environment = {
            **os.environ,
            "ABP_HOME": str(home),
            "ABP_DATABASE": self.url,
            "ABP_SCHEDULER": f"tls://{self.hosts[0].address}:{PORT}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*host.prefix, sys.executable, *arguments],
                cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        self.stack.callback(end, process)
        return process

    def log(self, name: str) -> str:
        """What a program has written so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def unplug(self, number: int) -> None:
        """Cut a host's wire."""
        subprocess.run(["ip", "-n", self.hosts[number].name, "link", "set", "wire", "down"], check=True)


def end(process: subprocess.Popen) -> None:
    """End a program and wait for it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Three hosts; PostgreSQL, the scheduler and the engine on the first."""
    with ExitStack() as stack:
        wires = stack.enter_context(hosts(3))
        database = stack.enter_context(
            server(prefix=wires[0].prefix, allow="10.99.7.0/24", listen_addresses=wires[0].address)
        )
        administer("CREATE DATABASE cluster", database.url)
        url = f"postgresql+psycopg://abp@{wires[0].address}/cluster"
        Store(beside(database.url, "cluster")).database.dispose()
        made = Cluster(folder, wires, url, beside(database.url, "cluster"), stack)
        made.start(0, "-m", "abp", "scheduler", "--host", wires[0].address, "--port", str(PORT), name="scheduler")
        wait_until(lambda: "listens at" in made.log("scheduler"), "for the scheduler")
        made.start(0, "-m", "abp.runs.engine", name="engine")
        yield made


def worker(made: Cluster, number: int) -> subprocess.Popen:
    """Start one worker on a host, and wait until it has joined."""
    name = f"worker-{number + 1}"
    process = made.start(number, "-m", "abp", "worker", "--processes", "1", "--death-timeout", "120", name=name)
    wait_until(lambda: "joined" in made.log(name) or process.poll() is not None, f"for {name}")
    return process


def survive(folder: Path, *, seeds: int = 6) -> Survived:
    """Train a study of four runs a seed while a host is unplugged, a worker is killed and another one joins."""
    found = Survived()
    with cluster(folder) as made:
        store = Store(made.local, patience=30.0)
        worker(made, 0)
        worker(made, 1)
        began = time.monotonic()
        number = start_study(store, study_of(seeds))
        members = [member.run.id for member in study_runs(store, number)]
        wait_until(lambda: trained_by(store, members, made, 1), "for the second host to train")
        made.unplug(1)
        worker(made, 2)
        wait_until(lambda: trained_by(store, members, made, 2), "for the third host to train")
        kill_training(store, members, made, 2)
        wait_until(lambda: all(ended(store, run) for run in members), "for the study to end", within=600)
        found.seconds = time.monotonic() - began
        rows = [store.runs.get(run) for run in members]
        found.runs, found.finished = len(rows), sum(row.status == Status.FINISHED for row in rows)
        found.claims = sum(row.claims for row in rows)
        found.logs = {path.stem: path.read_text(errors="replace") for path in folder.glob("*.log")}
        found.different = [run for run in members if not same_as_alone(store, run, folder)]
        store.database.dispose()
    return found


def ended(store: Store, run: int) -> bool:
    """Whether nothing more comes of a run by itself."""
    row = store.runs.get(run)
    return not row.active


def trained_by(store: Store, runs: Sequence[int], made: Cluster, number: int) -> bool:
    """Whether a worker of this host has one of these runs: what it owns bears the number of one of its processes."""
    return bool(owned(store, runs, made, number))


def owned(store: Store, runs: Sequence[int], made: Cluster, number: int) -> list[int]:
    """Numbers of the processes of this host that have one of these runs."""
    listed = subprocess.run(["ip", "netns", "pids", made.hosts[number].name], capture_output=True, text=True).stdout
    here = set(map(int, listed.split()))
    owners = (store.runs.get(run).owner for run in runs)
    return [pid for owner in owners if owner and (pid := int(owner.split(":")[1])) in here]


def kill_training(store: Store, runs: Sequence[int], made: Cluster, number: int) -> None:
    """End the process of a host that trains one of these runs, as the system does when memory runs out."""
    for pid in wait_until(lambda: owned(store, runs, made, number), "for a run to lose"):
        os.kill(pid, signal.SIGKILL)


def same_as_alone(store: Store, run: int, folder: Path) -> bool:
    """Whether a run has the rows and weights that this machine alone comes to, without any cluster."""
    alone = Store(folder / "alone.sqlite3")
    number = alone.runs.add(store.runs.get(run).experiment, keep="ends")
    execute(alone, number, "alone")
    pairs = [
        (store.histories.epochs(run).drop(columns="seconds"), alone.histories.epochs(number).drop(columns="seconds")),
        (store.histories.prunings(run), alone.histories.prunings(number)),
    ]
    weights = [(store.weights.get(run, each), alone.weights.get(number, each)) for each in ("initial", "final")]
    counts = store.histories.epoch_counts(run) == alone.histories.epoch_counts(number)
    return counts and all(a.equals(b) for a, b in pairs) and all(a == b for a, b in weights)


def part() -> Iterator[Line]:
    """The lines of this part."""
    with tempfile.TemporaryDirectory(prefix="abp-cluster-") as name:
        found = survive(Path(name))
    done = found.finished == found.runs
    yield Line("runs of a study on three hosts that finished", f"{found.finished} of {found.runs}", "all", done)
    yield Line("of these, with other rows than on one machine", str(len(found.different)), "0", not found.different)
    again = found.claims - found.runs
    yield Line("runs that went on elsewhere (unplugged, killed)", str(again), "2 or more", again >= 2)
    print(f"  the study took {found.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    for each in part():
        print(each)
