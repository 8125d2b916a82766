"""Minutes that are drawn: the same whatever else is in the record that they are in."""

from itertools import pairwise

import numpy as np
import pytest
from ledger_plays import SCENARIOS, Played
from scipy import stats
from sla_cases import HOUR, at, volumes

from callsim.agreements.terms import load_terms
from results.ledger_file import ledger_text, parse_ledger
from sla.assess import assess
from sla.error_rate import down_minutes
from sla.small_samples import poisson
from sla.terms import Measured
from sla.uniforms import Purpose, Uniforms

GOLD = load_terms(SCENARIOS / "slas" / "gold.yaml")


def test_numbers_are_uniform_and_each_can_be_had_alone():
    uniforms = Uniforms((7, 1))
    first, other = (
        uniforms.at(purpose, np.arange(-5, 200_000)) for purpose in (Purpose.STATE, Purpose.CARRY)
    )
    assert first[[3, 5000]].tolist() == uniforms.at(Purpose.STATE, np.array([-2, 4995])).tolist()
    assert (first != Uniforms((7, 2)).at(Purpose.STATE, np.arange(-5, 200_000))).all()
    assert stats.kstest(first, "uniform").pvalue > 1e-4
    deviation = (first - 0.5) * np.sqrt(12)
    for lag in (1, 2, 60, 1440):
        assert abs((deviation[lag:] * deviation[:-lag]).sum()) < 4 * np.sqrt(len(first))
    assert abs((deviation * (other - 0.5) * np.sqrt(12)).sum()) < 4 * np.sqrt(len(first))


@pytest.mark.parametrize("mean", [0.02, 1.0, 30.0, 5000.0])
def test_counts_are_those_at_which_the_distribution_function_reaches_a_value(mean):
    value = Uniforms((3,)).at(Purpose.FAILED, np.arange(2000))
    found = poisson(value, np.full(2000, mean))
    assert found.tolist() == stats.poisson.ppf(value, mean).tolist()


def _within(stretches, start, end):
    """Stretches cut to [start, end), without one that was there before."""
    pairs = zip(stretches.start.tolist(), stretches.end.tolist(), strict=True)
    return [(a, min(b, end)) for a, b in pairs if start <= a < end]


@pytest.mark.parametrize(
    ("scenario", "years"),
    [("five-nines", 4), ("two-carriers-shared-building", 20)],
)
def test_a_year_cut_out_of_a_stream_has_the_credits_that_the_stream_has(scenario, years):
    played = Played(SCENARIOS / f"{scenario}.yaml", years)
    whole = assess(GOLD, played.ledger)
    windows, down, carried = whole.credits.windows, whole.downtime.counted, 0
    starts = (played.ledger.start + played.plan.zone.year_starts(years)).tolist()
    for start, end in pairwise(starts):
        year = parse_ledger(ledger_text(played.ledger.between(start, end)))
        found = assess(GOLD, year)
        mine = (windows.start >= start) & (windows.end <= end)
        assert found.credits.windows.start.tolist() == windows.start[mine].tolist()
        # A minute that is down because the one before was knows nothing of it across the cut.
        if ((down.start < start) & (start < down.end)).any():
            carried += 1
            continue
        assert _within(found.downtime.counted, start, end) == _within(down, start, end)
        assert found.credits.due.tolist() == whole.credits.due[mine].tolist()
    assert carried <= 2
    assert np.count_nonzero(whole.credits.due) > 0


@pytest.mark.parametrize("nominal", [0.0005, 0.02, 0.1])
def test_minutes_of_a_day_are_those_that_the_month_has_on_it(nominal):
    start, hours = at("2026-10-05"), 24 * 30
    bad = [(start + (7 * n + 3.3) * HOUR, start + (7 * n + 3.9) * HOUR, 0.3) for n in range(100)]
    rule = {"by": "error_rate", "over": "1m", "down_above": "5%"}
    measured = Measured.model_validate(rule)
    calls = volumes(*bad, per_hour=900.0, nominal=nominal)
    month = down_minutes(measured, calls, start, start + hours * HOUR).down
    day = (start + 24 * 10 * HOUR, start + 24 * 11 * HOUR)
    alone = down_minutes(measured, calls.between(*day), *day).down
    minutes = np.arange(*day, 60.0)
    expected, found = (
        np.searchsorted(d.start, minutes, side="right") > np.searchsorted(d.end, minutes, side="right")
        for d in (month, alone)
    )
    assert expected.tolist() == found.tolist()
    assert found.any()
