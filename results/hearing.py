"""Calls of a stream summed up exactly: how many connect, over whom, how they sound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from carriers.calendars import HOUR, WEEK, Zone
from carriers.laws import Law
from results.timeline import HOURS_PER_WEEK, Branch, Condition, Floats, Heard, Timeline
from results.weekly import Index, LocalSpans, cut

SCALES = ("MOS-CQE", "MOS-CQEW")
"""Those of `Heard.scale`, in the order of the columns of `CallSums`; their figures are never mixed."""


COLUMNS = (
    "offered", "failed", "blocked", "inbound", "one_way",
    *(f"{name} {scale}" for scale in SCALES for name in ("rated", "mos", "poor")),
    "down outbound", "down inbound",
)  # fmt: skip
"""Sums over calls, with the time that each direction is down."""
DOWN = np.array([COLUMNS.index("down outbound"), COLUMNS.index("down inbound")])


class Path(NamedTuple):
    """One way in which calls connected: a `Branch` without its shares; of calls to us only by whom."""

    carrier: str
    attempts: int
    offset: float
    delay: Law | None
    limit: float
    inbound: bool = False


class Sound(NamedTuple):
    """How rated calls sounded."""

    carrier: str
    inbound: bool
    scale: str
    mos: float
    """Rounded to 0.01."""
    spoilt_by: str
    """What spoilt them; empty: they are not poor."""


class Rated(NamedTuple):
    """Calls that have a MOS, and the sum of theirs."""

    calls: float
    mos: float


class Inbound(NamedTuple):
    """What tells calls to us apart from calls from us."""

    share: float
    """Of the calls offered."""
    down_above: float
    """A direction is down where the chance that a call of it fails is above this."""


@dataclass(frozen=True)
class CallSums:
    """Expected calls in n stretches of time, (n,) each; (n, 2) by `SCALES` or by direction."""

    offered: Floats
    failed: Floats
    """They did not connect."""
    blocked: Floats
    """They did not for want of a channel."""
    one_way: Floats
    """They connected, and one side heard nothing."""
    inbound: Floats
    """Offered to us."""
    inbound_failed: Floats
    """To us, and did not connect."""
    rated: Floats
    """(n, 2) connected calls that have a MOS."""
    mos: Floats
    """(n, 2) sum of it."""
    poor: Floats
    """(n, 2) poor ones among the rated."""
    down: Floats
    """(n, 2) seconds that calls from us, and calls to us, are down; zero where there are none to us."""

    def total(self) -> CallSums:
        """Add all stretches up to one."""
        return CallSums(*(getattr(self, f.name).sum(axis=0, keepdims=True) for f in fields(self)))


def joined(parts: Sequence[CallSums]) -> CallSums:
    """Put stretches behind one another."""
    return CallSums(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(CallSums)))


def no_calls(stretches: int) -> CallSums:
    """Return the sums of stretches without any call."""
    pairs = ("rated", "mos", "poor", "down")
    return CallSums(*(np.zeros((stretches, 2) if f.name in pairs else stretches) for f in fields(CallSums)))


@dataclass(frozen=True)
class Calls:
    """The calls of a stream."""

    by_year: CallSums
    busy_hour: CallSums
    """(1,) what the busy hours of all weeks have together."""
    connected: dict[Path, float]
    sounds: dict[Sound, Rated]


def busiest(calls_per_hour: Sequence[float]) -> int:
    """Return the hour of the week, Monday 00:00 is 0, with the most calls; the first of equal ones."""
    return int(np.argmax(calls_per_hour))


def sum_calls(
    timeline: Timeline,
    zone: Zone,
    bounds: Floats,
    calls_per_hour: Sequence[float],
    inbound: Inbound | None = None,
) -> Calls:
    """Sum the calls up; `bounds` are the starts of the years and the end of the last, in seconds.

    Time is first counted by year, condition and hour of the week, of which every sum is a product.
    """
    rate = np.asarray(calls_per_hour) / HOUR
    time = _Time(timeline, zone, bounds)
    by_year, busy = np.zeros((len(bounds) - 1, len(COLUMNS))), np.zeros((1, len(COLUMNS)))
    connected: dict[Path, float] = {}
    sounds: dict[Sound, list[float]] = {}
    hour = busiest(calls_per_hour)
    for number, condition in enumerate(timeline.conditions):
        year, seconds = time.of(number)
        spent = seconds.sum(axis=0)
        mixture = _mixture_of(condition)
        columns, table = mixture.columns, mixture.table * rate
        if inbound is not None:
            columns = np.concatenate((columns, DOWN))
            table = np.concatenate((table, _down(condition, inbound)))
        by_year[np.ix_(year, columns)] += np.einsum("yh,th->yt", seconds, table)
        busy[0, columns] += spent[hour] * table[:, hour]
        mixture.add(spent * rate, connected, sounds)
    share = 0.0 if inbound is None else inbound.share
    rated = {sound: Rated(*sums) for sound, sums in sounds.items()}
    return Calls(_sums(by_year, share), _sums(busy, share), connected, rated)


class _Time:
    """Seconds spent in each condition, by year and hour of the local week."""

    def __init__(self, timeline: Timeline, zone: Zone, bounds: Floats) -> None:
        start, end, condition = _gapless(timeline)
        start, end, of = cut(start, end, np.union1d(zone.changes, bounds))
        spans = LocalSpans(zone, start, end)
        years = len(bounds) - 1
        year = np.searchsorted(bounds, start, side="right") - 1
        cell = condition[of] * years + year
        present = np.zeros(len(timeline.conditions) * years, dtype=bool)
        present[cell] = True
        (cells,) = np.nonzero(present)
        row, rows = (np.cumsum(present) - 1)[cell], len(cells)
        # Whole hours are counted as differences of integers, which is exact; parts of hours come on top.
        (week_a, hour_a, rest_a), (week_b, hour_b, rest_b) = (
            _split(start + spans.shift),
            _split(end + spans.shift),
        )
        at_a, at_b = row * HOURS_PER_WEEK + hour_a, row * HOURS_PER_WEEK + hour_b
        size = rows * HOURS_PER_WEEK
        whole = (np.bincount(at_a, minlength=size) - np.bincount(at_b, minlength=size)).reshape(rows, -1)
        whole = np.cumsum(whole, axis=1) + np.bincount(row, week_b - week_a, rows)[:, None]
        rest = np.bincount(at_b, rest_b, size) - np.bincount(at_a, rest_a, size)
        self._seconds = np.maximum(whole * HOUR + rest.reshape(rows, -1), 0.0)
        self._year = cells % years
        self._first = np.searchsorted(cells, np.arange(len(timeline.conditions) + 1) * years)

    def of(self, condition: int) -> tuple[Index, Floats]:
        """Return the years that have a condition, (m,), and its seconds in each, (m, 168)."""
        own = slice(self._first[condition], self._first[condition + 1])
        return self._year[own], self._seconds[own]


def _split(local: Floats) -> tuple[Floats, Index, Floats]:
    """Return weeks, hours of the week and seconds of the hour of local times."""
    week, within = np.divmod(local, WEEK)
    hour, rest = np.divmod(within, HOUR)
    return week, hour.astype(np.intp), rest


def _gapless(timeline: Timeline) -> tuple[Floats, Floats, Index]:
    """Return starts, ends and conditions of the whole record: its rows, and condition 0 between them."""
    gap_start = np.concatenate(([0.0], timeline.end))
    gap_end = np.concatenate((timeline.start, [timeline.length]))
    real = gap_start < gap_end
    start = np.concatenate((timeline.start, gap_start[real]))
    order = np.argsort(start, kind="stable")
    end = np.concatenate((timeline.end, gap_end[real]))[order]
    condition = np.concatenate((timeline.condition, np.zeros(real.sum(), dtype=np.int32)))[order]
    return start[order], end, condition.astype(np.intp)


@dataclass(frozen=True, eq=False)
class _Mixture:
    """What calls that meet a condition add to each sum."""

    columns: Index
    """(k,) of `COLUMNS`, those to which they add anything."""
    table: Floats
    """(k, 168) what a call that is offered adds."""
    shares: Floats
    """(branches, 168) share of the calls that each way in which they connect has."""
    paths: tuple[Path, ...]
    path: Index
    """(branches,) of `paths`."""
    rated: Index
    """(r,) the branches whose calls have a MOS."""
    mos: Floats
    """(r,) it."""
    sounds: tuple[Sound, ...]
    sound: Index
    """(r,) of `sounds`."""

    def add(self, calls: Floats, connected: dict[Path, float], sounds: dict[Sound, list[float]]) -> None:
        """Add the calls offered in each hour of the week, (168,), by way and by how they sounded.

        `sounds` has the fields of `Rated`, as lists that are added to in place.
        """
        many = np.einsum("bh,h->b", self.shares, calls)
        rated = many[self.rated]
        by_path = np.bincount(self.path, many, len(self.paths)).tolist()
        by_sound, mos = (
            np.bincount(self.sound, weights, len(self.sounds)).tolist()
            for weights in (rated, rated * self.mos)
        )
        for path, of_path in zip(self.paths, by_path, strict=True):
            if of_path > 0.0:
                connected[path] = connected.get(path, 0.0) + of_path
        for sound, of_sound, total in zip(self.sounds, by_sound, mos, strict=True):
            if of_sound > 0.0:
                had = sounds.get(sound)
                if had is None:
                    sounds[sound] = [of_sound, total]
                else:
                    had[0] += of_sound
                    had[1] += total


@lru_cache(maxsize=200)
def _mixture_of(condition: Condition) -> _Mixture:
    """Work it out, once for what the streams of a process meet again and again."""
    branches = condition.branches
    shares = np.stack([b.share for b in branches]) if branches else np.empty((0, HOURS_PER_WEEK))
    none = np.zeros(HOURS_PER_WEEK)
    rows = {
        "offered": none + 1.0,
        "failed": condition.lost,
        "blocked": none if condition.blocked is None else condition.blocked,
    }
    weights = {"inbound": [float(branch.inbound) for branch in branches]}
    weights |= _of_sounds([branch.heard for branch in branches])
    rows |= {name: np.einsum("b,bh->h", weight, shares) for name, weight in weights.items() if any(weight)}
    paths: dict[Path, int] = {}
    sounds: dict[Sound, int] = {}
    path = [paths.setdefault(_path(branch), len(paths)) for branch in branches]
    rated = [(n, b.heard) for n, b in enumerate(branches) if b.heard and b.heard.mos is not None]
    sound = [sounds.setdefault(_sound(branches[n], heard), len(sounds)) for n, heard in rated]
    return _Mixture(
        columns=np.array([COLUMNS.index(name) for name in rows], dtype=np.intp),
        table=np.stack([*rows.values()]),
        shares=shares,
        paths=tuple(paths),
        path=np.array(path, dtype=np.intp),
        rated=np.array([n for n, _ in rated], dtype=np.intp),
        mos=np.array([heard.mos for _, heard in rated], dtype=np.float64),
        sounds=tuple(sounds),
        sound=np.array(sound, dtype=np.intp),
    )


def _of_sounds(heard: Sequence[Heard | None]) -> dict[str, list[float]]:
    """Return what a call that sounds so adds to each sum."""
    rows = {"one_way": [float(h is not None and h.one_way) for h in heard]}
    for scale in SCALES:
        rated = [None if h is None or h.mos is None or h.scale != scale else h for h in heard]
        rows[f"rated {scale}"] = [float(h is not None) for h in rated]
        rows[f"mos {scale}"] = [0.0 if h is None else h.mos or 0.0 for h in rated]
        rows[f"poor {scale}"] = [float(h is not None and h.spoilt_by != "") for h in rated]
    return rows


def _down(condition: Condition, inbound: Inbound) -> Floats:
    """Return whether each direction is down, (2, 168)."""
    failing = condition.directions or (condition.failing, condition.failing)
    return (np.stack(failing) > inbound.down_above).astype(np.float64)


def _sums(sums: Floats, inbound: float) -> CallSums:
    """Name the columns."""
    column = dict(zip(COLUMNS, sums.T.copy(), strict=True))

    def by_scale(name: str) -> Floats:
        return np.stack([column[f"{name} {scale}"] for scale in SCALES], axis=1)

    to_us = inbound * column["offered"]
    return CallSums(
        offered=column["offered"],
        failed=column["failed"],
        blocked=column["blocked"],
        one_way=column["one_way"],
        inbound=to_us,
        # What is left of a difference by rounding is no call.
        inbound_failed=np.maximum(to_us - column["inbound"], 0.0) if inbound else to_us,
        rated=by_scale("rated"),
        mos=by_scale("mos"),
        poor=by_scale("poor"),
        down=sums[:, DOWN].copy(),
    )


def _path(branch: Branch) -> Path:
    if branch.inbound:
        return Path(branch.carrier, branch.attempts, 0.0, None, math.inf, inbound=True)
    return Path(branch.carrier, branch.attempts, branch.offset, branch.delay, branch.limit)


def _sound(branch: Branch, heard: Heard) -> Sound:
    assert heard.mos is not None  # only what is rated sounds
    return Sound(branch.carrier, branch.inbound, heard.scale, round(heard.mos, 2), heard.spoilt_by)


def add_rated(sounds: dict[Sound, Rated], sound: Sound, more: Rated) -> None:
    """Add calls to those that sounded alike."""
    had = sounds.get(sound, Rated(0.0, 0.0))
    sounds[sound] = Rated(had.calls + more.calls, had.mos + more.mos)
