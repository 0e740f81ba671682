"""The network: a ReLU perceptron with a linear output layer."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Fully connected ReLU network; softmax belongs to the loss.

    Weights are Glorot-uniform (Glorot & Bengio 2010), biases zero, as in the published study.

    Parameters
    ----------
    sizes
        Inputs, hidden neurons of each layer, classes; ``[784, 300, 200, 100, 50, 10]`` in the published study.
    generator
        Source of the initial weights. Without one the weights are left zero, to be loaded.

    Attributes
    ----------
    layers
        The ``torch.nn.Linear`` layers, hidden ones first, the output layer last; weights are ``[out, in]``.
    """

    def __init__(self, sizes: Sequence[int], generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Linear, inputs, outputs)
            for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)
        )
        for layer in self._linear:
            nn.init.zeros_(layer.bias)
            if generator is None:
                nn.init.zeros_(layer.weight)
            else:
                nn.init.xavier_uniform_(layer.weight, generator=generator)

    @property
    def _linear(self) -> list[nn.Linear]:
        return cast(list[nn.Linear], list(self.layers))

    @property
    def weights(self) -> list[Tensor]:
        """Weights of every layer, ``[out, in]``, sharing memory with the network, without autograd."""
        return [layer.weight.detach() for layer in self._linear]

    @property
    def biases(self) -> list[Tensor]:
        """Biases of every layer, ``[out]``, sharing memory with the network, without autograd."""
        return [layer.bias.detach() for layer in self._linear]

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[samples, classes]`` of inputs ``[samples, inputs]``."""
        for layer in self._linear[:-1]:
            x = torch.relu(layer(x))
        return self._linear[-1](x)

    def tensors(self) -> dict[str, Tensor]:
        """A copy of all parameters, named ``hidden.0.weight``, ..., ``output.weight``, and ``.bias``."""
        names = parameter_names(len(self.layers))
        return {name: tensor.clone() for name, tensor in zip(names, self._flat(), strict=True)}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite all parameters, bit for bit, with those that `tensors` returned.

        Raises
        ------
        ValueError
            If a parameter is missing or has another shape; nothing is changed then.
        """
        names = parameter_names(len(self.layers))
        for name, mine in zip(names, self._flat(), strict=True):
            if name not in tensors:
                raise ValueError(f"the weights hold no {name}; expected {', '.join(names)}")
            if tensors[name].shape != mine.shape:
                raise ValueError(f"{name} is {list(tensors[name].shape)}, but this network needs {list(mine.shape)}")
        for name, mine in zip(names, self._flat(), strict=True):
            mine.copy_(tensors[name])

    def _flat(self) -> list[Tensor]:
        return [tensor for pair in zip(self.weights, self.biases, strict=True) for tensor in pair]


def parameter_names(layers: int) -> list[str]:
    """Names of the parameters of a network of so many layers, weight and bias by turns.

    >>> parameter_names(2)
    ['hidden.0.weight', 'hidden.0.bias', 'output.weight', 'output.bias']
    """
    owners = [f"hidden.{index}" for index in range(layers - 1)] + ["output"]
    return [f"{owner}.{kind}" for owner in owners for kind in ("weight", "bias")]


def logits(weights: Sequence[Tensor], biases: Sequence[Tensor], x: Tensor) -> Tensor:
    """Logits ``[samples, classes]`` of a ReLU perceptron with these weights ``[out, in]`` and biases ``[out]``."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = torch.addmm(bias, x, weight.t()).relu_()
    return torch.addmm(biases[-1], x, weights[-1].t())
