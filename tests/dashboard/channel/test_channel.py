from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import websockets

from abp.dashboard.channel import reader, route
from abp.runs.worker import execute
from abp.store.records import unpack_counts
from abp.store.store import Store
from tests.dashboard.channel.conftest import Channel, Told, run_all
from tests.runs.test_worker import FAST, LONG, TINY, alone, recorded, same
from tests.waiting import PATIENCE, run_async

HIDDEN = TINY.hidden
ENDLESS = dataclasses.replace(LONG, epochs=10_000, criterion="none")
EPOCHS = ("train_accuracy", "valid_accuracy", "test_accuracy", "train_loss", "valid_loss", "test_loss", "sparsity")


@contextmanager
def training(store: Store, experiment=ENDLESS, **details) -> Iterator[int]:
    """A run that another thread trains; it is stopped in the end."""
    run = store.runs.add(experiment, **details)
    thread = threading.Thread(target=execute, args=(Store(), run, "worker"))
    thread.start()
    try:
        yield run
    finally:
        if any(each.id == run for each in store.runs.all()):
            store.commands.add(run, "stop")
        thread.join(PATIENCE)


def ended(told: Told) -> bool:
    return bool(told.messages) and told.history["run"]["status"] in ("finished", "stopped")


def is_what_was_recorded(store: Store, run: int, told: Told) -> None:
    """Compare what a viewer knows with the store, to the bit."""
    history, epochs = told.history, store.histories.epochs(run)
    for name in ("epoch", *EPOCHS):
        assert history["epochs"][name] == epochs[name].tolist(), name
    prunings = store.histories.prunings(run)
    for name in ("number", "epoch", "batch", "criterion", "made_by", "achieved", "weights_removed", "neurons_removed"):
        assert [row[name] for row in history["prunings"]] == prunings[name].tolist(), name
    row = store.runs.get(run)
    assert (history["run"]["status"], history["run"]["prunings"]) == (row.status, row.prunings)


# What viewers are told


def test_who_joins_an_ended_run_is_told_all_that_was_recorded_and_its_last_frame(channel, store):
    run = store.runs.add(TINY)
    execute(store, run, "me")
    (told,) = run_all(channel.watch(run, lambda told: bool(told.frames)))
    is_what_was_recorded(store, run, told)
    assert told.messages[0]["type"] == "history" and told.history["hidden"] == list(HIDDEN)
    frame = store.frames.newest(run, HIDDEN)
    for name in ("recent_counts", "epoch_counts", "counts", "live_weights"):
        assert getattr(told.frames[-1], name).tolist() == np.concatenate(getattr(frame, name)).tolist()
    head = told.frames[-1].head
    assert (head["epoch"], head["batch"], head["batches"], head["samples"]) == (
        frame.epoch, frame.batch, frame.batches, frame.samples
    )  # fmt: skip


def test_who_watches_from_the_start_to_the_end_is_told_what_was_recorded(channel, store):
    with training(store, dataclasses.replace(TINY, epochs=30), pace=20.0) as run:
        (told,) = run_all(channel.watch(run, ended))
    is_what_was_recorded(store, run, told)
    assert len(told.of("history")) == 1 and told.of("epoch") and told.of("pruning")
    numbers = [frame.head["number"] for frame in told.frames]
    assert numbers == sorted(set(numbers)), "each frame comes once, in order"


def test_who_joins_in_the_middle_or_again_knows_as_much_as_who_was_there_from_the_start(channel, store):
    with training(store) as run:
        first, again = Told(), Told()
        run_all(channel.watch(run, lambda told: len(told.of("epoch")) >= 2, first))
        store.commands.add(run, "prune", criterion="magnitude", amount=0.3)
        run_all(
            channel.watch(run, lambda told: len(told.of("epoch")) >= 2, first),
            channel.watch(run, lambda told: bool(told.messages) and bool(told.history["prunings"]), again),
        )
        store.commands.add(run, "stop")
        run_all(channel.watch(run, ended, first), channel.watch(run, ended, again))
    is_what_was_recorded(store, run, first)
    is_what_was_recorded(store, run, again)


def test_two_viewers_share_one_reader_and_are_told_the_same(channel, store, monkeypatch):
    made = []
    follow = reader.Reader.__init__
    monkeypatch.setattr(
        reader.Reader, "__init__", lambda self, *details: (made.append(self), follow(self, *details))[1]
    )
    with training(store, pace=20.0) as run:

        def enough(told: Told) -> bool:
            return len(told.of("epoch")) >= 3

        first, second = run_all(channel.watch(run, enough), channel.watch(run, enough))
    assert len(made) == 1
    both = {row["epoch"] for row in first.of("epoch")} & {row["epoch"] for row in second.of("epoch")}
    rows = [[row for row in told.of("epoch") if row["epoch"] in both] for told in (first, second)]
    assert rows[0] == rows[1] and both


def test_what_came_of_a_command_is_told(channel, store):
    with training(store) as run:
        (told,) = run_all(channel.watch(run, lambda told: bool(told.frames)))
        number = store.commands.add(run, "pause")

        def paused(told: Told) -> bool:
            return bool(told.messages) and told.history["run"]["status"] == "paused"

        (told,) = run_all(channel.watch(run, paused))
        assert told.history["answer"] == {"type": "answer", "command": number, "kind": "pause", "outcome": "Paused."}
        store.runs.rename(run, "Another name")
        run_all(channel.watch(run, lambda told: bool(told.messages) and told.history["run"]["name"] == "Another name"))


def test_the_recent_counts_are_of_about_a_thousand_pictures_and_never_more_than_were_seen(channel, store):
    with training(store, pace=5.0) as run:
        (told,) = run_all(channel.watch(run, lambda told: len(told.frames) > 20))
    for frame in told.frames:
        head = frame.head
        assert head["recent_samples"] <= head["samples"]
        assert (frame.recent_counts <= head["recent_samples"]).all()
        assert (frame.recent_counts <= frame.counts).all()
        assert head["recent_samples"] >= min(1000, head["samples"])
        assert head["recent_samples"] < 2100


def test_a_watched_run_of_slow_pace_moves_within_its_epochs(channel, store):
    with training(store, pace=1.0) as run:
        (told,) = run_all(channel.watch(run, lambda told: len(told.of("epoch")) >= 4))
    by_epoch = [sum(frame.head["epoch"] == epoch for frame in told.frames) for epoch in range(2, 20)]
    assert max(by_epoch) > 2, "an unwatched epoch of the digits is trained in two parts"


def test_watching_changes_no_bit_of_a_run(channel, store):
    with training(store, LONG, pace=15.0) as run:
        run_all(channel.watch(run, ended), channel.watch(run, ended))
    same(recorded(store, run), alone(LONG))


def test_a_run_that_nobody_watches_shows_a_frame_now_and_then_and_one_that_is_watched_many(store, channel):
    run = store.runs.add(dataclasses.replace(ENDLESS, epochs=400))
    execute(store, run, "me")
    unwatched = store.frames.newest(run, HIDDEN).number
    with training(store, dataclasses.replace(ENDLESS, epochs=400)) as other:
        run_all(channel.watch(other, ended))
    assert store.frames.newest(other, HIDDEN).number > unwatched


# Ends


def test_the_viewers_of_a_deleted_run_are_told_and_let_go(channel, store):
    with training(store, pace=20.0) as run:
        told = Told()

        async def delete() -> None:
            while not told.messages:
                await asyncio.sleep(0.01)
            store.runs.delete(run)

        run_all(channel.watch(run, lambda told: False, told), delete())
    assert told.messages[-1] == {"type": "gone"} and told.code == 4404


def refused(channel: Channel, run: object, **details) -> int:
    """The answer's number to a socket that is not opened; it must not be told anything."""

    async def ask() -> int:
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await websockets.connect(channel.url(run), **details)
        assert refusal.value.response.body in (b"", None)
        return refusal.value.response.status_code

    return run_async(ask())


@pytest.mark.parametrize("run", ["7", "0", "-1", "x", "1e3", "９", "9" * 400, "1%20", "..", "1;drop"])
def test_a_run_that_is_not_there_is_refused(channel, run):
    assert refused(channel, run) in (403, 404)


def test_another_sites_page_is_refused_and_this_servers_is_not(channel, store):
    run = store.runs.add(TINY)
    for origin in ("http://elsewhere.example", "null", f"http://127.0.0.1:{channel.port + 1}", "http://127.0.0.1"):
        assert refused(channel, run, origin=origin) == 403
    run_all(channel.watch(run, lambda told: bool(told.messages), origin=f"http://127.0.0.1:{channel.port}"))


def test_one_socket_too_many_is_refused_and_a_place_that_is_left_is_given_again(channel, store, monkeypatch):
    monkeypatch.setattr(route, "MOST_SOCKETS", 2)
    run = store.runs.add(TINY)

    async def crowd() -> None:
        async with websockets.connect(channel.url(run)), websockets.connect(channel.url(run)):
            with pytest.raises(websockets.InvalidStatus):
                await websockets.connect(channel.url(run))
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await (await websockets.connect(channel.url(run))).close()
                    break
                except websockets.InvalidStatus:
                    await asyncio.sleep(0.05)

    run_async(crowd())


# Hostile and slow viewers


def test_nothing_that_a_viewer_sends_is_obeyed(channel, store):
    with training(store, pace=20.0) as run:
        before = store.commands.of(run)

        async def shout() -> None:
            async with websockets.connect(channel.url(run)) as socket:
                for _ in range(200):
                    await socket.send(json.dumps({"type": "stop", "kind": "stop", "run": run}))
                    await socket.send(b"\x00\xff" * 500)
                await socket.recv()

        (_, told) = run_all(shout(), channel.watch(run, lambda told: len(told.of("epoch")) >= 3))
        assert store.commands.of(run) == before and told.history["run"]["status"] == "running"


def test_a_viewer_that_never_reads_holds_up_nobody_and_misses_frames_instead_of_queueing_them(channel, store):
    with training(store, pace=20.0) as run, socket.create_connection(("127.0.0.1", channel.port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(
            f"GET /live/{run} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        (told,) = run_all(channel.watch(run, lambda told: len(told.frames) >= 30))
        (readers,) = (channel.live._readers,)
        viewers = [viewer for each in readers._readers.values() for viewer in each.viewers]
        assert all(viewer.frame is None or isinstance(viewer.frame, bytes) for viewer in viewers)
        assert all(len(viewer.waiting) <= reader.MOST_WAITING for viewer in viewers)
        assert len(told.frames) >= 30


# The film


def film(channel: Channel, run: object) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{channel.port}/live/{run}/film", timeout=PATIENCE) as reply:
        return reply.read()


def test_the_film_shows_what_was_counted_after_every_epoch_and_what_every_pruning_left(channel, store):
    run = store.runs.add(dataclasses.replace(TINY, criterion="activation-neuron"))
    execute(store, run, "me")
    data = film(channel, run)
    (length,) = struct.unpack_from("<I", data)
    head = json.loads(data[4 : 4 + length])
    neurons = sum(HIDDEN)
    assert (neurons % 2, (4 + length) % 4) == (0, 0), "no block needs filling up"
    size = neurons * (2 + 2 + 4)
    assert len(data) == 4 + length + size * len(head["moments"])
    counts = {epoch: (samples, packed) for epoch, samples, packed in store.histories.epoch_counts(run)}
    left = [np.concatenate(live) for _, live in store.histories.live_weights(run, HIDDEN)]
    total, seen = np.zeros(neurons), 0
    for number, moment in enumerate(head["moments"]):
        at = 4 + length + size * number
        share, since = np.frombuffer(data, "<u2", 2 * neurons, at).reshape(2, -1) / 65_535
        live = np.frombuffer(data, "<u4", neurons, at + 4 * neurons)
        samples, packed = counts[moment["epoch"]]
        epoch = np.concatenate(unpack_counts(packed, HIDDEN))
        if moment["pruning"] is None:
            total, seen = total + epoch, seen + samples
            cuts = sum(row["pruning"] is not None for row in head["moments"][:number])
            expected = left[cuts - 1] if cuts else np.repeat([64, 20], HIDDEN)
        else:
            expected = left[moment["pruning"] - 1]
        np.testing.assert_allclose(share, epoch / samples, atol=1e-5)
        np.testing.assert_allclose(since, total / seen, atol=1e-5)
        assert live.tolist() == expected.tolist()
    assert [row["pruning"] for row in head["moments"] if row["pruning"]] == [1, 2, 3]
    assert [row["epoch"] for row in head["moments"] if not row["pruning"]] == sorted(counts)


def test_the_film_of_a_run_that_is_not_there_is_a_404_with_a_sentence(channel):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        film(channel, 7)
    assert refusal.value.code == 404 and "no such run" in refusal.value.read().decode()


def test_the_film_of_a_long_run_leaves_epochs_out_evenly_and_keeps_its_prunings(channel, store, monkeypatch):
    monkeypatch.setattr("abp.dashboard.channel.film.MOST_MOMENTS", 4)
    run = store.runs.add(dataclasses.replace(TINY, **FAST))
    execute(store, run, "me")
    data = film(channel, run)
    (length,) = struct.unpack_from("<I", data)
    moments = json.loads(data[4 : 4 + length])["moments"]
    epochs = [row["epoch"] for row in moments if row["pruning"] is None]
    assert {1, store.runs.get(run).epoch} <= set(epochs)
    assert [row["pruning"] for row in moments if row["pruning"]] == [1, 2, 3]
