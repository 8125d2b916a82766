"""Reads entries back: one by one, or probes as columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from results.probes import Probes, Series
from results.store.entries import Call, Entry, Heartbeat, Incident
from results.store.rows import entry_of
from results.store.tables import LEG, TABLES, calls, not_good, telling

CHUNK, MANY = 1000, 20_000
"""Entries, and rows of columns, that are fetched at a time."""
AnyEntry = TypeVar("AnyEntry", bound=Entry)
Which = sa.ColumnElement[bool]
PROBE = ("location", "test", "over", "due_at", "started_at", "ended_at", "passed", "mos")


def during(table: sa.Table, at: str, plan: str, since: float, until: float, location: str | None) -> Which:
    """Say which rows of a plan have their time in [since, until)."""
    asked = [table.c.plan == plan]
    if since > -math.inf:
        asked.append(table.c[at] >= since)
    if until < math.inf:
        asked.append(table.c[at] < until)
    if location is not None:
        asked.append(table.c.location == location)
    return sa.and_(*asked)


def entries(
    engine: sa.Engine, kind: type[AnyEntry], which: Which, order: Sequence[sa.ColumnElement[Any]]
) -> Iterator[AnyEntry]:
    """Give entries one by one, of any number of them."""
    table = TABLES[kind]
    asked = sa.select(table).where(which).order_by(*order)
    with (
        engine.connect().execution_options(yield_per=CHUNK) as connection,
        connection.execute(asked) as found,
    ):
        for row in found.mappings():
            yield entry_of(kind, row)


def probes(connection: sa.Connection, which: Which) -> Probes:
    """Give the tries that count, as columns."""
    asked = sa.select(*(calls.c[name] for name in PROBE)).where(which, calls.c.last.is_(sa.true()))
    if connection.dialect.name == "sqlite":
        # Its own tuples come in parts by themselves, in half the time of SQLAlchemy's rows.
        with connection.execute(asked) as found:
            assert found.cursor is not None  # it is open
            return _columns(iter(partial(found.cursor.fetchmany, MANY), []))
    with connection.execution_options(yield_per=MANY).execute(asked) as found:
        return _columns(found.partitions())


def failures_with_neighbours(connection: sa.Connection, which: Which) -> Probes:
    """Give the probes that did not pass, each with those before and after it that passed or failed."""
    before, after = calls.alias("before"), calls.alias("after")
    asked = (
        sa.select(*(table.c[name] for table in (calls, before, after) for name in PROBE))
        .select_from(calls)
        .outerjoin(before, before.c.id == _neighbour(later=False))
        .outerjoin(after, after.c.id == _neighbour(later=True))
        .where(which, not_good)
    )
    found: dict[tuple[Any, ...], None] = {}
    for row in connection.execute(asked):
        for first in range(0, 3 * len(PROBE), len(PROBE)):
            if row[first] is not None:
                found[tuple(row[first : first + len(PROBE)])] = None
    return _columns([list(found)])


def _neighbour(*, later: bool) -> sa.ScalarSelect[Any]:
    beside = calls.alias("later" if later else "earlier")
    at = beside.c.started_at
    of = [beside.c[name] == calls.c[name] for name in LEG]
    side = at > calls.c.started_at if later else at < calls.c.started_at
    asked = (
        sa.select(beside.c.id).where(*of, side, telling(beside)).order_by(at if later else at.desc()).limit(1)
    )
    return asked.correlate(calls).scalar_subquery()


def _columns(parts: Iterable[Sequence[Sequence[Any]]]) -> Probes:
    """Make columns of rows, part by part, since rows take ten times the memory."""
    numbers: dict[tuple[str, str, str], int] = {}
    series: list[NDArray[np.int32]] = []
    figures: list[NDArray[np.float64]] = []
    for part in parts:
        if part:
            location, test, over, *values = zip(*part, strict=True)
            legs = zip(location, test, over, strict=True)
            series.append(np.array([numbers.setdefault(leg, len(numbers)) for leg in legs], dtype=np.int32))
            figures.append(np.array(values, dtype=float))
    of = tuple(sorted(Series(*leg) for leg in numbers))
    ranks = np.array([of.index(Series(*leg)) for leg in numbers], dtype=np.int32)
    due, started, ended, passed, mos = np.concatenate(figures, axis=1) if figures else np.empty((5, 0))
    order = np.argsort(ended, kind="stable")
    return Probes(
        of=of,
        series=ranks[np.concatenate(series)[order]] if series else np.empty(0, dtype=np.int32),
        due=due[order],
        started=started[order],
        ended=ended[order],
        passed=np.nan_to_num(passed, nan=-1.0).astype(np.int8)[order],
        mos=mos[order],
    )


def incidents(
    engine: sa.Engine, plan: str, since: float, until: float, location: str | None
) -> list[Incident]:
    """Give the incidents that may have been going on at some time in [since, until), as they began."""
    table = TABLES[Incident]
    ended = table.c.ended_latest
    which = during(table, "began_latest", plan, -math.inf, until, location)
    still = sa.true() if since == -math.inf else sa.or_(ended.is_(None), ended >= since)
    return list(entries(engine, Incident, sa.and_(which, still), [table.c.began_latest, table.c.id]))


def heartbeats(engine: sa.Engine, plan: str | None) -> list[Heartbeat]:
    """Give the last sign of life of each prober."""
    table = TABLES[Heartbeat]
    which = sa.true() if plan is None else table.c.plan == plan
    return list(entries(engine, Heartbeat, which, [table.c.plan, table.c.location]))


def some_calls(
    engine: sa.Engine, plan: str, since: float, until: float, location: str | None, only_failed: bool
) -> Iterator[Call]:
    """Give calls by the time at which they started."""
    which = during(calls, "started_at", plan, since, until, location)
    if only_failed:
        which = sa.and_(which, calls.c.passed.is_(sa.false()))
    return entries(engine, Call, which, [calls.c.started_at, calls.c.id])
