from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from abp import Experiment, Trainer
from abp.network.live import live_network, remove_weights
from abp.network.masks import cascade, full_masks
from abp.network.mlp import Network
from abp.training.randomness import generator
from abp.training.step import TrainingStep

MakeOptimiser = Callable[[list[Tensor]], torch.optim.Optimizer]

OPTIMISERS: dict[str, MakeOptimiser] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.003),
}
UNDECIDED = 1e-4  # nearer to zero than this, rounding may decide whether a neuron was active


class Oracle:
    """The same training as anybody would write it: torch.nn, autograd, torch.optim, masks of torch.nn.utils.prune.

    Attributes
    ----------
    counts, undecided
        Per hidden layer, of each neuron: samples with output above zero, and samples with input almost zero.
    """

    def __init__(self, network: Network, masks: list[Tensor], make_optimiser: MakeOptimiser) -> None:
        self.linear = [nn.Linear(weight.shape[1], weight.shape[0]) for weight in network.weights]
        for mine, weight, bias in zip(self.linear, network.weights, network.biases, strict=True):
            mine.load_state_dict({"weight": weight.clone(), "bias": bias.clone()})
        for mine, mask in zip(self.linear[:-1], masks, strict=True):
            prune.custom_from_mask(mine, "weight", mask)
        relus = [nn.ReLU() for _ in masks]
        modules = [module for pair in zip(self.linear, relus, strict=False) for module in pair]
        self.model = nn.Sequential(*modules, self.linear[-1])
        self.counts = [torch.zeros(len(mask), dtype=torch.int64) for mask in masks]
        self.undecided = [torch.zeros(len(mask), dtype=torch.int64) for mask in masks]
        for index, relu in enumerate(relus):
            relu.register_forward_hook(self._counter(index))
        self.optimiser = make_optimiser(list(self.model.parameters()))
        self.loss_sum, self.correct = 0.0, 0

    def _counter(self, index: int) -> Callable:
        def count(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            self.counts[index] += (output > 0).sum(dim=0)
            distance = inputs[0].abs()  # of dead neurons exactly 0: decided
            self.undecided[index] += ((distance > 0) & (distance < UNDECIDED)).sum(dim=0)

        return count

    def step(self, x: Tensor, y: Tensor) -> None:
        self.optimiser.zero_grad()
        logits = self.model(x)
        loss = functional.cross_entropy(logits, y)
        loss.backward()
        self.optimiser.step()
        self.loss_sum += float(loss.detach()) * len(x)
        self.correct += int((logits.argmax(dim=1) == y).sum())

    @property
    def weights(self) -> list[Tensor]:
        hidden = [(mine.weight_orig * mine.weight_mask).detach() for mine in self.linear[:-1]]
        return [*hidden, self.linear[-1].weight.detach()]

    @property
    def biases(self) -> list[Tensor]:
        return [mine.bias.detach() for mine in self.linear]


def random_network(sizes: list[int], seed: int) -> Network:
    network = Network.glorot(sizes, torch.Generator().manual_seed(seed))
    for bias in network.biases:
        bias.copy_(torch.randn(bias.shape, generator=torch.Generator().manual_seed(seed)) / 10)
    return network


def copy_of(network: Network) -> Network:
    return copy.deepcopy(network)


def random_masks(sizes: list[int], density: float, dead: int, seed: int) -> list[Tensor]:
    """Random masks in which the first so many neurons of every hidden layer are dead."""
    source = torch.Generator().manual_seed(seed)
    masks = [torch.rand(mask.shape, generator=source) < density for mask in full_masks(sizes)]
    for mask in masks:
        mask[:dead] = False
    return cascade(masks)


def samples(count: int, sizes: list[int], seed: int) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    return torch.rand(count, sizes[0], generator=source), torch.randint(sizes[-1], (count,), generator=source)


def batches(x: Tensor, y: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(x.split(size), y.split(size), strict=True))


def train(step: TrainingStep, x: Tensor, y: Tensor, size: int) -> Tensor:
    """Train on the samples once, in order; return the logits of every sample at its step."""
    classes = len(step.biases[-1])
    logits = torch.empty(len(x), classes)
    for part_x, part_y, part in zip(x.split(size), y.split(size), logits.split(size), strict=True):
        step(part_x, functional.one_hot(part_y, classes).float(), part)
    return logits


def assert_close(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for index, (mine, other) in enumerate(zip(found, expected, strict=True)):
        torch.testing.assert_close(
            mine, other, rtol=tolerance, atol=tolerance, msg=lambda text, index=index: f"layer {index}: {text}"
        )


def assert_counted_alike(found: list[Tensor], oracle: Oracle) -> None:
    for mine, expected, undecided in zip(found, oracle.counts, oracle.undecided, strict=True):
        assert mine.dtype == torch.int64
        assert ((mine - expected).abs() <= undecided).all()


SIZES = [12, 10, 8, 6, 4]
MASKS = {
    "dense": full_masks(SIZES),
    "masked": random_masks(SIZES, density=0.5, dead=0, seed=1),
    "with dead neurons": random_masks(SIZES, density=0.6, dead=2, seed=1),
}


@pytest.fixture(params=MASKS)
def masks(request) -> list[Tensor]:
    return MASKS[request.param]


# Against autograd


@given(
    sizes=st.lists(st.integers(1, 6), min_size=3, max_size=6),
    batch=st.integers(1, 5),
    density=st.sampled_from([0.5, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_gradients_are_those_of_autograd(sizes, batch, density, seed):
    network, masks = random_network(sizes, seed), random_masks(sizes, density, dead=0, seed=seed)
    remove_weights(network, masks)
    x, y = samples(batch, sizes, seed)
    oracle = Oracle(network, masks, lambda parameters: torch.optim.SGD(parameters, lr=0))
    oracle.step(x, y)
    expected = [
        (mine.weight_orig if index < len(masks) else mine.weight).grad for index, mine in enumerate(oracle.linear)
    ]
    expected += [mine.bias.grad for mine in oracle.linear]

    live = live_network(network, masks, drop_dead=False)
    standing = TrainingStep(live, 0.0, lambda parameters: torch.optim.SGD(parameters, lr=0))
    train(standing, x, y, batch)
    assert_close([parameter.grad for parameter in [*live.network.weights, *live.network.biases]], expected, 1e-5)

    # The fused step of plain SGD at rate 1 takes off exactly the gradient.
    before = [tensor.clone() for tensor in [*live.network.weights, *live.network.biases]]
    train(TrainingStep(live, 1.0), x, y, batch)
    after = [*live.network.weights, *live.network.biases]
    assert_close([old - new for old, new in zip(before, after, strict=True)], expected, 1e-5)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_two_epochs_with_a_partial_last_batch_are_those_of_torch_optim(name, masks):
    network = random_network(SIZES, seed=0)
    remove_weights(network, masks)
    oracle = Oracle(network, masks, OPTIMISERS[name])
    x, y = samples(203, SIZES, seed=2)
    live = live_network(network, masks, drop_dead=name == "sgd")
    step = TrainingStep(live, 0.1, None if name == "sgd" else OPTIMISERS[name])
    for _ in range(2):
        train(step, x, y, 16)
        for part in batches(x, y, 16):
            oracle.step(*part)
    live.write_back(network)
    assert_close(network.weights, oracle.weights, 1e-4)
    assert_close(network.biases, oracle.biases, 1e-4)


SETTINGS = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.02, "momentum": 0.9},
    "adam": {"learning_rate": 0.001, "optimiser": "adam"},
}


def oracle_of(trainer: Trainer) -> Oracle:
    settings = trainer.experiment
    if settings.optimiser == "adam":
        return Oracle(trainer.network, trainer.masks, lambda p: torch.optim.Adam(p, lr=settings.learning_rate))
    return Oracle(
        trainer.network,
        trainer.masks,
        lambda p: torch.optim.SGD(p, lr=settings.learning_rate, momentum=settings.momentum),
    )


def train_oracle(oracle: Oracle, trainer: Trainer, epoch: int) -> None:
    data, seed = trainer.data, trainer.experiment.seed
    order = torch.randperm(len(data.train_x), generator=generator(seed, "order", epoch))
    for part in batches(data.train_x[order], data.train_y[order], trainer.experiment.batch_size):
        oracle.step(*part)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("batch_size", [32, 100])
def test_an_epoch_of_the_trainer_is_that_of_an_ordinary_loop(name, batch_size):
    trainer = Trainer(
        Experiment(hidden=(20, 15, 12), criterion="none", batch_size=batch_size, seed=4, **SETTINGS[name])
    )
    oracle = oracle_of(trainer)
    assert len(trainer.data.train_x) % batch_size
    train_oracle(oracle, trainer, epoch=1)
    metrics = trainer.train_epoch()

    assert_close(trainer.network.weights, oracle.weights, 1e-4)
    assert_close(trainer.network.biases, oracle.biases, 1e-4)
    assert_counted_alike(trainer.activity.counts, oracle)
    assert trainer.activity.samples == len(trainer.data.train_x)
    assert metrics.loss == pytest.approx(oracle.loss_sum / trainer.activity.samples, rel=1e-4)
    assert metrics.accuracy == pytest.approx(oracle.correct / trainer.activity.samples, abs=2e-3)


@pytest.mark.parametrize("criterion", ["magnitude", "activation-neuron"])
@pytest.mark.parametrize("name", SETTINGS)
def test_an_epoch_after_a_pruning_is_that_of_an_ordinary_loop_with_masks(name, criterion):
    trainer = Trainer(Experiment(hidden=(20, 15, 12), criterion="none", seed=4, **SETTINGS[name]))
    trainer.prune(criterion, amount=0.6)
    oracle = oracle_of(trainer)
    train_oracle(oracle, trainer, epoch=1)
    trainer.train_epoch()
    assert_close(trainer.network.weights, oracle.weights, 1e-4)
    assert_close(trainer.network.biases, oracle.biases, 1e-4)
    assert_counted_alike(trainer.activity.counts, oracle)


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_the_optimiser_remembers_its_past_over_a_pruning_but_nothing_of_what_was_removed(name):
    # That is what torch.optim does for parameters whose pruned part is zeroed together with its state.
    trainer = Trainer(Experiment(hidden=(20, 15, 12), criterion="none", seed=4, **SETTINGS[name]))
    oracle = oracle_of(trainer)
    train_oracle(oracle, trainer, epoch=1)
    trainer.train_epoch()
    trainer.prune("magnitude", amount=0.3)
    assert all(mask.any(dim=1).all() for mask in trainer.masks)  # no neuron died, so that only masks changed
    for mine, mask in zip(oracle.linear[:-1], trainer.masks, strict=True):
        mine.weight_mask.copy_(mask)
        mine.weight_orig.data.mul_(mask)
        for value in oracle.optimiser.state[mine.weight_orig].values():
            if value.shape == mask.shape:
                value.mul_(mask)
    train_oracle(oracle, trainer, epoch=2)
    trainer.train_epoch()
    assert_close(trainer.network.weights, oracle.weights, 5e-4)
    assert_close(trainer.network.biases, oracle.biases, 5e-4)


# Counting


@pytest.mark.parametrize("name", OPTIMISERS)
def test_counts_are_those_of_a_forward_pass_with_the_weights_of_that_moment(name, masks):
    network = random_network(SIZES, seed=0)
    remove_weights(network, masks)
    oracle = Oracle(network, masks, OPTIMISERS[name])
    x, y = samples(203, SIZES, seed=2)
    live = live_network(network, masks, drop_dead=name == "sgd")
    step = TrainingStep(live, 0.1, None if name == "sgd" else OPTIMISERS[name])
    for _ in range(4):
        train(step, x, y, 16)
        for part in batches(x, y, 16):
            oracle.step(*part)
    found = [torch.zeros(len(mask), dtype=torch.int64) for mask in masks]
    for all_counts, count, alive in zip(found, step.take_counts(), live.alive, strict=True):
        all_counts[alive] = count
    assert_counted_alike(found, oracle)
    assert sum(int(undecided.sum()) for undecided in oracle.undecided) < 50
    # With the weights of the end the counts would be others: the comparison above can tell moments apart.
    end = Oracle(network, masks, OPTIMISERS[name])
    end.model.load_state_dict(oracle.model.state_dict())
    for _ in range(4):
        end.model(x)
    assert any((a - b).abs().max() > 10 for a, b in zip(end.counts, oracle.counts, strict=True))


def test_counts_start_at_zero_again_once_taken():
    network = random_network(SIZES, seed=0)
    step = TrainingStep(live_network(network, MASKS["dense"]), 0.1)
    x, y = samples(64, SIZES, seed=2)
    train(step, x, y, 16)
    first = step.take_counts()
    assert any(count.any() for count in first)
    assert not any(count.any() for count in step.take_counts())


def test_the_counts_of_an_epoch_do_not_depend_on_how_often_they_are_taken():
    x, y = samples(160, SIZES, seed=2)
    steps = [TrainingStep(live_network(random_network(SIZES, seed=0), MASKS["dense"]), 0.1) for _ in range(2)]
    train(steps[0], x, y, 16)
    at_once = steps[0].take_counts()
    bit_by_bit = [torch.zeros_like(count) for count in at_once]
    for part in batches(x, y, 16):
        train(steps[1], *part, 16)
        for sum_so_far, count in zip(bit_by_bit, steps[1].take_counts(), strict=True):
            sum_so_far += count
    assert_close(bit_by_bit, at_once, 0)


class NotCounted:
    """In place of a count: takes no notice."""

    def addmv_(self, *_: Tensor) -> None:
        pass


@pytest.mark.parametrize("name", OPTIMISERS)
def test_counting_changes_no_weight_bit(name, masks):
    x, y = samples(203, SIZES, seed=2)
    results = []
    for counting in (True, False):
        network = random_network(SIZES, seed=0)
        remove_weights(network, masks)
        live = live_network(network, masks, drop_dead=name == "sgd")
        step = TrainingStep(live, 0.1, None if name == "sgd" else OPTIMISERS[name])
        if not counting:
            step._counts = NotCounted()
        logits = train(step, x, y, 16)
        live.write_back(network)
        results.append([logits, *network.tensors().values()])
    assert all(torch.equal(counted, plain) for counted, plain in zip(*results, strict=True))


# Masks and dead neurons


@pytest.mark.parametrize("name", OPTIMISERS)
def test_removed_weights_and_dead_neurons_stay_zero(name, masks):
    network = random_network(SIZES, seed=0)
    remove_weights(network, masks)
    live = live_network(network, masks, drop_dead=name == "sgd")
    step = TrainingStep(live, 0.1, None if name == "sgd" else OPTIMISERS[name])
    x, y = samples(203, SIZES, seed=2)
    train(step, x, y, 16)
    live.write_back(network)
    for index, mask in enumerate(masks):
        dead = ~mask.any(dim=1)
        assert not network.weights[index][~mask].any()
        assert not network.biases[index][dead].any()
        assert not network.weights[index + 1][:, dead].any()


def test_training_without_the_dead_neurons_equals_training_the_whole_masked_network():
    masks = MASKS["with dead neurons"]
    assert sum(int((~mask.any(dim=1)).sum()) for mask in masks) >= 6
    compact = random_network(SIZES, seed=0)
    remove_weights(compact, masks)
    whole = copy_of(compact)
    x, y = samples(203, SIZES, seed=2)
    outputs = []
    for network, drop_dead in ((compact, True), (whole, False)):
        live = live_network(network, masks, drop_dead=drop_dead)
        assert (live.network is network) is not drop_dead
        outputs.append(train(TrainingStep(live, 0.1), x, y, 16))
        live.write_back(network)
    assert_close([outputs[0]], [outputs[1]], 1e-4)
    assert_close(compact.weights, whole.weights, 1e-5)
    assert_close(compact.biases, whole.biases, 1e-5)


def test_weights_can_be_removed_in_the_middle_of_a_layer_that_stays_whole():
    masks = [mask.clone() for mask in MASKS["dense"]]
    masks[1][3, 4] = False
    network = random_network(SIZES, seed=0)
    remove_weights(network, masks)
    oracle = Oracle(network, masks, OPTIMISERS["sgd"])
    x, y = samples(64, SIZES, seed=2)
    train(TrainingStep(live_network(network, masks), 0.1), x, y, 16)
    for part in batches(x, y, 16):
        oracle.step(*part)
    assert_close(network.weights, oracle.weights, 1e-5)
    assert network.weights[1][3, 4] == 0


@pytest.mark.parametrize("optimiser", ["plain", *OPTIMISERS])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("multilabel", [False, True])
def test_weighted_and_multilabel_steps_in_float64_are_those_of_autograd(optimiser, weighted, multilabel):
    random = torch.Generator().manual_seed(1)
    network = Network.glorot([6, 5, 4, 3], random)
    network = Network(tuple(weight.double() for weight in network.weights), tuple(b.double() for b in network.biases))
    masks = [torch.rand(weight.shape, generator=random) > 0.3 for weight in network.weights[:-1]]
    remove_weights(network, masks)
    oracle = [parameter.clone().requires_grad_() for parameter in (*network.weights, *network.biases)]
    theirs = OPTIMISERS.get(optimiser, OPTIMISERS["sgd"])(oracle)
    live = live_network(network, masks, drop_dead=False)
    step = TrainingStep(live, 0.1, OPTIMISERS.get(optimiser), multilabel=multilabel)
    counts = [torch.zeros(5, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)]
    for _ in range(4):
        x = torch.randn(7, 6, generator=random, dtype=torch.float64)
        targets = (torch.rand(7, 3, generator=random) > 0.5).double()
        targets = targets if multilabel else functional.one_hot(targets.argmax(1), 3).double()
        weights = torch.rand(7, generator=random, dtype=torch.float64) * torch.tensor([1, 1, 0, 2, 1, 1, 1])
        value = x
        for index in range(2):
            value = (value @ oracle[index].t() + oracle[3 + index]).relu()
            counts[index] += ((value > 0) * (weights[:, None] if weighted else 1)).sum(0)
        logits = value @ oracle[2].t() + oracle[5]
        if multilabel:
            losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1)
        else:
            losses = functional.cross_entropy(logits, targets, reduction="none")
        theirs.zero_grad()
        ((losses * weights).sum() / weights.sum() if weighted else losses.mean()).backward()
        for parameter, mask in zip(oracle, masks, strict=False):
            parameter.grad *= mask
        theirs.step()
        outputs = torch.empty(7, 3, dtype=torch.float64)
        with torch.no_grad():
            step(x, targets, outputs, weights if weighted else None)
        torch.testing.assert_close(outputs, logits.detach(), rtol=1e-9, atol=1e-12)
    for mine, theirs_ in zip((*network.weights, *network.biases), oracle, strict=True):
        torch.testing.assert_close(mine, theirs_.detach(), rtol=1e-9, atol=1e-12)
    for mine, expected in zip(step.take_weighted_counts(), counts, strict=True):
        torch.testing.assert_close(mine, expected)
