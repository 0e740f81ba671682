from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from abp.runs.worker import execute
from abp.store.records import StudyUnknown
from abp.store.store import Store
from abp.studies.registry import (
    expected,
    extend_study,
    rename_study,
    resume_study,
    start_study,
    studies,
    study_progress,
    study_record,
    study_runs,
)
from abp.studies.specification import Study
from abp.training.experiment import Experiment, SettingError, dense_settings
from tests.rows import change_run
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
BASE = Experiment(hidden=(12, 8), learning_rate=0.1, epochs=4, start_accuracy=0.0, stop_accuracy=0.5)
STUDY = Study(
    datasets=("digits",),
    criteria=("none", "activation", "magnitude"),
    amounts=(0.6,),
    seeds=(0, 1),
    prunings=2,
    base=BASE,
)
ONE = dataclasses.replace(BASE, prunings=2, criterion="magnitude", amount=0.6, seed=1)
ENDLESS = dataclasses.replace(BASE, epochs=10_000, stop_accuracy=1.0, patience=0)


@pytest.fixture
def store(home) -> Store:
    return Store()


def train_all(store: Store) -> int:
    """Train what is queued; how many runs that was."""
    trained = 0
    while queued := store.runs.queued():
        trained += execute(store, queued[0].id, "worker")
    return trained


def set_run(store: Store, run: int, **values) -> None:
    change_run(store, run, **values)


def numbers(store: Store, study: int) -> set[int]:
    return {member.run.id for member in study_runs(store, study)}


# Starting


def test_a_study_queues_each_run_once_keeping_the_ends_only(store):
    study = start_study(store, STUDY, "mine")
    assert {run.settings for run in store.runs.all()} == {each.to_json() for each in STUDY.experiments()}
    assert {(run.lane, run.keep, run.status, run.parent) for run in store.runs.all()} == {
        ("queue", "ends", "queued", None)
    }
    assert start_study(store, STUDY) == study  # once more: nothing
    assert len(store.runs.all()) == 6
    (record,) = studies(store)
    assert (record.id, record.name, record.study, record.paused) == (study, "mine", STUDY, False)
    assert train_all(store) == 6
    assert start_study(store, STUDY) == study
    assert store.runs.queued() == []
    assert {member.run.status for member in study_runs(store, study)} == {"finished"}


def test_a_study_whose_criterion_is_gone_can_be_read_and_stops_no_other(store, registry):
    old = store.studies.add("old", STUDY.to_json().replace('"activation"', '"gone-tomorrow"', 1))
    study = start_study(store, STUDY)
    assert study != old and start_study(store, STUDY) == study
    titles = [cell.title for cell in study_record(store, old).study.cells()]
    assert titles == ["dense", "gone-tomorrow (not installed here), 60 %", "weights by magnitude, 60 %"]


def test_a_study_that_cannot_be_read_stops_no_other(store):
    broken = store.studies.add("broken", STUDY.to_json().replace('"digits"', '"no-such-data"', 1))
    study = start_study(store, STUDY)
    assert study != broken and start_study(store, STUDY) == study
    assert "no-such-data" in study_record(store, broken).unreadable


def test_runs_that_cannot_be_read_stop_no_study_and_are_made_anew(store):
    """A package changed what its criterion is meant for."""
    other, ended = store.runs.add(Experiment()), store.runs.add(ONE)
    set_run(store, ended, status="diverged")
    study = start_study(store, STUDY)
    store.studies.link(study, ended)
    for run in (other, ended, *numbers(store, study)):
        set_run(store, run, settings=store.runs.get(run).settings.replace('"at-once"', '"nightly"'))
    assert "'nightly'" in store.runs.get(other).unreadable and study_runs(store, study) == []
    assert study_progress(store, study, workers=1).missing == 6 and expected(store, STUDY, workers=1)[0] == 6
    resume_study(store, study)
    assert len(store.studies.runs(study)) == len(numbers(store, study)) == 6
    extend_study(store, study, STUDY.extended(seeds=(2,)))
    assert len(numbers(store, study)) == 9 and train_all(store)
    assert study_progress(store, study, workers=1).done == 9


@pytest.mark.parametrize("status", ["finished", "running", "queued", "paused", "interrupted"])
def test_a_run_with_the_same_settings_is_taken_up(store, status):
    run = store.runs.add(ONE)
    set_run(store, run, status=status)
    study = start_study(store, STUDY)
    assert run in numbers(store, study)
    assert len(store.runs.all()) == 6
    assert store.runs.get(run).status == ("queued" if status == "interrupted" else status)


@pytest.mark.parametrize(
    "values",
    [
        {"status": "failed"},
        {"status": "diverged"},
        {"status": "stopped"},
        {"status": "finished", "pruned_by_hand": True},
        {"status": "finished", "parent": 17},
        {"status": "finished", "settings": ONE.to_json().replace("0.6", "0.61")},
    ],
    ids=str,
)
def test_a_run_that_is_no_fair_result_is_not_taken_up(store, values):
    run = store.runs.add(ONE)
    set_run(store, run, **values)
    study = start_study(store, STUDY)
    assert run not in numbers(store, study)
    assert len(store.runs.all()) == 7


def test_a_finished_run_is_preferred_and_a_dense_one_serves_whatever_its_pruning_settings_say(store):
    dense = dataclasses.replace(ONE, criterion="none", amount=0.33, start_accuracy=0.1)
    waiting, finished = store.runs.add(dense), store.runs.add(dense)
    set_run(store, finished, status="finished")
    study = start_study(store, STUDY)
    assert finished in numbers(store, study) and waiting not in numbers(store, study)
    (member,) = [member for member in study_runs(store, study) if member.run.id == finished]
    assert (member.cell.criterion, member.seed) == ("none", 1)
    assert dense_settings(dense) in STUDY.experiments()


def test_the_same_study_started_by_many_at_the_same_moment_runs_nothing_twice(store):
    program = (
        "import sys; from abp.store.store import Store; from abp.studies.registry import start_study;"
        "from abp.studies.specification import Study; store = Store(); print('ready', flush=True);"
        "sys.stdin.readline();"
        f"start_study(store, Study.from_json({STUDY.to_json()!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.wait() for process in processes] == [0, 0]
    for process in processes:
        process.stdin.close()
        process.stdout.close()
    threads = [threading.Thread(target=start_study, args=(Store(), STUDY)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(studies(store)), len(store.runs.all())) == (1, 6)


def test_what_failed_or_was_spoilt_is_made_anew_but_what_diverged_is_not(store):
    study = start_study(store, STUDY)
    runs = sorted(numbers(store, study))
    set_run(store, runs[0], status="failed")
    set_run(store, runs[1], status="stopped")
    set_run(store, runs[2], status="finished", pruned_by_hand=True)
    set_run(store, runs[3], status="diverged")
    store.runs.delete(runs[4])
    progress = study_progress(store, study, workers=2)
    assert (progress.failed, progress.diverged, progress.spoilt, progress.missing) == (1, 1, 2, 1)
    assert (progress.total, progress.done, progress.going_on) == (6, 0, 1)
    assert start_study(store, STUDY) == study
    assert len(store.runs.all()) == 5 + 4
    assert numbers(store, study) & set(runs) == {runs[3], runs[5]}
    progress = study_progress(store, study, workers=2)
    assert (progress.failed, progress.diverged, progress.spoilt, progress.missing) == (0, 1, 0, 0)
    assert progress.going_on == 5


# Extending, renaming, deleting


def test_a_study_is_extended_by_seeds_criteria_and_amounts_and_keeps_its_runs(store):
    study = start_study(store, STUDY)
    before = numbers(store, study)
    extend_study(store, study, STUDY.extended(seeds=(2,), criteria=("random",), amounts=(0.9,)))
    assert before < numbers(store, study)
    assert len(numbers(store, study)) == 3 * (1 + 2 * 3)
    extend_study(store, study, STUDY)
    assert numbers(store, study) == before
    assert len(store.runs.all()) == 21  # what it no longer needs stays


def test_deleting_a_study_settles_what_was_asked_of_the_runs_that_it_stops(store):
    study = start_study(store, STUDY)
    run = min(numbers(store, study))
    store.commands.add(run, "pause")
    store.studies.delete(study)
    assert store.runs.get(run).status == "stopped"
    assert store.commands.pending(run) == []


def test_deleting_a_study_leaves_its_runs_but_stops_those_that_nobody_waits_for(store):
    first = start_study(store, STUDY)
    second = start_study(store, STUDY.extended(seeds=(2,)))
    begun = store.runs.add(ONE)
    store.studies.delete(second)
    assert len(store.runs.all()) == 10
    assert sum(run.status == "stopped" for run in store.runs.all()) == 3
    assert [record.id for record in studies(store)] == [first]
    assert {run.id for run in store.runs.queued()} == {*numbers(store, first), begun}
    for act in (study_record, study_runs, lambda store, number: store.studies.pause(number), resume_study):
        with pytest.raises(StudyUnknown, match=f"Study {second} does not exist"):
            act(store, second)
    with pytest.raises(StudyUnknown):
        study_record(store, 10**30)


def test_a_study_has_a_name(store):
    study = start_study(store, STUDY)
    assert studies(store)[0].name == STUDY.title
    rename_study(store, study, " better ")
    assert study_record(store, study).name == "better"
    with pytest.raises(SettingError, match="1 to 200"):
        rename_study(store, study, " ")


# Pausing


def test_the_runs_of_a_paused_study_wait_unless_another_study_needs_them(store):
    study = start_study(store, STUDY)
    hand = store.runs.add(Experiment(seed=99))
    store.studies.pause(study)
    assert [run.id for run in store.runs.queued()] == [hand]
    some = next(iter(numbers(store, study)))
    assert store.leases.claim(some, "too late") is None
    other = start_study(store, dataclasses.replace(STUDY, seeds=(0,)))
    assert {run.id for run in store.runs.queued()} == {hand, *numbers(store, other)}
    store.studies.pause(other)
    assert [run.id for run in store.runs.queued()] == [hand]
    resume_study(store, study)
    assert {run.id for run in store.runs.queued()} == {hand, *numbers(store, study)}
    assert study_record(store, other).paused and not study_record(store, study).paused


def test_a_person_may_start_a_run_of_a_paused_study(store):
    study = start_study(store, STUDY)
    run = min(numbers(store, study))
    set_run(store, run, status="interrupted")
    store.studies.pause(study)
    store.commands.add(run, "resume")
    assert [each.id for each in store.runs.queued()] == [run]
    assert store.leases.claim(run, "me")


def test_running_runs_pause_with_their_study_and_go_on_with_it(store):
    study = start_study(store, dataclasses.replace(STUDY, criteria=("none",), seeds=(0,), base=ENDLESS))
    (run,) = numbers(store, study)
    worker = threading.Thread(target=execute, args=(Store(), run, "worker"))
    worker.start()
    try:
        wait_until(lambda: store.runs.get(run).epoch >= 1)
        store.studies.pause(study)
        wait_until(lambda: store.runs.get(run).status == "paused")
        assert study_progress(store, study, workers=2).paused == 1
        resume_study(store, study)
        wait_until(lambda: store.runs.get(run).status == "running")
        store.studies.pause(study)
        resume_study(store, study)  # before the worker has looked
        wait_until(lambda: all(command.settled for command in store.commands.of(run)))
        assert store.runs.get(run).status == "running"
    finally:
        store.commands.add(run, "stop")
        worker.join()


def test_a_parked_run_and_an_interrupted_one_are_queued_again_when_the_study_goes_on(store):
    study = start_study(store, STUDY)
    parked, interrupted, *_ = sorted(numbers(store, study))
    set_run(store, parked, status="paused", held=True)
    set_run(store, interrupted, status="interrupted")
    store.studies.pause(study)
    resume_study(store, study)
    for run in (parked, interrupted):
        row = store.runs.get(run)
        assert (row.status, row.lane, row.held) == ("queued", "queue", False)


# Progress


def test_the_time_left_follows_from_finished_runs_of_the_same_cell_else_of_the_same_data(store):
    study = start_study(store, STUDY)
    assert study_progress(store, study, workers=2).seconds_left is None  # nothing to judge by
    dense, activation = study_runs(store, study)[:2]
    assert (dense.cell.criterion, activation.cell.criterion) == ("none", "activation")
    set_run(store, dense.run.id, status="finished", seconds=10.0)
    set_run(store, activation.run.id, status="finished", scheduled_left=0, seconds=30.0)
    progress = study_progress(store, study, workers=2)
    # Still to come: dense 10 s, activation 30 s, magnitude twice the mean of 20 s.
    assert progress.seconds_left == pytest.approx((10 + 30 + 20 + 20) / 2)
    assert progress.runs_per_second == pytest.approx(2 / 20)
    assert study_progress(store, study, workers=100).seconds_left == pytest.approx(30)  # no faster than the longest
    again = start_study(store, dataclasses.replace(STUDY, seeds=(5,)))
    assert study_progress(store, again, workers=1).seconds_left == pytest.approx(3 * 20)


def test_progress_counts_what_trains_and_what_is_done(store):
    study = start_study(store, STUDY)
    store.leases.claim(min(numbers(store, study)), "me")
    progress = study_progress(store, study, workers=2)
    assert (progress.running, progress.going_on, progress.done, progress.ended) == (1, 6, 0, False)
    store.runs.close(min(numbers(store, study)), "me", "failed", message="no")
    assert train_all(store) == 5
    progress = study_progress(store, study, workers=2)
    assert (progress.done, progress.failed, progress.going_on, progress.ended) == (5, 1, 0, True)
    assert progress.seconds_left == 0
