"""The training loop that a user of PyTorch writes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


def train(
    model: nn.Module, pictures: tuple[Tensor, Tensor], look: Callable[[Tensor], None] | None = None, epochs: int = 1
) -> None:
    """Train by SGD with momentum in batches of 48, the last one smaller; `look` sees each batch before its step."""
    x, y = pictures
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(epochs):
        for batch_x, batch_y in zip(x.split(48), y.split(48), strict=True):
            if look:
                look(batch_x)
            optimiser.zero_grad()
            functional.cross_entropy(model(batch_x), batch_y).backward()
            optimiser.step()
