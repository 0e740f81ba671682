"""Neuron responses: which pictures each hidden neuron fires for."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from abp.network.mlp import Network


@dataclass(frozen=True)
class Response:
    """How the neurons of one hidden layer respond to some pictures.

    Attributes
    ----------
    fires
        Pictures of each class with output > 0, int64 ``[classes, neurons]``.
    pictures
        The pictures that excite each neuron most, strongest first, int64 ``[neurons, top]``: indices of samples.
    outputs
        The neuron's output for each of those, float32 ``[neurons, top]``; 0 where it does not fire.
    """

    fires: Tensor
    pictures: Tensor
    outputs: Tensor


def responses(network: Network, x: Tensor, y: Tensor, *, top: int = 8) -> list[Response]:
    """Responses of all hidden layers of a network.

    Parameters
    ----------
    x, y
        float32 ``[samples, inputs]`` and int64 ``[samples]``.
    top
        How many of the strongest pictures are kept; fewer where there are fewer samples.
    """
    members = functional.one_hot(y, network.sizes[-1]).float().t()  # [classes, samples]
    found = []
    for _, values in zip(network.weights[:-1], network.forward(x), strict=False):  # not the output layer
        outputs, pictures = values.t().contiguous().topk(min(top, len(x)), dim=1)
        fires = (members @ (values > 0).float()).long()  # exact: float32 counts to 2**24
        found.append(Response(fires, pictures, outputs))
    return found


def activations(network: Network, picture: NDArray) -> list[NDArray]:
    """How a network responds to one picture.

    Parameters
    ----------
    picture
        Brightness 0 to 1, of as many pixels as the network has inputs; any shape.

    Returns
    -------
    list of ndarray
        Outputs of each hidden layer, float32 ``[neurons]``, and at the end the probability of each class,
        ``[classes]``.

    Raises
    ------
    ValueError
        If the picture has another number of pixels.
    """
    if picture.size != network.sizes[0]:
        raise ValueError(f"the picture has {picture.size} pixels, but this network needs {network.sizes[0]}")
    *hidden, logits = network.forward(torch.as_tensor(picture, dtype=torch.float32).reshape(1, -1))
    return [values[0].numpy() for values in (*hidden, torch.softmax(logits, dim=1))]


def multiply_adds(sizes: Sequence[int]) -> int:
    """Multiply-adds that `responses` takes per picture, for layers of these sizes (inputs, hidden layers, classes).

    >>> multiply_adds([784, 300, 10])
    235200
    """
    return sum(inputs * neurons for inputs, neurons in zip(sizes[:-2], sizes[1:-1], strict=True))
