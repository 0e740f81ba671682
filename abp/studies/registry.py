"""Studies in the store: which runs serve them, how far they are, and starting, pausing and extending them.

A study takes up runs that are there already, so nothing is trained twice. Its own wait in the lane ``"queue"``.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from abp.runs.baselines import dense_settings
from abp.store import schema
from abp.store.database import reading, writing
from abp.store.records import ACTIVE, Run
from abp.store.store import Store, checked_name, in_paused_study_only, insert_row, insert_run
from abp.studies.specification import Cell, Study
from abp.training.experiment import Experiment

USABLE = ("finished", *ACTIVE, "interrupted")
"""Statuses of runs that a study takes up, the best first."""


class StudyUnknown(LookupError):
    """There is no study of this number."""


@dataclass(frozen=True)
class StudyRecord:
    """One study as the store knows it; columns are described in `abp.store.schema`."""

    id: int
    name: str
    specification: str
    paused: bool
    created: float

    @cached_property
    def study(self) -> Study:
        """Its specification."""
        return Study.from_json(self.specification)


@dataclass(frozen=True)
class StudyRun:
    """A run in its place in a study."""

    cell: Cell
    seed: int
    run: Run

    @property
    def counts(self) -> bool:
        """Whether it is a result: finished as the study wanted it, nothing done by hand."""
        return self.run.status == "finished" and not self.run.pruned_by_hand

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return self.run.status in ("failed", "diverged")

    @property
    def spoilt(self) -> bool:
        """Whether a person stopped it or pruned it by hand, so that it is no result."""
        return self.run.status == "stopped" or (self.run.pruned_by_hand and not self.failed)


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is; counts of runs.

    Attributes
    ----------
    total
        That its specification asks for.
    done
        That are results.
    going_on
        That wait for a worker, train or are paused.
    running
        That train now.
    paused, interrupted, failed, diverged, spoilt
        Spoilt are those stopped or pruned by hand. What is interrupted, failed or spoilt is made up for when the study
        is started again.
    missing
        That are not there (any more), since they were deleted.
    runs_per_second
        Expected, from finished runs; None while there is none to judge by.
    seconds_left
        Until all are done, with as many workers; None while there is none to judge by.
    """

    total: int
    done: int
    going_on: int
    running: int
    paused: int
    interrupted: int
    failed: int
    diverged: int
    spoilt: int
    missing: int
    runs_per_second: float | None
    seconds_left: float | None

    @property
    def shortfall(self) -> str:
        """Why runs are no results, in words; empty if all are."""
        names = ("going_on", "interrupted", "failed", "diverged", "spoilt", "missing")
        words = {"going_on": "still going on", "spoilt": "stopped or pruned by hand", "missing": "deleted"}
        counts = {name: getattr(self, name) for name in names}
        return ", ".join(f"{count} {words.get(name, name)}" for name, count in counts.items() if count)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of itself."""
        return self.going_on == 0


# What people do


def start_study(store: Store, study: Study, name: str | None = None) -> int:
    """Start a study, or the same one again, and return its number.

    Runs with the same settings are taken up, finished or not; what is missing is queued, and so are interrupted runs. A
    study of the same specification that is there already is gone on with: what failed or was stopped or pruned by hand
    is made anew, but for what diverged, which would diverge again.

    Raises
    ------
    abp.training.experiment.SettingError
        If the name has not 1 to 200 characters.
    """
    name = study.title[:200] if name is None else checked_name(name)
    with writing(store.database) as connection:
        number = next((record.id for record in _records(connection) if record.study == study), None)
        if number is None:
            row = {"name": name, "specification": study.to_json(), "paused": False, "created": time.time()}
            number = insert_row(connection, schema.studies, row)
        _fill(connection, number, study)
        return number


def extend_study(store: Store, number: int, study: Study) -> None:
    """Give a study another specification, as `Study.extended` makes it; runs it has no more use for stay as runs.

    Raises
    ------
    StudyUnknown
        If there is no such study (any more).
    """
    with writing(store.database) as connection:
        _record(connection, number)
        changed = {"specification": study.to_json()}
        connection.execute(update(schema.studies).where(schema.studies.c.id == number).values(changed))
        wanted = {_key(experiment) for experiment in study.experiments()}
        for run in _linked(connection, number):
            if _key(run.experiment) not in wanted:
                _unlink(connection, number, run.id)
        _fill(connection, number, study)


def pause_study(store: Store, number: int) -> None:
    """Let a study's queued runs wait and pause those that train, but for those that another study needs."""
    with writing(store.database) as connection:
        _record(connection, number)
        connection.execute(update(schema.studies).where(schema.studies.c.id == number).values(paused=True))
        mine = and_(_of_study(number), schema.runs.c.lane == "queue", in_paused_study_only())
        running = and_(mine, schema.runs.c.status == "running")
        _command(connection, connection.execute(select(schema.runs.c.id).where(running)).scalars().all(), "pause")


def resume_study(store: Store, number: int) -> None:
    """Let a study's runs go on: the queued, the paused and the interrupted ones; what is missing is queued again."""
    runs = schema.runs.c
    with writing(store.database) as connection:
        record = _record(connection, number)
        connection.execute(update(schema.studies).where(schema.studies.c.id == number).values(paused=False))
        unsettled = select(schema.commands.c.run).where(
            schema.commands.c.kind == "pause", schema.commands.c.settled.is_(None)
        )
        paused = and_(runs.owner.is_not(None), runs.status == "paused")
        pausing = and_(_of_study(number), or_(paused, runs.id.in_(unsettled)))
        _command(connection, connection.execute(select(runs.id).where(pausing)).scalars().all(), "resume")
        parked = and_(_of_study(number), runs.owner.is_(None), runs.status == "paused")
        _queue_again(connection, parked)
        _fill(connection, number, record.study)


def continue_interrupted(store: Store, number: int) -> None:
    """Queue a study's interrupted runs again."""
    with writing(store.database) as connection:
        _queue_again(connection, and_(_of_study(number), schema.runs.c.status == "interrupted"))


def rename_study(store: Store, number: int, name: str) -> None:
    """Give a study another name, of 1 to 200 characters, or raise a SettingError."""
    name = checked_name(name)
    with writing(store.database) as connection:
        _record(connection, number)
        connection.execute(update(schema.studies).where(schema.studies.c.id == number).values(name=name))


def delete_study(store: Store, number: int) -> None:
    """Remove a study. Its runs stay; those that nobody needs any more and that have not begun are stopped."""
    runs = schema.runs.c
    with writing(store.database) as connection:
        others = select(schema.study_runs.c.run).where(schema.study_runs.c.study != number)
        waiting = and_(_of_study(number), runs.status == "queued", runs.lane == "queue", runs.started.is_(None))
        stopped = {"status": "stopped", "stopped_by": "hand", "finished": time.time()}
        connection.execute(update(schema.runs).where(waiting, runs.id.not_in(others)).values(stopped))
        connection.execute(delete(schema.studies).where(schema.studies.c.id == number))


# What people see


def studies(store: Store) -> list[StudyRecord]:
    """All studies, the newest first."""
    with reading(store.database) as connection:
        return _records(connection)[::-1]


def study_record(store: Store, number: int) -> StudyRecord:
    """One study.

    Raises
    ------
    StudyUnknown
        If there is no such study (any more).
    """
    with reading(store.database) as connection:
        return _record(connection, number)


def study_runs(store: Store, number: int) -> list[StudyRun]:
    """The runs of a study that the store has, each with its cell and seed, in the order of the specification."""
    with reading(store.database) as connection:
        study = _record(connection, number).study
        runs = {_key(run.experiment): run for run in _linked(connection, number)}
    planned = ((_key(experiment), place) for experiment, place in study.planned().items())
    return [StudyRun(*place, runs[key]) for key, place in planned if key in runs]


def study_progress(store: Store, number: int, *, workers: int) -> StudyProgress:
    """How far a study is, and how long so many workers will need for the rest."""
    study = study_record(store, number).study
    members = study_runs(store, number)
    total = len(study.cells()) * len(study.seeds)

    def count(*statuses: str) -> int:
        return sum(member.run.status in statuses and not member.spoilt for member in members)

    finished = [member.run.seconds for member in members if member.counts]
    left = _seconds_left(store, members)
    rate = workers * len(finished) / sum(finished) if finished and sum(finished) else None
    return StudyProgress(
        total=total,
        done=sum(member.counts for member in members),
        going_on=sum(member.run.active for member in members),
        running=count("running"),
        paused=count("paused"),
        interrupted=count("interrupted"),
        failed=count("failed"),
        diverged=count("diverged"),
        spoilt=sum(member.spoilt for member in members),
        missing=total - len(members),
        runs_per_second=rate,
        seconds_left=None if left is None else max(sum(left) / workers, *left, 0.0),
    )


def expected(store: Store, study: Study, *, workers: int) -> tuple[int, float | None]:
    """Runs that starting a study would queue, and the seconds that so many workers would need for them.

    As long as finished runs of the same data, network and criterion, else of the same data and network; None if there
    are neither.
    """
    with reading(store.database) as connection:
        there = _usable_runs(connection)
    missing = [experiment for experiment in study.experiments() if _key(experiment) not in there]
    finished = [run for run in store.runs() if run.status == "finished" and run.parent is None]
    seconds = []
    for experiment in missing:
        alike = [
            run
            for run in finished
            if run.experiment.dataset == experiment.dataset and run.experiment.sizes == experiment.sizes
        ]
        same = [run.seconds for run in alike if run.experiment.criterion == experiment.criterion]
        known = same or [run.seconds for run in alike]
        if not known:
            return len(missing), None
        seconds.append(sum(known) / len(known))
    return len(missing), max(sum(seconds) / workers, *seconds, 0.0)


# In common


def _seconds_left(store: Store, members: list[StudyRun]) -> list[float] | None:
    """Seconds of training that each run going on still needs; None if there is nothing to judge one of them by.

    As long as finished runs of its cell, else of its data in the study, else of its data and network in the store.
    """
    done = [member for member in members if member.counts]
    going_on = [member for member in members if member.run.active]
    elsewhere: list[Run] = []
    if {member.cell.dataset for member in going_on} - {member.cell.dataset for member in done}:
        elsewhere = [run for run in store.runs() if run.status == "finished" and run.parent is None]
    left = []
    for member in going_on:
        sizes = member.run.experiment.sizes
        like = (
            [other.run.seconds for other in done if other.cell == member.cell]
            or [other.run.seconds for other in done if other.cell.dataset == member.cell.dataset]
            or [run.seconds for run in elsewhere if run.experiment.sizes == sizes and _same_data(run, member.run)]
        )
        if not like:
            return None
        left.append(max(sum(like) / len(like) - member.run.seconds, 0.0))
    return left


def _same_data(first: Run, second: Run) -> bool:
    return first.experiment.dataset == second.experiment.dataset


def _fill(connection: Connection, number: int, study: Study) -> None:
    """Take up or queue what a study has no usable run for, and queue what was interrupted."""
    linked: dict[Experiment, Run] = {}
    for run in _linked(connection, number):
        if _usable(run) or (run.status == "diverged" and not run.pruned_by_hand):
            linked[_key(run.experiment)] = run
        else:
            _unlink(connection, number, run.id)
    missing = [experiment for experiment in study.experiments() if _key(experiment) not in linked]
    there = _usable_runs(connection) if missing else {}
    for experiment in missing:
        found = there.get(_key(experiment))
        run_id = insert_run(connection, experiment, lane="queue", keep="ends") if found is None else found.id
        connection.execute(insert(schema.study_runs).values(study=number, run=run_id))
    _queue_again(connection, and_(_of_study(number), schema.runs.c.status == "interrupted"))


def _usable_runs(connection: Connection) -> dict[Experiment, Run]:
    """For all settings the run to take up: a finished one if there is any, the oldest among equals."""
    rows = connection.execute(select(schema.runs).where(schema.runs.c.status.in_(USABLE)).order_by(schema.runs.c.id))
    usable = [run for run in (Run(**row) for row in rows.mappings()) if _usable(run)]
    found: dict[Experiment, Run] = {}
    for run in sorted(usable, key=lambda run: USABLE.index(run.status)):
        found.setdefault(_key(run.experiment), run)
    return found


def _usable(run: Run) -> bool:
    return run.status in USABLE and not run.pruned_by_hand and run.parent is None


def _key(experiment: Experiment) -> Experiment:
    """What two runs must have in common to be the same run: of dense ones, nothing that concerns pruning."""
    dense = experiment.scheduled_prunings == 0 and not experiment.ranks
    return dense_settings(experiment) if dense else experiment


def _queue_again(connection: Connection, which: ColumnElement[bool]) -> None:
    values = {"status": "queued", "lane": "queue", "held": False, "message": None, "owner": None, "lease": None}
    connection.execute(update(schema.runs).where(which).values(values))


def _command(connection: Connection, runs: Iterable[int], kind: str) -> None:
    for run in runs:
        insert_row(connection, schema.commands, {"run": run, "kind": kind, "arguments": {}, "created": time.time()})


def _linked(connection: Connection, number: int) -> list[Run]:
    rows = connection.execute(select(schema.runs).where(_of_study(number)).order_by(schema.runs.c.id)).mappings()
    return [Run(**row) for row in rows]


def _of_study(number: int) -> ColumnElement[bool]:
    return schema.runs.c.id.in_(select(schema.study_runs.c.run).where(schema.study_runs.c.study == number))


def _unlink(connection: Connection, number: int, run: int) -> None:
    columns = schema.study_runs.c
    connection.execute(delete(schema.study_runs).where(columns.study == number, columns.run == run))


def _records(connection: Connection) -> list[StudyRecord]:
    rows = connection.execute(select(schema.studies).order_by(schema.studies.c.id)).mappings()
    return [StudyRecord(**row) for row in rows]


def _record(connection: Connection, number: int) -> StudyRecord:
    row = None
    if 0 < number < 2**63:  # what a database takes for a number: links may hold others
        row = connection.execute(select(schema.studies).where(schema.studies.c.id == number)).mappings().first()
    if row is None:
        raise StudyUnknown(f"There is no study {number} (any more).")
    return StudyRecord(**row)
