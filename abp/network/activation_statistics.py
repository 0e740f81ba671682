"""Activation statistics of a network as it is, from one forward pass that changes nothing.

The counts of `abp.training.activation_counts` accumulate while the weights change; these are taken on frozen weights,
and only for criteria that ask for them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from abp.network.mlp import Network

_PART = 1024  # samples passed at a time


@dataclass(frozen=True)
class Measurement:
    """What a forward pass showed; lists hold one entry per hidden layer.

    Attributes
    ----------
    input_norms
        float32 ``[in]``: L2 norm of each of the layer's inputs over the samples.
    active
        int64 ``[out]``: samples for which the neuron's output was above zero.
    samples
        How many samples were passed.
    """

    input_norms: list[Tensor]
    active: list[Tensor]
    samples: int


def measure(network: Network, x: Tensor) -> Measurement:
    """Pass samples through the hidden layers of a network; its dead neurons, whose weights are zero, are silent.

    Parameters
    ----------
    x
        float32 ``[samples, inputs]``.

    Examples
    --------
    >>> network = Network((torch.tensor([[1.0], [-1.0]]), torch.zeros(1, 2)), (torch.zeros(2), torch.zeros(1)))
    >>> found = measure(network, torch.tensor([[3.0], [4.0]]))
    >>> found.input_norms[0].tolist(), found.active[0].tolist()
    ([5.0], [2, 0])
    """
    squares = [torch.zeros(weight.shape[1], dtype=torch.float64) for weight in network.weights[:-1]]
    active = [torch.zeros(len(weight), dtype=torch.int64) for weight in network.weights[:-1]]
    for values in x.split(_PART):
        for index, output in zip(range(len(active)), network.forward(values), strict=False):  # not the output layer
            squares[index] += values.double().square().sum(0)
            active[index] += (output > 0).sum(0)
            values = output
    return Measurement([square.sqrt().float() for square in squares], active, len(x))
