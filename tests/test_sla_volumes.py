"""Post-dial delays of windows, against calls added up hour by hour."""

from dataclasses import replace

import numpy as np
import pytest
from ledger_plays import SCENARIOS, Played
from scipy import optimize

from carriers.calendars import HOUR
from sla.volumes import added_up, late_percentile, ways_of
from sla.windows import windows_of


def by_the_hour(ledger, zone, start, end):
    """Calls from us of each branch in a window, [(calls, branch)], from its hours and their stretches."""
    calls, found = ledger.calls, []
    share_of = {}
    for begin in np.arange(start, end, HOUR):
        hour = zone.hour_of_week(begin - zone.origin)
        inside = np.flatnonzero((calls.start < begin + HOUR) & (calls.end > begin))
        left = HOUR
        for row in inside.tolist():
            seconds = min(calls.end[row], begin + HOUR) - max(calls.start[row], begin)
            left -= seconds
            key = calls.condition[row], hour
            share_of[key] = share_of.get(key, 0.0) + seconds
        share_of[0, hour] = share_of.get((0, hour), 0.0) + left
    for (condition, hour), seconds in share_of.items():
        rate = calls.calls_per_hour[hour] / HOUR * seconds
        branches = calls.conditions[condition].branches
        found += [(rate * b.share[hour], b) for b in branches if not b.inbound]
    return found


def percentile(found, share):
    """Delay that this share of the calls does not exceed."""
    counts, branches = np.array([calls for calls, _ in found]), [branch for _, branch in found]
    kinds = {(b.offset, b.delay, b.limit) for b in branches}
    weights = {kind: counts[[(b.offset, b.delay, b.limit) == kind for b in branches]].sum() for kind in kinds}

    def below(x):
        return sum(
            calls * law.cdf(np.array([min(x - offset, limit)]))[0] / law.cdf(np.array([limit]))[0]
            for (offset, law, limit), calls in weights.items()
        )

    return optimize.brentq(lambda x: below(x) - share * counts.sum(), 0.1, 30.0, xtol=1e-9)


def check(ledger, zone, months):
    """Months of a record have the percentiles of their hours."""
    # Months of their own time zone, some with a change of the clocks.
    windows = windows_of("calendar_month", zone.timezone, ledger.start, ledger.end)
    at = np.append(windows.start, windows.end[-1])
    ways, shares = ways_of(ledger.calls)
    before = added_up(ledger.calls, ledger.start, ledger.end, at, shares)
    calls = np.diff(before, axis=0)
    found = late_percentile(ways, calls, 0.95, 6.0)
    for month in months:
        hours = by_the_hour(ledger, zone, windows.start[month], windows.end[month])
        assert calls[month].sum() == pytest.approx(sum(calls for calls, _ in hours))
        assert found[month] == pytest.approx(percentile(hours, 0.95), abs=2e-3)


@pytest.mark.parametrize("scenario", ["five-nines", "two-carriers-shared-building"])
def test_the_late_share_of_a_month_is_that_of_its_hours(scenario):
    played = Played(SCENARIOS / f"{scenario}.yaml", 3)
    check(played.ledger, played.plan.zone, (0, 2, 9, 10, 30))


def test_a_condition_may_last_for_weeks():
    played = Played(SCENARIOS / "five-nines.yaml", 1)
    calls, zone = played.ledger.calls, played.plan.zone
    rows = played.ledger.start + np.array([[20.0, 100.01], [100.01, 100.1], [100.1, 320.7]]) * 86400
    late = max(range(len(calls.conditions)), key=lambda n: len(calls.conditions[n].branches))
    condition = np.array([late, 0, 1], dtype=np.int32)
    calls = replace(calls, start=rows[:, 0], end=rows[:, 1], condition=condition)
    check(replace(played.ledger, calls=calls), zone, (0, 1, 2, 3, 9, 11))
