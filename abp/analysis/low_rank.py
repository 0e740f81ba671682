"""Low-rank baselines: what a dense layer loses when it is reduced to so few dimensions by PCA or by truncated SVD."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from abp.pruning.rank_limit import nearest_of_rank

METHODS: dict[str, str] = {"pca": "PCA", "svd": "SVD"}
"""Name and title of each way to reduce a layer."""


def reduce_by_pca(weight: Tensor, components: int) -> Tensor:
    """A layer's weights after principal component analysis, as in the published study.

    scikit-learn's PCA is fitted on the kernel ``[inputs, neurons]``, so inputs are the samples; its mean is taken off
    before and added back after, so the result has rank `components` + 1 at most. In float64, by the full solver: the
    randomised one, which scikit-learn would choose at such sizes, gives another result at each fit.

    Parameters
    ----------
    weight
        float32 ``[neurons, inputs]``.
    components
        How many are kept; more than there are means all.

    Returns
    -------
    torch.Tensor
        float32 ``[neurons, inputs]``.
    """
    kernel = weight.detach().double().numpy().T  # [inputs, neurons]
    components = min(components, *kernel.shape)
    if components <= 0:
        return torch.from_numpy(np.tile(kernel.mean(axis=0), (len(kernel), 1)).T.copy()).float()
    pca = PCA(n_components=components, svd_solver="full")
    reduced = pca.inverse_transform(pca.fit_transform(kernel))
    return torch.from_numpy(np.ascontiguousarray(reduced.T)).float()


def reduce_by_svd(weight: Tensor, rank: int) -> Tensor:
    """A layer's weights after truncated singular value decomposition, without centring.

    The best approximation of this rank in Frobenius norm (Eckart & Young 1936).

    Parameters
    ----------
    weight
        float32 ``[neurons, inputs]``.
    rank
        Singular values kept; more than there are means all.

    Examples
    --------
    >>> reduce_by_svd(torch.diag(torch.tensor([3.0, 1.0])), 1).tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    """
    return nearest_of_rank(weight, rank)


REDUCTIONS: dict[str, Callable[[Tensor, int], Tensor]] = {"pca": reduce_by_pca, "svd": reduce_by_svd}


def reduce_layers(weights: Sequence[Tensor], ranks: Sequence[int], method: str) -> list[Tensor]:
    """Hidden layers reduced to `ranks` by ``"pca"`` or ``"svd"``; the output layer, last of `weights`, stays."""
    reduced = [REDUCTIONS[method](weight, rank) for weight, rank in zip(weights[:-1], ranks, strict=True)]
    return [*reduced, weights[-1]]


def explained_variance(weight: Tensor) -> np.ndarray:
    """Share of the variance of a layer's kernel ``[inputs, neurons]`` that the first 1, 2, ... components explain.

    float64 ``[min(inputs, neurons)]``, rising to 1; ones for a kernel whose rows are all the same.
    """
    kernel = weight.detach().double().numpy().T
    variances = np.square(np.linalg.svd(kernel - kernel.mean(axis=0), compute_uv=False))
    total = variances.sum()
    return np.cumsum(variances) / total if total else np.ones_like(variances)


def worthwhile_rank(neurons: int, inputs: int) -> int:
    """Below this rank a layer takes less work as two factors: r (m + n) < m n.

    >>> [worthwhile_rank(*shape) for shape in ((300, 784), (200, 300), (100, 200), (50, 100))]
    [216, 119, 66, 33]
    """
    return (neurons * inputs - 1) // (neurons + inputs)
