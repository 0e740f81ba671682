"""The live part of a pruned network: the same function computed without its dead neurons."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from abp.network.masks import live_neurons
from abp.network.mlp import Network


@dataclass(frozen=True)
class LiveNetwork:
    """The neurons of a network that are alive, as a network of its own.

    A dead neuron has zero weights in and out and a zero bias, so leaving it out changes nothing but the time that a
    pass takes. Without dead neurons `network` is the whole one itself; otherwise it is a copy, and `write_back` is
    needed.

    Attributes
    ----------
    network
        The live neurons: ``[live out, live in]``, ``[live out]``.
    alive
        Indices of the live neurons per hidden layer, int64 ``[live]``.
    masks
        Per hidden layer 0 or 1 as float32 ``[live out, live in]``, or None where every weight is kept.
    """

    network: Network
    alive: list[Tensor]
    masks: list[Tensor | None]

    def write_back(self, whole: Network) -> None:
        """Copy the live weights and biases to their places in the whole network."""
        if self.network is whole:
            return
        for index, (rows, columns) in enumerate(_places(self.alive, whole)):
            whole.weights[index][rows[:, None], columns] = self.network.weights[index]
            whole.biases[index][rows] = self.network.biases[index]


def live_network(network: Network, masks: Sequence[Tensor], *, drop_dead: bool = True) -> LiveNetwork:
    """The live part of `network` under `masks` (bool ``[out, in]`` per hidden layer).

    With ``drop_dead=False`` dead neurons stay in it, for optimisers whose state has the network's shapes.
    """
    alive = [torch.nonzero(live | (not drop_dead)).flatten() for live in live_neurons(masks)]
    places = _places(alive, network)
    live_masks = [mask[rows[:, None], columns] for mask, (rows, columns) in zip(masks, places[:-1], strict=True)]
    if any(len(rows) < len(bias) for (rows, _), bias in zip(places, network.biases, strict=True)):
        pairs = zip(network.weights, places, strict=True)
        weights = tuple(weight[rows[:, None], columns] for weight, (rows, columns) in pairs)
        biases = tuple(bias[rows] for bias, (rows, _) in zip(network.biases, places, strict=True))
        network = Network(weights, biases)
    return LiveNetwork(network, alive, [None if bool(mask.all()) else mask.float() for mask in live_masks])


def remove_weights(network: Network, masks: Sequence[Tensor]) -> None:
    """Zero what `masks` removed, and drop dead neurons without changing what the layers after them compute.

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

    Unlike `remove_weights` it folds nothing, so whatever survives keeps its bits: it is for weights that are put under
    masks made for others.
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
