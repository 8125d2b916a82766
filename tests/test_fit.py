"""Laws fitted to spells: the likelihood, its intervals, the test of fit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from carriers.laws import Exponential, Fixed, Gamma, Lognormal, Weibull
from results.estimates import Estimate
from results.fitting.families import EXPONENTIAL, FAMILIES, GAMMA, LOGNORMAL, WEIBULL
from results.fitting.fit import fit_spells, of_all, refit
from results.fitting.goodness import FEW, drawn, goodness, kaplan_meier
from results.fitting.likelihood import likelihood
from results.fitting.spells import Record, Spells, coarse, exact, joined, lives_of, repairs_of
from results.stretches import Stretches

DAY, HOUR = 86400.0, 3600.0
HEAVY = Lognormal(2400.0, 4 * HOUR)
NONE = np.empty(0)
THETA = {"exponential": [0.3], "weibull": [0.3, -0.3], "lognormal": [-0.2, 0.1], "gamma": [0.2, 0.4]}


def spells(low, high=None, within=None, limit=None):
    low = np.asarray(low, dtype=float)
    high = low if high is None else np.asarray(high, dtype=float)
    within = np.zeros(len(low)) if within is None else np.asarray(within, dtype=float)
    return Spells(within, low, high, np.full(len(low), 1e9) if limit is None else np.asarray(limit))


def cut(law, count, scale, rng):
    """Spells that are followed for a time at random."""
    length, limit = law.sample(rng, count), rng.exponential(scale, count)
    return spells(np.minimum(length, limit), np.where(length > limit, np.inf, length), limit=limit)


def theta_of(family):
    return np.array([THETA[family.name]])


# ---- the families


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_says_the_same_as_its_law(family):
    theta, x = theta_of(family), np.array([0.01, 0.3, 1.0, 4.0, 30.0])
    law = family.law_of(theta[0])
    cdf = law.cdf(x)
    assert family.cdf(theta, x)[0] == pytest.approx(cdf)
    assert np.exp(family.log_sf(theta, x))[0] == pytest.approx(1 - cdf, abs=1e-12)
    assert math.exp(family.log_mean(theta)[0]) == pytest.approx(law.mean)
    assert family.tail(theta, np.array([0.0, np.inf]))[0] == pytest.approx([law.mean, 0.0])
    step = 1e-5
    slope = (law.cdf(x + step) - law.cdf(x - step)) / (2 * step)
    assert np.exp(family.log_pdf(theta, x))[0] == pytest.approx(slope, rel=1e-3, abs=1e-9)
    left = integrate.quad(lambda u: 1 - law.cdf(np.array([u]))[0], 1.0, np.inf)[0]
    assert family.tail(theta, np.array([1.0]))[0, 0] == pytest.approx(left, rel=1e-6)


# ---- the likelihood


def chance(family, low, high, within):
    """The chance of a spell by integration: it began at a steady rate, and was still there to be seen."""
    law = family.law_of(theta_of(family)[0])

    def still(v):
        return float(law.cdf(np.array([v + high]))[0] - law.cdf(np.array([v + low]))[0])

    seen = integrate.quad(lambda v: 1 - float(law.cdf(np.array([v]))[0]), 0, within)[0]
    return integrate.quad(still, 0, within)[0] / seen


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize(("low", "high", "within"), [(0.0, 0.5, 0.5), (0.8, 1.4, 0.6), (2.0, 9.0, 0.5)])
def test_beginnings_and_ends_within_bounds_have_their_chance(family, low, high, within):
    found = likelihood(family, spells([low], [high], [within]))(theta_of(family))[0]
    assert found == pytest.approx(math.log(chance(family, low, high, within)), rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_what_was_met_in_progress_has_the_law_of_what_is_left(family):
    law = family.law_of(theta_of(family)[0])
    left = law.residual(np.random.default_rng(3), 200_000)
    share = np.mean((left > 0.4) & (left <= 1.1))
    found = likelihood(family, spells([0.4], [1.1], [np.inf]))(theta_of(family))[0]
    assert math.exp(found) == pytest.approx(share, abs=4 * math.sqrt(share / 200_000))


@given(st.sampled_from(FAMILIES), st.floats(0.01, 20), st.floats(1e-7, 1e-4))
@settings(max_examples=60, deadline=None)
def test_narrow_bounds_are_as_good_as_none(family, length, width):
    """Beginnings that are known better and better come to the law's own density."""
    theta = theta_of(family)
    plain = likelihood(family, spells([length]))(theta)[0]
    found = likelihood(family, spells([length - width / 2], [length - width / 2], [width]))(theta)[0]
    assert found == pytest.approx(plain, abs=1e-3)


# ---- the fit


def test_exponential_with_censoring_is_exact():
    some = spells([10.0, 20.0, 30.0, 40.0], [10.0, 20.0, 30.0, np.inf])
    fit = next(fit for fit in fit_spells(some).fits if fit.name == "exponential")
    assert fit.law.mean == pytest.approx(100 / 3)
    low, high = 200 / stats.chi2.ppf([0.975, 0.025], [8, 6])
    assert (fit.mean.low, fit.mean.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("law", "family", "reference"),
    [
        (Weibull(HOUR, 1.7), WEIBULL, stats.weibull_min),
        (HEAVY, LOGNORMAL, stats.lognorm),
        (Gamma(HOUR, 0.7), GAMMA, stats.gamma),
    ],
    ids=["weibull", "lognormal", "gamma"],
)
def test_the_maximum_is_that_of_scipy(law, family, reference):
    rng = np.random.default_rng(5)
    some = cut(law, 200, 2 * law.mean, rng)
    ended = np.isfinite(some.high)
    data = stats.CensoredData(uncensored=some.low[ended] / HOUR, right=some.low[~ended] / HOUR)
    shape, _, scale = reference.fit(data, floc=0)
    found = refit(family, some)
    expected = reference(shape, scale=scale * HOUR)
    assert found.cdf(np.array([600.0, HOUR, 6 * HOUR])) == pytest.approx(
        expected.cdf([600.0, HOUR, 6 * HOUR]), abs=2e-4
    )


def test_without_a_failure_there_is_a_bound_and_no_law():
    fitted = fit_spells(spells([100 * DAY], [np.inf], [np.inf]))
    assert (fitted.fits, fitted.best, fitted.mean.value, fitted.mean.low) == ((), None, None, None)
    assert fitted.mean.lower == pytest.approx(100 * DAY / 2.995732)


def test_lengths_that_are_all_alike_are_fixed():
    fitted = fit_spells(spells([2700.0, 2700.0, 2700.001]))
    assert fitted.best.law == Fixed(2700.0)


def test_with_three_ends_only_the_exponential_law_is_tried():
    assert [fit.name for fit in fit_spells(spells([1.0, 5.0, 9.0])).fits] == ["exponential"]
    assert len(fit_spells(spells([1.0, 5.0, 9.0, 11.0])).fits) == len(FAMILIES)


def test_lengths_of_nothing_are_something_up_to_the_resolution():
    fitted = fit_spells(coarse(spells([0.0, 60.0, 300.0, 120.0, 0.0]), 60.0))
    assert all(math.isfinite(fit.aic) for fit in fitted.fits)


def inside(known, truth):
    low, high = (known.low, known.high) if known.low is not None else (known.lower, known.upper)
    return (low is None or low <= truth) and (high is None or truth <= high)


@pytest.mark.parametrize(
    ("law", "follow"), [(Weibull(HOUR, 0.7), 1.9), (HEAVY, 2.1)], ids=["weibull", "heavy-tailed"]
)
def test_intervals_hold_the_truth(law, follow):
    """As `benchmarks/fit.py` with fewer trials; 30 % are not seen to end."""
    rng, trials = np.random.default_rng(2026), 40
    held, censored = 0, 0
    for _ in range(trials):
        some = cut(law, 30, follow * law.mean, rng)
        censored += len(some) - some.ends
        held += inside(fit_spells(some).mean, law.mean)
    assert 0.2 < censored / (30 * trials) < 0.4
    # 95 % would be as few as this once in ten thousand times.
    assert held >= stats.binom.ppf(1e-4, trials, 0.95)


# ---- what it is fitted to


def up_and_down(life, repair, window, rng):
    begins, ends, now = [], [], float(life.residual(rng, 1)[0])
    while now < window:
        begins.append(now)
        ends.append(now + float(repair.sample(rng, 1)[0]))
        now = ends[-1] + float(life.sample(rng, 1)[0])
    return np.array(begins), np.array(ends)


def test_units_in_a_window_give_back_their_laws():
    rng, life = np.random.default_rng(11), Weibull(60 * DAY, 2.0)
    records = [exact(0, 150 * DAY, *up_and_down(life, HEAVY, 150 * DAY, rng)) for _ in range(40)]
    fitted = fit_spells(joined(map(lives_of, records)), 0.9999)
    assert fitted.best.name == "weibull"
    assert inside(fitted.best.parameters["shape"], 2.0)
    assert inside(fitted.mean, life.mean)
    assert inside(fit_spells(joined(map(repairs_of, records)), 0.9999).mean, HEAVY.mean)


def test_outages_too_short_for_the_cadence_are_reckoned_with():
    rng, every, window = np.random.default_rng(7), 600.0, 1500 * DAY
    life, repair = Exponential(5 * DAY), Exponential(400.0)
    begins, ends = up_and_down(life, repair, window, rng)
    first, last = np.ceil(begins / every) * every, np.floor(ends / every) * every
    seen = (first <= last) & (last + every < window)
    record = Record(0.0, window, (first - every)[seen], first[seen], last[seen], (last + every)[seen])
    repaired = fit_spells(repairs_of(record), 0.9999)
    assert inside(repaired.mean, 400.0)
    share = next(fit for fit in repaired.fits if fit.name == "exponential").seen_share
    expected = 400.0 / every * -math.expm1(-every / 400.0)
    assert share == pytest.approx(expected, rel=0.15)
    up = fit_spells(lives_of(record), 0.9999)
    assert up.mean.value > 1.5 * life.mean
    all_ = of_all(up.mean, repaired.seen)
    assert all_.value == pytest.approx(up.mean.value * repaired.seen.value)
    assert inside(all_, life.mean)
    # How many outages were shorter than what can be seen depends on a law that such probes cannot tell.
    assert all_.low is None
    assert all_.upper > up.mean.upper * repaired.seen.value


def test_the_mean_between_all_is_as_uncertain_as_the_share_that_is_seen():
    mean, seen = Estimate(10.0, 8.0, 13.0, 0.95, 40), Estimate(0.8, 0.7, 0.9, 0.95, 40)
    found = of_all(mean, seen)
    assert found.value == 8.0
    assert found.low == pytest.approx(8.0 * math.exp(-math.hypot(math.log(0.8), math.log(0.7 / 0.8))))
    assert found.high == pytest.approx(8.0 * math.exp(math.hypot(math.log(1.3), math.log(0.9 / 0.8))))


def test_ends_of_the_record_are_censored():
    record = exact(100.0, 1000.0, np.array([50.0, 300.0, 990.0]), np.array([120.0, 310.0, np.inf]))
    down, up = repairs_of(record), lives_of(record)
    assert down.within.tolist() == [np.inf, 0.0, 0.0]
    assert down.low.tolist() == [20.0, 10.0, 10.0]
    assert down.high.tolist() == [20.0, 10.0, np.inf]
    assert (up.within.tolist(), up.low.tolist(), up.high.tolist()) == ([0, 0], [180, 680], [180, 680])


def test_rows_that_touch_are_one_outage():
    record = exact(0.0, 100.0, np.array([10.0, 20.0, 18.0]), np.array([20.0, 30.0, 25.0]))
    assert repairs_of(record).low.tolist() == [20.0]


def test_what_is_not_seen_is_not_operating_time():
    unseen = Stretches(np.array([200.0, 600.0]), np.array([300.0, 700.0]))
    bounds = (np.array([600.0]), np.array([700.0]), np.array([710.0]), np.array([720.0]))
    up = lives_of(Record(0.0, 1000.0, *bounds, unseen=unseen))
    # The failure came while nothing was seen: all that is known is that it came after 500 s of operation.
    assert (up.low.tolist(), up.high.tolist()) == ([500.0, 280.0], [np.inf, np.inf])
    down = repairs_of(Record(0.0, 1000.0, *bounds, unseen=unseen))
    assert (down.within[0], down.low[0], down.high[0]) == (100.0, 10.0, 20.0)


def test_an_outage_that_was_lost_sight_of_counts_up_to_there():
    unseen = Stretches(np.array([50.0]), np.array([80.0]))
    bounds = (np.array([9.0]), np.array([10.0]), np.array([90.0]), np.array([91.0]))
    down = repairs_of(Record(0.0, 100.0, *bounds, unseen=unseen))
    assert (down.low.tolist(), down.high.tolist()) == ([40.0], [np.inf])


def test_time_in_which_it_is_out_for_another_reason_is_no_operating_time():
    paused = Stretches(np.array([20.0]), np.array([50.0]))
    up = lives_of(exact(0.0, 200.0, np.array([100.0]), np.array([110.0]), paused))
    assert (up.low.tolist(), up.high.tolist()) == ([70.0, 90.0], [70.0, np.inf])


# ---- goodness of fit


def test_kaplan_and_meier_as_in_their_example():
    """Six of Freireich's leukaemia patients and more: the 21 of the treated arm, in weeks."""
    times = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    ended = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    curve = kaplan_meier(spells(times, [t if e else np.inf for t, e in zip(times, ended, strict=True)]))
    assert curve.at.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.share == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    assert (curve.low < curve.share).all()
    assert (curve.share < curve.high).all()


def test_a_law_of_the_wrong_shape_does_not_fit():
    rng = np.random.default_rng(8)
    some = cut(Weibull(HOUR, 2.5), 60, 3 * HOUR, rng)
    fits = {fit.name: fit for fit in fit_spells(some).fits}
    assert goodness(some, fits["exponential"], rng).p_value < 0.02
    assert goodness(some, fits["weibull"], rng).p_value > 0.02


def test_with_few_ends_nothing_is_said_of_the_fit():
    some = spells(np.arange(1.0, FEW))
    assert goodness(some, fit_spells(some).best, np.random.default_rng(0)) is None


def test_spells_are_drawn_as_they_were_observed():
    rng = np.random.default_rng(9)
    some = spells(np.full(4000, 1.0), np.full(4000, 1.5), np.full(4000, 0.5), np.full(4000, 2.0))
    again = drawn(some, Exponential(1.0), rng)
    assert again.ends / 4000 == pytest.approx(1 - math.exp(-2.0), abs=0.03)
    ended = np.isfinite(again.high)
    assert (again.high - again.low)[ended] == pytest.approx(0.5)
    assert likelihood(EXPONENTIAL, again)(np.zeros((1, 1)))[0] < 0
