"""Models as people write them, each with the activations that a plain loop over its own formulas finds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class LeNet5(nn.Module):
    """LeNet-5 (LeCun et al. 1998) with ReLU and max pooling, all as functions; for pictures of 8 or 28 rows."""

    def __init__(self, rows: int = 28) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5, padding=0 if rows == 28 else 2)
        side = 5 if rows == 28 else 2
        self.fc1 = nn.Linear(16 * side * side, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.relu(functional.max_pool2d(self.conv2(x), 2))
        x = x.view(x.size(0), -1)
        x = functional.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)

    def activations(self, x: Tensor) -> dict[str, Tensor]:
        """Outputs of each ReLU, by layer; of `conv2` without the pooling, which does not change where it is above 0."""
        first = self.conv1.forward(x).clamp(min=0)  # past the hooks
        second = self.conv2.forward(functional.max_pool2d(first, 2)).clamp(min=0)
        third = self.fc1.forward(functional.max_pool2d(second, 2).flatten(1)).clamp(min=0)
        return {"conv1": first, "conv2": second, "fc1": third, "fc2": self.fc2.forward(third).clamp(min=0)}


class Block(nn.Module):
    """A residual block (He et al. 2016) with batch norm; one in-place ReLU module serves both places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu2(self.bn2(self.conv2(out)) + x)


class SmallResNet(nn.Module):
    """A stem, one residual block, global average pooling and a linear output layer."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.block = Block(channels)
        self.fc = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(self.relu(self.norm(self.stem(x))))
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))

    def activations(self, x: Tensor) -> dict[str, Tensor]:
        """Outputs of each ReLU by layer, that of the sum under ``block.conv2``; batch norm over this batch."""
        first = _normalised(self.norm, self.stem.forward(x)).clamp(min=0)
        second = _normalised(self.block.bn1, self.block.conv1.forward(first)).clamp(min=0)
        total = (_normalised(self.block.bn2, self.block.conv2.forward(second)) + first).clamp(min=0)
        return {"stem": first, "block.conv1": second, "block.conv2": total}


def _normalised(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    return functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)


class Undecided(nn.Module):
    """A model that torch.fx cannot trace: its path depends on its values."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 12)
        self.bn1 = nn.BatchNorm1d(12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x.flatten(1))
        if x.sum() != 0:
            x = functional.relu(self.bn1(x))
        return self.fc2(x)


def counted(activation: Tensor) -> np.ndarray:
    """Samples, or positions of samples, at which each neuron or channel is above zero, one after the other."""
    counts = np.zeros(activation.shape[1], dtype=np.int64)
    for sample in activation.detach().numpy():
        for neuron, values in enumerate(sample):
            counts[neuron] += np.count_nonzero(values > 0)
    return counts
