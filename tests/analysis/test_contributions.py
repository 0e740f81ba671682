"""Contributions to a class against autograd, and against what the last layer's sum must come to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from abp.analysis.contributions import contributions
from abp.network.mlp import Network


@pytest.fixture
def network() -> Network:
    generator = torch.Generator().manual_seed(3)
    made = Network.glorot((12, 9, 7, 4), generator)
    for bias in made.biases:
        bias.copy_(torch.randn(bias.shape, generator=generator) / 3)
    made.weights[0][2] = 0  # a neuron without inputs
    made.biases[0][2] = 0
    return made


SAMPLE = np.random.default_rng(5).random((3, 4), dtype=np.float32)


def test_the_last_layers_contributions_are_output_times_weight_and_sum_to_the_logit_minus_its_bias(network):
    x = torch.from_numpy(SAMPLE).reshape(1, -1)
    *hidden, logits = network.forward(x)
    for to in range(4):
        last = contributions(network, SAMPLE, to).layers[-1]
        np.testing.assert_allclose(last, (hidden[-1][0] * network.weights[-1][to]).numpy(), rtol=1e-5)
        assert last.sum() == pytest.approx(float(logits[0, to] - network.biases[-1][to]), rel=1e-5, abs=1e-6)


def test_each_layers_contributions_are_its_outputs_times_autograds_gradients(network):
    x = torch.from_numpy(SAMPLE).reshape(1, -1).requires_grad_()
    values, layers = x, [x]
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        values = torch.relu(torch.nn.functional.linear(values, weight, bias))
        values.retain_grad()
        layers.append(values)
    torch.nn.functional.linear(values, network.weights[-1], network.biases[-1])[0, 1].backward()
    found = contributions(network, SAMPLE, 1)
    for part, layer in zip(found.layers, layers, strict=True):
        np.testing.assert_allclose(part, (layer * layer.grad)[0].detach().numpy(), atol=1e-6)


def test_links_of_all_neurons_sum_to_what_each_neuron_contributes(network):
    found = contributions(network, SAMPLE, 0, most=99)
    for layer, links in enumerate(found.links):
        for neuron in found.strongest[layer]:
            through = sum(link.contribution for link in links if link.start == neuron)
            assert through == pytest.approx(found.layers[layer + 1][neuron], rel=1e-4, abs=1e-6)
    assert 2 not in found.strongest[0] and all(link.start != 2 for link in found.links[0])


def test_the_strongest_come_first_whatever_their_sign(network):
    found = contributions(network, SAMPLE, 2, most=3)
    for part, strongest in zip(found.layers[1:], found.strongest, strict=True):
        assert list(strongest) == np.argsort(-np.abs(part), kind="stable")[:3].tolist()[: len(strongest)]
    assert {link.end for link in found.links[-1]} == {2}
