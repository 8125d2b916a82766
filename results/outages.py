"""The rule of what is down: outages found in a timeline, as docs/outages.md specifies them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carriers.calendars import HOUR, WEEK, Zone
from results.stretches import Stretches
from results.timeline import ClosedBy, Floats, Incidents, Ints, Stage, Timeline
from results.weekly import Index, LocalSpans, cut

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class DownRule:
    """The service is down where the chance that an offered call fails is above `above`.

    Outages shorter than `min_outage` seconds do not count; longer ones count whole.
    """

    above: float
    min_outage: float = 0.0


@dataclass(frozen=True)
class Outages:
    """Outages, columnar and sorted, in seconds since the stream's start; n outages made of m >= n pieces.

    `opener` and `closer` are rows of the incidents table (-1: none), `closed_by` is a `ClosedBy`. A piece is
    a stretch of one outage with one cause set: `piece_outage` indexes the outages, `piece_causes` the
    timeline's `cause_sets`. `stages` (n, 8) holds seconds by `Stage`; a row sums to the outage's length.
    """

    start: Floats
    end: Floats
    opener: Ints
    closer: Ints
    closed_by: Ints
    censored_start: Flags
    """Down already when the record begins: its downtime counts, its beginning does not."""
    censored_end: Flags
    """Still down when the record ends: it counts, with the length that the record holds."""
    stages: Floats
    piece_outage: Index
    piece_start: Floats
    piece_end: Floats
    piece_causes: Ints

    def __len__(self) -> int:
        """Count the outages, censored ones too."""
        return len(self.start)

    @property
    def seconds(self) -> Floats:
        """Length of each outage, as far as the record holds it."""
        return self.end - self.start

    def down_before(self, t: Floats) -> Floats:
        """Seconds of downtime before each instant of `t`."""
        return Stretches(self.start, self.end).before(t)


def find_outages(timeline: Timeline, incidents: Incidents, zone: Zone, rule: DownRule) -> Outages:
    """Find the outages of a stream: maximal runs of down time, at least `rule.min_outage` s long."""
    start, end, row = _down_pieces(timeline, zone, rule)
    first = np.ones(len(start), dtype=bool)
    first[1:] = start[1:] != end[:-1]
    last = np.roll(first, -1)
    counts = end[last] - start[first] >= rule.min_outage
    kept = counts[np.cumsum(first) - 1]
    start, end, row, first, last = start[kept], end[kept], row[kept], first[kept], last[kept]
    begins, ends, outage = start[first], end[last], np.cumsum(first) - 1
    closer, closed_by = timeline.closer[row[last]], timeline.closed_by[row[last]]
    return Outages(
        start=begins,
        end=ends,
        opener=timeline.opener[row[first]],
        closer=closer,
        closed_by=closed_by,
        censored_start=begins <= 0.0,
        censored_end=ends >= timeline.length,
        stages=_stages(
            incidents, (begins, ends, closer, closed_by), (start, end, timeline.opener[row], outage)
        ),
        piece_outage=outage,
        piece_start=start,
        piece_end=end,
        piece_causes=timeline.causes[row],
    )


def _down_pieces(timeline: Timeline, zone: Zone, rule: DownRule) -> tuple[Floats, Floats, Index]:
    """Return starts, ends and timeline rows of all down time, sorted."""
    down: Flags = np.stack([condition.failing for condition in timeline.conditions]) > rule.above
    always, ever = np.all(down, axis=1), np.any(down, axis=1)
    (whole,) = np.nonzero(always[timeline.condition])
    (partly,) = np.nonzero((ever & ~always)[timeline.condition])
    found = [(timeline.start[whole], timeline.end[whole], whole)]
    start, end, of = cut(timeline.start[partly], timeline.end[partly], zone.changes)
    spans, row = LocalSpans(zone, start, end), partly[of]
    for condition in np.unique(timeline.condition[row]):
        (own,) = np.nonzero(timeline.condition[row] == condition)
        begins, ends, which = _down_hours(spans, own, down[condition])
        found.append((begins, ends, row[which]))
    start, end, row = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(start, kind="stable")
    return start[order], end[order], row[order]


def _down_hours(spans: LocalSpans, own: Index, down: Flags) -> tuple[Floats, Floats, Index]:
    """Return starts, ends and stretches of the down hours (168 flags) within the stretches `own`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], down, [False])).astype(np.int8)))
    opens, closes = edges[::2], edges[1::2]
    shift, start, end = spans.shift[own], spans.start[own], spans.end[own]
    week = np.floor((start + shift) / WEEK)
    weeks = (np.floor((end + shift) / WEEK) - week + 1).astype(np.intp)
    which = np.repeat(np.arange(len(own)), weeks)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(weeks) - weeks, weeks)
    monday = (week[which] + nth) * WEEK - shift[which]
    begins = np.maximum(start[which, None], monday[:, None] + opens * HOUR).ravel()
    ends = np.minimum(end[which, None], monday[:, None] + closes * HOUR).ravel()
    real = begins < ends
    return begins[real], ends[real], own[np.repeat(which, len(opens))[real]]


def _stages(
    incidents: Incidents,
    outages: tuple[Floats, Floats, Ints, Ints],
    pieces: tuple[Floats, Floats, Ints, Index],
) -> Floats:
    """Give every second of each outage to a stage: the closer's once it has begun, else the opener's."""
    start, end, closer, closed_by = outages
    piece_start, piece_end, opener, outage = pieces
    begun = np.where(closer >= 0, _at(incidents.start, closer), np.inf)
    over = np.where(closer >= 0, _at(incidents.end, closer), -np.inf)
    stages = np.zeros((len(start), len(Stage)))
    bypassed = (closed_by == ClosedBy.SWITCHOVER) | ((closed_by == ClosedBy.REROUTING) & (over >= end))
    _add_stages(stages, incidents, np.arange(len(start)), np.where(bypassed, -1, closer), (start, end))
    stages[:, Stage.SWITCHOVER] += np.where(
        closed_by == ClosedBy.SWITCHOVER, np.maximum(end - np.maximum(start, begun), 0.0), 0.0
    )
    _add_stages(stages, incidents, outage, opener, (piece_start, np.minimum(piece_end, begun[outage])))
    stages[:, Stage.REROUTING] += np.maximum(end - start - stages.sum(axis=1), 0.0)
    return stages


def _add_stages(
    stages: Floats, incidents: Incidents, outage: Index, incident: Ints, between: tuple[Floats, Floats]
) -> None:
    """Add to row `outage[i]` of `stages` what stretch i has of each stage of `incident[i]` (-1: of none)."""
    start, end = between
    (busy,) = np.nonzero((incident >= 0) & (start < end))
    first = incidents.stage_first[incident[busy]]
    many = incidents.stage_first[incident[busy] + 1] - first
    of = np.repeat(busy, many)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(many) - many, many)
    row = np.repeat(first, many) + nth
    is_last = nth == np.repeat(many, many) - 1
    following = np.minimum(row + 1, max(len(incidents.stage_start) - 1, 0))
    until = np.where(is_last, incidents.end[incident[of]], incidents.stage_start[following])
    overlap = np.minimum(end[of], until) - np.maximum(start[of], incidents.stage_start[row])
    np.add.at(stages, (outage[of], incidents.stage_kind[row]), np.maximum(overlap, 0.0))


def _at(column: Floats, index: Ints) -> Floats:
    """Pick `column[index]`, with anything where the index is -1 (the column may then be empty)."""
    return np.append(column, 0.0)[index]
