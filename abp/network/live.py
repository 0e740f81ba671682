"""The live part of a pruned network: the same function computed without its dead neurons."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from abp.network.masks import live_neurons
from abp.network.mlp import Network


@dataclass(frozen=True)
class LiveNetwork:
    """Weights and biases of the neurons that are alive.

    A dead neuron has zero weights in and out and a zero bias, so leaving it out changes nothing but the time it takes.
    Without dead neurons the tensors share memory with the network; else they are copies, and `write_back` is needed.

    Attributes
    ----------
    alive
        Indices of the live neurons per hidden layer, int64 ``[live]``.
    weights, biases
        Of every layer, the output layer last: ``[live out, live in]``, ``[live out]``.
    masks
        Per hidden layer 0 or 1 as float32 ``[live out, live in]``, or None where every weight is kept.
    """

    alive: list[Tensor]
    weights: list[Tensor]
    biases: list[Tensor]
    masks: list[Tensor | None]
    shares_memory: bool

    def write_back(self, network: Network) -> None:
        """Copy the live weights and biases to their places in `network`."""
        if self.shares_memory:
            return
        for index, (rows, columns) in enumerate(self._places(network)):
            network.weights[index][rows[:, None], columns] = self.weights[index]
            network.biases[index][rows] = self.biases[index]

    def _places(self, network: Network) -> list[tuple[Tensor, Tensor]]:
        return _places(self.alive, network)


def live_network(network: Network, masks: Sequence[Tensor], *, drop_dead: bool = True) -> LiveNetwork:
    """The live part of `network` under `masks` (bool ``[out, in]`` per hidden layer).

    With ``drop_dead=False`` dead neurons stay in it, for optimisers whose state has the network's shapes.
    """
    alive = [torch.nonzero(live | (not drop_dead)).flatten() for live in live_neurons(masks)]
    places = _places(alive, network)
    whole = all(len(rows) == len(bias) for (rows, _), bias in zip(places, network.biases, strict=True))
    weights, biases = network.weights, network.biases
    if not whole:
        weights = [weight[rows[:, None], columns] for weight, (rows, columns) in zip(weights, places, strict=True)]
        biases = [bias[rows] for bias, (rows, _) in zip(biases, places, strict=True)]
    live_masks = [mask[rows[:, None], columns] for mask, (rows, columns) in zip(masks, places[:-1], strict=True)]
    return LiveNetwork(
        alive, weights, biases, [None if bool(mask.all()) else mask.float() for mask in live_masks], whole
    )


def remove_weights(network: Network, masks: Sequence[Tensor]) -> None:
    """Zero what `masks` removed, and let dead neurons go without changing what the network computes further.

    A neuron without inputs still emits ReLU(bias). That constant is folded into the next layer's biases before the
    neuron's outgoing weights (those to the output layer too) and its own bias are set to zero. All outgoing weights
    that it had before this pruning carry the constant, whether they were chosen themselves or go with the neuron.
    """
    weights, biases = network.weights, network.biases
    for index, (mask, live) in enumerate(zip(masks, live_neurons(masks), strict=True)):
        # Of a neuron that dies here the outgoing weights are still in place: fold before the next layer's mask falls.
        weights[index].mul_(mask)
        dead = ~live
        constants = torch.where(dead, biases[index].clamp(min=0), 0.0)
        biases[index + 1].addmv_(weights[index + 1], constants)
        weights[index + 1][:, dead] = 0
        biases[index][dead] = 0


def zero_removed(network: Network, masks: Sequence[Tensor]) -> None:
    """Zero what `masks` removed, and of neurons without inputs the bias and the outgoing weights too.

    Unlike `remove_weights` it folds nothing, so whatever survives keeps its bits: for weights that are put under masks
    that were made for others.
    """
    weights, biases = network.weights, network.biases
    for index, (mask, live) in enumerate(zip(masks, live_neurons(masks), strict=True)):
        weights[index].mul_(mask)
        weights[index + 1][:, ~live] = 0
        biases[index][~live] = 0


def _places(alive: Sequence[Tensor], network: Network) -> list[tuple[Tensor, Tensor]]:
    """Rows and columns of the live part in every layer's weight."""
    inputs, outputs = network.weights[0].shape[1], network.weights[-1].shape[0]
    ends = [torch.arange(inputs), *alive, torch.arange(outputs)]
    return list(zip(ends[1:], ends[:-1], strict=True))
