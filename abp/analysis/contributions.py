"""Contributions: how much every input and every neuron spoke for one class, for one sample."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from abp.network.mlp import Network


@dataclass(frozen=True)
class Link:
    """What one neuron contributed through one neuron of the next layer, or directly to the class.

    Attributes
    ----------
    start, end
        The neurons, from 0; `end` is the class where the link leaves the last hidden layer.
    weight
        The weight between them.
    contribution
        To the class's logit, by this link alone.
    """

    start: int
    end: int
    weight: float
    contribution: float


@dataclass(frozen=True, eq=False)
class Contributions:
    """How a network came to its logit of one class, for one sample.

    A ReLU network is linear in the neurons that fire. So the logit is the sum of what the neurons of any one layer
    contribute, each its output times the weights that lead from it to the class, and of the biases after that layer.

    Attributes
    ----------
    layers
        Contributions of the inputs ``[inputs]``, then of each hidden layer's neurons ``[neurons]``. Those of the last
        hidden layer are output x weight, and sum to the class's logit minus its bias.
    strongest
        Of each hidden layer the neurons that contributed most, whatever the sign, the strongest first; fewer where
        fewer contributed.
    links
        Between the strongest neurons of each hidden layer and the next, and from those of the last to the class.
    """

    layers: tuple[NDArray[np.float32], ...]
    strongest: tuple[tuple[int, ...], ...]
    links: tuple[tuple[Link, ...], ...]


def contributions(network: Network, sample: NDArray, to: int, *, most: int = 5) -> Contributions:
    """How the neurons and inputs of a network contributed to its logit of a class.

    Parameters
    ----------
    sample
        Values of all inputs, any shape.
    to
        The class, from 0.
    most
        Neurons of each layer among which links are given.
    """
    x = torch.as_tensor(sample, dtype=torch.float32).reshape(1, -1)
    outputs = [x[0], *(values[0] for values in list(network.forward(x))[:-1])]  # [inputs], [neurons], ...
    slopes = _slopes(network, outputs, to)
    parts = [output * slope for output, slope in zip(outputs, slopes, strict=True)]
    strongest = [_strongest(part, most) for part in parts[1:]]
    links = [
        _links(network.weights[layer], outputs[layer], slopes[layer + 1], strongest[layer - 1], strongest[layer])
        for layer in range(1, len(strongest))
    ]
    links.append(_links(network.weights[-1], outputs[-1], torch.ones(len(network.biases[-1])), strongest[-1], (to,)))
    return Contributions(tuple(part.numpy() for part in parts), tuple(strongest), tuple(links))


def _slopes(network: Network, outputs: Sequence[Tensor], to: int) -> list[Tensor]:
    """How the class's logit changes with each input and each neuron's output: ``[inputs]``, ``[neurons]``, ..."""
    slope = network.weights[-1][to]
    slopes = [slope]
    for weight, output in zip(reversed(network.weights[:-1]), reversed(outputs[1:]), strict=True):
        slope = (slope * (output > 0)) @ weight
        slopes.insert(0, slope)
    return slopes


def _strongest(part: Tensor, most: int) -> tuple[int, ...]:
    order = part.abs().argsort(descending=True, stable=True)[:most]
    return tuple(index for index in order.tolist() if part[index] != 0)


def _links(
    weight: Tensor, outputs: Tensor, slopes: Tensor, starts: Sequence[int], ends: Sequence[int]
) -> tuple[Link, ...]:
    """Links from some neurons to some of the next layer; `slopes` are the next layer's, ``[neurons]``."""
    found = []
    for start in starts:
        for end in ends:
            between = float(weight[end, start])
            if between:
                found.append(Link(start, end, between, float(outputs[start]) * between * float(slopes[end])))
    return tuple(found)
