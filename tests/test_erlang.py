import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from carriers.erlang import (
    equivalent_random,
    erlang_b,
    erlang_b_continuous,
    hayward,
    overflow_variance,
    poisson_excess,
)

loads = st.floats(1e-6, 2e4)


@pytest.mark.parametrize(("load", "channels", "blocking"), [(10, 15, 0.0365), (20, 30, 0.0085), (3, 0, 1)])
def test_table_values(load, channels, blocking):
    assert float(erlang_b(load, channels)) == pytest.approx(blocking, abs=5e-5)


@given(loads, st.integers(0, 10_000))
def test_is_the_truncated_poisson_law(load, channels):
    log_blocking = stats.poisson.logpmf(channels, load) - stats.poisson.logcdf(channels, load)
    if log_blocking > -600 and math.isfinite(log_blocking):
        assert math.log(erlang_b(load, channels)) == pytest.approx(log_blocking, rel=1e-9, abs=1e-9)


def test_keeps_the_shape_and_meets_the_extremes():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        blocking = erlang_b(np.array([[0.0, 1.0], [10_000.0, 20_000.0]]), 10_000)
    assert blocking.shape == (2, 2)
    assert blocking[0, 0] == blocking[0, 1] == 0
    # At load = channels, B is close to sqrt(2 / (pi c)); far above, to 1 - c / A.
    assert blocking[1, 0] == pytest.approx(math.sqrt(2 / math.pi / 10_000), rel=0.01)
    assert blocking[1, 1] == pytest.approx(0.5, rel=1e-3)


@given(loads, st.integers(0, 300))
def test_continuous_meets_the_recursion_at_whole_numbers(load, channels):
    whole = float(erlang_b(load, channels))
    assert float(erlang_b_continuous(load, channels)) == pytest.approx(whole, rel=1e-9)
    just_above = float(erlang_b_continuous(load, channels + 1e-12))
    assert just_above == pytest.approx(whole, rel=1e-9)


@given(loads, st.floats(0, 300))
def test_continuous_follows_the_recursion_between_them(load, channels):
    below = load * float(erlang_b_continuous(load, channels))
    above = float(erlang_b_continuous(load, channels + 1.0))
    assert above == pytest.approx(below / (channels + 1.0 + below), rel=1e-8)


def test_loads_and_channels_broadcast():
    offered, lines = np.array([[0.0], [1.0], [250.0], [15_000.0]]), np.array([0.0, 0.5, 40.0, 240.25])
    blocking = erlang_b_continuous(offered, lines)
    assert blocking.shape == (4, 4)
    each = [[float(erlang_b_continuous(a, c)) for c in lines] for a in offered[:, 0]]
    np.testing.assert_allclose(blocking, each, rtol=1e-12)


def test_continuous_is_fortets_integral():
    t, weight = np.polynomial.laguerre.laggauss(60)
    for load in (20.0, 99.9, 100.1, 5_000.0):
        integral = float(weight @ (1.0 + t / load) ** 2.5)
        assert float(erlang_b_continuous(load, 2.5)) == pytest.approx(1 / integral, rel=1e-9)
    assert float(erlang_b_continuous(0.0, 0.5)) == 0


def test_overflow_of_poisson_is_peaked():
    load, channels = 10.0, 12
    mean = load * float(erlang_b(load, channels))
    assert float(overflow_variance(load, channels)) == pytest.approx(
        _overflow_variance(load, channels), rel=1e-6
    )
    assert float(overflow_variance(load, channels)) > mean
    assert float(overflow_variance(load, 0)) == pytest.approx(load)


def _overflow_variance(load, channels, behind=60):
    """Variance of the calls on many channels behind a full group, by its Markov chain."""
    states = [(i, j) for i in range(channels + 1) for j in range(behind + 1)]
    index = {state: k for k, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))
    for (i, j), k in index.items():
        arrival = (i + 1, j) if i < channels else (i, min(j + 1, behind))
        rates[k, index[arrival]] += load
        if i:
            rates[k, index[i - 1, j]] += i
        if j:
            rates[k, index[i, j - 1]] += j
    rates -= np.diag(rates.sum(axis=1))
    rates[:, 0] = 1.0
    chance = np.linalg.solve(rates.T, np.eye(len(states))[0])
    calls = np.array([j for _, j in states])
    return chance @ calls**2 - (chance @ calls) ** 2


@pytest.mark.parametrize(
    ("load", "first", "second"), [(10, 5, 8), (30, 30, 5), (50, 40, 20), (100, 90, 25), (200, 220, 20)]
)
def test_equivalent_random_reproduces_overflow_on_a_second_carrier(load, first, second):
    """Blocking behind a full first carrier is B(A, c1 + c2) / B(A, c1)."""
    mean, variance, exact = _overflow(load, first, second)
    equivalent, channels = equivalent_random(mean, variance)
    lost = equivalent * float(erlang_b_continuous(equivalent, channels + second))
    assert lost / mean == pytest.approx(exact, rel=0.02)
    assert float(erlang_b(mean, second)) < 0.75 * exact, "taking overflow for Poisson traffic flatters"


@pytest.mark.parametrize(("load", "first", "second"), [(10, 5, 8), (30, 30, 5), (50, 40, 20), (100, 90, 25)])
def test_hayward_reproduces_overflow_on_a_second_carrier(load, first, second):
    mean, variance, exact = _overflow(load, first, second)
    assert float(hayward(mean, variance / mean, second)) == pytest.approx(exact, rel=0.15)


def _overflow(load, first, second):
    blocking = float(erlang_b(load, first))
    variance = float(overflow_variance(load, first))
    return load * blocking, variance, float(erlang_b(load, first + second)) / blocking


def test_poisson_traffic_is_its_own_equivalent():
    assert equivalent_random(7.0, 7.0) == (pytest.approx(7.0), pytest.approx(0.0))
    assert float(hayward(7.0, 1.0, 9)) == pytest.approx(float(erlang_b(7.0, 9)))


@pytest.mark.parametrize("limit", [0, 0.5, 1, 10, 10.25, 40])
def test_excess_over_a_rate_limit(limit):
    rates = np.array([0.0, 0.3, 4.0, 10.0, 60.0])
    n = np.arange(400)
    exact = [float(np.maximum(n - limit, 0) @ stats.poisson.pmf(n, rate)) / rate for rate in rates[1:]]
    assert poisson_excess(rates, limit) == pytest.approx([0.0, *exact], rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: erlang_b(-1.0, 3), r"load \(=-1.0\) must be >= 0"),
        (lambda: erlang_b(1.0, -3), r"channels \(=-3\) must be >= 0"),
        (lambda: equivalent_random(0.0, 1.0), r"mean \(=0.0\) must be > 0"),
        (lambda: equivalent_random(2.0, 1.0), r"variance \(=1.0\) must be at least the mean \(=2.0\)"),
        (lambda: hayward(1.0, 0.0, 3), r"peakedness \(=0.0\) must be > 0"),
    ],
)
def test_refuses_what_has_no_meaning(call, message):
    with pytest.raises(ValueError, match=message):
        call()
