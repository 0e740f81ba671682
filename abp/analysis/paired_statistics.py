"""Statistics over seeds: means, standard deviations, differences paired by seed with their intervals, and tests.

Where values can only be told apart to some resolution, five equal differences do not mean that there is no scatter: so
an interval takes a smallest half-width (`least`), and the test that belongs to it the same.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import stdtr, stdtrit

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


def signed(difference: float) -> str:
    """A difference for people, with its sign and two digits.

    >>> signed(-0.169), signed(0.91)
    ('−0.17', '+0.91')
    """
    return f"{difference:+.2f}".replace("-", "−")


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


def t_interval(values: Sequence[float], confidence: float = CONFIDENCE, *, least: float = 0.0) -> Interval:
    """Mean and Student's t interval (Student 1908): mean -+ t(n - 1) * standard deviation / sqrt(n).

    Parameters
    ----------
    least
        Half the width that the interval has at least, as the values' resolution demands.

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
    quantile = float(stdtrit(n - 1, (1 + confidence) / 2))
    same = min(values) == max(values)  # exactly, where a computed mean might be off by a rounding error
    centre = float(values[0]) if same else float(np.mean(values))
    error = 0.0 if same else float(np.std(values, ddof=1) / np.sqrt(n))
    half = max(quantile * error, least)
    return Interval(centre, centre - half, centre + half, n)


def paired_difference(
    first: Mapping[Key, float],
    second: Mapping[Key, float],
    confidence: float = CONFIDENCE,
    *,
    least: float = 0.0,
) -> Interval | None:
    """Mean of ``first - second`` over the keys (seeds) that both have, with its interval; None if they share none.

    >>> paired_difference({0: 3.0, 1: 5.0, 2: 9.0}, {0: 2.0, 1: 4.0})
    Interval(mean=1.0, low=1.0, high=1.0, n=2)
    """
    differences = [value - second[key] for key, value in first.items() if key in second]
    return t_interval(differences, confidence, least=least) if differences else None


def p_value(interval: Interval, limit: float) -> float | None:
    """Two-sided p of Student's t test that the true mean is `limit`; None of fewer than two values.

    It is below 0.05 exactly if the 95 % interval leaves the limit out.

    >>> round(p_value(t_interval([1.0, 2.0, 3.0, 4.0, 5.0]), 0.0), 4)
    0.0132
    """
    error, distance = _error(interval), abs(interval.mean - limit)
    if error is None:
        return None
    return float(2 * stdtr(interval.n - 1, -distance / error)) if error else float(distance == 0)


def _error(interval: Interval) -> float | None:
    """Standard error that a 95 % interval was made with."""
    if interval.low is None or interval.high is None:
        return None
    return float((interval.high - interval.low) / 2 / stdtrit(interval.n - 1, (1 + CONFIDENCE) / 2))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number (Holm 1979), each in its place.

    The smallest is multiplied by how many there are, the next by one less, and so on; none comes out below a smaller
    one. Where all that stay below 0.05 are believed, one or more of them is wrong in at most 5 % of such tables.

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


MOST_SEEDS = 1000


def seeds_to_decide(interval: Interval, limit: float, tests: float = 1.0, *, least: float = 0.0) -> int | None:
    """How many values in all would put `limit` outside the interval, at the mean and scatter seen.

    None if more than `MOST_SEEDS` would be needed, or if there are fewer than two values. The smallest n for which
    Student's t test of that mean and deviation comes out below 0.05 (as for a sample size, Cohen 1988, but without a
    wanted power).

    Parameters
    ----------
    tests
        What p is multiplied by for the number of tests in a table.
    least
        As in `t_interval`: scatter that is smaller than the values' resolution is not believed with more values either.
    """
    error, distance = _error(interval), abs(interval.mean - limit)
    if error is None:
        return None
    deviation = error * np.sqrt(interval.n)
    for n in range(2, MOST_SEEDS + 1):
        smallest = least / stdtrit(n - 1, (1 + CONFIDENCE) / 2)
        if stdtrit(n - 1, 1 - (1 - CONFIDENCE) / 2 / tests) * max(deviation / np.sqrt(n), smallest) < distance:
            return n
    return None
