"""Low-rank baselines: a dense network whose layers are reduced to a few dimensions by PCA or by truncated SVD."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor

from abp.analysis.spectra import rank, singular_values
from abp.network.evaluation import evaluate
from abp.network.mlp import Network

METHODS: dict[str, str] = {"pca": "PCA", "svd": "SVD"}
"""Name and title of each way to reduce a layer."""


@dataclass(frozen=True)
class Decomposition:
    """A layer's weights, decomposed once, to be reconstructed at any rank.

    Attributes
    ----------
    left, right
        float64 ``[neurons, k]`` and ``[k, inputs]``, k = min(neurons, inputs): the strongest direction first.
    mean
        float64 ``[neurons, 1]``, added back at every rank.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    mean: NDArray[np.float64]

    def at(self, rank: int) -> Tensor:
        """The layer's weights from its first `rank` directions (or all), float32 ``[neurons, inputs]``."""
        kept = max(0, min(rank, self.left.shape[1]))
        return torch.from_numpy(self.left[:, :kept] @ self.right[:kept] + self.mean).float()

    @property
    def explained(self) -> NDArray[np.float64]:
        """Share that the first 1, 2, ... directions explain, float64 ``[k]``, rising to 1; for PCA, of the variance.

        Ones where there is nothing to explain.
        """
        parts = np.square(self.right).sum(axis=1) * np.square(self.left).sum(axis=0)
        total = parts.sum()
        return np.cumsum(parts) / total if total else np.ones_like(parts)


def by_pca(weight: Tensor) -> Decomposition:
    """Decompose a layer ``[neurons, inputs]`` by principal component analysis, as in the published study.

    scikit-learn's PCA is fitted on the kernel ``[inputs, neurons]``, so inputs are the samples; its mean is subtracted
    first and added back last, so r components have rank r + 1 at most. In float64, by the full solver: the
    randomised one, which scikit-learn would choose at such sizes, gives another result at each fit.
    """
    kernel = weight.detach().double().numpy().T
    with np.errstate(divide="ignore", invalid="ignore"):  # shares of no variance at all, where a layer has collapsed
        pca = PCA(svd_solver="full").fit(kernel)
    return Decomposition(pca.components_.T, pca.transform(kernel).T, pca.mean_[:, None])


def by_svd(weight: Tensor) -> Decomposition:
    """Decompose a layer ``[neurons, inputs]`` by singular value decomposition, without centring.

    At each rank the best approximation in Frobenius norm (Eckart & Young 1936).

    >>> by_svd(torch.diag(torch.tensor([3.0, 1.0]))).at(1).tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    """
    left, values, right = np.linalg.svd(weight.detach().double().numpy(), full_matrices=False)
    return Decomposition(left * values, right, np.zeros((len(weight), 1)))


def decompose(weight: Tensor, method: str) -> Decomposition:
    """`by_pca` or `by_svd`, as `method` (``"pca"`` or ``"svd"``) says."""
    return {"pca": by_pca, "svd": by_svd}[method](weight)


def reduce_layers(weights: Sequence[Tensor], ranks: Sequence[int], method: str) -> list[Tensor]:
    """Hidden layers reduced to `ranks` by ``"pca"`` or ``"svd"``; the output layer, last of `weights`, stays."""
    reduced = [decompose(weight, method).at(rank) for weight, rank in zip(weights[:-1], ranks, strict=True)]
    return [*reduced, weights[-1]]


def numerical_ranks(weights: Sequence[Tensor]) -> tuple[int, ...]:
    """Numerical rank of each matrix ``[m, n]``."""
    return tuple(rank(singular_values(weight), (weight.shape[0], weight.shape[1])) for weight in weights)


class Reducible:
    """A trained network whose hidden layers can be reduced to any ranks and tested quickly.

    Parameters
    ----------
    network
        Dense, as trained.
    x, y
        Test samples: float32 ``[samples, inputs]``, int64 ``[samples]``.
    """

    def __init__(self, network: Network, x: Tensor, y: Tensor) -> None:
        self.network, self.x, self.y = network, x, y

    @property
    def full_ranks(self) -> tuple[int, ...]:
        """The highest rank each hidden layer can have."""
        return tuple(min(weight.shape) for weight in self.network.weights[:-1])

    @cached_property
    def decompositions(self) -> dict[str, list[Decomposition]]:
        """Every hidden layer, decomposed by each method."""
        return {method: [decompose(weight, method) for weight in self.network.weights[:-1]] for method in METHODS}

    def reduced(self, method: str, ranks: Sequence[int]) -> Network:
        """The network with its hidden layers reduced; a layer at its full rank stays as it is, to the bit."""
        parts = zip(self.network.weights, self.decompositions[method], ranks, self.full_ranks, strict=False)
        hidden = [weight if rank >= full else part.at(rank) for weight, part, rank, full in parts]
        return Network((*hidden, self.network.weights[-1]), self.network.biases)

    def accuracy(self, method: str, ranks: Sequence[int]) -> float:
        """Test accuracy, 0 to 1, at these ranks."""
        first = self._first_outputs(method, ranks[0])
        rest = Network(self.reduced(method, ranks).weights[1:], self.network.biases[1:])
        return evaluate(rest, first, self.y).accuracy

    # The first hidden layer takes most of the work, so what does not depend on the rank is computed once.

    def _first_outputs(self, method: str, rank: int) -> Tensor:
        """Outputs of the first hidden layer, ``[samples, neurons]``, at this rank."""
        if rank >= self.full_ranks[0]:
            return self._whole_first_outputs
        part = self.decompositions[method][0]
        left = torch.from_numpy(part.left[:, :rank]).float()
        sums = torch.addmm(self.network.biases[0], self._projections[method][:, :rank], left.t())
        return sums.addr_(self._brightness, torch.from_numpy(part.mean[:, 0]).float()).relu_()

    @cached_property
    def _whole_first_outputs(self) -> Tensor:
        return next(self.network.forward(self.x))

    @cached_property
    def _projections(self) -> dict[str, Tensor]:
        """Samples projected on every direction of the first layer, ``[samples, k]``."""
        firsts = {method: parts[0].right for method, parts in self.decompositions.items()}
        return {method: self.x @ torch.from_numpy(right).float().t() for method, right in firsts.items()}

    @cached_property
    def _brightness(self) -> Tensor:
        return self.x.sum(dim=1)


def worthwhile_rank(neurons: int, inputs: int) -> int:
    """The highest rank at which a layer takes less work as two factors: r (m + n) < m n.

    >>> [worthwhile_rank(*shape) for shape in ((300, 784), (200, 300), (100, 200), (50, 100))]
    [216, 119, 66, 33]
    """
    return (neurons * inputs - 1) // (neurons + inputs)
