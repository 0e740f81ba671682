"""Statistics over seeds: means, standard deviations, and differences paired by seed with their 95 % intervals."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval.

    Attributes
    ----------
    low, high
        Bounds; None where there are fewer than two values, which say nothing about their spread.
    n
        Number of values.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean; None of no values."""
    return float(np.mean(values)) if len(values) else None


def standard_deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation (divisor n - 1); None of fewer than two values.

    >>> standard_deviation([1.0, 2.0, 3.0])
    1.0
    """
    if len(values) < 2:
        return None
    return 0.0 if min(values) == max(values) else float(np.std(values, ddof=1))


def t_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Mean and Student's t interval: mean -+ t(n - 1) * standard deviation / sqrt(n).

    Raises
    ------
    ValueError
        If there are no values.

    Examples
    --------
    >>> t_interval([0.5])
    Interval(mean=0.5, low=None, high=None, n=1)
    """
    n = len(values)
    if not n:
        raise ValueError("an interval needs at least one value")
    if n == 1:
        return Interval(float(values[0]), None, None, 1)
    if min(values) == max(values):  # exactly, where a computed mean might be off by a rounding error
        same = float(values[0])
        return Interval(same, same, same, n)
    centre = float(np.mean(values))
    half = float(stdtrit(n - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(n))
    return Interval(centre, centre - half, centre + half, n)


def paired_difference(
    first: Mapping[Key, float], second: Mapping[Key, float], confidence: float = CONFIDENCE
) -> Interval | None:
    """Mean of ``first - second`` over the keys (seeds) that both have, with its interval; None if they share none.

    >>> paired_difference({0: 3.0, 1: 5.0, 2: 9.0}, {0: 2.0, 1: 4.0})
    Interval(mean=1.0, low=1.0, high=1.0, n=2)
    """
    differences = [value - second[key] for key, value in first.items() if key in second]
    return t_interval(differences, confidence) if differences else None
