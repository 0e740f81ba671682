from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abp import Experiment, Trainer
from abp.network.live import live_network, remove_weights
from abp.network.masks import cascade, full_masks
from abp.network.mlp import Network


def random_network(sizes: list[int], seed: int) -> Network:
    """Weights and biases of every layer from a normal distribution, so that no bias is zero."""
    generator = torch.Generator().manual_seed(seed)
    network = Network.zeros(sizes)
    for tensor in [*network.weights, *network.biases]:
        tensor.copy_(torch.randn(tensor.shape, generator=generator) / 2)
    return network


def outputs(network: Network, masks: list[torch.Tensor], x: torch.Tensor) -> np.ndarray:
    """Logits in float64 of the network whose masked weights alone are zero; whatever emits a constant, emits it."""
    value = x.numpy().astype(np.float64)
    for index, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        weight = weight.numpy() * (masks[index].numpy() if index < len(masks) else 1)
        value = value @ weight.T.astype(np.float64) + bias.numpy()
        if index < len(masks):
            value = np.maximum(value, 0)
    return value


def with_constants(masks: list[torch.Tensor]) -> list[torch.Tensor]:
    """Masks under which neurons without inputs still have their outgoing weights: their constants flow."""
    incoming = [torch.ones(masks[0].shape[1], dtype=torch.bool), *[mask.any(dim=1) for mask in masks[:-1]]]
    return [mask | ~alive for mask, alive in zip(masks, incoming, strict=True)]


@st.composite
def pruned_networks(draw: st.DrawFn) -> tuple[Network, list[torch.Tensor], torch.Tensor]:
    """A network, masks chosen without any thought of dead neurons, and inputs."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=3, max_size=6))
    seed = draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    density = draw(st.sampled_from([0.1, 0.3, 0.6, 0.9]))
    masks = [torch.rand(mask.shape, generator=generator) < density for mask in full_masks(sizes)]
    return random_network(sizes, seed), masks, torch.randn(5, sizes[0], generator=generator)


@given(pruned_networks())
def test_removing_dead_neurons_changes_no_output(network_masks_x):
    network, chosen, x = network_masks_x
    masks = cascade(chosen)
    before = outputs(network, with_constants(masks), x)
    remove_weights(network, masks)
    np.testing.assert_allclose(network(x).numpy(), before, rtol=1e-4, atol=1e-4)


@given(pruned_networks())
def test_nothing_is_left_of_what_was_removed(network_masks_x):
    network, chosen, _ = network_masks_x
    masks = cascade(chosen)
    remove_weights(network, masks)
    for index, mask in enumerate(masks):
        dead = ~mask.any(dim=1)
        assert not network.weights[index][~mask].any()
        assert not network.biases[index][dead].any()
        assert not network.weights[index + 1][:, dead].any()


@given(pruned_networks())
def test_removing_twice_changes_no_bit(network_masks_x):
    network, chosen, _ = network_masks_x
    remove_weights(network, cascade(chosen))
    once = network.tensors()
    remove_weights(network, cascade(chosen))
    assert all(torch.equal(tensor, once[name]) for name, tensor in network.tensors().items())


def test_a_chain_of_deaths_carries_its_constants_to_the_output():
    network = random_network([3, 2, 2, 2, 4], seed=0)
    for bias in network.biases:
        bias.abs_()
    # Neuron 0 of the first layer dies; it was all that neuron 0 of the second had, and that all of neuron 1 of the
    # third.
    chosen = full_masks([3, 2, 2, 2, 4])
    chosen[0][0] = False
    chosen[1][0, 1] = False
    chosen[2][1, 1] = False
    masks = cascade(chosen)
    assert [mask.any(dim=1).tolist() for mask in masks] == [[False, True], [False, True], [True, False]]

    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    before = outputs(network, chosen, x)
    first_constant, old_bias, into_dead = network.biases[0][0], network.biases[1][0], network.weights[1][0, 0]
    second_constant = torch.relu(old_bias + into_dead * first_constant)
    third_bias, into_live = network.biases[2][0].clone(), network.weights[2][0, 0].clone()

    remove_weights(network, masks)
    assert network.biases[2][0] == pytest.approx(float(third_bias + into_live * second_constant))
    np.testing.assert_allclose(network(x).numpy(), before, rtol=1e-5, atol=1e-5)


def test_removing_whole_neurons_leaves_the_constants_they_emit():
    trainer = Trainer(Experiment(hidden=(30, 20, 10), learning_rate=0.1, criterion="none"))
    for bias in trainer.network.biases:
        bias.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(0))
    trainer.train_epoch()
    before = copy.deepcopy(trainer.network)
    trainer.prune("activation-neuron", amount=0.6)
    assert all(not mask.any(dim=1).all() for mask in trainer.masks)  # neurons went from every layer

    expected = outputs(before, with_constants(trainer.masks), trainer.data.test_x)
    np.testing.assert_allclose(trainer.network(trainer.data.test_x).numpy(), expected, rtol=1e-4, atol=1e-4)


@given(pruned_networks(), st.booleans())
def test_the_live_network_computes_the_same_outputs(network_masks_x, drop_dead):
    network, chosen, x = network_masks_x
    masks = cascade(chosen)
    remove_weights(network, masks)
    live = live_network(network, masks, drop_dead=drop_dead)
    np.testing.assert_allclose(live.network(x).numpy(), outputs(network, masks, x), rtol=1e-4, atol=1e-4)


@given(pruned_networks())
def test_the_live_network_holds_live_neurons_only_and_their_masks(network_masks_x):
    network, chosen, _ = network_masks_x
    masks = cascade(chosen)
    remove_weights(network, masks)
    live = live_network(network, masks)
    assert [neurons.tolist() for neurons in live.alive] == [
        [neuron for neuron, row in enumerate(mask.tolist()) if any(row)] for mask in masks
    ]
    for index, mask in enumerate(live.masks):
        neurons, before = live.alive[index].tolist(), range(network.weights[0].shape[1])
        before = live.alive[index - 1].tolist() if index else before
        expected = [[float(masks[index][row, column]) for column in before] for row in neurons]
        found = torch.ones(len(neurons), len(before)) if mask is None else mask
        assert found.tolist() == expected


@given(pruned_networks(), st.booleans())
def test_writing_back_puts_every_bit_in_its_place_and_touches_no_other(network_masks_x, drop_dead):
    network, chosen, _ = network_masks_x
    masks = cascade(chosen)
    remove_weights(network, masks)
    live = live_network(network, masks, drop_dead=drop_dead)
    expected = {name: tensor.clone() for name, tensor in network.tensors().items()}
    ends = [list(range(network.weights[0].shape[1]))]
    ends += [neurons.tolist() for neurons in live.alive]
    ends += [list(range(network.weights[-1].shape[0]))]
    names = [f"hidden.{index}" for index in range(len(masks))] + ["output"]
    generator = torch.Generator().manual_seed(3)
    for index, name in enumerate(names):
        live.network.weights[index].copy_(torch.randn(live.network.weights[index].shape, generator=generator))
        live.network.biases[index].copy_(torch.randn(live.network.biases[index].shape, generator=generator))
        for row, neuron in enumerate(ends[index + 1]):
            expected[f"{name}.bias"][neuron] = live.network.biases[index][row]
            for column, source in enumerate(ends[index]):
                expected[f"{name}.weight"][neuron, source] = live.network.weights[index][row, column]

    live.write_back(network)
    for name, tensor in network.tensors().items():
        assert torch.equal(tensor, expected[name]), name


def test_a_network_without_dead_neurons_is_not_copied():
    network = random_network([3, 4, 2], seed=0)
    masks = full_masks([3, 4, 2])
    masks[0][0, 0] = False
    live = live_network(network, masks)
    assert live.network is network
    live.network.weights[0][1, 1] = 42.0
    assert network.weights[0][1, 1] == 42.0
