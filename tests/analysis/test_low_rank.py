"""PCA and SVD baselines against scikit-learn and NumPy, and the Eckart-Young bound."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA, TruncatedSVD

from abp.analysis.low_rank import (
    METHODS,
    Reducible,
    by_pca,
    by_svd,
    decompose,
    numerical_ranks,
    reduce_layers,
    worthwhile_rank,
)
from abp.network.mlp import Network
from abp.training.experiment import Experiment
from abp.training.trainer import Trainer


def weight(neurons: int, inputs: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(neurons, inputs, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("components", [1, 5, 20])
def test_pca_is_scikit_learns_on_the_kernel_with_inputs_as_samples(components):
    matrix = weight(20, 50)
    kernel = matrix.numpy().T.astype(np.float64)
    pca = PCA(n_components=components, svd_solver="full").fit(kernel)
    expected = pca.inverse_transform(pca.transform(kernel)).T
    np.testing.assert_allclose(by_pca(matrix).at(components).numpy(), expected, atol=1e-5)


def test_pca_is_the_same_at_every_fit():
    matrix = weight(300, 784)
    assert torch.equal(by_pca(matrix).at(10), by_pca(matrix).at(10))


def test_svd_is_scikit_learns_truncated_svd():
    matrix = weight(20, 50)
    svd = TruncatedSVD(n_components=6, algorithm="arpack", random_state=0)
    kernel = matrix.numpy().astype(np.float64)
    expected = svd.inverse_transform(svd.fit_transform(kernel))
    np.testing.assert_allclose(by_svd(matrix).at(6).numpy(), expected, atol=1e-5)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10), st.integers(0, 1000))
def test_no_matrix_of_that_rank_is_nearer_than_the_svd(neurons, inputs, rank, seed):
    matrix = weight(neurons, inputs, seed).double()
    kept = min(rank, neurons, inputs)
    other = weight(neurons, kept, seed + 1).double() @ weight(kept, inputs, seed + 2).double()
    nearest = torch.linalg.norm(matrix - by_svd(matrix).at(rank).double())
    assert nearest <= torch.linalg.norm(matrix - other) + 1e-5
    values = np.linalg.svd(matrix.numpy(), compute_uv=False)
    assert float(nearest) == pytest.approx(float(np.sqrt(np.square(values[kept:]).sum())), abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_more_components_than_there_are_change_nothing(method):
    matrix = weight(6, 9)
    np.testing.assert_allclose(decompose(matrix, method).at(100).numpy(), matrix.numpy(), atol=1e-5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("matrix", [weight(1, 9), weight(9, 1), weight(1, 1), torch.zeros(3, 4), torch.ones(3, 4)])
def test_layers_that_collapsed_can_be_taken_apart(matrix, method):
    np.testing.assert_allclose(decompose(matrix, method).at(9).numpy(), matrix.numpy(), atol=1e-5)


def test_rank_zero_leaves_nothing_or_the_mean():
    matrix = weight(6, 9)
    assert not by_svd(matrix).at(0).any()
    mean = matrix.double().mean(dim=1, keepdim=True).expand(6, 9).float()
    np.testing.assert_allclose(by_pca(matrix).at(0).numpy(), mean.numpy(), atol=1e-6)


def test_the_output_layer_is_not_reduced():
    layers = [weight(6, 9), weight(3, 6)]
    reduced = reduce_layers(layers, [2], "svd")
    assert np.linalg.matrix_rank(reduced[0].numpy()) == 2
    assert reduced[1] is layers[1]


def test_explained_variance_is_scikit_learns():
    matrix = weight(12, 30)
    expected = np.cumsum(PCA().fit(matrix.numpy().T.astype(np.float64)).explained_variance_ratio_)
    np.testing.assert_allclose(by_pca(matrix).explained, expected, atol=1e-9)


@given(st.integers(1, 500), st.integers(1, 500))
def test_factors_of_a_worthwhile_rank_save_work_and_of_one_more_do_not(neurons, inputs):
    rank = worthwhile_rank(neurons, inputs)
    assert rank * (neurons + inputs) < neurons * inputs <= (rank + 1) * (neurons + inputs)


def test_numerical_ranks_are_numpys():
    matrices = [weight(6, 9), torch.zeros(3, 4), weight(6, 2) @ weight(2, 9)]
    assert numerical_ranks(matrices) == tuple(np.linalg.matrix_rank(matrix.numpy()) for matrix in matrices)


@pytest.fixture(scope="module")
def trained() -> Trainer:
    trainer = Trainer(Experiment(hidden=(20, 15), criterion="none"))
    for _ in range(5):
        trainer.train_epoch()
    return trainer


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ranks", [(20, 15), (3, 15), (5, 4), (0, 0)])
def test_a_reduced_network_is_tested_as_it_would_be_if_put_back(trained, method, ranks):
    reducible = Reducible(trained.network, trained.data.test_x, trained.data.test_y)
    tensors = trained.network.tensors()
    for index, components in enumerate(ranks):
        kernel = tensors[f"hidden.{index}.weight"].double().numpy().T
        if components == 0:
            kernel = np.broadcast_to(kernel.mean(axis=0) if method == "pca" else 0.0, kernel.shape)
        elif method == "pca":
            pca = PCA(n_components=components, svd_solver="full")
            kernel = pca.inverse_transform(pca.fit_transform(kernel))
        else:
            left, values, right = np.linalg.svd(kernel, full_matrices=False)
            kernel = left[:, :components] @ np.diag(values[:components]) @ right[:components]
        tensors[f"hidden.{index}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.T)).float()
    other = Network.from_tensors(trained.experiment.sizes, tensors)
    right = (other(trained.data.test_x).argmax(1) == trained.data.test_y).float().mean()
    assert reducible.accuracy(method, ranks) == pytest.approx(float(right), abs=1 / 360)


def test_at_full_rank_a_network_is_itself(trained):
    reducible = Reducible(trained.network, trained.data.test_x, trained.data.test_y)
    assert reducible.full_ranks == (20, 15)
    for mine, original in zip(reducible.reduced("pca", (20, 15)).weights, trained.network.weights, strict=True):
        assert torch.equal(mine, original)


def test_nothing_to_explain_is_explained_at_once():
    assert by_pca(torch.ones(3, 4)).explained.tolist() == [1.0, 1.0, 1.0]


def test_the_squared_singular_values_are_what_svd_explains():
    squares = np.square(np.linalg.svd(weight(6, 9).double().numpy(), compute_uv=False))
    np.testing.assert_allclose(by_svd(weight(6, 9)).explained, np.cumsum(squares) / squares.sum(), atol=1e-9)
