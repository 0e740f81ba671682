from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from abp.analysis.claims import (
    CLAIMS,
    Case,
    Verdict,
    better_than,
    better_than_pca,
    corrected,
    effective,
    former_verdict,
    like_nuclear_norm,
    low_rank,
)
from abp.analysis.spectral_distance import spectral_distance

CASE = Case("digits", "activation", 0.8, test_samples=360)
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
    accuracies = off(-2, -2.1, -1.9, -2, -2)
    assert effective(CASE, accuracies, DENSE, {}, loss=0.03).verdict == "supported"
    assert effective(CASE, accuracies, DENSE, {}, loss=0.0).verdict == "not supported"


# 2: low rank


def ranks(*layers: int, seeds: int = 5) -> dict[int, list[int]]:
    return {seed: list(layers) for seed in range(seeds)}


@pytest.mark.parametrize(
    ("pruned", "verdict"),
    [
        (ranks(20, 8), "supported"),
        (ranks(40, 8), "not supported"),  # more than after pruning by magnitude
        (ranks(30, 7), "undecided"),  # one layer keeps its full rank, and the sum is one lower than by magnitude
        (ranks(29, 9), "undecided"),  # the same sum as by magnitude
        (ranks(30, 2), "undecided"),  # a lower sum, but one layer keeps its full rank
        ({**ranks(20, 8), 3: [30, 2]}, "undecided"),  # in one seed
        ({seed: [rank, 8] for seed, rank in enumerate((10, 29, 22, 29, 29))}, "undecided"),  # too much scatter
    ],
)
def test_the_sum_of_ranks_must_be_lower_than_by_magnitude_and_every_rank_than_dense(pruned, verdict):
    found = low_rank(CASE, pruned, ranks(30, 10), ranks(28, 10))
    assert (found.verdict, found.seeds) == (verdict, 5)
    assert found.beside["sum of ranks against dense"].n == 5
    assert found.interval.mean == pytest.approx(np.mean([sum(layers) - 38 for layers in pruned.values()]))
    assert "Mean ranks" in found.words and "of 5 seeds every hidden layer" in found.words


# 3: better than PCA


@pytest.mark.parametrize(
    ("points", "verdict"),
    [((3, 3.1, 2.9, 3, 3), "supported"), ((-1, -1.1, -0.9, -1, -1), "not supported"), ((1, -1, 2, -2, 0), "undecided")],
)
def test_a_pruned_network_must_beat_pca_beyond_the_scatter_of_seeds(points, verdict):
    found = better_than_pca(CASE, off(*points), DENSE, off(0, 0, 0, 0, 0))
    assert (found.verdict, found.seeds) == (verdict, 5)
    assert found.beside["accuracy against SVD"] == found.interval


def test_equal_training_is_told_beside_the_verdict_and_does_not_change_it():
    ahead, behind = off(3, 3.1, 2.9, 3, 3), off(4, 4.1, 3.9, 4, 4)
    found, without = (better_than_pca(CASE, ahead, DENSE, {}, tuned) for tuned in (behind, None))
    equal = found.beside["accuracy against PCA, equally trained"]
    assert (found.verdict, found.interval) == (without.verdict, without.interval) == ("supported", without.interval)
    assert equal.mean == pytest.approx(-0.01) and "trained on equally: −1.00 points" in found.words
    assert "equally" not in without.words and list(without.beside) == ["accuracy against SVD"]


def test_exactly_as_good_as_pca_is_undecided():
    assert better_than_pca(CASE, DENSE, DENSE, DENSE).verdict == "undecided"


def test_equal_differences_are_no_smaller_scatter_than_the_test_set_can_tell():
    """One picture of 360 more in every seed: the interval is no narrower than half a picture, not of width zero."""
    one_more = {seed: accuracy + 0.4 / 360 for seed, accuracy in DENSE.items()}
    found = better_than_pca(CASE, one_more, DENSE, DENSE)
    assert found.verdict == "undecided"
    assert found.interval.high - found.interval.low == pytest.approx(1 / 360)
    two_more = {seed: accuracy + 2 / 360 for seed, accuracy in DENSE.items()}
    assert better_than_pca(CASE, two_more, DENSE, DENSE).verdict == "supported"


def test_the_sampling_error_of_the_test_set_stands_apart():
    assert effective(CASE, DENSE, DENSE, DENSE).test_error == pytest.approx((0.95 * 0.05 / 360) ** 0.5)


# 4: like a nuclear norm


def falling(*rates: float) -> dict[int, list[np.ndarray]]:
    """Spectra of two layers that fall off exponentially, at a rate for each seed."""
    return {seed: [np.exp(-rate * np.arange(20)), np.exp(-2 * rate * np.arange(10))] for seed, rate in enumerate(rates)}


RATES = np.array([0.2, 0.2, *([0.20, 0.30, 0.22, 0.28] * 3)[:10]])
PRUNED = falling(*RATES)
ACCURATE = dict.fromkeys(range(12), 0.95)


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        (RATES + 0.001, "supported"),  # nearer than one seed to another
        (RATES + 0.7, "not supported"),
        (RATES + np.array([0, 0, *([0.01, 0.02, 0.2, 0.1, 0.05] * 2)]), "undecided"),
    ],
)
def test_regularised_spectra_must_be_nearer_than_a_margin_times_two_seeds(rates, verdict):
    found = like_nuclear_norm(CASE, PRUNED, ACCURATE, {0.1: falling(*rates)}, {0.1: ACCURATE})
    assert (found.verdict, found.seeds) == (verdict, 10)
    assert found.interval.n == 5  # pairs of seeds, none in two


def test_the_excess_over_the_margin_is_that_of_a_plain_loop():
    others = falling(*(RATES + 0.05))
    excess = []
    for first, second in ((2, 3), (4, 5), (6, 7), (8, 9), (10, 11)):
        apart = [spectral_distance(PRUNED[seed], others[seed]) for seed in (first, second)]
        excess.append(np.mean(apart) ** (2 / 3) - (1.5 * spectral_distance(PRUNED[first], PRUNED[second])) ** (2 / 3))
    found = like_nuclear_norm(CASE, PRUNED, ACCURATE, {0.1: others}, {0.1: ACCURATE})
    expected = stats.t.interval(0.95, 4, loc=np.mean(excess), scale=stats.sem(excess))
    assert (found.interval.low, found.interval.high) == pytest.approx(expected)


def test_the_ratio_in_words_is_the_one_that_the_margin_is_compared_with():
    """With distances that scatter, a ratio of plain means can lie above the margin while the tested one is below."""
    rates = RATES + np.array([0, 0, *[0.001] * 6, *[0.4] * 4])
    others = falling(*rates)
    to_others, between = [], []
    for first, second in ((2, 3), (4, 5), (6, 7), (8, 9), (10, 11)):
        to_others.append(np.mean([spectral_distance(PRUNED[seed], others[seed]) for seed in (first, second)]))
        between.append(spectral_distance(PRUNED[first], PRUNED[second]))
    typical = [np.mean(np.power(distances, 2 / 3)) ** 1.5 for distances in (to_others, between)]
    found = like_nuclear_norm(CASE, PRUNED, ACCURATE, {0.1: others}, {0.1: ACCURATE})
    assert f"{typical[0] / typical[1]:.2f} times as far" in found.words
    assert f"{np.mean(to_others) / np.mean(between):.2f} times as far" not in found.words


def test_without_the_seeds_that_choose_the_words_say_so():
    later = {seed: spectra for seed, spectra in PRUNED.items() if seed > 1}
    accuracies = dict.fromkeys(later, 0.95)
    found = like_nuclear_norm(CASE, later, accuracies, {0.1: later}, {0.1: accuracies})
    assert found.verdict == "undecided" and "Seeds 0 and 1 choose" in found.words


def test_the_strength_is_chosen_by_accuracy_on_the_first_two_seeds_and_never_by_the_spectra():
    near, far = falling(*(RATES + 0.001)), falling(*(RATES + 0.7))
    both = {0.1: near, 1.0: far}
    poor_at_first = {**ACCURATE, 0: 0.94, 1: 0.946}
    poor_later = {seed: 0.95 if seed < 2 else 0.5 for seed in range(12)}
    chosen = like_nuclear_norm(CASE, PRUNED, ACCURATE, both, {0.1: poor_at_first, 1.0: ACCURATE})
    assert chosen.verdict == "not supported" and "strength 1," in chosen.words
    assert like_nuclear_norm(CASE, PRUNED, ACCURATE, both, {0.1: poor_later, 1.0: poor_at_first}).verdict == "supported"
    poor = dict.fromkeys(range(12), 0.9)
    none = like_nuclear_norm(CASE, PRUNED, ACCURATE, both, {0.1: poor, 1.0: poor})
    assert none.verdict == "undecided" and "within 1 point" in none.words
    assert like_nuclear_norm(CASE, PRUNED, ACCURATE, both, {0.1: poor, 1.0: poor}, match=0.06).p is not None


def test_the_distance_of_spectra_is_one_of_shapes():
    first, second = PRUNED[2], PRUNED[3]
    assert spectral_distance(first, first) == 0
    assert spectral_distance(first, [7 * values for values in first]) == pytest.approx(0)
    assert spectral_distance(first, second) == pytest.approx(spectral_distance(second, first))
    assert 0 < spectral_distance(first, second) < spectral_distance(first, falling(2.0)[0]) < 1
    zeros = [np.zeros(20), np.zeros(10)]
    assert (spectral_distance(first, zeros), spectral_distance(zeros, zeros)) == (1, 0)


# 5: better than another criterion


def test_a_criterion_is_judged_against_another_one_by_test_accuracy():
    found = better_than(CASE, off(3, 3.1, 2.9, 3, 3), DENSE, "random-neuron")
    assert (found.verdict, found.against) == ("supported", "random-neuron")
    assert better_than(CASE, DENSE, off(3, 3.1, 2.9, 3, 3), "random-neuron").verdict == "not supported"


# Too little data


@pytest.mark.parametrize("seeds", [0, 1, 2, 4])
def test_without_five_seeds_every_claim_is_undecided_and_says_why(seeds):
    few = dict.fromkeys(range(seeds), 0.5)  # two seeds of equal differences were once enough for a verdict
    verdicts = [
        effective(CASE, few, DENSE, few),
        low_rank(CASE, ranks(1, 1, seeds=seeds), ranks(9, 9), ranks(5, 5)),
        better_than_pca(CASE, few, DENSE, {}),
        better_than(CASE, few, DENSE, "random"),
    ]
    for found in verdicts:
        assert (found.verdict, found.seeds, found.p) == ("undecided", seeds, None)
        assert ("No seed has" if seeds == 0 else f"Too few seeds: {seeds} of the 5") in found.words


@pytest.mark.parametrize("seeds", [0, 1, 2, 5, 11])
def test_without_five_pairs_of_seeds_spectra_are_not_judged(seeds):
    few = {seed: spectra for seed, spectra in PRUNED.items() if seed < seeds}
    for pruned, regularised in ((few, PRUNED), (PRUNED, few)):
        accuracies = dict.fromkeys(regularised, 0.95)
        found = like_nuclear_norm(CASE, pruned, ACCURATE, {0.1: regularised}, {0.1: accuracies})
        assert (found.verdict, found.p) == ("undecided", None)
    assert "yet" in like_nuclear_norm(CASE, PRUNED, ACCURATE, {}, {}).words


def test_only_seeds_of_both_count():
    pruned = off(3, 3.1, 2.9, 3, 3, -50)
    found = better_than_pca(CASE, pruned, {**DENSE, 9: 0.1}, {})
    assert (found.verdict, found.seeds) == ("supported", 5)


# The correction for their number


def difference(*points: float) -> Verdict:
    return better_than_pca(CASE, off(*points), DENSE, {})


def test_verdicts_of_one_table_are_corrected_for_their_number():
    sure, doubtful = difference(4, 4.2, 3.9, 4, 4.1), difference(1.0, 2.4, 0.6, 2.2, 1.1)
    assert 0.01 < doubtful.p < 0.05
    assert [verdict.verdict for verdict in corrected([sure, doubtful])] == ["supported", "supported"]
    table = corrected([sure, *[doubtful] * 5])
    assert [verdict.verdict for verdict in table] == ["supported", *["undecided"] * 5]
    assert all(verdict.uncorrected == "supported" for verdict in table)
    assert table[1].p_corrected == pytest.approx(5 * doubtful.p)
    assert table[0].more_seeds is None and table[1].more_seeds > 0


def test_verdicts_that_were_not_tested_do_not_count():
    doubtful, untested = difference(1.0, 2.4, 0.6, 2.2, 1.1), difference(1.0)
    table = corrected([untested, doubtful, *[untested] * 8])
    assert table[1].p_corrected == doubtful.p and table[0] == untested


def test_so_many_more_seeds_would_decide():
    """The interval of so many seeds with this mean and scatter leaves the limit out, that of one fewer does not."""
    found = corrected([difference(2, -1, 1.5, -0.5, 0.5)])[0]
    values = np.array([2, -1, 1.5, -0.5, 0.5])
    needed = 5 + found.more_seeds
    for n, decided in ((needed, True), (needed - 1, False)):
        half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5
        assert (values.mean() - half > 0) == decided


def test_no_number_of_seeds_decides_below_the_resolution_of_the_test_set():
    """On average 0.4 pictures of 360 better: no interval over whole pictures is narrower than half of one."""
    pictures = {seed: 0.95 + more / 360 for seed, more in enumerate((0, 0, 1, 0, 1))}
    found = corrected([better_than_pca(CASE, pictures, DENSE, {})])[0]
    assert CASE.test_samples == 360 and found.least == pytest.approx(1 / 720)
    assert found.interval.mean < found.least and found.more_seeds is None


@pytest.mark.parametrize(("points", "was"), [((3, 3), "supported"), ((3,), "undecided"), ((-3, -3.1), "not supported")])
def test_what_a_verdict_was_by_the_former_rules(points, was):
    found = better_than_pca(CASE, off(*points), DENSE, {})
    assert (found.verdict, former_verdict(found)) == ("undecided", was)
    assert former_verdict(low_rank(CASE, ranks(1, 1), ranks(9, 9), ranks(5, 5))) is None
