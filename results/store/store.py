"""A store that is open."""

from __future__ import annotations

import math
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from results.probes import Probes, Series
from results.store import reading, retention, upkeep
from results.store.entries import Call, Document, Entry, Heartbeat, Incident, Missed, Ping, Recording, Trace
from results.store.errors import EntryError, StoreError, words_of
from results.store.months import Hour, LegSums, hours_of, sums_of
from results.store.rows import Row, row_of, unpacked
from results.store.tables import TABLES, calls, meta
from results.store.writing import insert, write_rows

INF = math.inf
NUMBER_KEY = "number_key"
HOPELESS = (sa.exc.DataError, sa.exc.IntegrityError)
"""What the database says of a row that no other time would make right."""


class Store:
    """A database of what probers leave, which several processes may share; for use by any thread.

    Times are POSIX seconds; a time lies in [since, until). Every method raises StoreError, in one line.
    """

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine = engine
        self.name = name
        """Its URL, without its password."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    @property
    def path(self) -> Path | None:
        """Its file; None of a PostgreSQL database."""
        url = self._engine.url
        return Path(str(url.database)) if self._engine.dialect.name == "sqlite" else None

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries in one transaction; what is there already stays, so that it may be done again.

        Of incidents, guard counters and heartbeats the newest holds. Raises EntryError where an entry is the
        trouble, not the store: then none of them is written.
        """
        rows: defaultdict[type[Entry], list[Row]] = defaultdict(list)
        try:
            for entry in entries:
                rows[type(entry)].append(row_of(entry))
            with self.trouble(refused=EntryError), self.writing() as connection:
                for kind, some in rows.items():
                    write_rows(connection, kind, some)
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            raise EntryError(f"{self.name}: {error}") from None

    # ---- reading

    def calls(
        self,
        plan: str,
        since: float = -INF,
        until: float = INF,
        location: str | None = None,
        *,
        only_failed: bool = False,
    ) -> Iterator[Call]:
        """Give calls as they started, all tries, one by one of any number of them."""
        with self.trouble():
            yield from reading.some_calls(self._engine, plan, since, until, location, only_failed)

    def probes(
        self, plan: str, since: float = -INF, until: float = INF, location: str | None = None
    ) -> Probes:
        """Give the tries that count and started in this time."""
        which = reading.during(calls, "started_at", plan, since, until, location)
        with self.trouble(), self._engine.connect() as connection:
            return reading.probes(connection, which)

    def failures_with_neighbours(
        self, plan: str, since: float, until: float, location: str | None = None
    ) -> Probes:
        """Give the probes of this time that did not pass, and those beside them that passed or failed.

        Those are the last before and the first after, of the same leg and location; they may lie outside
        the time, or be pruned already.
        """
        which = reading.during(calls, "started_at", plan, since, until, location)
        with self.trouble(), self._engine.connect() as connection:
            return reading.failures_with_neighbours(connection, which)

    def month(self, plan: str, since: float, until: float, location: str | None = None) -> list[LegSums]:
        """Sum a time, a month or any other, by location, test and leg; fast however many calls it has."""
        with self.trouble(), self._engine.connect() as connection:
            return sums_of(connection, plan, since, until, location)

    def hours(self, plan: str, since: float, until: float) -> dict[Series, dict[int, Hour]]:
        """Give each leg's whole hours between two instants, by hours since the epoch."""
        with self.trouble(), self._engine.connect() as connection:
            return hours_of(connection, plan, since, until)

    def pings(
        self, plan: str, since: float = -INF, until: float = INF, location: str | None = None
    ) -> Iterator[Ping]:
        """Give pings as they were sent."""
        table = TABLES[Ping]
        which = reading.during(table, "at", plan, since, until, location)
        with self.trouble():
            yield from reading.entries(self._engine, Ping, which, [table.c.at, table.c.id])

    def missed(
        self, plan: str, since: float = -INF, until: float = INF, location: str | None = None
    ) -> Iterator[Missed]:
        """Give slots without a probe as they were due."""
        table = TABLES[Missed]
        which = reading.during(table, "due_at", plan, since, until, location)
        with self.trouble():
            yield from reading.entries(self._engine, Missed, which, [table.c.due_at, table.c.id])

    def incidents(
        self, plan: str, since: float = -INF, until: float = INF, location: str | None = None
    ) -> list[Incident]:
        """Give the incidents that may have been going on at some time in this one."""
        with self.trouble():
            return reading.incidents(self._engine, plan, since, until, location)

    def heartbeats(self, plan: str | None = None) -> list[Heartbeat]:
        """Give the last sign of life of each prober."""
        with self.trouble():
            return reading.heartbeats(self._engine, plan)

    def trace(self, call: str) -> str | None:
        """Give a call's SIP messages; None where none are kept."""
        table = TABLES[Trace]
        with self.trouble(), self._engine.connect() as connection:
            data = connection.execute(sa.select(table.c.sip).where(table.c.id == call)).scalar_one_or_none()
        return None if data is None else unpacked(data)

    def recordings(self, call: str) -> list[Recording]:
        """Give a call's recordings."""
        table = TABLES[Recording]
        with self.trouble():
            return list(reading.entries(self._engine, Recording, table.c.call == call, [table.c.direction]))

    def document(self, id_: str) -> Document | None:
        """Give a document by its id."""
        table = TABLES[Document]
        with self.trouble():
            return next(reading.entries(self._engine, Document, table.c.id == id_, []), None)

    def number_key(self) -> bytes:
        """Give the key with which numbers are hashed; made at the first call."""
        mine = {"key": NUMBER_KEY, "value": secrets.token_hex(32)}
        with self.trouble(), self.writing() as connection:
            connection.execute(insert(connection, meta).on_conflict_do_nothing(), mine)
            asked = sa.select(meta.c.value).where(meta.c.key == NUMBER_KEY)
            return bytes.fromhex(connection.execute(asked).scalar_one())

    # ---- keeping it

    def prune(self, keep: retention.Keep, now: float, plan: str) -> dict[str, int]:
        """Delete what a plan keeps no longer, in small transactions; how many rows of each table went."""
        with self.trouble():
            return retention.prune(self.writing, keep, now, plan)

    def info(self) -> upkeep.Info:
        """Count rows, bytes and times."""
        with self.trouble(), self.reading() as connection:
            return upkeep.info(connection, self.path)

    def check(self) -> list[str]:
        """Look for damage: one line for each; none where all is well."""
        with self.trouble(), self.reading() as connection:
            return upkeep.check(connection)

    def backup(self, target: Path) -> None:
        """Copy it as it is at one instant into a file, while it is written; of SQLite only."""
        with self.trouble():
            upkeep.backup(self._engine, self.name, target)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to read by."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction, which is committed at the end, or not at all."""
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def outside(self) -> Iterator[sa.Connection]:
        """Give a connection outside any transaction."""
        how = {"outside": True} if self.path else {"isolation_level": "AUTOCOMMIT"}
        with self._engine.connect().execution_options(**how) as connection:
            yield connection

    @contextmanager
    def trouble(self, refused: type[StoreError] = StoreError) -> Iterator[None]:
        """Say in one line what the database says; `refused` is raised where it is a row's own fault."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
            kind = refused if isinstance(error, HOPELESS) else StoreError
            raise kind(f"{self.name}: {words_of(error)}") from None
