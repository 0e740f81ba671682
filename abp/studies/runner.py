"""Conducting a study without a dashboard: an engine of its own trains what is missing."""

import time
from collections.abc import Callable

from abp.runs.engine import Engine
from abp.store.records import Status
from abp.store.store import Store
from abp.studies.registry import StudyProgress, StudyState, progress_of, read_study, resume_study, study_progress

LOOK_EVERY = 1.0  # seconds: looking takes time from the training

Report = Callable[[StudyProgress], None]


def conduct(store: Store, number: int, *, workers: int, report: Report | None = None) -> StudyProgress:
    """Train the runs of a study with this many workers until no run is pending, and return its progress.

    A run whose worker dies is tried once more. Control-C pauses the study, which can be resumed another day.

    Parameters
    ----------
    report
        Called about once a second.

    Raises
    ------
    KeyboardInterrupt
        After the engine has ended and the study is paused.
    """
    store.leases.expire()
    resume_study(store, number)
    progress = study_progress(store, number, workers=workers)
    if progress.ended:
        return progress
    engine = Engine(workers)
    retried: set[int] = set()
    try:
        while not progress.ended:
            time.sleep(LOOK_EVERY)
            engine.ensure()
            state = read_study(store, number)
            _retry(store, state, retried)
            progress = progress_of(store, state, workers=workers)
            if report:
                report(progress)
    except KeyboardInterrupt:
        store.studies.pause(number)
        raise
    finally:
        engine.stop()
    return progress


def _retry(store: Store, state: StudyState, retried: set[int]) -> None:
    """Queue interrupted runs again unless that was tried before, or a person paused the study."""
    interrupted = {member.run.id for member in state.members if member.run.status == Status.INTERRUPTED}
    if interrupted - retried and not state.record.paused:
        store.studies.continue_interrupted(state.record.id)
        retried |= interrupted
