from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import update

from abp.cli.main import main
from abp.runs.continuation import continue_run
from abp.runs.replay import NotReplayable, replay
from abp.runs.session import session
from abp.runs.worker import execute
from abp.store import schema
from abp.store.store import Store
from abp.training.experiment import Experiment
from benchmarks.soak.resume import AFTER_PRUNING
from tests.rows import change_run
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]

SHORT = Experiment(
    hidden=(20, 10), criterion="activation", amount=0.5, prunings=2, start_accuracy=0.2, stop_accuracy=1.0, epochs=6,
    patience=0, momentum=0.9,
)  # fmt: skip


@pytest.fixture
def store(home, monkeypatch) -> Store:
    monkeypatch.setattr(session, "LOOK_EVERY", 0.0)
    return Store()


def steered(store: Store, **details) -> int:
    """A run that was pruned by hand between batches and stopped in the middle of an epoch."""
    run = store.runs.add(dataclasses.replace(SHORT, epochs=50), pace=40.0, **details)
    store.commands.add(run, "prune", criterion="random", amount=0.1)
    asked = []

    def steer(progress) -> None:
        if progress.epoch in (2, 3) and progress.epoch not in asked:
            asked.append(progress.epoch)
            store.commands.add(run, "prune", criterion="activation-neuron", amount=0.1)
            store.commands.add(run, "prune", criterion="magnitude", amount=2.0)  # refused
            store.commands.add(run, "pace", epochs_per_second=None)
        if progress.epoch == 6:
            store.commands.add(run, "stop")

    assert execute(store, run, "me", report=steer)
    assert store.runs.get(run).stopped_by == "hand" and store.runs.get(run).prunings == 5
    return run


def test_a_run_that_was_steered_by_hand_replays_to_the_same_bits(store, capsys, tmp_path):
    run = steered(store)
    before = store.commands.of(run)
    assert main(["replay", str(run), "--json", str(tmp_path / "found.json")]) == 0
    assert "the same bits (weights, counts, history and prunings)" in capsys.readouterr().err
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["same"] and found["different"] == [] and found["prunings"] == 5 and found["commands"] == 6
    assert {"counts", "epochs", "prunings", "masks", "weights (final)", "weights (before-5)"} <= set(found["compared"])
    assert store.commands.of(run) == before and len(store.runs.all()) == 1  # nothing is written


def test_a_pruning_that_was_taken_back_is_taken_back_in_the_replay_too(store):
    run = store.runs.add(SHORT)
    for kind, details in (("prune", {"criterion": "magnitude", "amount": 0.2}), ("undo", {})):
        store.commands.add(run, kind, **details)
    execute(store, run, "me")
    assert "Nothing" not in store.commands.of(run)[0].outcome and store.runs.get(run).prunings == 4
    found = replay(store, store.runs.get(run))
    assert (found.different, found.commands) == ((), 2)


def test_a_continued_run_replays_from_what_it_started_from(store):
    parent = store.runs.get(steered(store, keep="ends"))
    run = continue_run(store, parent, "reinitialise", epochs=2)
    execute(store, run, "me")
    store.runs.delete(parent.id)
    assert replay(store, store.runs.get(run)).different == ()


def test_a_record_that_was_changed_is_found_out_and_the_part_is_named(store, capsys):
    run = store.runs.add(SHORT)
    execute(store, run, "me")
    assert replay(store, store.runs.get(run)).different == ()
    with store.transaction() as connection:
        row = update(schema.epochs).where(schema.epochs.c.run == run, schema.epochs.c.epoch == 3)
        connection.execute(row.values(valid_loss=0.125))
        final = store.weights.get(run, "final")
        changed = final[:-4] + bytes([final[-4] ^ 1]) + final[-3:]  # one bit of the last number
        moment = update(schema.weights).where(schema.weights.c.run == run, schema.weights.c.moment == "final")
        connection.execute(moment.values(tensors=changed))
    assert replay(store, store.runs.get(run)).different == ("epochs", "weights (final)")
    assert main(["replay", str(run)]) == 1
    said = capsys.readouterr().err
    assert "different: epochs, weights (final)" in said and "Another version of PyTorch" in said


def test_a_diverged_run_replays(store):
    run = store.runs.add(Experiment(criterion="none", learning_rate=10))
    execute(store, run, "me")
    assert store.runs.get(run).status == "diverged"
    assert replay(store, store.runs.get(run)).different == ()


def test_what_has_no_complete_record_is_refused_in_a_sentence(store, capsys):
    run = store.runs.add(SHORT)
    with pytest.raises(NotReplayable, match=f"run {run} cannot be replayed: it is queued"):
        replay(store, store.runs.get(run))
    change_run(store, run, status="interrupted", started=1.0)
    assert main(["replay", str(run)]) == 2
    assert main(["replay", "77"]) == 2
    assert "interrupted" in capsys.readouterr().err


def test_runs_killed_at_random_moments_and_resumed_have_the_bits_of_runs_left_alone():
    kinds = ("momentum", "Adam", "by hand", AFTER_PRUNING)
    command = [sys.executable, "-m", "benchmarks.soak.resume", *kinds]
    environment = {name: value for name, value in os.environ.items() if name != "ABP_DATABASE"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert ended.returncode == 0, ended.stderr[-2000:]
    died = json.loads(ended.stdout.splitlines()[-1])
    assert [each["kind"] for each in died] == list(kinds)
    assert [each["different"] for each in died] == [[]] * len(kinds)
    assert died[-1]["kills"] == 1  # it died by itself, between a pruning and its record
