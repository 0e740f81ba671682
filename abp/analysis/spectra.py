"""Singular values of weight matrices, and the ranks and norms that follow from them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Spectrum = NDArray[np.float64]


def singular_values(matrix: Tensor) -> Spectrum:
    """Singular values of a matrix ``[m, n]``, largest first, float64 ``[min(m, n)]``.

    Rows and columns that are all zero add only zeros, so they are left out of the computation: a pruned layer is quick.

    >>> singular_values(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    array([4., 3.])
    """
    nonzero = matrix != 0
    small = matrix[nonzero.any(dim=1)][:, nonzero.any(dim=0)].double()
    values = np.zeros(min(matrix.shape))
    values[: min(small.shape)] = torch.linalg.svdvals(small).numpy()
    return values


def rank_tolerance(values: Spectrum, shape: tuple[int, int]) -> float:
    """Singular values up to this count as zero: NumPy's rule for float32, ``max(m, n) * eps * largest value``."""
    return float(max(shape) * np.finfo(np.float32).eps * values.max(initial=0.0))


def rank(values: Spectrum, shape: tuple[int, int]) -> int:
    """Numerical rank of a matrix of this shape with these singular values (see `rank_tolerance`).

    >>> rank(np.array([2.0, 1.0, 1e-9]), (3, 3))
    2
    """
    return int((values > rank_tolerance(values, shape)).sum())


def nuclear_norm(values: Spectrum) -> float:
    """Sum of the singular values."""
    return float(values.sum())
