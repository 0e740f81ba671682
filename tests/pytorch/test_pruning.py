from __future__ import annotations

import contextlib
import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from abp.network.masks import kept
from abp.pruning.criteria import CRITERIA, Statistics
from abp.pytorch import ActivationBased, ActivityCounter, prune
from tests.pytorch.models import LeNet5, SmallResNet
from tests.pytorch.training import train

BY_WEIGHTS_AND_COUNTS = {
    "activation", "activation-neuron", "inverted-activation", "magnitude", "random", "shuffled-activation",
    "random-neuron", "magnitude-neuron", "shuffled-activation-neuron", "lamp",
}  # fmt: skip


def counted_model(make, pictures) -> tuple[nn.Module, ActivityCounter]:
    model = make(pictures[0].shape[-1]) if make is LeNet5 else make()
    counter = ActivityCounter(model)
    train(model, pictures)
    return model, counter


def scores(criterion: str, counter: ActivityCounter) -> list[Tensor]:
    """Scores of a criterion by the formulas of their papers, shaped like the weights, or ``[out]``."""
    weights = [layer.weight.detach() for layer in counter.layers.values()]
    shares = [counter.counts[name] / counter.positions[name] for name in counter.layers]
    shaped = [share.view(-1, *[1] * (weight.dim() - 1)) for share, weight in zip(shares, weights, strict=True)]
    torch.manual_seed(5)
    return {
        "activation": lambda: [share * weight.abs() for share, weight in zip(shaped, weights, strict=True)],
        "inverted-activation": lambda: [(1 - s) * weight.abs() for s, weight in zip(shaped, weights, strict=True)],
        "magnitude": lambda: [weight.abs() for weight in weights],
        "random": lambda: [torch.rand(weight.flatten(1).shape).view(weight.shape) for weight in weights],
        "activation-neuron": lambda: shares,
    }[criterion]()


def masks(counter: ActivityCounter) -> list[Tensor]:
    return [layer.weight_mask.bool() for layer in counter.layers.values()]  # type: ignore[union-attr,operator]


def same_but_for_ties(mine: list[Tensor], scores: list[Tensor], theirs: list[Tensor]) -> bool:
    """Whether the masks keep as much, and differ at most in which weights of one score they keep."""
    pairs = [(one.flatten() != other.flatten()) for one, other in zip(mine, theirs, strict=True)]
    tied = torch.cat([score.flatten()[different] for score, different in zip(scores, pairs, strict=True)])
    return kept(mine) == kept(theirs) and len(tied.unique()) <= 1


@pytest.mark.parametrize("scope", ["global", "per-layer"])
@pytest.mark.parametrize("criterion", ["activation", "inverted-activation", "magnitude", "random"])
@pytest.mark.parametrize("make", [LeNet5, SmallResNet])
def test_masks_of_single_weights_are_those_of_torch(make, criterion, scope, pictures):
    model, counter = counted_model(make, pictures)
    oracle = copy.deepcopy(model)
    layers = [oracle.get_submodule(name) for name in counter.layers]
    importance = {(layer, "weight"): score for layer, score in zip(layers, scores(criterion, counter), strict=True)}
    torch.manual_seed(5)
    achieved = prune(model, criterion, 0.4, counter=counter, scope=scope)
    mine = masks(counter)
    total = sum(mask.numel() for mask in mine)
    assert abs(achieved - 0.4) <= 0.5 / total
    if scope == "global":
        torch_prune.global_unstructured(
            list(importance), torch_prune.L1Unstructured, importance_scores=importance, amount=0.4
        )
        assert same_but_for_ties(mine, list(importance.values()), [layer.weight_mask.bool() for layer in layers])
        return
    for mask, ((layer, name), score) in zip(mine, importance.items(), strict=True):
        removed = int((~mask).sum())
        assert abs(removed - 0.4 * mask.numel()) <= 1
        torch_prune.l1_unstructured(layer, name, amount=removed, importance_scores=score)
        assert same_but_for_ties([mask], [score], [layer.weight_mask.bool()])


@pytest.mark.parametrize("make", [LeNet5, SmallResNet])
def test_whole_neurons_are_those_of_torch_within_a_layer(make, digits):
    model, counter = counted_model(make, digits)
    oracle = copy.deepcopy(model)
    prune(model, "activation-neuron", 0.5, counter=counter, scope="per-layer")
    for name, layer in counter.layers.items():
        mine = layer.weight_mask
        assert set(mine.flatten(1).float().mean(1).tolist()) <= {0.0, 1.0}
        removed = len(mine) - int(mine.flatten(1).any(1).sum())
        share = counter.frequency()[name].float() + torch.arange(len(mine)) * 1e-9  # ties break by position
        theirs = torch_prune.ln_structured(
            oracle.get_submodule(name), "weight", removed, n=1, dim=0,
            importance_scores=share.view(-1, *[1] * (mine.dim() - 1)).expand(mine.shape),
        )  # fmt: skip
        assert torch.equal(mine, theirs.weight_mask)


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9])
def test_whole_neurons_go_by_one_ranking_of_shares_over_all_layers(amount, digits):
    _, counter = counted_model(LeNet5, digits)
    ranking = sorted(
        (float(share), layer, neuron)
        for layer, shares in enumerate(counter.frequency().values())
        for neuron, share in enumerate(shares.float())
    )
    weights = [layer.weight for layer in counter.layers.values()]
    sizes = [weight[0].numel() for weight in weights]
    total = sum(weight.numel() for weight in weights)
    strongest = {max(entry for entry in ranking if entry[1] == layer)[1:] for layer in range(len(sizes))}
    removed, gone = 0, set()
    for _share, layer, neuron in ranking:
        if (layer, neuron) not in strongest:
            if abs(removed + sizes[layer] - amount * total) >= abs(removed - amount * total):
                break
            removed += sizes[layer]
            gone.add((layer, neuron))
    achieved = prune(counter.model, "activation-neuron", amount, counter=counter)
    mine = {
        (layer, neuron)
        for layer, mask in enumerate(masks(counter))
        for neuron in range(len(mask))
        if not mask[neuron].any()
    }
    assert mine == gone
    assert achieved == removed / total


def test_a_shuffled_control_takes_as_many_of_each_layer(digits):
    model, counter = counted_model(LeNet5, digits)
    twin = copy.deepcopy(model)
    twin_counter = ActivityCounter(twin)
    twin_counter.counts, twin_counter.positions = counter.counts, counter.positions
    prune(model, "activation", 0.6, counter=counter)
    prune(twin, "shuffled-activation", 0.6, counter=twin_counter)
    assert [kept([mask]) for mask in masks(counter)] == [kept([mask]) for mask in masks(twin_counter)]
    assert not all(torch.equal(*pair) for pair in zip(masks(counter), masks(twin_counter), strict=True))


@pytest.mark.parametrize("criterion", [name for name, entry in CRITERIA.items() if entry.scores])
def test_every_criterion_of_the_registry_prunes_or_says_what_it_lacks(criterion, digits):
    model, counter = counted_model(SmallResNet, digits)
    dense = [layer.weight.detach().clone() for layer in counter.layers.values()]
    lacking = contextlib.nullcontext()
    if criterion not in BY_WEIGHTS_AND_COUNTS:
        lacking = pytest.raises(ValueError, match="needs a pass over the training set|the training loop's part")
    with lacking:
        assert 0.25 <= prune(model, criterion, 0.3, counter=counter) <= 0.35
    for before, layer in zip(dense, counter.layers.values(), strict=True):
        assert torch.equal(layer.weight, before * getattr(layer, "weight_mask", 1))


@pytest.mark.parametrize("make", [LeNet5, SmallResNet])
def test_masks_stay_in_training_and_become_zeros_when_they_are_removed(make, digits):
    model, counter = counted_model(make, digits)
    prune(model, "activation", 0.5, counter=counter)
    before = masks(counter)
    train(model, digits, epochs=2)
    model.eval()
    outputs = model(digits[0])
    again = make(8) if make is LeNet5 else make()
    prune(again, "magnitude", 0.1)  # any masks: the state brings its own
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(digits[0]), outputs)
    for layer in counter.layers.values():
        torch_prune.remove(layer, "weight")
    assert torch.equal(model(digits[0]), outputs)
    for mask, layer in zip(before, counter.layers.values(), strict=True):
        assert not layer.weight[~mask].any()


@pytest.mark.parametrize("make", [LeNet5, SmallResNet])
def test_only_counted_layers_change(make, digits):
    model, counter = counted_model(make, digits)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    prune(model, "activation-neuron", 0.7, counter=counter)
    after = {name.removesuffix("_orig"): parameter for name, parameter in model.named_parameters()}
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert {name for name, module in model.named_modules() if torch_prune.is_pruned(module) and name} >= set(
        counter.layers
    )
    assert not hasattr(model.get_submodule("fc3" if make is LeNet5 else "fc"), "weight_mask")


def test_nothing_removed_and_silent_neurons_removed_leave_the_outputs_as_they_are(digits):
    model, counter = counted_model(LeNet5, digits)
    with torch.no_grad():  # five neurons that no picture activates
        model.fc1.weight[:5] = 0
        model.fc1.bias[:5] = -1
    counter.reset()
    outputs = model(digits[0])
    assert prune(model, "activation", 0.0, counter=counter) == 0
    assert torch.equal(model(digits[0]), outputs)
    total = sum(layer.weight.numel() for layer in counter.layers.values())
    prune(model, "activation-neuron", 5 * model.fc1.in_features / total, counter=counter)
    assert not model.fc1.weight_mask[:5].any() and model.fc1.weight_mask[5:].all()
    assert torch.equal(model(digits[0]), outputs)


def test_prunings_add_up_and_masks_only_shrink(digits):
    model, counter = counted_model(LeNet5, digits)
    previous: list[Tensor] | None = None
    for turn in range(1, 4):
        prune(model, "activation", 0.25, counter=counter)
        now = masks(counter)
        assert 1 - sum(map(int, map(torch.sum, now))) / sum(mask.numel() for mask in now) == pytest.approx(
            0.25 * turn, abs=1e-4
        )
        assert previous is None or all(bool((old | ~new).all()) for old, new in zip(previous, now, strict=True))
        previous = now
        train(model, digits)


def test_weights_are_ranked_as_they_are_after_the_last_step(digits):
    """Between an optimiser's step and the next pass, a pruned layer's `weight` is that of the pass before."""
    model = LeNet5(8)
    prune(model, "magnitude", 0.2)
    mask = model.fc1.weight_mask.bool()
    model(digits[0])
    with torch.no_grad():
        model.fc1.weight_orig.mul_(1e-6)
    prune(model, "magnitude", 0.2)
    assert int((mask & ~model.fc1.weight_mask.bool()).sum()) > 0.5 * int((~mask).sum())
    assert model.fc2.weight_mask.sum() > 0.7 * model.fc2.weight_mask.numel()


@pytest.mark.parametrize("criterion", ["activation", "activation-neuron"])
def test_no_layer_is_emptied(criterion, digits):
    model, counter = counted_model(LeNet5, digits)
    assert prune(model, criterion, 1.0, counter=counter) < 1
    assert all(mask.any() for mask in masks(counter))


@pytest.mark.parametrize(
    ("criterion", "amount", "scope", "message"),
    [
        ("none", 0.5, "global", "criterion must be one of"),
        ("size", 0.5, "global", "criterion must be one of"),
        ("wanda", 0.5, "global", "needs a pass over the training set"),
        ("apoz", 0.5, "global", "needs a pass over the training set"),
        ("reinitialised-activation", 0.5, "global", "the training loop's part"),
        ("magnitude", 1.5, "global", "amount must be between 0 and 1"),
        ("magnitude", True, "global", "amount must be between 0 and 1"),
        ("magnitude", 0.5, "all", "scope must be one of"),
        ("activation", 0.5, "global", "nothing has been counted yet"),
        ("activation-neuron", 0.5, "global", "nothing has been counted yet"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(criterion, amount, scope, message):
    model = LeNet5(8)
    with pytest.raises(ValueError, match=message):
        prune(model, criterion, amount, counter=ActivityCounter(model), scope=scope)
    assert not torch_prune.is_pruned(model)


def test_a_counter_of_another_model_is_refused():
    with pytest.raises(ValueError, match="this model's own"):
        prune(LeNet5(8), "magnitude", 0.5, counter=ActivityCounter(LeNet5(8)))


def test_diverged_weights_are_refused():
    model = LeNet5(8)
    with torch.no_grad():
        model.fc1.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="not a number"):
        prune(model, "magnitude", 0.5)


# As a method of torch.nn.utils.prune


@pytest.mark.parametrize("amount", [0, 7, 0.3])
def test_activation_based_removes_what_torch_removes_by_the_same_scores(amount, digits):
    model, counter = counted_model(LeNet5, digits)
    oracle = copy.deepcopy(model)
    mine = counter.importance_scores()
    layers = [oracle.get_submodule(name) for name in counter.layers]
    theirs = {(layer, "weight"): score for layer, score in zip(layers, mine.values(), strict=True)}
    for score, expected in zip(mine.values(), scores("activation", counter), strict=True):
        np.testing.assert_allclose(score.numpy(), expected.numpy(), rtol=1e-6)
    torch_prune.global_unstructured(list(mine), ActivationBased, importance_scores=mine, amount=amount)
    torch_prune.global_unstructured(list(theirs), torch_prune.L1Unstructured, importance_scores=theirs, amount=amount)
    their_masks = [layer.weight_mask.bool() for layer in layers]
    assert same_but_for_ties(masks(counter), list(mine.values()), their_masks)
    assert not hasattr(model.fc3, "weight_mask")


def test_activation_based_serves_one_layer_and_prunes_further(digits):
    model, counter = counted_model(LeNet5, digits)
    for expected in (0.5, 0.25):
        score = counter.importance_scores()[model.fc1, "weight"]
        ActivationBased.apply(model.fc1, "weight", 0.5, importance_scores=score)
        assert float(model.fc1.weight_mask.mean()) == expected


def test_activation_based_breaks_ties_by_position():
    layer = nn.Linear(4, 1)
    ActivationBased.apply(layer, "weight", 2, importance_scores=torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    assert layer.weight_mask.tolist() == [[1.0, 0.0, 0.0, 1.0]]


@pytest.mark.parametrize("amount", [-1, 1.5, True])
def test_activation_based_refuses_an_amount_that_is_none(amount):
    with pytest.raises(ValueError, match="amount must be"):
        ActivationBased(amount)


def test_statistics_hold_shares_so_that_layers_can_be_compared(digits, monkeypatch):
    model, counter = counted_model(LeNet5, digits)
    seen: list[Statistics] = []

    def look(statistics: Statistics) -> list[Tensor]:
        seen.append(statistics)
        return [weight.abs() for weight in statistics.weights]

    monkeypatch.setitem(CRITERIA, "seen", type(CRITERIA["magnitude"])("seen", "", look))
    prune(model, "seen", 0.1, counter=counter)
    assert seen[0].samples == 1
    assert all(bool((share >= 0).all() and (share <= 1).all()) for share in seen[0].counts)
