"""How each subject of a plan stands in a month, against what is promised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from callsim.reading.looking import Looked
from callsim.watching.slots import STARTS, YEARS, Calendar
from carriers.calendars import Zone
from results.incidents import State, Subject
from results.probes import Series
from results.sight import Bound, Sight
from results.store.months import LegSums
from results.verdicts import Verdict
from results.visibility import unseen_share

SLOTS = 48
"""Marks of a strip."""
DAY = 86400.0
NOTHING, GOOD, MIXED, BAD = " ", ".", "!", "x"


@dataclass(frozen=True)
class Standing:
    """A subject in the time that was looked at."""

    sight: Sight
    told: int
    """Probes of it that say something."""
    failed: int
    at_least: float | None
    """Availability, of the known time, that 95 % confidence allows for outages between the probes."""
    mos: float | None
    """Mean of the calls that could be rated."""
    strip: str
    """What the probes of each part of the time said."""
    promised: float | None
    month: float
    """Seconds of the whole month."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.sight.subject.name

    @property
    def seen_share(self) -> float:
        """Share of the time of which something is known."""
        return self.sight.known / (self.sight.until - self.sight.since)

    def down(self, bound: Bound) -> float:
        """Seconds down by a bound."""
        stretches = self.sight.down(bound)
        return float((stretches.end - stretches.start).sum())

    @property
    def budget(self) -> float | None:
        """Seconds that the promise leaves in the month; None without one."""
        return None if self.promised is None else (1.0 - self.promised) * self.month

    @property
    def verdict(self) -> Verdict | None:
        """BREACHED where what is proven takes the whole budget; None without a promise.

        MET where, of the time that is known, even the longest outages and what the probes can have missed
        keep the promise so far.
        """
        if self.promised is None or self.budget is None:
            return None
        if self.down("shortest") > self.budget:
            return Verdict.BREACHED
        if self.at_least is not None and self.at_least >= self.promised:
            return Verdict.MET
        return Verdict.INCONCLUSIVE


def standings(looked: Looked, month: float, strip: tuple[float, float]) -> tuple[Standing, ...]:
    """Say how each subject stands; `month` is the whole month's length, `strip` the time of the strips."""
    told = _Told(looked, strip)
    least: dict[str, float | None] = {}
    made = []
    for name, sight in looked.seen.whole.items():
        told_of, failed = told.counts(sight.subject)
        least[name] = _at_least(sight, told_of, least)
        made.append(
            Standing(
                sight,
                told_of,
                failed,
                least[name],
                told.mos(sight.subject),
                told.strip(sight.subject),
                looked.plan.sla.availability if looked.plan.sla else None,
                month,
            )
        )
    return tuple(made)


def _at_least(sight: Sight, told: int, least: Mapping[str, float | None]) -> float | None:
    """Bound the availability of the known time from below; what has parts is up while one of them is."""
    if sight.subject.parts:
        bounds = [least[part.name] for part in sight.subject.parts]
        return max((bound for bound in bounds if bound is not None), default=None)
    seen = sight.availability("longest")
    return None if seen is None else max(seen - unseen_share(told), 0.0)


class _Told:
    """What probes said, by subject."""

    def __init__(self, looked: Looked, strip: tuple[float, float]) -> None:
        self._looked, self._probes = looked, looked.probes
        self._number = {series: n for n, series in enumerate(looked.probes.of)}
        self._edges = np.linspace(*strip, SLOTS + 1)

    def counts(self, subject: Subject) -> tuple[int, int]:
        """Count the probes that say something, and those that failed."""
        mine = self._sums(subject)
        failed = sum(one.failed for one in mine)
        return failed + sum(one.passed for one in mine), failed

    def mos(self, subject: Subject) -> float | None:
        """Give the mean MOS."""
        mine = self._sums(subject)
        count = sum(one.mos.count for one in mine)
        return sum(one.mos.total for one in mine) / count if count else None

    def strip(self, subject: Subject) -> str:
        """Write a mark for each part of the time: all good, some bad, all bad, nothing known."""
        legs = list(_legs(subject))
        numbers = [self._number[leg] for leg in legs if leg in self._number]
        mine = np.isin(self._probes.series, numbers)
        ended, passed = self._probes.ended[mine], self._probes.passed[mine]
        goods, _ = np.histogram(ended[passed == 1], self._edges)
        bads, _ = np.histogram(ended[passed == 0], self._edges)
        for leg in legs:
            if leg in self._probes.steady:
                goods = goods + np.diff(self._probes.steady[leg].before(self._edges))
        return "".join(
            (MIXED if n and m else GOOD if n else BAD if m else NOTHING)
            for n, m in zip(goods.tolist(), bads.tolist(), strict=True)
        )

    def _sums(self, subject: Subject) -> list[LegSums]:
        sums = self._looked.sums
        return [sums[leg] for leg in _legs(subject) if leg in sums]


def _legs(subject: Subject) -> Iterator[Series]:
    yield from subject.legs
    for part in subject.parts:
        yield from _legs(part)


def blind(looked: Looked) -> dict[str, float | None]:
    """Give the locations that see nothing now, with since when; None: they have seen nothing at all.

    Outside the hours of all tests none is blind.
    """
    found: dict[str, float | None] = {}
    if not _open(looked):
        return found
    for location, sights in looked.seen.by_location.items():
        if all(sight.state is State.BLIND for sight in sights.values()):
            numbers = [n for n, leg in enumerate(looked.probes.of) if leg.location == location]
            told = np.isin(looked.probes.series, numbers) & (looked.probes.passed >= 0)
            found[location] = float(looked.probes.ended[told].max()) if told.any() else None
    return found


def _open(looked: Looked) -> bool:
    """Whether any test is to run at the end of the time."""
    plan = looked.plan
    zone = Zone(STARTS, plan.timezone, YEARS)
    at = np.array([looked.until])
    return any(bool(Calendar(zone, test.hours, frozenset(test.not_on)).is_open(at)[0]) for test in plan.tests)
