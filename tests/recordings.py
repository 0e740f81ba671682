"""Runs that are trained once in a test run: tests that need one to look at, not to train, get a copy of its rows."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from sqlalchemy import insert, select, update

from abp.runs import worker
from abp.store import schema
from abp.store.store import Store
from abp.training.experiment import Experiment

AS_ASKED = ("id", "name", "lane", "created", "pace", "held", "parent", "origin")


def trained(store: Store, experiment: Experiment, **details) -> int:
    """Add a run that has been trained to its end, with all that is recorded of it; its number.

    Parameters
    ----------
    details
        As of `abp.store.repositories.runs.Runs.add`.
    """
    number = store.runs.add(experiment, **details)
    finish(store, number)
    return number


def finish(store: Store, number: int) -> None:
    """Give a queued run all that a worker would record of it."""
    run = store.runs.get(number)
    recording = _recording(run.experiment, run.keep)
    with recording.database.reading() as source, store.transaction() as target:
        (found,) = source.execute(select(schema.runs)).mappings()
        values = {name: value for name, value in found.items() if name not in AS_ASKED}
        target.execute(update(schema.runs).where(schema.runs.c.id == number).values(values))
        for table in schema.metadata.sorted_tables:
            if "run" in table.columns and (rows := source.execute(select(table)).mappings().all()):
                of_this_run = [{name: row[name] for name in row if name != "id"} | {"run": number} for row in rows]
                target.execute(insert(table), of_this_run)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="abp-recordings-", ignore_cleanup_errors=True)


@functools.cache
def _recording(experiment: Experiment, keep: str) -> Store:
    """A store that holds nothing but this run."""
    store = Store(Path(tempfile.mkdtemp(dir=_folder().name)) / "abp.sqlite3")
    assert worker.execute(store, store.runs.add(experiment, keep=keep), worker.new_owner())
    return store
