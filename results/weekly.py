"""Hour-of-week values integrated over stretches of physical time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carriers.calendars import HOUR, WEEK, Zone
from results.timeline import HOURS_PER_WEEK, Floats, Ints

Index = NDArray[np.intp]


def cut(start: Floats, end: Floats, at: Floats) -> tuple[Floats, Floats, Index]:
    """Cut sorted, disjoint stretches at the sorted instants `at`.

    Return the pieces' starts and ends, and the stretch that each is of.
    """
    if not len(start):
        return start, end, np.empty(0, dtype=np.intp)
    row = np.searchsorted(start, at, side="right") - 1
    inside = (row >= 0) & (start[row] < at) & (at < end[row])
    at, row = at[inside], row[inside]
    of = np.insert(np.arange(len(start)), row + 1, row)
    return np.insert(start, row + 1, at), np.insert(end, row, at), of


def tally(index: Index | Ints, weights: Floats, size: int) -> Floats:
    """Sum `weights` by `index`: (size,)."""
    return np.bincount(index, weights, minlength=size).astype(np.float64)


class LocalSpans:
    """Stretches [start, end), none across a clock change, told in local time."""

    def __init__(self, zone: Zone, start: Floats, end: Floats) -> None:
        self.start, self.end = start, end
        # Offsets from UTC are whole seconds: rounding makes every hour boundary exact.
        self.shift = np.round(zone.local_array(start) - start)
        """Local seconds since a Monday 00:00 minus seconds since the start, per stretch."""
        self._from = _split(start + self.shift)
        self._to = _split(end + self.shift)

    def __len__(self) -> int:
        """Count the stretches."""
        return len(self.start)

    def integrate(self, values: Floats, which: Index, stretch: Index | None = None) -> Floats:
        """Integrate over time: entry i is that of `values[which[i]]` over stretch `stretch[i]` (default i).

        `values` is (k, 168), per second, Monday 00:00 first. Whole weeks are multiplied, the rest comes from
        prefix sums: the cost does not depend on the length.
        """
        before = np.zeros((len(values), HOURS_PER_WEEK + 1))
        np.cumsum(values, axis=1, out=before[:, 1:])
        pick = slice(None) if stretch is None else stretch
        (week_a, hour_a, rest_a), (week_b, hour_b, rest_b) = (
            (week[pick], hour[pick], rest[pick]) for week, hour, rest in (self._from, self._to)
        )
        hours = before[which, hour_b] - before[which, hour_a]
        hours += (week_b - week_a) * before[which, HOURS_PER_WEEK]
        return np.asarray(hours * HOUR + values[which, hour_b] * rest_b - values[which, hour_a] * rest_a)


def _split(local: Floats) -> tuple[Floats, Index, Floats]:
    week = np.floor(local / WEEK)
    within = local - week * WEEK
    hour = np.minimum((within // HOUR).astype(np.intp), HOURS_PER_WEEK - 1)
    return week, hour, within - hour * HOUR
