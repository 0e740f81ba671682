"""Baselines: what PCA or SVD of the same ranks would have made of the dense network of the same settings and seed."""

import dataclasses
from typing import Any

from safetensors.torch import load
from torch import Tensor

from abp.analysis.low_rank import METHODS, reduce_layers
from abp.analysis.spectra import rank, singular_values
from abp.pruning.data import load_dataset
from abp.pruning.evaluation import evaluate
from abp.pruning.experiment import Experiment
from abp.runs.records import Run
from abp.runs.store import Store

_PRUNING = (
    "criterion", "amount", "prunings", "schedule", "share_ratio", "start_accuracy", "stalled", "reset_counts", "ranks"
)  # fmt: skip
"""Settings that a dense run has no use for."""


def dense_settings(experiment: Experiment) -> Experiment:
    """Settings of the dense run that a pruned one is compared with: the same but for pruning."""
    plain: dict[str, Any] = {name: Experiment.__dataclass_fields__[name].default for name in _PRUNING}
    return dataclasses.replace(experiment, **{**plain, "criterion": "none", "start_accuracy": 0.0})


def dense_twin(store: Store, run: Run) -> Run | None:
    """The finished dense run of the same settings and seed; None if there is none.

    Never one that was pruned by hand, was held to low ranks or continues another run.
    """
    wanted = dense_settings(run.experiment)
    for other in store.runs():
        settings = other.experiment
        dense = not (settings.scheduled_prunings or settings.ranks or other.pruned_by_hand or other.parent is not None)
        if other.status == "finished" and dense and dense_settings(settings) == wanted:
            return other
    return None


def baseline_accuracies(store: Store, run: Run) -> dict[str, float | None]:
    """Test accuracies of ``dense``, ``pruned``, ``pca``, ``svd``; None without a dense twin or final weights.

    Every hidden layer of the dense twin is reduced to the numerical rank of the pruned run's layer.
    """
    names: list[str] = ["dense", "pruned", *METHODS]
    accuracies: dict[str, float | None] = dict.fromkeys(names)
    pruned = final_layers(store, run)
    if pruned is None:
        return accuracies
    data = load_dataset(run.experiment.dataset)

    def accuracy(weights: list[Tensor], biases: list[Tensor]) -> float:
        return evaluate(weights, biases, data.test_x, data.test_y).accuracy

    accuracies["pruned"] = accuracy(*pruned)
    twin = dense_twin(store, run)
    dense = final_layers(store, twin) if twin else None
    if dense is None:
        return accuracies
    accuracies["dense"] = accuracy(*dense)
    ranks = [rank(singular_values(weight), (weight.shape[0], weight.shape[1])) for weight in pruned[0][:-1]]
    for method in METHODS:
        accuracies[method] = accuracy(reduce_layers(dense[0], ranks, method), dense[1])
    return accuracies


def final_layers(store: Store, run: Run) -> tuple[list[Tensor], list[Tensor]] | None:
    """Final weights ``[out, in]`` and biases ``[out]`` of every layer, the output layer last; None if not recorded."""
    recorded = store.weights(run.id, "final")
    if recorded is None:
        return None
    tensors = load(recorded)
    layers = [f"hidden.{index}" for index in range(len(run.experiment.hidden))] + ["output"]
    return [tensors[f"{name}.weight"] for name in layers], [tensors[f"{name}.bias"] for name in layers]
