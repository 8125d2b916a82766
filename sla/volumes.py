"""Calls of a record added up between instants: offered, failed, and how late they connected."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from carriers.calendars import HOUR
from carriers.laws import Fixed, Law
from results.ledger import CallVolumes
from results.timeline import Floats
from results.weekly import LocalSpans, cut, tally
from sla.windows import zone_around

_KNOTS = 700
_SHORTEST = 0.02
"""Seconds; the shortest post-dial delay that is told apart."""
_BLOCK = 2048
"""Windows whose percentiles are found at once, which bounds the memory."""


class Way(NamedTuple):
    """How late calls connected: a `Branch`, whoever carried them."""

    offset: float
    delay: Law | None
    limit: float


class Volumes:
    """Stretches of one condition that fill [start, end) and end at each of the instants `at`, sorted."""

    def __init__(self, calls: CallVolumes, start: float, end: float, at: Floats) -> None:
        self._calls = calls
        zone = zone_around(calls.timezone, start, end)
        condition = np.zeros(2 * len(calls.start) + 1, dtype=np.intp)
        condition[1::2] = calls.condition
        begins = np.empty(len(condition))
        ends = np.empty(len(condition))
        begins[0], begins[1::2], begins[2::2] = start, calls.start, calls.end
        ends[-1], ends[1::2], ends[:-1:2] = end, calls.end, calls.start
        real = np.maximum(begins, start) < np.minimum(ends, end)
        begins, ends, condition = (
            np.maximum(begins, start)[real],
            np.minimum(ends, end)[real],
            condition[real],
        )
        cuts = np.unique(np.concatenate((at, zone.origin + zone.changes)))
        self.start, self.end, of = cut(begins, ends, cuts)
        self.condition = condition[of]
        self._spans = LocalSpans(zone, self.start - zone.origin, self.end - zone.origin)
        self._rate = np.asarray(calls.calls_per_hour) / HOUR

    def offered(self) -> Floats:
        """Calls offered in each stretch."""
        return self._spans.integrate(self._rate[None], np.zeros(len(self.start), dtype=np.intp))

    def failed(self) -> Floats:
        """Offered calls that failed in each stretch."""
        failing = np.stack([condition.failing for condition in self._calls.conditions])
        return self._spans.integrate(failing * self._rate, self.condition)

    def before(self, calls: Floats, t: Floats) -> Floats:
        """Calls of the stretches before each of the instants that they end at."""
        return np.concatenate(([0.0], np.cumsum(calls)))[np.searchsorted(self.start, t)]

    def connected(self, at: Floats) -> tuple[tuple[Way, ...], Floats]:
        """Return the ways in which calls connected, and how many did before each instant: (len(at), p)."""
        branches = [branch for condition in self._calls.conditions for branch in condition.branches]
        ways: dict[Way, int] = {}
        numbers = [ways.setdefault(Way(b.offset, b.delay, b.limit), len(ways)) for b in branches]
        if not branches:
            return (), np.zeros((len(at), 0))
        count = np.array([len(condition.branches) for condition in self._calls.conditions])
        many = count[self.condition]
        piece = np.repeat(np.arange(len(self.start)), many)
        nth = np.arange(len(piece)) - np.repeat(np.cumsum(many) - many, many)
        which = np.repeat((np.cumsum(count) - count)[self.condition], many) + nth
        way = np.array(numbers)
        shares = np.stack([branch.share for branch in branches]) * self._rate
        calls = self._spans.integrate(shares, which, piece)
        slot = np.searchsorted(at, self.start, side="right")[piece]
        table = tally(slot * len(ways) + way[which], calls, (len(at) + 1) * len(ways))
        return tuple(ways), np.cumsum(table.reshape(len(at) + 1, len(ways)), axis=0)[:-1]


def late_percentile(ways: tuple[Way, ...], calls: Floats, share: float, target: float) -> Floats | None:
    """Post-dial delay in seconds that a share of the connected calls does not exceed: one for each row.

    Each way is its offset plus its law, given that the law stays below its limit. The distribution function
    is found at knots, of which `target` is one, with straight lines between; NaN where nothing connected,
    None where a way has no law.
    """
    laws = [way.delay for way in ways]
    if any(law is None for law in laws):
        return None
    found = np.full(len(calls), np.nan)
    if not ways:
        return found
    knots, table = _distribution(ways, target)
    for first in range(0, len(calls), _BLOCK):
        block = calls[first : first + _BLOCK]
        total = block.sum(axis=1)
        (real,) = np.nonzero(total > 0)
        below = block[real] @ table / total[real, None]
        at = np.minimum((below < share).sum(axis=1), len(knots) - 1)
        row = np.arange(len(real))
        low, high = below[row, np.maximum(at - 1, 0)], below[row, at]
        part = np.clip((share - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
        start = knots[np.maximum(at - 1, 0)]
        found[first + real] = start + part * (knots[at] - start)
    return found


@lru_cache(maxsize=64)
def _distribution(ways: tuple[Way, ...], target: float) -> tuple[Floats, Floats]:
    """Return the knots, and the distribution function of each way at them: (p, k)."""
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
    return knots, table


def _longest(way: Way) -> float:
    """Seconds that practically no draw of the way's law exceeds."""
    law: Law | None = way.delay
    assert law is not None
    longest = law.mean
    while longest < way.limit and law.cdf(np.asarray([longest]))[0] < 1 - 1e-9:
        longest *= 2
    return float(min(longest, way.limit))
