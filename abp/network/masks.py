"""Masks: which hidden weights are kept. True = kept; one bool ``[out, in]`` tensor per hidden layer."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def full_masks(sizes: Sequence[int]) -> list[Tensor]:
    """Masks that keep everything, for a network of these sizes (inputs, hidden layers, classes)."""
    return [torch.ones(out, inputs, dtype=torch.bool) for inputs, out in zip(sizes[:-2], sizes[1:-1], strict=True)]


def kept(masks: Sequence[Tensor]) -> int:
    """Number of weights kept in all hidden layers."""
    return sum(int(np.count_nonzero(mask.numpy())) for mask in masks)


def total(masks: Sequence[Tensor]) -> int:
    """Number of hidden weights, kept or not."""
    return sum(mask.numel() for mask in masks)


def sparsity(masks: Sequence[Tensor]) -> float:
    """Share of hidden weights that are removed, 0 to 1; the output layer counts nowhere.

    >>> sparsity([torch.tensor([[True, False], [True, True]])])
    0.25
    """
    return (total(masks) - kept(masks)) / total(masks)


def live_weights(masks: Sequence[Tensor]) -> list[Tensor]:
    """Incoming weights each hidden neuron has left, int64 ``[neurons]`` per layer."""
    return [mask.sum(dim=1) for mask in masks]


def live_neurons(masks: Sequence[Tensor]) -> list[Tensor]:
    """Which hidden neurons have at least one incoming weight left, bool ``[neurons]`` per layer."""
    return [mask.any(dim=1) for mask in masks]


def cascade(masks: Sequence[Tensor]) -> list[Tensor]:
    """Masks in which a neuron without incoming weights has also lost its outgoing ones.

    One pass from the first hidden layer to the last is enough, since a death can only kill neurons further on.

    >>> first, second = cascade([torch.tensor([[True], [False]]), torch.tensor([[True, True], [False, True]])])
    >>> second.tolist()
    [[True, False], [False, False]]
    """
    result = [masks[0]]
    for mask in masks[1:]:
        result.append(mask & result[-1].any(dim=1))
    return result


def pack(masks: Sequence[Tensor]) -> bytes:
    """Masks as bytes, one bit a weight, layers joined; `unpack` needs the network's sizes to read them."""
    return np.packbits(np.concatenate([mask.numpy().ravel() for mask in masks])).tobytes()


def unpack(packed: bytes, sizes: Sequence[int]) -> list[Tensor]:
    """Masks of a network of these sizes (inputs, hidden layers, classes) from what `pack` returned.

    Raises
    ------
    ValueError
        If the number of bytes is wrong.

    Examples
    --------
    >>> masks = [torch.tensor([[True, False, True]])]
    >>> unpack(pack(masks), [3, 1, 10])[0].tolist()
    [[True, False, True]]
    """
    shapes = [(out, inputs) for inputs, out in zip(sizes[:-2], sizes[1:-1], strict=True)]
    lengths = [out * inputs for out, inputs in shapes]
    if len(packed) != (expected := (sum(lengths) + 7) // 8):
        raise ValueError(f"packed masks of this network take {expected} bytes, not {len(packed)}")
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=sum(lengths)).astype(bool)
    parts = np.split(bits, np.cumsum(lengths)[:-1])
    return [torch.from_numpy(part.reshape(shape).copy()) for part, shape in zip(parts, shapes, strict=True)]
