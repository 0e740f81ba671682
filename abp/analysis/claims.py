"""The paper's four claims, and what the data at hand say about each (Ganguli & Chong 2024).

A verdict is about one data set, criterion and amount. It is *undecided* where the data cannot tell, and says why.
Numbers per seed come as mappings from the seed; only seeds that both sides have are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from abp.analysis.paired_statistics import Interval, mean, paired_difference
from abp.analysis.spectra import SingularValues

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"

CLAIMS: dict[int, str] = {
    1: "Activation-based pruning is effective",
    2: "It makes a low-rank approximation of each hidden layer",
    3: "It beats principal component analysis at equal ranks",
    4: "It acts like a nuclear-norm regulariser",
}

LOSS = 0.01
"""Accuracy that a pruned network may lose and still count as effectively pruned (claim 1): one point."""

MATCH = 0.01
"""Difference in validation accuracy up to which two networks count as equally accurate (claim 4): one point."""

PerSeed = Mapping[int, float]
Ranks = Mapping[int, Sequence[int]]
Spectra = Mapping[int, Sequence[SingularValues]]


@dataclass(frozen=True)
class Case:
    """What a verdict is about."""

    dataset: str
    criterion: str
    amount: float


@dataclass(frozen=True)
class Verdict:
    """What the data say about a claim.

    Attributes
    ----------
    claim
        A key of `CLAIMS`.
    verdict
        ``"supported"``, ``"not supported"`` or ``"undecided"``.
    statistic
        What `interval` measures, in words.
    interval
        Mean and 95 % interval over the seeds; None without data.
    seeds
        How many seeds were compared.
    words
        The reason, in a sentence or two.
    beside
        More intervals for people to see, by what they measure; they decide nothing.
    """

    claim: int
    dataset: str
    criterion: str
    amount: float
    verdict: str
    statistic: str
    interval: Interval | None
    seeds: int
    words: str
    beside: dict[str, Interval | None] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The claim in a few words."""
        return CLAIMS[self.claim]


def effective(case: Case, pruned: PerSeed, dense: PerSeed, magnitude: PerSeed, *, loss: float = LOSS) -> Verdict:
    """Claim 1: test accuracy of pruned networks against dense ones.

    Supported if the whole interval of the paired difference lies above ``-loss``, not supported if below.
    """
    difference = paired_difference(pruned, dense)
    beside = {"accuracy against magnitude": paired_difference(pruned, magnitude)}
    verdict, words = _against(difference, -loss, missing="a dense and a pruned network")
    if difference is not None and difference.low is not None:
        limit = f"the limit is a loss of {_points(loss)}"
        words = f"Test accuracy against dense: {_in_points(difference)}; {limit}: {_DECIDED[verdict]}."
    return _verdict(1, case, verdict, "accuracy against dense", difference, words, beside)


def low_rank(case: Case, pruned: Ranks, dense: Ranks, magnitude: Ranks) -> Verdict:
    """Claim 2: every hidden layer's rank below the dense network's, and their sum below that of magnitude pruning.

    Supported if that holds for every seed, not supported if for none.
    """
    seeds = [seed for seed in pruned if seed in dense and seed in magnitude]
    pruned_sums, dense_sums, magnitude_sums = (
        {seed: float(sum(ranks[seed])) for seed in seeds} for ranks in (pruned, dense, magnitude)
    )
    difference = paired_difference(pruned_sums, magnitude_sums)
    beside = {"sum of ranks against dense": paired_difference(pruned_sums, dense_sums)}
    lower = [
        all(rank < full for rank, full in zip(pruned[seed], dense[seed], strict=True))
        and pruned_sums[seed] < magnitude_sums[seed]
        for seed in seeds
    ]
    if len(seeds) < 2:
        verdict, words = UNDECIDED, _too_few(len(seeds), "a dense, a magnitude-pruned and a pruned network")
    else:
        verdict = SUPPORTED if all(lower) else UNDECIDED if any(lower) else NOT_SUPPORTED
        words = (
            f"In {sum(lower)} of {len(seeds)} seeds every hidden layer has a lower rank than the dense network's, and "
            f"all together a lower one than after pruning by magnitude. Mean ranks: {_mean_ranks(pruned, seeds)}; "
            f"dense {_mean_ranks(dense, seeds)}; by magnitude {_mean_ranks(magnitude, seeds)}."
        )
    return _verdict(2, case, verdict, "sum of ranks against magnitude", difference, words, beside)


def better_than_pca(case: Case, pruned: PerSeed, pca: PerSeed, svd: PerSeed) -> Verdict:
    """Claim 3: test accuracy against that of the dense network reduced to the same ranks by PCA.

    Supported if the whole interval of the paired difference lies above 0, not supported if below.
    """
    difference = paired_difference(pruned, pca)
    beside = {"accuracy against SVD": paired_difference(pruned, svd)}
    verdict, words = _against(difference, 0.0, missing="a pruned network and PCA of its dense twin")
    if difference is not None and difference.low is not None:
        words = f"Test accuracy against PCA at the same ranks: {_in_points(difference)}; {_DECIDED[verdict]}."
    return _verdict(3, case, verdict, "accuracy against PCA", difference, words, beside)


def like_nuclear_norm(
    case: Case,
    spectra: Spectra,
    accuracies: PerSeed,
    regularised: Mapping[float, Spectra],
    regularised_accuracies: Mapping[float, PerSeed],
    *,
    match: float = MATCH,
) -> Verdict:
    """Claim 4: spectra after the last pruning against those of training with a nuclear-norm regulariser.

    The distance of their shapes (`spectral_distance`) is compared with the distance between two seeds of the same
    pruning, seed by seed. Of the regulariser's strengths, that one counts which comes nearest among those of the same
    mean validation accuracy (within `match`) as the pruned networks.

    Parameters
    ----------
    spectra
        By seed, singular values of every hidden layer after the last pruning.
    accuracies
        By seed, the pruned networks' validation accuracy.
    regularised, regularised_accuracies
        The same of regularised training, by strength and seed.
    """
    statistic = "distance to regularised training against the distance between seeds"
    between = _between_seeds(spectra)
    found = {strength: _distances(spectra, others) for strength, others in regularised.items()}
    enough = {strength: distances for strength, distances in found.items() if len(distances) >= 2}
    matched = {
        strength: distances
        for strength, distances in enough.items()
        if _matches(accuracies, regularised_accuracies.get(strength, {}), match)
    }
    if len(spectra) < 2 or not matched:
        seeds = max(map(len, found.values()), default=0)
        words = _too_few(seeds, "a pruned network and one trained with a nuclear-norm regulariser")
        if len(spectra) >= 2 and enough:
            words = f"No strength of the regulariser came within {_points(match)} of the pruned networks' accuracy."
        return _verdict(4, case, UNDECIDED, statistic, None, words, {}, seeds)
    best = min(matched, key=lambda strength: np.mean(list(matched[strength].values())))
    difference = paired_difference(matched[best], between)
    assert difference is not None  # every seed has a distance to another one
    opposite, _ = _against(difference, 0.0, missing="")
    verdict = {SUPPORTED: NOT_SUPPORTED, NOT_SUPPORTED: SUPPORTED}.get(opposite, UNDECIDED)
    words = (
        f"With strength {best:g} the spectra lie {mean(list(matched[best].values())):.3f} apart, those of two seeds of "
        f"the same pruning {mean([between[seed] for seed in matched[best]]):.3f}: {_DECIDED[verdict]}."
    )
    return _verdict(4, case, verdict, statistic, difference, words, {})


def spectral_distance(first: Sequence[SingularValues], second: Sequence[SingularValues]) -> float:
    """How differently the singular values of two networks decay, 0 (alike) to 1, whatever their size.

    Each layer's singular values are divided by their sum; the distance is half the sum of absolute differences
    (total variation), the mean over the layers. A layer of zeros is at distance 1 from any other.

    >>> spectral_distance([np.array([4.0, 0.0])], [np.array([1.0, 1.0])])
    0.5
    """
    return float(np.mean([_layer_distance(a, b) for a, b in zip(first, second, strict=True)]))


def _layer_distance(first: SingularValues, second: SingularValues) -> float:
    totals = first.sum(), second.sum()
    if not all(totals):
        return float(any(totals))
    return float(np.abs(first / totals[0] - second / totals[1]).sum() / 2)


def _distances(first: Spectra, second: Spectra) -> dict[int, float]:
    return {seed: spectral_distance(spectra, second[seed]) for seed, spectra in first.items() if seed in second}


def _between_seeds(spectra: Spectra) -> dict[int, float]:
    """Mean distance of each seed's spectra to those of all others."""
    return {
        seed: float(np.mean([spectral_distance(own, other) for key, other in spectra.items() if key != seed]))
        for seed, own in spectra.items()
        if len(spectra) > 1
    }


def _matches(first: PerSeed, second: PerSeed, match: float) -> bool:
    difference = paired_difference(first, second)
    return difference is not None and abs(difference.mean) <= match


def _against(difference: Interval | None, limit: float, *, missing: str) -> tuple[str, str]:
    """The verdict on a difference that should lie above a limit, and what is missing for one."""
    if difference is None or difference.low is None or difference.high is None:
        return UNDECIDED, _too_few(difference.n if difference else 0, missing)
    if difference.low > limit:
        return SUPPORTED, ""
    return (NOT_SUPPORTED if difference.high < limit else UNDECIDED), ""


_DECIDED = {
    SUPPORTED: "the data support the claim",
    NOT_SUPPORTED: "the data speak against the claim",
    UNDECIDED: "the seeds scatter too much to decide",
}


def _too_few(seeds: int, what: str) -> str:
    if not seeds:
        return f"No seed has {what} yet."
    return f"Only {seeds} seed has {what}; it takes two or more to know how far seeds scatter."


def _mean_ranks(ranks: Ranks, seeds: Sequence[int]) -> str:
    return ", ".join(f"{value:.3g}" for value in np.mean([ranks[seed] for seed in seeds], axis=0))


def _points(accuracy: float) -> str:
    points = 100 * accuracy
    return f"{points:g} point{'' if points == 1 else 's'}"


def _in_points(interval: Interval) -> str:
    assert interval.low is not None and interval.high is not None
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.mean:+.2f} points (95 % interval {low:+.2f} to {high:+.2f}, {interval.n} seeds)"


def _verdict(
    claim: int,
    case: Case,
    verdict: str,
    statistic: str,
    interval: Interval | None,
    words: str,
    beside: dict[str, Interval | None],
    seeds: int | None = None,
) -> Verdict:
    n = seeds if seeds is not None else interval.n if interval else 0
    return Verdict(claim, case.dataset, case.criterion, case.amount, verdict, statistic, interval, n, words, beside)
