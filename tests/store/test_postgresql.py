"""What only a server does: it restarts, it is away, it refuses people, and many write at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from abp.store import schema
from abp.store.database import StoreUnusable
from abp.store.database.errors import StoreUnreachable
from abp.store.store import Store
from tests.databases import administer, beside, only_postgresql
from tests.postgresql import Server, server
from tests.store.test_store import SMALL, epoch_row, pruning_row, running, save_pruning
from tests.waiting import wait_until

pytestmark = only_postgresql


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """A server that these tests may stop."""
    with server(synchronous_commit="on") as running:
        administer("CREATE DATABASE mortal", running.url)
        yield running


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_who_trains_waits_for_a_server_that_restarts_and_loses_nothing(mode, own, monkeypatch):
    monkeypatch.setenv("ABP_DATABASE", beside(own.url, "mortal"))
    impatient, patient = Store(), Store(patience=120.0)
    run = running(patient)
    own.stop(mode)
    with pytest.raises(StoreUnreachable, match="cannot be reached") as caught:
        impatient.runs.get(run)
    assert "\n" not in str(caught.value) and "ABP_DATABASE" not in str(caught.value)
    saving = threading.Thread(target=lambda: patient.histories.add_epoch(run, "me", epoch_row(2)))
    saving.start()
    own.start()
    saving.join()
    assert impatient.histories.epochs(run)["epoch"].tolist() == [1, 2]
    row = impatient.runs.get(run)
    assert (row.status, row.owner) == ("running", "me") and impatient.leases.expire() == 0


def test_a_connection_lost_within_a_transaction_does_it_again_as_a_whole(home):
    store = Store(patience=60.0)
    run = running(store)
    save, cut = store.checkpoints.save, []

    def save_and_lose(*arguments) -> None:
        save(*arguments)
        if not cut:  # once: as a server that restarts does it to everybody
            cut.append(True)
            here = "datname = current_database() AND starts_with(state, 'idle in transaction')"
            ending = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {here}"
            administer(ending, os.environ["ABP_DATABASE"])
        store.frames.newest(run, SMALL.hidden)

    object.__setattr__(store.histories.checkpoints, "save", save_and_lose)
    save_pruning(store, run, "me", pruning_row(2))
    assert cut and store.histories.prunings(run)["number"].tolist() == [1, 2]


def test_of_two_that_lock_each_other_out_both_get_through(home):
    store = Store()
    runs = [store.runs.add(SMALL) for _ in range(2)]
    both, tries = threading.Barrier(2), []

    def rename(first: int, second: int, name: str) -> None:
        def work() -> None:
            tries.append(name)
            with store.transaction() as connection:
                connection.execute(update(schema.runs).where(schema.runs.c.id == first).values(name=name))
                if len(tries) <= 2:
                    both.wait()
                connection.execute(update(schema.runs).where(schema.runs.c.id == second).values(name=name))

        store.database.again(work)

    threads = [threading.Thread(target=rename, args=(*order, name)) for order, name in ((runs, "a"), (runs[::-1], "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) == 3 and len({store.runs.get(run).name for run in runs}) == 1


def test_a_claim_does_not_wait_for_whoever_has_the_row(home):
    store = Store()
    run = store.runs.add(SMALL)
    with store.transaction() as connection:
        connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(name="held"))
        taken = []
        other = threading.Thread(target=lambda: taken.append(store.leases.claim(run, "other")))
        other.start()
        wait_until(lambda: taken)
    other.join()
    assert taken == [None] and store.leases.claim(run, "other")


def test_an_older_database_is_copied_to_a_file_and_migrated(home, monkeypatch):
    store = Store()
    run = running(store)
    with store.transaction() as connection:
        added = ("runs.claims", "runs.deaths", "runs.processor", "epochs.predictions", "prunings.predictions")
        for column in added:
            table, _, name = column.partition(".")
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {name}")
        connection.execute(update(schema.schema).values(version_num="9"))
    migrated = Store()
    assert migrated.runs.get(run).deaths == 0 and len(migrated.histories.epochs(run)) == 1
    (copy,) = home.glob("*-schema-9.sqlite3")
    assert Store(copy).runs.get(run).epoch == 1  # it can be used, and restored


def test_numbers_beyond_those_of_32_bits_are_numbers(home):
    store = Store()
    run = running(store)
    store.histories.add_epoch(run, "me", epoch_row(2) | {"samples": 2**40})
    assert store.histories.epoch_counts(run)[-1][1] == 2**40


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://abp:secret@nowhere/abp", "not mysql"),
        ("not a URL: secret", "not something else"),
        ("postgresql+psycopg2://abp:secret@nowhere/abp", "not postgresql.psycopg2"),
        ("postgresql+psycopg://abp:secret@nowhere.invalid/abp", "cannot be reached"),
    ],
)
def test_a_database_that_is_none_is_refused_in_a_sentence_without_its_password(url, complaint, home, monkeypatch):
    monkeypatch.setenv("ABP_DATABASE", url)
    with pytest.raises(StoreUnusable, match=complaint) as caught:
        Store()
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_database_that_is_not_there_is_said_to_be_so(own, monkeypatch):
    monkeypatch.setenv("ABP_DATABASE", beside(own.url, "nothing"))
    with pytest.raises(StoreUnusable, match="no database of this name"):
        Store()
