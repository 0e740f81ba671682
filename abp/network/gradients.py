"""Gradients of the loss on samples in a network as it is, in passes that change nothing."""

import torch
from torch import Tensor

from abp.network.mlp import Network

_PART = 1024  # samples passed at a time


def loss_gradients(network: Network, x: Tensor, y: Tensor) -> list[Tensor]:
    """Gradient of the mean cross-entropy at the weights of each hidden layer, float32 ``[out, in]``.

    Written out as in `abp.training.step`; the sums over samples are float64.

    Parameters
    ----------
    x, y
        float32 ``[samples, inputs]`` and int64 ``[samples]``.
    """
    sums = [torch.zeros(weight.shape, dtype=torch.float64) for weight in network.weights[:-1]]
    for part_x, part_y in zip(x.split(_PART), y.split(_PART), strict=True):
        *outputs, logits = network.forward(part_x)
        delta = logits.softmax(1)
        delta[torch.arange(len(part_y)), part_y] -= 1
        for layer in range(len(sums) - 1, -1, -1):
            delta = (delta @ network.weights[layer + 1]).mul_(outputs[layer] > 0)
            sums[layer] += delta.t() @ (outputs[layer - 1] if layer else part_x)
    return [(total / len(x)).float() for total in sums]
