from __future__ import annotations

import json
import shutil
import sqlite3
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from abp import health
from abp.cli.main import main
from abp.pruning import criteria
from abp.store import schema
from abp.store.store import Store
from abp.studies.specification import preset
from abp.training.experiment import Experiment
from tests.rows import change_run


def found(subject: str) -> health.Finding:
    return next(each for each in health.examine() if each.subject == subject)


def test_a_new_installation_is_well_though_nothing_runs(home, capsys, tmp_path):
    assert main(["doctor", "--json", str(tmp_path / "found.json")]) == 0
    said = capsys.readouterr().err
    assert said.endswith("All is well.\n") and "Engine: it is not running" in said
    report = json.loads((tmp_path / "found.json").read_text())
    assert report["well"] and {each["state"] for each in report["findings"]} <= {"well", "note"}
    assert {"Versions", "Folder", "Free space", "Database", "Engine", "Data", "Clock"} <= {
        each["subject"] for each in report["findings"]
    }
    assert not (home / "abp.sqlite3").exists()  # looking makes nothing


def test_what_is_wrong_is_said_with_what_to_do_and_hides_nothing_else(home, capsys, monkeypatch):
    home.mkdir()
    (home / "abp.sqlite3").write_bytes(b"no database at all" * 1000)
    monkeypatch.setenv("ABP_DATA_DIR", str(home / "nowhere"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    assert main(["doctor"]) == 1
    said = capsys.readouterr().err
    for part in ("abp.sqlite3 is damaged", "restore a backup", "nowhere, which is no folder", "Free some space"):
        assert part in said
    assert "ok    Versions" in said and "Traceback" not in said
    assert (home / "abp.sqlite3").read_bytes() == b"no database at all" * 1000


def test_runs_that_wait_for_a_person_or_an_engine_are_named(home):
    store = Store()
    first, second = store.runs.add(Experiment()), store.runs.add(Experiment())
    assert found("Runs").state == "note" and "abp dashboard" in found("Runs").advice
    assert found("Database").found.endswith("2 runs")
    with store.transaction() as connection:
        connection.execute(update(schema.runs).where(schema.runs.c.id == first).values(status="interrupted"))
    runs = found("Runs")
    assert runs.found == "1 queued, 1 interrupted" and "Resume" in runs.advice
    store.runs.delete(second)


def test_runs_and_studies_that_cannot_be_read_are_named_with_the_reason(home):
    assert found("Records").found == "none yet"
    store = Store()
    runs = [store.runs.add(Experiment(seed=seed)) for seed in range(3)]
    assert found("Records").state == "well"
    for run in runs[1:]:
        change_run(store, run, settings=Experiment().to_json().replace('"at-once"', '"nightly"'))
    store.studies.add("broken", preset("demo").to_json().replace('"digits"', '"no-such-data"', 1))
    records = found("Records")
    assert records.state == "problem" and "schedule must be one of at-once" in records.found
    assert records.found.startswith(f"run {runs[1]}, run {runs[2]}, study 1 cannot be read here; run {runs[1]} since")
    assert found("Clock").state == found("Database").state == "well" and found("Runs").state != "problem"


def test_a_criterion_that_cannot_be_loaded_is_named(home, registry):
    assert found("Criteria").state == "well"
    criteria.BROKEN["my-method"] = "ImportError: no module named numpie"
    broken = found("Criteria")
    assert broken.state == "problem" and "my-method could not be loaded (ImportError: no mod" in broken.found


def test_a_clock_that_was_put_back_is_noticed(home):
    store = Store()
    run = store.runs.add(Experiment())
    assert found("Clock").state == "well"
    with store.transaction() as connection:
        connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(created=time.time() + 3600))
    assert found("Clock").state == "problem" and "clock" in found("Clock").advice


def test_a_version_that_was_not_tested_is_named(home, monkeypatch):
    real = health.metadata.version
    monkeypatch.setattr(health.metadata, "version", lambda name: "0.1" if name == "torch" else real(name))
    assert "torch 0.1 is installed" in found("Versions").found and found("Versions").state == "problem"


def test_a_scheduler_that_does_not_answer_is_a_problem(home, monkeypatch):
    monkeypatch.setenv("ABP_SCHEDULER", "tcp://127.0.0.1:9")
    assert found("Engine").state == "problem" and "abp scheduler" in found("Engine").advice


def test_errors_of_the_last_day_are_counted(home):
    (home / "logs").mkdir(parents=True)
    entries = [
        {"level": "error", "time": datetime.now(UTC).isoformat()},
        {"level": "warning", "time": datetime.now(UTC).isoformat()},
        {"level": "error", "time": "2020-01-01T00:00:00+00:00"},
    ]
    (home / "logs" / "engine.log").write_text("".join(f"{json.dumps(each)}\n" for each in entries) + "torn {\n")
    assert found("Logs").found == "1 error since yesterday" and found("Logs").state == "note"


@pytest.mark.parametrize("fault", [sqlite3.OperationalError("x"), KeyError("y")])
def test_what_cannot_be_looked_at_is_a_problem(fault, home, monkeypatch):
    def look():
        raise fault
        yield

    monkeypatch.setitem(health._SUBJECTS, "Data", look)
    assert found("Data").state == "problem" and type(fault).__name__ in found("Data").found
