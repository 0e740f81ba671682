"""Fine-tuning a comparison: the dense, the pruned and the reduced networks trained on for equally many epochs."""

from abp.analysis.low_rank import METHODS
from abp.runs.baselines import Baseline, Comparison
from abp.runs.continuation import ORIGINS, continue_run
from abp.store.records import Lane, Run, Status
from abp.store.store import Store


def fine_tuned(store: Store, run: Run, comparison: Comparison, epochs: int) -> dict[str, Run]:
    """Runs that fine-tune the networks of a comparison for this many epochs, by method, as far as there are any.

    A finished run is preferred to an active one. PCA's and SVD's networks are held to their ranks.
    """
    found: dict[str, Run] = {}
    runs = store.runs.readable()
    for baseline in comparison.baselines:
        fitting = [other for other in runs if _fits(other, run, comparison, baseline, epochs)]
        chosen = next((other for other in fitting if not other.active), None) or next(iter(fitting), None)
        if chosen is not None:
            found[baseline.method] = chosen
    return found


def fine_tune(store: Store, run: Run, comparison: Comparison, epochs: int) -> None:
    """Queue the runs that `fine_tuned` misses, behind runs that were started by hand."""
    there = fine_tuned(store, run, comparison, epochs)
    for baseline in comparison.baselines:
        if baseline.method not in there:
            parent = store.runs.get(_parent(run, comparison, baseline))
            ranks = comparison.ranks if baseline.method in METHODS else None
            continue_run(store, parent, _how(baseline), epochs=epochs, ranks=ranks, lane=Lane.QUEUE)


def _fits(other: Run, run: Run, comparison: Comparison, baseline: Baseline, epochs: int) -> bool:
    parent = _parent(run, comparison, baseline)
    if other.parent != parent or other.origin != ORIGINS[_how(baseline)] or other.pruned_by_hand:
        return False
    settings = other.experiment
    limits = baseline.ranks if baseline.method in METHODS else run.experiment.ranks
    same = settings.learning_rate == run.experiment.learning_rate and settings.ranks == limits
    return settings.epochs == epochs and same and (other.active or other.status == Status.FINISHED)


def _how(baseline: Baseline) -> str:
    return baseline.method if baseline.method in METHODS else "fine-tune"


def _parent(run: Run, comparison: Comparison, baseline: Baseline) -> int:
    return run.id if baseline.method == "pruned" or comparison.dense is None else comparison.dense
