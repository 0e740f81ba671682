"""Evaluation: loss and accuracy of a network on samples."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from abp.network.mlp import Network

_PART = 1024  # samples evaluated at a time


@dataclass(frozen=True)
class Metrics:
    """Mean cross-entropy `loss` (nats) and `accuracy` (0 to 1) over some samples."""

    loss: float
    accuracy: float


def evaluate(network: Network, x: Tensor, y: Tensor) -> Metrics:
    """Loss and accuracy of a network on samples.

    Parameters
    ----------
    x, y
        float32 ``[samples, inputs]`` and int64 ``[samples]``.
    """
    loss, correct = 0.0, 0
    for part_x, part_y in zip(x.split(_PART), y.split(_PART), strict=True):
        logits = network(part_x)
        loss += functional.cross_entropy(logits, part_y, reduction="sum").item()
        correct += int((logits.argmax(1) == part_y).sum())
    return Metrics(loss / len(x), correct / len(x))
