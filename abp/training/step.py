"""One training step of a ReLU perceptron, with its gradients written out.

For softmax and cross-entropy the gradient at the logits is ``softmax - one-hot``, and each layer below needs two
matrix products; writing them out lets plain SGD add the gradient to the weights within the product itself, and lets the
comparison ``output > 0`` serve both as the derivative of ReLU and as the activity count. The tests check it against
autograd.
"""

from collections.abc import Callable
from functools import cached_property, partial

import torch
from torch import Tensor

from abp.network.live import LiveNetwork
from abp.training.experiment import Experiment

MakeOptimiser = Callable[[list[Tensor]], torch.optim.Optimizer]


def optimiser_of(settings: Experiment) -> MakeOptimiser | None:
    """What makes an experiment's ``torch.optim`` optimiser of a list of parameters; None for plain SGD."""
    rate = settings.learning_rate
    if settings.optimiser == "adam":
        return partial(torch.optim.Adam, lr=rate, fused=True)
    if settings.momentum:
        return partial(torch.optim.SGD, lr=rate, momentum=settings.momentum, fused=True)
    return None


class TrainingStep:
    """Trains a `LiveNetwork` in place, batch by batch, and counts activations on the way.

    Parameters
    ----------
    live
        The network; its masks are held after every step.
    learning_rate
        Of the optimiser.
    optimiser
        As `optimiser_of` returns it. Without one, plain SGD is fused into the step.
    multilabel
        Whether each output is a yes or no of its own: its sigmoid, instead of the softmax over all of them, is compared
        with its target.
    """

    def __init__(
        self,
        live: LiveNetwork,
        learning_rate: float,
        optimiser: MakeOptimiser | None = None,
        *,
        multilabel: bool = False,
    ) -> None:
        self.live = live
        self.learning_rate = learning_rate
        self.multilabel = multilabel
        self.weights, self.biases = live.network.weights, live.network.biases
        self.optimiser = optimiser([*self.weights, *self.biases]) if optimiser else None
        self._transposed = [weight.t() for weight in self.weights]
        self._widths = [len(weight) for weight in self.weights]
        self._counts = torch.zeros(sum(self._widths[:-1]), dtype=self.weights[0].dtype)  # float32 is exact below 2^24
        self._views: dict[int, _Buffers] = {}

    def __call__(self, x: Tensor, one_hot: Tensor, logits: Tensor, sample_weights: Tensor | None = None) -> None:
        """One step on a batch, with tensors of the network's type (float32 but for callers that say otherwise).

        Parameters
        ----------
        x
            ``[batch, inputs]``.
        one_hot
            ``[batch, classes]``; with `multilabel` any number of ones a row.
        logits
            ``[batch, classes]``; receives the outputs before the update.
        sample_weights
            ``[batch]``, at least zero and not all zero: a sample of weight 2 acts, and is counted, as two samples of
            weight 1. None for ones.
        """
        buffers = self._buffers(len(x))
        self._forward(x, buffers, logits, buffers.ones if sample_weights is None else sample_weights)
        delta = buffers.deltas[-1]
        if self.multilabel:
            torch.sigmoid(logits, out=delta)
        else:
            torch.softmax(logits, 1, out=delta)
        delta.sub_(one_hot)
        if sample_weights is not None:
            delta.mul_((sample_weights * (len(x) / sample_weights.sum()))[:, None])
        self._backward(x, buffers)

    def take_counts(self) -> list[Tensor]:
        """Counts since the last call as int64 ``[live]`` per hidden layer; they start at zero again."""
        return [count.long() for count in self.take_weighted_counts()]

    def take_weighted_counts(self) -> list[Tensor]:
        """As `take_counts`, in the network's type: sums of sample weights need not be whole."""
        taken = self._counts.clone()
        self._counts.zero_()
        return list(taken.split(self._widths[:-1]))

    def optimiser_state(self) -> dict[int, dict[str, Tensor]]:
        """What the optimiser remembers of each parameter (weights first, then biases); empty for plain SGD."""
        return {} if self.optimiser is None else self.optimiser.state_dict()["state"]

    def load_optimiser(self, state: dict[int, dict[str, Tensor]]) -> None:
        """Take over what an optimiser remembered per parameter, but nothing of removed weights or dead neurons."""
        assert self.optimiser is not None
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        for parameter, kept in self._kept():
            for value in self.optimiser.state[parameter].values():
                if value.shape == parameter.shape:
                    value.mul_(kept)

    def _kept(self) -> list[tuple[Tensor, Tensor]]:
        """Parameters that lost something to pruning, each with 0 where it was removed."""
        pairs = []
        for index, mask in enumerate(self.live.masks):
            if mask is not None:
                alive = mask.any(dim=1)
                pairs += [(self.weights[index], mask), (self.biases[index], alive)]
                if index == len(self.live.masks) - 1:
                    pairs.append((self.weights[-1], alive))  # columns of the output layer
        return pairs

    def _forward(self, x: Tensor, buffers: "_Buffers", logits: Tensor, sample_weights: Tensor) -> None:
        weights, biases = self._transposed, self.biases
        for index, output in enumerate(buffers.outputs):
            x = torch.addmm(biases[index], x, weights[index], out=output).relu_()
        torch.addmm(biases[-1], x, weights[-1], out=logits)
        torch.gt(buffers.all_outputs, 0, out=buffers.all_active)
        self._counts.addmv_(buffers.all_active.t(), sample_weights)

    def _backward(self, x: Tensor, buffers: "_Buffers") -> None:
        weights, deltas = self.weights, buffers.deltas
        update = self._fused_update if self.optimiser is None else self._gradient
        for index in range(len(weights) - 1, -1, -1):
            if index:
                # The delta of the layer below, taken before this layer's weights move.
                torch.mm(deltas[index], weights[index], out=deltas[index - 1]).mul_(buffers.active[index - 1])
            update(index, buffers.transposed_deltas[index], buffers.outputs[index - 1] if index else x, buffers.ones)
        if self.optimiser is not None:
            self.optimiser.step()
            for weight, mask in zip(weights[:-1], self.live.masks, strict=True):
                if mask is not None:
                    weight.mul_(mask)

    def _fused_update(self, index: int, delta: Tensor, inputs: Tensor, ones: Tensor) -> None:
        """weight -= rate * delta @ inputs / batch, in one product; likewise the bias. `delta` is ``[out, batch]``."""
        rate = -self.learning_rate / len(inputs)
        weight = self.weights[index].addmm_(delta, inputs, alpha=rate)
        self.biases[index].addmv_(delta, ones, alpha=rate)
        if index < len(self.live.masks):
            mask = self.live.masks[index]
            if mask is not None:
                weight.mul_(mask)

    def _gradient(self, index: int, delta: Tensor, inputs: Tensor, ones: Tensor) -> None:
        """Leaves the mean gradient where the optimiser looks for it; that of removed weights is zero."""
        weight_gradient, bias_gradient = self._gradients[index]
        torch.mm(delta, inputs, out=weight_gradient).div_(len(inputs))
        torch.mv(delta, ones, out=bias_gradient).div_(len(inputs))
        if index < len(self.live.masks):
            mask = self.live.masks[index]
            if mask is not None:
                weight_gradient.mul_(mask)

    @cached_property
    def _gradients(self) -> list[tuple[Tensor, Tensor]]:
        for parameter in [*self.weights, *self.biases]:
            parameter.grad = torch.zeros_like(parameter)
        pairs = zip(self.weights, self.biases, strict=True)
        return [(weight.grad, bias.grad) for weight, bias in pairs]  # type: ignore[misc]

    def _buffers(self, batch: int) -> "_Buffers":
        if batch not in self._views:
            self._views[batch] = _Buffers(batch, self._widths, self.weights[0].dtype)
        return self._views[batch]


class _Buffers:
    """Room for one batch, so that a step allocates nothing; the hidden layers lie side by side in one tensor."""

    def __init__(self, batch: int, widths: list[int], dtype: torch.dtype) -> None:
        self.all_outputs = torch.empty(batch, sum(widths[:-1]), dtype=dtype)
        self.all_active = torch.empty_like(self.all_outputs)  # 1 where an output is above zero, else 0
        self.outputs = self.all_outputs.split(widths[:-1], dim=1)  # [batch, width] per hidden layer
        self.active = self.all_active.split(widths[:-1], dim=1)
        self.deltas = [torch.empty(batch, width, dtype=dtype) for width in widths]  # gradients before each layer's ReLU
        self.transposed_deltas = [delta.t() for delta in self.deltas]
        self.ones = torch.ones(batch, dtype=dtype)
