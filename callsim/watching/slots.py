"""When each leg of a plan is due."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from callsim.live.probing import Leg
from callsim.plan.model import Plan
from carriers.calendars import DAY, HOUR, WEEK, Floats, WeeklyHours, Zone

YEARS = 80
STARTS = dt.date(2020, 1, 1)
MONDAY = dt.date(1970, 1, 5)
"""The day from which `Zone.local` counts."""
LONGEST_LOOK = 400 * DAY
"""Seconds in which a leg that is ever due is due."""
MOST = 2000
"""Slots of a leg that are told one by one when they have all gone by."""
SAME = 1e-3
"""Seconds within which two instants are the same slot: a store may round."""


@dataclass(frozen=True)
class Calendar:
    """Open hours of a test, in local time, without the days on which it does not run."""

    zone: Zone
    hours: WeeklyHours
    not_on: frozenset[dt.date] = frozenset()

    @property
    def always(self) -> bool:
        """Whether there is no instant at which it is closed."""
        return self.hours.always and not self.not_on

    def open_from(self, at: float) -> float:
        """First instant from `at` on (POSIX seconds) at which it is open; infinity: not within a year."""
        last = at + LONGEST_LOOK
        while at < last:
            opens = self.zone.origin + self.zone.next_open(self.hours, at - self.zone.origin)
            if opens >= last:
                return math.inf
            if not self._off(opens):
                return opens
            at = self._next_day(opens)
        return math.inf

    def is_open(self, at: Floats) -> NDArray[np.bool_]:
        """Whether it is open at each of some instants."""
        local = self.zone.local_array(at - self.zone.origin)
        week = (local % WEEK)[..., np.newaxis]
        opens, closes = np.reshape(self.hours.spans, (-1, 2)).T
        off = [(day - MONDAY).days for day in self.not_on]
        is_open = (opens <= week) & (week < closes)
        return np.asarray(is_open.any(axis=-1) & ~np.isin(local // DAY, off))

    def _off(self, at: float) -> bool:
        local = self.zone.local(at - self.zone.origin)
        return MONDAY + dt.timedelta(days=local // DAY) in self.not_on

    def _next_day(self, at: float) -> float:
        """Midnight after `at`; its clock may change in between, so the last hours go by in small steps."""
        left = DAY - self.zone.local(at - self.zone.origin) % DAY
        if left > 4 * HOUR:
            return at + left - 3 * HOUR
        return at + min(left, 60.0 - at % 60.0)


@dataclass(frozen=True)
class Schedule:
    """Instants at which a leg is due: a grid on wall time, each moved by a jitter of its own.

    Slot n is `offset + n * every`, up to `jitter` earlier or later, uniformly, as `key` and n say: whoever
    asks gets the same. Instants are POSIX seconds, durations seconds.
    """

    key: str
    every: float
    jitter: float
    offset: float
    calendar: Calendar
    _key: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key", hashlib.sha256(self.key.encode()).digest())

    def due(self, number: int) -> float:
        """Instant of a slot."""
        base = self.offset + number * self.every
        if not self.jitter:
            return base
        # A keyed hash of the number: the same on every machine, with every version of a library.
        drawn = hashlib.blake2b(number.to_bytes(8, "big", signed=True), key=self._key, digest_size=8).digest()
        return base + self.jitter * (int.from_bytes(drawn, "big") / 2**63 - 1.0)

    def after(self, at: float) -> float:
        """Instant of the first slot after `at` within the open hours; infinity where there is none."""
        last = at + LONGEST_LOOK
        while at < last:
            found = self._on_grid(at)
            opens = found if self.calendar.always else self.calendar.open_from(found)
            if opens == found:
                return found
            # A slot at the opening itself is within the hours.
            at = math.nextafter(opens, -math.inf)
        return math.inf

    def _on_grid(self, at: float) -> float:
        """First slot after `at`, open or not; jitter may have slots change places."""
        first = math.floor((at - self.jitter - self.offset) / self.every)
        last = math.ceil((at + self.jitter - self.offset) / self.every) + 1
        return min(due for due in map(self.due, range(first, last + 1)) if due > at)

    def between(self, after: float, until: float) -> Iterator[float]:
        """Slots after one instant, up to another with it."""
        due = self.after(after)
        while due <= until:
            yield due
            due = self.after(due)

    def gap(self, handled: Collection[float], until: float) -> Iterator[float]:
        """Slots before `until` that are not among those of which there are records.

        They are looked for from the first record on; where the grid was another one, for the plan has been
        changed since, from the last one on.
        """
        known = np.sort([due for due in handled if due <= until])
        if not known.size:
            return
        grid: Floats = np.array(list(self.between(known[0] - SAME, known[-1] + SAME)))
        if not _among(known, grid).all():
            grid = known[-1:]
        yield from grid[~_among(grid, known)].tolist()
        yield from self.between(known[-1] + SAME, until)

    def count(self, after: float, until: float) -> int:
        """Count the slots after one instant up to another, without their jitter."""
        first, last = (math.floor((at - self.offset) / self.every) + 1 for at in (after, until))
        slots = self.offset + self.every * np.arange(first, last, dtype=float)
        return int(self.calendar.is_open(slots).sum())


def _among(ones: Floats, others: Floats) -> NDArray[np.bool_]:
    """Which of `ones` are the same instants as one of the sorted `others`, too."""
    padded = np.concatenate([[-np.inf], others, [np.inf]])
    right = np.searchsorted(padded, ones)
    return np.asarray(np.minimum(ones - padded[right - 1], padded[right] - ones) <= SAME)


def bounded(schedule: Schedule, dues: Iterator[float], until: float) -> Iterator[tuple[float, int]]:
    """Give each of the first slots with a count of 1, and the rest up to an instant as one with theirs."""
    for due in itertools.islice(dues, MOST):
        yield due, 1
    for due in dues:
        yield due, 1 + schedule.count(due, until)
        return


def schedules(plan: Plan, legs: Sequence[Leg]) -> list[Schedule]:
    """Make the schedule of each leg, whose offsets spread them evenly over their cadence.

    Raises ValueError for a leg without one.
    """
    zone = Zone(STARTS, plan.timezone, YEARS)
    made = []
    for number, leg in enumerate(legs):
        test = leg.test
        if test.every is None:
            raise ValueError(f"test {test.name} has no `every`")
        calendar = Calendar(zone, test.hours, frozenset(test.not_on))
        offset = test.every * number / len(legs)
        made.append(
            Schedule(f"{plan.name}\n{test.name}\n{leg.over}", test.every, test.jitter, offset, calendar)
        )
    return made
