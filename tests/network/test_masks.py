from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abp.network.masks import (
    cascade,
    full_masks,
    kept,
    live_neurons,
    live_weights,
    pack,
    sparsity,
    total,
    unpack,
)


@st.composite
def any_masks(draw: st.DrawFn) -> tuple[list[int], list[torch.Tensor]]:
    """Sizes of a small network (inputs, hidden layers, classes) and masks that keep anything at all."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=3, max_size=6))
    masks = []
    for inputs, neurons in zip(sizes[:-2], sizes[1:-1], strict=True):
        bits = draw(st.lists(st.booleans(), min_size=inputs * neurons, max_size=inputs * neurons))
        masks.append(torch.tensor(bits).reshape(neurons, inputs))
    return sizes, masks


def same(masks: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return all(torch.equal(mask, other) for mask, other in zip(masks, others, strict=True))


@given(any_masks())
def test_masks_survive_packing(sizes_and_masks):
    sizes, masks = sizes_and_masks
    found = unpack(pack(masks), sizes)
    assert [mask.dtype for mask in found] == [torch.bool] * len(masks)
    assert same(found, masks)


@given(any_masks())
def test_unpacked_masks_own_their_memory(sizes_and_masks):
    sizes, masks = sizes_and_masks
    packed = pack(masks)
    for mask in unpack(packed, sizes):
        mask.fill_(False)
    assert same(unpack(packed, sizes), masks)


@given(any_masks())
def test_packed_masks_take_one_bit_a_weight(sizes_and_masks):
    _, masks = sizes_and_masks
    assert len(pack(masks)) == (sum(mask.numel() for mask in masks) + 7) // 8


@pytest.mark.parametrize("size", [0, 7, 9])
def test_packed_masks_of_another_network_are_refused(size):
    packed = pack(full_masks([8, 8, 10]))
    assert len(packed) == 8
    with pytest.raises(ValueError, match=f"{size}"):
        unpack((packed * 2)[:size], [8, 8, 10])


def test_full_masks_keep_every_hidden_weight_of_the_published_network():
    masks = full_masks([784, 300, 200, 100, 50, 10])
    assert [tuple(mask.shape) for mask in masks] == [(300, 784), (200, 300), (100, 200), (50, 100)]
    assert kept(masks) == total(masks) == 320_200
    assert sparsity(masks) == 0


@given(any_masks())
def test_sparsity_is_the_share_of_hidden_weights_that_are_removed(sizes_and_masks):
    _, masks = sizes_and_masks
    flat = [bit for mask in masks for row in mask.tolist() for bit in row]
    assert kept(masks) == sum(flat)
    assert total(masks) == len(flat)
    assert sparsity(masks) == flat.count(False) / len(flat)


@given(any_masks())
def test_a_neuron_is_alive_while_it_has_an_incoming_weight(sizes_and_masks):
    _, masks = sizes_and_masks
    for mask, weights, alive in zip(masks, live_weights(masks), live_neurons(masks), strict=True):
        assert weights.tolist() == [sum(row) for row in mask.tolist()]
        assert weights.dtype == torch.int64
        assert alive.tolist() == [any(row) for row in mask.tolist()]


def slow_cascade(masks: list[torch.Tensor]) -> list[torch.Tensor]:
    """The same rule, applied anywhere until nothing changes."""
    masks = [mask.clone() for mask in masks]
    changed = True
    while changed:
        changed = False
        for before, after in zip(masks[:-1], masks[1:], strict=True):
            for neuron, row in enumerate(before.tolist()):
                if not any(row) and after[:, neuron].any():
                    after[:, neuron] = False
                    changed = True
    return masks


@given(any_masks())
def test_the_cascade_takes_the_outgoing_weights_of_dead_neurons_and_nothing_else(sizes_and_masks):
    _, masks = sizes_and_masks
    assert same(cascade(masks), slow_cascade(masks))


@given(any_masks())
def test_the_cascade_leaves_its_argument_alone_and_is_done_in_one_go(sizes_and_masks):
    _, masks = sizes_and_masks
    before = [mask.clone() for mask in masks]
    once = cascade(masks)
    assert same(masks, before)
    assert same(cascade(once), once)
