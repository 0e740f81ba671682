"""Who may join a cluster, and what is said where it cannot be used."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys

import pytest

from abp.cli.main import main
from abp.runs.cluster import workers
from abp.runs.cluster.address import SchedulerUnusable, certificate_folder, scheduler_address, security
from abp.runs.cluster.software import software
from abp.runs.engine import give_up_dead
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.databases import only_sqlite
from tests.waiting import PATIENCE, run_async

SERVER = "postgresql+psycopg://abp@nowhere/abp"


@pytest.mark.parametrize("given", ["node-1:8786", "http://node-1:8786", "tls://node-1", "tls://:8786", "tls://a b:1"])
def test_what_is_no_address_is_refused_with_its_value(given, home, monkeypatch):
    monkeypatch.setenv("ABP_SCHEDULER", given)
    with pytest.raises(SchedulerUnusable, match="must be tls://HOST:PORT") as caught:
        scheduler_address()
    assert repr(given) in str(caught.value)


def test_plain_tcp_takes_leave(home, monkeypatch, capsys):
    monkeypatch.setenv("ABP_DATABASE", SERVER)
    monkeypatch.setenv("ABP_SCHEDULER", "tcp://node-1:8786")
    with pytest.raises(SchedulerUnusable, match="without TLS anybody"):
        scheduler_address()
    assert main(["scheduler", "--plain"]) == 2 and "without TLS" in capsys.readouterr().err
    monkeypatch.setenv("ABP_SCHEDULER_PLAIN", "trusted")
    assert scheduler_address() == "tcp://node-1:8786" and security("tcp://node-1:8786") is None


@only_sqlite
def test_a_file_of_sqlite_is_refused_for_workers_on_other_hosts(home, monkeypatch, capsys):
    monkeypatch.setenv("ABP_SCHEDULER", "tls://node-1:8786")
    assert main(["worker"]) == 2
    assert "file of SQLite" in capsys.readouterr().err
    monkeypatch.delenv("ABP_SCHEDULER")
    assert main(["worker"]) == 2
    assert "ABP_SCHEDULER must name the scheduler" in capsys.readouterr().err


def test_a_host_without_the_certificate_is_told_where_to_get_it_and_its_key_is_its_owners(home):
    with pytest.raises(SchedulerUnusable, match="Copy the folder .*cluster from the host of the scheduler"):
        security("tls://node-1:8786")
    made = security("tls://node-1:8786", make=True)
    key = certificate_folder() / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    content = key.read_text()
    again = security("tls://node-1:8786", make=True)
    assert key.read_text() == content and repr(again) == repr(made)
    assert made.get_connection_args("worker")["require_encryption"]


def test_runs_whose_process_is_gone_go_on_at_once_and_those_of_the_living_and_of_other_hosts_stay(home):
    store, settings = Store(), Experiment(hidden=(5,), criterion="none")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = socket.gethostname()[:40]
    owners = [f"{here}:{gone.pid}:a", f"{here}:{os.getpid()}:b", f"elsewhere:{gone.pid}:c"]
    runs = [store.runs.add(settings) for _ in owners]
    for run, owner in zip(runs, owners, strict=True):
        assert store.leases.claim(run, owner)
    give_up_dead(store)
    assert [store.runs.get(run).status for run in runs] == ["queued", "running", "running"]


def test_a_host_with_other_versions_is_refused_in_a_sentence_that_names_both():
    async def join() -> None:
        from distributed import Scheduler

        scheduler = Scheduler(host="127.0.0.1", port=0, protocol="tcp://", dashboard=False, dashboard_address=":0")
        scheduler.handlers["abp_software"] = lambda: "abp 0.0.1, PyTorch 1.0.0, Python 3.8"
        async with scheduler:
            await workers.serve(scheduler.address, asyncio.Event(), processes=1, death_timeout=PATIENCE)

    with pytest.raises(SchedulerUnusable, match="Install the same versions on every host") as caught:
        run_async(join())
    assert software() in str(caught.value) and "PyTorch 1.0.0, Python 3.8" in str(caught.value)
