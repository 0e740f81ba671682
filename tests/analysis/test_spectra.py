"""Singular values, ranks and norms against NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abp.analysis.spectra import singular_values, summarise_all


@st.composite
def matrices(draw):
    """Random float32 matrices: of full rank, rank-deficient, with dead rows and columns, or zero."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    inner = draw(st.integers(0, min(rows, columns)))
    matrix = torch.randn(rows, inner, generator=generator) @ torch.randn(inner, columns, generator=generator)
    matrix[torch.rand(rows, generator=generator) < draw(st.sampled_from([0.0, 0.4]))] = 0
    matrix[:, torch.rand(columns, generator=generator) < draw(st.sampled_from([0.0, 0.4]))] = 0
    return matrix


@given(matrices())
def test_singular_values_are_numpys(matrix):
    expected = np.linalg.svd(matrix.double().numpy(), compute_uv=False)
    np.testing.assert_allclose(singular_values(matrix), expected, atol=1e-9 * max(1.0, expected.max()))


@given(matrices())
def test_ranks_and_norms_are_numpys(matrix):
    (summary,) = summarise_all([matrix])
    exact = matrix.double().numpy()
    values = np.linalg.svd(exact, compute_uv=False)
    tolerance = values.max() * max(matrix.shape) * np.finfo(np.float32).eps
    assert summary.tolerance == pytest.approx(tolerance)
    assert summary.rank == np.linalg.matrix_rank(exact, tol=tolerance)
    assert summary.spectral_norm == pytest.approx(np.linalg.norm(exact, 2), abs=1e-12)
    assert summary.frobenius_norm == pytest.approx(np.linalg.norm(exact), abs=1e-12)
    assert summary.nuclear_norm == pytest.approx(np.linalg.norm(exact, "nuc"), abs=1e-12)


@given(matrices())
def test_stable_and_effective_rank_lie_between_one_and_the_number_of_directions(matrix):
    (summary,) = summarise_all([matrix])
    if not matrix.any():
        assert summary.stable_rank == summary.effective_rank == summary.rank == 0
        return
    directions = int((summary.values > 0).sum())
    assert 1 - 1e-9 <= summary.stable_rank <= directions + 1e-9
    assert summary.stable_rank <= summary.effective_rank**2 + 1e-9
    assert 1 - 1e-9 <= summary.effective_rank <= directions + 1e-9


def test_a_scaled_orthogonal_matrix_has_all_ranks_in_full():
    orthogonal, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(7, 7)))
    (summary,) = summarise_all([torch.from_numpy(3 * orthogonal).float()])
    assert summary.rank == 7
    assert summary.stable_rank == pytest.approx(7, rel=1e-5)
    assert summary.effective_rank == pytest.approx(7, rel=1e-5)
