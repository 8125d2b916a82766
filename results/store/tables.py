"""The store's tables as they are now: one for each kind of entry, besides sums of the calls."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from results.store.entries import (
    KINDS,
    Attempt,
    Call,
    Entry,
    GuardUse,
    Heartbeat,
    Incident,
    Missed,
    Ping,
    Recording,
    Trace,
)

HEAD = "0001"
"""Revision of this schema; revisions are numbered in their order."""
VERSIONS = "callsim_schema"
"""Table that says which revision a store has."""
MARK = 0x43535452
"""Application number in the header of a SQLite file."""
KEYS: dict[type[Entry], tuple[str, ...]] = {
    Heartbeat: ("location", "plan"),
    GuardUse: ("location", "plan", "day", "trunk"),
}
"""Primary keys that are not `id`."""
LEG = ("plan", "test", "over", "location")

metadata = sa.MetaData()


def json_fields(kind: type[Entry]) -> frozenset[str]:
    """Names of the fields that are stored as JSON."""
    return frozenset(name for name, hint in _hints(kind).items() if _plain(hint)[0] in {Mapping, Sequence})


def text_fields(kind: type[Entry]) -> frozenset[str]:
    """Names of the fields that are text."""
    return frozenset(name for name, hint in _hints(kind).items() if _plain(hint)[0] is str)


def _hints(kind: type[Entry]) -> dict[str, Any]:
    known = typing.get_type_hints(kind)
    return {field.name: known[field.name] for field in fields(kind)}


def _plain(hint: Any) -> tuple[Any, bool]:  # noqa: ANN401 - a type hint may be anything
    """Give the type of a hint, and whether it may be None."""
    parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    (found,) = (part for part in parts if part is not types.NoneType)
    if typing.get_origin(found) is typing.Literal:
        found = str
    return typing.get_origin(found) or found, len(parts) > 1


_TYPES: dict[Any, TypeEngine[Any]] = {
    str: sa.Text(),
    float: sa.Double(),
    int: sa.BigInteger(),
    bool: sa.Boolean(),
    Mapping: sa.Text(),
    Sequence: sa.Text(),
}


def _table(kind: type[Entry]) -> sa.Table:
    keys = KEYS.get(kind, ("id",))
    columns = []
    for name, hint in _hints(kind).items():
        found, optional = _plain(hint)
        kept = sa.LargeBinary() if (kind, name) == (Trace, "sip") else _TYPES[found]
        columns.append(sa.Column(name, kept, primary_key=name in keys, nullable=optional))
    return sa.Table(kind.TABLE, metadata, *columns)


TABLES: dict[type[Entry], sa.Table] = {kind: _table(kind) for kind in KINDS}
"""The table of each kind of entry."""
calls = TABLES[Call]
COUNTS = ("passed", "failed", "unknown", "pdd_count", "mos_count")
TOTALS = ("pdd_total", "mos_total")
sums = sa.Table(
    "sums",
    metadata,
    *(sa.Column(name, sa.Text(), primary_key=True) for name in LEG),
    sa.Column("hour", sa.BigInteger(), primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS),
    *(sa.Column(name, sa.Double(), nullable=False) for name in TOTALS),
)
"""Probes of each leg in each hour, counted in hours since 1970 (UTC); only tries that count."""
bins = sa.Table(
    "bins",
    metadata,
    *(sa.Column(name, sa.Text(), primary_key=True) for name in LEG),
    sa.Column("day", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("measure", sa.Text(), primary_key=True),
    sa.Column("bin", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("count", sa.BigInteger(), nullable=False),
)
"""How their delays and MOS are distributed, by days since 1970; `results.store.bins` has the edges."""
meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("value", sa.Text(), nullable=False),
)

not_good = sa.and_(calls.c.last.is_(sa.true()), calls.c.passed.is_not(sa.true()))
"""Probes that failed, or say nothing."""


def telling(table: sa.FromClause) -> sa.ColumnElement[bool]:
    """Probes that passed or failed."""
    return sa.and_(table.c.last.is_(sa.true()), table.c.passed.is_not(None))


def _index(kind: type[Entry], name: str, *columns: str, where: sa.ColumnElement[bool] | None = None) -> None:
    table = TABLES[kind]
    sa.Index(
        f"{table.name}_{name}", *(table.c[c] for c in columns), sqlite_where=where, postgresql_where=where
    )


_index(Call, "at", "plan", "started_at")
_index(Call, "not_good", "plan", "started_at", where=not_good)
_index(Call, "telling", *LEG, "started_at", where=telling(calls))
_index(Attempt, "call", "call")
_index(Recording, "call", "call")
_index(Ping, "at", "plan", "at")
_index(Missed, "due", "plan", "due_at", "test", "over", "location", "reason", "count")
_index(Incident, "began", "plan", "began_latest")
