"""Equal training: what a pruned network is compared with is trained on for as many epochs as it was, seed by seed.

A pruned network trains on under its mask after its last pruning. Its dense twin, and what PCA and SVD make of the twin
at the same ranks, are fine-tuned here for exactly so many epochs, without any rule to stop earlier; PCA's and SVD's
layers are held to their ranks.
"""

import dataclasses
import time
from collections.abc import Callable

from abp.runs.baselines import baseline_of, compare
from abp.runs.fine_tuning import fine_tune, fine_tuned
from abp.runs.worker import execute, new_owner
from abp.store.records import Run
from abp.store.store import Store
from abp.studies.comparison import Results, read_results
from abp.studies.runner import LOOK_EVERY
from abp.studies.verdicts import compared_runs

TUNED = {"dense": "dense-tuned", "pca": "pca-tuned", "svd": "svd-tuned"}
"""Name of each fine-tuned baseline in the store, by that of the network that it starts from."""


def missing_training(results: Results) -> list[Run]:
    """Runs whose dense twin, PCA and SVD have not been fine-tuned yet."""
    return [run for run in compared_runs(results) if TUNED["dense"] not in results.baselines.get(run.id, {})]


def train_equally(store: Store, number: int, done: Callable[[int, int], None] | None = None) -> None:
    """Fine-tune what `missing_training` names, in this process; `done` is told how many of how many runs are there.

    Interrupted, it can be called again: what was fine-tuned is not done twice.

    Raises
    ------
    abp.data.datasets.DataUnavailable
        If the data set cannot be had.
    """
    results = read_results(store, number)
    missing = missing_training(results)
    for index, run in enumerate(missing, start=1):
        tuned = _fine_tuned(store, run, run.epoch - results.last_prunings.get(run.id, run.epoch))
        if tuned:
            store.baselines.save(run.id, {**baseline_of(store, run), **tuned})
        if done:
            done(index, len(missing))


def _fine_tuned(store: Store, run: Run, epochs: int) -> dict[str, float]:
    """Test accuracies by the names in `TUNED`; nothing where they cannot be had."""
    found = compare(store, run)
    if found is None or found.dense is None:
        return {}
    found = dataclasses.replace(found, baselines=[each for each in found.baselines if each.method in TUNED])
    if not epochs:
        return {TUNED[each.method]: each.test_accuracy for each in found.baselines}
    fine_tune(store, run, found, epochs)
    while going_on := [other for other in fine_tuned(store, run, found, epochs).values() if other.active]:
        if not any(execute(store, other.id, new_owner()) for other in going_on):
            time.sleep(LOOK_EVERY)  # other workers have them, or had them when they died
            store.leases.expire()
    accuracies = {method: other.test_accuracy for method, other in fine_tuned(store, run, found, epochs).items()}
    if set(accuracies) != set(TUNED):
        return {}
    return {TUNED[method]: accuracy for method, accuracy in accuracies.items() if accuracy is not None}
