from __future__ import annotations

import dataclasses
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from abp.data import download
from abp.data.datasets import load_dataset
from abp.network.masks import pack, unpack
from abp.runs import worker
from abp.runs.session import session
from abp.runs.session.command_words import pruning_outcome
from abp.runs.session.recording import PREDICTED
from abp.runs.worker import execute
from abp.store.database import StoreFull
from abp.store.records import Command, RunUnknown, pack_counts
from abp.store.repositories.frames import Frames
from abp.store.repositories.leases import ClaimLost
from abp.store.repositories.watches import Watches
from abp.store.snapshots import moments, snapshot
from abp.store.store import Store
from abp.training.experiment import Experiment
from abp.training.history import Epoch, Pruning
from abp.training.step import TrainingStep
from abp.training.trainer import Trainer
from tests.rows import die
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
DIGITS = load_dataset("digits")
FAST = {"hidden": (20, 10), "learning_rate": 0.1, "amount": 0.6, "prunings": 3, "start_accuracy": 0.5}
TINY = Experiment(**FAST, criterion="magnitude", stop_accuracy=0.9, epochs=30)  # some seven epochs
LONG = Experiment(**FAST, criterion="activation-neuron", stop_accuracy=1.0, epochs=40, patience=0)


@pytest.fixture
def store(home) -> Store:
    return Store()


# The trainer alone, as the oracle


def alone(experiment: Experiment) -> dict:
    """What a bare trainer does with the same settings, in the shape of `recorded`."""
    trainer = Trainer(experiment, DIGITS)
    weights, counts, rows, masks = {"initial": save(trainer.network.tensors())}, [], [], []
    for record in trainer.run():
        rows.append(record)
        if isinstance(record, Pruning):
            masks.append(pack(trainer.masks))
        else:
            counts.append(pack_counts(trainer.activity.epoch_counts))
        if trainer.due:
            weights[f"before-{trainer.prunings + 1}"] = save(trainer.network.tensors())
    weights["final"] = save(trainer.network.tensors())
    return {
        "epochs": [epoch_values(row) for row in rows if isinstance(row, Epoch)],
        "counts": counts,
        "prunings": [pruning_values(row) for row in rows if isinstance(row, Pruning)],
        "masks": masks,
        "weights": weights,
        "stopped_by": trainer.stopped_by,
    }


def epoch_values(epoch: Epoch) -> tuple:
    metrics = (epoch.train, epoch.valid, epoch.test)
    return (epoch.number, *(value for each in metrics for value in (each.loss, each.accuracy)), epoch.sparsity)


def pruning_values(pruning: Pruning) -> tuple:
    return (
        pruning.epoch, pruning.batch, pruning.criterion, pruning.by, pruning.requested, pruning.achieved,
        pruning.sparsity, pruning.weights_removed, pruning.neurons_removed, pruning.train_accuracy,
        pruning.valid_before.accuracy, pruning.valid_after.accuracy,
        pruning.test_before.accuracy, pruning.test_after.accuracy,
    )  # fmt: skip


def recorded(store: Store, run: int) -> dict:
    """All that the store holds of a run's history and that may not depend on when and by whom it was trained."""
    epochs = store.histories.epochs(run)[
        ["epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_loss", "test_accuracy",
         "sparsity"]
    ]  # fmt: skip
    prunings = store.histories.prunings(run)
    assert prunings["number"].tolist() == [*range(1, len(prunings) + 1)]
    prunings = prunings[
        ["epoch", "batch", "criterion", "made_by", "requested", "achieved", "sparsity", "weights_removed",
         "neurons_removed", "train_accuracy", "valid_accuracy_before", "valid_accuracy_after",
         "test_accuracy_before", "test_accuracy_after"]
    ]  # fmt: skip
    moments = ["initial", *(f"before-{number}" for number in range(1, len(prunings) + 2)), "final"]
    weights = {moment: store.weights.get(run, moment) for moment in moments}
    return {
        "epochs": list(epochs.itertuples(index=False, name=None)),
        "counts": [counts for _, _, counts in store.histories.epoch_counts(run)],
        "prunings": list(prunings.itertuples(index=False, name=None)),
        "masks": [store.histories.masks(run, number) for number in range(1, len(prunings) + 1)],
        "weights": {moment: tensors for moment, tensors in weights.items() if tensors},
        "stopped_by": store.runs.get(run).stopped_by,
    }


def same(first: dict, second: dict) -> None:
    """Compare two histories, part by part, so that a failure names the part."""
    for part in first:
        if part == "weights":
            assert first[part].keys() == second[part].keys()
            different = [moment for moment, tensors in first[part].items() if tensors != second[part][moment]]
            assert different == []
        else:
            assert first[part] == second[part], part


# One run, left alone


@pytest.mark.parametrize("experiment", [TINY, LONG], ids=["weights", "neurons"])
def test_a_run_records_what_the_trainer_alone_does(experiment, store):
    told = []
    run = store.runs.add(experiment)
    assert execute(store, run, "me", report=told.append)
    expected = alone(experiment)
    same(recorded(store, run), expected)
    assert len(expected["prunings"]) == 3

    row = store.runs.get(run)
    assert (row.status, row.owner, row.lease, row.message) == ("finished", None, None, None)
    assert (row.epoch, row.prunings, row.scheduled_left) == (len(expected["epochs"]), 3, 0)
    assert row.sparsity == pytest.approx(0.6, abs=0.02)
    assert not row.pruned_by_hand and row.started <= row.finished and row.seconds > 0
    last = expected["epochs"][-1]
    assert (row.train_accuracy, row.valid_accuracy, row.test_accuracy) == (last[2], last[4], last[6])
    assert [progress.epoch for progress in told] == [epoch[0] for epoch in expected["epochs"]]

    frame = store.frames.newest(run, experiment.hidden)
    assert (frame.epoch, frame.batch, frame.batches) == (row.epoch, 41, 41)
    assert frame.samples == row.epoch * len(DIGITS.train_x) and frame.epoch_samples == len(DIGITS.train_x)
    masks = unpack(store.histories.masks(run, 3), experiment.sizes)
    for live, mask in zip(frame.live_weights, masks, strict=True):
        assert live.tolist() == mask.sum(dim=1).tolist()


def test_a_run_that_keeps_the_ends_records_only_the_initial_and_the_final_weights(store):
    run = store.runs.add(TINY, keep="ends")
    execute(store, run, "me")
    expected = alone(TINY)
    expected["weights"] = {moment: expected["weights"][moment] for moment in ("initial", "final")}
    same(recorded(store, run), expected)


def test_spectra_before_and_after_each_pruning_are_those_of_the_recorded_weights(store):
    run = store.runs.add(LONG)
    execute(store, run, "me")
    spectra = store.histories.spectra(run, LONG.sizes)
    assert len(spectra) == 3
    for number, (before, after) in enumerate(spectra, start=1):
        weights = load(store.weights.get(run, f"before-{number}"))
        masks = unpack(store.histories.masks(run, number), LONG.sizes)
        for index, mask in enumerate(masks):
            weight = weights[f"hidden.{index}.weight"].double().numpy()
            for shown, matrix in ((before[index], weight), (after[index], weight * mask.numpy())):
                expected = np.linalg.svd(matrix, compute_uv=False)
                np.testing.assert_allclose(shown, expected, rtol=1e-9, atol=1e-9 * expected[0])


def test_a_run_can_be_executed_once_only(store):
    run = store.runs.add(TINY)
    assert execute(store, run, "me")
    before = recorded(store, run)
    assert not execute(store, run, "another")
    assert not execute(store, 77, "another")
    same(recorded(store, run), before)


# Commands


@contextmanager
def working(store: Store, run: int, **options) -> Iterator[threading.Thread]:
    """A worker thread on this run; it must have let go when the block ends."""
    thread = threading.Thread(target=execute, args=(store, run, "me"), kwargs=options, daemon=True)
    thread.start()
    yield thread
    wait_until(lambda: not thread.is_alive(), "for the worker to let go")


def ask(store: Store, run: int, kind: str, **arguments) -> Command:
    """Give a command and wait for what comes of it."""
    number = store.commands.add(run, kind, **arguments)

    def answers() -> list[Command]:
        return [command for command in store.commands.of(run) if command.id == number and command.settled]

    return wait_until(answers, f"for what comes of {kind}")[0]


def replay(experiment: Experiment, log: list[Command]) -> Trainer:
    """What a bare trainer comes to when it is pruned, and stopped, where this log says that a run was."""
    trainer, log, by_hand = Trainer(experiment, DIGITS), list(log), []
    while True:
        while log and (log[0].epoch, log[0].batch) == (trainer.epoch, trainer.batch):
            command = log.pop(0)
            if command.kind == "prune" and "Removed" in command.outcome:
                by_hand.append((trainer.network.tensors(), trainer.masks))
                trainer.prune(**command.arguments)
            if command.kind == "undo" and "Brought back" in command.outcome:
                trainer.undo_pruning(*by_hand.pop(), criterion="magnitude")
            if command.kind == "stop":
                return trainer
        if trainer.stopped_by is not None:
            assert log == []
            return trainer
        if trainer.train_batches():
            trainer.finish_epoch()
            if trainer.due:
                trainer.prune_due()


def test_every_command_is_answered_and_its_log_replayed_gives_the_same_bits(store, monkeypatch):
    monkeypatch.setattr(session, "LOOK_EVERY", 0.01)
    endless = dataclasses.replace(LONG, epochs=10_000)
    run = store.runs.add(endless, held=True, pace=20.0)
    with working(store, run):
        wait_until(lambda: store.runs.get(run).status == "paused", "for a held run to be paused")
        assert store.histories.epochs(run).empty

        early = ask(store, run, "prune", criterion="random", amount=0.05)
        assert early.outcome.startswith("Removed 74 weights") and (early.epoch, early.batch) == (0, 0)

        step = ask(store, run, "step")
        assert step.outcome == "Trains to the end of the epoch and pauses."
        wait_until(lambda: store.runs.get(run).status == "paused" and store.runs.get(run).epoch == 1, "for one epoch")
        assert store.histories.epochs(run)["epoch"].tolist() == [1]

        wrong = [
            ask(store, run, "prune", criterion="none", amount=0.1),
            ask(store, run, "prune", criterion="magnitude", amount=1.5),
            ask(store, run, "prune"),
        ]
        assert all(answer.outcome.startswith("Nothing was removed: ") for answer in wrong)
        assert "'none'" in wrong[0].outcome and "1.5" in wrong[1].outcome
        with pytest.raises(ValueError, match="dance"):
            store.commands.add(run, "dance")

        pruned = ask(store, run, "prune", criterion="magnitude", amount=0.2)
        assert pruned.outcome.startswith("Removed 296 weights: sparsity 25.0 %, validation accuracy ")
        assert (pruned.epoch, pruned.batch) == (1, 41)
        assert store.runs.get(run).status == "paused" and store.runs.get(run).sparsity == 0.25

        assert ask(store, run, "resume").outcome == "Training continues."
        wait_until(lambda: store.runs.get(run).epoch >= 3)
        assert store.runs.get(run).status == "running"
        in_motion = ask(store, run, "prune", criterion="activation", amount=0.1)
        assert in_motion.outcome.startswith("Removed 148 weights") and in_motion.epoch >= 3

        assert ask(store, run, "pause").outcome == "Paused."
        rest = 1480 - round(1480 * store.runs.get(run).sparsity)
        of_the_rest = ask(store, run, "prune", criterion="random", amount=0.5, of="left")
        assert of_the_rest.outcome.startswith(f"Removed {rest // 2} weights")
        back = ask(store, run, "undo")
        assert back.outcome.startswith(f"Brought back {rest // 2} weights")
        assert store.runs.get(run).sparsity == pytest.approx(1 - rest / 1480)

        row, frame = store.runs.get(run), store.frames.newest(run, LONG.hidden)
        assert row.status == "paused" and row.held
        assert ask(store, run, "pace", epochs_per_second=40).outcome == "Pace: 40 epochs a second."
        assert store.runs.get(run).pace == 40.0
        for wrong_pace in (0, -1, "quick", None, True):
            assert ask(store, run, "pace", epochs_per_second=wrong_pace).outcome == "Pace: as fast as possible."
        assert store.runs.get(run).pace is None
        again = store.frames.newest(run, LONG.hidden)
        assert (again.epoch, again.batch) == (frame.epoch, frame.batch)  # it did stand still

        ask(store, run, "pace", epochs_per_second=20)
        ask(store, run, "resume")
        wait_until(lambda: store.runs.get(run).epoch >= row.epoch + 2)
        assert ask(store, run, "stop").outcome == "Stopped."
    row = store.runs.get(run)
    assert (row.status, row.stopped_by, row.pruned_by_hand) == ("stopped", "hand", True)
    assert all(command.outcome and command.settled for command in store.commands.of(run))
    by_hand = store.histories.prunings(run).query("made_by in ('hand', 'undo')")
    assert by_hand["criterion"].tolist() == ["random", "magnitude", "activation", "random", "random"]
    assert by_hand["made_by"].tolist() == ["hand"] * 4 + ["undo"]
    assert by_hand["weights_removed"].iloc[3:].tolist() == [rest // 2, -(rest // 2)]

    log = store.commands.of(run)[::-1]
    places = [(command.epoch, command.batch) for command in log]
    assert places == sorted(places)
    trainer = replay(endless, log)
    assert store.weights.get(run, "final") == save(trainer.network.tensors())
    assert store.histories.masks(run, row.prunings) == pack(trainer.masks)
    frame = store.frames.newest(run, LONG.hidden)
    assert [counts.tolist() for counts in frame.counts] == [counts.tolist() for counts in trainer.activity.counts]


def test_undo_takes_prunings_by_hand_back_one_by_one_and_survives_the_loss_of_the_worker(store):
    run = store.runs.add(dataclasses.replace(LONG, criterion="none", epochs=10_000), held=True, pace=20.0)
    with working(store, run):
        assert ask(store, run, "undo").outcome.startswith("Nothing was undone")
        for _ in range(2):
            ask(store, run, "prune", criterion="magnitude", amount=0.5, of="left")
        assert store.runs.get(run).sparsity == 0.75
        die(store, run)
        again = store.commands.add(run, "undo")  # its worker finds that it is gone
    store.commands.add(run, "resume")
    with working(store, run):
        wait_until(lambda: store.runs.get(run).epoch, "for an epoch")
        assert {command.id: command for command in store.commands.of(run)}[again].outcome.startswith("Brought back 370")
        assert store.runs.get(run).sparsity == 0.5
        ask(store, run, "pause")
        ask(store, run, "undo")
        assert store.runs.get(run).sparsity == 0.0
        assert ask(store, run, "undo").outcome.startswith("Nothing was undone")
        ask(store, run, "stop")
    ended = store.runs.get(run)
    assert ended.pruned_by_hand and ended.prunings == 4
    assert store.histories.masks(run, 3) == store.histories.masks(run, 1)
    found = {moment.name: snapshot(store, ended, moment) for moment in moments(store, ended)}
    # What it learnt since is gone with what was pruned: it ends with the weights that it began with.
    assert save(found["after 4"].network.tensors()) == store.weights.get(run, "initial")
    assert store.weights.get(run, "final") == store.weights.get(run, "initial")
    trainer = replay(ended.experiment, store.commands.of(run)[::-1])
    assert save(trainer.network.tensors()) == store.weights.get(run, "final")


def test_commands_given_before_a_worker_comes_are_obeyed_in_order_before_the_first_batch(store):
    run = store.runs.add(TINY)
    store.commands.add(run, "prune", criterion="magnitude", amount=0.1)
    store.commands.add(run, "pause")
    store.commands.add(run, "prune", criterion="random", amount=0.1)
    store.commands.add(run, "resume")
    execute(store, run, "me")
    log = store.commands.of(run)[::-1]
    assert [(command.epoch, command.batch) for command in log] == [(0, 0)] * 4
    assert store.weights.get(run, "final") == save(replay(TINY, log).network.tensors())
    assert store.runs.get(run).status == "finished"


def test_a_command_that_comes_after_the_end_is_too_late(store):
    run = store.runs.add(TINY)

    def at_the_end(progress) -> None:
        if progress.train_accuracy >= TINY.stop_accuracy:
            store.commands.add(run, "prune", criterion="magnitude", amount=0.1)

    execute(store, run, "me", report=at_the_end)
    assert store.runs.get(run).status == "finished" and not store.runs.get(run).pruned_by_hand
    assert [command.outcome for command in store.commands.of(run)] == ["Too late: the run had ended."]


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """A clock that only waiting moves on, and what happens at each wait."""
    clock = SimpleNamespace(now=1000.0, at_each_wait=lambda: None)

    def sleep(seconds: float) -> None:
        assert seconds > 0
        clock.now += seconds
        clock.at_each_wait()

    monkeypatch.setattr(
        session, "time", SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now, sleep=sleep)
    )
    return clock


@pytest.mark.parametrize("batch_size", [32, 700, 2000])
@pytest.mark.parametrize("pace", [0.25, 2.0])
def test_a_paced_run_takes_its_time_for_every_epoch(pace, batch_size, clock, store):
    settings = {"criterion": "none", "epochs": 4, "stop_accuracy": 1.0, "batch_size": batch_size}
    run = store.runs.add(Experiment(**FAST | settings), pace=pace)
    execute(store, run, "me")
    assert clock.now - 1000.0 == pytest.approx(4 / pace)


@pytest.mark.parametrize("pace", [0.5, 2.0, 3.0])
def test_a_paced_run_that_is_watched_brings_ten_new_frames_a_second(pace, clock, store, monkeypatch):
    monkeypatch.setattr(Watches, "watched", lambda *_: True)
    kept, save_frame = [], Frames.save

    def keep(self, run, owner, row, **spent) -> None:
        kept.append((clock.now, row["epoch"], row["batch"]))
        save_frame(self, run, owner, row, **spent)

    monkeypatch.setattr(Frames, "save", keep)
    settings = {"criterion": "none", "epochs": 4, "stop_accuracy": 1.0}
    run = store.runs.add(Experiment(**FAST | settings), pace=pace)
    execute(store, run, "me")
    first_of_each_place = {}
    for now, *place in kept:
        first_of_each_place.setdefault(tuple(place), now)
    assert len(first_of_each_place) >= 10 * (clock.now - 1000.0)
    times = [1000.0, *first_of_each_place.values()]
    assert max(later - earlier for earlier, later in zip(times, times[1:], strict=False)) <= 0.15
    assert times[1:3] == [1000.0, 1000.0]  # the start, and the first batches at once


def test_what_the_network_takes_the_first_test_samples_for_is_recorded(store):
    run = store.runs.add(TINY)
    execute(store, run, "me")
    by_epoch, by_pruning = store.histories.predictions(run)
    assert list(by_epoch) == store.histories.epochs(run)["epoch"].tolist()
    assert list(by_pruning) == store.histories.prunings(run)["number"].tolist()

    tensors = {name: tensor.numpy() for name, tensor in load(store.weights.get(run, "final")).items()}
    outputs = DIGITS.test_x[:PREDICTED].numpy()
    for layer in ("hidden.0", "hidden.1"):
        outputs = np.maximum(outputs @ tensors[f"{layer}.weight"].T + tensors[f"{layer}.bias"], 0)
    classes = (outputs @ tensors["output.weight"].T + tensors["output.bias"]).argmax(axis=1)
    assert list(by_epoch.values())[-1] == classes.tolist()


def test_a_new_pace_holds_at_once(clock, store):
    run = store.runs.add(TINY, pace=0.01)
    asked = []

    def ask_once() -> None:
        if not asked:
            asked.append(store.commands.add(run, "pace", epochs_per_second=100))

    clock.at_each_wait = ask_once
    execute(store, run, "me")
    assert clock.now - 1000.0 < 1  # not the hundred seconds of the first epoch
    same(recorded(store, run), alone(TINY))


def test_pace_pauses_and_frames_change_nothing_but_the_time(store):
    run = store.runs.add(TINY, pace=50.0, held=True)
    with working(store, run):
        wait_until(lambda: store.runs.get(run).status == "paused")
        ask(store, run, "resume")
    same(recorded(store, run), alone(TINY))


# Parking


def test_a_run_paused_for_long_gives_its_worker_back_and_goes_on_when_resumed(store, monkeypatch):
    monkeypatch.setattr(session, "PARK_AFTER", 0.05)
    monkeypatch.setattr(session, "LOOK_EVERY", 0.01)
    run = store.runs.add(LONG, pace=5.0)
    with working(store, run):
        wait_until(lambda: store.runs.get(run).epoch >= 3)
        ask(store, run, "pause")
    row = store.runs.get(run)
    assert (row.status, row.held, row.owner, row.lease) == ("paused", True, None, None)
    assert store.leases.expire() == 0 and store.runs.queued() == []

    store.commands.add(run, "pace", epochs_per_second=None)  # which needs a worker to answer it, who gives up again
    assert [waiting.id for waiting in store.runs.queued()] == [run]
    with working(store, run):
        pass
    assert store.runs.get(run).status == "paused" and store.commands.of(run)[0].outcome == "Pace: as fast as possible."

    store.commands.add(run, "resume")
    with working(store, run):
        pass
    assert store.runs.get(run).status == "finished"
    same(recorded(store, run), alone(LONG))


def test_the_command_line_does_not_park_its_runs(store, monkeypatch):
    monkeypatch.setattr(session, "PARK_AFTER", -1.0)
    run = store.runs.add(TINY, held=True)
    with working(store, run, park=False):
        ask(store, run, "pace", epochs_per_second=None)
        assert store.runs.get(run).owner == "me"
        ask(store, run, "resume")
    assert store.runs.get(run).status == "finished"


# Death, and life after it


class Dying(Store):
    """A store that takes the run away at the worker's so-manieth write, as death would."""

    def __init__(self, writes: int, error: Exception | None = None) -> None:
        super().__init__()
        self.left, self.error = writes, error or ClaimLost("dead")
        held = self.leases.held

        @contextmanager
        def held_until_death(run, owner, **values):
            with held(run, owner, **values) as connection:
                if threading.current_thread() is threading.main_thread():
                    self.left -= 1
                    if self.left < 0:
                        raise self.error  # and the transaction is undone
                yield connection

        object.__setattr__(self.leases, "held", held_until_death)


@pytest.mark.parametrize("save_every", [0.0, math.inf], ids=["saved at each batch", "saved at prunings"])
@pytest.mark.parametrize("experiment", [TINY, LONG], ids=["weights", "neurons"])
def test_a_run_that_dies_at_any_write_goes_on_from_its_checkpoint_to_the_same_end(
    experiment, save_every, home, monkeypatch
):
    monkeypatch.setattr(session, "SAVE_EVERY", save_every)
    monkeypatch.setattr(session, "FRAME_EVERY", 0.0)
    store, expected = Store(), alone(experiment)
    execute(counting := Dying(10**6), store.runs.add(experiment), "healthy")
    writes_in_all = 10**6 - counting.left
    for writes in range(0, writes_in_all, writes_in_all // 6):
        run = store.runs.add(experiment)
        execute(dying := Dying(writes), run, "first")
        assert dying.left < 0 and store.runs.get(run).status == "running"
        die(store, run)
        store.commands.add(run, "resume")
        assert execute(store, run, "second")
        same(recorded(store, run), expected)
        assert store.runs.get(run).status == "finished"


def test_a_run_that_dies_again_and_again_comes_to_the_same_end(home, monkeypatch):
    monkeypatch.setattr(session, "SAVE_EVERY", 0.0)
    store = Store()
    run = store.runs.add(LONG)
    lives = 0
    while store.runs.get(run).status != "finished":
        lives += 1
        assert execute(Dying(17), run, f"life {lives}")
        die(store, run)
        if store.runs.get(run).status == "interrupted":
            store.commands.add(run, "resume")
    assert lives > 3
    same(recorded(store, run), alone(LONG))


def test_a_pruning_by_activation_before_any_picture_says_how_it_chose():
    trainer = Trainer(Experiment(hidden=(5,), criterion="none"))
    warning = "No picture had been counted"
    assert warning in pruning_outcome(trainer.prune("activation", 0.2))
    assert warning not in pruning_outcome(trainer.prune("magnitude", 0.2))
    trainer.train_epoch()
    assert warning not in pruning_outcome(trainer.prune("activation", 0.2))


def test_a_pruning_by_hand_is_not_made_twice_when_the_worker_dies_after_it(home, monkeypatch):
    class DyingAfterPruning(Frames):
        def save(self, run, owner, row, **details) -> None:
            if store.runs.get(run).prunings:
                raise ClaimLost("dead")
            super().save(run, owner, row, **details)

    store, dying = Store(), Store()
    dying.frames = DyingAfterPruning(dying.database, dying.leases)
    run = store.runs.add(TINY)
    store.commands.add(run, "prune", criterion="magnitude", amount=0.1)
    execute(dying, run, "first")
    assert store.runs.get(run).prunings == 1
    die(store, run)
    store.commands.add(run, "resume")
    execute(store, run, "second")
    assert store.histories.prunings(run)["made_by"].tolist().count("hand") == 1
    log = store.commands.of(run)[::-1]
    assert log[0].outcome.startswith("Removed 148 weights")
    assert store.weights.get(run, "final") == save(replay(TINY, log[:1]).network.tensors())


def test_a_run_stopped_right_after_it_was_resumed_shows_the_epoch_that_its_weights_are_of(home, monkeypatch):
    monkeypatch.setattr(session, "SAVE_EVERY", math.inf)  # the last checkpoint is of the last pruning
    store = Store()
    run = store.runs.add(LONG)
    execute(Dying(25), run, "first")
    died_at = store.runs.get(run).epoch
    die(store, run)
    store.commands.add(run, "stop")
    execute(store, run, "second")
    row = store.runs.get(run)
    assert row.status == "stopped" and 0 < row.epoch < died_at
    assert store.histories.epochs(run)["epoch"].tolist() == [*range(1, row.epoch + 1)]
    trainer = Trainer(LONG, DIGITS)
    trainer.network.load_tensors(load(store.weights.get(run, "final")))
    assert (row.valid_accuracy, row.test_accuracy) == (
        trainer.evaluate("valid").accuracy,
        trainer.evaluate("test").accuracy,
    )


def start_worker(run: int) -> subprocess.Popen:
    program = "import sys; from abp.store.store import Store; from abp.runs.worker import execute\n"
    program += "execute(Store(), int(sys.argv[1]), 'doomed')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", program, str(run)], cwd=ROOT, env=environment)


def test_a_run_whose_process_is_killed_goes_on_from_its_checkpoint_to_the_same_end(store):
    run = store.runs.add(LONG, pace=5.0)
    process = start_worker(run)
    try:
        wait_until(lambda: store.runs.get(run).epoch >= 5, "for five epochs of the other process")
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert store.runs.get(run).status == "running" and store.runs.get(run).owner == "doomed"
    wait_until(store.leases.expire, "for the lease to expire")
    assert store.runs.get(run).status == "queued"
    store.commands.add(run, "pace", epochs_per_second=None)
    execute(store, run, "another")
    same(recorded(store, run), alone(LONG))


def test_a_worker_whose_run_is_deleted_lets_go(store, monkeypatch):
    monkeypatch.setattr(session, "FRAME_EVERY", 0.0)
    run = store.runs.add(LONG, pace=5.0)
    with working(store, run):
        wait_until(lambda: store.runs.get(run).epoch >= 1)
        store.runs.delete(run)
    with pytest.raises(RunUnknown):
        store.runs.get(run)
    assert store.histories.epochs(run).empty


def test_a_worker_whose_paused_run_is_deleted_lets_go(store, monkeypatch):
    monkeypatch.setattr(session, "PARK_AFTER", 0.2)
    run = store.runs.add(LONG, held=True)
    with working(store, run):
        wait_until(lambda: store.runs.get(run).status == "paused")
        store.runs.delete(run)
    assert store.runs.all() == []


def test_a_lease_is_kept_while_the_data_take_their_time(store, monkeypatch):
    monkeypatch.setattr(worker, "LEASE", 0.2)  # how often it is renewed; how long it holds stays
    leases = []

    def slowly(name, progress) -> object:
        leases.append(store.runs.get(run).lease)
        wait_until(lambda: store.runs.get(run).lease > leases[0], "for the lease to be renewed")
        return DIGITS

    monkeypatch.setattr(session, "_dataset", slowly)
    run = store.runs.add(TINY)
    execute(store, run, "me")
    assert leases and store.runs.get(run).status == "finished"


# What can go wrong


def test_a_run_that_diverges_says_so_and_keeps_all_epochs_before(store, monkeypatch):
    class Exploding(Trainer):
        def finish_epoch(self) -> Epoch:
            epoch = super().finish_epoch()
            if self.epoch == 3:
                self.network.weights[0].fill_(math.inf)
            return epoch

    dense = Experiment(**FAST | {"criterion": "none", "epochs": 6})
    expected = alone(dense)
    monkeypatch.setattr(session, "Trainer", Exploding)
    run = store.runs.add(dense)
    execute(store, run, "me")
    row = store.runs.get(run)
    assert (row.status, row.stopped_by, row.owner) == ("diverged", "diverged", None)
    assert row.message.startswith("Training diverged: the loss became ") and "epoch 4" in row.message
    assert recorded(store, run)["epochs"] == expected["epochs"][:3]
    assert store.weights.get(run, "initial") == expected["weights"]["initial"]


def test_a_learning_rate_that_is_far_too_large_diverges(store):
    run = store.runs.add(Experiment(criterion="none", learning_rate=10))
    execute(store, run, "me")
    row = store.runs.get(run)
    assert row.status == "diverged" and "a smaller learning rate may help" in row.message


def test_a_run_whose_data_cannot_be_had_fails_with_the_names_of_the_files(store, monkeypatch, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setitem(download.MIRRORS, "mnist", f"http://127.0.0.1:{unused.getsockname()[1]}/")
        monkeypatch.setattr(download, "PAUSES", (0.0, 0.0, 0.0))
        monkeypatch.setenv("ABP_DATA_DIR", str(tmp_path / "nowhere"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        run = store.runs.add(Experiment(dataset="mnist", **FAST))
        execute(store, run, "me")
    row = store.runs.get(run)
    assert (row.status, row.epoch, row.owner) == ("failed", 0, None)
    assert "train-images-idx3-ubyte" in row.message and str(tmp_path / "nowhere") in row.message
    after = store.runs.add(TINY)
    execute(store, after, "me")
    assert store.runs.get(after).status == "finished"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("wheel came off"), r"Something unexpected went wrong \(RuntimeError: wheel came off\)"),
        (MemoryError(), "more memory than this machine has free"),
    ],
)
def test_what_nobody_expected_is_a_failed_run_with_a_sentence(error, message, store, monkeypatch):
    def broken(*arguments) -> None:
        raise error

    monkeypatch.setattr(session, "Trainer", broken)
    run = store.runs.add(TINY)
    assert execute(store, run, "me")
    row = store.runs.get(run)
    assert row.status == "failed"
    assert re.search(message, row.message)


def test_a_damaged_checkpoint_fails_the_run_and_keeps_its_history(home):
    store = Store()
    run = store.runs.add(LONG)
    execute(Dying(25), run, "first")
    store.checkpoints.save(run, "first", {"epoch": store.runs.get(run).epoch, "seconds": 1.0, "state": b"nonsense"})
    epochs = recorded(store, run)["epochs"]
    die(store, run)
    store.commands.add(run, "resume")
    execute(store, run, "second")
    row = store.runs.get(run)
    assert row.status == "failed" and "checkpoint cannot be read" in row.message
    assert recorded(store, run)["epochs"] == epochs != []


def test_a_run_that_could_not_be_saved_on_a_full_disk_can_be_resumed(home):
    store = Store()
    run = store.runs.add(TINY)
    with pytest.raises(StoreFull):
        execute(Dying(13, StoreFull("full")), run, "first")
    die(store, run)
    store.commands.add(run, "resume")
    execute(store, run, "second")
    same(recorded(store, run), alone(TINY))


def test_the_thread_count_of_a_run_is_used(store, monkeypatch):
    seen: list[int] = []
    step, before = TrainingStep.__call__, torch.get_num_threads()
    monkeypatch.setattr(TrainingStep, "__call__", lambda *given: seen.append(torch.get_num_threads()) or step(*given))
    run = store.runs.add(Experiment(**FAST, criterion="none", epochs=1, threads=2))
    try:
        execute(store, run, "me")
        assert store.runs.get(run).status == "finished" and set(seen) == {2}
        assert torch.get_num_threads() == 2  # measuring its latency on one core has not changed that
    finally:
        torch.set_num_threads(before)


# The regulariser


def test_the_time_of_the_regulariser_is_recorded_and_goes_on_after_an_interruption(store, monkeypatch):
    monkeypatch.setattr(session, "SAVE_EVERY", 0.0)
    settings = dataclasses.replace(TINY, criterion="none", epochs=6, stop_accuracy=1.0, patience=0)
    on = dataclasses.replace(settings, nuclear=0.001, nuclear_from=0.0, nuclear_every=5)
    plain, regularised = store.runs.add(settings), store.runs.add(on)
    execute(store, plain, "me")
    assert store.runs.get(plain).regulariser_seconds == 0

    spent = []

    def lose_worker(progress) -> None:
        spent.append(store.runs.get(regularised).regulariser_seconds)
        if progress.epoch == 3 and len(spent) == 3:
            die(store, regularised)

    execute(store, regularised, "me", report=lose_worker)
    store.commands.add(regularised, "resume")
    execute(store, regularised, "another", report=lose_worker)
    run = store.runs.get(regularised)
    assert run.status == "finished" and run.epoch == 6
    assert 0 < run.regulariser_seconds < run.seconds
    assert spent == sorted(spent)
    trainer = Trainer(on, DIGITS)
    list(trainer.run())
    assert store.weights.get(regularised, "final") == save(trainer.network.tensors())
