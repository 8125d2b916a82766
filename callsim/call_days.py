"""Calls of a stretch summed by day, as the evaluated mode expects them beside those that were placed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carriers.calendars import DAY, HOUR
from results.calls import CallColumns, Flags
from results.hearing import SCALES, CallSums, Inbound, Path, Rated, Sound, add_rated, sum_calls
from results.timeline import Branch, Floats, Timeline
from results.weekly import LocalSpans, tally
from sim import Tables

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Days:
    """Sums of n days, the last of which may be cut short."""

    calls: CallSums
    dropped: Floats
    """(n,)"""
    carried: Floats
    """(n, carriers) calls from us."""
    within: Floats
    """(n, delays) connected calls from us whose post-dial delay was at most that."""


def joined(parts: Sequence[Days]) -> Days:
    """Put the days of several stretches behind one another."""
    from results.hearing import joined as join_calls  # noqa: PLC0415 - the same word for their sums

    return Days(
        join_calls([part.calls for part in parts]),
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("dropped", "carried", "within")),
    )


def bounds_of(horizon_s: float) -> Floats:
    """Return the starts of the days, and the end of the last."""
    return np.append(np.arange(0.0, horizon_s, DAY), horizon_s)


def expected(tables: Tables, timeline: Timeline, delays: Sequence[float]) -> Days:
    """Integrate what the evaluated mode expects of each day; `delays` are post-dial delays in seconds."""
    traffic, zone, bounds = tables.traffic, tables.zone, bounds_of(timeline.length)
    assert traffic is not None  # no calls are placed without
    inbound = Inbound(traffic.inbound, tables.down_above) if traffic.inbound else None
    sums = sum_calls(timeline, zone, bounds, traffic.calls_per_hour, inbound).by_year
    edges = np.unique(np.concatenate((timeline.start, timeline.end, zone.changes, bounds)))
    edges = edges[(edges >= 0.0) & (edges <= timeline.length)]
    row = np.searchsorted(timeline.start, edges[:-1], side="right") - 1
    condition = np.zeros(len(row), dtype=np.intp)
    inside = (row >= 0) & (edges[:-1] < timeline.end[row]) if len(timeline.end) else row < -1
    condition[inside] = timeline.condition[row[inside]]
    day = np.searchsorted(bounds, edges[:-1], side="right") - 1
    spans, rate = LocalSpans(zone, edges[:-1], edges[1:]), np.asarray(traffic.calls_per_hour) / HOUR
    names = [carrier.name for carrier in tables.carriers]
    outbound = [[b for b in c.branches if not b.inbound] for c in timeline.conditions]
    per_call = [
        np.stack([sum((b.share for b in own if b.carrier == name), 0.0 * rate) for own in outbound])
        for name in names
    ] + [np.stack([sum((b.share * _by(b, d) for b in own), 0.0 * rate) for own in outbound]) for d in delays]
    found = [tally(day, spans.integrate(row * rate, condition), len(bounds) - 1) for row in per_call]
    table = np.stack(found, axis=1)
    dropped = np.histogram(timeline.drop_at, bounds, weights=timeline.drop_calls)[0]
    return Days(sums, dropped, table[:, : len(names)], table[:, len(names) :])


def _by(branch: Branch, delay: float) -> float:
    """Chance that a call of a branch rings within `delay` seconds."""
    if branch.delay is None:
        return float(delay >= branch.offset)
    below, limit = (
        float(branch.delay.cdf(np.asarray(x)))
        for x in (min(delay - branch.offset, branch.limit), branch.limit)
    )
    return below / limit


def counted(
    calls: CallColumns, which: Flags, horizon_s: float, poor_below: float | None, delays: Sequence[float]
) -> Days:
    """Count those calls of each day that `which` picks."""
    bounds = bounds_of(horizon_s)
    days = len(bounds) - 1
    day = np.minimum((calls.offered // DAY).astype(np.intp), days - 1)
    ours = which & calls.connected & ~calls.inbound
    lost = which & calls.dropped
    at = calls.set_up[lost] + calls.talk[lost]
    return Days(
        sums_of(calls, which, day, days, poor_below),
        np.histogram(at, bounds)[0].astype(np.float64),
        np.stack(
            [_count(ours & (calls.carrier == n), day, days) for n in range(len(calls.carriers))], axis=1
        ),
        np.stack([_count(ours & (calls.delay <= d), day, days) for d in delays], axis=1)
        if delays
        else np.zeros((days, 0)),
    )


def _count(which: Flags, place: Index, places: int) -> Floats:
    return np.bincount(place[which], minlength=places).astype(np.float64)


def sums_of(
    calls: CallColumns, which: Flags, place: Index, places: int, poor_below: float | None
) -> CallSums:
    """Sum calls up by the place of each; nothing is known of the time that a direction is down."""
    failed, one_way, mos = which & ~calls.connected, which & calls.one_way, calls.mos
    poor = np.zeros(len(calls), dtype=np.bool_) if poor_below is None else mos < poor_below
    scale = np.asarray([*(SCALES.index(h.scale) if h.scale else -1 for h in calls.sounds), -1])[calls.heard]
    of_scale = [which & (scale == n) for n in range(len(SCALES))]
    return CallSums(
        offered=_count(which, place, places),
        failed=_count(failed, place, places),
        blocked=_count(which & calls.blocked, place, places),
        one_way=_count(one_way, place, places),
        inbound=_count(which & calls.inbound, place, places),
        inbound_failed=_count(failed & calls.inbound, place, places),
        rated=np.stack([_count(own, place, places) for own in of_scale], axis=1),
        mos=np.stack([np.bincount(place[own], mos[own], places) for own in of_scale], axis=1),
        poor=np.stack([_count(own & poor, place, places) for own in of_scale], axis=1),
        down=np.zeros((places, 2)),
    )


def connected_paths(calls: CallColumns) -> dict[Path, float]:
    """Count connected calls by carrier and direction; attempts and delays stay in the columns."""
    found: dict[Path, float] = {}
    for n, name in enumerate(calls.carriers):
        for inbound in (False, True):
            many = int(((calls.carrier == n) & (calls.inbound == inbound)).sum())
            if many:
                found[Path(name, 1, 0.0, None, math.inf, inbound)] = float(many)
    return found


def add_sounds(calls: CallColumns, sounds: dict[Sound, Rated]) -> None:
    """Add the rated calls to those that sounded alike."""
    rated = ~np.isnan(calls.mos)
    keys = np.stack((calls.heard, calls.carrier, calls.inbound), axis=1)[rated]
    for (heard, carrier, inbound), many in zip(*np.unique(keys, axis=0, return_counts=True), strict=True):
        sound = calls.sounds[heard]
        assert sound.mos is not None  # it is rated
        key = Sound(calls.carriers[carrier], bool(inbound), sound.scale, round(sound.mos, 2), sound.spoilt_by)
        add_rated(sounds, key, Rated(float(many), float(many) * sound.mos))
