"""Runs a scenario's streams on as many processes as wanted, until there are enough years."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from callsim.pool import pool_of
from results.hearing import Inbound
from results.outages import DownRule, Outages, find_outages
from results.summary import Summary, merge, summarise
from results.timeline import Incidents, Timeline
from sim import Replication, Tables, simulate

if TYPE_CHECKING:
    from sla.reckoning import Reckoning

STREAM_YEARS = 100
"""A stream's length: long enough that its warm-up costs little, short enough to share the work."""
ENOUGH_DRAWS = 100
SHORTEST_DRAW = 2
"""Years of a stream with parameters of its own; two tell how much one differs from the next."""
LONGEST_DRAW = 10
FIRST_ROUND = 400
"""Years before the first look at the precision."""
LARGEST_ROUND = 20_000
BLOCK = 16
"""Streams with neighbouring numbers that are merged as soon as all are there, so that memory stays flat."""
SAFETY = 1.1
"""More years than the square-root law asks for, so that one more round is seldom needed."""

Progress = Callable[[int, int, float], None]
"""Told of years done, years wanted, and the share of the time down so far."""


class Variants(Protocol):
    """Gives each stream tables of its own; it is sent to other processes."""

    def of(self, number: int) -> tuple[Tables, Reckoner | None]:
        """Return what a stream plays, and what assesses it; they differ from others' in laws of time only."""


class Reckoner(Protocol):
    """Assesses a stream under agreements; it is sent to other processes."""

    def __call__(self, stretch: Stretch, seed: int) -> tuple[Reckoning, ...]:
        """Return what each agreement makes of the stream."""


@dataclass(frozen=True)
class Goal:
    """When a study is done: after `years`, or with the interval on unavailability within `precision`."""

    years: int
    precision: float | None = None
    max_time: float | None = None
    """Seconds of real time after which no further stream begins."""


@dataclass(frozen=True)
class Stretch:
    """One stream in full, kept to be looked at."""

    stream: int
    years: int
    timeline: Timeline
    incidents: Incidents
    outages: Outages


@dataclass(frozen=True)
class Study:
    """What the streams of a scenario left."""

    tables: Tables
    seed: int
    summary: Summary
    reckonings: tuple[Reckoning, ...]
    """What each agreement made of it."""
    years: int
    wall_s: float
    kept: tuple[Stretch, ...] = ()
    partial: str | None = None
    """Why there are fewer years than wanted."""
    missed_precision: bool = False
    drawn: tuple[int, ...] | None = None
    """Numbers of the streams, equally long, with tables of their own; None: all have the same."""

    @property
    def draws(self) -> int | None:
        """How many streams have tables of their own; None: all have the same."""
        return None if self.drawn is None else len(self.drawn)


class NothingSimulatedError(Exception):
    """A study was stopped before its first stream was complete."""


class _Part(NamedTuple):
    """What is kept of streams."""

    summary: Summary
    reckonings: tuple[Reckoning, ...]


def _merged(parts: Sequence[_Part]) -> _Part:
    """Join parts in the order given."""
    from sla.reckoning import merge_reckonings  # noqa: PLC0415 - brings pydantic, which workers may not need

    summary = merge([part.summary for part in parts])
    return _Part(summary, merge_reckonings([part.reckonings for part in parts]))


@dataclass(frozen=True)
class _Work:
    """What a process needs to play streams."""

    tables: Tables
    seed: int
    keep: int
    """Streams with a number below this are returned in full."""
    reckoner: Reckoner | None
    variants: Variants | None = None

    def play(self, number: int, years: int) -> tuple[_Part, Stretch | None]:
        tables, reckoner = self.tables, self.reckoner
        if self.variants is not None:
            tables, reckoner = self.variants.of(number)
        replication = next(simulate(tables, [(number, years)], self.seed))
        summary, outages = reduced(tables, replication)
        stretch = _stretch(replication, outages)
        reckonings = () if reckoner is None else reckoner(stretch, self.seed)
        return _Part(summary, reckonings), stretch if number < self.keep else None


def reduced(tables: Tables, replication: Replication) -> tuple[Summary, Outages]:
    """Find the outages of a stream, and sum it up."""
    traffic = tables.traffic
    timeline, incidents, zone = replication.timeline, replication.incidents, tables.zone
    outages = find_outages(timeline, incidents, zone, DownRule(tables.down_above))
    summary = summarise(
        timeline,
        incidents,
        outages,
        zone,
        calls_per_hour=traffic.calls_per_hour if traffic else None,
        unit_names=[unit.name for unit in tables.units],
        mode_causes=[[mode.cause for mode in unit.modes] for unit in tables.units],
        inbound=Inbound(traffic.inbound, tables.down_above) if traffic and traffic.inbound else None,
    )
    return summary, outages


def _stretch(replication: Replication, outages: Outages) -> Stretch:
    return Stretch(
        replication.stream, replication.years, replication.timeline, replication.incidents, outages
    )


@dataclass
class _Tally:
    """What has come in so far."""

    blocks: dict[int, _Part] = field(default_factory=dict)
    parts: dict[int, _Part] = field(default_factory=dict)
    """Streams whose block is not complete."""
    kept: dict[int, Stretch] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    years: int = 0
    down: float = 0.0
    seconds: float = 0.0

    def add(self, number: int, years: int, part: _Part, stretch: Stretch | None) -> None:
        self.parts[number] = part
        if stretch is not None:
            self.kept[number] = stretch
        self.numbers.append(number)
        self.years += years
        self.down += float(part.summary.downtime.sum())
        self.seconds += part.summary.seconds
        block = number // BLOCK
        members = range(block * BLOCK, (block + 1) * BLOCK)
        if all(member in self.parts for member in members):
            self.blocks[block] = _merged([self.parts.pop(member) for member in members])

    def total(self) -> _Part:
        """Sum in the order of the streams' numbers: sums of floats depend on it in their last digits."""
        by_first = {block * BLOCK: part for block, part in self.blocks.items()} | self.parts
        return _merged([by_first[number] for number in sorted(by_first)])


def run_study(
    tables: Tables,
    seed: int,
    goal: Goal,
    *,
    jobs: int = 1,
    keep_years: int = 0,
    reckoner: Reckoner | None = None,
    variants: Variants | None = None,
    half_width: Callable[[Summary], float] | None = None,
    progress: Progress | None = None,
) -> Study:
    """Play streams until the goal is reached; the answer does not depend on `jobs`.

    `half_width(summary)` is the half-width of the interval on unavailability as a share of it (infinity
    where there is none yet); it is needed with `goal.precision`. An interrupt (Ctrl-C) ends the study with
    the streams that are complete, and `max_time` does too: then the years depend on the machine's speed.
    With `variants` streams are short and equally long, so that there are many; the years are rounded up.
    """
    begun = time.monotonic()
    deadline = math.inf if goal.max_time is None else begun + goal.max_time
    tally = _Tally()
    length = STREAM_YEARS
    if variants is not None:
        length = draw_years(goal)
        goal = replace(goal, years=math.ceil(goal.years / length) * length)
    work = _Work(tables, seed, math.ceil(keep_years / length), reckoner, variants)
    partial = None
    missed = False
    try:
        with pool_of(work, jobs) as pool:
            for wanted in _rounds(goal, tally, half_width):
                streams = _streams(len(tally.numbers), wanted - tally.years, length)
                for number, years, part in pool.play(streams, deadline):
                    tally.add(number, years, *part)
                    if progress is not None:
                        progress(tally.years, wanted, tally.down / tally.seconds)
                if tally.years < wanted:
                    partial = f"stopped after {goal.max_time:g} s with {tally.years} of {wanted} years"
                    break
    except KeyboardInterrupt:
        partial = f"interrupted after {tally.years} years"
    except BrokenProcessPool:
        partial = f"a worker process died after {tally.years} years"
    if not tally.numbers:
        raise NothingSimulatedError(partial or "no stream was played")
    summary, reckonings = tally.total()
    if goal.precision is not None and half_width is not None:
        missed = half_width(summary) > goal.precision
    kept = tuple(tally.kept[number] for number in sorted(tally.kept))
    wall_s = time.monotonic() - begun
    drawn = None if variants is None else tuple(sorted(tally.numbers))
    return Study(tables, seed, summary, reckonings, tally.years, wall_s, kept, partial, missed, drawn)


def draw_years(goal: Goal) -> int:
    """Years of a stream with parameters of its own: the most with `ENOUGH_DRAWS`, within reason."""
    if goal.precision is not None:
        return LONGEST_DRAW
    return min(max(goal.years // ENOUGH_DRAWS, SHORTEST_DRAW), LONGEST_DRAW)


def _rounds(goal: Goal, tally: _Tally, half_width: Callable[[Summary], float] | None) -> Iterator[int]:
    """Give the total of years wanted after each round."""
    if goal.precision is None or half_width is None:
        yield goal.years
        return
    wanted = FIRST_ROUND
    while True:
        yield wanted
        width = half_width(tally.total().summary)
        if width <= goal.precision:
            return
        grow = min((width / goal.precision) ** 2 * SAFETY, 10.0)
        more = min(max(int(tally.years * (grow - 1.0)), STREAM_YEARS), LARGEST_ROUND)
        wanted = tally.years + math.ceil(more / STREAM_YEARS) * STREAM_YEARS


def _streams(first: int, years: int, length: int) -> list[tuple[int, int]]:
    whole, rest = divmod(years, length)
    lengths = [length] * whole + ([rest] if rest else [])
    return [(first + n, length) for n, length in enumerate(lengths)]
