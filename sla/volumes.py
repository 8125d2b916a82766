"""Calls of a record added up between instants: offered, failed, and how late they connected."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from carriers.calendars import HOUR, WEEK, Zone
from carriers.laws import Fixed, Law
from results.ledger import CallVolumes
from results.timeline import HOURS_PER_WEEK, Condition, Floats, Ints
from results.weekly import Index, LocalSpans, cut
from sla.remembered import remembered
from sla.windows import zone_around

_KNOTS = 700
_SHORTEST = 0.02
"""Seconds; the shortest post-dial delay that is told apart."""


class Way(NamedTuple):
    """How late calls connected: a `Branch`, whoever carried them."""

    offset: float
    delay: Law | None
    limit: float


class Volumes:
    """Stretches of one condition that fill [start, end) and end at each of the instants `at`, sorted."""

    def __init__(self, calls: CallVolumes, start: float, end: float, at: Floats) -> None:
        zone = zone_around(calls.timezone, start, end)
        begins, ends, condition = calls.everywhere(start, end)
        cuts = np.unique(np.concatenate((at, zone.origin + zone.changes)))
        self.start, self.end, of = cut(begins, ends, cuts)
        self.condition = condition[of]
        self._spans = LocalSpans(zone, self.start - zone.origin, self.end - zone.origin)
        self._rate = np.asarray(calls.calls_per_hour) / HOUR

    def offered(self) -> Floats:
        """Calls offered in each stretch."""
        return self._spans.integrate(self._rate[None], np.zeros(len(self.start), dtype=np.intp))

    def of(self, shares: Sequence[Floats]) -> Floats:
        """Offered calls of each stretch that are of these shares, (168,) for each condition."""
        return self._spans.integrate(np.stack(shares) * self._rate, self.condition)

    def before(self, calls: Floats, t: Floats) -> Floats:
        """Calls of the stretches before each of the instants that they end at."""
        return np.concatenate(([0.0], np.cumsum(calls)))[np.searchsorted(self.start, t)]


def ways_of(calls: CallVolumes) -> tuple[tuple[Way, ...], Floats]:
    """Return the ways in which calls connect, with the shares of the offered ones: (conditions, 168, p).

    Calls to us are left out: how long they ring is not ours.
    """
    # In an order of their own, so that streams of one scenario find each other's distributions.
    ways = sorted({way for condition in calls.conditions for way in _ways(condition)}, key=repr)
    index = {way: number for number, way in enumerate(ways)}
    shares = np.zeros((len(calls.conditions), HOURS_PER_WEEK, len(ways)))
    for number, condition in enumerate(calls.conditions):
        for way, share in _ways(condition).items():
            shares[number, :, index[way]] = share
    return tuple(ways), shares


@remembered
def _ways(condition: Condition) -> dict[Way, Floats]:
    """Tell the ways in which calls from us connect, with the share of the offered ones: (168,) each."""
    found: dict[Way, list[Floats]] = {}
    for branch in condition.branches:
        if not branch.inbound:
            found.setdefault(Way(branch.offset, branch.delay, branch.limit), []).append(branch.share)
    return {way: np.asarray(np.sum(shares, axis=0)) for way, shares in found.items()}


def added_up(calls: CallVolumes, start: float, end: float, at: Floats, shares: Floats) -> Floats:
    """Add up shares of the offered calls, (conditions, 168, p), before each instant: (len(at), p).

    The instants are sorted, and within [start, end]. Calls are counted as if all were nominal, and then what
    the other conditions make of them is added.
    """
    table = shares * (np.asarray(calls.calls_per_hour) / HOUR)[:, None]
    zone = zone_around(calls.timezone, start, end)
    cuts = np.unique(np.concatenate((at, zone.origin + zone.changes)))
    begins, ends, _ = cut(np.array([start]), np.array([end]), cuts)
    nominal = _integrated(zone, begins, ends, table[:1], np.zeros(len(begins), dtype=np.intp))
    found = _before(nominal, begins, at)
    (row,) = np.nonzero((calls.condition > 0) & (calls.end > start) & (calls.start < end))
    begins, ends, of = cut(np.maximum(calls.start[row], start), np.minimum(calls.end[row], end), cuts)
    beyond = _integrated(zone, begins, ends, table - table[0], calls.condition[row[of]])
    return found + _before(beyond, begins, at)


def _integrated(zone: Zone, start: Floats, end: Floats, table: Floats, which: Index | Ints) -> Floats:
    """Integrate rates per second, (k, 168, p) by hour of the week: those of `table[which]`, (n, p).

    No stretch, in POSIX seconds, is across a clock change.
    """
    length = end - start
    shift = np.round(zone.local_array(start - zone.origin) - start)
    week, hour, rest = _split(start + shift)
    # Taking rows of a flat table is several times as fast as indexing by two columns.
    found = np.take(table.reshape(-1, table.shape[2]), which * HOURS_PER_WEEK + hour, axis=0)
    found *= length[:, None]
    (row,) = np.nonzero(rest + length > HOUR)
    if len(row):
        done = np.zeros((len(table), HOURS_PER_WEEK + 1, table.shape[2]))
        np.cumsum(table * HOUR, axis=1, out=done[:, 1:])
        which, to_week, to_hour, to_rest = which[row], *_split((end + shift)[row])
        week, hour, rest = week[row], hour[row], rest[row]
        found[row] = done[which, to_hour] - done[which, hour]
        found[row] += (to_week - week)[:, None] * done[which, HOURS_PER_WEEK]
        found[row] += table[which, to_hour] * to_rest[:, None] - table[which, hour] * rest[:, None]
    return found


def _split(local: Floats) -> tuple[Floats, Index, Floats]:
    """Week, hour of the week, and seconds within it."""
    week = np.floor(local / WEEK)
    within = local - week * WEEK
    hour = np.minimum((within / HOUR).astype(np.intp), HOURS_PER_WEEK - 1)
    return week, hour, within - hour * HOUR


def _before(calls: Floats, start: Floats, at: Floats) -> Floats:
    """Add up the rows of `calls` that start before each instant."""
    total = np.zeros((len(calls) + 1, calls.shape[1]))
    np.cumsum(calls, axis=0, out=total[1:])
    return np.asarray(total[np.searchsorted(start, at)])


def late_percentile(ways: tuple[Way, ...], calls: Floats, share: float, target: float) -> Floats | None:
    """Post-dial delay in seconds that a share of the connected calls does not exceed: one for each row.

    Each way is its offset plus its law, given that the law stays below its limit. The distribution function
    is found at knots, of which `target` is one, with straight lines between; NaN where nothing connected,
    None where a way has no law.
    """
    if any(way.delay is None for way in ways):
        return None
    found = np.full(len(calls), np.nan)
    (real,) = np.nonzero(calls.sum(axis=1) > 0)
    if not len(real):
        return found
    knots, table = _distribution(ways, target)
    part = calls[real] / calls[real].sum(axis=1)[:, None]
    low, high = np.zeros(len(real), dtype=np.intp), np.full(len(real), len(knots) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        short = np.einsum("rp,rp->r", part, table[middle]) < share
        low, high = np.where(short, middle + 1, low), np.where(short, high, np.maximum(middle, low))
    before = np.maximum(low - 1, 0)
    below, above = (np.einsum("rp,rp->r", part, table[at]) for at in (before, low))
    within = np.clip((share - below) / np.where(above > below, above - below, 1.0), 0.0, 1.0)
    found[real] = knots[before] + within * (knots[low] - knots[before])
    return found


@lru_cache(maxsize=64)
def _distribution(ways: tuple[Way, ...], target: float) -> tuple[Floats, Floats]:
    """Return the knots, and the distribution function of each way at them: (k, p)."""
    longest = max(2 * target, *(way.offset + _longest(way) for way in ways))
    steps = [way.offset + way.delay.mean for way in ways if isinstance(way.delay, Fixed)]
    knots = np.unique(
        np.concatenate((
            np.geomspace(_SHORTEST, longest, _KNOTS),
            [0.0, target, *steps, *np.nextafter(steps, 0.0)],
            [way.offset for way in ways],
        ))
    )  # fmt: skip
    table = np.empty((len(ways), len(knots)))
    for row, way in enumerate(ways):
        law, limit = way.delay, np.asarray([way.limit])
        assert law is not None
        table[row] = law.cdf(np.minimum(knots - way.offset, way.limit)) / law.cdf(limit)
    return knots, np.ascontiguousarray(table.T)


def _longest(way: Way) -> float:
    """Seconds that practically no draw of the way's law exceeds."""
    law: Law | None = way.delay
    assert law is not None
    longest = law.mean
    while longest < way.limit and law.cdf(np.asarray([longest]))[0] < 1 - 1e-9:
        longest *= 2
    return float(min(longest, way.limit))
