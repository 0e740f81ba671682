"""Training of a network on arrays as scikit-learn knows them: weighted, sparse, multilabel, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from abp.network.activation_statistics import measure
from abp.network.live import live_network, zero_removed
from abp.network.masks import full_masks, kept, total
from abp.network.mlp import Network
from abp.pruning.prune_network import prune_network
from abp.pruning.selection import Request
from abp.training.randomness import generator
from abp.training.step import MakeOptimiser, TrainingStep

_PART = 1024  # samples passed at a time

Inputs: TypeAlias = NDArray[np.floating] | sparse.csr_matrix | sparse.csr_array


@dataclass(frozen=True)
class Samples:
    """Samples to train on.

    Attributes
    ----------
    x
        ``[samples, inputs]``.
    targets
        ``[samples, outputs]`` of zeros and ones.
    weights
        ``[samples]``, above zero.
    weighted
        Whether any of these is not one.
    """

    x: Inputs
    targets: NDArray
    weights: NDArray
    weighted: bool

    def __len__(self) -> int:
        return self.x.shape[0]


class NetworkTraining:
    """A network in training, its masks and its activation counts; it can be pickled and goes on with the same bits.

    Parameters
    ----------
    sizes
        Inputs, hidden neurons of each layer, outputs.
    dtype
        ``torch.float32`` or ``torch.float64``, that of the samples.
    seed
        Of the initial weights, the order of samples and random criteria.
    learning_rate, optimiser, multilabel
        As in `abp.training.step.TrainingStep`.

    Attributes
    ----------
    network
        Current after every method.
    masks
        Per hidden layer, bool ``[out, in]``; True = kept.
    counts
        Per hidden layer, float64 ``[neurons]``: sum of the weights of training samples with output above zero.
    samples
        Sum of the weights of all samples counted.
    epochs, prunings
        How many were made.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        dtype: torch.dtype,
        seed: int,
        learning_rate: float,
        optimiser: MakeOptimiser | None,
        multilabel: bool,
    ) -> None:
        self.sizes, self.dtype, self.seed = list(sizes), dtype, seed
        self.learning_rate, self.optimiser, self.multilabel = learning_rate, optimiser, multilabel
        self.network = self._fresh_network(0)
        self.masks = full_masks(self.sizes)
        self.counts = [torch.zeros(width, dtype=torch.float64) for width in self.sizes[1:-1]]
        self.samples = 0.0
        self.epochs = self.prunings = 0
        self._renew_step({})

    def __getstate__(self) -> dict[str, Any]:
        # The step shares memory with the network, which pickling would undo.
        plain = {name: value for name, value in vars(self).items() if name not in ("_live", "_step")}
        return {**plain, "optimiser_state": self._step.optimiser_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        remembered = state.pop("optimiser_state")
        vars(self).update(state)
        self._renew_step(remembered)

    def train_epoch(self, samples: Samples, batch_size: int) -> tuple[float, float]:
        """One pass over the samples in random order: mean loss (nats) and accuracy, over weights that change."""
        self.epochs += 1
        order = torch.randperm(len(samples), generator=generator(self.seed, "order", self.epochs)).numpy()
        targets, weights = self._tensor(samples.targets[order]), self._tensor(samples.weights[order])
        outputs = torch.empty_like(targets)
        with torch.no_grad():
            for start in range(0, len(order), batch_size):
                batch = slice(start, start + batch_size)
                weight = weights[batch] if samples.weighted else None
                self._step(self._tensor(rows(samples.x, order[batch])), targets[batch], outputs[batch], weight)
        self._live.write_back(self.network)
        total_weight = float(weights.sum())
        self.samples += total_weight
        for count, neurons, new in zip(self.counts, self._live.alive, self._step.take_weighted_counts(), strict=True):
            count[neurons] += new
        loss = float(self._losses(outputs, targets) @ weights)
        return loss / total_weight, float(self._right(outputs, targets) @ weights) / total_weight

    def prune(self, criterion: str, target: float, scope: str, samples: Samples) -> None:
        """Remove weights until this share of all hidden weights is zero; `samples` are the training set."""
        missing = round(target * total(self.masks)) - (total(self.masks) - kept(self.masks))
        self.masks = prune_network(
            self.network,
            self.masks,
            criterion,
            Request(max(0, missing)),
            scope=scope,
            counts=self.counts,
            samples=self.samples,
            generator=generator(self.seed, "pruning", self.prunings),
            measure=lambda: measure(self.network, self._tensor(rows(samples.x, slice(None)))),
            gradients=lambda: self._gradients(samples),
        )
        self.prunings += 1
        self._renew_step(self._step.optimiser_state())

    def reinitialise(self) -> None:
        """Give the weights that are left new random values; the optimiser forgets."""
        self.network = self._fresh_network(1)
        zero_removed(self.network, self.masks)
        self._renew_step({})

    def logits(self, x: Inputs) -> NDArray[np.floating]:
        """Outputs before the softmax or sigmoid, ``[samples, outputs]``."""
        starts = range(0, x.shape[0], _PART)
        return torch.cat([self.network(self._tensor(rows(x, slice(start, start + _PART)))) for start in starts]).numpy()

    def _losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.multilabel:
            return functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").sum(1)
        return functional.cross_entropy(outputs, targets, reduction="none")

    def _right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """1 for each sample that was right, else 0."""
        if self.multilabel:
            return ((outputs > 0) == (targets > 0)).all(1).to(self.dtype)
        return (outputs.argmax(1) == targets.argmax(1)).to(self.dtype)

    def _gradients(self, samples: Samples) -> list[Tensor]:
        """Gradient of the mean loss at the weights of each hidden layer, by autograd."""
        weights = tuple(
            weight.clone().requires_grad_() for weight in self.network.weights
        )  # without an optimiser's .grad
        network = Network(weights, self.network.biases)
        for start in range(0, len(samples), _PART):
            part = slice(start, start + _PART)
            outputs = network(self._tensor(rows(samples.x, part)))
            losses = self._losses(outputs, self._tensor(samples.targets[part]))
            (losses @ self._tensor(samples.weights[part]) / samples.weights.sum()).backward()
        return [weight.grad for weight in weights[:-1]]  # type: ignore[misc]

    def _fresh_network(self, index: int) -> Network:
        fresh = Network.glorot(self.sizes, generator(self.seed, "weights", index))
        return Network(
            tuple(weight.to(self.dtype) for weight in fresh.weights),
            tuple(bias.to(self.dtype) for bias in fresh.biases),
        )

    def _renew_step(self, optimiser_state: dict[int, dict[str, Tensor]]) -> None:
        """Make the training step for the network and masks as they are, with what the optimiser remembers."""
        self._live = live_network(self.network, self.masks, drop_dead=self.optimiser is None)
        self._step = TrainingStep(self._live, self.learning_rate, self.optimiser, multilabel=self.multilabel)
        if optimiser_state:
            self._step.load_optimiser(optimiser_state)

    def _tensor(self, values: NDArray) -> Tensor:
        return torch.from_numpy(values).to(self.dtype)


def rows(x: Inputs, chosen: NDArray[np.intp] | slice) -> NDArray:
    """Some rows of an array, dense or sparse, as a dense one in C order (another gives other bits) that is writable."""
    part = x[chosen]
    return np.require(part, requirements=["C", "W"]) if isinstance(part, np.ndarray) else part.toarray()
