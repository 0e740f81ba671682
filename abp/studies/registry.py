"""Studies in the store: which runs serve them, how far they are, and starting, pausing and extending them.

A study takes up runs that are there already, so nothing is trained twice. Its own wait in `Lane.QUEUE`.
"""

from dataclasses import dataclass
from functools import cached_property

from abp.store.records import ACTIVE, Lane, Run, Status, StudyRow, checked_name
from abp.store.store import Store
from abp.studies.specification import Cell, Study
from abp.training.experiment import Experiment, dense_settings
from abp.training.setting import complaint

USABLE = (Status.FINISHED, *ACTIVE, Status.INTERRUPTED)
"""Statuses of runs that a study takes up, the best first."""


@dataclass(frozen=True)
class StudyRecord(StudyRow):
    """One study as the store knows it, with its specification."""

    @cached_property
    def study(self) -> Study:
        """Its specification."""
        return Study.from_json(self.specification)

    @cached_property
    def unreadable(self) -> str:
        """Why its specification cannot be used here any more, in words; empty if it can."""
        return complaint(lambda: self.study)


@dataclass(frozen=True)
class StudyRun:
    """A run in its place in a study."""

    cell: Cell
    seed: int
    run: Run

    @property
    def counts(self) -> bool:
        """Whether it is a result: finished as the study wanted it, all prunings made, nothing done by hand."""
        return self.run.status == Status.FINISHED and not self.run.pruned_by_hand and not self.unreached

    @property
    def unreached(self) -> bool:
        """Whether it finished before its last scheduled pruning, so that it has not the amount that it stands for."""
        return self.run.status == Status.FINISHED and self.run.scheduled_left > 0

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return self.run.status in (Status.FAILED, Status.DIVERGED)

    @property
    def spoilt(self) -> bool:
        """Whether a person stopped it or pruned it by hand, so that it is no result."""
        return self.run.status == Status.STOPPED or (self.run.pruned_by_hand and not self.failed)


@dataclass(frozen=True)
class StudyState:
    """A study as it stands, read once.

    Attributes
    ----------
    members
        Those of its runs that the store has, in the order of the specification.
    """

    record: StudyRecord
    members: list[StudyRun]


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
    unreached
        That ended before their last pruning.
    missing
        That were deleted.
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
    unreached: int
    missing: int
    runs_per_second: float | None
    seconds_left: float | None

    @property
    def shortfall(self) -> str:
        """Why runs are no results, in words; empty if all are."""
        names = ("going_on", "interrupted", "failed", "diverged", "spoilt", "unreached", "missing")
        words = {"going_on": "still going on", "spoilt": "stopped or pruned by hand", "missing": "deleted"}
        words["unreached"] = "ended before their last pruning"
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
    study with the same specification is resumed if there is one: what failed or was stopped or pruned by hand
    is trained again, but not what diverged, which would diverge again.

    Raises
    ------
    abp.training.setting.SettingError
        If the name has not 1 to 200 characters.
    """
    name = study.title[:200] if name is None else checked_name(name)
    with store.transaction(alone=True):
        same = same_studies(store, study)
        number = same[-1].id if same else store.studies.add(name, study.to_json())
        _fill(store, number, study)
        return number


def extend_study(store: Store, number: int, study: Study) -> None:
    """Give a study another specification, as `Study.extended` makes it; runs it has no more use for stay as runs.

    Raises
    ------
    StudyUnknown
        If there is no such study.
    """
    with store.transaction(alone=True):
        store.studies.change(number, specification=study.to_json())
        wanted = {_key(experiment) for experiment in study.experiments()}
        for run in store.studies.runs(number):
            if run.unreadable or _key(run.experiment) not in wanted:
                store.studies.unlink(number, run.id)
        _fill(store, number, study)


def resume_study(store: Store, number: int) -> None:
    """Let a study's runs go on: the queued, the paused and the interrupted ones; what is missing is queued again."""
    with store.transaction(alone=True):
        store.studies.resume(number)
        _fill(store, number, study_record(store, number).study)


def rename_study(store: Store, number: int, name: str) -> None:
    """Give a study another name, of 1 to 200 characters, or raise a SettingError."""
    store.studies.change(number, name=checked_name(name))


# What people see


def studies(store: Store) -> list[StudyRecord]:
    """All studies, the newest first."""
    return [StudyRecord(**vars(row)) for row in store.studies.all()]


def same_studies(store: Store, study: Study) -> list[StudyRecord]:
    """The studies of this specification, the newest first; one that cannot be read is none of them."""
    return [record for record in studies(store) if not record.unreadable and record.study == study]


def study_record(store: Store, number: int) -> StudyRecord:
    """One study.

    Raises
    ------
    StudyUnknown
        If there is no such study.
    """
    return StudyRecord(**vars(store.studies.get(number)))


def read_study(store: Store, number: int) -> StudyState:
    """A study and its runs.

    Raises
    ------
    StudyUnknown
        If the study does not exist or was deleted.
    """
    record = study_record(store, number)
    runs = {_key(run.experiment): run for run in store.studies.runs(number) if not run.unreadable}
    planned = ((_key(experiment), place) for experiment, place in record.study.planned().items())
    return StudyState(record, [StudyRun(*place, runs[key]) for key, place in planned if key in runs])


def study_runs(store: Store, number: int) -> list[StudyRun]:
    """The runs of a study that the store has, each with its cell and seed, in the order of the specification."""
    return read_study(store, number).members


def study_progress(store: Store, number: int, *, workers: int) -> StudyProgress:
    """The progress of a study, and how long this many workers will need for the rest."""
    return progress_of(store, read_study(store, number), workers=workers)


def progress_of(store: Store, state: StudyState, *, workers: int) -> StudyProgress:
    """`study_progress` of a study that has been read; the store tells how long runs of other studies took."""
    study, members = state.record.study, state.members
    total = len(study.cells()) * len(study.seeds)

    def count(*statuses: Status) -> int:
        return sum(member.run.status in statuses and not member.spoilt for member in members)

    finished = [member.run.seconds for member in members if member.counts]
    left = _seconds_left(store, members)
    rate = workers * len(finished) / sum(finished) if finished and sum(finished) else None
    return StudyProgress(
        total=total,
        done=sum(member.counts for member in members),
        going_on=sum(member.run.active for member in members),
        running=count(Status.RUNNING),
        paused=count(Status.PAUSED),
        interrupted=count(Status.INTERRUPTED),
        failed=count(Status.FAILED),
        diverged=count(Status.DIVERGED),
        spoilt=sum(member.spoilt for member in members),
        unreached=sum(member.unreached for member in members),
        missing=total - len(members),
        runs_per_second=rate,
        seconds_left=None if left is None else max(sum(left) / workers, *left, 0.0),
    )


def expected(store: Store, study: Study, *, workers: int) -> tuple[int, float | None]:
    """The number of runs that starting a study would queue, and the seconds that this many workers would need for them.

    As long as finished runs of the same data, network and criterion, else of the same data and network; None if there
    are neither.
    """
    runs = store.runs.readable(USABLE)
    there = _usable_runs(runs)
    missing = [experiment for experiment in study.experiments() if _key(experiment) not in there]
    finished = [run for run in runs if run.status == Status.FINISHED and run.parent is None]
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
        elsewhere = [run for run in store.runs.readable((Status.FINISHED,)) if run.parent is None]
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


def _fill(store: Store, number: int, study: Study) -> None:
    """Take up or queue what a study has no usable run for, and queue what was interrupted."""
    linked: dict[Experiment, Run] = {}
    for run in store.studies.runs(number):
        settled = run.status == Status.DIVERGED and not run.pruned_by_hand
        if not run.unreadable and (_usable(run) or settled):
            linked[_key(run.experiment)] = run
        else:
            store.studies.unlink(number, run.id)
    missing = [experiment for experiment in study.experiments() if _key(experiment) not in linked]
    there = _usable_runs(store.runs.readable(USABLE)) if missing else {}
    for experiment in missing:
        found = there.get(_key(experiment))
        run_id = store.runs.add(experiment, lane=Lane.QUEUE, keep="ends") if found is None else found.id
        store.studies.link(number, run_id)
    store.studies.continue_interrupted(number)


def _usable_runs(runs: list[Run]) -> dict[Experiment, Run]:
    """For all settings the run of these, the newest first, to take up: a finished one if any, the oldest of equals."""
    usable = [run for run in reversed(runs) if _usable(run)]
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
