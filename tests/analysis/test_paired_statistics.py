from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abp.analysis.paired_statistics import (
    Interval,
    holm,
    mean,
    p_value,
    paired_difference,
    standard_deviation,
    t_interval,
)

VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=2, max_size=20)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_the_worked_example():
    """1, 2, 3, 4, 5: mean 3, standard deviation sqrt(2.5), t of four degrees of freedom 2.776 (from a table)."""
    interval = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * 2.5**0.5 / 5**0.5
    assert (interval.mean, interval.n) == (3.0, 5)
    assert (interval.low, interval.high) == pytest.approx((3 - half, 3 + half), abs=1e-6)
    assert standard_deviation([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2.5**0.5)


@given(VALUES.filter(lambda values: len(set(values)) > 1))
def test_the_interval_is_scipys(values):
    expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    interval = t_interval(values)
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert interval.mean == pytest.approx(mean(values))
    assert standard_deviation(values) == pytest.approx(stats.tstd(values))


@given(VALUES, st.data())
def test_a_paired_difference_is_scipys_paired_t_test(values, data):
    others = data.draw(st.lists(st.floats(-1e3, 1e3), min_size=len(values), max_size=len(values)))
    if len({a - b for a, b in zip(values, others, strict=True)}) == 1:
        return
    found = paired_difference(dict(enumerate(values)), dict(enumerate(others)))
    expected = stats.ttest_rel(values, others).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 0.97, 1e-300])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_identical_values_give_an_interval_without_width(value, n):
    assert t_interval([value] * n) == Interval(value, value, value, n)
    assert standard_deviation([value] * n) == 0


def test_one_value_gives_no_interval_and_none_gives_nothing():
    assert t_interval([0.3]) == Interval(0.3, None, None, 1)
    assert (standard_deviation([0.3]), mean([])) == (None, None)
    with pytest.raises(ValueError, match="at least one value"):
        t_interval([])


def test_only_seeds_of_both_are_paired():
    first, second = {0: 0.9, 1: 0.8, 7: 0.1}, {1: 0.7, 0: 0.9, 5: 0.2}
    found = paired_difference(first, second)
    assert found is not None and found.n == 2
    assert found.mean == pytest.approx(0.05)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None
    assert paired_difference({0: 1.0}, {0: 0.5}) == Interval(0.5, None, None, 1)


@given(VALUES.filter(lambda values: np.std(values) > 1e-3), st.floats(-1e3, 1e3))
def test_p_is_scipys_and_below_005_exactly_where_the_interval_leaves_the_limit_out(values, limit):
    interval = t_interval(values)
    p = p_value(interval, limit)
    assert p == pytest.approx(stats.ttest_1samp(values, limit).pvalue, rel=1e-6, abs=1e-12)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (not interval.low <= limit <= interval.high)


@given(VALUES, st.floats(0, 10))
def test_an_interval_is_no_narrower_than_the_resolution(values, least):
    interval, plain = t_interval(values, least=least), t_interval(values)
    half = max(least, (plain.high - plain.low) / 2)
    assert (interval.low, interval.high) == pytest.approx((plain.mean - half, plain.mean + half))


def test_p_of_values_without_scatter_follows_from_the_resolution():
    assert p_value(t_interval([0.0] * 5, least=0.1), 0.0) == 1
    assert p_value(t_interval([0.2] * 5, least=0.1), 0.0) < 0.05 < p_value(t_interval([0.2] * 5, least=0.3), 0.0)
    assert p_value(Interval(0.3, None, None, 1), 0.0) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holms_correction_is_that_of_its_definition(p_values):
    """Step down: the k-th smallest of m is believed at level a if it and all smaller ones are below a / (m - k + 1)."""
    corrected = holm(p_values)
    for level in (0.01, 0.05, 0.2):
        believed = set()
        order = sorted(range(len(p_values)), key=lambda place: p_values[place])
        for k, place in enumerate(order):
            if p_values[place] * (len(p_values) - k) >= level:
                break
            believed.add(place)
        assert {place for place, p in enumerate(corrected) if p < level} == believed
