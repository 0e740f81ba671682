"""Compacted networks against the masked ones, computed by NumPy and by ONNX Runtime."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from safetensors.torch import load

from abp.data.datasets import load_dataset
from abp.network.mlp import Network
from abp.runs import export as module
from abp.runs.export import NotTheSame, compact, run_onnx, to_onnx
from abp.store.store import Store
from abp.training.experiment import Experiment
from tests.recordings import trained

SETTINGS = Experiment(
    hidden=(20, 10), criterion="activation-neuron", amount=0.7, prunings=2, start_accuracy=0.1, stop_accuracy=0.3
)


@pytest.fixture
def store(home) -> Store:
    home.mkdir()
    return Store(home / "abp.sqlite3")


@pytest.mark.parametrize("criterion", ["activation-neuron", "magnitude", "none"])
def test_a_compacted_network_computes_what_the_whole_one_does(store, criterion):
    run = store.runs.get(trained(store, dataclasses.replace(SETTINGS, criterion=criterion)))
    compacted = compact(store, run)
    whole = Network.from_tensors(run.experiment.sizes, load(store.weights.get(run.id, "final")))
    x = load_dataset("digits").test_x
    expected = whole(x).numpy()
    small = Network.from_tensors(compacted.network.sizes, load(compacted.safetensors))
    found = small(x).numpy()
    assert np.abs(found - expected).max() == pytest.approx(compacted.difference, abs=1e-6)
    np.testing.assert_allclose(run_onnx(compacted.onnx, x.numpy()), expected, atol=1e-4)
    alive = [int(weight.any(dim=1).sum()) for weight in whole.weights[:-1]]
    assert compacted.network.sizes == [64, *alive, 10]
    assert (criterion != "activation-neuron") == (compacted.network.sizes == run.experiment.sizes)


def test_another_function_is_not_handed_out(store, monkeypatch):
    run = store.runs.get(trained(store, SETTINGS))
    live_network = module.live_network

    def broken(*arguments):
        live = live_network(*arguments)
        live.network.biases[0].add_(1)
        return live

    monkeypatch.setattr(module, "live_network", broken)
    with pytest.raises(NotTheSame, match="differ by up to"):
        compact(store, run)


def test_a_run_without_final_weights_has_no_compacted_network(store):
    assert compact(store, store.runs.get(store.runs.add(SETTINGS))) is None


@given(st.lists(st.integers(1, 6), min_size=3, max_size=5), st.integers(1, 4), st.integers(0, 100))
def test_the_onnx_form_computes_the_network_for_any_batch(sizes, batch, seed):
    network = Network.glorot(sizes, torch.Generator().manual_seed(seed))
    x = torch.randn(batch, sizes[0], generator=torch.Generator().manual_seed(seed + 1))
    model = to_onnx(network)
    (found,) = ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"pixels": x.numpy()})
    np.testing.assert_allclose(found, network(x).numpy(), atol=1e-5)
    np.testing.assert_allclose(run_onnx(model, x.numpy()), found, atol=1e-5)
