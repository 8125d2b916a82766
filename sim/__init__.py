"""Simulated time: plays the tables of a scenario forward, and is the only room that knows SimPy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from results.calls import CallColumns
from sim.calls import Calls
from sim.conditions import Conditions
from sim.given import Belief, GivenCall, GivenFault, Played, play_given
from sim.stream import Replication, Stream
from sim.tables import Tables, untimed

__all__ = [
    "Belief",
    "GivenCall",
    "GivenFault",
    "PlacedCalls",
    "Played",
    "Replication",
    "Tables",
    "place_calls",
    "play_given",
    "simulate",
]


def simulate(tables: Tables, streams: Iterable[tuple[int, int]], seed: int) -> Iterator[Replication]:
    """Play streams given as (number, years), each from its own random numbers.

    The answer for a stream depends on the tables, the seed, its number and its years alone.
    """
    conditions = _conditions(tables)
    for number, years in streams:
        conditions.tidy()
        stream = Stream(tables, conditions, seed, number)
        length = float(tables.zone.year_starts(years)[-1])
        timeline, incidents = stream.run(length)
        yield Replication(number, years, timeline, incidents)


@dataclass(frozen=True)
class PlacedCalls:
    """A stretch in which every call was placed."""

    replication: Replication
    calls: CallColumns


def place_calls(
    tables: Tables, number: int, seconds: float, seed: int, *, redials: bool = True
) -> PlacedCalls:
    """Play the first `seconds` of a stream and place every call in it.

    The faults are those of the same stream in `simulate`; calls begin ten hold times before the record does,
    so that channels are as full as they should be. Without `redials` no caller tries again. Raises ValueError
    without traffic, carriers or routing.
    """
    stream = Stream(tables, _conditions(tables), seed, number)
    calls = Calls(stream, redials=redials)
    timeline, incidents = stream.run(seconds)
    return PlacedCalls(Replication(number, 0, timeline, incidents), calls.columns())


def _conditions(tables: Tables) -> Conditions:
    """Find the conditions that tables share which differ in what is `untimed`: to explore them takes long."""
    return _conditions_of(untimed(tables))


@lru_cache(maxsize=8)
def _conditions_of(tables: Tables) -> Conditions:
    return Conditions(tables)
