"""What the trainer is compared with: the loops that one would write with PyTorch alone."""

import torch
from torch import nn
from torch.nn import functional

SIZES = (784, 300, 200, 100, 50, 10)
BATCH = 32


class PlainLoop:
    """Autograd and ``optim.SGD`` on pre-loaded tensors; with `hooks`, also counting hooks and masks after each step."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, *, hooks: bool = False) -> None:
        self.x, self.y = x, y
        linear = [nn.Linear(inputs, outputs) for inputs, outputs in zip(SIZES[:-1], SIZES[1:], strict=True)]
        self.network = nn.Sequential(*[module for layer in linear[:-1] for module in (layer, nn.ReLU())], linear[-1])
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=0.01)
        self.order = torch.randperm(len(x))
        self.place = 0
        self.masked: list[tuple[torch.Tensor, torch.Tensor]] = []
        if hooks:
            self._add_hooks(linear)

    def steps(self, number: int) -> None:
        """Train on so many batches."""
        for _ in range(number):
            chosen = self.order[self.place : self.place + BATCH]
            self.place = (self.place + BATCH) % (len(self.x) - BATCH)
            self.optimiser.zero_grad()
            functional.cross_entropy(self.network(self.x[chosen]), self.y[chosen]).backward()
            self.optimiser.step()
            with torch.no_grad():
                for weight, mask in self.masked:
                    weight.mul_(mask)

    def _add_hooks(self, linear: list[nn.Linear]) -> None:
        self.masked = [(layer.weight, torch.rand_like(layer.weight) > 0.5) for layer in linear[:-1]]
        self.counts = [torch.zeros(width, dtype=torch.int64) for width in SIZES[1:-1]]
        rectifiers = [module for module in self.network if isinstance(module, nn.ReLU)]
        for count, rectifier in zip(self.counts, rectifiers, strict=True):
            rectifier.register_forward_hook(_counting(count))


def _counting(count: torch.Tensor):  # type: ignore[no-untyped-def]
    def hook(_module: nn.Module, _inputs: tuple, output: torch.Tensor) -> None:
        count.add_((output > 0).sum(0))

    return hook
