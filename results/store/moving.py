"""Copies a store into another one, of either kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from results.store.entries import KINDS, Entry
from results.store.errors import StoreError
from results.store.rows import Row
from results.store.store import NUMBER_KEY, Store
from results.store.tables import COUNTS, KEYS, TABLES, TOTALS, bins, meta, sums
from results.store.writing import insert, write_rows

CHUNK = 1000
MARK = "moved:"
"""Begins the names under which the target remembers how far a move has come."""
Told = Callable[[str, int], None]


def move(source: Store, target: Store, told: Told = lambda table, rows: None) -> dict[str, int]:
    """Copy every row, and say how many of each table are in the target; the source stays as it is.

    Broken off, the next time goes on where it stopped. Every row is looked for in the target, in the same
    transaction; raises StoreError where one is not there. `told` learns of each thousand.
    """
    if source.name == target.name:
        raise StoreError(f"{source.name}: cannot be moved into itself")
    with source.trouble(), target.trouble():
        _move_keys(source, target)
        counts = {kind.TABLE: _move_table(source, target, kind, told) for kind in KINDS}
        _move_sums(source, target)
        with target.writing() as connection:
            connection.execute(sa.delete(meta).where(meta.c.key.startswith(MARK)))
    return counts


def _move_keys(source: Store, target: Store) -> None:
    """Have the keys of hashed numbers there too, so that they can be erased."""
    with source.reading() as connection:
        asked = sa.select(meta.c.key, meta.c.value).where(meta.c.key.startswith(NUMBER_KEY))
        found = connection.execute(asked).all()
    with target.writing() as connection:
        known = set(connection.execute(sa.select(meta.c.value)).scalars())
        for name, value in found:
            if value not in known:
                # Another name where the target has a key of its own, with which it goes on.
                for key in (name, f"{NUMBER_KEY}:{value[:16]}"):
                    row = {"key": key, "value": value}
                    made = insert(connection, meta).on_conflict_do_nothing()
                    if connection.execute(made, row).rowcount:
                        break


def _move_table(source: Store, target: Store, kind: type[Entry], told: Told) -> int:
    table = TABLES[kind]
    keys = [table.c[name] for name in KEYS.get(kind, ("id",))]
    mark = f"{MARK}{source.name}:{table.name}"
    with target.reading() as connection:
        done = connection.execute(sa.select(meta.c.value).where(meta.c.key == mark)).scalar_one_or_none()
    last = json.loads(done) if done else None
    count = 0
    while True:
        asked = sa.select(table).order_by(*keys).limit(CHUNK)
        if last is not None:
            asked = asked.where(sa.tuple_(*keys) > sa.tuple_(*map(sa.literal, last)))
        with source.reading() as connection:
            rows: list[Row] = [dict(row) for row in connection.execute(asked).mappings()]
        if rows:
            last = [rows[-1][key.name] for key in keys]
            _land(target, kind, rows, mark, json.dumps(last))
            count += len(rows)
            told(table.name, count)
        if len(rows) < CHUNK:
            break
    with target.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _land(target: Store, kind: type[Entry], rows: list[Row], mark: str, last: str) -> None:
    """Write rows, look for each of them, and note how far this has come, at once."""
    table = TABLES[kind]
    keys = [table.c[name] for name in KEYS.get(kind, ("id",))]
    wanted = [tuple(row[key.name] for key in keys) for row in rows]
    with target.writing() as connection:
        write_rows(connection, kind, rows)
        counted = sa.select(sa.func.count()).select_from(table).where(sa.tuple_(*keys).in_(wanted))
        found = connection.execute(counted).scalar_one()
        if found != len(rows):
            raise StoreError(
                f"{target.name}: has {found} of {len(rows)} rows of {table.name} that were copied"
            )
        noted = insert(connection, meta)
        noted = noted.on_conflict_do_update(index_elements=["key"], set_={"value": last})
        connection.execute(noted, {"key": mark, "value": last})


def _move_sums(source: Store, target: Store) -> None:
    """Take the greater of both: calls that came over are summed already, those pruned before are not."""
    for table, names in ((sums, (*COUNTS, *TOTALS)), (bins, ("count",))):
        with source.reading() as connection:
            found = connection.execution_options(yield_per=CHUNK).execute(sa.select(table)).mappings()
            for some in found.partitions():
                _raise_sums(target, table, names, [dict(row) for row in some])


def _raise_sums(target: Store, table: sa.Table, names: Sequence[str], rows: list[Row]) -> None:
    with target.writing() as connection:
        greater = sa.func.greatest if connection.dialect.name == "postgresql" else sa.func.max
        statement = insert(connection, table)
        raised = statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: greater(table.c[name], statement.excluded[name]) for name in names},
        )
        connection.execute(raised, rows)
