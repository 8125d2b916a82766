"""Forgets a telephone number."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa

from results.store.entries import Attempt, Call, Document, Entry, Incident, Recording, Trace
from results.store.errors import StoreError
from results.store.numbers import (
    FREE,
    digits_of,
    hashed_number,
    on_strings,
    pattern_of,
    spellings,
    subscriber,
)
from results.store.retention import unlinked
from results.store.rows import Row, json_text, packed, unpacked
from results.store.store import NUMBER_KEY, Store
from results.store.tables import TABLES, calls, json_fields, meta

ERASED = "erased"
CHUNK = 1000
FEWEST = 5
"""Digits of the shortest number that can be erased."""
PATIENCE = 30.0
"""Seconds for others to let go of the file."""


@dataclass(frozen=True)
class Erased:
    """What became of a number."""

    calls: int
    """Calls to it, which stay without the number."""
    texts: int
    """Rows of other text, or of traces, that had it."""
    traces: int
    """Traces of these calls, deleted."""
    recordings: int
    """Recordings of these calls, deleted with their files."""
    elsewhere: tuple[str, ...]
    """Recordings on other machines, which have to be deleted there."""


def erase(store: Store, number: str) -> Erased:
    """Replace a number wherever it is, hashed too; its calls' traces and recordings are deleted.

    Then the file is written anew, so that nothing of it is left in free pages; not in backups, nor in what a
    prober has yet to hand in. Raises StoreError.
    """
    digits = digits_of(number)
    if len(digits) < FEWEST:
        raise StoreError(f"{number}: is no telephone number; write it with + and its country code")
    with store.trouble():
        keys = _keys(store)
        hashes = [hashed_number(one, key) for one in spellings(number) for key in keys]
        known = [f"+{digits}", digits, number, *hashes]
        forget = _forgetting(number, hashes)
        traces, recordings, elsewhere = _drop_with_calls(store, known)
        with _overwriting(store) as connection:
            renamed = sa.update(calls).where(calls.c.number.in_(known)).values(number=ERASED)
            count = connection.execute(renamed).rowcount
        texts = sum(
            _scrub(store, kind, subscriber(number)[-4:], hashes, forget)
            for kind in (Call, Attempt, Incident, Document)
        )
        texts += _scrub_traces(store, forget)
        _sweep(store)
    return Erased(count, texts, traces, recordings, elsewhere)


def _keys(store: Store) -> list[bytes]:
    with store.reading() as connection:
        asked = sa.select(meta.c.value).where(meta.c.key.startswith(NUMBER_KEY))
        return [bytes.fromhex(value) for value in connection.execute(asked).scalars()]


def _forgetting(number: str, hashes: Sequence[str]) -> Callable[[str], str]:
    pattern = pattern_of(number)
    either = re.compile("|".join(map(re.escape, hashes))) if hashes else None

    def forget(text: str) -> str:
        text = pattern.sub(ERASED, text)
        return either.sub(ERASED, text) if either else text

    return forget


def _drop_with_calls(store: Store, known: Sequence[str]) -> tuple[int, int, tuple[str, ...]]:
    """Delete traces and recordings of the calls to a number; how many, and which files are elsewhere."""
    traces, recordings = TABLES[Trace], TABLES[Recording]
    ids = sa.select(calls.c.id).where(calls.c.number.in_(known))
    with store.reading() as connection:
        asked = sa.select(recordings.c.path).where(recordings.c.call.in_(ids))
        paths = connection.execute(asked).scalars().all()
    elsewhere = tuple(path for path in paths if not unlinked(path))
    with _overwriting(store) as connection:
        gone = connection.execute(sa.delete(traces).where(traces.c.id.in_(ids))).rowcount
        connection.execute(sa.delete(recordings).where(recordings.c.call.in_(ids)))
    return gone, len(paths) - len(elsewhere), elsewhere


def _rows(store: Store, table: sa.Table, which: sa.ColumnElement[bool], *names: str) -> Iterator[Row]:
    """Give columns of rows, in the order of their ids, none held while others write."""
    columns = [table.c.id, *(table.c[name] for name in names)]
    last = ""
    while True:
        asked = sa.select(*columns).where(which, table.c.id > last).order_by(table.c.id).limit(CHUNK)
        with store.reading() as connection:
            found = connection.execute(asked).mappings().all()
        yield from map(dict, found)
        if len(found) < CHUNK:
            return
        last = found[-1]["id"]


def _scrub(
    store: Store, kind: type[Entry], tail: str, hashes: Sequence[str], forget: Callable[[str], str]
) -> int:
    """Replace the number in running text; rows are looked at that have its last digits, or a hash."""
    table, names, as_json = TABLES[kind], FREE[kind], json_fields(kind)
    like = [table.c[name].contains(part) for name in names for part in (tail, *hashes)]

    def scrubbed(name: str, value: str | None) -> str | None:
        if value is None or name not in as_json:
            return None if value is None else forget(value)
        # Only its texts: a figure that has the digits by chance is no number of a telephone.
        return json_text(on_strings(json.loads(value), forget))

    def changed(row: Row) -> Row:
        return {name: scrubbed(name, row[name]) for name in names}

    return _update(store, table, _rows(store, table, sa.or_(*like), *names), changed)


def _scrub_traces(store: Store, forget: Callable[[str], str]) -> int:
    table = TABLES[Trace]

    def changed(row: Row) -> Row:
        before = unpacked(row["sip"])
        after = forget(before)
        return {"sip": row["sip"] if after == before else packed(after)}

    return _update(store, table, _rows(store, table, sa.true(), "sip"), changed)


def _update(store: Store, table: sa.Table, rows: Iterator[Row], changed: Callable[[Row], Row]) -> int:
    count = 0
    for some in _batched(rows):
        new = {row["id"]: changed(row) for row in some}
        altered = [row["id"] for row in some if any(row[n] != v for n, v in new[row["id"]].items())]
        with _overwriting(store) as connection:
            for id_ in altered:
                connection.execute(sa.update(table).where(table.c.id == id_).values(new[id_]))
        count += len(altered)
    return count


def _batched(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while some := list(islice(rows, CHUNK)):
        yield some


@contextmanager
def _overwriting(store: Store) -> Iterator[sa.Connection]:
    """Give a transaction that leaves nothing behind of what it deletes."""
    with store.writing() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
        yield connection


def _sweep(store: Store) -> None:
    """Write the file anew: what was pruned earlier may still be in its free pages, or in its log."""
    if store.path is None:
        with store.outside() as connection:
            for table in (*(TABLES[kind] for kind in FREE), TABLES[Recording]):
                connection.exec_driver_sql(f"VACUUM {table.name}")
        return
    until = time.monotonic() + PATIENCE
    with store.outside() as connection:
        connection.exec_driver_sql("VACUUM")
        while connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
            if time.monotonic() > until:
                raise StoreError(
                    f"{store.name}: erased, but not yet from its log, which others read; do it again"
                )
            time.sleep(0.1)
