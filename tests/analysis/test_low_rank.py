"""PCA and SVD baselines against scikit-learn and NumPy, and the Eckart-Young bound."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA, TruncatedSVD

from abp.analysis.low_rank import explained_variance, reduce_by_pca, reduce_by_svd, reduce_layers, worthwhile_rank


def weight(neurons: int, inputs: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(neurons, inputs, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("components", [1, 5, 20])
def test_pca_is_scikit_learns_on_the_kernel_with_inputs_as_samples(components):
    matrix = weight(20, 50)
    kernel = matrix.numpy().T.astype(np.float64)
    pca = PCA(n_components=components, svd_solver="full").fit(kernel)
    expected = pca.inverse_transform(pca.transform(kernel)).T
    np.testing.assert_allclose(reduce_by_pca(matrix, components).numpy(), expected, atol=1e-5)


def test_pca_is_the_same_at_every_fit():
    matrix = weight(300, 784)
    assert torch.equal(reduce_by_pca(matrix, 10), reduce_by_pca(matrix, 10))


def test_svd_is_scikit_learns_truncated_svd():
    matrix = weight(20, 50)
    svd = TruncatedSVD(n_components=6, algorithm="arpack", random_state=0)
    kernel = matrix.numpy().astype(np.float64)
    expected = svd.inverse_transform(svd.fit_transform(kernel))
    np.testing.assert_allclose(reduce_by_svd(matrix, 6).numpy(), expected, atol=1e-5)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10), st.integers(0, 1000))
def test_no_matrix_of_that_rank_is_nearer_than_the_svd(neurons, inputs, rank, seed):
    matrix = weight(neurons, inputs, seed).double()
    kept = min(rank, neurons, inputs)
    other = weight(neurons, kept, seed + 1).double() @ weight(kept, inputs, seed + 2).double()
    nearest = torch.linalg.norm(matrix - reduce_by_svd(matrix, rank).double())
    assert nearest <= torch.linalg.norm(matrix - other) + 1e-5
    values = np.linalg.svd(matrix.numpy(), compute_uv=False)
    assert float(nearest) == pytest.approx(float(np.sqrt(np.square(values[kept:]).sum())), abs=1e-5)


@pytest.mark.parametrize("reduce", [reduce_by_pca, reduce_by_svd])
def test_more_components_than_there_are_change_nothing(reduce):
    matrix = weight(6, 9)
    np.testing.assert_allclose(reduce(matrix, 100).numpy(), matrix.numpy(), atol=1e-5)


def test_rank_zero_leaves_nothing_or_the_mean():
    matrix = weight(6, 9)
    assert not reduce_by_svd(matrix, 0).any()
    mean = matrix.double().mean(dim=1, keepdim=True).expand(6, 9).float()
    np.testing.assert_allclose(reduce_by_pca(matrix, 0).numpy(), mean.numpy(), atol=1e-6)


def test_the_output_layer_is_not_reduced():
    layers = [weight(6, 9), weight(3, 6)]
    reduced = reduce_layers(layers, [2], "svd")
    assert np.linalg.matrix_rank(reduced[0].numpy()) == 2
    assert reduced[1] is layers[1]


def test_explained_variance_is_scikit_learns():
    matrix = weight(12, 30)
    expected = np.cumsum(PCA().fit(matrix.numpy().T.astype(np.float64)).explained_variance_ratio_)
    np.testing.assert_allclose(explained_variance(matrix), expected, atol=1e-9)


@given(st.integers(1, 500), st.integers(1, 500))
def test_factors_of_a_worthwhile_rank_save_work_and_of_one_more_do_not(neurons, inputs):
    rank = worthwhile_rank(neurons, inputs)
    assert rank * (neurons + inputs) < neurons * inputs <= (rank + 1) * (neurons + inputs)
