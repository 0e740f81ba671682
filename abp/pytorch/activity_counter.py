"""The activity counter: how often each neuron or channel of a model is above zero while the model trains."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from abp.pytorch.activations import TracingFailed, followed_by_activation, layers, output_layers


class ActivityCounter:
    """Counts, by forward hooks, the training samples that activate each neuron of a model.

    A channel of a `torch.nn.Conv2d` counts the positions at which it is above zero; so does a neuron of a
    `torch.nn.Linear` that is applied to a sequence. Where normalisation stands before the activation, its output is
    what counts; where max pooling does, positions are those before it. Only passes in training mode count
    (``model.train()``). Nothing that the model computes changes by a bit.

    Parameters
    ----------
    model
        Its Linear and Conv2d layers that ReLU, ReLU6 or Hardswish follows are counted, as a module or as a function,
        as `torch.fx` finds them. Layers whose output is the model's, or is added to another one's before it is
        activated, are not.
    activations
        Name of a layer -> name of the module whose output is above zero where the layer's neurons are active: the
        layer itself or the normalisation after it where ReLU follows as a function, or the activation's own module.
        These take precedence over what `torch.fx` finds; where it cannot trace the model, they alone are counted.

    Raises
    ------
    TracingFailed
        If the model cannot be traced and no activations are named.
    ValueError
        If the model has no such module or layer, a named layer is an output layer, or no layer is followed by an
        activation.

    Attributes
    ----------
    counts
        Name of a layer -> int64 ``[neurons]`` or ``[channels]``: samples, or positions of samples, above zero.
    samples
        Name of a layer -> how many training samples it saw.
    positions
        Name of a layer -> at how many positions in all: samples times the positions of each (1 for plain layers).

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2))
    >>> counter = ActivityCounter(model)
    >>> _ = model[0].weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
    >>> _ = model(torch.tensor([[3.0], [2.0], [-1.0]]))
    >>> counter.counts["0"].tolist(), counter.samples["0"]
    ([2, 1], 3)
    """

    def __init__(self, model: nn.Module, activations: Mapping[str, str] | None = None) -> None:
        self.model = model
        self.sources = _sources(model, dict(activations or {}))
        self.layers = {name: layer for name, layer in layers(model).items() if name in self.sources}
        self.reset()
        self._hooks = [
            model.get_submodule(self.sources[name]).register_forward_hook(partial(self._count, name))
            for name in self.layers
        ]

    def frequency(self) -> dict[str, Tensor]:
        """Share of samples, or of their positions, above zero: float64 ``[neurons]`` per layer, 0 before any.

        Unlike counts, shares of layers with different numbers of positions can be compared.
        """
        return {name: count.double() / max(self.positions[name], 1) for name, count in self.counts.items()}

    def importance_scores(self) -> dict[tuple[nn.Module, str], Tensor]:
        """Score of every weight of the counted layers: its neuron's frequency times its size.

        In the form that `torch.nn.utils.prune.global_unstructured` takes, whose ``parameters`` are its keys.
        """
        scores: dict[tuple[nn.Module, str], Tensor] = {}
        for name, share in self.frequency().items():
            weight = self.layers[name].weight.detach()
            scores[self.layers[name], "weight"] = share.to(weight).view(-1, *[1] * (weight.dim() - 1)) * weight.abs()
        return scores

    def reset(self) -> None:
        """Forget what was counted."""
        self.counts = {
            name: torch.zeros(len(layer.weight), dtype=torch.int64, device=layer.weight.device)
            for name, layer in self.layers.items()
        }
        self.samples = dict.fromkeys(self.layers, 0)
        self.positions = dict.fromkeys(self.layers, 0)

    def remove(self) -> None:
        """Take the hooks off the model; what was counted stays."""
        for hook in self._hooks:
            hook.remove()

    def _count(self, name: str, _module: nn.Module, _inputs: tuple, output: Tensor) -> None:
        if not self.model.training:
            return
        layer, count = self.layers[name], self.counts[name]
        samples, values = _by_position(output.detach(), isinstance(layer, nn.Conv2d))
        if values.shape[1] != len(count):
            raise ValueError(
                f"{name} has {len(count)} neurons, but {self.sources[name]} gives {values.shape[1]} values"
            )
        # Comparing into float32 and summing that is several times faster than summing booleans. It is exact: a sum over
        # the positions of one sample, or over the samples of a batch, stays below 2^24.
        active = torch.gt(values, 0, out=torch.empty_like(values, dtype=torch.float32))
        sums = active.sum(2).sum(0, dtype=torch.int64) if values.shape[2] > 1 else active.sum((0, 2)).long()
        self.counts[name] = count.to(sums.device).add_(sums)
        self.samples[name] += samples
        self.positions[name] += values.shape[0] * values.shape[2]


def _by_position(output: Tensor, convolutional: bool) -> tuple[int, Tensor]:
    """How many samples a layer's output holds, and its values as ``[samples, neurons, positions]``."""
    if convolutional:
        batch = output if output.dim() == 4 else output[None]
        return len(batch), batch.flatten(2)
    batch = output if output.dim() > 1 else output[None]
    return len(batch), batch.flatten(1, -2).transpose(1, 2) if batch.dim() > 2 else batch[:, :, None]


def _sources(model: nn.Module, named: dict[str, str]) -> dict[str, str]:
    """Layer -> module to look at, as `torch.fx` finds them and as the caller named them."""
    modules, candidates = dict(model.named_modules()), layers(model)
    for layer, source in named.items():
        if layer not in candidates:
            raise ValueError(f"the model has no Linear or Conv2d layer {layer!r}; it has {', '.join(candidates)}")
        if source not in modules:
            raise ValueError(f"the model has no module {source!r} to look at for {layer!r}")
    try:
        found, outputs = followed_by_activation(model), output_layers(model)
    except TracingFailed:
        if not named:
            raise
        found, outputs = {}, set()
    if refused := outputs & set(named):
        raise ValueError(f"{', '.join(sorted(refused))} is an output layer of the model, and these are never pruned")
    sources = {**found, **named}
    if not sources:
        raise ValueError("the model has no Linear or Conv2d layer that ReLU, ReLU6 or Hardswish follows")
    return sources
