from __future__ import annotations

import numpy as np
import pytest

from abp.analysis.claims import (
    CLAIMS,
    Case,
    better_than_pca,
    effective,
    like_nuclear_norm,
    low_rank,
    spectral_distance,
)

CASE = Case("digits", "activation", 0.8)
DENSE = dict.fromkeys(range(5), 0.95)


def off(*points: float) -> dict[int, float]:
    """Accuracies that are so many points above 95 %."""
    return {seed: 0.95 + difference / 100 for seed, difference in enumerate(points)}


# 1: effective


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        ((0.1, -0.1, 0, 0.2, -0.2), "supported"),
        ((-0.6, -0.7, -0.65, -0.6, -0.7), "supported"),  # worse, but by less than a point
        ((-2, -2.1, -1.9, -2, -2.2), "not supported"),
        ((-3, 2, -2, 1, -1), "undecided"),
        ((-1.2, -0.8, -1.1, -0.9, -1.0), "undecided"),
    ],
)
def test_a_pruned_network_is_effective_if_it_loses_less_than_a_point(points, verdict):
    found = effective(CASE, off(*points), DENSE, off(*(point - 1 for point in points)))
    assert (found.verdict, found.seeds, found.claim, found.title) == (verdict, 5, 1, CLAIMS[1])
    assert found.interval.mean == pytest.approx(np.mean(points) / 100)
    assert found.beside["accuracy against magnitude"].mean == pytest.approx(0.01)
    assert "5 seeds" in found.words


def test_the_loss_that_counts_is_a_parameter():
    accuracies = off(-2, -2.1, -1.9)
    assert effective(CASE, accuracies, DENSE, {}, loss=0.03).verdict == "supported"
    assert effective(CASE, accuracies, DENSE, {}, loss=0.0).verdict == "not supported"


# 2: low rank


def ranks(*layers: int, seeds: int = 3) -> dict[int, list[int]]:
    return {seed: list(layers) for seed in range(seeds)}


@pytest.mark.parametrize(
    ("pruned", "verdict"),
    [
        (ranks(20, 8), "supported"),
        (ranks(30, 8), "not supported"),  # one layer keeps its full rank
        (ranks(29, 9), "not supported"),  # below dense, but not below magnitude
        ({0: [20, 8], 1: [30, 8], 2: [20, 8]}, "undecided"),
    ],
)
def test_ranks_must_be_lower_in_every_layer_than_dense_and_in_all_than_magnitude(pruned, verdict):
    found = low_rank(CASE, pruned, ranks(30, 10), ranks(28, 10))
    assert (found.verdict, found.seeds) == (verdict, 3)
    first = sum(pruned[0])
    assert found.beside["sum of ranks against dense"].n == 3
    if verdict != "undecided":
        assert found.interval.mean == first - 38


# 3: better than PCA


@pytest.mark.parametrize(
    ("points", "verdict"),
    [((3, 3.1, 2.9, 3, 3), "supported"), ((-1, -1.1, -0.9, -1, -1), "not supported"), ((1, -1, 2, -2, 0), "undecided")],
)
def test_a_pruned_network_must_beat_pca_beyond_the_scatter_of_seeds(points, verdict):
    found = better_than_pca(CASE, off(*points), DENSE, off(0, 0, 0, 0, 0))
    assert (found.verdict, found.seeds) == (verdict, 5)
    assert found.beside["accuracy against SVD"] == found.interval


def test_exactly_as_good_as_pca_is_undecided():
    assert better_than_pca(CASE, DENSE, DENSE, DENSE).verdict == "undecided"


# 4: like a nuclear norm


def falling(*rates: float) -> dict[int, list[np.ndarray]]:
    """Spectra of two layers that fall off exponentially, at a rate for each seed."""
    return {seed: [np.exp(-rate * np.arange(20)), np.exp(-2 * rate * np.arange(10))] for seed, rate in enumerate(rates)}


PRUNED = falling(0.20, 0.30, 0.22, 0.28)
ACCURATE = dict.fromkeys(range(4), 0.95)


@pytest.mark.parametrize(
    ("regularised", "verdict"),
    [
        (falling(0.201, 0.301, 0.221, 0.281), "supported"),  # nearer than one seed to another
        (falling(0.9, 1.0, 0.92, 0.98), "not supported"),
        (falling(0.30, 0.20, 0.219, 0.279), "undecided"),
    ],
)
def test_regularised_spectra_must_be_nearer_than_two_seeds_are(regularised, verdict):
    found = like_nuclear_norm(CASE, PRUNED, ACCURATE, {0.1: regularised}, {0.1: ACCURATE})
    assert (found.verdict, found.seeds) == (verdict, 4)


def test_the_nearest_strength_of_the_same_accuracy_counts():
    near, far = falling(0.201, 0.301, 0.221, 0.281), falling(0.9, 1.0, 0.92, 0.98)
    poor = dict.fromkeys(range(4), 0.9)
    both = {0.1: near, 1.0: far}
    assert like_nuclear_norm(CASE, PRUNED, ACCURATE, both, {0.1: ACCURATE, 1.0: ACCURATE}).verdict == "supported"
    assert like_nuclear_norm(CASE, PRUNED, ACCURATE, both, {0.1: poor, 1.0: ACCURATE}).verdict == "not supported"
    none = like_nuclear_norm(CASE, PRUNED, ACCURATE, both, {0.1: poor, 1.0: poor})
    assert none.verdict == "undecided" and "came within 1 point" in none.words
    loose = like_nuclear_norm(CASE, PRUNED, ACCURATE, both, {0.1: poor, 1.0: poor}, match=0.06)
    assert loose.verdict == "supported"


def test_the_distance_of_spectra_is_one_of_shapes():
    first, second = PRUNED[0], PRUNED[1]
    assert spectral_distance(first, first) == 0
    assert spectral_distance(first, [7 * values for values in first]) == pytest.approx(0)
    assert spectral_distance(first, second) == pytest.approx(spectral_distance(second, first))
    assert 0 < spectral_distance(first, second) < spectral_distance(first, falling(2.0)[0]) < 1
    zeros = [np.zeros(20), np.zeros(10)]
    assert (spectral_distance(first, zeros), spectral_distance(zeros, zeros)) == (1, 0)


# Too little data


@pytest.mark.parametrize("seeds", [0, 1])
def test_without_two_seeds_every_claim_is_undecided_and_says_why(seeds):
    few = dict.fromkeys(range(seeds), 0.9)
    verdicts = [
        effective(CASE, few, DENSE, few),
        low_rank(CASE, ranks(1, 1, seeds=seeds), ranks(9, 9), ranks(5, 5)),
        better_than_pca(CASE, few, DENSE, {}),
        like_nuclear_norm(CASE, falling(*[1.0] * seeds), few, {0.1: PRUNED}, {0.1: ACCURATE}),
        like_nuclear_norm(CASE, PRUNED, ACCURATE, {0.1: falling(*[1.0] * seeds)}, {0.1: few}),
    ]
    for found in verdicts:
        assert (found.verdict, found.seeds) == ("undecided", seeds)
        assert ("No seed has" if seeds == 0 else "Only 1 seed has") in found.words
    assert like_nuclear_norm(CASE, PRUNED, ACCURATE, {}, {}).words.startswith("No seed has")


def test_only_seeds_of_both_count():
    found = better_than_pca(CASE, off(3, 3.1, 2.9, 3, -50), {0: 0.95, 1: 0.95, 2: 0.95, 9: 0.1}, {})
    assert (found.verdict, found.seeds) == ("supported", 3)
