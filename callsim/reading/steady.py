"""Finds the hours whose probes need not be read, since their sums say that all came and were good."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from callsim.plan.model import Plan, Test
from callsim.reading.legs import series_of
from results.probes import Misses, Series
from results.stretches import Stretches, union

if TYPE_CHECKING:
    from results.store.months import Hour

HOUR = 3600.0
FEWEST = 2
"""Good probes that an hour has to have at least, whatever the cadence."""


Hours = Mapping[Series, Mapping[int, "Hour"]]
"""By leg, and hours since the epoch."""


@dataclass(frozen=True)
class Steady:
    """Hours that are left out: all of them, by location, and those that are steady of each leg."""

    skipped: Mapping[str, Stretches]
    of: Mapping[Series, Stretches]


def steady_hours(hours: Hours, plan: Plan, locations: Iterable[str], misses: Misses) -> Steady:
    """Find what can be left out: hours of a run of steady ones, except for its first and last.

    In a steady hour no probe of the leg is missing, but for one that may belong to the hour beside.
    """
    known = {s: leg.test for location in locations for s, leg in series_of(plan, location).items()}
    fewest = {series: _fewest(test) for series, test in known.items()}
    gone = _gone(misses, {series: test.every or HOUR for series, test in known.items()})
    inner: dict[Series, set[int]] = {}
    busy: dict[str, set[int]] = {}
    for series, missed in gone.items():
        near = {hour + beside for hour in missed for beside in (-1, 0, 1)}
        busy.setdefault(series.location, set()).update(near)
    for series, own in hours.items():
        least = fewest.get(series, math.inf)
        steady = {hour for hour, one in own.items() if one.good >= least and not one.other}
        steady -= gone.get(series, set())
        inner[series] = {hour for hour in steady if {hour - 1, hour + 1} <= steady}
        busy.setdefault(series.location, set()).update(set(own) - inner[series])
    left_out = {series: some - busy[series.location] for series, some in inner.items()}
    by_location: dict[str, set[int]] = {}
    for series, some in left_out.items():
        by_location.setdefault(series.location, set()).update(some)
    return Steady(
        {location: _spans(some) for location, some in by_location.items()},
        {series: _spans(some) for series, some in left_out.items() if some},
    )


def _fewest(test: Test) -> float:
    """Count the good probes of a steady hour; inf: of such a test it cannot be told."""
    if test.every is None:
        return math.inf
    # An hour that is no whole number of cadences, or jitter, may put one into the hour beside.
    spare = bool(test.jitter) or HOUR % test.every > 0.0
    least = math.floor(HOUR / test.every) - spare
    return least if least >= FEWEST else math.inf


def _gone(misses: Misses, cadence: Mapping[Series, float]) -> dict[Series, set[int]]:
    """Give the hours in which slots of each leg have no probe."""
    found: dict[Series, set[int]] = {}
    for number, due, count in zip(
        misses.series.tolist(), misses.due.tolist(), misses.count.tolist(), strict=True
    ):
        series = misses.of[number]
        last = due + count * cadence.get(series, HOUR)
        found.setdefault(series, set()).update(range(int(due // HOUR), int(last // HOUR) + 1))
    return found


def _spans(hours: set[int]) -> Stretches:
    start = np.array(sorted(hours), dtype=np.float64) * HOUR
    return union(start, start + HOUR)
