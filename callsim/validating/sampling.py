"""Simulates many stretches as a pattern probes them, and keeps what each of them told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from callsim.plan.model import Plan
from callsim.pool import pool_of
from callsim.validating.facts import ADDITIVE, COLUMNS, Facts, facts_of
from callsim.validating.legs import Matching, match
from callsim.validating.pattern import Pattern
from callsim.validating.probing import Prober
from callsim.validating.states import Streets
from carriers.calendars import DAY, WEEK
from results.timeline import Floats
from sim import Tables, simulate

YEAR = 365.25 * DAY
STREAM_YEARS = 20.0
"""A stream's length, if it holds one stretch."""
SHARES = 8
"""Streams that a part has at least, so that processes share them."""
KEY = 0x7A11
SPAN = 1_000_000
"""Numbers of streams that each part has to itself."""


@dataclass(frozen=True)
class Sample:
    """What n stretches told of s subjects."""

    values: Floats
    """(n, s, c) figures by `COLUMNS`; NaN where a stretch tells nothing."""
    sums: Floats
    """(n, s, a) by `ADDITIVE`."""
    lengths: tuple[Floats, ...]
    """Of each subject the length of every outage, in order."""

    @classmethod
    def of(cls, told: Sequence[Mapping[str, Facts]], subjects: Sequence[str], seconds: float) -> Sample:
        """Make one of facts."""
        values = [[[one[s].value(metric) for metric in COLUMNS] for s in subjects] for one in told]
        sums = [[one[s].additive(seconds) for s in subjects] for one in told]
        shape = len(told), len(subjects)
        return cls(
            np.array(values, dtype=np.float64).reshape(*shape, len(COLUMNS)),
            np.array(sums, dtype=np.float64).reshape(*shape, len(ADDITIVE)),
            tuple(np.concatenate([np.empty(0), *(one[s].lengths for one in told)]) for s in subjects),
        )

    @classmethod
    def joined(cls, parts: Sequence[Sample]) -> Sample:
        """Join samples of the same subjects."""
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.sums for part in parts]),
            tuple(np.concatenate(own) for own in zip(*(part.lengths for part in parts), strict=True)),
        )


@dataclass(frozen=True)
class Part:
    """Stretches of one scenario, probed as one pattern says."""

    tables: Tables
    pattern: Pattern
    stretches: int
    whole_weeks: bool = True
    """Whether every stretch begins at the same hour of the week; else one follows the other."""

    @property
    def stride(self) -> float:
        """Seconds from one stretch to the next."""
        return self.pattern.stride() if self.whole_weeks else math.ceil(self.pattern.length / DAY) * DAY

    def streams(self) -> Iterable[tuple[int, int]]:
        """Give how many stretches each stream has, with the years that they take."""
        fits = max(int(STREAM_YEARS * YEAR // self.stride), 1)
        each = min(fits, -(-self.stretches // SHARES))
        left = self.stretches
        while left > 0:
            count = min(each, left)
            yield count, math.ceil((count * self.stride + self.pattern.lead + 2 * WEEK) / YEAR)
            left -= count


def played(
    part: Part, streets: Streets, matching: Matching, seed: int, stream: tuple[int, int, int]
) -> list[dict[str, Facts]]:
    """Play a stream, given as its number, stretches and years; what each stretch told."""
    number, count, years = stream
    (replication,) = simulate(part.tables, [(number, years)], seed)
    courses = streets.courses(replication)
    prober = Prober(streets, part.tables.zone, part.pattern, matching)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(KEY, number)))
    first = part.pattern.since - part.pattern.lead - part.tables.zone.origin
    shift = -math.floor(first / WEEK) * WEEK
    told = []
    for stretch in range(count):
        seen, sums = prober.probe(courses, shift + stretch * part.stride, rng)
        told.append(facts_of(seen, sums, matching, matching.subjects))
    return told


@dataclass
class _Work:
    """What a process needs to play the streams of all parts."""

    parts: Sequence[Part]
    plan: Plan
    names: Mapping[str, str]
    seed: int
    counts: Mapping[int, int]
    """Stretches of each stream."""
    _made: dict[int, tuple[Streets, Matching]] = field(default_factory=dict, repr=False)

    def play(self, number: int, years: int) -> Sample:
        part = self.parts[number // SPAN]
        streets, matching = self._streets(number // SPAN)
        told = played(part, streets, matching, self.seed, (number, self.counts[number], years))
        return Sample.of(told, matching.subjects, part.pattern.length)

    def _streets(self, part: int) -> tuple[Streets, Matching]:
        if part not in self._made:
            tables = self.parts[part].tables
            matching = match(self.plan, tables, self.names)
            self._made[part] = Streets(tables, matching), matching
        return self._made[part]


def sampled(
    parts: Sequence[Part], plan: Plan, names: Mapping[str, str], seed: int, jobs: int = 1
) -> list[Sample]:
    """Simulate the stretches of all parts; the answer does not depend on `jobs`."""
    streams: list[tuple[int, int]] = []
    counts: dict[int, int] = {}
    for place, part in enumerate(parts):
        for n, (count, years) in enumerate(part.streams()):
            number = place * SPAN + n
            streams.append((number, years))
            counts[number] = count
    found: dict[int, Sample] = {}
    with pool_of(_Work(parts, plan, names, seed, counts), min(jobs, len(streams))) as pool:
        for number, _, sample in pool.play(streams, math.inf):
            found[number] = sample  # noqa: PERF403 - they come as they are done
    return [
        Sample.joined([found[number] for number in sorted(found) if number // SPAN == place])
        for place in range(len(parts))
    ]
