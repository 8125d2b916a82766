"""Timelines, outages and incidents as rows of text, in local time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from callsim.study import Stretch
from carriers.calendars import DAY, Zone
from results.timeline import ClosedBy, Floats, Incidents, Stage
from sim.tables import Tables

SINCE_THURSDAY = 4 * DAY
"""`Zone.local` counts from the first Monday after 1970-01-01, a Thursday."""

_PLACE = ("stream", "start", "end", "start_s", "end_s")
_STAGES = tuple(f"{stage.name.lower()}_s" for stage in Stage)
TIMELINE = (*_PLACE, "state", "down_s", "condition", "causes")
"""`start_s`, `end_s`: seconds since the stream's start; `down_s`: seconds of the row that are down."""
OUTAGES = (*_PLACE, "seconds", "causes", "closed_by", *_STAGES)
INCIDENTS = (*_PLACE, "unit", "cause", *_STAGES)
"""An incident that is still open when the record ends has no end."""


def timestamps(zone: Zone, t: Floats) -> list[str]:
    """Write instants (seconds since the start) as ISO 8601 local time with its offset; infinity is empty."""
    known = np.where(np.isfinite(t), t, 0.0)
    local = zone.local_array(known) + SINCE_THURSDAY
    offset = np.rint((local - zone.origin - known) / 60.0).astype(int)
    suffix = {m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}" for m in set(offset.tolist())}
    texts = np.datetime_as_string(np.rint(local * 1000.0).astype("datetime64[ms]"))
    return [
        text + suffix[minutes] if finite else ""
        for text, minutes, finite in zip(
            texts.tolist(), offset.tolist(), np.isfinite(t).tolist(), strict=True
        )
    ]


def timeline_rows(stretch: Stretch, tables: Tables) -> Iterator[tuple[object, ...]]:
    """Give a row for each stretch of time that is not nominal."""
    timeline = stretch.timeline
    down = stretch.outages.down_before(timeline.end) - stretch.outages.down_before(timeline.start)
    places = _places(stretch, tables.zone, timeline.start, timeline.end)
    columns = zip(places, down.tolist(), timeline.condition.tolist(), timeline.causes.tolist(), strict=True)
    for place, seconds, condition, causes in columns:
        state = "down" if seconds > 0 else "impaired" if condition else "nominal"
        label = timeline.conditions[condition].label
        yield (*place, state, round(seconds, 3), label, " + ".join(timeline.cause_sets[causes]))


def outage_rows(stretch: Stretch, tables: Tables) -> Iterator[tuple[object, ...]]:
    """Give a row for each outage, with all the causes that stood behind it."""
    outages = stretch.outages
    causes: list[dict[str, None]] = [{} for _ in range(len(outages))]
    for outage, cause_set in zip(outages.piece_outage.tolist(), outages.piece_causes.tolist(), strict=True):
        causes[outage] |= dict.fromkeys(stretch.timeline.cause_sets[cause_set])
    columns = zip(
        _places(stretch, tables.zone, outages.start, outages.end),
        outages.seconds.tolist(),
        causes,
        outages.closed_by.tolist(),
        outages.stages.tolist(),
        strict=True,
    )
    for place, seconds, names, closed_by, stages in columns:
        ended = ClosedBy(closed_by).name.lower()
        yield (*place, round(seconds, 3), " + ".join(names), ended, *(round(s, 3) for s in stages))


def incident_rows(stretch: Stretch, tables: Tables) -> Iterator[tuple[object, ...]]:
    """Give a row for each fault and each planned work."""
    incidents = stretch.incidents
    columns = zip(
        _places(stretch, tables.zone, incidents.start, incidents.end),
        incidents.unit.tolist(),
        incidents.mode.tolist(),
        _stage_seconds(incidents, stretch.timeline.length).tolist(),
        strict=True,
    )
    for place, number, mode, stages in columns:
        unit = tables.units[number]
        if mode < len(unit.modes):
            cause = unit.modes[mode].cause
        else:
            cause = unit.calendar.cause if unit.calendar is not None else "planned change"
        yield (*place, unit.name, cause, *(round(s, 3) for s in stages))


def _places(stretch: Stretch, zone: Zone, start: Floats, end: Floats) -> list[tuple[object, ...]]:
    seconds = ([round(x, 3) if np.isfinite(x) else "" for x in column.tolist()] for column in (start, end))
    return list(
        zip(
            [stretch.stream] * len(start),
            timestamps(zone, start),
            timestamps(zone, end),
            *seconds,
            strict=True,
        )
    )


def _stage_seconds(incidents: Incidents, length: float) -> Floats:
    """Return (n, 8) seconds by stage, those of an open incident up to the end of the record."""
    seconds = np.zeros((len(incidents), len(Stage)))
    many = np.diff(incidents.stage_first)
    of = np.repeat(np.arange(len(incidents)), many)
    ends = np.minimum(incidents.end, length)[of]
    inner = np.ones(len(of), dtype=bool)
    inner[incidents.stage_first[1:] - 1] = False
    ends[inner] = incidents.stage_start[1:][inner[:-1]]
    np.add.at(seconds, (of, incidents.stage_kind), ends - incidents.stage_start)
    return seconds
