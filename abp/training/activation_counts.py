"""Activity: how often each hidden neuron was above zero, counted over the training samples themselves."""

from collections.abc import Sequence

import torch
from torch import Tensor

from abp.training.trainer_state import TrainerState, named


class Activity:
    """Activation counts of the hidden neurons, since the start and of the epoch in progress.

    Attributes
    ----------
    counts
        Per hidden layer, int64 ``[neurons]``: training samples with output > 0, since the start (or the last reset).
    samples
        How many training samples were counted for `counts`.
    epoch_counts, epoch_samples
        The same of the epoch in progress, or of the last one while none is.
    """

    def __init__(self, hidden: Sequence[int]) -> None:
        self.counts = [torch.zeros(width, dtype=torch.int64) for width in hidden]
        self.epoch_counts = [torch.zeros(width, dtype=torch.int64) for width in hidden]
        self.samples = 0
        self.epoch_samples = 0

    def add(self, counts: Sequence[Tensor], alive: Sequence[Tensor], samples: int) -> None:
        """Add the counts (int64 ``[live]``) that `samples` training samples gave the neurons at indices `alive`."""
        for layer, (count, neurons) in enumerate(zip(counts, alive, strict=True)):
            self.counts[layer][neurons] += count
            self.epoch_counts[layer][neurons] += count
        self.samples += samples
        self.epoch_samples += samples

    def begin_epoch(self) -> None:
        """Start counting an epoch."""
        self.epoch_counts = [torch.zeros_like(count) for count in self.epoch_counts]
        self.epoch_samples = 0

    def reset(self) -> None:
        """Start the counts since the start at zero again; the epoch's own counts stay."""
        self.counts = [torch.zeros_like(count) for count in self.counts]
        self.samples = 0

    def tensors(self) -> dict[str, Tensor]:
        """Copies of all counts, named ``count.0``, ..., ``epoch_count.0``, ..., for `load`."""
        return {**named("count", self.counts), **named("epoch_count", self.epoch_counts)}

    def load(self, state: TrainerState) -> None:
        """Go on counting from what a state holds."""
        self.counts, self.epoch_counts = state.layers("count"), state.layers("epoch_count")
        self.samples, self.epoch_samples = state.values["samples"], state.values["epoch_samples"]

    def frequency(self) -> list[Tensor]:
        """Share of the counted samples with output > 0, float64 ``[neurons]`` per hidden layer; 0 before any."""
        return [count.double() / max(self.samples, 1) for count in self.counts]
