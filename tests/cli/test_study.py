from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from abp.cli import studying
from abp.runs.worker import execute
from abp.store.store import Store
from abp.studies import specification as study_module
from abp.studies.registry import start_study, studies, study_progress, study_runs
from abp.studies.runner import conduct
from abp.studies.specification import preset
from abp.studies.verdicts import fill_baselines, study_result
from abp.training.experiment import Experiment
from tests.cli.test_command_line import ROOT, complaint, run_abp
from tests.rows import change_run
from tests.waiting import PATIENCE, wait_until

__all__ = ["run_abp"]  # a fixture
TINY = Experiment(hidden=(12, 8), learning_rate=0.1, epochs=6, start_accuracy=0.0, stop_accuracy=0.5, patience=0)
CHOICE = ("--seeds", 2, "--criteria", "none,activation,magnitude", "--amounts", "0.5")


@pytest.fixture
def tiny(monkeypatch):
    """The demo with a network that trains in no time."""
    monkeypatch.setattr(study_module, "_DEMO", TINY)


def same_rows(first: list[dict], second: list[dict]) -> None:
    """Compare rows: to the bit, but for how long training took and for rounding where threads share a computation."""
    for one, other in zip(first, second, strict=True):
        for name in one.keys() - {"seconds_mean", "latency_mean", "latency_ratio"}:
            loose = name in ("stable_ranks", "effective_ranks")
            assert one[name] == (pytest.approx(other[name]) if loose else other[name]), name


def left_alone(folder: Path, **choice) -> dict:
    """What a study comes to that nobody interrupts, trained in this process."""
    store = Store(folder / "alone.sqlite3")
    number = start_study(store, preset("demo", **choice))
    while queued := store.runs.queued():
        execute(store, queued[0].id, "worker")
    fill_baselines(store, number)
    return json.loads(json.dumps(study_result(store, number)))


def test_a_study_runs_from_start_to_end_and_once_more_trains_nothing(tiny, run_abp, tmp_path):
    path = tmp_path / "study.json"
    status, out, err = run_abp("study", "demo", *CHOICE, "--json", path, "--workers", 1)
    assert (status, out) == (0, ""), err
    assert "Study 1: 6 runs, of which 0 are done. The other 6 train 1 at a time." in err
    found = json.loads(path.read_text())
    expected = left_alone(tmp_path, seeds=2, criteria=("none", "activation", "magnitude"), amounts=(0.5,))
    same_rows(found["rows"], expected["rows"])
    assert found["claims"] == expected["claims"]
    assert [(claim["claim"], claim["criterion"], claim["seeds"]) for claim in found["claims"]][:3] == [
        (1, "activation", 2), (2, "activation", 2), (3, "activation", 2),
    ]  # fmt: skip

    status, out, err = run_abp("study", "demo", *CHOICE, "--json", "-")
    assert status == 0 and "6 runs, of which 6 are done.\n" in err
    assert json.loads(out) == found
    assert len(Store().runs.all()) == 6

    status, _, err = run_abp("study", "demo", *CHOICE, "--seeds", 3)
    assert status == 0 and "9 runs, of which 6 are done. The other 3 train" in err and "Expected duration:" in err
    assert len(Store().runs.all()) == 9


def start(*arguments: object) -> subprocess.Popen:
    """The command line in a process group of its own, as a shell starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "abp", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_control_c_pauses_a_study_and_the_same_command_goes_on_to_the_same_rows(home, tmp_path):
    store = Store()
    process = start("study", "demo", *CHOICE, "--json", "-")
    try:
        wait_until(lambda: any(run.status == "finished" for run in store.runs.all()), "for the first run")
        wait_until(lambda: any(run.status == "running" and run.epoch for run in store.runs.all()), "for another")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (130, "")
    assert "run the same command again to resume it" in err and "Traceback" not in err
    assert studies(store)[0].paused
    assert store.runs.queued() == []  # nothing starts again by itself
    done = study_progress(store, 1, workers=2).done
    assert 1 <= done < 6

    process = start("study", "demo", *CHOICE, "--json", "-")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    found = json.loads(out)
    expected = left_alone(tmp_path, seeds=2, criteria=("none", "activation", "magnitude"), amounts=(0.5,))
    same_rows(found["rows"], expected["rows"])
    assert found["claims"] == expected["claims"]
    assert len(store.runs.all()) == 6


def test_a_failed_run_is_reported_and_the_status_says_so(tiny, run_abp, tmp_path):
    store = Store()
    number = start_study(store, preset("demo", seeds=2, criteria=("none", "activation", "magnitude"), amounts=(0.5,)))
    while queued := store.runs.queued():
        execute(store, queued[0].id, "worker")
    change_run(store, study_runs(store, number)[0].run.id, status="diverged", stopped_by="diverged")
    status, out, err = run_abp("study", "demo", *CHOICE, "--json", "-")
    assert status == 1 and "1 of 6 runs have no result: 1 diverged" in err
    row = json.loads(out)["rows"][0]
    assert (row["criterion"], row["diverged"], row["seeds"]) == ("none", 1, 1)


def test_a_run_whose_worker_died_is_taken_up_again(tiny, home):
    store = Store()
    number = start_study(store, preset("demo", seeds=1, criteria=("none",)))
    (member,) = study_runs(store, number)
    assert store.leases.claim(member.run.id, "a worker that is gone")
    change_run(store, member.run.id, lease=1.0)
    assert conduct(store, number, workers=1).done == 1


def test_a_study_that_is_deleted_meanwhile_ends_with_a_sentence(tiny, run_abp, monkeypatch):
    def delete_it(store, number, **options):
        store.studies.delete(number)
        return conduct(store, number, **options)

    monkeypatch.setattr(studying, "conduct", delete_it)
    status, out, err = run_abp("study", "demo", *CHOICE, "--json", "-")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == "abp: Study 1 does not exist or was deleted."


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["study", "party"], "'party'"),
        (["study", "demo", "--dataset", "cats"], "'cats'"),
        (["study", "demo", "--seeds", "0"], "seeds must be at least 1, not 0"),
        (["study", "demo", "--seeds", "many"], "'many'"),
        (["study", "demo", "--criteria", "none,beauty"], "'beauty'"),
        (["study", "demo", "--amounts", "1.5"], "1.5"),
        (["study", "demo", "--amounts", "half"], "'half'"),
        (["study", "demo", "--nuclear", "-1"], "-1"),
        (["study", "demo", "--workers", "0"], "--workers must be between 1 and 256, not 0"),
        (["study", "demo", "--json", "/nowhere/study.json"], "/nowhere"),
        (["study"], "STUDY"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_answered_in_one_line_before_anything_is_done(arguments, named, run_abp, home):
    assert named in complaint(*run_abp(*arguments)).replace("{demo,published,trade-off}", "STUDY")
    assert Store().runs.all() == [] and studies(Store()) == []
