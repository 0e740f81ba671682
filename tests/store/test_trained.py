"""Trained networks, against a forward pass in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load

from abp.data.datasets import load_test_set
from abp.runs import worker
from abp.store.store import Store
from abp.store.trained import activations, trained
from abp.training.experiment import Experiment

PRUNED = Experiment(hidden=(12, 8), criterion="activation-neuron", amount=0.5, prunings=1, start_accuracy=0.0, epochs=2)


@pytest.fixture
def store(home) -> Store:
    return Store()


@pytest.fixture
def run(store):
    number = store.add_run(PRUNED)
    assert worker.execute(store, number, worker.new_owner())
    return store.run(number)


def test_activations_and_probabilities_are_those_of_a_forward_pass_in_numpy(store, run):
    network = trained(store, run)
    tensors = {name: tensor.astype(np.float64) for name, tensor in load(store.weights(run.id, "final")).items()}
    for picture in load_test_set("digits")[0][:20].numpy():
        *hidden, probabilities = activations(network, picture.reshape(8, 8))
        output = picture.astype(np.float64)
        for layer, found in enumerate(hidden):
            output = np.maximum(tensors[f"hidden.{layer}.weight"] @ output + tensors[f"hidden.{layer}.bias"], 0)
            np.testing.assert_allclose(found, output, atol=1e-5)
        scores = np.exp(tensors["output.weight"] @ output + tensors["output.bias"])
        np.testing.assert_allclose(probabilities, scores / scores.sum(), atol=1e-5)


def test_it_knows_its_run_and_what_was_removed(store, run):
    network = trained(store, run)
    assert (network.run, network.title, network.dataset) == (run.id, run.name, "digits")
    assert network.sizes == (64, 12, 8, 10) and network.criterion == "activation-neuron"
    kept = sum(int(mask.sum()) for mask in network.masks) / sum(mask.numel() for mask in network.masks)
    assert 1 - kept == pytest.approx(run.sparsity)
    assert all((weight[~mask] == 0).all() for weight, mask in zip(network.weights, network.masks, strict=False))


def test_a_run_that_goes_on_or_never_began_has_none(store):
    queued = store.add_run(PRUNED)
    assert trained(store, store.run(queued)) is None


def test_a_picture_of_another_size_is_refused(store, run):
    with pytest.raises(ValueError, match="784 pixels.*needs 64"):
        activations(trained(store, run), np.zeros((28, 28)))
