from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from abp.pytorch import ActivityCounter, low_rank, prune, spectra
from tests.pytorch.models import LeNet5, SmallResNet
from tests.pytorch.training import train


@pytest.mark.parametrize("make", [lambda: LeNet5(8), SmallResNet])
def test_spectra_are_those_of_numpy(make, digits):
    model = make()
    train(model, digits)
    found = spectra(model)
    assert len(found) == sum(parameter.dim() in (2, 4) for parameter in model.parameters())
    for name, spectrum in found.items():
        weight = model.get_submodule(name).weight.detach().double().numpy()
        values = np.linalg.svd(weight.reshape(len(weight), -1), compute_uv=False)
        np.testing.assert_allclose(spectrum.values, values, rtol=1e-6, atol=1e-6 * values[0])


def test_spectra_of_a_pruned_model_are_those_of_its_masked_weights(digits):
    model = LeNet5(8)
    counter = ActivityCounter(model)
    train(model, digits)
    prune(model, "activation-neuron", 0.6, counter=counter)
    train(model, digits)  # leaves the last step's weights to be masked
    found = spectra(model)
    for name, layer in counter.layers.items():
        masked = (layer.weight_orig * layer.weight_mask).detach().flatten(1).double().numpy()
        np.testing.assert_allclose(found[name].values, np.linalg.svd(masked, compute_uv=False), atol=1e-6)
        assert found[name].rank <= int(layer.weight_mask.flatten(1).any(1).sum())


def test_low_rank_is_the_truncated_svd_of_numpy(digits):
    model = SmallResNet()
    train(model, digits)
    reduced = low_rank(model, {"block.conv1": 3, "fc": 2})
    for name, rank in (("block.conv1", 3), ("fc", 2)):
        weight = model.get_submodule(name).weight.detach()
        u, values, v = np.linalg.svd(weight.flatten(1).double().numpy(), full_matrices=False)
        mine = reduced.get_submodule(name).weight
        expected = (u[:, :rank] * values[:rank]) @ v[:rank]
        np.testing.assert_allclose(mine.detach().flatten(1).numpy(), expected, atol=1e-6)
        assert mine.requires_grad and mine.shape == weight.shape
        assert spectra(reduced)[name].rank == rank


def test_low_rank_by_pca_is_that_of_scikit_learn(digits):
    model = LeNet5(8)
    kernel = model.conv2.weight.detach().flatten(1).double().numpy().T  # inputs are the samples
    pca = PCA(n_components=5, svd_solver="full")
    expected = pca.inverse_transform(pca.fit_transform(kernel)).T
    mine = low_rank(model, {"conv2": 5}, method="pca").conv2.weight.detach().flatten(1).numpy()
    np.testing.assert_allclose(mine, expected, atol=1e-6)


@pytest.mark.parametrize("make", [lambda: LeNet5(8), SmallResNet])
def test_full_ranks_change_nothing_and_no_rank_changes_the_model_itself(make, digits):
    model = make()
    train(model, digits)
    model.eval()
    outputs = model(digits[0])
    full = {name: min(spectrum.values.size, 10**6) for name, spectrum in spectra(model).items()}
    assert torch.equal(low_rank(model, full)(digits[0]), outputs)
    assert not torch.equal(low_rank(model, dict.fromkeys(full, 1))(digits[0]), outputs)
    assert torch.equal(model(digits[0]), outputs)


def test_a_pruned_model_can_be_reduced_between_two_training_steps(digits):
    model = LeNet5(8)
    counter = ActivityCounter(model)
    train(model, digits)
    prune(model, "activation", 0.5, counter=counter)
    train(model, digits)
    reduced = low_rank(model, {"fc1": 4})
    assert spectra(reduced)["fc1"].rank == 4
    assert hasattr(reduced.fc2, "weight_mask") and not hasattr(reduced.fc1, "weight_mask")
    train(model, digits)
    train(reduced, digits)


@pytest.mark.parametrize(
    ("ranks", "method", "message"),
    [
        ({"fc9": 1}, "svd", "no Linear or Conv2d layer 'fc9'"),
        ({"fc1": -1}, "svd", "rank of fc1 must be at least 0"),
        ({"fc1": 1}, "qr", "method must be"),
    ],
)
def test_what_cannot_be_reduced_is_said(ranks, method, message):
    with pytest.raises(ValueError, match=message):
        low_rank(LeNet5(8), ranks, method)
