"""Simulated time: plays the tables of a scenario forward, and is the only room that knows SimPy."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from sim.conditions import Conditions
from sim.stream import Replication, Stream
from sim.tables import Tables

__all__ = ["Replication", "Tables", "simulate"]


def simulate(tables: Tables, streams: Iterable[tuple[int, int]], seed: int) -> Iterator[Replication]:
    """Play streams given as (number, years), each from its own random numbers.

    The answer for a stream depends on the tables, the seed, its number and its years alone.
    """
    conditions = _conditions(tables)
    for number, years in streams:
        stream = Stream(tables, conditions, seed, number)
        length = float(tables.zone.year_starts(years)[-1])
        with _no_collection():
            stream.run(length)
        timeline, incidents = stream.recorder.finish(length, tuple(s.condition for s in conditions.states))
        yield Replication(number, years, timeline, incidents)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the cycle collector from walking the growing record again and again (a tenth of the time)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@lru_cache(maxsize=8)
def _conditions(tables: Tables) -> Conditions:
    return Conditions(tables)
