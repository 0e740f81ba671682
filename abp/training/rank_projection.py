"""Rank limits: holding a layer to a low rank while it is trained."""

from collections.abc import Sequence

from torch import Tensor

from abp.training.decomposition import decomposed, rescaled

EVERY = 50
"""Training steps between two projections of an epoch; the last one falls on the epoch's end."""


def nearest_of_rank(weight: Tensor, rank: int) -> Tensor:
    """The nearest matrix of this rank, in Frobenius norm (Eckart & Young 1936): the truncated SVD, without centring.

    Parameters
    ----------
    weight
        float32 ``[out, in]``.
    rank
        Singular values kept; more than there are means all.

    Returns
    -------
    torch.Tensor
        float32 ``[out, in]``, computed in float64.

    Examples
    --------
    >>> import torch
    >>> nearest_of_rank(torch.diag(torch.tensor([3.0, 1.0])), 1).tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    """
    matrix, left, _ = decomposed(weight)
    kept = left[:, : max(0, rank)]
    return rescaled(matrix, kept, kept.new_ones(kept.shape[1]), weight)


def limit_ranks(weights: Sequence[Tensor], ranks: Sequence[int]) -> None:
    """Replace each weight, in place, by the nearest one of its rank: singular value projection.

    A gradient step followed by this projection is the method of Jain, Meka & Dhillon (2010).
    """
    for weight, rank in zip(weights, ranks, strict=True):
        if rank < min(weight.shape):
            weight.copy_(nearest_of_rank(weight, rank))
