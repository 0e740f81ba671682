"""How often verdicts go wrong: simulated studies in which each claim is exactly at its limit.

Where a claim is at its limit neither verdict is right, and each of the two should come out in at most 2.5 % of studies,
before the correction for the number of verdicts. Scatter over seeds is normal, with the standard deviations of the runs
under ``docs/results``; resampled from these runs; and resampled from what a study may really show, one seed in five
that loses five points. For the last two no bound is promised. All lines draw the same random numbers.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy import stats

from abp.analysis.claims import (
    FEWEST,
    LOSS,
    MARGIN,
    Case,
    better_than,
    better_than_pca,
    effective,
    like_nuclear_norm,
    low_rank,
)
from benchmarks.table import show

STUDIES = 4000
SEEDS = (5, 10, 20)
CASE = Case("mnist", "activation-neuron", 0.85, test_samples=10_000)
RESULTS = Path(__file__).parents[1] / "docs" / "results"
FEW_POINTS = np.array([-0.05, 0.002, 0.0, 0.001, -0.001])
"""Differences from dense of five seeds, one of which lost five points, as one on MNIST did at 85 %."""

Simulation = Callable[[Generator, int], str]


def wrong_verdicts() -> None:
    """Print how often each verdict comes out in simulated studies, beside the bound for normal scatter."""
    stored = stored_differences()
    title = f"claims at their limit, verdict alone, % of {STUDIES} studies"
    print(f"\n{title:66s} {'supported':>10s} {'not':>8s}")
    bound = 100 * (0.025 + 2 * (0.025 * 0.975 / STUDIES) ** 0.5)
    for name, simulate in normal(paired_deviations(stored)).items():
        for seeds in SEEDS:
            _line(f"{name}, n = {seeds}", simulate, seeds)
    print(f"  bound for each of these figures: {bound:.2f} %")
    for name, simulate in resampled(stored).items():
        for seeds in SEEDS:
            _line(f"{name}, n = {seeds}", simulate, seeds)


def _line(name: str, simulate: Simulation, seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    with np.errstate(invalid="ignore"):  # an accuracy that is beyond 1 here has no test error, which decides nothing
        verdicts = [simulate(rng, seeds) for _ in range(STUDIES)]
    shares = [f"{100 * verdicts.count(verdict) / STUDIES:.2f}" for verdict in ("supported", "not supported")]
    show(name, *shares)


def stored_differences() -> list[np.ndarray]:
    """Differences from the dense network of the same seed, of every method and amount that has five runs or more."""
    found = []
    for path in sorted(RESULTS.glob("*-runs.csv")):
        runs = pd.read_csv(path)
        runs = runs[runs["counts"]].set_index("seed")
        dense = runs[(runs["criterion"] == "none") & (runs["nuclear"] == 0)]["test_accuracy"]
        for _, part in runs[runs["criterion"] != "none"].groupby(["criterion", "amount", "nuclear"]):
            differences = (part["test_accuracy"] - dense).dropna().to_numpy()
            if len(differences) >= FEWEST:
                found.append(differences)
    return found


def paired_deviations(stored: list[np.ndarray]) -> dict[str, float]:
    """The median and the largest standard deviation over seeds."""
    deviations = [float(differences.std(ddof=1)) for differences in stored]
    return {"median": float(np.median(deviations)), "largest": max(deviations)}


# Normal scatter


def normal(deviations: dict[str, float]) -> dict[str, Simulation]:
    """A simulation for each claim and stored deviation."""
    found: dict[str, Simulation] = {}
    for name, deviation in deviations.items():
        words = f"{name} scatter ({100 * deviation:.2f} points)"
        found[f"1, effective, {words}"] = lambda rng, n, sd=deviation: _effective(rng.normal(-LOSS, sd, n))
        found[f"3, better than PCA, {words}"] = lambda rng, n, sd=deviation: _better_than_pca(rng.normal(0, sd, n))
        found[f"5, better than another, {words}"] = lambda rng, n, sd=deviation: _better_than(rng.normal(0, sd, n))
    found["2, low rank, scatter of 12 ranks"] = lambda rng, n: _low_rank(np.rint(rng.normal(0, 12, n)))
    found["4, like a nuclear norm, n pairs of seeds"] = _like_nuclear_norm
    return found


def _accuracies(differences: np.ndarray) -> tuple[dict[int, float], dict[int, float]]:
    """Accuracies of whole pictures of a pruned network and of what it is compared with."""
    counts = np.rint((0.9 + differences) * CASE.test_samples) / CASE.test_samples
    return dict(enumerate(counts.tolist())), dict.fromkeys(range(len(differences)), 0.9)


def _effective(differences: np.ndarray) -> str:
    return effective(CASE, *_accuracies(differences), {}).uncorrected


def _better_than_pca(differences: np.ndarray) -> str:
    return better_than_pca(CASE, *_accuracies(differences), {}).uncorrected


def _better_than(differences: np.ndarray) -> str:
    return better_than(CASE, *_accuracies(differences), "random-neuron").uncorrected


def _low_rank(differences: np.ndarray) -> str:
    pruned = {seed: [300 + int(difference)] for seed, difference in enumerate(differences)}
    dense, magnitude = ({seed: [rank] for seed in pruned} for rank in (1000, 300))
    return low_rank(CASE, pruned, dense, magnitude).uncorrected


def _spectra(rates: np.ndarray) -> dict[int, list[np.ndarray]]:
    index = np.arange(20)
    return {seed: [np.exp(-rate * index)] for seed, rate in enumerate(rates)}


_RATE, _SCATTER = 0.3, 0.02


def _like_nuclear_norm(rng: Generator, pairs: int) -> str:
    """Two populations of spectra as far apart as the margin allows, so many pairs of seeds judged.

    Seeds 0 and 1 choose among three strengths alike by validation accuracies that go with the spectra.
    """
    n = 2 + 2 * pairs
    rates = {strength: rng.normal(_RATE + _at_margin(), _SCATTER, n) for strength in (0.01, 0.1, 1.0)}
    own = rng.normal(_RATE, _SCATTER, n)
    regularised = {strength: _spectra(found) for strength, found in rates.items()}
    accuracies = {strength: _validated(found - _at_margin()) for strength, found in rates.items()}
    return like_nuclear_norm(CASE, _spectra(own), _validated(own), regularised, accuracies).uncorrected


def _validated(rates: np.ndarray) -> dict[int, float]:
    return dict(enumerate(0.9 + 0.1 * (rates - _RATE)))


_found_shift: list[float] = []


def _at_margin() -> float:
    """How far apart two populations are that differ by the margin exactly, by bisection over 200,000 pairs."""
    if not _found_shift:
        rng = np.random.default_rng(0)
        own, other = (rng.normal(_RATE, _SCATTER, (2, 200_000)) for _ in range(2))
        low, high = 0.0, 0.3
        for _ in range(20):
            middle = (low + high) / 2
            distances = _mean_distance(own, other + middle), MARGIN * _distance(own[0], own[1])
            below = np.mean(distances[0] ** (2 / 3)) < np.mean(distances[1] ** (2 / 3))
            low, high = (middle, high) if below else (low, middle)
        _found_shift.append((low + high) / 2)
    return _found_shift[0]


def _mean_distance(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (_distance(own[0], other[0]) + _distance(own[1], other[1])) / 2


def _distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`abp.analysis.spectral_distance` of many exponential spectra at once, by their rates."""
    shapes = []
    for rates in (first, second):
        values = np.exp(-rates[:, None] * np.arange(20))
        shapes.append(values / values.sum(axis=1, keepdims=True))
    return np.abs(shapes[0] - shapes[1]).sum(axis=1) / 2


# Resampled scatter


def resampled(stored: list[np.ndarray]) -> dict[str, Simulation]:
    """Seeds drawn from stored runs, and from five of which one lost five points."""
    return {
        **_tests("stored runs", [differences - differences.mean() for differences in stored]),
        **_tests("one of five loses 5 points", [FEW_POINTS - FEW_POINTS.mean()]),
    }


def _tests(name: str, centred: list[np.ndarray]) -> dict[str, Simulation]:
    """Claim 5 by Student's t and by more robust tests; every study draws its seeds from one of the sets."""

    def draw(rng: Generator, n: int) -> np.ndarray:
        return rng.choice(centred[rng.integers(len(centred))], n) + rng.normal(0, 0.001, n)

    return {
        f"{name}, Student's t": lambda rng, n: _better_than(draw(rng, n)),
        f"{name}, signed ranks (Wilcoxon 1945)": lambda rng, n: _by_p(draw(rng, n), _signed_ranks),
        f"{name}, trimmed means (Yuen 1974)": lambda rng, n: _by_p(draw(rng, n), _trimmed),
        f"{name}, flipped signs (Fisher 1935)": lambda rng, n: _by_p(draw(rng, n), _flipped_signs),
    }


def _by_p(differences: np.ndarray, test: Callable[[np.ndarray], float]) -> str:
    if test(differences) >= 0.05:
        return "undecided"
    return "supported" if np.median(differences) > 0 else "not supported"


def _signed_ranks(differences: np.ndarray) -> float:
    return float(stats.wilcoxon(differences).pvalue)


def _trimmed(differences: np.ndarray) -> float:
    """Student's t test of the mean without the lowest and highest fifth, with the winsorised deviation."""
    n = len(differences)
    cut = n // 5
    ordered = np.sort(differences)
    middle = ordered[cut : n - cut]
    winsorised = np.clip(ordered, middle[0], middle[-1])
    error = winsorised.std(ddof=1) * np.sqrt(n - 1) / np.sqrt(len(middle) * (len(middle) - 1))
    return float(2 * stats.t.sf(abs(middle.mean()) / error, len(middle) - 1))


_SIGNS = np.random.default_rng(1).choice([-1, 1], (999, max(SEEDS)))


def _flipped_signs(differences: np.ndarray) -> float:
    means = np.abs(_SIGNS[:, : len(differences)] @ differences)
    return float((1 + (means >= abs(differences.sum()) - 1e-12).sum()) / (1 + len(means)))
