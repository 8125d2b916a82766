"""Quantiles of windows, their intervals, the mean of the worst."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.quantiles import lowest_kept, tail_estimate, tail_mean, value_at_risk

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200).map(np.array)


@given(VALUES, st.floats(0.001, 0.5))
def test_at_most_the_risk_falls_below_what_is_kept(values, risk):
    found = lowest_kept(values, risk)
    assert found.value is not None
    assert np.mean(values < found.value) <= risk + 1e-9
    higher = values[values > found.value]
    if len(higher):
        assert np.mean(values < higher.min()) > risk * (1 - 1e-9)
    for low, high in ((found.low, found.value), (found.value, found.high), (found.lower, found.upper)):
        assert low is None or high is None or low <= high


@pytest.mark.parametrize(("windows", "risk"), [(500, 0.01), (2000, 0.05), (24_000, 0.001)])
def test_the_interval_holds_the_true_quantile_as_often_as_it_says(windows, risk):
    rng = np.random.default_rng(5)
    runs = 400
    held = 0
    for _ in range(runs):
        found = lowest_kept(rng.random(windows), risk)
        low = -np.inf if found.low is None and found.lower is None else found.low or found.lower
        high = np.inf if found.high is None and found.upper is None else found.high or found.upper
        held += low <= risk <= high
    # Order statistics cover at least as much as they say; the count of runs is what is uncertain.
    assert held >= stats.binom.ppf(0.001, runs, 0.95)


def test_too_few_windows_have_one_bound_only():
    found = lowest_kept(np.arange(50.0), 0.01)
    assert (found.value, found.low, found.high, found.lower) == (0.0, None, None, None)
    assert found.upper == 2.0
    assert lowest_kept(np.empty(0), 0.01).value is None


def test_value_at_risk_and_tail_of_a_known_law():
    values = np.arange(1.0, 101.0)
    assert value_at_risk(values, 0.95) == 95.0
    assert value_at_risk(values, 0.99) == 99.0
    assert tail_mean(values, 0.95) == pytest.approx(98.0)
    assert tail_mean(values, 0.995) == pytest.approx(100.0)


@given(VALUES, st.floats(0.5, 0.99))
def test_the_tail_is_no_better_than_its_beginning(values, share):
    tail = tail_mean(values, share)
    assert tail >= value_at_risk(values, share) - 1e-6 * max(1.0, abs(tail))
    assert tail <= values.max() + 1e-6 * max(1.0, abs(tail))


def test_the_interval_of_the_tail_holds_the_true_mean_as_often_as_it_says():
    """Exponential values: the mean beyond a quantile is that quantile plus one."""
    rng = np.random.default_rng(8)
    exact = -np.log(0.01) + 1
    runs, held = 500, 0
    for _ in range(runs):
        found = tail_estimate(rng.exponential(size=20_000), 0.99)
        held += found.low <= exact <= found.high
    assert stats.binom.ppf(0.001, runs, 0.93) <= held <= stats.binom.ppf(0.999, runs, 0.97)


def test_a_tail_of_few_has_no_interval():
    found = tail_estimate(np.append(np.zeros(1000), [1.0, 2.0]), 0.99)
    assert (found.value, found.low, found.high) == (pytest.approx(3 / 10.02), None, None)
    assert tail_estimate(np.empty(0), 0.99).value is None
