"""Monte-Carlo p-values, Holm, and how many data it takes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from results import agreement


def test_p_values_are_calibrated():
    rng = np.random.default_rng(4)
    drawn = rng.normal(size=999)
    p = np.array([agreement.place(x, drawn).p for x in rng.normal(size=4000)])
    for level in (0.01, 0.05, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=0.02)
    assert agreement.place(9.0, drawn) == agreement.Place(0.002, above=True)
    assert not agreement.place(-9.0, drawn).above


def test_what_is_within_the_grain_is_not_told_apart():
    same = np.full(999, 4.41)
    assert agreement.place(4.38, same, grain=0.05).p == 1.0
    assert agreement.place(4.30, same, grain=0.05).p == 0.002


def test_draws_that_hang_together_are_fewer():
    assert agreement.place(9.0, np.zeros(999), draws=9.0).p == pytest.approx(0.2)


def test_many_are_placed_as_one():
    rng = np.random.default_rng(5)
    values, drawn = rng.poisson(3.0, 50) * 1.0, rng.poisson(3.0, 200) * 1.0
    one_by_one = [agreement.place(x, drawn).p for x in values]
    assert agreement.p_values(values, drawn) == pytest.approx(one_by_one)
    assert agreement.p_values(np.array([np.nan]), drawn) == [1.0]


def test_holm():
    # 0.005 x 4, 0.01 x 3, then 0.03 x 2 and never below the one before.
    assert agreement.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert agreement.holm([]) == []


def test_means_in_a_row_go_round():
    assert agreement.in_a_row(np.array([1.0, 2.0, 6.0]), 2) == pytest.approx([1.5, 4.0, 3.5])
    assert not len(agreement.in_a_row(np.array([1.0]), 2))


def test_shares_of_dependent_trials_are_worth_fewer():
    rng = np.random.default_rng(6)
    whole = rng.binomial(40, 0.1, 4000) / 40.0  # blocks of 25 that are alike
    assert agreement.effective_of_share(whole, 1000) == pytest.approx(40.0, rel=0.1)
    assert agreement.effective_of_share(np.ones(9), 1000) == 1000.0


def test_intervals():
    exact = stats.binomtest(3, 40).proportion_ci(0.95, "exact")
    assert agreement.share_interval(3 / 40, 40.0, 0.95) == pytest.approx((exact.low, exact.high))
    assert agreement.rate_interval(0, 10.0, 0.95) == pytest.approx((0.0, 0.36889), abs=1e-4)
    assert agreement.mean_interval(1.0, 1.0, 1.0, 0.95) is None


def test_stretches_that_a_departure_takes():
    # Poisson counts of mean 2 against 4, by the normal law: n (4 - 2) = z_a sqrt(2 n) + z_b sqrt(4 n).
    rng = np.random.default_rng(7)
    null, other = rng.poisson(2.0, (3000, 1)) * 1.0, rng.poisson(4.0, (3000, 1)) * 1.0
    (each,), any_ = agreement.stretches_needed(null, other, [lambda sums: sums[:, 0]], 0.01, 1000.0, rng)
    z = stats.norm.ppf([0.995, 0.9])
    wanted = ((np.sqrt(2.0) * z[0] + 2.0 * z[1]) / 2.0) ** 2
    assert each == any_ == pytest.approx(wanted, rel=0.3)
    (never,), _ = agreement.stretches_needed(null, null, [lambda sums: sums[:, 0]], 0.01, 8.0, rng)
    assert never == np.inf
