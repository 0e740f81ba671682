"""Parameters, arithmetic and bytes against nets counted by hand."""

import torch

from abp.analysis.cost import Cost, cost, low_rank_cost


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
