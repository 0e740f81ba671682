from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from abp.runs.engine import Engine
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.rows import die
from tests.runs.test_worker import FAST, LONG, TINY, alone, recorded, same
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
CORES = os.cpu_count() or 1
ENDLESS = Experiment(**FAST, criterion="none", epochs=10_000, stop_accuracy=1.0, patience=0)


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    """One engine, with a home folder of its own, for all tests that leave it in order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ABP_HOME", str(tmp_path_factory.mktemp("engine")))
        engine = Engine()
        yield engine
        engine.stop()


@pytest.fixture
def store(engine) -> Iterator[Store]:
    """The store of that engine; no run of a test goes on after it."""
    engine.ensure()
    store = Store()
    yield store
    end_all(store)


def end_all(store: Store) -> None:
    for run in store.runs.all():
        if run.active:
            store.commands.add(run.id, "stop")
    wait_until(lambda: not any(run.active for run in store.runs.all()), "for all runs to end")


def status(store: Store, run: int) -> str:
    return store.runs.get(run).status


def count(store: Store, status: str) -> int:
    return sum(run.status == status for run in store.runs.all())


def kill_worker(store: Store, run: int) -> None:
    """End the process that has a run, as the system would when memory runs out."""
    owner = store.runs.get(run).owner
    assert owner is not None
    os.kill(int(owner.split(":")[1]), signal.SIGKILL)


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it started, directly or not."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    def ended(process: psutil.Process) -> bool:
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return all(ended(process) for process in processes)


# Work


def test_a_queue_longer_than_the_workers_all_finishes_as_a_trainer_alone_would(store):
    runs = [store.runs.add(TINY, lane="queue") for _ in range(2 * (CORES + 1) + 1)]
    wait_until(lambda: all(status(store, run) == "finished" for run in runs), "for the queue")
    expected = alone(TINY)
    for run in runs:
        same(recorded(store, run), expected)


def test_a_run_started_by_hand_does_not_wait_behind_a_full_queue(store):
    queue = [store.runs.add(ENDLESS, lane="queue", pace=5.0) for _ in range(2 * CORES + 2)]
    wait_until(lambda: count(store, "running") == CORES, "for every core to have a run")
    for _ in range(2):
        by_hand = store.runs.add(TINY)
        wait_until(lambda by_hand=by_hand: status(store, by_hand) == "finished", "for the run started by hand")
        assert sum(status(store, run) == "running" for run in queue) == CORES
        assert sum(status(store, run) == "queued" for run in queue) == CORES + 2


def test_a_run_of_the_command_line_is_left_to_the_command_line(store):
    own = store.runs.add(TINY, lane="self")
    other = store.runs.add(TINY)
    wait_until(lambda: status(store, other) == "finished")
    assert status(store, own) == "queued"
    die(store, own)  # as when that is interrupted before it has begun
    store.commands.add(own, "resume")
    wait_until(lambda: status(store, own) == "finished", "for an engine to take it over")


def test_a_run_obeys_commands_in_a_worker_process(store):
    run = store.runs.add(ENDLESS, held=True)
    wait_until(lambda: status(store, run) == "paused")
    store.commands.add(run, "prune", criterion="magnitude", amount=0.25)
    wait_until(lambda: store.runs.get(run).sparsity == 0.25, "for the pruning")
    store.commands.add(run, "stop")
    wait_until(lambda: status(store, run) == "stopped")
    assert [command.outcome[:7] for command in store.commands.of(run)] == ["Stopped", "Removed"]
    assert store.weights.get(run, "final") is not None


# Deaths of workers


def taken(store: Store, run: int) -> int:
    """How often a worker has taken a run."""
    return store.runs.get(run).claims


def test_a_run_whose_worker_is_killed_goes_on_by_itself_and_finishes_unchanged(store):
    run = store.runs.add(LONG, pace=5.0)
    wait_until(lambda: store.runs.get(run).epoch >= 5, "for five epochs")
    kill_worker(store, run)
    wait_until(lambda: taken(store, run) == 2, "for another worker to take it")
    store.commands.add(run, "pace", epochs_per_second=None)
    wait_until(lambda: status(store, run) == "finished", "for the run to end")
    same(recorded(store, run), alone(LONG))
    assert store.runs.get(run).processor


def test_a_held_run_whose_worker_is_killed_is_held_by_the_next_one(store):
    run = store.runs.add(ENDLESS, held=True)
    wait_until(lambda: status(store, run) == "paused")
    kill_worker(store, run)
    wait_until(lambda: taken(store, run) == 2 and status(store, run) == "paused")
    store.commands.add(run, "stop")
    wait_until(lambda: status(store, run) == "stopped")


def test_only_the_run_of_a_killed_worker_suffers(store):
    killed = store.runs.add(ENDLESS, lane="queue", pace=5.0)
    wait_until(lambda: status(store, killed) == "running")
    others = [store.runs.add(TINY, lane="queue", pace=20.0) for _ in range(3 * CORES)]
    wait_until(lambda: any(status(store, run) == "running" for run in others) or CORES == 1)
    kill_worker(store, killed)
    wait_until(lambda: all(status(store, run) == "finished" for run in others), "for the others in the queue")
    wait_until(lambda: taken(store, killed) == 2, "for the one that lost its worker")
    assert {taken(store, run) for run in others} == {1}
    assert not any("coroutine" in line for line in (store.path.parent / "engine.log").open())


def test_after_many_deaths_every_worker_still_works(store):
    runs = [store.runs.add(ENDLESS, pace=0.01) for _ in range(CORES + 1)]

    def all_taken(times: int) -> bool:
        rows = [store.runs.get(run) for run in runs]
        return all(row.status == "running" and row.claims == times for row in rows)

    for times in (1, 2):
        wait_until(lambda times=times: all_taken(times), "for all workers to be taken")
        for run in runs:
            kill_worker(store, run)
    wait_until(lambda: all_taken(3), "for all workers to be there again")


# The engine itself


def test_the_engine_listens_on_this_machine_only(engine, store):
    run = store.runs.add(TINY)
    wait_until(lambda: status(store, run) == "finished")
    listening = [
        connection.laddr.ip
        for process in family(engine.pid)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN or not connection.raddr
    ]
    assert len(listening) > CORES + 1
    assert set(listening) == {"127.0.0.1"}


def test_an_engine_that_is_killed_takes_its_workers_along_and_is_started_again(engine, store):
    run = store.runs.add(ENDLESS, held=True)
    wait_until(lambda: status(store, run) == "paused")
    first, processes = engine.pid, family(engine.pid)
    engine.ensure()
    assert engine.pid == first  # it is well
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: gone(processes), "for the workers of the killed engine to end")
    engine.ensure()
    assert engine.pid != first
    wait_until(lambda: taken(store, run) == 2 and status(store, run) == "paused", "for the new engine to notice")
    after = store.runs.add(TINY)
    wait_until(lambda: status(store, after) == "finished", "for the new engine to train")


def test_stopping_an_engine_ends_all_its_processes_and_its_runs_wait_for_the_next(home):
    engine, store = Engine(), Store()
    run = store.runs.add(ENDLESS, pace=5.0)
    wait_until(lambda: store.runs.get(run).epoch >= 1)
    processes = family(engine.pid)
    assert len(processes) > CORES + 1
    engine.stop()
    wait_until(lambda: gone(processes), "for all processes to end")
    engine.stop()  # once more harms nothing
    wait_until(lambda: store.leases.expire() or status(store, run) == "queued", "for the lease to expire")


def start_parent() -> subprocess.Popen:
    """A process that starts an engine, prints its number and lives on."""
    program = "import sys; from abp.runs.engine import Engine; print(Engine().pid, flush=True); sys.stdin.read()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_when_the_dashboard_is_killed_no_process_is_left_and_its_runs_go_on_with_the_next(home):
    store = Store()
    runs = [store.runs.add(ENDLESS, pace=5.0), store.runs.add(ENDLESS, held=True)]
    with start_parent() as parent:
        wait_until(lambda: [status(store, run) for run in runs] == ["running", "paused"], "for the runs to begin")
        wait_until(lambda: store.runs.get(runs[0]).epoch >= 2)
        processes = family(parent.pid)
        assert len(processes) > CORES + 2
        parent.kill()
    wait_until(lambda: gone(processes), "for the engine and its workers to end")

    engine = Engine()
    try:
        wait_until(lambda: [taken(store, run) for run in runs] == [2, 2], "for the next engine")
        epoch = store.runs.get(runs[0]).epoch
        wait_until(lambda: store.runs.get(runs[0]).epoch > epoch, "for the run to go on")
        wait_until(lambda: status(store, runs[1]) == "paused")
    finally:
        engine.stop()


def test_when_the_dashboard_is_killed_while_the_engine_starts_no_process_is_left(home):
    with start_parent() as parent:
        engine = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    wait_until(lambda: gone([engine]), "for the engine to end")
    wait_until(lambda: not of_home(home), "for its workers to end")


def of_home(home: Path) -> list[psutil.Process]:
    """Processes whose home folder this is."""

    def belongs(process: psutil.Process) -> bool:
        try:
            return process.environ().get("ABP_HOME") == str(home)
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if process.pid != os.getpid() and belongs(process)]
