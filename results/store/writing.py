"""Writes entries so that one which lands twice is there once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from results.store.bins import MOS, PDD, bin_of
from results.store.entries import Call, Entry, GuardUse, Heartbeat, Incident
from results.store.rows import Row
from results.store.tables import COUNTS, KEYS, LEG, TABLES, TOTALS, bins, calls, sums

HOUR, DAY = 3600.0, 86400.0
CHUNK = 1000
"""Ids that one statement may ask for; there is a limit to its parameters."""
NEWEST: dict[type[Entry], str] = {Incident: "revision", GuardUse: "at", Heartbeat: "at"}
"""Kinds of which the newest holds, and the column that says which is newer; others are never changed."""


def insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Begin an insert in the database's own dialect, which knows conflicts."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def write_rows(connection: sa.Connection, kind: type[Entry], rows: Sequence[Row]) -> None:
    """Write rows of one kind, with the sums of calls; those that are there already stay as they are."""
    table = TABLES[kind]
    if kind is Call:
        for first in range(0, len(rows), CHUNK):
            _write_calls(connection, rows[first : first + CHUNK])
    elif kind in NEWEST:
        keys, newer = KEYS.get(kind, ("id",)), NEWEST[kind]
        statement = insert(connection, table)
        replaced = statement.on_conflict_do_update(
            index_elements=keys,
            set_={c.name: statement.excluded[c.name] for c in table.c if c.name not in keys},
            where=statement.excluded[newer] >= table.c[newer],
        )
        for row in _newest(rows, keys, newer):
            connection.execute(replaced, row)
    else:
        connection.execute(insert(connection, table).on_conflict_do_nothing(), rows)


def _write_calls(connection: sa.Connection, rows: Sequence[Row]) -> None:
    by_id = {row["id"]: row for row in rows}
    there = connection.execute(sa.select(calls.c.id).where(calls.c.id.in_(by_id))).scalars()
    for id_ in there.all():
        del by_id[id_]
    # One that somebody else writes at this moment is an error, and all of this is done again.
    if by_id:
        connection.execute(sa.insert(calls), list(by_id.values()))
        add_calls(connection, by_id.values())


def _newest(rows: Iterable[Row], keys: Sequence[str], newer: str) -> Iterable[Row]:
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in keys)
        if key not in found or row[newer] >= found[key][newer]:
            found[key] = row
    return found.values()


Leg = tuple[str, str, str, str]


Sums = dict[tuple[Leg, int], dict[str, float]]
"""Counts and totals by leg and hour."""
Bins = Counter[tuple[Leg, int, str, int]]
"""Counts by leg, day, measure and bin."""


def summed(rows: Iterable[Mapping[Any, Any]]) -> tuple[Sums, Bins]:
    """Sum calls that count."""
    by_hour: Sums = defaultdict(lambda: dict.fromkeys((*COUNTS, *TOTALS), 0))
    binned: Bins = Counter()
    for row in rows:
        if not row["last"]:
            continue
        leg = (row["plan"], row["test"], row["over"], row["location"])
        at = row["started_at"]
        found = by_hour[leg, int(at // HOUR)]
        passed = row["passed"]
        found["unknown" if passed is None else "passed" if passed else "failed"] += 1
        for measure, value in ((PDD, row["pdd_s"]), (MOS, row["mos"])):
            if value is not None:
                found[f"{measure}_count"] += 1
                found[f"{measure}_total"] += value
                binned[leg, int(at // DAY), measure, bin_of(measure, value)] += 1
    return by_hour, binned


def add_calls(connection: sa.Connection, rows: Iterable[Row]) -> None:
    """Add calls to the sums."""
    by_hour, binned = summed(rows)
    # In one order, so that two that write at once do not wait for each other in a ring.
    if by_hour:
        added = [{**_leg(leg), "hour": hour, **by_hour[leg, hour]} for leg, hour in sorted(by_hour)]
        _add(connection, sums, (*COUNTS, *TOTALS), added)
    if binned:
        counted = [
            {**_leg(leg), "day": day, "measure": measure, "bin": number, "count": count}
            for (leg, day, measure, number), count in sorted(binned.items())
        ]
        _add(connection, bins, ("count",), counted)


def _leg(leg: Leg) -> Row:
    return dict(zip(LEG, leg, strict=True))


def _add(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: list[Row]) -> None:
    statement = insert(connection, table)
    added = statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: table.c[name] + statement.excluded[name] for name in names},
    )
    connection.execute(added, rows)
