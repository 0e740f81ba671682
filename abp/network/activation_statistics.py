"""Measurement: what samples do in a network as it is, in one forward pass that changes nothing.

The counts of `abp.training.activation_counts` accumulate while the weights move; this is taken on frozen weights,
and only for criteria that ask for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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


def measure(weights: Sequence[Tensor], biases: Sequence[Tensor], x: Tensor) -> Measurement:
    """Pass samples through the hidden layers of a ReLU perceptron.

    Parameters
    ----------
    weights, biases
        Of the hidden layers: ``[out, in]``, ``[out]``. Those of dead neurons are zero, so they are silent.
    x
        float32 ``[samples, inputs]``.

    Examples
    --------
    >>> found = measure([torch.tensor([[1.0], [-1.0]])], [torch.zeros(2)], torch.tensor([[3.0], [4.0]]))
    >>> found.input_norms[0].tolist(), found.active[0].tolist()
    ([5.0], [2, 0])
    """
    squares = [torch.zeros(weight.shape[1], dtype=torch.float64) for weight in weights]
    active = [torch.zeros(len(weight), dtype=torch.int64) for weight in weights]
    for values in x.split(_PART):
        for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            squares[index] += values.double().square().sum(0)
            values = torch.addmm(bias, values, weight.t()).relu_()
            active[index] += (values > 0).sum(0)
    return Measurement([square.sqrt().float() for square in squares], active, len(x))
