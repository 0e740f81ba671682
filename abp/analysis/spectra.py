"""Singular values of weight matrices, and the ranks and norms that follow from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from abp.display import Displayed

SingularValues = NDArray[np.float64]


def singular_values(matrix: Tensor) -> SingularValues:
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


def rank_tolerance(values: SingularValues, shape: tuple[int, int]) -> float:
    """Singular values up to this count as zero: NumPy's rule for float32, ``max(m, n) * eps * largest value``."""
    return float(max(shape) * np.finfo(np.float32).eps * values.max(initial=0.0))


def rank(values: SingularValues, shape: tuple[int, int]) -> int:
    """Numerical rank of a matrix of this shape with these singular values (see `rank_tolerance`).

    >>> rank(np.array([2.0, 1.0, 1e-9]), (3, 3))
    2
    """
    return int((values > rank_tolerance(values, shape)).sum())


def nuclear_norm(values: SingularValues) -> float:
    """Sum of the singular values."""
    return float(values.sum())


def spectral_norm(values: SingularValues) -> float:
    """The largest singular value: how much the matrix can stretch a vector."""
    return float(values.max(initial=0.0))


def frobenius_norm(values: SingularValues) -> float:
    """Root of the sum of squared singular values, which is that of the squared entries."""
    return float(np.sqrt(np.square(values).sum()))


def stable_rank(values: SingularValues) -> float:
    """Squared Frobenius norm over squared spectral norm (Rudelson & Vershynin 2007); 0 for a zero matrix.

    It never exceeds the rank and hardly notices small singular values.

    >>> stable_rank(np.array([2.0, 2.0, 0.0]))
    2.0
    """
    largest = spectral_norm(values)
    return float(np.square(values / largest).sum()) if largest else 0.0


def effective_rank(values: SingularValues) -> float:
    """Exponential of the entropy of the normalised singular values (Roy & Vetterli 2007); 0 for a zero matrix.

    >>> round(effective_rank(np.array([3.0, 3.0, 3.0, 0.0])), 12)
    3.0
    """
    total = values.sum()
    if not total:
        return 0.0
    shares = values[values > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


@dataclass(frozen=True)
class Spectrum(Displayed):
    """Singular values of one matrix and all that follows from them.

    Attributes
    ----------
    values
        Singular values, largest first.
    tolerance
        Up to this they count as zero in `rank`.
    """

    values: SingularValues
    rank: int
    tolerance: float
    stable_rank: float
    effective_rank: float
    spectral_norm: float
    frobenius_norm: float
    nuclear_norm: float


def summarise(values: SingularValues, shape: tuple[int, int]) -> Spectrum:
    """Ranks and norms of a matrix of this shape with these singular values."""
    return Spectrum(
        values=values,
        rank=rank(values, shape),
        tolerance=rank_tolerance(values, shape),
        stable_rank=stable_rank(values),
        effective_rank=effective_rank(values),
        spectral_norm=spectral_norm(values),
        frobenius_norm=frobenius_norm(values),
        nuclear_norm=nuclear_norm(values),
    )


def summarise_all(matrices: Sequence[Tensor]) -> list[Spectrum]:
    """`summarise` for any list of matrices ``[m, n]``.

    >>> summarise_all([torch.eye(3)])[0].rank
    3
    """
    return [summarise(singular_values(matrix), (matrix.shape[0], matrix.shape[1])) for matrix in matrices]
