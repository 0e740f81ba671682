from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from abp.pytorch import ActivityCounter
from tests.pytorch.models import LeNet5, SmallResNet, Undecided, counted
from tests.pytorch.training import train

MODELS = {"LeNet-5": lambda x: LeNet5(x.shape[-1]), "ResNet block": lambda x: SmallResNet()}


def plain_counts(model: nn.Module, batches: list[Tensor]) -> dict[str, np.ndarray]:
    """Counts of the batches so far by a loop over samples and neurons, with each of them as it is in the model now."""
    totals: dict[str, np.ndarray] = {}
    for x in batches:
        for layer, activation in model.activations(x).items():  # type: ignore[operator]
            totals[layer] = totals.get(layer, 0) + counted(activation)
    return totals


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_counts_of_a_training_are_those_of_a_plain_loop(make, pictures):
    model = make(pictures[0])
    counter = ActivityCounter(model)
    totals: dict[str, np.ndarray] = {}
    positions: dict[str, int] = {}

    def look(x: Tensor) -> None:
        with torch.no_grad():
            for layer, activation in model.activations(x).items():
                totals[layer] = totals.get(layer, 0) + counted(activation)
                positions[layer] = positions.get(layer, 0) + activation.numel() // activation.shape[1]

    train(model, pictures, look)
    assert set(counter.counts) == set(totals) - {"block.conv2"}  # its output is added to another before ReLU
    for layer, count in counter.counts.items():
        assert count.dtype == torch.int64
        np.testing.assert_array_equal(count.numpy(), totals[layer])
        assert counter.samples[layer] == len(pictures[0])
        assert counter.positions[layer] == positions[layer]
        np.testing.assert_array_equal(counter.frequency()[layer].numpy(), totals[layer] / positions[layer])


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_counting_changes_no_bit_of_training(make, pictures):
    model = make(pictures[0])
    other = copy.deepcopy(model)
    ActivityCounter(model)
    for each in (model, other):
        torch.manual_seed(1)
        train(each, pictures)
    for mine, theirs in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(model(pictures[0]), other(pictures[0]))


def test_only_training_counts(digits):
    model = LeNet5(8)
    counter = ActivityCounter(model)
    model.eval()
    model(digits[0])
    assert not any(counter.samples.values()) and not any(count.any() for count in counter.counts.values())
    model.train()
    model(digits[0])
    assert set(counter.samples.values()) == {256}


def test_batch_norm_that_stays_in_evaluation_mode_is_counted_in_training(digits):
    model = SmallResNet()
    counter = ActivityCounter(model)
    model.train()
    model.norm.eval()
    model(digits[0])
    assert counter.samples["stem"] == 256


def test_a_layer_whose_output_is_added_is_counted_where_its_caller_says(digits):
    model = SmallResNet()
    counter = ActivityCounter(model, activations={"block.conv2": "block.relu2"})
    assert set(counter.counts) == {"stem", "block.conv1", "block.conv2"}
    model(digits[0])
    np.testing.assert_array_equal(
        counter.counts["block.conv2"].numpy(), plain_counts(model, [digits[0]])["block.conv2"]
    )


def test_what_cannot_be_traced_is_counted_where_its_caller_says(digits):
    model = Undecided()
    with pytest.raises(ValueError, match=r"cannot trace Undecided.*name the layers"):
        ActivityCounter(model)
    counter = ActivityCounter(model, activations={"fc1": "bn1"})
    model(digits[0])
    active = functional.batch_norm(model.fc1.forward(digits[0].flatten(1)), None, None, training=True) > 0
    assert torch.equal(counter.counts["fc1"], active.sum(0))


class Head(nn.Module):
    """Two layers whose order of modules and operations a test chooses."""

    def __init__(self, between: nn.Module, after: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.between = between
        self.out = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
        self.after = after or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.out(self.between(self.conv(x))))


@pytest.mark.parametrize(
    ("between", "source"),
    [
        (nn.ReLU(), "conv"),
        (nn.ReLU6(inplace=True), "conv"),
        (nn.Hardswish(), "conv"),
        (nn.Sequential(nn.MaxPool2d(2), nn.Dropout(0.5), nn.ReLU()), "conv"),
        (nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()), "between.0"),
        (nn.Sequential(nn.MaxPool2d(2), nn.GroupNorm(2, 4), nn.Identity(), nn.ReLU()), "between.1"),
        (nn.Sequential(nn.AvgPool2d(2), nn.ReLU()), None),  # its mean may be above zero where the channel is not
        (nn.LeakyReLU(), None),  # is never zero
        (nn.GELU(), None),
        (nn.Sequential(nn.Tanh(), nn.ReLU()), None),
    ],
    ids=str,
)
def test_which_layers_are_followed_by_an_activation(between, source):
    model = Head(between)
    model(torch.rand(2, 1, 8, 8))
    if source is None:
        with pytest.raises(ValueError, match="no Linear or Conv2d layer that ReLU"):
            ActivityCounter(model)
    else:
        assert ActivityCounter(model).sources == {"conv": source}


def test_an_output_layer_is_not_counted_even_if_an_activation_follows():
    model = Head(nn.ReLU(), nn.ReLU())
    model(torch.rand(2, 1, 8, 8))
    assert list(ActivityCounter(model).counts) == ["conv"]
    with pytest.raises(ValueError, match=r"out\.1 is an output layer"):
        ActivityCounter(model, activations={"out.1": "after"})


def test_a_layer_that_is_used_twice_is_counted_in_both_places():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.out = nn.Linear(5, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(torch.relu(self.layer(torch.relu(self.layer(x)))))

    model, x = Twice(), torch.randn(7, 5)
    counter = ActivityCounter(model)
    model(x)
    first = torch.relu(model.layer.forward(x))
    assert torch.equal(counter.counts["layer"], (first > 0).sum(0) + (model.layer.forward(first) > 0).sum(0))
    assert counter.positions["layer"] == 14


def test_neurons_applied_to_a_sequence_count_its_positions():
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.randn(5, 6, 3)
    counter = ActivityCounter(model)
    model(x)
    np.testing.assert_array_equal(counter.counts["0"].numpy(), counted(model[0].forward(x).transpose(1, 2)))
    assert (counter.samples["0"], counter.positions["0"]) == (5, 30)


def test_one_sample_without_a_batch_is_one_sample():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(0), nn.Linear(144, 2))
    counter, x = ActivityCounter(model), torch.randn(1, 8, 8)
    model(x)
    np.testing.assert_array_equal(counter.counts["0"].numpy(), counted(model[0].forward(x)[None]))
    assert (counter.samples["0"], counter.positions["0"]) == (1, 36)


def test_half_precision_is_counted_as_it_is(digits):
    model = LeNet5(8)
    counter = ActivityCounter(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(digits[0])
        np.testing.assert_array_equal(counter.counts["conv1"].numpy(), counted(model.conv1.forward(digits[0]).float()))


def test_a_removed_counter_counts_no_further_and_a_reset_one_anew(digits):
    model = LeNet5(8)
    counter = ActivityCounter(model)
    model(digits[0])
    counter.reset()
    model(digits[0][:10])
    assert set(counter.samples.values()) == {10}
    counter.remove()
    model(digits[0])
    assert set(counter.samples.values()) == {10}


def test_a_counted_model_can_be_copied_and_saved(digits):
    model = LeNet5(8)
    counter = ActivityCounter(model)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(digits[0]), model(digits[0]))
    assert set(counter.samples.values()) == {512}  # what a copy is trained on does not count here


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        ({"fc9": "fc9"}, "no Linear or Conv2d layer 'fc9'"),
        ({"fc1": "bn9"}, "no module 'bn9'"),
    ],
)
def test_a_name_that_does_not_exist_is_refused(activations, message):
    with pytest.raises(ValueError, match=message):
        ActivityCounter(LeNet5(8), activations)


def test_a_module_of_another_width_is_refused_when_it_is_met(digits):
    model = LeNet5(8)
    ActivityCounter(model, {"fc2": "fc1"})
    with pytest.raises(ValueError, match="fc2 has 84 neurons, but fc1 gives 120"):
        model(digits[0])
