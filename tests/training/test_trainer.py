from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from abp import Experiment, Trainer, load_dataset
from abp.data.datasets import Dataset
from abp.network.masks import pack
from abp.pruning import prune_network as choice
from abp.pruning.criteria import CRITERIA
from abp.training.history import Epoch, Pruning
from abp.training.trainer import Diverged

ROOT = Path(__file__).parents[2]
REMOVING = [name for name, entry in CRITERIA.items() if entry.scores]
OPTIMISERS = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.02, "momentum": 0.9},
    "adam": {"learning_rate": 0.003, "optimiser": "adam"},
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def small(digits: Dataset, **settings) -> Trainer:
    few = {"hidden": (20, 15, 12), "criterion": "none", "learning_rate": 0.1}
    return Trainer(Experiment(**(few | settings)), digits)


def state(trainer: Trainer) -> str:
    """A digest of every bit that training and pruning may change."""
    digest = hashlib.sha256()
    for tensor in [*trainer.network.tensors().values(), *trainer.activity.counts, *trainer.activity.epoch_counts]:
        digest.update(tensor.numpy().tobytes())
    digest.update(pack(trainer.masks))
    schedule = trainer.schedule
    numbers = (
        trainer.epoch, trainer.batch, trainer.prunings, trainer.stopped_by, trainer.due, trainer.running,
        trainer.activity.samples, trainer.activity.epoch_samples, schedule.done, schedule.early_stopping,
    )  # fmt: skip
    digest.update(repr(numbers).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("criterion", ["none", "activation-neuron"])
def test_batches_at_a_time_change_no_bit_of_what_is_trained_or_told(criterion, digits):
    whole, pieces = (small(digits, criterion=criterion, start_accuracy=0.0) for _ in range(2))
    for _ in range(3):
        whole.train_epoch()
        while not pieces.train_batches(1 + pieces.batch % 5):
            pass
        for trainer in (whole, pieces):
            trainer.finish_epoch()
            if trainer.due:
                trainer.prune_due()
        assert state(pieces) == state(whole)


def story(data: Dataset, **settings) -> str:
    """A run with prunings by hand, one in mid-epoch, and by the schedule: a digest of its end and of all it told."""
    trainer = small(data, **({"criterion": "activation", "prunings": 2, "amount": 0.6, "epochs": 4} | settings))
    trainer.train_batches()
    records = [trainer.prune("random", amount=0.1)]
    records += [trainer.train_epoch(), trainer.finish_epoch(), trainer.prune("activation-neuron", amount=0.1)]
    records += trainer.run()
    return hashlib.sha256((state(trainer) + repr(records)).encode()).hexdigest()


# The public face


def test_the_lines_of_the_design_do_what_they_say():
    data = load_dataset("digits")
    assert all(hasattr(data, f"{split}_{part}") for split in ("train", "valid", "test") for part in "xy")
    assert (data.image_shape, len(data.class_names)) == ((8, 8), 10)

    trainer = Trainer(Experiment(dataset="digits", criterion="none", seed=0))
    metrics = trainer.train_epoch()
    assert metrics.loss > 0 and 0 < metrics.accuracy < 1

    layers = trainer.network.layers
    assert all(isinstance(layer, torch.nn.Linear) for layer in layers)
    assert [(layer.in_features, layer.out_features) for layer in layers] == [
        (64, 300), (300, 200), (200, 100), (100, 50), (50, 10)
    ]  # fmt: skip

    assert [(count.dtype, tuple(count.shape)) for count in trainer.activity.counts] == [
        (torch.int64, (neurons,)) for neurons in (300, 200, 100, 50)
    ]
    assert trainer.activity.samples == len(data.train_x)
    assert all(count.max() <= trainer.activity.samples for count in trainer.activity.counts)

    trainer.prune("magnitude", amount=0.2)
    assert [(mask.dtype, tuple(mask.shape)) for mask in trainer.masks] == [
        (torch.bool, shape) for shape in ((300, 64), (200, 300), (100, 200), (50, 100))
    ]
    hidden_weights = 300 * 64 + 200 * 300 + 100 * 200 + 50 * 100
    assert sum(int((~mask).sum()) for mask in trainer.masks) == round(0.2 * hidden_weights)
    trainer.prune("magnitude", amount=0.2)
    assert sum(int((~mask).sum()) for mask in trainer.masks) == round(0.4 * hidden_weights)

    test = trainer.evaluate("test")
    assert test.loss > 0 and 0 < test.accuracy < 1


def independent_metrics(trainer: Trainer, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    value = x.numpy().astype(np.float64)
    *hidden, output = zip(trainer.network.weights, trainer.network.biases, strict=True)
    for weight, bias in hidden:
        value = np.maximum(value @ weight.numpy().T + bias.numpy(), 0)
    logits = value @ output[0].numpy().T + output[1].numpy()
    likelihood = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -np.log(likelihood[np.arange(len(y)), y.numpy()]).mean()
    return float(loss), float((logits.argmax(axis=1) == y.numpy()).mean())


@pytest.mark.parametrize("criterion", [None, "magnitude", "activation-neuron"])
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_metrics_are_those_of_an_independent_computation(split, criterion, digits):
    trainer = small(digits)
    trainer.train_epoch()
    if criterion:
        trainer.prune(criterion, amount=0.5)
        trainer.train_epoch()
    found = trainer.evaluate(split)
    loss, accuracy = independent_metrics(trainer, getattr(digits, f"{split}_x"), getattr(digits, f"{split}_y"))
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert found.accuracy == pytest.approx(accuracy, abs=1e-9)


def test_an_unknown_split_is_refused_with_the_choices(digits):
    with pytest.raises(ValueError, match="train, valid, test.*'validation'"):
        small(digits).evaluate("validation")


def test_looking_changes_nothing(digits):
    trainer = small(digits)
    trainer.train_batches()
    before = state(trainer)
    trainer.evaluate("train")
    trainer.network(digits.test_x)
    assert (trainer.running, trainer.sparsity, trainer.due) == (trainer.running, 0, None)
    trainer.activity.frequency()
    assert state(trainer) == before


# Epochs and counts


def test_an_epoch_in_pieces_is_the_epoch_in_one(digits):
    whole, pieces = small(digits), small(digits)
    metrics = whole.train_epoch()
    assert not pieces.train_batches()
    assert pieces.batch < pieces.batches
    assert pieces.train_epoch() == metrics
    assert (pieces.epoch, pieces.batch) == (whole.epoch, whole.batch) == (1, whole.batches)
    assert state(pieces) == state(whole)


@pytest.mark.parametrize("batch_size", [1, 7, 1294, 5000])
def test_every_sample_is_trained_and_counted_once_an_epoch_whatever_the_batch(batch_size, digits):
    trainer = small(digits, batch_size=batch_size, learning_rate=0.001)
    for epoch in (1, 2):
        trainer.train_epoch()
        assert (trainer.epoch, trainer.batch) == (epoch, math.ceil(1294 / batch_size))
        assert (trainer.activity.samples, trainer.activity.epoch_samples) == (1294 * epoch, 1294)


def test_counts_run_from_the_start_and_those_of_the_epoch_from_its_beginning(digits):
    trainer = small(digits)
    trainer.train_epoch()
    first = [count.clone() for count in trainer.activity.counts]
    assert all(torch.equal(a, b) for a, b in zip(first, trainer.activity.epoch_counts, strict=True))
    trainer.prune("magnitude", amount=0.3)
    trainer.train_epoch()
    for count, before, epoch in zip(trainer.activity.counts, first, trainer.activity.epoch_counts, strict=True):
        assert torch.equal(count, before + epoch)
    for share, count in zip(trainer.activity.frequency(), trainer.activity.counts, strict=True):
        assert share.tolist() == [number / (2 * 1294) for number in count.tolist()]


def test_counts_start_afresh_after_a_pruning_if_told_to(digits):
    trainer = small(digits, reset_counts=True)
    trainer.train_epoch()
    trainer.prune("magnitude", amount=0.3)
    assert trainer.activity.samples == 0
    assert not any(count.any() for count in trainer.activity.counts)
    trainer.train_epoch()
    assert trainer.activity.samples == 1294


def test_dead_neurons_are_silent(digits):
    trainer = small(digits)
    trainer.train_epoch()
    trainer.prune("activation-neuron", amount=0.5)
    trainer.train_epoch()
    for mask, count in zip(trainer.masks, trainer.activity.epoch_counts, strict=True):
        assert not count[~mask.any(dim=1)].any()
        assert count.any()


# Pruning


@pytest.mark.parametrize("criterion", ["activation", "activation-neuron"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_nothing_that_was_removed_ever_grows_back(optimiser, criterion, digits):
    trainer = small(digits, **OPTIMISERS[optimiser])
    trainer.train_batches()
    for _ in range(3):
        trainer.prune(criterion, amount=0.25)
        for _ in range(2):
            trainer.train_epoch()
            for index, mask in enumerate(trainer.masks):
                dead = ~mask.any(dim=1)
                assert not trainer.network.weights[index][~mask].any()
                assert not trainer.network.weights[index + 1][:, dead].any()
                assert not trainer.network.biases[index][dead].any()
                assert trainer.network.weights[index][mask].all()  # and nothing else went


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, -0.01, 1.01, "0.5", None, True, [0.5]])
def test_an_impossible_amount_is_refused_and_changes_nothing(amount, digits):
    trainer = small(digits)
    trainer.train_batches()
    before = state(trainer)
    with pytest.raises(ValueError, match="amount") as caught:
        trainer.prune("magnitude", amount=amount)
    assert repr(amount) in str(caught.value)
    assert state(trainer) == before


@pytest.mark.parametrize("criterion", ["none", "Magnitude", "", None, 3, ["magnitude"]])
def test_a_criterion_that_removes_nothing_is_refused_and_changes_nothing(criterion, digits):
    trainer = small(digits)
    trainer.train_batches()
    before = state(trainer)
    with pytest.raises(ValueError, match="criterion.*magnitude") as caught:
        trainer.prune(criterion, amount=0.5)
    assert repr(criterion) in str(caught.value)
    assert state(trainer) == before


def test_a_pruning_that_fails_half_way_changes_nothing(digits, monkeypatch):
    trainer = small(digits, criterion="magnitude", start_accuracy=0, stop_accuracy=0)
    next(trainer.run())
    assert trainer.due == "schedule"
    before = state(trainer)
    monkeypatch.setattr(choice, "select_weights", lambda *_: [][0])
    for prune in (trainer.prune_due, lambda: trainer.prune("magnitude", amount=0.1)):
        with pytest.raises(IndexError):
            prune()
        assert state(trainer) == before


def test_the_record_of_a_pruning_says_what_it_did(digits):
    trainer = small(digits)
    trainer.train_epoch()
    trainer.train_batches()
    valid, test, running = trainer.evaluate("valid"), trainer.evaluate("test"), trainer.running
    record = trainer.prune("activation-neuron", amount=0.4)
    dead = sum(int((~mask.any(dim=1)).sum()) for mask in trainer.masks)
    zero = sum(int((~mask).sum()) for mask in trainer.masks)
    weights = 20 * 64 + 15 * 20 + 12 * 15
    assert record == Pruning(
        epoch=2, batch=32, criterion="activation-neuron", by="hand", requested=0.4, achieved=zero / weights,
        sparsity=zero / weights, weights_removed=zero, neurons_removed=dead, train_accuracy=running.accuracy,
        valid_before=valid, valid_after=trainer.evaluate("valid"), test_before=test,
        test_after=trainer.evaluate("test"),
    )  # fmt: skip
    assert zero > 0 and dead > 0
    assert trainer.sparsity == zero / weights


# Runs by the schedule


@pytest.mark.parametrize("scope", ["global", "per-layer"])
@pytest.mark.parametrize("criterion", REMOVING)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_scheduled_run_reaches_its_target_with_every_criterion(criterion, optimiser, scope, digits):
    trainer = small(
        digits, criterion=criterion, amount=0.6, prunings=3, start_accuracy=0.3, stop_accuracy=0.6, epochs=60,
        scope=scope, **OPTIMISERS[optimiser],
    )  # fmt: skip
    records = list(trainer.run())
    prunings = [record for record in records if isinstance(record, Pruning)]
    largest = (64 + 15) / (20 * 64 + 15 * 20 + 12 * 15) if CRITERIA[criterion].whole_neurons else 0.01
    assert [pruning.sparsity for pruning in prunings] == pytest.approx(trainer.schedule.targets, abs=largest)
    assert trainer.sparsity == pytest.approx(0.6, abs=largest)
    assert trainer.stopped_by in ("stop-accuracy", "early-stopping", "epochs")
    if trainer.stopped_by == "stop-accuracy":
        assert records[-1].train.accuracy >= 0.6


def test_records_follow_one_another(digits):
    trainer = small(
        digits, criterion="magnitude", amount=0.5, prunings=2, start_accuracy=0.3, stop_accuracy=0.9, epochs=40
    )
    records = list(trainer.run())
    epochs = [record for record in records if isinstance(record, Epoch)]
    assert [epoch.number for epoch in epochs] == list(range(1, len(epochs) + 1))
    for before, record in zip(records, records[1:], strict=False):
        if isinstance(record, Pruning):
            assert isinstance(before, Epoch)
            assert (record.epoch, record.batch) == (before.number, trainer.batches)
            assert (record.valid_before, record.test_before) == (before.valid, before.test)
            assert record.train_accuracy == before.train.accuracy >= trainer.schedule.thresholds[0]
    assert (trainer.stopped_by, records[-1].train.accuracy >= 0.9) == ("stop-accuracy", True)
    assert list(trainer.run()) == []


def test_a_dense_run_ends_by_its_epochs_and_removes_nothing(digits):
    trainer = small(digits, epochs=2, learning_rate=0.001)
    assert [type(record) for record in trainer.run()] == [Epoch, Epoch]
    assert (trainer.stopped_by, trainer.sparsity, trainer.prunings) == ("epochs", 0, 0)


# The same bits


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_the_same_settings_and_commands_give_the_same_bits(optimiser, digits):
    assert story(digits, **OPTIMISERS[optimiser]) == story(digits, **OPTIMISERS[optimiser])


def test_another_process_gives_the_same_bits(digits):
    script = (
        "import sys, torch; sys.path.insert(0, sys.argv[1]); torch.set_num_threads(1); torch.rand(3); "
        "from abp import load_dataset; from test_trainer import OPTIMISERS, story; "
        "print(*(story(load_dataset('digits'), **settings) for settings in OPTIMISERS.values()))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == [story(digits, **settings) for settings in OPTIMISERS.values()]


def test_other_seeds_give_other_weights_and_another_order(digits):
    first, second = small(digits, seed=0), small(digits, seed=1)
    for a, b in zip(first.network.weights, second.network.weights, strict=True):
        assert not torch.isclose(a, b, atol=1e-6).any(dim=1).all()
    # The same weights, trained in another order, end elsewhere.
    second.network.load_tensors(first.network.tensors())
    first.train_epoch()
    second.train_epoch()
    assert not torch.equal(first.network.weights[0], second.network.weights[0])


@pytest.mark.parametrize("criterion", REMOVING)
def test_the_same_seed_gives_every_criterion_the_same_start_and_the_same_order(criterion, digits):
    dense, other = small(digits, seed=5), small(digits, seed=5, criterion=criterion)
    assert [a.tolist() for a in dense.network.weights] == [b.tolist() for b in other.network.weights]
    assert other.due == ("schedule" if CRITERIA[criterion].schedule == "before-training" else None)
    other.due = None  # a pruning before training that nobody makes here
    dense.train_epoch()
    other.train_epoch()
    assert state(dense) == state(other)
    # The order of later epochs does not depend on what was pruned before either.
    dense.prune("magnitude", amount=0.2)
    other.prune("random", amount=0)
    other.prune("magnitude", amount=0.2)
    dense.train_epoch()
    other.train_epoch()
    assert dense.network.weights[0].tolist() == other.network.weights[0].tolist()


def test_the_order_differs_between_epochs(digits):
    trainer = small(digits, learning_rate=1e-6)
    accuracies = []
    for _ in range(2):
        trainer.train_batches()
        accuracies.append(trainer.running.loss)
        trainer.train_epoch()
    assert accuracies[0] != pytest.approx(accuracies[1], rel=1e-5)  # the first samples were others


def test_initial_weights_are_glorot_uniform_and_biases_zero(digits):
    trainer = Trainer(Experiment(dataset="digits"), digits)
    for weight, bias in zip(trainer.network.weights, trainer.network.biases, strict=True):
        bound = math.sqrt(6 / sum(weight.shape))
        assert 0.98 * bound < weight.abs().max() <= bound
        assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)
        assert not bias.any()


def test_nothing_depends_on_the_test_samples(digits):
    nonsense = dataclasses.replace(digits, test_x=torch.rand_like(digits.test_x), test_y=digits.test_y.flip(0))
    states = []
    for data in (digits, nonsense):
        trainer = small(
            data, criterion="activation", amount=0.5, prunings=2, start_accuracy=0.3, stop_accuracy=0.8, epochs=40
        )
        list(trainer.run())
        states.append(state(trainer))
    assert states[0] == states[1]


# Training that fails


def test_divergence_is_reported_with_the_epoch_and_what_may_help(digits):
    trainer = Trainer(Experiment(dataset="digits", criterion="none", learning_rate=10), digits)
    with pytest.raises(Diverged, match=r"nan in epoch \d+; a smaller learning rate may help"):
        for _ in trainer.run():
            pass


def test_divergence_in_the_last_batches_is_noticed_at_the_end_of_the_epoch(digits):
    trainer = small(digits, criterion="magnitude", start_accuracy=0, stop_accuracy=0)
    trainer.train_epoch()
    trainer.network.weights[0].fill_(math.inf)  # as the last update may leave it
    with pytest.raises(Diverged, match="epoch 1"):
        trainer.finish_epoch()


# Real data


def test_two_epochs_on_fashion_mnist_tell_most_clothes_apart(real_data, monkeypatch):
    monkeypatch.setenv("ABP_DATA_DIR", str(real_data))
    trainer = Trainer(Experiment(dataset="fashion-mnist", criterion="none"))
    for _ in range(2):
        trainer.train_epoch()
    assert trainer.activity.samples == 2 * 54_000
    assert trainer.evaluate("valid").accuracy > 0.75


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_deep_copy_trains_its_own_network_and_goes_on_with_the_same_bits(optimiser, digits):
    trainer = small(digits, **OPTIMISERS[optimiser])
    trainer.train_epoch()
    layers = trainer.network.layers
    twin = copy.deepcopy(trainer)
    before = state(trainer)
    twin.train_epoch()
    assert state(trainer) == before != state(twin)
    trainer.train_epoch()
    assert state(trainer) == state(twin)
    assert trainer.network.layers is layers
    for network in (trainer.network, twin.network):  # what people see is what was trained
        for layer, weight in zip(network.layers, network.weights, strict=True):
            assert torch.equal(layer.weight, weight)
    assert twin.evaluate("test") == trainer.evaluate("test")


@pytest.mark.parametrize("batch_size", [32, 100])
def test_an_epoch_has_the_same_bits_however_many_batches_are_trained_at_a_time(batch_size):
    def trained(most: int | None) -> tuple:
        trainer = Trainer(Experiment(hidden=(20, 10), criterion="none", batch_size=batch_size, learning_rate=0.1))
        for _ in range(2):
            while not trainer.train_batches(most):
                pass
            epoch = trainer.finish_epoch()
        weights = [tensor.numpy().tobytes() for tensor in trainer.network.tensors().values()]
        return epoch, [count.tolist() for count in trainer.activity.counts], weights

    expected = trained(None)
    for most in (1, 5, 14):
        assert trained(most) == expected
