"""Which pictures neurons answer to, against a direct forward pass by a torch module, picture by picture."""

import numpy as np
import pytest
import torch

from abp.analysis.neuron_responses import activations, responses
from abp.data.datasets import load_test_set
from abp.network.mlp import Network
from abp.training.randomness import generator

SIZES = [64, 12, 7, 10]


def network() -> Network:
    made = Network.glorot(SIZES, generator(3, "weights"))
    for bias in made.biases:
        bias += torch.linspace(-0.3, 0.3, len(bias))
    made.weights[0][4] = 0  # a neuron that never fires
    made.biases[0][4] = 0
    return made


def outputs(made: Network, x: torch.Tensor) -> list[np.ndarray]:
    """Outputs of the hidden layers, by autograd's own modules."""
    found = []
    for layer in made.layers[:-1]:
        x = torch.nn.functional.relu(layer(x))
        found.append(x.detach().numpy())
    return found


def test_counts_and_strongest_pictures_are_those_of_a_direct_forward_pass():
    made = network()
    x, y = load_test_set("digits")
    found = responses(made, x, y, top=8)
    for response, direct in zip(found, outputs(made, x), strict=True):
        for kind in range(10):
            expected = (direct[y.numpy() == kind] > 0).sum(axis=0)
            np.testing.assert_array_equal(response.fires[kind].numpy(), expected)
        strongest = np.sort(direct, axis=0)[::-1][:8].T
        np.testing.assert_allclose(response.outputs.numpy(), strongest, atol=1e-6)
        chosen = np.take_along_axis(direct.T, response.pictures.numpy(), axis=1)
        np.testing.assert_allclose(chosen, strongest, atol=1e-6)
    assert int(found[0].fires[:, 4].sum()) == 0 and not found[0].outputs[4].any()


def test_fewer_pictures_than_asked_for_are_all_there_are():
    made = network()
    x, y = load_test_set("digits")
    found = responses(made, x[:3], y[:3], top=8)
    assert found[0].pictures.shape == (12, 3)
    assert sorted(found[0].pictures[0].tolist()) == [0, 1, 2]


def test_activations_and_probabilities_are_those_of_a_forward_pass_in_numpy():
    made = network()
    tensors = {name: tensor.double().numpy() for name, tensor in made.tensors().items()}
    for picture in load_test_set("digits")[0][:20].numpy():
        *hidden, probabilities = activations(made, picture.reshape(8, 8))
        output = picture.astype(np.float64)
        for layer, found in enumerate(hidden):
            output = np.maximum(tensors[f"hidden.{layer}.weight"] @ output + tensors[f"hidden.{layer}.bias"], 0)
            np.testing.assert_allclose(found, output, atol=1e-5)
        scores = np.exp(tensors["output.weight"] @ output + tensors["output.bias"])
        np.testing.assert_allclose(probabilities, scores / scores.sum(), atol=1e-5)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match="784 pixels.*needs 64"):
        activations(network(), np.zeros((28, 28)))
