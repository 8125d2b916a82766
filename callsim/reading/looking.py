"""Reads from a store what probers saw of a plan."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from callsim.errors import CallsimError
from callsim.plan.model import Plan
from callsim.reading.legs import reaches_of, subjects_in
from callsim.reading.steady import Steady, steady_hours
from results.probes import Probes, Series, joined, misses_of
from results.sight import NOWHERE, Seen, Sight, see

if TYPE_CHECKING:
    from results.store.months import LegSums
    from results.store.store import Store

DAY = 86400.0


@dataclass(frozen=True)
class Looked:
    """What all locations saw of a plan between `since` and `until`, POSIX seconds."""

    plan: Plan
    since: float
    until: float
    probes: Probes
    """From some time before, too; without those of steady hours."""
    sums: Mapping[Series, LegSums]
    """What came of each leg between the two instants."""
    missed: Mapping[str, int]
    """Slots without a probe, by reason."""
    alive: Mapping[str, float]
    """Last sign of life of each location's prober."""
    seen: Seen


def look(store: Store, plan: Plan, since: float, until: float, whole_from: float = math.inf) -> Looked:
    """Read what a store has of a plan between two instants.

    Hours in which every probe of a leg came and was good are left out, before `whole_from`: the sums tell.
    """
    own = [reach for reach in reaches_of(plan, [""]).values() if reach < math.inf]
    before = since - max(DAY, 2.0 * max(own, default=0.0))
    rows = [
        (Series(one.location, one.test, one.over), one.due_at, one.reason, one.count)
        for one in store.missed(plan.name, before, until)
    ]
    sums = {Series(one.location, one.test, one.over): one for one in store.month(plan.name, since, until)}
    alive = {beat.location: beat.at for beat in store.heartbeats(plan.name)}
    locations = sorted(
        {series.location for series in sums} | {series.location for series, *_ in rows} | set(alive)
    )
    reaches = reaches_of(plan, locations, sums)
    misses = misses_of((series, due, count) for series, due, _, count in rows if series in reaches)
    whole = min(until, whole_from)
    steady = steady_hours(store.hours(plan.name, before, whole), plan, locations, misses)
    probes = _beside(store, plan, locations, (before, until), steady)
    # A store knows legs, too, that the plan has no more.
    probes = probes.rows(probes.ended <= until).only(reaches)
    missed: Counter[str] = Counter()
    for _, due, why, count in rows:
        missed[why] += count if due >= since else 0
    seen = see(probes, misses, lambda legs: subjects_in(plan, legs), reaches, since, until)
    return Looked(plan, since, until, probes, sums, +missed, alive, seen)


def _beside(
    store: Store, plan: Plan, locations: Iterable[str], between: tuple[float, float], steady: Steady
) -> Probes:
    """Read the probes of all hours but those that are steady for every leg of a location that has any."""
    parts = []
    for location in locations:
        skipped = steady.skipped.get(location, NOWHERE)
        begins = [between[0], *skipped.end.tolist()]
        ends = [*skipped.start.tolist(), between[1]]
        spans = zip(begins, ends, strict=True)
        parts += [store.probes(plan.name, begin, end, location) for begin, end in spans if begin < end]
    return replace(joined(parts), steady=steady.of)


def sight_of(seen: Seen, subject: str) -> Sight:
    """Give what was seen of a subject; raises CallsimError where there is none of that name."""
    if subject not in seen.whole:
        raise CallsimError(f"{subject}: not probed; there are {', '.join(seen.whole)}")
    return seen.whole[subject]


def month_of(plan: Plan, month: tuple[dt.date, dt.date] | None, now: float) -> tuple[float, float]:
    """Give a calendar month's instants in the plan's time zone; None is the month of `now`."""
    zone = ZoneInfo(plan.timezone)
    if month is None:
        first = dt.datetime.fromtimestamp(now, zone).date().replace(day=1)
        month = first, (first + dt.timedelta(days=32)).replace(day=1)
    begin, end = (dt.datetime.combine(day, dt.time(), zone).timestamp() for day in month)
    return begin, end
