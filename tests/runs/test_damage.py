"""Breaking a trained network equals pruning it through the trainer; nothing that is stored changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import load

from abp import Experiment, Trainer
from abp.network.masks import kept, sparsity, total, unpack
from abp.runs.damage import BREAKING, KNEE, TrainedNetwork, damaged, knee, switched_off, trained_network
from abp.runs.worker import execute
from abp.store.store import Store

SETTINGS = {"hidden": (24, 16), "learning_rate": 0.1, "epochs": 4, "seed": 3, "start_accuracy": 0.05, "prunings": 1}


@pytest.fixture(scope="module", params=["none", "activation-neuron"])
def run(request, tmp_path_factory) -> tuple[Store, int]:
    store = Store(tmp_path_factory.mktemp("breaking") / "abp.sqlite3")
    number = store.runs.add(Experiment(criterion=request.param, amount=0.4, **SETTINGS))
    execute(store, number, "worker")
    return store, number


def whole(run: tuple[Store, int]) -> TrainedNetwork:
    store, number = run
    found = trained_network(store, store.runs.get(number))
    assert found is not None
    return found


def trainer_of(run: tuple[Store, int]) -> Trainer:
    """A trainer that stands where the run ended, put together from what the store has."""
    store, number = run
    record = store.runs.get(number)
    packed = store.histories.masks(number, record.prunings)
    masks = unpack(packed, record.experiment.sizes) if packed else None
    trainer = Trainer(record.experiment, tensors=load(store.weights.get(number, "final")), masks=masks)
    trainer.prunings = record.prunings
    total_counts = [np.zeros(width, dtype=np.int64) for width in record.experiment.hidden]
    samples = 0
    for _, seen, packed_counts in store.histories.epoch_counts(number):  # the epochs' own counts, added up
        samples += seen
        joined = np.frombuffer(packed_counts, dtype=np.uint32).astype(np.int64)
        for sum_, part in zip(total_counts, np.split(joined, np.cumsum(record.experiment.hidden)[:-1]), strict=True):
            sum_ += part
    trainer.activity.counts = [torch.from_numpy(counts) for counts in total_counts]
    trainer.activity.samples = samples
    return trainer


@pytest.mark.parametrize("criterion", BREAKING)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.85, 0.99])
def test_breaking_equals_pruning_through_the_trainer(criterion, share, run):
    found, trainer = damaged(whole(run), criterion, share), trainer_of(run)
    trainer.prune(criterion, share * kept(trainer.masks) / total(trainer.masks))
    assert all(map(torch.equal, found.masks, trainer.masks))
    assert all(map(torch.equal, found.network.weights, trainer.network.weights))
    assert all(map(torch.equal, found.network.biases, trainer.network.biases))


def test_breaking_and_switching_off_leave_the_network_and_the_store_as_they_were(run):
    store, number = run
    before, first = store.weights.get(number, "final"), whole(run)
    tensors = [tensor.clone() for tensor in (*first.network.weights, *first.network.biases, *first.masks)]
    for criterion, share in itertools.product(BREAKING, (0.5, 0.9)):
        damaged(first, criterion, share)
    switched_off(first, [(0, 3), (1, 2)])
    after = (*first.network.weights, *first.network.biases, *first.masks)
    assert all(map(torch.equal, tensors, after)) and store.weights.get(number, "final") == before


def test_a_neuron_switched_off_gives_zero_and_all_others_what_they_make_of_that(run):
    trained = whole(run)
    network = trained.network
    off = [(0, 1), (0, 5), (1, 7)]
    found = switched_off(trained, off)
    x = np.random.default_rng(0).random((50, 64), dtype=np.float32)
    values, changed = x, torch.from_numpy(x)
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = values @ weight.numpy().T + bias.numpy()
        changed = changed @ found.network.weights[layer].T + found.network.biases[layer]
        if layer < 2:
            values, changed = np.maximum(values, 0), changed.clamp(min=0)
            values[:, [neuron for place, neuron in off if place == layer]] = 0
        np.testing.assert_allclose(changed.numpy(), values, rtol=1e-4, atol=1e-5)
    assert not found.masks[0][1].any() and not found.masks[1][7].any()


def test_a_run_without_weights_or_counts_cannot_be_broken(tmp_path):
    store = Store(tmp_path / "abp.sqlite3")
    assert trained_network(store, store.runs.get(store.runs.add(Experiment()))) is None


def test_the_knee_is_the_last_point_before_accuracy_is_lost():
    shares = [0.0, 0.2, 0.4, 0.6]
    assert knee(shares, [0.9, 0.9, 0.9, 0.9]) == 0.6
    assert knee(shares, [0.9, 0.9 - KNEE / 2, 0.9 - 2 * KNEE, 0.9]) == 0.2
    assert knee(shares, [0.9, 0.1, 0.9, 0.9]) == 0.0


def test_it_knows_its_run_and_what_was_removed(run):
    store, number = run
    trained = whole(run)
    assert trained.run == store.runs.get(number) and trained.network.sizes == [64, 24, 16, 10]
    assert sparsity(trained.masks) == pytest.approx(store.runs.get(number).sparsity)
    assert all((weight[~mask] == 0).all() for weight, mask in zip(trained.network.weights, trained.masks, strict=False))
