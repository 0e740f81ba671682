"""Backups, restoring them to either kind of database, and making room."""

from __future__ import annotations

import random
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert

from abp.cli.main import main
from abp.store import schema
from abp.store.database import StoreUnusable
from abp.store.store import Store
from abp.store.upkeep.backup import backup
from abp.store.upkeep.checking import BackupUnusable, check
from abp.store.upkeep.restore import restore
from abp.store.upkeep.tidying import removable, tidy
from tests import databases
from tests.databases import only_sqlite
from tests.disks import fill
from tests.rows import change_run, contents
from tests.store.test_store import SMALL, epoch_row, in_status, running


@pytest.fixture
def store(home) -> Store:
    """A store with runs in several conditions, a study and a data set."""
    store = Store()
    runs = [in_status(store, status) for status in ("finished", "interrupted", "queued", "parked")]
    study = store.studies.add("A study", "{}")
    store.studies.link(study, runs[0])
    store.summaries.add(runs[0], {"numbers": {"latency": 1.5}, "spectra": b"spectra"})
    store.baselines.save(runs[0], {"pca": 0.25})
    with store.transaction() as connection:
        row = {"key": "mine@0123", "name": "mine", "hash": "0" * 64, "created": 1.0, "size": 3, "description": {"a": 1}}
        connection.execute(insert(schema.datasets).values(row))
        connection.execute(insert(schema.dataset_parts).values(dataset="mine@0123", part=0, content=b"\0\1\2"))
    return store


@pytest.fixture
def elsewhere(store, tmp_path, monkeypatch):
    """Another home folder, and another database of this kind, which becomes the default one."""
    monkeypatch.setenv("ABP_HOME", str(tmp_path / "elsewhere"))
    with databases.dropped(databases.where(tmp_path / "elsewhere")) as place:
        if isinstance(place, str):
            monkeypatch.setenv("ABP_DATABASE", place)
        yield tmp_path / "elsewhere"


def test_a_backup_restored_elsewhere_holds_the_same_and_numbers_go_on_above(store, elsewhere, tmp_path):
    before = contents(store)
    assert str(backup(store, tmp_path / "all.abp")) == "4 runs, 1 study and 1 data set"
    assert restore(tmp_path / "all.abp").before is None
    restored = Store()
    assert restored.name != store.name and contents(restored) == before
    assert restored.runs.add(SMALL) == max(run.id for run in store.runs.all()) + 1
    assert restored.commands.add(1, "pause") == len([row for row in before if row[0] == "commands"]) + 1


def test_a_backup_goes_to_the_other_kind_of_database_and_back(store, tmp_path, monkeypatch):
    """On SQLite this is a second file; with PostgreSQL, from the server to a file and back to the server."""
    before, file = contents(store), tmp_path / "all.abp"
    backup(store, file)
    other = tmp_path / "other" / "abp.sqlite3"
    other.parent.mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("ABP_DATABASE", f"sqlite:///{other}")
        restore(file)
        assert contents(Store()) == before
        backup(Store(), file)
    store.runs.delete(1)
    found = restore(file)
    assert contents(Store()) == before and found.before is not None
    assert len(Store(found.before).runs.all()) == len(store.runs.all()) - 1  # what was there is kept


def test_a_backup_made_while_runs_go_on_is_of_one_moment(store, tmp_path):
    run, ended = running(store), threading.Event()

    def write() -> None:
        for number in range(2, 10_000):
            with store.transaction():
                store.histories.add_epoch(run, "me", epoch_row(number))
                store.commands.add(run, "pace", epochs_per_second=number)
            if ended.is_set():
                break

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            backup(store, tmp_path / f"{number}.abp")
            found = Store(tmp_path / f"{number}.abp")
            assert len(found.histories.epochs(run)) == len(found.commands.of(run)) == found.runs.get(run).epoch
    finally:
        ended.set()
        writer.join()


def test_runs_that_were_in_training_when_the_backup_was_made_wait_for_a_worker_again(store, tmp_path):
    run, own = running(store), running(store, lane="self")
    backup(store, tmp_path / "all.abp")
    restore(tmp_path / "all.abp")
    for each in (run, own):
        row = store.runs.get(each)
        assert (row.status, row.owner, row.lease) == ("queued", None, None)
    assert {run, own} <= {each.id for each in store.runs.queued()}  # an engine takes both
    assert store.runs.get(1).status == "finished"


DAMAGES = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "noise": lambda whole: random.Random(0).randbytes(len(whole)),
    "noise inside": lambda whole: whole[:8192] + random.Random(1).randbytes(8192) + whole[16384:],
    "empty": lambda whole: b"",
}

FORGERIES = {
    "a later version": ("UPDATE alembic_version SET version_num = '999'", "a newer version"),
    "another program's": ("DELETE FROM alembic_version", "none of ABP Lab"),
    "without a table": ("DROP TABLE frames", "frames is missing"),
    "another table": ("ALTER TABLE frames ADD COLUMN cake TEXT", "frames is missing or another one"),
    "text for a number": ("UPDATE epochs SET train_loss = 'cake'", "epochs holds values"),
    "a status nobody knows": ("UPDATE runs SET status = 'baked'", "runs holds values"),
    "no JSON": ("UPDATE commands SET arguments = '{'", "commands holds values"),
    "settings nobody may have": ("UPDATE runs SET settings = '{\"hidden\": [1000000000000]}'", "settings of its run"),
    "a row of nothing": ("UPDATE epochs SET run = 77 WHERE epoch = 1 AND run = 1", "damaged"),
}


def test_what_is_no_whole_backup_replaces_nothing(store, tmp_path):
    good, bad = tmp_path / "good.abp", tmp_path / "bad.abp"
    backup(store, good)
    before, whole = contents(store), good.read_bytes()
    for name, damage in DAMAGES.items():
        bad.write_bytes(damage(whole))
        with pytest.raises(BackupUnusable, match="bad.abp cannot be restored") as caught:
            restore(bad)
        assert "\n" not in str(caught.value), name
    for name, (statement, complaint) in FORGERIES.items():
        bad.write_bytes(whole)
        with sqlite3.connect(bad) as connection:
            connection.execute(statement)
        connection.close()
        with pytest.raises(BackupUnusable, match=complaint):
            restore(bad)
        assert contents(store) == before, name
    with pytest.raises(BackupUnusable, match="no file"):
        restore(tmp_path / "none.abp")
    assert contents(store) == before


def test_a_backup_of_an_earlier_version_is_brought_up_to_date(store, tmp_path):
    old = tmp_path / "old.abp"
    with sqlite3.connect(old) as connection:
        connection.executescript(Path(__file__).with_name("schema_5.sql").read_text())
    connection.close()
    untouched = old.read_bytes()
    restore(old)
    assert {run.status for run in store.runs.all()} >= {"finished", "interrupted"} and len(store.runs.all()) == 4
    assert old.read_bytes() == untouched


def test_a_backup_that_cannot_be_written_leaves_the_one_before(store, small_disk):
    target = small_disk / "all.abp"
    target.write_bytes(b"the one before")
    filler = fill(small_disk, leave=20_000)
    with pytest.raises(StoreUnusable, match=f"The backup {target} could not be written"):
        backup(store, target)
    assert target.read_bytes() == b"the one before"
    assert {path.name for path in small_disk.iterdir()} == {"all.abp", filler.name}


@only_sqlite
def test_a_database_that_cannot_be_used_is_moved_aside_and_replaced(store, tmp_path):
    before, file = contents(store), tmp_path / "all.abp"
    backup(store, file)
    store.database.dispose()
    store.path.write_bytes(b"rubbish " * 1000)
    found = restore(file)
    assert found.before.read_bytes() == b"rubbish " * 1000
    assert contents(Store()) == before


def test_tidying_says_what_it_would_free_frees_it_and_leaves_what_runs_need(store, capsys):
    old, new, going_on = in_status(store, "finished"), in_status(store, "finished"), running(store)
    store.runs.close(extra := running(store), "me", "finished", weights=b"final")
    for run in (old, extra):
        change_run(store, run, finished=1.0)
    kept = [row for row in contents(store) if row[0] not in ("weights", "frames")]
    assert main(["tidy"]) == 0
    assert "Nothing was removed yet" in capsys.readouterr().out
    expected = removable(store)
    assert [(room.what.split()[0], room.rows) for room in expected] == [("weights", 2), ("last", 2), ("checkpoints", 0)]
    assert expected[0].bytes == 2 * len(b"weights before 1")
    assert tidy(store) == expected and [room.rows for room in removable(store)] == [0, 0, 0]
    assert [row for row in contents(store) if row[0] not in ("weights", "frames")] == kept
    for run, there in ((old, False), (extra, False), (new, True), (going_on, True)):
        assert store.weights.has(run, "initial") and store.weights.has(run, "before-1") == there
        assert (store.frames.newest(run, SMALL.hidden) is not None) == there
    assert store.weights.has(extra, "final") and store.checkpoints.restore(going_on, "me")


def test_the_command_line_backs_up_and_restores(store, tmp_path, capsys):
    file = tmp_path / "all.abp"
    assert main(["backup", str(file)]) == 0
    assert "4 runs, 1 study and 1 data set" in capsys.readouterr().err
    assert check(file) == schema.VERSION
    assert main(["restore", str(file)]) == 0
    assert "before-restore" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "none.abp")]) == 2
    assert main(["backup", str(tmp_path / "no folder" / "all.abp")]) == 2
    assert "there is no folder" in capsys.readouterr().err
