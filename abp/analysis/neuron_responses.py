"""Neurons: which pictures each hidden neuron answers to."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Response:
    """How the neurons of one hidden layer answer to some pictures.

    Attributes
    ----------
    fires
        Pictures of each class with output > 0, int64 ``[classes, neurons]``.
    pictures
        The pictures that excite each neuron most, strongest first, int64 ``[neurons, top]``: indices of samples.
    outputs
        The neuron's output for each of them, float32 ``[neurons, top]``; 0 where it does not fire.
    """

    fires: Tensor
    pictures: Tensor
    outputs: Tensor


def responses(
    weights: Sequence[Tensor], biases: Sequence[Tensor], x: Tensor, y: Tensor, *, classes: int, top: int = 8
) -> list[Response]:
    """Responses of all hidden layers of a ReLU perceptron.

    Parameters
    ----------
    weights, biases
        Of every layer, the output layer last: ``[out, in]``, ``[out]``.
    x, y
        float32 ``[samples, inputs]`` and int64 ``[samples]``.
    top
        How many of the strongest pictures are kept; fewer where there are fewer samples.
    """
    members = functional.one_hot(y, classes).float().t()  # [classes, samples]
    found = []
    with torch.no_grad():
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = torch.addmm(bias, x, weight.t()).relu_()
            outputs, pictures = x.t().contiguous().topk(min(top, len(x)), dim=1)
            fires = (members @ (x > 0).float()).long()  # exact: float32 counts to 2**24
            found.append(Response(fires, pictures, outputs))
    return found


def multiply_adds(sizes: Sequence[int]) -> int:
    """Multiply-adds that `responses` takes per picture, for layers of these sizes (inputs, hidden layers, classes).

    >>> multiply_adds([784, 300, 10])
    235200
    """
    return sum(inputs * neurons for inputs, neurons in zip(sizes[:-2], sizes[1:-1], strict=True))
