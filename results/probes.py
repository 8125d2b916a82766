"""What probes tell of a service, in columns."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.stretches import Stretches, union
from results.timeline import Floats, Ints
from results.weekly import Index

Flags = NDArray[np.bool_]


class Series(NamedTuple):
    """A leg as one location sees it."""

    location: str
    test: str
    over: str
    """A trunk's name, `route`, or `boreal/1 to atlantic/1`."""


@dataclass(frozen=True)
class Probes:
    """Probes, columnar (n,), sorted by `ended`; of a slot the try that counts. POSIX seconds."""

    of: tuple[Series, ...]
    series: Ints
    """Indexes `of`."""
    due: Floats
    """Time of its slot; NaN where it had none."""
    started: Floats
    ended: Floats
    passed: NDArray[np.int8]
    """1 or 0; -1 where it says nothing of the carrier."""
    mos: Floats
    """NaN where it is not known."""
    steady: Mapping[Series, Stretches] = field(default_factory=dict)
    """Times in which a leg's probes all came and were good, so that they are left out."""

    def __len__(self) -> int:
        """Count the probes."""
        return len(self.started)

    def rows(self, which: Any) -> Probes:  # noqa: ANN401 - whatever indexes an array
        """Keep these probes."""
        kept = {f.name: getattr(self, f.name)[which] for f in fields(self) if f.name not in ("of", "steady")}
        return replace(self, **kept)

    def only(self, legs: Container[Series]) -> Probes:
        """Keep those of these legs."""
        known = np.array([series in legs for series in self.of], dtype=np.bool_)
        kept = self.rows(known[self.series])
        number = (np.cumsum(known) - 1).astype(np.int32)
        of = tuple(series for series in self.of if series in legs)
        return replace(kept, of=of, series=number[kept.series])


def joined(parts: Sequence[Probes]) -> Probes:
    """Join probes of different times, of which no two are the same."""
    of = tuple(dict.fromkeys(series for part in parts for series in part.of))
    series = [
        np.array([of.index(one) for one in part.of], dtype=np.int32)[part.series]
        if len(part)
        else part.series
        for part in parts
    ]
    columns = [
        np.concatenate([np.empty(0), *(getattr(part, name) for part in parts)])
        for name in ("due", "started", "ended", "passed", "mos")
    ]
    due, started, ended, passed, mos = columns
    numbers = np.concatenate([np.empty(0, dtype=np.int32), *series]).astype(np.int32)
    whole = Probes(of, numbers, due, started, ended, passed.astype(np.int8), mos)
    return whole.rows(np.argsort(ended, kind="stable"))


@dataclass(frozen=True)
class Misses:
    """Slots without a probe, columnar (n,), sorted by `due`; POSIX seconds."""

    of: tuple[Series, ...]
    series: Ints
    """Indexes `of`."""
    due: Floats
    """Of the first of them."""
    count: Ints


def misses_of(rows: Iterable[tuple[Series, float, int]]) -> Misses:
    """Make columns of missed slots: whose, when due, how many."""
    listed = sorted(rows, key=lambda row: row[1])
    of = tuple(dict.fromkeys(series for series, *_ in listed))
    number = {series: n for n, series in enumerate(of)}
    return Misses(
        of,
        np.array([number[series] for series, *_ in listed], dtype=np.int32),
        np.array([due for _, due, _ in listed], dtype=np.float64),
        np.array([count for *_, count in listed], dtype=np.int32),
    )


def reach_of(every: float | None, jitter: float, lasts: float = 0.0) -> float:
    """Seconds from a probe's start for which it tells: two cadences with jitter and what a probe `lasts`.

    Without a cadence it tells until the next one, however late: inf.
    """
    return math.inf if every is None else 2.0 * every + jitter + lasts


@dataclass(frozen=True)
class Telling:
    """The probes that change what is known: rows (m,) of `Probes`, in their order."""

    row: Index
    sees_until: Floats
    """Instant after which nothing is known unless a later one of the rows tells; inf: none."""


def telling(probes: Probes, reaches: Mapping[Series, float]) -> Telling:
    """Leave out good probes between good ones that come in time; what is found stays the same."""
    row, new = _by_series(probes, probes.passed >= 0)
    reach = np.array([reaches[series] for series in probes.of])[probes.series[row]] if len(row) else row * 1.0
    started, ended, bad = probes.started[row], probes.ended[row], probes.passed[row] == 0
    last = np.append(new[1:], True)[: len(row)]
    until = started + reach
    lost = last.copy()
    lost[:-1] |= reach[:-1] < _apart(probes, probes.series[row][:-1], started[:-1], ended[1:])
    edge = new | lost | bad
    edge[1:] |= lost[:-1] | bad[:-1]
    edge[:-1] |= bad[1:]
    until = np.where(lost, until, np.inf)
    nothing = np.flatnonzero(probes.passed < 0)
    kept = np.concatenate((row[edge], nothing))
    until = np.concatenate((until[edge], np.full(len(nothing), np.inf)))
    order = np.argsort(kept, kind="stable")
    return Telling(kept[order], until[order])


def unknown_of(
    probes: Probes, misses: Misses, reaches: Mapping[Series, float], since: float, until: float
) -> dict[Series, Stretches]:
    """Find when nothing is known of each leg in `reaches`, between `since` and `until`.

    That is from the end of a probe that tells to the start of the next, where they are too far apart or where
    a slot between them told nothing.
    """
    told = probes.passed >= 0
    number = {series: n for n, series in enumerate(probes.of)}
    missing = {series: n for n, series in enumerate(misses.of)}
    found = {}
    for series, reach in reaches.items():
        mine = probes.series == number.get(series, -1)
        own = mine & told
        nothing = np.concatenate(
            (probes.ended[mine & ~told], misses.due[misses.series == missing.get(series, -1)])
        )
        # Two that are not there stand for the ends: nothing is known before the first, and after the last.
        started = np.concatenate(([-np.inf], probes.started[own], [np.inf]))
        ended = np.concatenate(([-np.inf], probes.ended[own], [np.inf]))
        before = np.searchsorted(np.sort(nothing), started)
        apart = _apart(probes, np.full(len(started) - 1, number.get(series, -1)), started[:-1], ended[1:])
        lost = (np.diff(before) > 0) | (apart > reach)
        lost[0] = True
        if own.any() and until - started[-2] <= reach and before[-1] == before[-2]:
            lost[-1] = False
        begins, ends = np.maximum(ended[:-1][lost], since), np.minimum(started[1:][lost], until)
        found[series] = union(begins, ends)
    return found


def _apart(probes: Probes, series: Ints | Index, start: Floats, end: Floats) -> Floats:
    """Seconds from each start to its end, without those in which the leg's probes are left out."""
    seconds = end - start
    for number, leg in enumerate(probes.of):
        if leg in probes.steady:
            (mine,) = np.nonzero(series == number)
            steady = probes.steady[leg]
            seconds[mine] -= steady.before(end[mine]) - steady.before(start[mine])
    return seconds


def _by_series(probes: Probes, which: Flags) -> tuple[Index, Flags]:
    """Give rows series by series, each in its order, and whether each is the first of its series."""
    (row,) = np.nonzero(which)
    row = row[np.argsort(probes.series[row], kind="stable")]
    new = np.ones(len(row), dtype=np.bool_)
    new[1:] = np.diff(probes.series[row]) != 0
    return row, new
