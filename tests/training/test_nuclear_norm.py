"""The nuclear norm: autograd, NumPy, brute force and the inequality that defines a proximal map are the oracles."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abp import Experiment, Trainer, load_dataset
from abp.network.masks import cascade
from abp.training.checkpoint import restore_checkpoint, save_checkpoint
from abp.training.experiment import SettingError
from abp.training.nuclear_norm import nuclear_norm_gradient, shrink_singular_values
from abp.training.trainer import Diverged

DIGITS = load_dataset("digits")
FEW = {"hidden": (20, 15), "criterion": "none", "learning_rate": 0.1, "stop_accuracy": 1.0}
ON = {"nuclear": 0.01, "nuclear_from": 0.0, "nuclear_every": 10}
SHAPES = [(6, 9), (9, 6), (7, 7), (1, 5), (5, 1), (1, 1)]


def matrix(rows: int, columns: int, seed: int = 0, rank: int | None = None) -> torch.Tensor:
    source = np.random.default_rng(seed)
    if rank is None:
        return torch.from_numpy(source.normal(size=(rows, columns))).float()
    return torch.from_numpy(source.normal(size=(rows, rank)) @ source.normal(size=(rank, columns))).float()


def norm(values: np.ndarray, by_index: bool = False) -> float:
    """(Weighted) nuclear norm of a matrix."""
    spectrum = np.linalg.svd(values, compute_uv=False)
    return float(np.sum(spectrum * (np.arange(1, len(spectrum) + 1) if by_index else 1)))


# The gradient


@pytest.mark.parametrize("by_index", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_autograds(shape, by_index):
    weight = matrix(*shape)
    leaf = weight.double().requires_grad_()
    values = torch.linalg.svdvals(leaf)
    (values * (torch.arange(1, len(values) + 1) if by_index else 1)).sum().backward()
    torch.testing.assert_close(nuclear_norm_gradient(weight, by_index), leaf.grad.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("by_index", [False, True])
@pytest.mark.parametrize("shape", [(300, 784), (200, 100)])
def test_the_gradient_is_autograds_on_layers_of_the_published_size(shape, by_index):
    test_the_gradient_is_autograds(shape, by_index)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 8), st.integers(0, 999))
def test_where_singular_values_are_zero_it_is_a_subgradient(rows, columns, rank, seed):
    weight = matrix(rows, columns, seed, min(rank, rows, columns))
    gradient = nuclear_norm_gradient(weight).double().numpy()
    here = norm(weight.numpy())
    # It has spectral norm 1 at most and reaches the norm on the matrix itself, which makes the inequality below hold.
    assert np.linalg.norm(gradient, 2) <= 1 + 1e-5
    assert np.sum(gradient * weight.numpy()) == pytest.approx(here, rel=1e-4, abs=1e-5)
    for other in (matrix(rows, columns, seed + 1), -weight, torch.zeros(rows, columns), 1.01 * weight):
        assert norm(other.numpy()) >= here + np.sum(gradient * (other - weight).double().numpy()) - 1e-3


def test_of_a_rank_deficient_matrix_it_is_u_v_transposed_over_the_non_zero_part():
    weight = matrix(8, 12, rank=3)
    left, _, right = np.linalg.svd(weight.double().numpy(), full_matrices=False)
    np.testing.assert_allclose(nuclear_norm_gradient(weight).numpy(), left[:, :3] @ right[:3], atol=1e-5)
    weighted = (left[:, :3] * [1, 2, 3]) @ right[:3]
    np.testing.assert_allclose(nuclear_norm_gradient(weight, by_index=True).numpy(), weighted, atol=1e-5)
    assert not nuclear_norm_gradient(torch.zeros(4, 3)).any()


# The proximal map


@pytest.mark.parametrize("by_index", [False, True])
@pytest.mark.parametrize("amount", [0.0, 0.1, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("shape", [*SHAPES, (30, 20)])
def test_shrinking_is_numpys_soft_threshold(shape, amount, by_index):
    weight = matrix(*shape)
    left, values, right = np.linalg.svd(weight.double().numpy(), full_matrices=False)
    steps = amount * (np.arange(1, len(values) + 1) if by_index else 1)
    expected = (left * np.maximum(values - steps, 0)) @ right
    np.testing.assert_allclose(shrink_singular_values(weight, amount, by_index).numpy(), expected, atol=1e-5)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 6), st.floats(0, 3), st.integers(0, 999))
def test_shrinking_is_the_proximal_map(rows, columns, rank, amount, seed):
    """Its objective is strongly convex: any other matrix is worse by half its squared distance at least."""
    weight = matrix(rows, columns, seed, min(rank, rows, columns)).double().numpy()
    shrunk = shrink_singular_values(torch.from_numpy(weight).float(), amount).double().numpy()

    def objective(other: np.ndarray) -> float:
        return 0.5 * np.square(other - weight).sum() + amount * norm(other)

    for other in (weight, 0.5 * weight, np.zeros_like(weight), shrunk + 0.1 * matrix(rows, columns, seed + 1).numpy()):
        assert objective(other) >= objective(shrunk) + 0.5 * np.square(other - shrunk).sum() - 1e-3


@pytest.mark.parametrize("by_index", [False, True])
def test_no_small_matrix_of_a_fine_grid_is_better(by_index):
    weight, amount, points = np.array([[1.0, 0.5], [-0.25, 0.75]]), 0.3, np.arange(-0.5, 1.3, 0.05)

    def objective(other: np.ndarray) -> float:
        return 0.5 * np.square(other - weight).sum() + amount * norm(other, by_index)

    best = objective(shrink_singular_values(torch.from_numpy(weight).float(), amount, by_index).double().numpy())
    grid = np.array(list(itertools.product(points[::2], repeat=4))).reshape(-1, 2, 2)
    spectra = np.linalg.svd(grid, compute_uv=False)
    others = 0.5 * np.square(grid - weight).sum((1, 2)) + amount * spectra @ ([1, 2] if by_index else [1, 1])
    assert best <= others.min() + 1e-6
    assert others.min() <= best + 0.02  # the grid does come near it


# In training


def same_bits(first: Trainer, second: Trainer) -> bool:
    pairs = zip(first.network.tensors().values(), second.network.tensors().values(), strict=True)
    return all(torch.equal(mine, others) for mine, others in pairs)


def trained(epochs: int = 2, **settings) -> Trainer:
    trainer = Trainer(Experiment(**(FEW | settings)), DIGITS)
    for _ in range(epochs):
        trainer.train_epoch()
    return trainer


def total_norm(trainer: Trainer) -> float:
    return sum(norm(weight.numpy()) for weight in trainer.network.weights[:-1])


def test_with_lambda_zero_the_bits_are_those_without_a_regulariser():
    plain, off = trained(), trained(**ON | {"nuclear": 0.0, "nuclear_weights": "index", "nuclear_step": "gradient"})
    assert same_bits(plain, off)
    assert off.regulariser.seconds == 0 and not off.regulariser.active


@pytest.mark.parametrize("step", ["proximal", "gradient"])
@pytest.mark.parametrize("weights", ["plain", "index"])
def test_the_same_settings_give_the_same_bits_and_the_sum_of_singular_values_sinks(weights, step):
    settings = ON | {"nuclear": 0.001, "nuclear_weights": weights, "nuclear_step": step}
    first, second = trained(**settings), trained(**settings)
    assert same_bits(first, second)
    assert first.regulariser.seconds > 0
    assert total_norm(first) < 0.999 * total_norm(trained())


def test_every_nth_step_of_the_whole_run_counts_for_n_and_epochs_do_not_start_it_again():
    """41 batches an epoch: with every 30th, steps 30, 60, 90 and 120 fall in three epochs."""
    regularised = Trainer(Experiment(**FEW, **ON | {"nuclear_every": 30}), DIGITS)
    plain = Trainer(Experiment(**FEW), DIGITS)
    steps = {number: [] for number in (1, 2, 3)}
    original = regularised.regulariser.after_step

    def noted(step, live):
        weights = live.network.weights[:-1]
        before = [weight.clone() for weight in weights]
        original(step, live)
        if not all(map(torch.equal, weights, before)):
            steps[regularised.epoch].append(step)
            for weight, old in zip(weights, before, strict=True):
                torch.testing.assert_close(weight, shrink_singular_values(old, 0.1 * 30 * 0.01), rtol=0, atol=0)

    regularised.regulariser.after_step = noted
    for _ in range(3):
        regularised.train_epoch()
        plain.train_epoch()
    assert steps == {1: [30], 2: [60], 3: [90, 120]}
    assert not same_bits(regularised, plain)


def test_it_waits_for_the_training_accuracy_of_the_last_epoch():
    trainer = Trainer(Experiment(**FEW, **ON | {"nuclear_from": 0.5}), DIGITS)
    last, seen = 0.0, set()
    for _ in range(8):
        before = trainer.regulariser.seconds
        accuracy = trainer.train_epoch().accuracy
        assert trainer.regulariser.active == (last >= 0.5) == (trainer.regulariser.seconds > before)
        seen.add(trainer.regulariser.active)
        last = accuracy
    assert seen == {False, True}


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, {"optimiser": "adam", "learning_rate": 0.01}], ids=str)
@pytest.mark.parametrize("step", ["proximal", "gradient"])
def test_what_was_pruned_stays_zero(step, settings):
    trainer = trained(epochs=1, **ON, nuclear_step=step, **settings)
    trainer.prune("activation-neuron", 0.3)
    trainer.prune("magnitude", 0.3)
    for _ in range(2):
        trainer.train_epoch()
        assert all(map(torch.equal, trainer.masks, cascade(trainer.masks)))
        for weight, mask in zip(trainer.network.weights, trainer.masks, strict=False):
            assert not weight[~mask].any()
    dead = [~mask.any(1) for mask in trainer.masks]
    assert any(neurons.any() for neurons in dead)
    for neurons, bias, outgoing in zip(dead, trainer.network.biases, trainer.network.weights[1:], strict=False):
        assert not bias[neurons].any() and not outgoing[:, neurons].any()


def test_a_checkpoint_in_mid_epoch_goes_on_with_the_same_bits():
    settings = Experiment(**FEW, **ON | {"nuclear_from": 0.5, "nuclear_every": 7})
    whole = Trainer(settings, DIGITS)
    for _ in range(6):
        whole.train_epoch()
    broken = Trainer(settings, DIGITS)
    for _ in range(5):
        broken.train_epoch()
    broken.train_batches()
    assert broken.in_progress and broken.regulariser.active
    resumed = Trainer(settings, DIGITS)
    restore_checkpoint(resumed, save_checkpoint(broken))
    assert resumed.regulariser.active
    resumed.train_epoch()
    assert same_bits(whole, resumed)


@pytest.mark.parametrize(
    "settings", [ON | {"nuclear_every": 1}, {"ranks": (3,) * 8, "batch_size": 4}], ids=["nuclear", "ranks"]
)
def test_a_run_that_diverges_says_so_before_its_singular_values_do(settings):
    few = FEW | {"hidden": (20,) * 8, "learning_rate": 10.0, "batch_size": 1}
    with pytest.raises(Diverged, match="smaller learning rate"):
        trained(epochs=20, **few | settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"nuclear": -0.1}, "nuclear must be between 0 and 100"),
        ({"nuclear": float("nan")}, "nuclear must be between"),
        ({"nuclear_weights": "both"}, "nuclear_weights must be one of plain, index"),
        ({"nuclear_from": 1.1}, "nuclear_from must be between 0 and 1"),
        ({"nuclear_every": 0}, "nuclear_every must be between 1"),
        ({"nuclear_every": 2.5}, "nuclear_every must be a whole number"),
        ({"nuclear_step": "newton"}, "nuclear_step must be one of proximal, gradient"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_in_words(settings, words):
    with pytest.raises(SettingError) as caught:
        Experiment(**settings)
    assert words in str(caught.value)


def test_a_title_names_the_regulariser():
    regularised = Experiment(dataset="mnist", criterion="none", nuclear=0.001)
    assert regularised.title == "MNIST · dense, nuclear norm 0.001 · seed 0"
    published = dataclasses.replace(regularised, criterion="activation", nuclear=1.0, nuclear_weights="index")
    assert published.title == "MNIST · weights by activation, 80 %, nuclear norm by index 1 · seed 0"
