from __future__ import annotations

import copy
import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import prune

from abp import Experiment, Trainer
from abp.network.masks import cascade, full_masks, kept, total
from abp.pruning import prune_network as choice
from abp.pruning.criteria import CRITERIA
from abp.pruning.selection import Request, even_quotas, select_neurons, select_quotas, select_weights
from abp.training.randomness import generator

UNSTRUCTURED = [name for name, entry in CRITERIA.items() if entry.scores and not entry.whole_neurons]
RANKED = [name for name in UNSTRUCTURED if not CRITERIA[name].as_many_as]  # by one global ranking
WHOLE_NEURONS = [name for name, entry in CRITERIA.items() if entry.whole_neurons]


def same(masks: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(mask, other) for mask, other in zip(masks, others, strict=True))


def shrunk(after: list[Tensor], before: list[Tensor]) -> bool:
    return not any((new & ~old).any() for new, old in zip(after, before, strict=True))


def emptied(masks: list[Tensor]) -> bool:
    return not all(mask.any() for mask in masks)


def flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def torch_prune(scores: list[Tensor], masks: list[Tensor], remove: int) -> list[Tensor]:
    """Masks after torch.nn.utils.prune has removed so many of the lowest scores; it knows of no dead neurons."""
    layers = [nn.Linear(mask.shape[1], mask.shape[0]) for mask in masks]
    for layer, mask in zip(layers, masks, strict=True):
        prune.custom_from_mask(layer, "weight", mask)
    prune.global_unstructured(
        [(layer, "weight") for layer in layers],
        pruning_method=prune.L1Unstructured,
        importance_scores={(layer, "weight"): score for layer, score in zip(layers, scores, strict=True)},
        amount=remove,
    )
    return [layer.weight_mask.bool() for layer in layers]


# Small networks: inputs, one to three hidden layers; any masks that leave a path and no loose ends


@st.composite
def small_masks(draw: st.DrawFn) -> list[Tensor]:
    widths = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    masks = full_masks([*widths, 10])
    if draw(st.booleans()):
        path = [draw(st.integers(0, width - 1)) for width in widths]
        for index, mask in enumerate(masks):
            bits = draw(st.lists(st.booleans(), min_size=mask.numel(), max_size=mask.numel()))
            mask.copy_(torch.tensor(bits).reshape(mask.shape))
            mask[path[index + 1], path[index]] = True
    return cascade(masks)


@st.composite
def weights_to_rank(draw: st.DrawFn, *, ties: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Scores of every weight, and masks."""
    masks = draw(small_masks())
    count = total(masks)
    values = draw(
        st.lists(st.integers(0, 3), min_size=count, max_size=count) if ties else st.permutations(range(count))
    )
    parts = torch.tensor(values, dtype=torch.float32).split([mask.numel() for mask in masks])
    return [part.reshape(mask.shape) for part, mask in zip(parts, masks, strict=True)], masks


@st.composite
def neurons_to_rank(draw: st.DrawFn) -> tuple[list[Tensor], list[Tensor]]:
    """Scores of every neuron, with ties, and masks."""
    masks = draw(small_masks())
    values = [draw(st.lists(st.integers(0, 3), min_size=len(mask), max_size=len(mask))) for mask in masks]
    return [torch.tensor(value, dtype=torch.float32) for value in values], masks


def brute_force(scores: list[Tensor], masks: list[Tensor], cut: Callable) -> list[list[Tensor]]:
    """Masks after removing the lowest 0, 1, 2, ... of the global ranking, for as long as no layer is emptied.

    Ties break by layer and position; `cut` sets in a mask what a score stands for to False.
    """
    ranking = sorted(
        (score, layer, position)
        for layer, part in enumerate(scores)
        for position, score in enumerate(part.flatten().tolist())
    )
    chosen = [mask.clone() for mask in masks]
    outcomes = [masks]
    for _, layer, position in ranking:
        cut(chosen[layer], position)
        after = [mask.clone() for mask in cascade(chosen)]
        if emptied(after):
            break
        outcomes.append(after)
    return outcomes


def cut_weight(mask: Tensor, position: int) -> None:
    mask.view(-1)[position] = False


def cut_neuron(mask: Tensor, position: int) -> None:
    mask[position] = False


def check_nearest(found: list[Tensor], outcomes: list[list[Tensor]], remove: int) -> None:
    """Of all thresholds the one that removes nearest to the request was taken; of two as near, the lower."""
    before = kept(outcomes[0])
    most = before - kept(outcomes[-1])
    if remove <= most:
        best = min(outcomes, key=lambda masks: abs(before - kept(masks) - remove))
        assert same(found, best)
    else:  # beyond what any threshold can do without emptying a layer
        assert before - kept(found) >= most
        assert shrunk(found, outcomes[-1])
        assert not emptied(found)


@given(weights_to_rank(ties=True), st.data())
def test_weights_are_removed_by_the_threshold_nearest_to_the_request(scores_masks, data):
    scores, masks = scores_masks
    remove = data.draw(st.integers(0, kept(masks)))
    check_nearest(select_weights(scores, masks, remove), brute_force(scores, masks, cut_weight), remove)


@given(neurons_to_rank(), st.data())
def test_neurons_are_removed_by_the_threshold_nearest_to_the_request(scores_masks, data):
    scores, masks = scores_masks
    remove = data.draw(st.integers(0, kept(masks)))
    check_nearest(select_neurons(scores, masks, remove), brute_force(scores, masks, cut_neuron), remove)


@given(weights_to_rank(ties=False), st.data())
def test_masks_are_those_of_torch_and_what_dies_with_them(scores_masks, data):
    scores, masks = scores_masks
    remove = data.draw(st.integers(0, kept(masks)))
    outcomes = [cascade(torch_prune(scores, masks, directly)) for directly in range(kept(masks) + 1)]
    outcomes = [outcome for outcome in outcomes if not emptied(outcome)]
    check_nearest(select_weights(scores, masks, remove), outcomes, remove)


@given(weights_to_rank(ties=False), st.data())
def test_masks_are_those_of_torch_where_no_neuron_dies(scores_masks, data):
    scores, masks = scores_masks
    outcomes = [torch_prune(scores, masks, remove) for remove in range(kept(masks) + 1)]
    first_death = [same(cascade(after), after) and not emptied(after) for after in outcomes].index(False)
    remove = data.draw(st.integers(0, first_death - 1))
    assert same(select_weights(scores, masks, remove), outcomes[remove])


ranked = st.one_of(
    weights_to_rank(ties=True).map(lambda given: (select_weights, *given)),
    neurons_to_rank().map(lambda given: (select_neurons, *given)),
)


# One layer at a time


def brute_force_in(scores: list[Tensor], masks: list[Tensor], layer: int, cut: Callable) -> list[list[Tensor]]:
    """As `brute_force`, but nothing outside the layer is chosen."""
    ranking = sorted((score, position) for position, score in enumerate(scores[layer].flatten().tolist()))
    chosen = [mask.clone() for mask in masks]
    outcomes = [masks]
    for _, position in ranking:
        cut(chosen[layer], position)
        after = [mask.clone() for mask in cascade(chosen)]
        if emptied(after):
            break
        outcomes.append(after)
    return outcomes


def check_in_layer(select: Callable, cut: Callable, scores: list[Tensor], masks: list[Tensor], data: st.DataObject):
    """Of all thresholds within the layer the one nearest to the request was taken, and no more went than may in all."""
    layer = data.draw(st.integers(0, len(masks) - 1))
    outcomes = brute_force_in(scores, masks, layer, cut)
    most = kept(masks) - kept(outcomes[-1])
    in_layer = [kept([masks[layer]]) - kept([after[layer]]) for after in outcomes]
    in_all = [kept(masks) - kept(after) for after in outcomes]
    remove = data.draw(st.integers(0, in_layer[-1]))
    at_most = data.draw(st.integers(remove, max(remove, most)))
    found = select(scores, masks, Request(remove, layer, at_most))
    counts = [max(here, everywhere - at_most + remove) for here, everywhere in zip(in_layer, in_all, strict=True)]
    distances = [abs(count - remove) for count in counts]
    assert same(found, outcomes[distances.index(min(distances))])
    # Before the cascade nothing but the layer was touched: what else is gone hangs on its neurons.
    alone = [mask if index != layer else found[layer] for index, mask in enumerate(masks)]
    assert same(found, cascade(alone))


@given(weights_to_rank(ties=True), st.data())
def test_weights_of_one_layer_are_removed_by_the_threshold_nearest_to_the_request(scores_masks, data):
    check_in_layer(select_weights, cut_weight, *scores_masks, data)


@given(neurons_to_rank(), st.data())
def test_neurons_of_one_layer_are_removed_by_the_threshold_nearest_to_the_request(scores_masks, data):
    check_in_layer(select_neurons, cut_neuron, *scores_masks, data)


@given(ranked, st.data())
def test_no_layer_is_emptied_by_what_is_asked_of_one(case, data):
    select, scores, masks = case
    layer = data.draw(st.integers(0, len(masks) - 1))
    found = select(scores, masks, Request(total(masks), layer, total(masks)))
    assert not emptied(found) and shrunk(found, masks)
    assert all(torch.equal(found[index], masks[index]) for index in range(layer))


# The same share of every layer


@given(small_masks(), st.data())
def test_even_quotas_bring_all_layers_to_one_sparsity_and_sum_to_what_is_asked(masks, data):
    remove = data.draw(st.integers(0, kept(masks)))
    quotas = even_quotas(masks, remove)
    assert sum(quotas) == remove and min(quotas) >= 0
    gone = [mask.numel() - kept([mask]) for mask in masks]
    after = [before + quota for before, quota in zip(gone, quotas, strict=True)]
    for mask, before, quota in zip(masks, gone, quotas, strict=True):
        for other, removed in zip(masks, after, strict=True):  # within a weight of either layer
            if quota:
                assert (before + quota - 1) / mask.numel() <= (removed + 1) / other.numel()


def prunings_without_death(score: Tensor, mask: Tensor, *, outgoing_matter: bool) -> list[Tensor]:
    """Masks of one layer as torch prunes it by 0, 1, 2, ... weights, for as long as all its neurons stay connected."""
    outcomes = []
    for remove in range(kept([mask])):
        (after,) = torch_prune([score], [mask], remove)
        dead = mask.any(dim=1) & ~after.any(dim=1)
        loose = mask.any(dim=0) & ~after.any(dim=0)
        if dead.any() or (outgoing_matter and loose.any()):
            break
        outcomes.append(after)
    return outcomes


@given(weights_to_rank(ties=False), st.data())
def test_with_quotas_masks_are_those_of_torch_layer_by_layer_where_no_neuron_dies(scores_masks, data):
    scores, masks = scores_masks
    expected = []
    for layer, (score, mask) in enumerate(zip(scores, masks, strict=True)):
        # From an input pixel all weights may go; from a neuron of the layer before, they may not.
        outcomes = prunings_without_death(score, mask, outgoing_matter=layer > 0)
        expected.append(outcomes[data.draw(st.integers(0, len(outcomes) - 1))])
    assert same(cascade(expected), expected) and not emptied(expected)
    quotas = [kept([mask]) - kept([after]) for mask, after in zip(masks, expected, strict=True)]
    assert same(select_quotas(select_weights, scores, masks, quotas), expected)


@given(ranked, st.data())
def test_quotas_empty_no_layer_and_let_no_weight_return(case, data):
    select, scores, masks = case
    quotas = [data.draw(st.integers(0, 2 * mask.numel())) for mask in masks]
    before = copy.deepcopy(masks)
    found = select_quotas(select, scores, masks, quotas)
    assert same(masks, before)
    assert shrunk(found, masks) and not emptied(found)
    assert same(cascade(found), found)


@given(ranked, st.data())
def test_masks_only_shrink_and_leave_no_loose_ends(case, data):
    select, scores, masks = case
    before = copy.deepcopy(masks)
    found = select(scores, masks, data.draw(st.integers(0, 2 * total(masks))))
    assert same(masks, before)
    assert shrunk(found, masks)
    assert same(cascade(found), found)


@given(ranked)
def test_removing_nothing_changes_nothing(case):
    select, scores, masks = case
    assert same(select(scores, masks, 0), masks)


@given(ranked, st.integers(0, 3))
def test_no_layer_is_emptied_whatever_is_asked_for(case, more):
    select, scores, masks = case
    found = select(scores, masks, kept(masks) + more)
    assert not emptied(found)
    if select is select_weights:
        assert kept(found) == len(masks)  # one path from an input to the last hidden layer
    else:
        assert [int(mask.any(dim=1).sum()) for mask in found] == [1] * len(masks)


@given(ranked, st.data())
def test_a_larger_request_removes_no_less(case, data):
    select, scores, masks = case
    less, more = sorted(data.draw(st.tuples(*[st.integers(0, kept(masks))] * 2)))
    assert kept(select(scores, masks, more)) <= kept(select(scores, masks, less))


@given(neurons_to_rank(), st.data())
def test_whole_neurons_go_or_stay(scores_masks, data):
    scores, masks = scores_masks
    found = select_neurons(scores, masks, data.draw(st.integers(0, kept(masks))))
    check_whole_neurons(masks, found)


def check_whole_neurons(masks: list[Tensor], found: list[Tensor]) -> None:
    """Every neuron has lost all incoming weights, or only those that came from neurons which died."""
    sources = torch.ones(masks[0].shape[1], dtype=torch.bool)
    for before, after in zip(masks, found, strict=True):
        alive = after.any(dim=1)
        assert torch.equal(after, before & alive[:, None] & sources)
        sources = alive


@pytest.mark.parametrize("remove", range(5))
def test_ties_break_by_layer_and_then_by_position(remove):
    masks = full_masks([5, 3, 4, 10])
    found = select_weights([torch.zeros(3, 5), torch.zeros(4, 3)], masks, remove)
    assert flat(found).tolist() == [False] * remove + [True] * (27 - remove)


def test_before_any_count_all_neurons_tie_and_the_first_go_first():
    masks = full_masks([4, 3, 2, 10])
    found = select_neurons([torch.zeros(3), torch.zeros(2)], masks, 6)  # 4 weights in, 2 out
    assert [mask.any(dim=1).tolist() for mask in found] == [[False, True, True], [True, True]]


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_scores_that_cannot_be_ranked_are_refused(value):
    scores = [torch.ones(3, 4), torch.ones(2, 3)]
    scores[1][1, 1] = value
    with pytest.raises(ValueError, match="hidden layer 2"):
        select_weights(scores, full_masks([4, 3, 2, 10]), 3)


# Criteria, on a network that has learnt something


@functools.cache
def trained_once(experiment: Experiment) -> Trainer:
    trainer = Trainer(experiment)
    for _ in range(3):
        trainer.train_epoch()
    return trainer


def trained(**settings) -> Trainer:
    """A trainer of the test's own, which has trained three epochs."""
    experiment = Experiment(**({"hidden": (40, 30, 20), "criterion": "none", "learning_rate": 0.1} | settings))
    return copy.deepcopy(trained_once(experiment))


def passed(trainer: Trainer) -> list[np.ndarray]:
    """Inputs of each hidden layer and outputs of the last, one picture after the other, with nothing of the package."""
    values: list[list[np.ndarray]] = []
    for picture in trainer.data.train_x:
        stages = [picture.numpy()]
        for layer in list(trainer.network.layers)[:-1]:
            stages.append(torch.relu(layer(torch.from_numpy(stages[-1]))).detach().numpy())
        values.append(stages)
    return [np.stack([stages[index] for stages in values]) for index in range(len(trainer.masks) + 1)]


def wanda_by_loop(trainer: Trainer) -> list[Tensor]:
    norms = [np.sqrt((values.astype(np.float64) ** 2).sum(axis=0)) for values in passed(trainer)[:-1]]
    weights = [weight.numpy().astype(np.float64) for weight in trainer.network.weights]
    return [torch.from_numpy(abs(weight) * norm) for weight, norm in zip(weights, norms, strict=False)]


def apoz_by_loop(trainer: Trainer) -> list[Tensor]:
    """Complement of the average percentage of zeros, in samples."""
    return [torch.from_numpy(len(values) - (values == 0).sum(axis=0)) for values in passed(trainer)[1:]]


FORMULAS: dict[str, Callable[[Trainer], list[Tensor]]] = {
    "activation": lambda trainer: [
        count[:, None] * weight.abs()
        for count, weight in zip(trainer.activity.counts, trainer.network.weights, strict=False)
    ],
    "activation-neuron": lambda trainer: trainer.activity.counts,
    "magnitude": lambda trainer: [weight.abs() for weight in trainer.network.weights[:-1]],
    "inverted-activation": lambda trainer: [
        (trainer.activity.samples - count)[:, None] * weight.abs()
        for count, weight in zip(trainer.activity.counts, trainer.network.weights, strict=False)
    ],
}
MEASURED = {"wanda-global": wanda_by_loop, "apoz": apoz_by_loop}


def layers_removed(trainer: Trainer) -> list[int]:
    return [mask.numel() - kept([mask]) for mask in trainer.masks]


def scores_used(trainer: Trainer, criterion: str, amount: float, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Scores that a pruning by this criterion ranks; makes the pruning."""
    seen: list[list[Tensor]] = []
    for name, select in (("select_weights", select_weights), ("select_neurons", select_neurons)):
        monkeypatch.setattr(
            choice,
            name,
            lambda scores, *rest, select=select: seen.append(scores) or select(scores, *rest),
        )
    trainer.prune(criterion, amount=amount)
    (scores,) = seen
    return [score.clone() for score in scores]


@pytest.mark.parametrize("criterion", FORMULAS)
def test_scores_follow_the_published_formulas(criterion, monkeypatch):
    trainer = trained()
    expected = [score.clone().double() for score in FORMULAS[criterion](trainer)]
    for mine, other in zip(scores_used(trainer, criterion, 0.1, monkeypatch), expected, strict=True):
        torch.testing.assert_close(mine.double(), other, rtol=1e-6, atol=0)


@pytest.mark.parametrize("removed", [0, 0.5])
@pytest.mark.parametrize("criterion", MEASURED)
def test_measured_scores_are_those_of_a_plain_loop_also_where_neurons_are_dead(criterion, removed, monkeypatch):
    trainer = trained()
    trainer.prune("activation-neuron", amount=removed)
    trainer.train_epoch()
    assert all(mask.any(dim=1).all() for mask in trainer.masks) == (removed == 0)
    expected = MEASURED[criterion](trainer)
    found = scores_used(trainer, criterion, 0.1, monkeypatch)
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine.double(), other.double(), rtol=1e-4, atol=1e-6)


def test_apoz_removes_the_neurons_that_are_silent_most_often_as_the_network_is_now():
    trainer = trained()
    for bias in trainer.network.biases[:-1]:
        bias.sub_(0.3)  # so that what was counted in training is no guide
    fires = flat([score.double() for score in apoz_by_loop(trainer)])
    counted = flat(trainer.activity.counts)
    trainer.prune("apoz", amount=0.4)
    alive = flat([mask.any(dim=1) for mask in trainer.masks])
    assert 0 < int((~alive).sum()) < len(alive)
    assert fires[~alive].max() <= fires[alive].min()
    assert counted[~alive].max() > counted[alive].min()


def test_wanda_removes_what_comes_from_pixels_that_are_never_lit():
    trainer = trained()
    dark = ~trainer.data.train_x.any(dim=0)
    assert dark.any()
    trainer.prune("wanda-global", amount=40 * int(dark.sum()) / 4360)
    assert torch.equal(trainer.masks[0], ~dark.expand(40, -1))
    assert all(mask.all() for mask in trainer.masks[1:])


@pytest.mark.parametrize("criterion", MEASURED)
def test_a_measurement_changes_nothing_but_what_is_pruned(criterion):
    trainer, other = trained(), trained()
    trainer.prune(criterion, amount=0)
    other.prune("magnitude", amount=0)
    for run in (trainer, other):
        run.train_epoch()
    assert all(torch.equal(a, b) for a, b in zip(trainer.network.weights, other.network.weights, strict=True))
    assert same(trainer.activity.counts, other.activity.counts)


def test_random_scores_are_spread_evenly_and_differ_between_prunings_and_seeds(monkeypatch):
    trainer = trained()
    first = flat(scores_used(trainer, "random", 0.1, monkeypatch))
    second = flat(scores_used(trainer, "random", 0.1, monkeypatch))
    other = flat(scores_used(trained(seed=1), "random", 0.1, monkeypatch))
    for draw in (first, second, other):
        tenths = torch.histc(draw, 10, 0, 1) / len(draw)
        assert (tenths - 0.1).abs().max() < 0.02
    assert torch.corrcoef(torch.stack([first, second, other])).triu(1).abs().max() < 0.1


@pytest.mark.parametrize("criterion", [name for name in RANKED if name != "wanda"])  # whose scores tie by design
def test_every_criterion_for_weights_chooses_as_torch_does(criterion, monkeypatch):
    trainer = trained()
    trainer.prune("random", amount=0.05)
    before = trainer.masks
    remove = round(0.25 * total(before))
    scores = scores_used(trainer, criterion, 0.25, monkeypatch)
    # The criterion is one that this test can judge: no tie at the threshold.
    ranked_scores = flat(scores)[flat(before)].sort().values
    assert ranked_scores[remove - 1] < ranked_scores[remove]

    expected = torch_prune(scores, before, remove)
    if same(cascade(expected), expected):
        assert same(trainer.masks, expected)
    else:  # neurons died: ours chose fewer weights directly
        removed = kept(before) - kept(trainer.masks)
        choices = [cascade(torch_prune(scores, before, directly)) for directly in range(remove + 1)]
        assert any(same(trainer.masks, choice) for choice in choices)
        assert abs(removed - remove) == min(abs(kept(before) - kept(choice) - remove) for choice in choices)


@pytest.mark.parametrize("criterion", [name for name in RANKED if name != "wanda"])  # which lets no neuron die
def test_neurons_that_die_are_counted_in(criterion, monkeypatch):
    trainer = trained()
    before = trainer.masks
    scores = scores_used(trainer, criterion, 0.95, monkeypatch)
    remove = round(0.95 * total(before))
    assert not all(mask.any(dim=1).all() for mask in trainer.masks)  # some neurons did die
    # The weights that torch would remove at some threshold, and what dies with them: the nearest there is.
    choices = [cascade(torch_prune(scores, before, n)) for n in range(remove - 400, remove + 1)]
    assert any(same(trainer.masks, choice) for choice in choices)
    nearest = min(abs(total(before) - kept(choice) - remove) for choice in choices)
    assert abs(total(before) - kept(trainer.masks) - remove) == nearest


@pytest.mark.parametrize("amount", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("criterion", ["activation", "inverted-activation"])
def test_with_the_same_quota_per_neuron_the_mask_is_that_of_magnitude(criterion, amount):
    trainer = trained()
    samples = trainer.activity.samples
    weights = [weight.abs() for weight in trainer.network.tensors().values() if weight.ndim == 2][:-1]
    trainer.prune(criterion, amount=amount)
    sources = torch.ones(weights[0].shape[1], dtype=torch.bool)
    compared = 0
    for size, mask, count in zip(weights, trainer.masks, trainer.activity.counts, strict=True):
        for neuron in range(len(mask)):
            # A neuron that always or never fired has scores of 0 only; from dead neurons all weights go.
            if 0 < count[neuron] < samples and mask[neuron].any():
                candidates, stays = size[neuron][sources], mask[neuron][sources]
                quota = int((~stays).sum())
                expected = torch.ones_like(stays).index_fill(0, candidates.argsort()[:quota], False)
                assert torch.equal(stays, expected)
                compared += 1
        sources = mask.any(dim=1)
    assert compared > 20


@pytest.mark.parametrize("amount", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("criterion", [*UNSTRUCTURED, *WHOLE_NEURONS])
def test_what_is_achieved_is_within_one_weight_or_neuron_of_what_is_requested(criterion, amount):
    trainer = trained()
    before = trainer.masks
    pruning = trainer.prune(criterion, amount=amount)
    died = any(not mask.any(dim=1).all() for mask in trainer.masks)
    # One weight; with it a neuron with its outgoing weights; of neurons, also those coming in.
    largest = 1
    if died:
        fan_in = [mask.shape[1] if criterion in WHOLE_NEURONS else 1 for mask in before]
        fan_out = [len(mask) for mask in before[1:]] + [0]
        largest = max(a + b for a, b in zip(fan_in, fan_out, strict=True))
    assert abs(pruning.weights_removed - amount * total(before)) <= largest / 2 + 0.5
    assert pruning.weights_removed == kept(before) - kept(trainer.masks)
    assert pruning.achieved == pruning.weights_removed / total(before)


def check_pruned(trainer: Trainer) -> None:
    """What holds after every pruning and every epoch."""
    masks = trainer.masks
    assert same(cascade(masks), masks)
    assert not emptied(masks)
    zero = 0
    for index, mask in enumerate(masks):
        dead = ~mask.any(dim=1)
        assert not trainer.network.weights[index][~mask].any()
        assert not trainer.network.weights[index + 1][:, dead].any()
        assert not trainer.network.biases[index][dead].any()
        zero += int((~mask).sum())
    assert trainer.sparsity == zero / total(masks)


@pytest.mark.parametrize("criterion", WHOLE_NEURONS)
def test_pruning_by_neurons_removes_whole_neurons_only(criterion):
    trainer = trained()
    trainer.prune("magnitude", amount=0.3)
    before = trainer.masks
    trainer.prune(criterion, amount=0.4)
    check_whole_neurons(before, trainer.masks)
    check_pruned(trainer)


def test_the_least_active_neurons_go_first():
    trainer = trained()
    counts = flat(trainer.activity.counts)
    trainer.prune("activation-neuron", amount=0.4)
    alive = flat([mask.any(dim=1) for mask in trainer.masks])
    assert 0 < int((~alive).sum()) < len(alive)
    assert counts[~alive].max() <= counts[alive].min()


# The shuffled mask: as many zeros in every layer, in other places


@pytest.mark.parametrize("scope", ["global", "per-layer"])
@pytest.mark.parametrize("amount", [0.2, 0.5, 0.8, 0.95])
def test_shuffled_masks_have_as_many_zeros_in_every_layer_as_by_activation_in_random_places(amount, scope):
    shuffled, plain = trained(scope=scope), trained(scope=scope)
    for part in (0.1, amount - 0.1):  # the second time on masks that have zeros already
        for layer, mask in enumerate(shuffled.masks):
            plain.masks[layer] = mask.clone()
        plain.network.load_tensors(shuffled.network.tensors())
        before = shuffled.masks
        plain.prune("activation", amount=part)
        shuffled.prune("shuffled-activation", amount=part)
        check_pruned(shuffled)
        assert layers_removed(shuffled) == layers_removed(plain)
        for old, new, other in zip(before, shuffled.masks, plain.masks, strict=True):
            removed, by_activation = ~new[old], ~other[old]
            share = removed.double().mean()
            together = (removed & by_activation).double().mean()
            deviation = share * (1 - share) / len(removed) ** 0.5  # of the share that two random choices have in common
            assert abs(together - share**2) <= 5 * deviation


def test_a_shuffled_choice_depends_on_the_seed_and_on_the_number_of_the_pruning():
    first, again, other = trained(), trained(), trained(seed=1)
    for run in (first, again, other):
        run.prune("shuffled-activation", amount=0.5)
    assert same(first.masks, again.masks) and not same(first.masks, other.masks)
    later = trained()
    later.prune("magnitude", amount=0)
    later.prune("shuffled-activation", amount=0.5)
    assert layers_removed(later) == layers_removed(first) and not same(later.masks, first.masks)


# Each layer's own ranking


@pytest.mark.parametrize("criterion", ["magnitude", "wanda-global"])
def test_per_layer_every_layer_is_pruned_as_torch_prunes_it_alone(criterion):
    trainer = trained(scope="per-layer")
    scores = {"wanda-global": wanda_by_loop, "magnitude": FORMULAS["magnitude"]}[criterion](trainer)
    assert all(len(score.unique()) > 0.8 * score.numel() for score in scores)
    full = full_masks(trainer.experiment.sizes)
    trainer.prune(criterion, amount=0.25)
    expected = [torch_prune([score], [mask], mask.numel() // 4)[0] for score, mask in zip(scores, full, strict=True)]
    assert same(cascade(expected), expected)
    assert same(trainer.masks, expected)


@pytest.mark.parametrize("amount", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("criterion", [*UNSTRUCTURED, *WHOLE_NEURONS])
def test_per_layer_all_layers_come_to_the_same_share_and_the_total_is_right(criterion, amount):
    trainer = trained(scope="per-layer")
    pruning = trainer.prune(criterion, amount=amount)
    check_pruned(trainer)
    # A weight, or half the incoming and outgoing weights of a neuron, of this layer and of what the last was short of.
    steps = [(64 + 30) / 2, (40 + 20) / 2 + (64 + 30) / 2, 30 / 2 + (40 + 20) / 2]
    for mask, removed, step in zip(trainer.masks, layers_removed(trainer), steps, strict=True):
        off = step if criterion in WHOLE_NEURONS else 1
        assert removed == pytest.approx(amount * mask.numel(), abs=off)
    assert pruning.weights_removed == pytest.approx(amount * 4360, abs=15 if criterion in WHOLE_NEURONS else 0.5)


def test_per_layer_what_some_layers_lost_before_is_taken_off():
    trainer = trained(scope="per-layer")
    trainer.masks = [torch.rand(mask.shape, generator=torch.Generator().manual_seed(3)) > 0.4 for mask in trainer.masks]
    trainer.masks[1].fill_(True)
    trainer.prune("magnitude", amount=(0.5 * 4360 - sum(layers_removed(trainer))) / 4360)
    for mask, removed in zip(trainer.masks, layers_removed(trainer), strict=True):
        assert removed == pytest.approx(mask.numel() / 2, abs=1)


def test_a_global_ranking_spares_some_layers():
    trainer = trained()
    trainer.prune("magnitude", amount=0.6)
    shares = [removed / mask.numel() for mask, removed in zip(trainer.masks, layers_removed(trainer), strict=True)]
    assert max(shares) - min(shares) > 0.05


prunings = st.lists(
    st.tuples(st.sampled_from([*UNSTRUCTURED, *WHOLE_NEURONS]), st.floats(0, 0.5), st.booleans()),
    min_size=1,
    max_size=6,
)


@given(
    prunings,
    st.sampled_from([{}, {"momentum": 0.9}, {"optimiser": "adam"}]),
    st.sampled_from(["global", "per-layer"]),
    st.integers(0, 9),
)
@settings(max_examples=25)
def test_prunings_by_any_criteria_in_any_order_keep_what_must_hold(sequence, optimiser, scope, seed):
    trainer = Trainer(Experiment(hidden=(8, 6, 5), criterion="none", seed=seed, scope=scope, **optimiser))
    for criterion, amount, train in sequence:
        before, sparsity = trainer.masks, trainer.sparsity
        pruning = trainer.prune(criterion, amount=amount)
        check_pruned(trainer)
        assert shrunk(trainer.masks, before)
        assert trainer.sparsity == pruning.sparsity == pytest.approx(sparsity + pruning.achieved)
        if train:
            trainer.train_batches()
            check_pruned(trainer)


def test_a_random_choice_depends_on_seed_and_number_of_the_pruning_only():
    trainer = trained()
    trainer.prune("magnitude", amount=0)
    trainer.prune("random", amount=0.3)
    source = generator(trainer.experiment.seed, "pruning", 1)
    scores = [torch.rand(mask.shape, generator=source) for mask in trainer.masks]
    assert same(trainer.masks, select_weights(scores, full_masks(trainer.experiment.sizes), round(0.3 * 4360)))
