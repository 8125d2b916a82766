"""Spells of operation and of repair, with what is known of their lengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from results.stretches import Stretches, union
from results.timeline import Floats

NOWHERE = Stretches(np.empty(0), np.empty(0))


@dataclass(frozen=True)
class Spells:
    """Lengths of time, columnar (n,), in seconds.

    Each began at most `within` before it was first seen (0: it was seen to begin; inf: it was met in
    progress), and from then on lasted between `low` and `high` (the same: exactly; inf: it was not seen to
    end). It could have been followed for `limit`.
    """

    within: Floats
    low: Floats
    high: Floats
    limit: Floats

    def __len__(self) -> int:
        """Count the spells."""
        return len(self.low)

    @property
    def ends(self) -> int:
        """How many were seen to end."""
        return int(np.isfinite(self.high).sum())

    @property
    def middle(self) -> Floats:
        """Lengths at the middle of what is known; as far as it was followed where no end was seen."""
        begun = self.low + np.where(np.isfinite(self.within), self.within / 2.0, 0.0)
        return np.where(np.isfinite(self.high), begun + (self.high - self.low) / 2.0, begun)

    @property
    def seconds(self) -> float:
        """Time that was watched."""
        return float(np.where(np.isfinite(self.high), (self.low + self.high) / 2.0, self.low).sum())

    def scaled(self, factor: float) -> Spells:
        """Give them in another unit of time."""
        return Spells(*(getattr(self, f.name) * factor for f in fields(self)))


@dataclass(frozen=True)
class Record:
    """What is known of the outages of one thing between `since` and `until`; POSIX seconds.

    Each began between `begin_earliest` (-inf: before anything was seen) and `begin_latest`, and ended between
    `end_earliest` and `end_latest` (inf: no end was seen); (n,) each, in the order of time.
    """

    since: float
    until: float
    begin_earliest: Floats
    begin_latest: Floats
    end_earliest: Floats
    end_latest: Floats
    unseen: Stretches = NOWHERE
    """When nothing is known."""
    paused: Stretches = field(default=NOWHERE)
    """When it is known to have been out of operation for another reason."""


def exact(since: float, until: float, start: Floats, end: Floats, paused: Stretches = NOWHERE) -> Record:
    """Make the record of outages whose ends are known; those that touch or overlap are one.

    One that is still open ends at inf, one that was open from before the record on begins at -inf.
    """
    whole = union(start, np.where(end <= start, np.nextafter(start, np.inf), end))
    inside = (whole.end > since) & (whole.start < until)
    start, end = whole.start[inside], whole.end[inside]
    met = start < since
    return Record(
        since,
        until,
        np.where(met, -np.inf, start),
        np.maximum(start, since),
        np.minimum(end, until),
        np.where(end > until, np.inf, end),
        paused=paused,
    )


def repairs_of(record: Record) -> Spells:
    """Give the times to repair; one of which a part was not seen counts up to there as not ended."""
    rows = []
    unseen = record.unseen
    for earliest, latest, end_earliest, end_latest in _outages(record):
        low, high = max(end_earliest - latest, 0.0), end_latest - latest
        hidden = unseen.start[(unseen.start >= latest) & (unseen.start < end_earliest)]
        if len(hidden):
            low, high = float(hidden[0]) - latest, np.inf
        limit = low if np.isinf(high) else _next(unseen, latest, record.until) - latest
        rows.append((latest - earliest, low, high, max(limit, low)))
    return _spells(rows)


def lives_of(record: Record) -> Spells:
    """Give the operating times to failure.

    What is not seen, or paused, is not operating time. Of a failure that began while nothing was seen it is
    known only that it came after that: neither it nor that time counts. The first time is one met in
    progress; it belongs to the law of what is left at a random instant.
    """
    stopped = union(
        np.concatenate((record.unseen.start, record.paused.start)),
        np.concatenate((record.unseen.end, record.paused.end)),
    )

    def operated(begin: float, end: float) -> float:
        before = stopped.before(np.array([begin, end]))
        return max(float(end - begin - (before[1] - before[0])), 0.0)

    rows = []
    since, within = record.since, np.inf
    for earliest, latest, end_earliest, end_latest in _outages(record):
        limit = operated(since, record.until)
        if latest > since:
            earliest_ = max(earliest, since)
            low = operated(since, earliest_)
            hidden = (record.unseen.start < latest) & (record.unseen.end > earliest_)
            high = np.inf if hidden.any() else operated(since, latest)
            rows.append((within, low, high, low if np.isinf(high) else limit))
        since, within = end_latest, end_latest - end_earliest
        if np.isinf(since):
            break
    if since < record.until and (left := operated(since, record.until)) > 0:
        rows.append((within, left, np.inf, left))
    return _spells(rows)


def joined(parts: Iterable[Spells]) -> Spells:
    """Put spells together."""
    listed = list(parts)
    return Spells(
        *(np.concatenate([np.empty(0), *(getattr(p, f.name) for p in listed)]) for f in fields(Spells))
    )


def coarse(spells: Spells, resolution: float) -> Spells:
    """Take lengths of nothing as anything up to `resolution`, to which times were written down."""
    nothing = (spells.high <= 0.0) | ((spells.high == spells.low) & (spells.high < resolution))
    high = np.where(nothing, resolution, spells.high)
    low = np.where(nothing, 0.0, spells.low)
    return Spells(spells.within, low, high, np.maximum(spells.limit, np.where(nothing, high, 0.0)))


def _outages(record: Record) -> list[tuple[float, float, float, float]]:
    """Give the bounds of each outage, as far as the record goes."""
    columns = (
        record.begin_earliest,
        record.begin_latest,
        record.end_earliest,
        np.where(record.end_latest > record.until, np.inf, record.end_latest),
    )
    rows = []
    for earliest, latest, end_earliest, end_latest in zip(*(c.tolist() for c in columns), strict=True):
        if latest >= record.until or end_latest <= record.since:
            continue
        # What was open when the record began was met in progress, however much of it the file knows.
        begun = earliest if latest > record.since else -np.inf
        first = max(latest, record.since)
        rows.append((begun, first, max(min(end_earliest, record.until), first), end_latest))
    return rows


def _next(unseen: Stretches, after: float, until: float) -> float:
    later = unseen.start[unseen.start >= after]
    return min(float(later[0]) if len(later) else until, until)


def _spells(rows: Sequence[tuple[float, ...]]) -> Spells:
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Spells(*(np.array(column) for column in columns))
