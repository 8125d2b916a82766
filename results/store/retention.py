"""Deletes what a plan keeps no longer."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from results.store.entries import Attempt, GuardUse, Incident, Missed, Ping, Recording, Trace
from results.store.tables import TABLES, bins, calls, sums
from results.store.writing import DAY, HOUR

CHUNK = 500
"""Rows that go in one transaction."""
PAUSE = 0.01
"""Seconds between two transactions, in which others may write."""
Writing = Callable[[], AbstractContextManager[sa.Connection]]
"""Opens a transaction."""


class Keep(Protocol):
    """How long records are kept, seconds; None: as long as their calls, failures twice as long as others."""

    @property
    def records(self) -> float:
        """Calls, pings and missed slots."""

    @property
    def failures(self) -> float | None:
        """Calls that failed, incidents."""

    @property
    def traces(self) -> float | None:
        """SIP traces."""

    @property
    def recordings(self) -> float | None:
        """Recordings, with their files."""


def prune(writing: Writing, keep: Keep, now: float, plan: str) -> dict[str, int]:
    """Delete in small transactions, so that others may write meanwhile; how many rows of each table went.

    Whole days go (UTC), so that what is left still agrees with the sums of its hours; these stay as long as
    failures. A recording goes with its file, from the machine that has it.
    """
    failures = 2 * keep.records if keep.failures is None else keep.failures
    old, oldest = _day(now - keep.records), _day(now - failures)
    gone: Counter[str] = Counter()
    failed = calls.c.passed.is_(sa.false())
    of_plan = calls.c.plan == plan
    for which in (
        sa.and_(of_plan, calls.c.started_at < old, sa.not_(sa.func.coalesce(failed, sa.false()))),
        sa.and_(of_plan, calls.c.started_at < oldest, failed),
    ):
        _delete_calls(writing, gone, which)
    pings, missed, incidents = (TABLES[kind] for kind in (Ping, Missed, Incident))
    for table, which in (
        (pings, sa.and_(pings.c.plan == plan, pings.c.at < old)),
        (missed, sa.and_(missed.c.plan == plan, missed.c.due_at < old)),
        (incidents, sa.and_(incidents.c.plan == plan, incidents.c.ended_latest < oldest)),
    ):
        _delete(writing, gone, table, sa.select(table.c.id).where(which))
    if keep.traces is not None:
        traces = TABLES[Trace]
        aged = sa.and_(of_plan, calls.c.started_at < now - keep.traces)
        _delete(
            writing, gone, traces, sa.select(traces.c.id).join(calls, calls.c.id == traces.c.id).where(aged)
        )
    use = TABLES[GuardUse]
    last = dt.datetime.fromtimestamp(old, dt.UTC).date().isoformat()
    with writing() as connection:
        for table, which in (
            (use, sa.and_(use.c.plan == plan, use.c.day < last)),
            (sums, sa.and_(sums.c.plan == plan, sums.c.hour < oldest // HOUR)),
            (bins, sa.and_(bins.c.plan == plan, bins.c.day < oldest // DAY)),
        ):
            gone[table.name] += connection.execute(sa.delete(table).where(which)).rowcount
    _delete_recordings(writing, gone, of_plan, None if keep.recordings is None else now - keep.recordings)
    return {name: count for name, count in gone.items() if count}


def _day(at: float) -> float:
    return at // DAY * DAY


def _delete(writing: Writing, gone: Counter[str], table: sa.Table, ids: sa.Select[tuple[str]]) -> None:
    while True:
        with writing() as connection:
            found = connection.execute(sa.delete(table).where(table.c.id.in_(ids.limit(CHUNK)))).rowcount
        gone[table.name] += found
        if found < CHUNK:
            return
        time.sleep(PAUSE)


def _delete_calls(writing: Writing, gone: Counter[str], which: sa.ColumnElement[bool]) -> None:
    """Delete calls with their attempts and traces; recordings are then without a call."""
    attempts, traces = TABLES[Attempt], TABLES[Trace]
    at = calls.c.started_at
    reached = -math.inf
    while True:
        # From where the last chunk ended, not over all those before that stay.
        further = which if reached == -math.inf else sa.and_(which, at >= reached)
        with writing() as connection:
            found = connection.execute(
                sa.select(calls.c.id, at).where(further).order_by(at).limit(CHUNK)
            ).all()
            ids = [id_ for id_, _ in found]
            for table, column in ((attempts, attempts.c.call), (traces, traces.c.id), (calls, calls.c.id)):
                gone[table.name] += connection.execute(sa.delete(table).where(column.in_(ids))).rowcount
        if len(found) < CHUNK:
            return
        reached = found[-1][1]
        time.sleep(PAUSE)


def _delete_recordings(
    writing: Writing, gone: Counter[str], of_plan: sa.ColumnElement[bool], before: float | None
) -> None:
    """Delete the recordings whose call is gone, or is too old."""
    table = TABLES[Recording]
    over: sa.ColumnElement[bool] = calls.c.id.is_(None)
    if before is not None:
        over = sa.or_(over, sa.and_(of_plan, calls.c.started_at < before))
    asked = sa.select(table.c.id, table.c.path).outerjoin(calls, calls.c.id == table.c.call).where(over)
    with writing() as connection:
        found = connection.execute(asked).all()
    here = {path for path in {path for _, path in found} if unlinked(path)}
    _forget(writing, gone, [id_ for id_, path in found if path in here])


def _forget(writing: Writing, gone: Counter[str], ids: Iterable[str]) -> None:
    table = TABLES[Recording]
    with writing() as connection:
        for id_ in ids:
            gone[table.name] += connection.execute(sa.delete(table).where(table.c.id == id_)).rowcount


def unlinked(path: str) -> bool:
    """Delete a recording's file; False where its folder is not on this machine."""
    file = Path(path)
    if not file.parent.is_dir():
        return False
    file.unlink(missing_ok=True)
    return True
