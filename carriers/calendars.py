"""Local time for the simulator and the live side: hours of the week, windows, years and months."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MONDAY = 4 * DAY
"""1970-01-05 was a Monday: seconds from the epoch to the first Monday 00:00."""


@dataclass(frozen=True)
class WeeklyHours:
    """Opening hours as sorted, disjoint spans of the local week, in seconds from Monday 00:00.

    An empty tuple of spans is never open; one span (0, WEEK) is always open. A span never crosses the
    week's end: `Sat 22:00-Mon 06:00` is two spans.
    """

    spans: tuple[tuple[float, float], ...]

    @cached_property
    def always(self) -> bool:
        """Whether it is open around the clock."""
        return self.spans == ((0.0, WEEK),)

    @cached_property
    def openings(self) -> tuple[tuple[float, float], ...]:
        """Spans from opening to closing; one that is open over the week's end closes above WEEK."""
        if len(self.spans) > 1 and self.spans[0][0] == 0.0 and self.spans[-1][1] == WEEK:
            return (*self.spans[1:-1], (self.spans[-1][0], WEEK + self.spans[0][1]))
        return self.spans

    @property
    def longest(self) -> float:
        """Seconds of the longest opening; infinity when always open."""
        return (
            np.inf if self.always else max((closes - opens for opens, closes in self.openings), default=0.0)
        )


ALWAYS = WeeklyHours(((0.0, WEEK),))


class Zone:
    """Seconds since a start instant, told as local time.

    Seconds are physical (a day with a clock change has 23 or 25 hours). `years` bounds the table of clock
    changes; the date of the last one must stay before year 9999.
    """

    def __init__(self, starts: dt.date, timezone: str, years: int = 401) -> None:
        self.starts = starts
        self.timezone = timezone
        self.years = years
        self._info = ZoneInfo(timezone)
        self.origin = self._utc(dt.datetime.combine(starts, dt.time()))

    def __reduce__(self) -> tuple[type[Zone], tuple[dt.date, str, int]]:
        """Send the definition, not the tables, to another process."""
        return Zone, self._definition

    def __eq__(self, other: object) -> bool:
        """Whether the definitions are the same."""
        return isinstance(other, Zone) and other._definition == self._definition

    def __hash__(self) -> int:
        """Hash the definition."""
        return hash(self._definition)

    @property
    def _definition(self) -> tuple[dt.date, str, int]:
        return self.starts, self.timezone, self.years

    def _utc(self, local: dt.datetime) -> float:
        return (local.replace(tzinfo=self._info) - EPOCH).total_seconds()

    @cached_property
    def _changes(self) -> tuple[list[float], list[float]]:
        """Instants (seconds since the start) from which an offset from UTC holds, and these offsets."""
        at, offset = _changes_of(self._info, self.starts, self.years)
        return [instant - self.origin for instant in at], offset

    @cached_property
    def changes(self) -> Floats:
        """Instants of clock changes, in seconds since the start."""
        return np.asarray(self._changes[0][1:])

    def local(self, t: float) -> float:
        """Local seconds since Monday 00:00 of the week of the epoch, at `t` seconds since the start."""
        at, offset = self._changes
        return self.origin + t + offset[bisect_right(at, t) - 1] - _MONDAY

    def local_array(self, t: Floats) -> Floats:
        """Do as `local`, for an array."""
        at, offset = self._changes
        index = np.searchsorted(np.asarray(at), t, side="right") - 1
        return np.asarray(self.origin + t + np.asarray(offset)[index] - _MONDAY)

    def hour_of_week(self, t: float) -> int:
        """Hour of the local week, 0 (Monday 00:00) to 167."""
        return int(self.local(t) % WEEK // HOUR)

    def is_open(self, hours: WeeklyHours, t: float) -> bool:
        """Whether `hours` are open at `t`."""
        week = self.local(t) % WEEK
        return any(opens <= week < closes for opens, closes in hours.spans)

    def next_open(self, hours: WeeklyHours, t: float, after_opening: bool = False) -> float:
        """First instant from `t` on at which `hours` are open; infinity when they never are.

        With `after_opening` the answer is the next opening itself, never an instant inside a span. What
        would open in an hour that the clocks skip opens when they have skipped it.
        """
        if not hours.spans:
            return np.inf
        if hours.always:
            return t
        if not after_opening and self.is_open(hours, t):
            return t
        # As over `_stretches`, without the generator: planned work asks this all the time.
        at, offset = self._changes
        following = bisect_right(at, t)
        while True:
            shift = self.origin + offset[following - 1] - _MONDAY
            if self._closing(hours, t + shift) and not self._was_open(hours, t):
                return t
            opens = self._opening(hours, t + shift) - shift
            if following == len(at) or opens < at[following]:
                return opens
            t = at[following]
            following += 1

    def open_until(self, hours: WeeklyHours, t: float) -> float:
        """Instant at which the span that is open at `t` closes (`t` itself when none is open)."""
        if hours.always:
            return np.inf
        for begin, end, shift in self._stretches(t):
            closes = self._closing(hours, begin + shift)
            if not closes:
                return begin
            if closes - shift < end:
                return closes - shift
        raise AssertionError("the last stretch has no end")

    def _stretches(self, t: float) -> Iterator[tuple[float, float, float]]:
        """Stretches without a clock change from `t` on: begin, end, and what to add for local time."""
        at, offset = self._changes
        first = bisect_right(at, t) - 1
        for index in range(first, len(at)):
            end = at[index + 1] if index + 1 < len(at) else np.inf
            yield max(t, at[index]), end, self.origin + offset[index] - _MONDAY

    @staticmethod
    def _opening(hours: WeeklyHours, local: float) -> float:
        """Local time of the first opening after `local`."""
        week = local - local % WEEK
        while True:
            for opens, _ in hours.openings:
                if week + opens > local:
                    return week + opens
            week += WEEK

    @staticmethod
    def _closing(hours: WeeklyHours, local: float) -> float:
        """Local time at which the span closes that is open at `local`; 0 when none is."""
        week = local - local % WEEK
        for start in (week - WEEK, week):
            for opens, closes in hours.openings:
                if start + opens <= local < start + closes:
                    return start + closes
        return 0.0

    def _was_open(self, hours: WeeklyHours, t: float) -> bool:
        """Whether `hours` are open just before `t`; told by the clock as it is then, when `t` changes it."""
        at, offset = self._changes
        week = (self.origin + t + offset[bisect_left(at, t) - 1] - _MONDAY) % WEEK or WEEK
        return any(opens < week <= closes for opens, closes in hours.spans)

    def add_open_time(self, hours: WeeklyHours, t: float, seconds: float) -> float:
        """Instant at which `seconds` of open time have passed since `t`."""
        if hours.always:
            return t + seconds
        while True:
            t = self.next_open(hours, t)
            if t == np.inf:
                return t
            closes = self.open_until(hours, t)
            if t + seconds <= closes:
                return t + seconds
            seconds -= closes - t
            t = closes

    def year_starts(self, years: int) -> Floats:
        """Bounds of `years` contiguous years, (years + 1,) in seconds since the start."""
        return np.asarray([self._anniversary(12 * year) for year in range(years + 1)])

    def month_starts(self, years: int) -> Floats:
        """Bounds of the 12 x `years` calendar months, (12 years + 1,) in seconds since the start."""
        return np.asarray([self._anniversary(month) for month in range(12 * years + 1)])

    def _anniversary(self, months: int) -> float:
        month = self.starts.month - 1 + months
        day = dt.datetime(self.starts.year + month // 12, month % 12 + 1, self.starts.day)  # noqa: DTZ001 - local
        return self._utc(day) - self.origin


@lru_cache(maxsize=8)
def _changes_of(zone: ZoneInfo, starts: dt.date, years: int) -> tuple[list[float], list[float]]:
    """Instants (seconds since the epoch) from which an offset from UTC holds, and these offsets."""
    day = dt.datetime.combine(starts, dt.time(), dt.UTC) - dt.timedelta(days=2 * 366)
    at, offset = [-np.inf], [_offset(zone, day)]
    last = min(starts.year + years, 9998)
    week = dt.timedelta(days=7)
    while day.year <= last:
        following = day + week
        after = _offset(zone, following)
        if after != offset[-1]:
            low, high = (day - EPOCH).total_seconds(), (following - EPOCH).total_seconds()
            while high - low > 1.0:
                middle = (low + high) // 2
                if _offset(zone, EPOCH + dt.timedelta(seconds=middle)) == offset[-1]:
                    low = middle
                else:
                    high = middle
            at.append(high)
            offset.append(_offset(zone, EPOCH + dt.timedelta(seconds=high)))
        day = following
    return at, offset


def _offset(zone: ZoneInfo, utc: dt.datetime) -> float:
    there = utc.astimezone(zone).utcoffset()
    assert there is not None
    return there.total_seconds()
