"""Intervals that cover, bounds where events are few, and verdicts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.estimates import BLOCKS, FEW, Estimate, Resampling, share
from results.verdicts import Verdict, judge_share


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(1, 3000), st.floats(0.0, 1.0), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_a_share_has_the_interval_of_clopper_and_pearson(of, part, confidence):
    kept = round(of * part)
    estimate = share(kept, of, confidence)
    expected = stats.binomtest(kept, of).proportion_ci(confidence, method="exact")
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    for bound, side in ((estimate.lower, "greater"), (estimate.upper, "less")):
        exact = stats.binomtest(kept, of, alternative=side).proportion_ci(confidence, method="exact")
        assert bound == pytest.approx(exact.low if side == "greater" else exact.high, abs=1e-9)
    assert estimate.value == kept / of


def test_a_share_of_nothing_is_unknown_and_more_than_all_is_refused():
    assert share(0, 0) == Estimate(None, None, None, 0.95, 0)
    with pytest.raises(ValueError, match=r"kept\(=3\)"):
        share(3, 2)


def test_without_events_the_rate_has_the_bound_of_the_zero_failures_test():
    years = 40
    estimate = Resampling(years, rng_of(1)).rate(np.zeros(years), np.full(years, 2.0))
    assert (estimate.value, estimate.low, estimate.high, estimate.lower) == (0.0, None, None, 0.0)
    assert estimate.upper == pytest.approx(-math.log(0.05) / 80)
    mtbf = estimate.inverse()
    assert (mtbf.value, mtbf.low, mtbf.high, mtbf.upper) == (None, None, None, None)
    assert mtbf.lower == pytest.approx(80 / -math.log(0.05))


def test_the_bounds_of_few_events_are_the_exact_ones_of_a_poisson_count():
    events = np.zeros(100)
    events[[3, 50, 51, 80]] = 1
    estimate = Resampling(100, rng_of(1), confidence=0.9).rate(events, np.ones(100))
    assert (estimate.low, estimate.high, estimate.count) == (None, None, 4)
    assert estimate.lower == pytest.approx(stats.chi2.ppf(0.1, 8) / 2 / 100)
    assert estimate.upper == pytest.approx(stats.chi2.ppf(0.9, 10) / 2 / 100)
    assert estimate.to_json() == {
        "value": 0.04,
        "low": None,
        "high": None,
        "confidence": 0.9,
        "count": 4,
        "at_least": estimate.lower,
        "at_most": estimate.upper,
    }


def test_downtime_of_few_outages_has_bounds_and_none_without_outages():
    down = np.zeros(50)
    again = Resampling(50, rng_of(1))
    nothing = again.ratio(down, np.ones(50), 0)
    assert (nothing.value, nothing.lower, nothing.upper) == (0.0, 0.0, None)
    down[[4, 9]] = 3.0, 5.0
    two = again.ratio(down, np.ones(50), 2)
    assert two.value == pytest.approx(8 / 50)
    assert two.lower == pytest.approx(8 / 50 * stats.f.ppf(0.05, 4, 4))
    assert two.upper == pytest.approx(8 / 50 * 3 / 2 * stats.f.ppf(0.95, 6, 4))
    assert two.low is None


def test_the_upper_bound_of_few_exponential_outages_holds_at_least_as_often_as_it_says():
    rng = rng_of(11)
    years, mean, held, runs = 50, 4, 0, 0
    again = Resampling(years, rng, resamples=1)
    for _ in range(400):
        count = rng.poisson(mean / years, years)
        total = int(count.sum())
        if 0 < total < FEW:
            down = rng.gamma(np.maximum(count, 1), 1.0) * (count > 0)
            bound = again.ratio(down, np.ones(years), total).upper
            held += bound >= mean / years
            runs += 1
    assert stats.binomtest(held, runs, 0.95, alternative="less").pvalue > 0.001


def test_a_mean_over_no_outage_is_unknown():
    estimate = Resampling(20, rng_of(1)).ratio(np.zeros(20), np.zeros(20), 0)
    assert estimate == Estimate(None, None, None, 0.95, 0)


@pytest.mark.parametrize(("mean", "years", "seed"), [(20, 100, 5), (100, 200, 6)])
def test_intervals_hold_as_often_as_they_say(mean, years, seed):
    """The number of runs that hold is binomial; benchmarks/coverage.py looks closer."""
    rng = rng_of(seed)
    again = Resampling(years, rng, resamples=500)
    held = np.zeros(3, dtype=int)
    runs = 300
    for _ in range(runs):
        count = rng.poisson(mean / years, years)
        year = np.repeat(np.arange(years), count)
        down = np.bincount(year, rng.exponential(1.0, len(year)), minlength=years)
        total = int(count.sum())
        estimates = (
            again.ratio(down, np.ones(years), total),
            again.ratio(down, count.astype(float), total),
            again.rate(count.astype(float), np.ones(years)),
        )
        for i, (estimate, truth) in enumerate(zip(estimates, (mean / years, 1.0, mean / years), strict=True)):
            held[i] += estimate.low is None or estimate.low <= truth <= estimate.high
    for number in held:
        assert stats.binomtest(int(number), runs, 0.95).pvalue > 0.001


def test_many_years_are_joined_to_blocks_and_give_the_normal_interval():
    rng = rng_of(7)
    years = 12 * BLOCKS + 5
    down = rng.exponential(1.0, years)
    estimate = Resampling(years, rng).ratio(down, np.ones(years), years)
    half = 1.96 * down.std() / math.sqrt(years)
    assert estimate.value == pytest.approx(down.mean())
    assert estimate.low == pytest.approx(down.mean() - half, abs=0.15 * half)
    assert estimate.high == pytest.approx(down.mean() + half, abs=0.15 * half)


def test_the_same_seed_gives_the_same_interval():
    down = rng_of(1).exponential(1.0, 30)
    one, two = (Resampling(30, rng_of(8)).ratio(down, np.ones(30), 30) for _ in range(2))
    assert one == two


def test_lengths_that_are_all_alike_leave_nothing_open():
    outages = np.tile([0.0, 1.0, 3.0], 10)
    estimate = Resampling(30, rng_of(1)).ratio(90 * outages, outages, 40)
    assert (estimate.value, estimate.low, estimate.high) == (90, 90, 90)


def test_the_difference_of_runs_with_common_random_numbers_is_sharper_than_each():
    rng = rng_of(9)
    years, span = 300, np.ones(300)
    common = rng.exponential(1.0, years)
    a, b = common + rng.exponential(0.05, years), common + rng.exponential(0.1, years)
    again = Resampling(years, rng)
    difference = again.difference((a, span), (b, span), years)
    alone = again.ratio(a, span, years)
    assert difference.value == pytest.approx(a.mean() - b.mean())
    assert difference.low < -0.05 < difference.high < 0
    assert difference.high - difference.low < (alone.high - alone.low) / 5
    swapped = again.difference((b, span), (a, span), years)
    assert (swapped.low, swapped.high) == pytest.approx((-difference.high, -difference.low))


def test_the_interval_of_a_difference_holds_as_often_as_it_says():
    rng = rng_of(10)
    years, runs, held = 60, 300, 0
    again = Resampling(years, rng, resamples=500)
    for _ in range(runs):
        count = rng.poisson(1.0, years) + 0.0
        a = rng.gamma(np.maximum(count, 1e-9), 2.0)
        b = a * rng.uniform(0.0, 1.0, years)
        estimate = again.difference((a, count), (b, count), int(count.sum()))
        held += estimate.low <= 1.0 <= estimate.high
    assert stats.binomtest(held, runs, 0.95).pvalue > 0.001


def test_a_difference_of_few_events_has_a_value_only():
    again = Resampling(3, rng_of(1))
    span = np.ones(3)
    estimate = again.difference((np.array([0, 6.0, 0]), span), (np.zeros(3), span), FEW - 1)
    assert estimate == Estimate(2.0, None, None, 0.95, FEW - 1)


def test_too_few_years_leave_bounds_only():
    again = Resampling(4, rng_of(1))
    estimate = again.rate(np.full(4, 25.0), np.ones(4))
    assert (estimate.low, estimate.high, estimate.count) == (None, None, 100)
    assert estimate.lower < 25 < estimate.upper


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"length\(=4\) must be years\(=3\)"):
        Resampling(3, rng_of(1)).ratio(np.ones(4), np.ones(3), 20)
    with pytest.raises(ValueError, match=r"years\(=0\)"):
        Resampling(0, rng_of(1))


def test_an_estimate_can_be_turned_and_scaled():
    estimate = Estimate(0.2, 0.1, 0.4, 0.95, 30, 0.12, 0.38)
    assert estimate.scaled(-1.0, 1.0) == Estimate(0.8, 0.6, 0.9, 0.95, 30, 0.62, 0.88)
    assert estimate.inverse() == Estimate(5.0, 2.5, 10.0, 0.95, 30, 1 / 0.38, 1 / 0.12)


# ------------------------------------------------------------------ verdicts


@pytest.mark.parametrize(
    ("times_kept", "windows", "risk", "verdict"),
    [
        (1200, 1200, 0.01, Verdict.MET),
        (1195, 1200, 0.01, Verdict.MET),
        (1188, 1200, 0.01, Verdict.INCONCLUSIVE),
        (1170, 1200, 0.01, Verdict.BREACHED),
        (12, 12, 0.01, Verdict.INCONCLUSIVE),
        (12, 12, 0.5, Verdict.MET),
        (11, 12, 0.0, Verdict.BREACHED),
        (12, 12, 0.0, Verdict.INCONCLUSIVE),
        (0, 0, 0.1, Verdict.INCONCLUSIVE),
    ],
)
def test_a_verdict_needs_the_interval_on_one_side(times_kept, windows, risk, verdict):
    assert judge_share(times_kept, windows, risk)[1] is verdict
