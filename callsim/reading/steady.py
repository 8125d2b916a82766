"""Finds the times whose probes need not be read, since the sums say that all came and were good."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from callsim.plan.model import Plan, Test
from callsim.reading.legs import longest, series_of
from results.probes import Misses, Series, reach_of
from results.sight import NOWHERE, without
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
    """Times that are left out: all of them, by location, and those that are steady of each leg."""

    skipped: Mapping[str, Stretches]
    of: Mapping[Series, Stretches]


def steady_hours(hours: Hours, plan: Plan, locations: Iterable[str], misses: Misses) -> Steady:
    """Find what can be left out: runs of steady hours, but for the probes at their ends.

    In a steady hour no probe of the leg is missing, but for one that may belong to the hour beside.
    """
    known = {s: leg.test for location in locations for s, leg in series_of(plan, location).items()}
    gone = _gone(misses, {series: test.every or HOUR for series, test in known.items()})
    inner: dict[Series, Stretches] = {}
    needed: dict[str, list[Stretches]] = {}
    for series in {**hours, **gone}:
        own, test = hours.get(series, {}), known.get(series)
        near = {hour + beside for hour in gone.get(series, ()) for beside in (-1, 0, 1)}
        if test is None or test.every is None:
            inner[series] = NOWHERE
        else:
            least = _fewest(test)
            steady = {hour for hour, one in own.items() if one.good >= least and not one.other}
            run, edge = _spans(steady - near), reach_of(test.every, test.jitter, longest(plan, test))
            inner[series] = union(run.start + edge, run.end - edge)
        needed.setdefault(series.location, []).append(without(_spans({*own, *near}), inner[series]))
    read = {location: _all(some) for location, some in needed.items()}
    left_out = {series: without(some, read[series.location]) for series, some in inner.items()}
    return Steady(
        {location: _all([s for of, s in left_out.items() if of.location == location]) for location in read},
        {series: some for series, some in left_out.items() if len(some.start)},
    )


def _fewest(test: Test) -> float:
    """Count the good probes of a steady hour; inf: of such a cadence it cannot be told."""
    assert test.every is not None  # checked by the caller
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


def _all(some: Sequence[Stretches]) -> Stretches:
    return union(np.concatenate([one.start for one in some]), np.concatenate([one.end for one in some]))


def _spans(hours: set[int]) -> Stretches:
    start = np.array(sorted(hours), dtype=np.float64) * HOUR
    return union(start, start + HOUR)
