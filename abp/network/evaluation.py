"""Evaluation: loss and accuracy of a network on samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from abp.network.mlp import logits

_PART = 1024  # samples evaluated at a time


@dataclass(frozen=True)
class Metrics:
    """Mean cross-entropy `loss` (nats) and `accuracy` (0 to 1) over some samples."""

    loss: float
    accuracy: float


def evaluate(weights: Sequence[Tensor], biases: Sequence[Tensor], x: Tensor, y: Tensor) -> Metrics:
    """Loss and accuracy of a ReLU perceptron on samples.

    Parameters
    ----------
    weights, biases
        Of every layer, the output layer last: ``[out, in]``, ``[out]``.
    x, y
        float32 ``[samples, inputs]`` and int64 ``[samples]``.
    """
    loss, correct = 0.0, 0
    with torch.no_grad():
        for part_x, part_y in zip(x.split(_PART), y.split(_PART), strict=True):
            output = logits(weights, biases, part_x)
            loss += functional.cross_entropy(output, part_y, reduction="sum").item()
            correct += int((output.argmax(1) == part_y).sum())
    return Metrics(loss / len(x), correct / len(x))
