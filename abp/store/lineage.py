"""Lineage: which runs belong together, by what they continue and by what they would be without pruning."""

from abp.store.records import Run, RunUnknown, Status
from abp.store.store import Store
from abp.training.experiment import dense_settings


def is_dense(run: Run) -> bool:
    """Whether a run started afresh and nothing was or will be removed from it."""
    settings = run.experiment
    fresh = run.parent is None and not settings.ranks
    return fresh and settings.scheduled_prunings == 0 and not run.pruned_by_hand


def first_of_family(store: Store, run: Run) -> Run | None:
    """The run that a run continues, however many runs lie between; None if one of them was deleted."""
    try:
        while run.parent is not None:
            run = store.runs.get(run.parent)
    except RunUnknown:
        return None
    return run


def dense_twin(store: Store, run: Run) -> Run | None:
    """The dense run of the same settings and seed, never one pruned by hand; a finished one if there is any.

    Of runs that still go on, the oldest; None if there are neither. A run that continues another one is compared with
    the dense twin of the run at the beginning of its family.
    """
    first = first_of_family(store, run)
    if first is None:
        return None
    wanted = dense_settings(first.experiment)
    going_on = None
    for other in store.runs.readable():
        if not is_dense(other) or dense_settings(other.experiment) != wanted:
            continue
        if other.status == Status.FINISHED:
            return other
        if other.active:
            going_on = other
    return going_on
