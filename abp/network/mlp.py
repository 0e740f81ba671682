"""The network: a ReLU perceptron with a linear output layer."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Network:
    """Weights and biases of a fully connected ReLU network; softmax belongs to the loss.

    The tensors are plain ones, without autograd. Training changes them in place; a copy by ``copy.deepcopy`` has
    tensors of its own.

    Attributes
    ----------
    weights
        Of every layer, the output layer last: float32 ``[out, in]``.
    biases
        Likewise: float32 ``[out]``.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @classmethod
    def zeros(cls, sizes: Sequence[int]) -> Self:
        """A network of zeros.

        Parameters
        ----------
        sizes
            Inputs, hidden neurons of each layer, classes; ``[784, 300, 200, 100, 50, 10]`` in the published study.
        """
        weights = tuple(torch.zeros(outputs, inputs) for inputs, outputs in pairwise(sizes))
        return cls(weights, tuple(torch.zeros(outputs) for outputs in sizes[1:]))

    @classmethod
    def glorot(cls, sizes: Sequence[int], generator: torch.Generator) -> Self:
        """A network as training starts from it: Glorot-uniform weights (Glorot & Bengio 2010), biases of zero.

        Both as in the published study; `sizes` as in `zeros`, and `generator` is the source of the weights.
        """
        network = cls.zeros(sizes)
        for weight in network.weights:
            nn.init.xavier_uniform_(weight, generator=generator)
        return network

    @classmethod
    def from_tensors(cls, sizes: Sequence[int], tensors: Mapping[str, Tensor]) -> Self:
        """The network of these sizes whose parameters `tensors` returned; errors as in `load_tensors`."""
        network = cls.zeros(sizes)
        network.load_tensors(tensors)
        return network

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Without `layers`: torch copies a parameter by value, so that its copy would not be the copied weight.
        return type(self)(copy.deepcopy(self.weights, memo), copy.deepcopy(self.biases, memo))

    @property
    def sizes(self) -> list[int]:
        """Inputs, neurons of each hidden layer, classes."""
        return [self.weights[0].shape[1], *map(len, self.biases)]

    @cached_property
    def layers(self) -> list[nn.Linear]:
        """The layers as ``torch.nn.Linear`` that share memory with the network, the output layer last."""
        layers = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")  # nothing of its own
            layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
            layers.append(layer)
        return layers

    def forward(self, x: Tensor) -> Iterator[Tensor]:
        """Outputs ``[samples, neurons]`` of each hidden layer in turn, then the logits ``[samples, classes]``.

        Each layer is computed when it is asked for, so a caller that needs only the first ones pays for no others,
        and one that keeps none needs the memory of two.

        Parameters
        ----------
        x
            float32 ``[samples, inputs]``.
        """
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = torch.addmm(bias, x, weight.t()).relu_()
            yield x
        yield torch.addmm(self.biases[-1], x, self.weights[-1].t())

    def __call__(self, x: Tensor) -> Tensor:
        """Logits ``[samples, classes]`` of inputs ``[samples, inputs]``."""
        for output in self.forward(x):
            logits = output
        return logits

    def tensors(self) -> dict[str, Tensor]:
        """A copy of all parameters, named ``hidden.0.weight``, ..., ``output.weight``, and ``.bias``."""
        return {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in self._named()}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite all parameters, bit for bit, with those that `tensors` returned.

        Raises
        ------
        ValueError
            If a parameter is missing or has another shape; nothing is changed then.
        """
        for name, mine in self._named():
            if name not in tensors:
                expected = ", ".join(parameter_names(len(self.weights)))
                raise ValueError(f"the weights hold no {name}; expected {expected}")
            if tensors[name].shape != mine.shape:
                raise ValueError(f"{name} is {list(tensors[name].shape)}, but this network needs {list(mine.shape)}")
        for name, mine in self._named():
            mine.copy_(tensors[name])

    def _named(self) -> list[tuple[str, Tensor]]:
        flat = [tensor for pair in zip(self.weights, self.biases, strict=True) for tensor in pair]
        return list(zip(parameter_names(len(self.weights)), flat, strict=True))


def parameter_names(layers: int) -> list[str]:
    """Names of the parameters of a network of so many layers, weight and bias by turns.

    >>> parameter_names(2)
    ['hidden.0.weight', 'hidden.0.bias', 'output.weight', 'output.bias']
    """
    owners = [f"hidden.{index}" for index in range(layers - 1)] + ["output"]
    return [f"{owner}.{kind}" for owner in owners for kind in ("weight", "bias")]
