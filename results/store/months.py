"""What a month came to, leg by leg, from sums rather than from its calls."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from results.probes import Series
from results.store.bins import MOS, PDD, percentile
from results.store.entries import Missed
from results.store.reading import during
from results.store.tables import COUNTS, LEG, TABLES, TOTALS, bins, calls, sums
from results.store.writing import DAY, HOUR, summed


@dataclass(frozen=True)
class Distribution:
    """How a figure was distributed over calls."""

    measure: str
    count: int
    total: float
    bins: Mapping[int, int]

    @property
    def mean(self) -> float | None:
        """Mean, exact; None of none."""
        return self.total / self.count if self.count else None

    def percentile(self, share: float) -> float | None:
        """Value below which a share of it lies, within a bin: 5 % of a delay, 0.05 of a MOS; None of none."""
        return percentile(self.measure, self.bins, share)


@dataclass(frozen=True)
class Hour:
    """What one hour of a leg came to."""

    good: int
    other: int
    """Probes that failed, or told nothing."""


@dataclass(frozen=True)
class LegSums:
    """A leg as one location saw it over a time: tries that count, and slots without one."""

    location: str
    test: str
    over: str
    passed: int
    failed: int
    unknown: int
    """Probes that say nothing of the carrier."""
    missed: Mapping[str, int]
    """Slots without a probe, by reason."""
    pdd: Distribution
    """Post-dial delay, seconds."""
    mos: Distribution


@dataclass
class _Building:
    counts: Counter[str] = field(default_factory=Counter)
    totals: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    bins: dict[str, Counter[int]] = field(default_factory=lambda: {PDD: Counter(), MOS: Counter()})
    missed: Counter[str] = field(default_factory=Counter)


PLACE = ("location", "test", "over")
Leg = tuple[str, str, str]


def sums_of(
    connection: sa.Connection, plan: str, since: float, until: float, location: str | None
) -> list[LegSums]:
    """Sum probes that started, and slots that were due, in [since, until); exact to the probe.

    Whole hours come from their sums, delays and MOS from their days', what is left at both ends from calls.
    Once calls that passed are pruned their part of a begun hour, or day, is missing.
    """
    found: defaultdict[Leg, _Building] = defaultdict(_Building)
    hours, days = _whole(since, until, HOUR), _whole(since, until, DAY)
    _add_sums(connection, found, _of(sums, plan, location, "hour", hours))
    _add_bins(connection, found, _of(bins, plan, location, "day", days))
    for start, end in _rest(since, until, days):
        _add_rest(connection, found, during(calls, "started_at", plan, start, end, location), hours)
    _add_missed(connection, found, during(TABLES[Missed], "due_at", plan, since, until, location))
    return [_leg(leg, found[leg]) for leg in sorted(found)]


def _whole(since: float, until: float, unit: float) -> range:
    return range(math.ceil(since / unit), max(math.floor(until / unit), math.ceil(since / unit)))


def _rest(since: float, until: float, days: range) -> list[tuple[float, float]]:
    if not days:
        return [(since, until)]
    return [(since, days.start * DAY), (days.stop * DAY, until)]


def _of(table: sa.Table, plan: str, location: str | None, unit: str, wanted: range) -> sa.ColumnElement[bool]:
    which = sa.and_(table.c.plan == plan, table.c[unit] >= wanted.start, table.c[unit] < wanted.stop)
    return which if location is None else sa.and_(which, table.c.location == location)


def _add_sums(connection: sa.Connection, found: dict[Leg, _Building], which: sa.ColumnElement[bool]) -> None:
    leg = [sums.c[name] for name in PLACE]
    asked = sa.select(*leg, *(sa.func.sum(sums.c[name]).label(name) for name in (*COUNTS, *TOTALS)))
    for row in connection.execute(asked.where(which).group_by(*leg)).mappings():
        _add(found[_place(row)], row)


def _add(building: _Building, row: Mapping[Any, Any]) -> None:
    for name in COUNTS:
        building.counts[name] += int(row[name])
    for name in TOTALS:
        building.totals[name] += row[name]


def _add_bins(connection: sa.Connection, found: dict[Leg, _Building], which: sa.ColumnElement[bool]) -> None:
    key = [bins.c[name] for name in (*PLACE, "measure", "bin")]
    asked = sa.select(*key, sa.func.sum(bins.c.count).label("many")).where(which).group_by(*key)
    for row in connection.execute(asked).mappings():
        found[_place(row)].bins[row["measure"]][row["bin"]] += int(row["many"])


def _add_rest(
    connection: sa.Connection, found: dict[Leg, _Building], which: sa.ColumnElement[bool], hours: range
) -> None:
    names = (*LEG, "last", "started_at", "passed", "pdd_s", "mos")
    asked = sa.select(*(calls.c[name] for name in names)).where(which)
    by_hour, binned = summed(connection.execute(asked).mappings())
    for ((_, test, over, location), hour), row in by_hour.items():
        if hour not in hours:
            _add(found[location, test, over], row)
    for ((_, test, over, location), _, measure, number), count in binned.items():
        found[location, test, over].bins[measure][number] += count


def _add_missed(
    connection: sa.Connection, found: dict[Leg, _Building], which: sa.ColumnElement[bool]
) -> None:
    table = TABLES[Missed]
    key = [table.c[name] for name in (*PLACE, "reason")]
    asked = sa.select(*key, sa.func.sum(table.c.count).label("many")).where(which).group_by(*key)
    for row in connection.execute(asked).mappings():
        found[_place(row)].missed[row["reason"]] += int(row["many"])


def _place(row: Mapping[Any, Any]) -> Leg:
    return row["location"], row["test"], row["over"]


def _leg(leg: Leg, built: _Building) -> LegSums:
    location, test, over = leg
    counts = built.counts

    def of(measure: str) -> Distribution:
        many, total = counts[f"{measure}_count"], built.totals[f"{measure}_total"]
        return Distribution(measure, many, total, built.bins[measure])

    return LegSums(
        location=location,
        test=test,
        over=over,
        passed=counts["passed"],
        failed=counts["failed"],
        unknown=counts["unknown"],
        missed=dict(sorted(built.missed.items())),
        pdd=of(PDD),
        mos=of(MOS),
    )


def hours_of(
    connection: sa.Connection, plan: str, since: float, until: float
) -> dict[Series, dict[int, Hour]]:
    """Give each leg's whole hours between two instants, by hours since the epoch."""
    leg = (sums.c.location, sums.c.test, sums.c.over)
    first, last = math.ceil(since / HOUR), math.floor(until / HOUR)
    asked = sa.select(*leg, sums.c.hour, sums.c.passed, sums.c.failed + sums.c.unknown).where(
        sums.c.plan == plan, sums.c.hour >= first, sums.c.hour < last
    )
    found: dict[Series, dict[int, Hour]] = {}
    for location, test, over, hour, good, other in connection.execute(asked):
        found.setdefault(Series(location, test, over), {})[hour] = Hour(good, other)
    return found
