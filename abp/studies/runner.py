"""Conducting a study without a dashboard: an engine of its own trains what is missing."""

import time
from collections.abc import Callable

from abp.runs.engine import Engine
from abp.store.store import Store
from abp.studies.registry import StudyProgress, progress_of, read_study, resume_study, study_progress

LOOK_EVERY = 1.0  # seconds: looking takes time from the training

Report = Callable[[StudyProgress], None]


def conduct(store: Store, number: int, *, workers: int, report: Report | None = None) -> StudyProgress:
    """Train the runs of a study with this many workers until no run is pending, and return its progress.

    A run whose worker dies goes on with another one. Control-C pauses the study, which can be resumed another day.

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
    try:
        while not progress.ended:
            time.sleep(LOOK_EVERY)
            engine.ensure()
            state = read_study(store, number)
            progress = progress_of(store, state, workers=workers)
            if report:
                report(progress)
    except KeyboardInterrupt:
        store.studies.pause(number)
        raise
    finally:
        engine.stop()
    return progress
