"""Parameters, arithmetic and bytes against nets counted by hand."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from abp.analysis.cost import Cost, LayerCost, cost, layer_costs, low_rank_cost
from abp.network.masks import cascade


def test_a_dense_net_counted_by_hand():
    masks = [torch.ones(3, 4, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool)]
    # 4-3-2-5: weights 12 + 6 hidden and 10 at the output, biases 3 + 2 + 5
    assert cost([4, 3, 2, 5], masks) == Cost(
        parameters=38, multiply_adds=28, flops=36, bytes_dense=152, bytes_masked=3 + 152, bytes_compacted=152
    )


def test_a_net_that_lost_a_neuron_and_a_weight_counted_by_hand():
    first = torch.tensor([[True] * 4, [False] * 4, [True, True, True, False]])
    second = torch.tensor([[True, False, True], [True, False, True]])
    # kept: 7 + 4 hidden weights, 10 at the output, biases 2 + 2 + 5; left over without the neuron: 4-2-2-5
    assert cost([4, 3, 2, 5], [first, second]) == Cost(
        parameters=30,
        multiply_adds=21,
        flops=22,
        bytes_dense=152,
        bytes_masked=3 + 4 * 30,
        bytes_compacted=4 * (8 + 4 + 10 + 9),
    )


def test_a_low_rank_net_counted_by_hand():
    # 6-5-4-3: rank 2 takes 2 (6 + 5) = 22 of 30 weights; rank 3 would take 27 of 20, so that layer stays whole
    assert low_rank_cost([6, 5, 4, 3], [2, 3]) == (22 + 20 + 12 + 12, 2 * 42)
    assert low_rank_cost([6, 5, 4, 3], [2, 1], centred=True) == (22 + 5 + 9 + 4 + 12 + 12, 2 * 40)
    assert low_rank_cost([6, 5, 4, 3], [0, 0]) == (24, 0)


def test_layers_counted_by_hand():
    first = torch.tensor([[True] * 4, [False] * 4, [True, True, True, False]])
    second = torch.tensor([[True, False, True], [True, False, True]])
    layers = layer_costs([4, 3, 2, 5], [first, second])
    assert [layer.name for layer in layers] == ["hidden 1", "hidden 2", "output"]
    assert layers[0] == LayerCost(
        name="hidden 1", inputs=4, neurons=3, sparsity=1 - 7 / 12, live_neurons=2, parameters=7 + 2, multiply_adds=7,
        flops=14, bytes_dense=60, bytes_masked=2 + 36, bytes_compacted=40,
    )  # fmt: skip
    assert layers[1] == LayerCost(
        name="hidden 2", inputs=3, neurons=2, sparsity=1 - 4 / 6, live_neurons=2, parameters=4 + 2, multiply_adds=4,
        flops=8, bytes_dense=32, bytes_masked=1 + 24, bytes_compacted=24,
    )  # fmt: skip
    assert layers[2] == LayerCost(
        name="output", inputs=2, neurons=5, sparsity=0.0, live_neurons=5, parameters=15, multiply_adds=10,
        flops=None, bytes_dense=60, bytes_masked=60, bytes_compacted=60,
    )  # fmt: skip


@given(st.lists(st.integers(1, 6), min_size=3, max_size=6), st.integers(0, 2**31))
def test_layers_add_up_to_the_network(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(out, inputs) for inputs, out in zip(sizes[:-2], sizes[1:-1], strict=True)]
    masks = cascade([torch.rand(shape, generator=generator) < 0.6 for shape in shapes])
    whole, layers = cost(sizes, masks), layer_costs(sizes, masks)
    for name in ("parameters", "multiply_adds", "bytes_dense", "bytes_compacted"):
        assert sum(getattr(layer, name) for layer in layers) == getattr(whole, name)
    assert sum(layer.flops or 0 for layer in layers) == whole.flops
    extra = sum(layer.bytes_masked for layer in layers) - whole.bytes_masked
    assert 0 <= extra < len(masks)  # each layer's bit mask starts a byte
