"""What a network costs: parameters, arithmetic and bytes, dense and pruned."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from abp.network.masks import kept, live_neurons, total


@dataclass(frozen=True)
class Cost:
    """Cost of one network, the output layer and biases included unless said otherwise.

    Attributes
    ----------
    parameters
        Weights and biases that are not removed; the biases of dead neurons are removed too.
    multiply_adds
        Per picture: one for each remaining weight.
    flops
        2 x non-zero hidden weights, as the published code counts them, per picture.
    bytes_dense
        Every weight and bias as float32.
    bytes_masked
        One bit per hidden weight, and float32 for what is kept and for the output layer.
    bytes_compacted
        float32 for the dense layers that are left without dead neurons.
    """

    parameters: int
    multiply_adds: int
    flops: int
    bytes_dense: int
    bytes_masked: int
    bytes_compacted: int


def cost(sizes: Sequence[int], masks: Sequence[Tensor]) -> Cost:
    """Cost of a network of these sizes (inputs, hidden layers, classes) under `masks` (bool ``[out, in]`` a layer)."""
    alive = [int(live.sum()) for live in live_neurons(masks)]
    classes = sizes[-1]
    output = alive[-1] * classes
    biases = sum(alive) + classes
    all_weights = total(masks) + sizes[-2] * classes
    compacted = [sizes[0], *alive, classes]
    compact_weights = sum(a * b for a, b in zip(compacted[:-1], compacted[1:], strict=True))
    return Cost(
        parameters=kept(masks) + output + biases,
        multiply_adds=kept(masks) + output,
        flops=2 * kept(masks),
        bytes_dense=4 * (all_weights + sum(sizes[1:])),
        bytes_masked=(total(masks) + 7) // 8 + 4 * (kept(masks) + output + biases),
        bytes_compacted=4 * (compact_weights + biases),
    )


def low_rank_cost(sizes: Sequence[int], ranks: Sequence[int], *, centred: bool = False) -> tuple[int, int]:
    """Parameters, and FLOPs of the hidden layers (2 x multiply-adds), of a network reduced to `ranks`.

    A hidden layer ``m x n`` of rank r is two factors, r (m + n) weights, where that is less than m n. `centred` adds
    the mean that PCA adds back: one more weight for each neuron, times the sum of the inputs.

    >>> low_rank_cost([784, 300, 10], [10], centred=False)
    (14150, 21680)
    """
    weights = 0
    for inputs, neurons, rank in zip(sizes[:-2], sizes[1:-1], ranks, strict=True):
        factors = rank * (inputs + neurons) + centred * neurons
        weights += min(factors, inputs * neurons)
    return weights + sizes[-2] * sizes[-1] + sum(sizes[1:]), 2 * weights


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer; terms as in `Cost`.

    Attributes
    ----------
    inputs, neurons
        Its shape.
    sparsity
        Share of its weights that are removed. The output layer's weights from dead neurons are removed too.
    live_neurons
        Neurons with at least one incoming weight; all of the output layer's.
    flops
        None for the output layer, which the published count leaves out.
    """

    name: str
    inputs: int
    neurons: int
    sparsity: float
    live_neurons: int
    parameters: int
    multiply_adds: int
    flops: int | None
    bytes_dense: int
    bytes_masked: int
    bytes_compacted: int


def layer_costs(sizes: Sequence[int], masks: Sequence[Tensor]) -> list[LayerCost]:
    """Cost of each layer, the output layer last.

    The rows add up to `cost`, except that every bit mask takes whole bytes here.
    """
    alive = [sizes[0], *(int(live.sum()) for live in live_neurons(masks)), sizes[-1]]
    layers = []
    for index, (inputs, neurons) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        hidden = index < len(masks)
        left = kept([masks[index]]) if hidden else alive[index] * neurons
        live = alive[index + 1]
        layers.append(
            LayerCost(
                name=f"hidden {index + 1}" if hidden else "output",
                inputs=inputs,
                neurons=neurons,
                sparsity=1 - left / (inputs * neurons),
                live_neurons=live,
                parameters=left + live,
                multiply_adds=left,
                flops=2 * left if hidden else None,
                bytes_dense=4 * (inputs * neurons + neurons),
                bytes_masked=((inputs * neurons + 7) // 8 if hidden else 0) + 4 * (left + live),
                bytes_compacted=4 * (alive[index] * live + live),
            )
        )
    return layers
