"""Probes a simulated stretch as a pattern says, and counts what a store would have of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from callsim.live.probing import Leg
from callsim.validating.fares import BINS, Drawn, Fare, Steady
from callsim.validating.legs import Matching, Place
from callsim.validating.pattern import Pattern
from callsim.validating.states import Course, Streets
from carriers.calendars import HOUR, WEEK, Zone
from results.probes import Probes, Series, joined
from results.sight import NOWHERE, Seen, see
from results.store.bins import MOS, RATIO, SHORTEST, STEP, bin_of
from results.stretches import Stretches, union
from results.timeline import HOURS_PER_WEEK, Floats

Index = NDArray[np.intp]
MOS_BINS = bin_of(MOS, 5.0) + 1


@dataclass(frozen=True)
class Sums:
    """What the calls of a leg came to, as the store sums it."""

    told: int
    connected: int
    pdd_total: float
    pdd: Floats
    """(BINS,) calls by post-dial delay."""
    mos_total: float
    mos: Floats
    """(MOS_BINS,)"""


def no_sums() -> Sums:
    """Give those of no calls."""
    return Sums(0, 0, 0.0, np.zeros(BINS), 0.0, np.zeros(MOS_BINS))


def added(parts: Iterable[Sums]) -> Sums:
    """Add up those of several legs."""
    told = connected = 0
    pdd_total = mos_total = 0.0
    pdd, mos = np.zeros(BINS), np.zeros(MOS_BINS)
    for part in parts:
        told, connected = told + part.told, connected + part.connected
        pdd_total, mos_total = pdd_total + part.pdd_total, mos_total + part.mos_total
        pdd, mos = pdd + part.pdd, mos + part.mos
    return Sums(told, connected, pdd_total, pdd, mos_total, mos)


@dataclass(frozen=True)
class _Line:
    """A leg as a location probes it, where nothing is wrong."""

    series: Series
    leg: Leg
    slots: Floats
    fare: Fare
    hours: Index
    """Hour of the week of each slot."""
    hazard: Floats
    """(n + 1,) sum over slots, in whose units failures come at random."""
    steady: Steady
    told: int


class Prober:
    """Probes stretches of streams of one scenario as one pattern says."""

    def __init__(self, streets: Streets, zone: Zone, pattern: Pattern, matching: Matching) -> None:
        self._streets, self._zone = streets, zone
        self.pattern, self._matching = pattern, matching

    @cached_property
    def _lines(self) -> list[_Line]:
        """Work out what is the same in all stretches; a stream has to have been followed before."""
        found = []
        zone, pattern = self._zone, self.pattern
        for series, slots in pattern.slots.items():
            place = series.test, series.over
            fare = self._streets.fare(place, 0)
            hours = _hours(zone, slots - zone.origin)
            fails = np.minimum(fare.fails[hours], 1.0 - 1e-12)
            counted = slots >= pattern.since
            weights = np.bincount(hours[counted], minlength=HOURS_PER_WEEK).astype(np.float64)
            found.append(
                _Line(
                    series,
                    self._matching.legs[place].leg,
                    slots,
                    fare,
                    hours,
                    np.concatenate(([0.0], np.cumsum(-np.log1p(-fails)))),
                    fare.steady(weights),
                    int(counted.sum()),
                )
            )
        return found

    def probe(
        self, courses: dict[Place, Course], shift: float, rng: np.random.Generator
    ) -> tuple[Seen, dict[Series, Sums]]:
        """Probe a stretch: what is at stream time t is met at POSIX time t + origin - shift."""
        parts, sums = [], {}
        steady: dict[Series, Stretches] = {}
        for line in self._lines:
            course = courses[line.series.test, line.series.over]
            rows, left_out, sums[line.series] = self._line(line, course, shift, rng)
            parts.append(rows)
            steady[line.series] = left_out
        pattern = self.pattern
        probes = replace(joined([*parts, pattern.untold]), steady=steady)
        probes = _thinned(probes.rows(probes.ended <= pattern.until), pattern.reaches)
        seen = see(
            probes,
            pattern.misses,
            self._matching.subjects_of,
            pattern.reaches,
            pattern.since,
            pattern.until,
        )
        return seen, sums

    def _line(
        self, line: _Line, course: Course, shift: float, rng: np.random.Generator
    ) -> tuple[Probes, Stretches, Sums]:
        slots, to_stream = line.slots, shift - self._zone.origin
        wrong, state = _met(course, slots + to_stream)
        unlucky = np.searchsorted(line.hazard, rng.random(rng.poisson(line.hazard[-1])) * line.hazard[-1]) - 1
        unlucky = np.setdiff1d(unlucky, wrong)
        rows = np.concatenate((wrong, unlucky))
        start = slots[rows].copy()
        drawn = self._drawn(line, state, rows[: len(wrong)], rng)
        failed = line.fare.draw(line.hours[unlucky], rng, failing=True)
        drawn = _both(drawn, failed)
        again = line.leg.test.again
        for _ in range(again.times if again else 0):
            (bad,) = np.nonzero(~drawn.passes)
            if not len(bad):
                break
            assert again is not None  # there are repeats
            start[bad] += drawn.lasts[bad] + again.after
            states = course.at(start[bad] + to_stream)
            drawn.put(bad, self._drawn(line, states, rows[bad], rng))
        sums = _sums(line, slots[rows] >= self.pattern.since, drawn, rng)
        return *self._told(line, rows, start, drawn), sums

    def _told(self, line: _Line, rows: Index, start: Floats, drawn: Drawn) -> tuple[Probes, Stretches]:
        """Give the probes that are drawn, with good ones beside them, and when all others were good."""
        slots, lasts = line.slots, line.fare.good_lasts
        (anchors,) = np.nonzero(self.pattern.anchors[line.series])
        beside = np.concatenate((rows - 1, rows + 1, anchors))
        extra = np.setdiff1d(beside[(beside >= 0) & (beside < len(slots))], rows)
        at = np.concatenate((rows, extra))
        started = np.concatenate((start, slots[extra]))
        ended = np.concatenate((start + drawn.lasts, slots[extra] + lasts))
        passed = np.concatenate((drawn.passes, np.ones(len(extra), np.bool_))).astype(np.int8)
        order = np.argsort(at)
        at, first, last = at[order], started[order], ended[order]
        (gap,) = np.nonzero(np.diff(at) > 1)
        left_out = union(last[gap], first[gap + 1])
        order = np.argsort(ended, kind="stable")
        nothing = np.full(len(order), np.nan)
        series = np.zeros(len(order), dtype=np.int32)
        return Probes(
            (line.series,), series, nothing, started[order], ended[order], passed[order], nothing
        ), left_out

    def _drawn(self, line: _Line, states: Index, rows: Index, rng: np.random.Generator) -> Drawn:
        """Draw what becomes of probes, each in its state."""
        count = len(rows)
        nan = np.full(count, np.nan)
        found = Drawn(np.zeros(count, np.bool_), np.zeros(count, np.bool_), nan, nan.copy(), np.zeros(count))
        place = line.series.test, line.series.over
        for state in np.unique(states).tolist():
            (mine,) = np.nonzero(states == state)
            fare = self._streets.fare(place, state)
            found.put(mine, fare.draw(line.hours[rows[mine]], rng))
        return found


def _thinned(probes: Probes, reaches: Mapping[Series, float]) -> Probes:
    """Leave out bad probes between bad ones of the same leg, where no other leg has told anything meanwhile.

    Like good ones between good ones they bound no outage.
    """
    if len(probes) < 3:
        return probes
    bad, series = probes.passed == 0, probes.series
    reach = np.array([reaches.get(leg, 0.0) for leg in probes.of])[series]
    near = (probes.ended[1:] - probes.started[:-1] <= reach[:-1]) & (series[1:] == series[:-1])
    pair = near & bad[1:] & bad[:-1]
    (left_out,) = np.nonzero(pair[1:] & pair[:-1])
    left_out += 1
    steady = dict(probes.steady)
    for number in np.unique(series[left_out]).tolist():
        mine = left_out[series[left_out] == number]
        known = steady.get(probes.of[number], NOWHERE)
        steady[probes.of[number]] = union(
            np.concatenate((known.start, probes.ended[mine - 1])),
            np.concatenate((known.end, probes.started[mine + 1])),
        )
    kept = np.ones(len(probes), dtype=np.bool_)
    kept[left_out] = False
    return replace(probes.rows(kept), steady=steady)


def _met(course: Course, t: Floats) -> tuple[Index, Index]:
    """Find the slots (sorted, seconds of the stream) at which a leg is not as it should be, and its state."""
    first, last = np.searchsorted(course.end, t[0], side="right"), np.searchsorted(course.start, t[-1])
    begins = np.searchsorted(t, course.start[first:last])
    counts = np.maximum(np.searchsorted(t, course.end[first:last]) - begins, 0)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(begins, counts) + nth, np.repeat(course.state[first:last], counts)


def _hours(zone: Zone, t: Floats) -> Index:
    hours: Index = (zone.local_array(t) % WEEK // HOUR).astype(np.intp)
    return hours


def _both(one: Drawn, other: Drawn) -> Drawn:
    return Drawn(
        np.concatenate((one.passes, other.passes)),
        np.concatenate((one.connects, other.connects)),
        np.concatenate((one.pdd, other.pdd)),
        np.concatenate((one.mos, other.mos)),
        np.concatenate((one.lasts, other.lasts)),
    )


def _sums(line: _Line, counted: NDArray[np.bool_], drawn: Drawn, rng: np.random.Generator) -> Sums:
    """Count the calls of a leg: those that were drawn one by one, and all others together."""
    pdd, mos = drawn.pdd[counted & drawn.connects], drawn.mos[counted & drawn.connects]
    pdd, mos = pdd[~np.isnan(pdd)], mos[~np.isnan(mos)]
    rest = line.told - int(counted.sum())
    steady = line.steady
    pdd_bins = np.bincount(pdd_bin(pdd), minlength=BINS).astype(np.float64)
    mos_bins = np.bincount(mos_bin(mos), minlength=MOS_BINS).astype(np.float64)
    pdd_total, mos_total = float(pdd.sum()), float(mos.sum())
    if len(steady.bins):
        many = rng.multinomial(rest, steady.delay_chance)
        pdd_bins[steady.bins] += many
        pdd_total += float((many * steady.delay_mean).sum())
    if len(steady.mos):
        unrated = max(1.0 - float(steady.mos_chance.sum()), 0.0)
        many = rng.multinomial(rest, np.append(steady.mos_chance, unrated))[:-1]
        mos_bins += np.bincount(mos_bin(steady.mos), many, minlength=MOS_BINS)
        mos_total += float((many * steady.mos).sum())
    connected = rest + int((counted & drawn.connects).sum())
    return Sums(line.told, connected, pdd_total, pdd_bins, mos_total, mos_bins)


def pdd_bin(seconds: Floats) -> Index:
    """Give the store's bin of each post-dial delay; of very long ones the last."""
    bins = np.floor(np.log(np.maximum(seconds, SHORTEST) / SHORTEST) / np.log(RATIO))
    return np.asarray(np.minimum(bins, BINS - 1), dtype=np.intp)


def mos_bin(mos: Floats) -> Index:
    """Give the store's bin of each MOS."""
    return np.clip(np.floor(mos / STEP), 0, MOS_BINS - 1).astype(np.intp)
