"""Results: what a run came to, as the JSON that other programs read, and its weights as files."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from abp.analysis.spectra import nuclear_norm, rank, singular_values, summarise_all
from abp.network.masks import live_neurons
from abp.runs.balance import balanced_test_accuracy
from abp.runs.baselines import baseline_accuracies
from abp.store.records import Run, unpack_counts
from abp.store.snapshots import final_network, recorded_masks
from abp.store.store import Store


def result(store: Store, run: Run) -> dict[str, Any]:
    """Everything that ``abp train --json`` reports of a run.

    ``layers`` is empty while there are no final weights. Frequencies are shares of all training samples so far.
    """
    settings = run.experiment
    return {
        "run": run.id,
        "parent": run.parent,
        "origin": run.origin,
        "status": run.status,
        "dataset": settings.dataset,
        "criterion": settings.criterion,
        "amount": settings.amount,
        "prunings": settings.prunings,
        "prunings_missing": run.scheduled_left,
        "seed": settings.seed,
        "epochs": run.epoch,
        "stopped_by": run.stopped_by,
        "seconds": run.seconds,
        "regulariser_seconds": run.regulariser_seconds,
        "train_accuracy": run.train_accuracy,
        "valid_accuracy": run.valid_accuracy,
        "test_accuracy": run.test_accuracy,
        "test_balanced_accuracy": balanced_test_accuracy(store, run),
        "sparsity": run.sparsity,
        "layers": _layers(store, run),
        "events": _events(store, run),
        "settings": json.loads(run.settings),
    }


def analysis(store: Store, run: Run) -> dict[str, Any]:
    """Spectra of a run's final hidden layers and test accuracies of its baselines: ``abp analyse --json``."""
    final = final_network(store, run)
    weights = final.weights[:-1] if final else ()
    layers = []
    for index, summary in enumerate(summarise_all(weights)):
        measures = {name: value for name, value in asdict(summary).items() if name != "values"}
        layers.append({"name": f"hidden.{index}", "singular_values": summary.values.tolist(), **measures})
    return {"run": run.id, "layers": layers, "baselines": baseline_accuracies(store, run)}


def _layers(store: Store, run: Run) -> list[dict[str, Any]]:
    final = final_network(store, run)
    if final is None:
        return []
    masks = recorded_masks(store, run, run.prunings)
    frequencies = activation_frequency(store, run)
    layers = []
    for index, (mask, live) in enumerate(zip(masks, live_neurons(masks), strict=True)):
        values = singular_values(final.weights[index])
        neurons, inputs = mask.shape
        layers.append(
            {
                "name": f"hidden.{index}",
                "shape": [inputs, neurons],
                "sparsity": 1 - int(mask.sum()) / mask.numel(),
                "live_neurons": int(live.sum()),
                "rank": rank(values, (neurons, inputs)),
                "nuclear_norm": nuclear_norm(values),
                "activation_frequency": frequencies[index],
            }
        )
    return layers


def activation_frequency(store: Store, run: Run) -> list[list[float]]:
    """Share of all training samples so far with output > 0, per hidden layer and neuron; 0 before any."""
    frame = store.frames.newest(run.id, run.experiment.hidden)
    hidden = run.experiment.hidden
    rows = [(samples, unpack_counts(counts, hidden)) for _, samples, counts in store.histories.epoch_counts(run.id)]
    if frame is not None and frame.epoch > len(rows):  # the epoch in progress
        rows.append((frame.epoch_samples, frame.epoch_counts))
    samples = sum(row[0] for row in rows)
    if not samples:
        return [[0.0] * width for width in run.experiment.hidden]
    layers = zip(*(counts for _, counts in rows), strict=True)
    return [(np.sum(layer, axis=0) / samples).tolist() for layer in layers]


def _events(store: Store, run: Run) -> list[dict[str, Any]]:
    table = store.histories.prunings(run.id).drop(columns="number").rename(columns={"made_by": "by"})
    return table.to_dict(orient="records")
