"""Databases of earlier versions: copied, brought up to date, and nothing in them lost."""

import dataclasses
import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from abp.runs.worker import execute
from abp.store import migrations
from abp.store.database import StoreUnusable
from abp.store.schema import VERSION, metadata
from abp.store.store import Store
from abp.studies.registry import studies
from abp.studies.specification import Study
from abp.training.experiment import Experiment
from tests.databases import only_sqlite
from tests.disks import fill

pytestmark = only_sqlite

DUMP = Path(__file__).with_name("schema_5.sql").read_text()


@pytest.fixture
def path(tmp_path):
    """A database of schema 5 with a finished and an interrupted run, two that wait, and a study."""
    path = tmp_path / "abp.sqlite3"
    connection = sqlite3.connect(path)
    connection.executescript(DUMP)
    connection.close()
    return path


def rows(path: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def schema_differences(store: Store) -> list:
    with store.database.reading() as connection:
        return compare_metadata(MigrationContext.configure(connection), metadata)


SAME = ("runs", "epochs", "prunings", "commands", "weights", "starts", "studies", "study_runs", "baselines", "measures")


def test_a_database_of_schema_5_opens_with_all_that_is_in_it(path):
    columns = {table: ", ".join(row[1] for row in rows(path, f"PRAGMA table_info({table})")) for table in SAME}

    def now() -> dict[str, list[tuple]]:
        return {table: rows(path, f"SELECT {columns[table]} FROM {table}") for table in SAME}

    before = now()
    frames = rows(path, "SELECT run, epoch, batch, counts FROM frames")
    states = rows(path, "SELECT run, state FROM checkpoints")
    for _ in range(2):
        store = Store(path)
        assert now() == before
        assert rows(path, "SELECT run, epoch, batch, counts FROM frames") == frames
        assert rows(path, "SELECT run, content FROM checkpoint_parts") == states
    assert all(before[table] for table in SAME if table != "starts") and frames and states

    names = [run.name.split(" ·")[0] for run in store.runs.all()]
    assert names[2:] == ["Interrupted before the migration", "Finished before the migration"]
    finished = store.runs.get(1)
    assert finished.status == "finished" and len(store.histories.epochs(1)) == finished.epoch == 4
    assert store.weights.has(1, "final") and store.frames.newest(1, finished.experiment.hidden).epoch == 4
    assert [command.kind for command in store.commands.pending(2)] == ["pace"]
    assert [record.name for record in studies(store)] == ["A study of schema 5"]
    assert store.baselines.all() == {1: {"pca": 0.25}}


def test_the_database_as_it_was_lies_beside_it_afterwards(path):
    before = dump(path)
    Store(path)
    copy = path.with_name("abp-schema-5.sqlite3")
    assert dump(copy) == before
    Store(path)
    assert {file.name for file in path.parent.glob("*.sqlite3")} == {path.name, copy.name}


def test_an_earlier_copy_is_never_overwritten(path):
    path.with_name("abp-schema-5.sqlite3").write_text("an earlier copy")
    before = dump(path)
    Store(path)
    assert path.with_name("abp-schema-5.sqlite3").read_text() == "an earlier copy"
    assert dump(path.with_name("abp-schema-5-2.sqlite3")) == before


def test_a_run_interrupted_before_the_migration_goes_on_from_its_checkpoint(path):
    store = Store(path)
    store.commands.add(2, "resume")
    assert execute(store, 2, "me")
    run = store.runs.get(2)
    assert (run.status, run.message) == ("finished", None)
    assert store.histories.epochs(2)["epoch"].tolist() == [*range(1, run.epoch + 1)] and run.epoch > 3


def test_a_migrated_database_has_the_same_tables_as_a_new_one(path, tmp_path):
    assert schema_differences(Store(path)) == schema_differences(Store(tmp_path / "new.sqlite3")) == []
    for table in metadata.tables:
        columns = [
            {row[1:3] for row in rows(each, f"PRAGMA table_info({table})")} for each in (path, tmp_path / "new.sqlite3")
        ]
        assert columns[0] == columns[1], table


def test_the_newest_step_leads_to_the_schema_of_this_version():
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_current_head() == str(VERSION)


def test_a_migration_that_fails_leaves_the_database_as_it_was(path, monkeypatch):
    before = dump(path)
    with monkeypatch.context() as patch:
        patch.setattr(MigrationContext, "stamp", lambda *_: 1 / 0)  # the last thing that is done
        with pytest.raises(ZeroDivisionError):
            Store(path)
    assert dump(path) == before
    assert len(Store(path).runs.all()) == 4


def test_of_many_that_open_an_old_database_at_once_one_migrates_it(path):
    start, failures = threading.Barrier(6), []

    def open_it() -> None:
        start.wait()
        try:
            assert len(Store(path).runs.all()) == 4
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len([*path.parent.glob("abp-schema-5*.sqlite3")]) == 1


def test_without_room_for_the_copy_nothing_is_changed(small_disk):
    path = small_disk / "abp.sqlite3"
    connection = sqlite3.connect(path)
    connection.executescript(DUMP)
    connection.close()
    before, filler = path.read_bytes(), fill(small_disk)
    with pytest.raises(StoreUnusable, match="full|could not be written"):
        Store(path)
    assert path.read_bytes() == before
    filler.unlink()
    assert len(Store(path).runs.all()) == 4


def test_an_ordinary_start_does_not_import_alembic(tmp_path):
    program = "import sys; from pathlib import Path; from abp.store.store import Store; Store(Path(sys.argv[1]))"
    program += "; sys.exit('alembic' in sys.modules)"
    path = tmp_path / "abp.sqlite3"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program, path], check=True, cwd=Path(__file__).parents[2])


def test_runs_prunings_commands_and_studies_by_wanda_of_old_get_its_new_name(path):
    """Wanda once ranked over all layers: no run of that may serve a study of today's."""
    connection = sqlite3.connect(path)
    old = Experiment(criterion="wanda").to_json()
    connection.execute("UPDATE runs SET settings = ? WHERE id = 1", (old,))
    connection.execute("UPDATE prunings SET criterion = 'wanda' WHERE run = 1 AND number = 1")
    study = Study(datasets=("digits",), criteria=("none", "wanda", "magnitude"), amounts=(0.5,), seeds=(0,))
    connection.execute("UPDATE studies SET specification = ?", (study.to_json(),))
    adding = "INSERT INTO commands (run, kind, arguments, created) VALUES (2, 'prune', ?, 0)"  # they wait
    for criterion in ("wanda", "magnitude"):
        connection.execute(adding, (json.dumps({"criterion": criterion, "amount": 0.1}),))
    connection.commit()
    others = "SELECT settings FROM runs WHERE id > 1 ORDER BY id"
    before = connection.execute(others).fetchall()
    connection.close()
    store = Store(path)
    assert store.runs.get(1).experiment == Experiment(criterion="wanda-global")
    assert store.histories.prunings(1)["criterion"].tolist()[0] == "wanda-global"
    asked = [command.arguments for command in store.commands.pending(2)[1:]]
    assert asked == [{"criterion": name, "amount": 0.1} for name in ("wanda-global", "magnitude")]
    (record,) = studies(store)
    assert record.study == dataclasses.replace(study, criteria=("none", "wanda-global", "magnitude"))
    assert rows(path, others) == before
