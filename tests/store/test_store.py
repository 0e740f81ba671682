from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from abp.home import HomeUnusable
from abp.network.masks import pack, unpack
from abp.store import schema
from abp.store.database import StoreFull, StoreUnusable
from abp.store.records import RunUnknown, pack_counts
from abp.store.repositories import checkpoints, leases
from abp.store.repositories.leases import ClaimLost
from abp.store.store import Store
from abp.training.experiment import Experiment, SettingError
from tests.databases import POSTGRESQL, only_sqlite
from tests.disks import fill
from tests.rows import contents, die
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SMALL = Experiment(hidden=(20, 10), criterion="magnitude")


@pytest.fixture
def store(home) -> Store:
    return Store()


# What a worker writes, with numbers that tell one row from another


def counts_of(number: int) -> list[torch.Tensor]:
    return [torch.arange(width) * 1000 + number for width in SMALL.hidden]


def masks_of(number: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    return [torch.rand(shape, generator=generator) > 0.5 for shape in ((20, 64), (10, 20))]


def spectra_of(number: int) -> list[np.ndarray]:
    return [np.linspace(length + number, 0, length) for length in (20, 10)]


def epoch_row(epoch: int) -> dict:
    names = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_loss", "test_accuracy", "sparsity")
    values = {name: epoch / 100 + place for place, name in enumerate(names)}
    return {"epoch": epoch, **values, "seconds": epoch / 8, "samples": 1294, "counts": pack_counts(counts_of(epoch))}


def pruning_row(number: int, *, epoch: int | None = None, sparsity: float | None = None, by: str = "schedule") -> dict:
    names = (
        "requested", "achieved", "train_accuracy",
        "valid_accuracy_before", "valid_accuracy_after", "test_accuracy_before", "test_accuracy_after",
    )  # fmt: skip
    values = {name: number / 100 + place for place, name in enumerate(names)}
    return {
        **values,
        "number": number,
        "epoch": number if epoch is None else epoch,
        "batch": 41,
        "criterion": "magnitude",
        "made_by": by,
        "sparsity": number / 10 if sparsity is None else sparsity,
        "weights_removed": 100 + number,
        "neurons_removed": number,
        "masks": pack(masks_of(number)),
        "live_weights": pack_counts(counts_of(number)),
        "spectra_before": b"".join(values.tobytes() for values in spectra_of(number)),
        "spectra_after": b"".join(values.tobytes() for values in spectra_of(number + 1)),
    }


def frame_row(number: int) -> dict:
    return {
        "epoch": number,
        "batch": 7,
        "batches": 41,
        "rate": 1234.5,
        "train_loss": 0.5,
        "train_accuracy": 0.75,
        "samples": 5000 + number,
        "counts": pack_counts(counts_of(number)),
        "epoch_samples": 224,
        "epoch_counts": pack_counts(counts_of(number + 1)),
        "live_weights": pack_counts(counts_of(number + 2)),
    }


def checkpoint_row(epoch: int) -> dict:
    return {"epoch": epoch, "seconds": epoch / 4, "state": b"state after epoch %d" % epoch}


def save_epochs(store: Store, run: int, epochs: Iterable[int]) -> None:
    for epoch in epochs:
        store.histories.add_epoch(run, "me", epoch_row(epoch))


def save_pruning(store: Store, run: int, owner: str, row: dict, **more) -> None:
    weights = b"weights before %d" % row["number"]
    store.histories.add_pruning(
        run, owner, row, **{
            "scheduled_left": 5 - row["number"], "weights_before": weights, "checkpoint": checkpoint_row(row["epoch"]),
            **more,
        },
    )  # fmt: skip


def running(store: Store, **settings) -> int:
    """A run that the worker "me" has, with something of everything recorded, and a command that waits."""
    run = store.runs.add(SMALL, **settings)
    assert store.leases.claim(run, "me")
    store.histories.begin(run, "me", b"initial weights")
    store.histories.add_epoch(run, "me", epoch_row(1))
    save_pruning(store, run, "me", pruning_row(1))
    store.frames.save(run, "me", frame_row(1), seconds=1.0)
    store.commands.add(run, "pace", epochs_per_second=2.0)
    return run


def in_status(store: Store, status: str) -> int:
    """A run in one of the conditions that a command may find it in."""
    if status == "queued":
        return store.runs.add(SMALL, lane="queue")
    run = running(store, lane="queue")
    for command in store.commands.pending(run):
        store.commands.settle(run, "me", command, epoch=1, batch=0, outcome="Done.", state={})
    if status in ("interrupted", "queued again"):
        die(store, run)
    elif status in ("paused", "parked"):
        store.runs.set_state(run, "me", status="paused", held=True)
    elif status in ("finished", "stopped", "diverged", "failed"):
        store.runs.close(run, "me", status)
    if status == "parked":
        assert store.leases.park(run, "me")
    if status == "queued again":
        store.commands.add(run, "resume")
    return run


def start_python(program: str, *arguments: object) -> subprocess.Popen:
    """Another process that runs this program once it is sent a line."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def start_together(processes: list[subprocess.Popen]) -> list[str]:
    """What processes print that all wait for a line, and get it at about the same moment."""
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


# Claims


def test_of_many_threads_that_claim_a_run_exactly_one_has_it(store):
    for _ in range(5):
        run = store.runs.add(SMALL)
        start, claimed = threading.Barrier(12), []

        def claim(owner: str, run: int = run, start=start, claimed=claimed) -> None:
            start.wait()
            if store.leases.claim(run, owner):
                claimed.append(owner)

        threads = [threading.Thread(target=claim, args=(f"worker {index}",)) for index in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert claimed == [store.runs.get(run).owner]


def test_of_many_processes_that_claim_runs_exactly_one_has_each(store):
    ids = [store.runs.add(SMALL) for _ in range(40)]
    program = """
import sys
from abp.store.store import Store
store, owner = Store(), sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
print(*[run for run in map(int, sys.argv[2:]) if store.leases.claim(run, owner)])
"""
    owners = ["a", "b", "c"]
    printed = start_together([start_python(program, owner, *ids) for owner in owners])
    claims = {owner: [int(run) for run in text.split()] for owner, text in zip(owners, printed, strict=True)}
    assert sorted(run for runs in claims.values() for run in runs) == ids
    assert all(store.runs.get(run).owner == owner for owner, runs in claims.items() for run in runs)


@pytest.mark.parametrize("status", ["running", "paused", "parked", "interrupted", "finished", "failed"])
def test_only_a_queued_run_can_be_claimed(status, store):
    run = in_status(store, status)
    before = contents(store)
    assert store.leases.claim(run, "another") is None
    assert contents(store) == before


WRITES: dict[str, Callable[[Store, int, str], object]] = {
    "renew": lambda store, run, owner: store.leases.renew(run, owner),
    "begin": lambda store, run, owner: store.histories.begin(run, owner, b"other weights"),
    "go_back": lambda store, run, owner: store.checkpoints.restore(run, owner),
    "save_epoch": lambda store, run, owner: store.histories.add_epoch(run, owner, epoch_row(2)),
    "save_pruning": lambda store, run, owner: save_pruning(store, run, owner, pruning_row(2)),
    "save_frame": lambda store, run, owner: store.frames.save(run, owner, frame_row(2), seconds=2.0),
    "save_checkpoint": lambda store, run, owner: store.checkpoints.save(run, owner, checkpoint_row(2)),
    "set_state": lambda store, run, owner: store.runs.set_state(run, owner, status="paused"),
    "park": lambda store, run, owner: store.leases.park(run, owner),
    "close": lambda store, run, owner: store.runs.close(run, owner, "finished", weights=b"final weights"),
    "close without weights": lambda store, run, owner: store.runs.close(run, owner, "failed", message="No."),
}


@pytest.mark.parametrize("lost", ["to a stranger", "deleted", "interrupted", "expired", "closed"])
@pytest.mark.parametrize("write", WRITES)
def test_a_worker_that_has_lost_its_run_can_write_nothing(write, lost, store, monkeypatch):
    run = running(store)
    if lost == "deleted":
        store.runs.delete(run)
    elif lost == "interrupted":
        die(store, run)
    elif lost == "closed":
        store.runs.close(run, "me", "stopped")
    elif lost == "expired":
        with monkeypatch.context() as patch:
            patch.setattr(leases, "LEASE", -1.0)
            store.leases.renew(run, "me")
        assert store.leases.expire() == 1
    before = contents(store)
    with pytest.raises(ClaimLost):
        WRITES[write](store, run, "a stranger" if lost == "to a stranger" else "me")
    assert contents(store) == before


@pytest.mark.parametrize("deleted", [False, True])
def test_a_worker_that_has_lost_its_run_can_answer_no_command(deleted, store):
    run = running(store)
    command = store.commands.pending(run)[0]
    store.runs.delete(run) if deleted else die(store, run)
    before = contents(store)
    with pytest.raises(ClaimLost):
        store.commands.settle(run, "me", command, epoch=1, batch=2, outcome="Done.", state={"held": True})
    assert contents(store) == before


def test_a_run_whose_lease_expired_waits_for_another_worker_and_no_other(store, monkeypatch):
    healthy, parked, queued = running(store), in_status(store, "parked"), in_status(store, "queued")
    monkeypatch.setattr(leases, "LEASE", -1.0)
    lost = running(store)
    paused = running(store)
    store.runs.set_state(paused, "me", status="paused", held=True)
    assert store.leases.expire() == 2
    assert [store.runs.get(run).status for run in (healthy, parked, queued)] == ["running", "paused", "queued"]
    for run in (lost, paused):
        row = store.runs.get(run)
        assert (row.status, row.owner, row.lease, row.deaths) == ("queued", None, None, 1)
        assert len(store.histories.epochs(run)) == 1  # what was recorded stays
    assert store.runs.get(paused).held  # it will be paused with its next worker too
    assert store.leases.expire() == 0


def test_a_run_that_kills_its_workers_at_the_same_place_is_interrupted_after_the_third(store):
    run = running(store)
    for death in (1, 2, 1, 2, 3):
        store.leases.lost(run, "me")
        row = store.runs.get(run)
        assert (row.deaths, row.status) == (death, "interrupted" if death == 3 else "queued")
        if death == 3:
            break
        claimed = store.leases.claim(run, "me")
        assert claimed.claims > row.claims
        if death == 2 and row.claims == 2:  # it gets further in between
            store.checkpoints.save(run, "me", checkpoint_row(2))
    assert "died 3 times" in row.message
    store.commands.add(run, "resume")
    assert (store.runs.get(run).status, store.runs.get(run).deaths) == ("queued", 0)


def test_a_step_of_the_clock_ends_no_lease_and_a_restart_of_the_machine_all(store, monkeypatch):
    run = running(store)
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + 7)
    assert store.leases.expire() == 0
    if not POSTGRESQL:
        monkeypatch.setattr(time, "monotonic", lambda: 1.0)  # since the machine was started
        assert store.leases.expire() == 1 and store.runs.get(run).status == "queued"


def test_a_run_of_a_process_that_is_gone_goes_on_with_any_worker(store):
    run = running(store, lane="self")
    store.leases.lost(run, "me")
    assert [each.id for each in store.runs.queued()] == [run]


def test_every_write_of_a_worker_renews_its_lease(store, monkeypatch):
    for write, act in WRITES.items():
        if write in ("park", "close", "close without weights"):
            continue
        with monkeypatch.context() as patch:
            patch.setattr(leases, "LEASE", -1.0)
            run = running(store)
        act(store, run, "me")
        assert store.leases.expire() == 0, write


def test_a_write_that_takes_long_renews_the_lease_as_it_ends(store, monkeypatch):
    run = running(store)
    monkeypatch.setattr(leases, "LEASE", -1.0)
    with store.leases.held(run, "me"):
        monkeypatch.setattr(leases, "LEASE", 10.0)
        monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + leases.LEASE))
    assert store.leases.expire() == 0


def test_a_late_word_of_a_dead_worker_does_not_interrupt_the_one_that_has_the_run_by_now(store):
    run = running(store)
    store.leases.interrupt(run, "me")
    store.commands.add(run, "resume")
    assert store.leases.claim(run, "another")
    store.leases.interrupt(run, "me")
    row = store.runs.get(run)
    assert (row.status, row.owner) == ("running", "another")


# Commands


@pytest.mark.parametrize(
    ("status", "kind", "becomes"),
    [
        ("queued", "pause", "queued"),
        ("queued", "stop", "stopped"),
        ("queued again", "stop", "queued"),  # a worker takes it from its checkpoint and keeps its weights
        ("running", "pause", "running"),
        ("running", "stop", "running"),
        ("paused", "resume", "paused"),
        *(("parked", kind, "queued") for kind in ("pause", "resume", "step", "stop", "pace", "prune")),
        *(("interrupted", kind, "queued") for kind in ("resume", "step", "stop")),
        *(("interrupted", kind, "interrupted") for kind in ("pause", "pace", "prune")),
        *((status, "resume", status) for status in ("finished", "stopped", "diverged", "failed")),
    ],
)
def test_a_command_queues_a_run_that_needs_a_worker_for_it(status, kind, becomes, store):
    run = in_status(store, status)
    number = store.commands.add(run, kind, amount=0.25)
    row = store.runs.get(run)
    assert row.status == becomes
    command = store.commands.of(run)[0]
    assert (command.id, command.kind, command.arguments) == (number, kind, {"amount": 0.25})
    if becomes in ("queued", "running", "paused", "interrupted"):
        assert command.settled is None
        assert store.commands.pending(run)[-1] == command
    else:  # there is nobody to answer it later
        assert command.outcome == ("Stopped." if becomes != status else "Too late: the run had ended.")
        assert store.commands.pending(run) == []
    if status in ("parked", "interrupted") and becomes == "queued":
        assert row.lane == "hand"  # a person waits for it
        assert store.leases.claim(run, "another").epoch == 1


def test_stopping_a_run_that_never_began_settles_all_that_was_asked_of_it_before(store):
    run = store.runs.add(SMALL)
    store.commands.add(run, "pause")
    store.commands.add(run, "prune", criterion="magnitude", amount=0.1)
    store.commands.add(run, "stop")
    assert store.runs.get(run).status == "stopped"
    assert store.commands.pending(run) == []
    outcomes = [command.outcome for command in store.commands.of(run)]
    assert outcomes == ["Stopped.", "Too late: the run had ended.", "Too late: the run had ended."]


def test_what_is_no_command_is_refused_and_changes_nothing(store):
    run = in_status(store, "parked")
    before = contents(store)
    with pytest.raises(ValueError, match="dance"):
        store.commands.add(run, "dance")
    assert contents(store) == before


def test_a_command_to_a_run_that_is_gone_is_refused(store):
    run = in_status(store, "queued")
    store.runs.delete(run)
    with pytest.raises(RunUnknown, match=f"Run {run} does not exist"):
        store.commands.add(run, "pause")


def test_a_run_with_a_command_that_waits_is_not_parked(store):
    run = running(store)
    assert len(store.commands.pending(run)) == 1
    assert not store.leases.park(run, "me")
    assert store.runs.get(run).owner == "me"


def test_commands_are_pending_in_the_order_in_which_they_were_given(store):
    run = store.runs.add(SMALL)
    kinds = ["prune", "pause", "prune", "step", "pace"]
    for kind in kinds:
        store.commands.add(run, kind)
    assert [command.kind for command in store.commands.pending(run)] == kinds
    assert [command.kind for command in store.commands.of(run)] == kinds[::-1]


def test_what_was_still_asked_of_a_run_that_ends_is_answered_too_late(store):
    run = running(store)
    store.runs.close(run, "me", "finished", weights=b"final")
    assert [command.outcome for command in store.commands.of(run)] == ["Too late: the run had ended."]


def test_a_pruning_by_hand_is_recorded_together_with_the_answer_to_its_command(store):
    run = running(store)
    store.commands.add(run, "prune", criterion="magnitude", amount=0.2)
    pace, prune = store.commands.pending(run)
    save_pruning(store, run, "me", pruning_row(2, by="hand"), answered=(prune, "Removed 102 weights."))
    assert store.commands.pending(run) == [pace]
    answer = store.commands.of(run)[0]
    assert (answer.epoch, answer.batch, answer.outcome) == (2, 41, "Removed 102 weights.")
    assert store.runs.get(run).pruned_by_hand


# Runs


def test_commands_by_wanda_of_old_get_its_new_name_where_their_pruning_tells(store):
    """Of schemas 8 to 11, which had renamed the prunings alone."""
    run = running(store)
    for number, criteria in enumerate((["wanda-global"], ["wanda"], ["wanda", "wanda-global"]), start=2):
        for place, criterion in enumerate(criteria):
            row = pruning_row(10 * number + place, epoch=number, by="hand") | {"criterion": criterion}
            store.commands.add(run, "prune", criterion="wanda", amount=0.1)
            save_pruning(store, run, "me", row, answered=(store.commands.pending(run)[-1], "Removed."))
    save_pruning(store, run, "me", pruning_row(50, epoch=5) | {"criterion": "wanda-global"})  # by the schedule
    store.commands.add(run, "prune", criterion="wanda", amount=0.1)
    with store.transaction() as connection:
        connection.execute(schema.schema.update().values(version_num="11"))
    store.database.dispose()
    asked = [each for each in Store().commands.of(run)[::-1] if each.kind == "prune"]
    assert [(each.epoch, each.arguments["criterion"]) for each in asked] == [
        (2, "wanda-global"), (3, "wanda"), (4, "wanda"), (4, "wanda"), (None, "wanda")
    ]  # fmt: skip
    assert {each.arguments["amount"] for each in asked} == {0.1}


def test_the_queue_starts_runs_by_hand_first_and_leaves_runs_of_the_command_line_alone(store):
    order = ["queue", "hand", "self", "queue", "hand"]
    runs = [store.runs.add(SMALL, lane=lane) for lane in order]
    assert [run.id for run in store.runs.queued()] == [runs[1], runs[4], runs[0], runs[3]]
    assert [run.id for run in store.runs.queued(limit=3)] == [runs[1], runs[4], runs[0]]


def test_the_number_of_a_deleted_run_is_never_given_again(store):
    first, second = store.runs.add(SMALL), store.runs.add(SMALL)
    store.runs.delete(second)
    store.runs.delete(first)
    assert store.runs.add(SMALL) > second
    reopened = Store()
    assert reopened.runs.add(SMALL) > second + 1


def test_deleting_a_run_removes_all_that_was_recorded_of_it_and_nothing_of_others(store):
    kept = running(store)
    before = contents(store)
    store.runs.delete(running(store))
    assert contents(store) == before
    assert store.runs.get(kept).epoch == 1


@pytest.mark.parametrize("number", [0, -1, 77, 2**63, 10**30])
def test_a_run_that_does_not_exist_is_unknown_by_its_number(number, store):
    with pytest.raises(RunUnknown, match=str(number)):
        store.runs.get(number)


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_a_name_that_cannot_be_shown_is_refused(name, store):
    run = store.runs.add(SMALL, name="good")
    with pytest.raises(SettingError, match="1 to 200 characters"):
        store.runs.rename(run, name)
    with pytest.raises(SettingError, match="1 to 200 characters"):
        store.runs.add(SMALL, name=name)
    assert [row.name for row in store.runs.all()] == ["good"]


def test_a_run_can_be_renamed(store):
    run = store.runs.add(SMALL)
    assert store.runs.get(run).name == SMALL.title
    store.runs.rename(run, "  Größe; '); DROP TABLE runs; --  ")
    assert store.runs.get(run).name == "Größe; '); DROP TABLE runs; --"
    with pytest.raises(RunUnknown):
        store.runs.rename(run + 1, "nobody")


# What is recorded


def test_frames_epochs_prunings_spectra_and_masks_come_back_as_they_were_saved(store):
    run = running(store)
    store.histories.add_epoch(run, "me", epoch_row(2))
    save_pruning(store, run, "me", pruning_row(2))
    store.frames.save(run, "me", frame_row(2), seconds=2.5)
    store = Store()  # another process would see the same

    frame = store.frames.newest(run, SMALL.hidden)
    assert (frame.epoch, frame.batch, frame.batches, frame.rate) == (2, 7, 41, 1234.5)
    assert (frame.samples, frame.epoch_samples, frame.train_loss, frame.train_accuracy) == (5002, 224, 0.5, 0.75)
    for shown, number in ((frame.counts, 2), (frame.epoch_counts, 3), (frame.live_weights, 4)):
        assert [layer.tolist() for layer in shown] == [layer.tolist() for layer in counts_of(number)]

    epochs = store.histories.epochs(run).to_dict("records")
    expected = [{name: value for name, value in epoch_row(epoch).items() if name != "counts"} for epoch in (1, 2)]
    assert epochs == expected
    assert store.histories.epoch_counts(run) == [(epoch, 1294, epoch_row(epoch)["counts"]) for epoch in (1, 2)]

    prunings = store.histories.prunings(run).to_dict("records")
    arrays = ("masks", "live_weights", "spectra_before", "spectra_after")
    assert prunings == [
        {name: value for name, value in pruning_row(number).items() if name not in arrays} for number in (1, 2)
    ]
    for number, (before, after) in enumerate(store.histories.spectra(run, SMALL.sizes), start=1):
        for values, saved in ((before, spectra_of(number)), (after, spectra_of(number + 1))):
            assert [layer.tolist() for layer in values] == [layer.tolist() for layer in saved]
        masks = unpack(store.histories.masks(run, number), SMALL.sizes)
        assert all(torch.equal(mask, saved) for mask, saved in zip(masks, masks_of(number), strict=True))
        assert store.weights.get(run, f"before-{number}") == b"weights before %d" % number
    live = store.histories.live_weights(run, SMALL.hidden)
    assert [(epoch, [layer.tolist() for layer in layers]) for epoch, layers in live] == [
        (number, [layer.tolist() for layer in counts_of(number)]) for number in (1, 2)
    ]
    assert store.weights.get(run, "initial") == b"initial weights"
    assert (
        store.histories.masks(run, 3)
        is store.weights.get(run, "final")
        is store.frames.newest(run + 1, SMALL.hidden)
        is None
    )
    row = store.runs.get(run)
    assert (row.epoch, row.prunings, row.sparsity, row.scheduled_left, row.seconds) == (2, 2, 0.2, 3, 2.5)
    assert not row.pruned_by_hand and row.experiment == SMALL


def test_going_back_to_a_checkpoint_forgets_later_epochs(store):
    run = running(store)
    save_epochs(store, run, (2, 3))
    store.checkpoints.save(run, "me", checkpoint_row(3))
    save_epochs(store, run, (4, 5))
    assert store.checkpoints.restore(run, "me") == (b"state after epoch 3", 0.75)
    assert store.histories.epochs(run)["epoch"].tolist() == [1, 2, 3]
    row, last = store.runs.get(run), epoch_row(3)
    assert (row.epoch, row.seconds) == (3, 0.75)
    for name in ("train_accuracy", "valid_accuracy", "test_accuracy"):
        assert getattr(row, name) == last[name]


@pytest.mark.parametrize(
    ("epoch", "after"), [(2, True), (3, True), (1, False)], ids=["at its end", "in the next one", "before it"]
)
def test_going_back_shows_the_accuracies_after_a_pruning_if_the_checkpoint_is_of_after_it(epoch, after, store):
    run = store.runs.add(SMALL)
    store.leases.claim(run, "me")
    store.histories.begin(run, "me", b"initial")
    first, second = epoch_row(1) | {"sparsity": 0.0}, epoch_row(2) | {"sparsity": 0.0 if after else 0.3}
    pruning = pruning_row(1, epoch=epoch, sparsity=0.3)
    steps = [
        lambda: store.histories.add_epoch(run, "me", first),
        lambda: store.histories.add_epoch(run, "me", second),
        lambda: save_pruning(store, run, "me", pruning, checkpoint=checkpoint_row(2 if after else 1)),
    ]
    for step in steps if after else [steps[0], steps[2], steps[1]]:
        step()
    store.checkpoints.save(run, "me", checkpoint_row(2))
    store.histories.add_epoch(run, "me", epoch_row(3))
    store.checkpoints.restore(run, "me")
    row = store.runs.get(run)
    expected = pruning["valid_accuracy_after"] if after else second["valid_accuracy"]
    assert (row.valid_accuracy, row.train_accuracy, row.prunings) == (expected, second["train_accuracy"], 1)


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(store):
    run = store.runs.add(SMALL)
    store.leases.claim(run, "me")
    assert store.checkpoints.restore(run, "me") is None


def test_beginning_again_forgets_what_was_recorded(store):
    run = running(store)
    store.histories.begin(run, "me", b"initial again")
    assert store.histories.epochs(run).empty and store.histories.prunings(run).empty
    assert (
        store.frames.newest(run, SMALL.hidden)
        is store.weights.get(run, "before-1")
        is store.checkpoints.restore(run, "me")
        is None
    )
    row = store.runs.get(run)
    assert (row.epoch, row.prunings, row.sparsity, row.seconds) == (0, 0, 0.0, 0.0)
    assert row.train_accuracy is row.valid_accuracy is row.test_accuracy is None


@only_sqlite
def test_a_checkpoint_larger_than_the_database_takes_in_one_value_comes_back_whole(store, monkeypatch):
    monkeypatch.setattr(checkpoints, "PART", 100_000)
    with store.database.reading() as connection:
        limited = connection.connection.driver_connection
    limited.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 200_000)
    run = running(store)
    for size in (1_000_001, 300_000, 7):
        state = random.Random(size).randbytes(size)
        store.checkpoints.save(run, "me", {"epoch": 1, "seconds": 2.0, "state": state})
        assert store.checkpoints.restore(run, "me") == (state, 2.0)
    with store.transaction() as connection:
        assert connection.connection.driver_connection is limited  # so the limit did hold


@only_sqlite
def test_a_value_too_large_for_the_database_is_said_to_be_so(store):
    run = running(store)
    with store.database.reading() as connection:
        connection.connection.driver_connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
    with pytest.raises(StoreUnusable, match="too large") as caught:
        store.runs.close(run, "me", "finished", weights=bytes(200_000))
    assert "Move the file" not in str(caught.value)


def test_a_run_that_ended_needs_no_checkpoint_any_more(store):
    for status in ("finished", "stopped", "diverged", "failed"):
        run = running(store)
        store.runs.close(run, "me", status, weights=b"final")
        assert not any(row[0] in ("checkpoints", "checkpoint_parts") for row in contents(store))


# Many at once


def test_nobody_who_only_looks_waits_for_a_writer_and_sees_half_of_what_it_does(store):
    run = running(store)
    onlooker = Store()
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE runs SET name = 'changed'")
        connection.exec_driver_sql("DELETE FROM epochs")
        assert onlooker.runs.get(run).name == SMALL.title
        assert len(onlooker.histories.epochs(run)) == 1
    assert store.runs.get(run).name == "changed"
    assert store.histories.epochs(run).empty


def test_processes_that_write_at_the_same_time_lose_nothing(home):
    program = """
import sys
from abp.store.store import Store
from tests.store.test_store import SMALL, epoch_row, frame_row, pruning_row, save_pruning
print("ready", flush=True)
sys.stdin.readline()
store, owner = Store(), sys.argv[1]  # all of them make the database
run = store.runs.add(SMALL, name=owner)
assert store.leases.claim(run, owner)
store.histories.begin(run, owner, b"initial")
for number in range(1, 26):
    store.histories.add_epoch(run, owner, epoch_row(number))
    store.frames.save(run, owner, frame_row(number), seconds=number)
    save_pruning(store, run, owner, pruning_row(number))
    store.commands.add(run, "pause", by=owner)
"""
    owners = ["a", "b", "c"]
    start_together([start_python(program, owner) for owner in owners])
    store = Store()
    runs = store.runs.all()
    assert sorted(run.name for run in runs) == owners
    for run in runs:
        assert (
            store.histories.epochs(run.id)["epoch"].tolist()
            == store.histories.prunings(run.id)["number"].tolist()
            == [*range(1, 26)]
        )
        assert store.frames.newest(run.id, SMALL.hidden).epoch == run.epoch == run.prunings == 25
        assert [command.arguments for command in store.commands.of(run.id)] == [{"by": run.name}] * 25


def test_a_writer_killed_within_a_transaction_leaves_nothing_of_it_and_blocks_nobody(store):
    run = running(store)
    before = contents(store)
    program = """
import sys
from abp.store.repositories import checkpoints
from abp.store.store import Store
from tests.store.test_store import pruning_row, save_pruning

def hang(*arguments):
    print("inside", flush=True)
    sys.stdin.read()
checkpoints.put = hang  # the pruning itself is written by then
save_pruning(Store(), int(sys.argv[1]), "me", pruning_row(2))
"""
    process = start_python(program, run)
    try:
        assert process.stdout.readline() == "inside\n"
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert contents(store) == before
    save_pruning(store, run, "me", pruning_row(2))
    assert store.histories.prunings(run)["number"].tolist() == [1, 2]


def test_a_writer_killed_at_any_moment_leaves_whole_transactions_only(store):
    program = """
import itertools, sys
from abp.store.store import Store
from tests.store.test_store import pruning_row, save_pruning
store = Store()
for number in itertools.count(2):
    save_pruning(store, int(sys.argv[1]), "me", pruning_row(number))
"""
    for attempt in range(2):
        run = running(store)
        process = start_python(program, run)
        try:
            enough = 3 + random.Random(attempt).randrange(20)
            wait_until(lambda run=run, enough=enough: store.runs.get(run).prunings > enough)
        finally:
            process.kill()
            process.communicate()
        made = store.runs.get(run).prunings
        assert store.histories.prunings(run)["number"].tolist() == [*range(1, made + 1)]
        assert store.weights.get(run, f"before-{made}") and not store.weights.get(run, f"before-{made + 1}")
        assert store.checkpoints.restore(run, "me")[0] == b"state after epoch %d" % made
        if not POSTGRESQL:
            assert sqlite3.connect(store.path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# Disks


@only_sqlite
def test_on_a_full_disk_writing_says_so_and_what_was_written_stays(small_disk):
    store = Store(small_disk / "abp.sqlite3")
    run = running(store)
    filler = fill(small_disk)
    with pytest.raises(StoreFull, match=rf"disk that holds {store.path} is full. Free some space"):
        save_epochs(store, run, range(2, 1000))  # the log may have some room left
    written = store.runs.get(run).epoch
    assert store.histories.epochs(run)["epoch"].tolist() == [*range(1, written + 1)]
    with pytest.raises(StoreFull):
        store.checkpoints.save(run, "me", checkpoint_row(1) | {"state": bytes(100_000)})
    assert store.histories.epochs(run)["epoch"].tolist() == [*range(1, written + 1)]
    filler.unlink()
    store.histories.add_epoch(run, "me", epoch_row(written + 1))
    store.checkpoints.save(run, "me", checkpoint_row(written + 1) | {"state": bytes(100_000)})
    assert len(Store(store.path).histories.epochs(run)) == written + 1


@only_sqlite
def test_opening_a_database_on_a_full_disk_says_that_the_disk_is_full(small_disk):
    path = small_disk / "abp.sqlite3"
    run = running(store := Store(path))
    store.database.dispose()
    assert os.listdir(small_disk) == ["abp.sqlite3"]
    before, filler = path.read_bytes(), fill(small_disk)
    for name in ("abp.sqlite3", "another.sqlite3"):
        with pytest.raises(StoreFull, match=rf"disk that holds {small_disk / name} is full"):
            Store(small_disk / name).runs.add(SMALL)
    assert path.read_bytes() == before
    filler.unlink()
    assert Store(path).runs.get(run).epoch == 1
    assert Store(path).runs.add(SMALL) > run


@only_sqlite
def test_a_database_on_a_disk_that_cannot_be_written_to_is_refused(small_disk, monkeypatch):
    path = small_disk / "abp.sqlite3"
    store = Store(path)
    store.database.dispose()
    monkeypatch.setenv("ABP_HOME", str(small_disk))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreUnusable, match=rf"{path} cannot be used: it is not writable"):
        Store(path).runs.add(SMALL)
    with pytest.raises(HomeUnusable, match=rf"{small_disk}: it cannot be written to"):
        Store()


@only_sqlite
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the read-only disk above is for root")
def test_a_database_in_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o500)
    with pytest.raises(StoreUnusable, match=str(folder)):
        Store(folder / "abp.sqlite3")
    monkeypatch.setenv("ABP_HOME", str(folder))
    with pytest.raises(HomeUnusable, match=str(folder)):
        Store()


# Files that are no database of ours


def whole_database(folder: Path) -> bytes:
    """The bytes of a database with some runs in it."""
    path = folder / "whole.sqlite3"
    store = Store(path)
    for _ in range(5):
        running(store)
    store.database.dispose()
    assert not path.with_name(path.name + "-wal").exists()
    return path.read_bytes()


def changed(whole: bytes, folder: Path, *statements: str) -> bytes:
    path = folder / "changed.sqlite3"
    path.write_bytes(whole)
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path.read_bytes()


DAMAGES: dict[str, tuple[Callable[[bytes, Path], bytes], str]] = {
    "noise": (lambda whole, folder: random.Random(0).randbytes(len(whole)), "not a database"),
    "a text": (lambda whole, folder: b"I am not a database.\n" * 500, "not a database"),
    "cut short": (lambda whole, folder: whole[: len(whole) // 2], "malformed"),
    "cut within the first page": (lambda whole, folder: whole[:1000], "cannot be used"),
    "another program's": (
        lambda whole, folder: changed(b"", folder, "CREATE TABLE recipes (cake TEXT)"),
        "holds something else",
    ),
    "a later version": (
        lambda whole, folder: changed(whole, folder, "UPDATE alembic_version SET version_num = '999'"),
        "a newer version of ABP Lab .schema 999.",
    ),
    "without a version": (
        lambda whole, folder: changed(whole, folder, "DELETE FROM alembic_version"),
        "something else",
    ),
    "with another table of that name": (
        lambda whole, folder: changed(b"", folder, "CREATE TABLE alembic_version (cake TEXT)"),
        "cannot be used",
    ),
    "another program's that Alembic keeps too": (
        lambda whole, folder: changed(whole, folder, "UPDATE alembic_version SET version_num = '1975ea83b712'"),
        "holds something else",
    ),
    "a version too old": (
        lambda whole, folder: changed(
            b"", folder, "CREATE TABLE abp_schema (version INTEGER)", "INSERT INTO abp_schema VALUES (3)"
        ),
        "an older version of ABP Lab .schema 3.",
    ),
}


@only_sqlite
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_no_database_of_ours_is_refused_by_name_and_left_alone(damage, tmp_path):
    make, complaint = DAMAGES[damage]
    damaged = make(whole_database(tmp_path), tmp_path)
    folder = tmp_path / "home"
    folder.mkdir()
    path = folder / "abp.sqlite3"
    path.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(StoreUnusable, match=complaint) as caught:
            Store(path)
        assert str(path) in str(caught.value) and "ABP_HOME" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == damaged
    assert os.listdir(folder) == ["abp.sqlite3"]


@only_sqlite
def test_a_database_damaged_in_its_middle_gives_a_sentence_wherever_it_is_met(tmp_path):
    whole = whole_database(tmp_path)
    path = tmp_path / "abp.sqlite3"
    page = 4096
    for number in range(1, len(whole) // page):
        noise = random.Random(number).randbytes(page)
        path.write_bytes(whole[: number * page] + noise + whole[(number + 1) * page :])
        with contextlib.suppress(StoreUnusable):
            store = Store(path)
            for run in store.runs.all():
                store.histories.epochs(run.id), store.histories.prunings(run.id), store.commands.of(run.id)
                store.frames.newest(run.id, SMALL.hidden), store.weights.get(run.id, "initial")
            store.runs.add(SMALL)
        for left in tmp_path.glob("abp.sqlite3-*"):
            left.unlink()


@only_sqlite
def test_a_folder_in_the_place_of_the_database_is_refused(tmp_path):
    with pytest.raises(StoreUnusable, match=str(tmp_path)):
        Store(tmp_path)


@only_sqlite
def test_an_empty_file_becomes_a_database(tmp_path):
    path = tmp_path / "abp.sqlite3"
    path.touch()
    assert Store(path).runs.all() == []
