"""Tells what a store has, whether it is whole, and copies it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from results.store.entries import Heartbeat, Missed
from results.store.errors import StoreError
from results.store.rows import entry_of
from results.store.tables import HEAD, LEG, TABLES, calls, sums
from results.store.writing import HOUR


@dataclass(frozen=True)
class Info:
    """What a store has."""

    schema: str
    size: int
    """Bytes, of a SQLite file with its log."""
    rows: Mapping[str, int]
    """Of each table."""
    first: float | None
    """When the first of its calls or missed slots was (POSIX time); None of none."""
    last: float | None
    heartbeats: tuple[Heartbeat, ...]
    """Last signs of life."""


def info(connection: sa.Connection, path: Path | None) -> Info:
    """Count rows, bytes and times."""
    rows = {
        table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in TABLES.values()
    }
    missed, beats = TABLES[Missed], TABLES[Heartbeat]
    plans = connection.execute(sa.union(sa.select(calls.c.plan), sa.select(missed.c.plan))).scalars()
    # One by one, since an index gives either end at once, but not both.
    times = [
        connection.execute(sa.select(end(at)).where(table.c.plan == plan)).scalar_one()
        for plan in plans.all()
        for table, at in ((calls, calls.c.started_at), (missed, missed.c.due_at))
        for end in (sa.func.min, sa.func.max)
    ]
    known = [at for at in times if at is not None]
    found = connection.execute(sa.select(beats).order_by(beats.c.plan, beats.c.location)).mappings()
    return Info(
        schema=HEAD,
        size=_size(connection, path),
        rows=rows,
        first=min(known, default=None),
        last=max(known, default=None),
        heartbeats=tuple(entry_of(Heartbeat, row) for row in found),
    )


def _size(connection: sa.Connection, path: Path | None) -> int:
    if path is None:
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def check(connection: sa.Connection) -> list[str]:
    """Look for damage: one line for each; none where all is well.

    Calls that failed have to agree with their hours' sums, with which they are written and pruned; of those
    that passed there may be fewer, since they are pruned sooner.
    """
    troubles: list[str] = []
    if connection.dialect.name == "sqlite":
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        troubles += [line for line in said if line != "ok"]
    hours = calls.c.started_at / HOUR
    # SQLite's cast cuts off, PostgreSQL's rounds; only this one is sure to have `floor`.
    hour = sa.cast(hours if connection.dialect.name == "sqlite" else sa.func.floor(hours), sa.BigInteger)
    counted = (
        sa.select(
            *(calls.c[name] for name in LEG),
            hour.label("hour"),
            sa.func.sum(sa.case((calls.c.passed.is_(sa.true()), 1), else_=0)).label("passed"),
            sa.func.sum(sa.case((calls.c.passed.is_(sa.false()), 1), else_=0)).label("failed"),
        )
        .where(calls.c.last.is_(sa.true()))
        .group_by(*(calls.c[name] for name in LEG), hour)
        .subquery()
    )
    same = sa.and_(*(counted.c[name] == sums.c[name] for name in (*LEG, "hour")))
    joined = sa.select(counted, sums.c.passed.label("sum_passed"), sums.c.failed.label("sum_failed"))
    for row in connection.execute(joined.select_from(counted.outerjoin(sums, same))).mappings():
        if row["failed"] != (row["sum_failed"] or 0) or row["passed"] > (row["sum_passed"] or 0):
            leg = ", ".join(row[name] for name in LEG)
            troubles.append(
                f"sums of {leg}, hour {row['hour']}: {row['sum_passed']} passed, {row['sum_failed']} failed;"
                f" there are {row['passed']} and {row['failed']} calls"
            )
    return troubles


def backup(engine: sa.Engine, name: str, target: Path) -> None:
    """Copy a SQLite store as it is at one instant into a new file, while others write."""
    if target.exists():
        raise StoreError(f"{target}: is there already; name another file, or delete it first")
    if engine.dialect.name != "sqlite":
        url = engine.url
        where = f"--host={url.host} " * bool(url.host) + f"--username={url.username} " * bool(url.username)
        raise StoreError(
            f"{name}: PostgreSQL is backed up by its own tool:"
            f" pg_dump --format=custom {where}--file={target} {url.database}"
        )
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    source = engine.raw_connection()
    try:
        with sqlite3.connect(temporary) as copy:
            driver = source.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.backup(copy)
        copy.close()
        os.replace(temporary, target)  # noqa: PTH105 - atomic
    finally:
        source.close()
        temporary.unlink(missing_ok=True)
