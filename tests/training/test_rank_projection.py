"""Rank limits: NumPy counts the ranks, and the same settings give the same bits however the work is cut up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from abp import Experiment, Trainer, load_dataset
from abp.training.experiment import SettingError
from abp.training.randomness import generator
from abp.training.rank_projection import limit_ranks, nearest_of_rank

DIGITS = load_dataset("digits")
FEW = {"hidden": (20, 15), "criterion": "none", "learning_rate": 0.1, "stop_accuracy": 1.0}


def ranks(trainer: Trainer) -> list[int]:
    return [int(np.linalg.matrix_rank(weight.numpy())) for weight in trainer.network.weights[:-1]]


def same_bits(trainer: Trainer, other: Trainer) -> bool:
    pairs = zip(trainer.network.tensors().values(), other.network.tensors().values(), strict=True)
    return all(torch.equal(mine, others) for mine, others in pairs)


def test_limiting_ranks_projects_in_place_and_leaves_a_limit_that_binds_nothing_alone():
    weights = [torch.randn(6, 9), torch.randn(4, 6)]
    before = [weight.clone() for weight in weights]
    limit_ranks(weights, [2, 4])
    assert torch.equal(weights[0], nearest_of_rank(before[0], 2))
    assert np.linalg.matrix_rank(weights[0].numpy()) == 2
    assert torch.equal(weights[1], before[1])


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (12, 12)])
@pytest.mark.parametrize("rank", [0, 1, 7, 12, 100])
def test_the_projection_is_numpys_truncated_decomposition(shape, rank):
    weight = torch.randn(shape, generator=generator(0, "order", 1))
    left, values, right = np.linalg.svd(weight.double().numpy(), full_matrices=False)
    expected = (left[:, :rank] * values[:rank]) @ right[:rank]
    np.testing.assert_allclose(nearest_of_rank(weight, rank).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("batch_size", [16, 32, 1400])
@pytest.mark.parametrize("limits", [(5, 3), (1, 15), (0, 2)])
def test_no_layer_is_above_its_limit_at_any_epochs_end_when_it_is_evaluated(limits, batch_size):
    trainer = Trainer(Experiment(**FEW, ranks=limits, batch_size=batch_size), DIGITS)
    for _ in range(3):
        trainer.train_epoch()
        assert all(found <= limit for found, limit in zip(ranks(trainer), limits, strict=True))
        assert trainer.finish_epoch().valid == trainer.evaluate("valid")


def test_layers_are_projected_every_fifty_steps_too():
    """Chunks hold 1,024 // 20 = 51 steps: after the first, one step lies behind a projection."""
    limited = Trainer(Experiment(**FEW, ranks=(5, 3), batch_size=20), DIGITS)
    limited.train_batches()
    assert limited.batch == 51
    # A step on 20 samples changes a layer by a matrix of rank 20 at most; by hand, from the projection on:
    free = Trainer(Experiment(**FEW, batch_size=20), DIGITS)
    first, second, output = free.network.layers
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), output)
    order = torch.randperm(len(DIGITS.train_x), generator=generator(0, "order", 1))
    for number, chosen in enumerate(order[: 51 * 20].split(20), start=1):
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(DIGITS.train_x[chosen]), DIGITS.train_y[chosen]).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.1 * parameter.grad
            if number == 50:
                for layer, rank in zip(free.network.layers, (5, 3), strict=False):
                    left, values, right = np.linalg.svd(layer.weight.double().numpy(), full_matrices=False)
                    layer.weight.copy_(torch.from_numpy((left[:, :rank] * values[:rank]) @ right[:rank]))
    for mine, expected in zip(limited.network.weights, free.network.weights, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-4)


def test_the_same_settings_give_the_same_bits_and_limits_that_bind_nothing_change_none():
    limited, again, free, loose = (
        Trainer(Experiment(**FEW, ranks=limits), DIGITS) for limits in ((5, 3), (5, 3), (), (20, 15))
    )
    for trainer in (limited, again, free, loose):
        trainer.train_epoch()
        trainer.train_epoch()
    assert same_bits(limited, again)
    assert same_bits(free, loose)
    assert not same_bits(limited, free)


def test_a_run_of_limited_ranks_cannot_be_pruned():
    trainer = Trainer(Experiment(**FEW, ranks=(5, 3)), DIGITS)
    with pytest.raises(SettingError, match="limited ranks"):
        trainer.prune("magnitude", 0.1)
    assert trainer.sparsity == 0
