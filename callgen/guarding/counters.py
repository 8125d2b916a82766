"""The memory of calls that caps are counted on, which outlives a crash."""

from __future__ import annotations

import math
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from callgen.guarding.caps import DAY, HOUR, Caps, Limits, Used, Worst
from callgen.guarding.refusals import Reason, RefusedError

PATIENCE = 2.0
"""Seconds to wait while another process writes."""
KEPT = 2 * DAY
GRACE = 60.0
"""Seconds after the end of its lease by which a process that lives has told how a call ended."""
FORMAT = 2
MARK = 0x43414C4C
"""Application number in the file's header."""
SCHEMA = (
    """CREATE TABLE calls (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        trunk TEXT NOT NULL,
        at REAL NOT NULL,       -- POSIX time of the reservation
        until REAL NOT NULL,    -- POSIX time at which it is off the line: settled, or its lease is over
        minutes INTEGER NOT NULL,
        price REAL NOT NULL,
        answered INTEGER NOT NULL,
        short INTEGER NOT NULL,
        owner INTEGER           -- process that has yet to tell how it ended; NULL once that is done
    )""",
    "CREATE INDEX calls_at ON calls (at)",
    "CREATE INDEX calls_until ON calls (until, trunk)",
    # Each minute's sums: a day of 100,000 calls is added up in under a millisecond.
    """CREATE TABLE sums (
        minute INTEGER NOT NULL, trunk TEXT NOT NULL,
        calls INTEGER, minutes INTEGER, spend REAL, answered INTEGER, short INTEGER,
        PRIMARY KEY (minute, trunk)
    ) WITHOUT ROWID""",
    """CREATE TRIGGER reserved AFTER INSERT ON calls BEGIN
        INSERT INTO sums VALUES (CAST(NEW.at / 60 AS INTEGER), NEW.trunk, 0, 0, 0, 0, 0)
            ON CONFLICT DO NOTHING;
        UPDATE sums SET calls = calls + 1, minutes = minutes + NEW.minutes,
            spend = spend + NEW.minutes * NEW.price, answered = answered + NEW.answered,
            short = short + NEW.short
            WHERE minute = CAST(NEW.at / 60 AS INTEGER) AND trunk = NEW.trunk;
    END""",
    """CREATE TRIGGER settled AFTER UPDATE ON calls BEGIN
        UPDATE sums SET minutes = minutes + NEW.minutes - OLD.minutes,
            spend = spend + (NEW.minutes - OLD.minutes) * OLD.price,
            answered = answered + NEW.answered - OLD.answered, short = short + NEW.short - OLD.short
            WHERE minute = CAST(OLD.at / 60 AS INTEGER) AND trunk = OLD.trunk;
    END""",
    """CREATE TRIGGER released AFTER DELETE ON calls BEGIN
        UPDATE sums SET calls = calls - 1, minutes = minutes - OLD.minutes,
            spend = spend - OLD.minutes * OLD.price, answered = answered - OLD.answered,
            short = short - OLD.short
            WHERE minute = CAST(OLD.at / 60 AS INTEGER) AND trunk = OLD.trunk;
        DELETE FROM sums
            WHERE minute = CAST(OLD.at / 60 AS INTEGER) AND trunk = OLD.trunk AND calls = 0;
    END""",
    f"PRAGMA application_id = {MARK}",
    f"PRAGMA user_version = {FORMAT}",
)
OVER = "(:trunk IS NULL OR trunk = :trunk)"
# Exact to the call: whole minutes from their sums, what the window has of its first minute one by one.
WINDOW = f"""
    SELECT total(calls), total(minutes), total(spend), total(answered), total(short) FROM (
        SELECT calls, minutes, spend, answered, short FROM sums WHERE minute > :first AND {OVER}
        UNION ALL
        SELECT 1, minutes, minutes * price, answered, short FROM calls
            WHERE at > :start AND at < (:first + 1) * 60 AND {OVER})"""
RATE = f"SELECT count(*) FROM calls WHERE at > :start AND {OVER}"
HELD = f"SELECT count(*) FROM calls WHERE until > :now AND {OVER}"


@dataclass(frozen=True)
class Counted:
    """A call of the past: when it was reserved (POSIX time), and what it is counted as."""

    trunk: str
    at: float
    minutes: int
    spend: float


@dataclass(frozen=True)
class Left:
    """A call of a process that died before it was over: its trunk, when it was reserved (POSIX time)."""

    trunk: str
    at: float


class Counters:
    """Calls of the last days in a SQLite file, which several processes may share; in memory without one.

    A call is written before it is placed, as its worst case and with a lease; settling puts its real
    figures there. What a dead process left therefore counts in full, and is off the line when its lease
    ends: until then the far end may still be in the call. Not for use over a fork. Raises ValueError for
    another kind of file.
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        try:
            self._db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise ValueError(f"counters: {path}: {error}") from None

    def _open(self) -> None:
        # Looked at before anything is changed: it may be somebody else's file.
        if self._is_new():
            with self._writing():
                if self._is_new():  # still, now that nobody else can write
                    for statement in SCHEMA:
                        self._db.execute(statement)
        # Only faster, and refused while another process is in the file: whoever opens it next asks again.
        with suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA journal_mode = WAL")

    def _is_new(self) -> bool:
        ((tables,),) = self._db.execute("SELECT count(*) FROM sqlite_master")
        if tables == 0:
            return True
        # Asked after the tables, with which they came.
        ((mark,),) = self._db.execute("PRAGMA application_id")
        ((version,),) = self._db.execute("PRAGMA user_version")
        if (mark, version) != (MARK, FORMAT):
            raise sqlite3.DatabaseError(f"not a file of counters in format {FORMAT}; move it away")
        return False

    def close(self) -> None:
        """Close the file; the calls stay there."""
        self._db.close()

    def reserve(self, call: Worst, caps: Caps, clock: Callable[[], float]) -> int:
        """Write a call that is about to be placed; its number is for `settle`.

        Raises RefusedError where it would break a cap, or where it cannot be written.
        """
        try:
            # Flushed to the disk: this must be known even after a power cut.
            self._db.execute("PRAGMA synchronous = FULL")
            with self._writing():
                # Under the lock, so that times are in the order of the reservations.
                now = clock()
                for trunk, limits in caps.scopes(call.trunk):
                    for words in limits.broken(self._used(now, trunk, limits), call):
                        raise RefusedError(Reason.CAP, trunk or "all trunks", words)
                self._db.execute("DELETE FROM calls WHERE at < ? AND until < ?", (now - KEPT, now))
                row = (call.trunk, now, now + call.lasts, call.minutes, call.price or 0.0, call.short)
                made = self._db.execute(
                    "INSERT INTO calls (trunk, at, until, minutes, price, answered, short, owner)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
                    (*row, os.getpid()),
                )
        except sqlite3.Error as error:
            raise RefusedError(Reason.COUNTERS, call.trunk, str(error)) from error
        assert made.lastrowid is not None  # it has just been inserted
        return made.lastrowid

    def settle(self, number: int, minutes: int, short: bool, now: float) -> None:
        """Put the real figures of a call in place: 0 minutes where there was no answer.

        Where the file cannot be written the worst case stays.
        """
        self._amend(
            "UPDATE calls SET until = ?, minutes = ?, answered = ?, short = ?, owner = NULL WHERE id = ?",
            (now, minutes, minutes > 0, short, number),
        )

    def keep_worst(self, number: int) -> None:
        """Leave a call counted as its worst case, with its lease: how it ended will never be known."""
        self._amend("UPDATE calls SET owner = NULL WHERE id = ?", (number,))

    def left(self, now: float) -> list[Left]:
        """Give the calls that dead processes have left, oldest first, once; they stay as their worst case.

        A process counts as dead when there is none of its number, or when the lease of its call is over.
        """
        try:
            with self._writing():
                rows = self._db.execute(
                    "SELECT id, trunk, at, until, owner FROM calls WHERE owner IS NOT NULL ORDER BY at"
                ).fetchall()
                dead = [row for row in rows if row[3] + GRACE < now or not _lives(row[4])]
                self._db.executemany("UPDATE calls SET owner = NULL WHERE id = ?", [row[:1] for row in dead])
        except sqlite3.Error:
            return []  # it is told next time
        return [Left(trunk, at) for _, trunk, at, _, _ in dead]

    def release(self, number: int) -> None:
        """Forget a call of which nothing was sent."""
        self._amend("DELETE FROM calls WHERE id = ?", (number,))

    def used(self, now: float, trunk: str | None = None, limits: Limits | None = None) -> Used:
        """Sum what calls hold or have used at a time, over one trunk or all."""
        return self._used(now, trunk, limits or Limits())

    def since(self, start: float) -> list[Counted]:
        """Give the calls after a time, oldest first."""
        rows = self._db.execute(
            "SELECT trunk, at, minutes, minutes * price FROM calls WHERE at > ? ORDER BY at", (start,)
        )
        return [Counted(*row) for row in rows]

    def _used(self, now: float, trunk: str | None, limits: Limits) -> Used:
        (held,) = self._db.execute(HELD, {"now": now, "trunk": trunk}).fetchone()
        start = now - limits.rate_window
        (second,) = self._db.execute(RATE, {"start": start, "trunk": trunk}).fetchone()
        hour = self._window(now - HOUR, trunk)[0]
        day, minutes, spend, answered, short = self._window(now - DAY, trunk)
        return Used(held, second, int(hour), int(day), int(minutes), spend, int(answered), int(short))

    def _window(self, start: float, trunk: str | None) -> list[float]:
        values = {"start": start, "first": math.floor(start / 60.0), "trunk": trunk}
        return list(self._db.execute(WINDOW, values).fetchone())

    def _amend(self, statement: str, values: tuple[float, ...]) -> None:
        with suppress(sqlite3.OperationalError):
            # Not flushed: what a power cut takes from here leaves the worst case, which is the safe side.
            self._db.execute("PRAGMA synchronous = NORMAL")
            with self._writing():
                self._db.execute(statement, values)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the file for one change, that no other process writes meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _lives(process: int) -> bool:
    """Whether there is a process of this number; always, where asking would end it."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True
