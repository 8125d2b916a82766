"""Downtime that terms exclude: the conditions of notice, hours, and quota."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carriers.calendars import WEEK, WeeklyHours, Zone
from carriers.units import format_duration
from results.ledger import Cause
from results.stretches import Stretches, inside
from results.timeline import Floats, Ints
from results.weekly import Index
from sla.assessment import Flags
from sla.terms import Exclusion
from sla.windows import bounds

Alternatives = frozenset[tuple[int, ...]]
"""For each cause of a stretch the exclusions that may excuse it; empty: nothing does."""
NEVER: Alternatives = frozenset()
_ROUNDING = 1e-6
"""Seconds that sums of lengths may be off."""


@dataclass(frozen=True)
class Sorted:
    """Stretches sorted by what may excuse them."""

    key: Index
    """(n,) indexes `alternatives`."""
    alternatives: tuple[Alternatives, ...]
    refused: tuple[str, ...]


def sort_rows(
    excludes: Sequence[Exclusion],
    cause_sets: Sequence[tuple[Cause, ...]],
    causes: Ints,
    start: Floats,
    notice_given: Floats,
) -> Sorted:
    """Sort stretches by the exclusions that may act on them, as far as causes and notice tell."""
    refused: dict[str, None] = {}
    classes: dict[Alternatives, int] = {NEVER: 0}
    class_of_set = np.zeros(len(cause_sets), dtype=np.intp)
    for index in np.unique(causes).tolist():
        ways = _alternatives(excludes, cause_sets[index], refused)
        class_of_set[index] = classes.setdefault(ways, len(classes))
    told = np.full(len(start), -1, dtype=np.int64)
    for bit, exclusion in enumerate(excludes):
        if exclusion.notice is not None:
            late = ~(notice_given <= start - exclusion.notice)
            told[late] &= ~(1 << bit)
    told_bits, told_of_row = np.unique(told, return_inverse=True)
    kinds, kind_of_row = np.unique(class_of_set[causes] * len(told_bits) + told_of_row, return_inverse=True)
    by_class = tuple(classes)
    keys: dict[Alternatives, int] = {NEVER: 0}
    key_of_kind = np.zeros(len(kinds), dtype=np.intp)
    for kind, (number, told_as) in enumerate(zip(*np.divmod(kinds, max(len(told_bits), 1)), strict=True)):
        bits = int(told_bits[told_as])
        ways = frozenset(tuple(e for e in way if bits >> e & 1) for way in by_class[number])
        missing = {e for way in by_class[number] for e in way if not bits >> e & 1}
        refused.update(
            dict.fromkeys(f"{_condition(excludes[e], 'notice')}: it was not." for e in sorted(missing))
        )
        key_of_kind[kind] = keys.setdefault(NEVER if () in ways else ways, len(keys))
    return Sorted(key_of_kind[kind_of_row], tuple(keys), tuple(refused))


def _alternatives(
    excludes: Sequence[Exclusion], causes: tuple[Cause, ...], refused: dict[str, None]
) -> Alternatives:
    ways = {
        cause.blame: tuple(e for e, exclusion in enumerate(excludes) if exclusion.cause == cause.blame.value)
        for cause in causes
    }
    if all(ways.values()):
        return frozenset(ways.values())
    names = [blame.value for blame, way in ways.items() if way]
    if names:
        refused[
            f"{' and '.join(sorted(names))} would be excluded, and is not where another cause that is not "
            "excluded has part in the outage."
        ] = None
    return NEVER


class Conditions:
    """Hours and quotas of exclusions, judged on cells."""

    def __init__(
        self, excludes: Sequence[Exclusion], alternatives: Sequence[Alternatives], zone: Zone
    ) -> None:
        self.excludes = excludes
        self.alternatives = alternatives
        self.zone = zone
        self.used = sorted({e for ways in alternatives for way in ways for e in way})
        self.refused: dict[str, None] = {}

    def cuts(self, candidates: Stretches) -> Floats:
        """Instants within the stretches at which hours open or close, or a quota begins anew."""
        if not len(candidates.start):
            return np.empty(0)
        first, last = float(candidates.start[0]), float(candidates.end[-1])
        found = [np.empty(0)]
        for exclusion in (self.excludes[e] for e in self.used):
            if exclusion.hours is not None:
                found.append(_changes(exclusion.hours, self.zone, candidates))
            if exclusion.quota is not None:
                found.append(bounds(exclusion.quota.per, self.zone.timezone, first, last))
        at = np.concatenate(found)
        return at[inside(candidates, at)]

    @property
    def has_quota(self) -> bool:
        """Whether there is a quota, so that `quota_cuts` has to be asked."""
        return any(self.excludes[e].quota is not None for e in self.used)

    def quota_cuts(self, start: Floats, end: Floats, covers: NDArray[np.bool_]) -> Floats:
        """Instants at which a quota is used up, within cells that `cuts` has cut; `covers` is (k, c)."""
        found = [np.empty(0)]
        for e, before in self._quota_used(start, end, covers).items():
            quota = self.excludes[e].quota
            assert quota is not None
            left = quota.seconds - before
            cell = (left > _ROUNDING) & (left < end - start - _ROUNDING)
            # Times of the record are whole milliseconds, and so is a quota.
            found.append(np.round((start + left)[cell], 3))
        return np.concatenate(found)

    def excluded(self, start: Floats, end: Floats, covers: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether each cell (cut at all the cuts) of each key is excluded: (k, c)."""
        open_ = self._open(start)
        holds = dict(open_)
        for e, before in self._quota_used(start, end, covers).items():
            quota = self.excludes[e].quota
            assert quota is not None
            holds[e] = open_[e] & (before + (end - start) <= quota.seconds + _ROUNDING)
            if (self._relies(e, covers) & open_[e] & ~holds[e]).any():
                self.refused[f"{_condition(self.excludes[e], 'quota')}: the rest counts."] = None
        for e in self.used:
            if (self._relies(e, covers) & ~open_[e]).any():
                self.refused[f"{_condition(self.excludes[e], 'hours')}: the rest counts."] = None
        return np.stack([self._excused(ways, holds, len(start)) for ways in self.alternatives]) & covers

    def reason(self, ways: Alternatives) -> str:
        """Say why stretches of this kind are excluded."""
        return " + ".join(sorted(" or ".join(_told(self.excludes[e]) for e in way) for way in ways))

    @staticmethod
    def _excused(ways: Alternatives, holds: dict[int, Flags], cells: int) -> Flags:
        excused = np.full(cells, bool(ways))
        for way in ways:
            excused &= np.logical_or.reduce([holds[e] for e in way])
        return excused

    def _relies(self, e: int, covers: NDArray[np.bool_]) -> Flags:
        keys = [key for key, ways in enumerate(self.alternatives) if any(e in way for way in ways)]
        return np.asarray(covers[keys].any(axis=0))

    def _open(self, start: Floats) -> dict[int, Flags]:
        week = np.asarray(self.zone.local_array(start - self.zone.origin)) % WEEK
        return {e: _within(self.excludes[e].hours, week) for e in self.used}

    def _quota_used(self, start: Floats, end: Floats, covers: NDArray[np.bool_]) -> dict[int, Floats]:
        """Seconds of each quota that are used before each cell, since the quota last began anew."""
        if not self.has_quota or not len(start):
            return {}
        open_ = self._open(start)
        excused = np.stack([self._excused(ways, open_, len(start)) for ways in self.alternatives])
        # Time that counts anyway does not use up what may be excluded.
        firm = (covers & ~excused).any(axis=0)
        used: dict[int, Floats] = {}
        for e in self.used:
            quota = self.excludes[e].quota
            if quota is not None:
                seconds = np.where(self._relies(e, covers) & open_[e] & ~firm, end - start, 0.0)
                at = bounds(quota.per, self.zone.timezone, float(start[0]), float(end[-1]))
                before = np.cumsum(seconds) - seconds
                new = np.searchsorted(start, at)[np.searchsorted(at, start, side="right") - 1]
                used[e] = before - before[new]
        return used


def _within(hours: WeeklyHours | None, week: Floats) -> Flags:
    """Whether instants of the local week lie in the hours."""
    if hours is None:
        return np.ones(len(week), dtype=bool)
    opens, closes = np.transpose(hours.spans)
    return inside(Stretches(opens, closes), week)


def _changes(hours: WeeklyHours, zone: Zone, stretches: Stretches) -> Floats:
    """Instants around the stretches at which the hours may open or close: clock changes too."""
    clock = zone.origin + zone.changes
    start = np.concatenate((stretches.start, clock[inside(stretches, clock)]))
    end = np.sort(np.concatenate((stretches.end, clock[inside(stretches, clock)])))
    start = np.sort(start)
    shift = np.round(zone.local_array(start - zone.origin) - start)
    week = np.floor((start + shift) / WEEK)
    weeks = (np.floor((end + shift) / WEEK) - week + 1).astype(np.intp)
    which = np.repeat(np.arange(len(start)), weeks)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(weeks) - weeks, weeks)
    monday = (week[which] + nth) * WEEK - shift[which]
    at = monday[:, None] + np.ravel(hours.spans)
    return np.concatenate((start, at[(start[which, None] < at) & (at < end[which, None])]))


def _told(exclusion: Exclusion) -> str:
    parts = [exclusion.cause.replace("_", " ")]
    if exclusion.notice is not None:
        parts.append(f"told {format_duration(exclusion.notice)} before")
    if exclusion.hours is not None:
        parts.append("within its hours")
    if exclusion.quota is not None:
        parts.append(f"within {format_duration(exclusion.quota.seconds)} a {exclusion.quota.per}")
    return ", ".join(parts)


def _condition(exclusion: Exclusion, which: str) -> str:
    name = exclusion.cause.replace("_", " ")
    if which == "notice":
        ahead = format_duration(exclusion.notice or 0.0)
        return f"{name} is excluded only where the customer was told {ahead} before"
    if which == "quota" and exclusion.quota is not None:
        return f"{name} is excluded up to {format_duration(exclusion.quota.seconds)} a {exclusion.quota.per}"
    return f"{name} is excluded only within its hours"
