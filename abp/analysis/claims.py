"""The paper's four claims and one of their controls, and what the data at hand say of each (Ganguli & Chong 2024).

A verdict is about one data set, criterion and amount. It is *undecided* where the data cannot tell, and says why.
Numbers per seed come as mappings from the seed; only seeds that both sides have are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from abp.analysis.paired_statistics import (
    MOST_SEEDS,
    Interval,
    holm,
    p_value,
    paired_difference,
    seeds_to_decide,
    signed,
    t_interval,
)
from abp.analysis.spectra import SingularValues
from abp.analysis.spectral_distance import spectral_distance

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"

CLAIMS: dict[int, str] = {
    1: "Activation-based pruning is effective",
    2: "It makes a low-rank approximation of each hidden layer",
    3: "It beats principal component analysis at equal ranks",
    4: "It acts like a nuclear-norm regulariser",
    5: "It chooses better than other ways to choose",
}
"""The paper's four claims; the fifth is a control of the third that the paper does not have."""

LOSS = 0.01
"""Accuracy that a pruned network may lose and still count as effectively pruned (claim 1): one point."""

MATCH = 0.01
"""Difference in validation accuracy up to which two networks count as equally accurate (claim 4): one point."""

MARGIN = 1.5
"""Ratio of typical distances below which regularised spectra count as like pruned ones (claim 4)."""

EQUALLY_TRAINED = "accuracy against PCA, equally trained"
"""What is shown beside claim 3 where PCA's networks were trained on for as many epochs as the pruned ones."""

FEWEST = 5
"""Values (seeds, or pairs of seeds) that a verdict takes at least."""

CHOOSING = (0, 1)
"""Seeds by which claim 4 chooses the regulariser's strength; they are not judged."""

ERROR = 0.05
"""Share of tables without any true difference in which one or more verdicts may be wrong."""

PerSeed = Mapping[int, float]
Ranks = Mapping[int, Sequence[int]]
Spectra = Mapping[int, Sequence[SingularValues]]


@dataclass(frozen=True)
class Case:
    """What a verdict is about.

    Attributes
    ----------
    test_samples
        Pictures in the data set's test set; None where that is not known.
    """

    dataset: str
    criterion: str
    amount: float
    test_samples: int | None = None

    @property
    def resolution(self) -> float:
        """Half the step from one possible test accuracy to the next."""
        return 1 / (2 * self.test_samples) if self.test_samples else 0.0


@dataclass(frozen=True)
class Verdict:
    """What the data say of a claim.

    Attributes
    ----------
    claim
        A key of `CLAIMS`.
    verdict
        ``"supported"``, ``"not supported"`` or ``"undecided"``; after `corrected`, with regard to all of a table.
    statistic
        What `interval` is about, in words.
    interval
        Mean and 95 % interval over the seeds; None without data.
    seeds
        How many seeds were compared.
    words
        The reason, in a sentence or two.
    limit
        What the interval has to leave out on one side.
    least
        Half the width that the interval has at least.
    against
        Of claim 5, the other criterion.
    beside
        More intervals for people to see, by what they are about; they decide nothing.
    uncorrected
        The verdict that this one would be if it stood alone.
    p, p_corrected
        Of the test against the limit, alone and with Holm's correction; None where nothing was tested.
    more_seeds
        Seeds that would have to be added to decide, at the difference and scatter seen; None where it is decided, too
        few seeds tell how they scatter, or more than a thousand would not do.
    test_error
        Standard error of the test accuracy as a measure of what the network would do on other pictures of the kind.
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
    limit: float = 0.0
    least: float = 0.0
    against: str | None = None
    beside: dict[str, Interval | None] = field(default_factory=dict)
    uncorrected: str = UNDECIDED
    p: float | None = None
    p_corrected: float | None = None
    more_seeds: int | None = None
    test_error: float | None = None

    @property
    def title(self) -> str:
        """The claim in a few words."""
        return CLAIMS[self.claim]


def effective(case: Case, pruned: PerSeed, dense: PerSeed, magnitude: PerSeed, *, loss: float = LOSS) -> Verdict:
    """Claim 1: test accuracy of pruned networks against dense ones.

    Supported if the whole interval of the paired difference lies above ``-loss``, not supported if below.
    """
    difference = paired_difference(pruned, dense, least=case.resolution)
    beside = {"accuracy against magnitude": paired_difference(pruned, magnitude, least=case.resolution)}
    about = f"Test accuracy against dense: {{}}; the limit is a loss of {_points(loss)}"
    missing = "a dense and a pruned network"
    found = _judged(1, case, "accuracy against dense", difference, about, missing, limit=-loss, least=case.resolution)
    return replace(found, beside=beside, test_error=_test_error(case, pruned))


def low_rank(case: Case, pruned: Ranks, dense: Ranks, magnitude: Ranks) -> Verdict:
    """Claim 2: the sum of the hidden layers' ranks below that of magnitude pruning, and every rank below the dense one.

    Tested is the paired difference of the sums, which are whole numbers, so its interval is no narrower than one. It is
    supported only if, beside, in every seed every layer has a lower rank than the dense network's.
    """
    seeds = [seed for seed in pruned if seed in dense and seed in magnitude]
    pruned_sums, dense_sums, magnitude_sums = (
        {seed: float(sum(ranks[seed])) for seed in seeds} for ranks in (pruned, dense, magnitude)
    )
    difference = paired_difference(pruned_sums, magnitude_sums, least=0.5)
    lower = [all(rank < full for rank, full in zip(pruned[seed], dense[seed], strict=True)) for seed in seeds]
    about = (
        f"In {sum(lower)} of {len(seeds)} seeds every hidden layer has a lower rank than the dense network's. The sum "
        "of ranks against magnitude: {}"
    )
    missing = "a dense, a magnitude-pruned and a pruned network"
    found = _judged(2, case, "sum of ranks against magnitude", difference, about, missing, least=0.5, wanted=-1)
    if found.uncorrected == SUPPORTED and not all(lower):
        found = replace(found, verdict=UNDECIDED, uncorrected=UNDECIDED)
    if seeds:
        means = "; ".join(
            f"{name}{_mean_ranks(ranks, seeds)}"
            for name, ranks in (("mean ranks ", pruned), ("dense ", dense), ("by magnitude ", magnitude))
        )
        found = replace(found, words=f"{found.words} {means[:1].upper()}{means[1:]}.")
    return replace(found, beside={"sum of ranks against dense": paired_difference(pruned_sums, dense_sums, least=0.5)})


def better_than_pca(
    case: Case, pruned: PerSeed, pca: PerSeed, svd: PerSeed, pca_tuned: PerSeed | None = None
) -> Verdict:
    """Claim 3: test accuracy against that of the dense network reduced to the same ranks by PCA.

    Supported if the whole interval of the paired difference lies above 0, not supported if below.

    Parameters
    ----------
    pca_tuned
        PCA's networks after equal training (`abp.studies.equal_training`): told beside the verdict, which is about the
        paper's comparison.
    """
    difference = paired_difference(pruned, pca, least=case.resolution)
    missing = "a pruned network and PCA of its dense twin"
    about = "Test accuracy against PCA at the same ranks: {}"
    found = _judged(3, case, "accuracy against PCA", difference, about, missing, least=case.resolution)
    beside = {"accuracy against SVD": paired_difference(pruned, svd, least=case.resolution)}
    equal = paired_difference(pruned, pca_tuned or {}, least=case.resolution)
    words = found.words
    if equal is not None and equal.low is not None:
        beside |= {EQUALLY_TRAINED: equal}
        words += f" With PCA's network trained on equally: {_in_words(EQUALLY_TRAINED, equal)}."
    return replace(found, words=words, beside=beside, test_error=_test_error(case, pruned))


def better_than(case: Case, pruned: PerSeed, other: PerSeed, name: str) -> Verdict:
    """Claim 5: test accuracy against that of another criterion for the same kind of removal, at equal sparsity.

    Supported if the whole interval of the paired difference lies above 0, not supported if below.

    Parameters
    ----------
    name
        The other criterion.
    """
    difference = paired_difference(pruned, other, least=case.resolution)
    about = f"Test accuracy against {name}, as much removed: {{}}"
    found = _judged(5, case, f"accuracy against {name}", difference, about, "both", least=case.resolution)
    return replace(found, against=name, test_error=_test_error(case, pruned))


def like_nuclear_norm(
    case: Case,
    spectra: Spectra,
    accuracies: PerSeed,
    regularised: Mapping[float, Spectra],
    regularised_accuracies: Mapping[float, PerSeed],
    *,
    match: float = MATCH,
    margin: float = MARGIN,
) -> Verdict:
    """Claim 4: spectra after the last pruning against those of training with a nuclear-norm regulariser.

    The distance of a pruned network to the regularised one of its seed (`spectral_distance`) is compared with the
    distance between two seeds of the same pruning. Of the regulariser's strengths, that one is judged whose mean
    validation accuracy over the seeds of `CHOOSING` is nearest to the pruned networks', within `match`. It is judged on
    all other seeds, two by two, no seed in two pairs: of each pair, the mean distance of its two networks to their
    regularised ones, against `margin` times the distance between them. Supported if the whole interval of the
    difference lies below 0, not supported if above. Both are taken to the power 2/3, since squared distances scatter
    like chi-square, whose cube root is nearly normal (Wilson & Hilferty 1931). So the margin is one of typical
    distances: the mean of the powers, taken back to the power 3/2.

    Parameters
    ----------
    spectra
        By seed, singular values of every hidden layer after the last pruning.
    accuracies
        By seed, the pruned networks' validation accuracy.
    regularised, regularised_accuracies
        The same of regularised training, by strength and seed.
    """
    strength = _nearest_strength(accuracies, regularised_accuracies, match)
    others = regularised.get(strength, {}) if strength is not None else {}
    seeds = sorted(seed for seed in spectra if seed in others and seed not in CHOOSING)
    pairs = [_distances(spectra, others, *pair) for pair in zip(seeds[::2], seeds[1::2], strict=False)]
    excess = [_even(to_others) - _even(margin * between) for to_others, between in pairs]
    about = ""
    if pairs:
        to_others, between = (_typical(distances) for distances in zip(*pairs, strict=True))
        about = (
            f"With strength {strength:g}, chosen on seeds 0 and 1, the spectra typically lie {to_others:.3f} from the "
            f"regularised ones and {between:.3f} from those of another seed, {to_others / max(between, 1e-12):.2f} "
            f"times as far; the margin is {margin:g} times"
        )
    found = _judged(
        4, case, "distance to regularised training beyond the margin", t_interval(excess) if excess else None, about,
        "a pruned network and one trained with a nuclear-norm regulariser", wanted=-1, unit="pair of seeds",
    )  # fmt: skip
    words = found.words
    if strength is None and spectra and regularised:
        trained = [set(CHOOSING) <= each.keys() for each in (accuracies, *regularised_accuracies.values())]
        words = (
            f"On seeds 0 and 1 no strength of the regulariser came within {_points(match)} of the pruned networks' "
            "validation accuracy."
            if trained[0] and any(trained[1:])
            else "Seeds 0 and 1 choose the regulariser's strength, and the study does not have both of them yet."
        )
    return replace(found, words=words, seeds=2 * len(pairs))


def corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of one table with Holm's correction for their number, and how many more seeds would decide.

    Those that were not tested, such as for too few seeds, do not count.
    """
    tested = [index for index, verdict in enumerate(verdicts) if verdict.p is not None]
    p_values = holm([verdicts[index].p or 0.0 for index in tested])
    found = list(verdicts)
    for index, p in zip(tested, p_values, strict=True):
        verdict = verdicts[index]
        decided = verdict.uncorrected if p < ERROR else UNDECIDED
        smaller = sum((verdicts[other].p or 0.0) < (verdict.p or 0.0) for other in tested)
        found[index] = replace(
            verdict,
            verdict=decided,
            p_corrected=p,
            more_seeds=_more_seeds(verdict, len(tested) - smaller) if p >= ERROR else None,
        )
    return found


def former_verdict(verdict: Verdict) -> str | None:
    """What claims 1 and 3 came out as before verdicts took five seeds and a correction for their number.

    None for the other claims, whose test is another one since.
    """
    interval = verdict.interval
    if verdict.claim not in (1, 3):
        return None
    if interval is None or interval.low is None or interval.high is None:
        return UNDECIDED
    return SUPPORTED if interval.low > verdict.limit else NOT_SUPPORTED if interval.high < verdict.limit else UNDECIDED


def _more_seeds(verdict: Verdict, tests: int) -> int | None:
    assert verdict.interval is not None
    wanted = seeds_to_decide(verdict.interval, verdict.limit, tests, least=verdict.least)
    if wanted is None or wanted > MOST_SEEDS:
        return None
    per_value = 2 if verdict.claim == 4 else 1
    return max(1, wanted - verdict.interval.n) * per_value


def _nearest_strength(accuracies: PerSeed, others: Mapping[float, PerSeed], match: float) -> float | None:
    """The strength whose validation accuracy on the seeds of `CHOOSING` is nearest, if it is within `match`."""
    if any(seed not in accuracies for seed in CHOOSING):
        return None
    own = np.mean([accuracies[seed] for seed in CHOOSING])
    away = {
        strength: abs(float(np.mean([found[seed] for seed in CHOOSING]) - own))
        for strength, found in others.items()
        if all(seed in found for seed in CHOOSING)
    }
    nearest = min(away, key=away.__getitem__, default=None)
    return nearest if nearest is not None and away[nearest] <= match else None


def _distances(spectra: Spectra, others: Spectra, first: int, second: int) -> tuple[float, float]:
    """Of one pair of seeds: mean distance to the regularised networks, and the distance between the two."""
    to_others = [spectral_distance(spectra[seed], others[seed]) for seed in (first, second)]
    return sum(to_others) / 2, spectral_distance(spectra[first], spectra[second])


def _even(distance: float) -> float:
    """A distance so that it scatters evenly: see `like_nuclear_norm`."""
    return float(distance ** (2 / 3))


def _typical(distances: Sequence[float]) -> float:
    return float(np.mean([_even(distance) for distance in distances]) ** 1.5)


_MANY = {"seed": "seeds", "pair of seeds": "pairs of seeds"}


def _judged(
    claim: int,
    case: Case,
    statistic: str,
    interval: Interval | None,
    about: str,
    missing: str,
    *,
    limit: float = 0.0,
    least: float = 0.0,
    wanted: int = 1,
    unit: str = "seed",
) -> Verdict:
    """The verdict on a mean that should lie above a limit (`wanted` = 1) or below (-1).

    Parameters
    ----------
    about
        Sentence that the verdict follows from; ``{}`` stands for the interval in words.
    missing
        What a seed needs to count.
    """
    n = interval.n if interval else 0
    verdict, p = UNDECIDED, None
    if interval is None or n < FEWEST:
        words = (
            f"Too few {_MANY[unit]}: {n} of the {FEWEST} that a verdict takes."
            if n
            else f"No {unit} has {missing} yet."
        )
    else:
        p = p_value(interval, limit)
        assert p is not None
        if p < ERROR:
            verdict = SUPPORTED if (interval.mean - limit) * wanted > 0 else NOT_SUPPORTED
        words = f"{about.format(_in_words(statistic, interval))}."
    return Verdict(
        claim, case.dataset, case.criterion, case.amount, verdict, statistic, interval, n, words,
        limit=limit, least=least, uncorrected=verdict, p=p,
    )  # fmt: skip


def _test_error(case: Case, accuracies: PerSeed) -> float | None:
    """Binomial standard error of the mean accuracy as that of a single network."""
    if not accuracies or not case.test_samples:
        return None
    share = float(np.mean(list(accuracies.values())))
    return float(np.sqrt(share * (1 - share) / case.test_samples))


def _mean_ranks(ranks: Ranks, seeds: Sequence[int]) -> str:
    return ", ".join(f"{value:.3g}" for value in np.mean([ranks[seed] for seed in seeds], axis=0))


def _points(accuracy: float) -> str:
    points = 100 * accuracy
    return f"{points:g} point{'' if points == 1 else 's'}"


def _in_words(statistic: str, interval: Interval) -> str:
    """A mean with its interval: accuracies in points, others as they are."""
    assert interval.low is not None and interval.high is not None
    accuracy = statistic.startswith("accuracy")
    mean, low, high = ((100 if accuracy else 1) * value for value in (interval.mean, interval.low, interval.high))
    unit = " points" if accuracy else ""
    return f"{signed(mean)}{unit} (95\u00a0% interval {signed(low)} to {signed(high)}, {interval.n} seeds)"
