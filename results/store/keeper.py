"""Hands entries to a store in the background, over a spool while it is away."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

from results.store.entries import Entry
from results.store.errors import EntryError, StoreError, words_of
from results.store.opening import open_store
from results.store.rows import entry_from, line_of
from results.store.spool import Spool
from results.store.store import Store

BATCH = 1000
"""Entries in one transaction."""
MOST = 20_000
"""Entries that are held in memory when neither store nor spool takes them."""
RETRY = 2.0
"""Seconds between two tries at a store that is away."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeeperState:
    """How a keeper fares; `dropping` once entries were lost, until the store is back."""

    name: Literal["ok", "spooling", "dropping"]
    since: float
    """POSIX time."""
    spooled: int
    """Entries that wait in the spool."""
    held: int
    """Entries that are in memory alone."""
    dropped: int
    """Entries that were lost for want of any room, in all."""
    refused: int
    """Entries that no store takes, put aside beside the spool, in all."""
    why: str | None
    """What the store, or the spool, said last."""

    def __str__(self) -> str:
        """Write it in a few words."""
        if self.name == "ok":
            return "ok"
        since = datetime.fromtimestamp(self.since, UTC)
        lost = f", {self.dropped} lost" * bool(self.dropped)
        said = f" ({self.why})" * bool(self.why)
        return (
            f"{self.name} since {since:%Y-%m-%d %H:%M:%S} UTC, {self.spooled + self.held} waiting{lost}{said}"
        )


class Keeper:
    """Takes entries at once and writes them in a thread of its own, in order.

    What the store does not take is appended to the spool, and lands when it is back; with no room there
    either it is held in memory, up to `most` entries. `on_change` is called from that thread whenever the
    state has another name. Raises StoreError where the spool cannot be had.
    """

    def __init__(
        self,
        store: str | Callable[[], Store],
        spool: Path,
        on_change: Callable[[KeeperState], object] = lambda state: None,
        *,
        most: int = MOST,
        retry: float = RETRY,
    ) -> None:
        self._opener: Callable[[], Store] = partial(open_store, store) if isinstance(store, str) else store
        self._store: Store | None = None
        self._opening = threading.Lock()
        self._spool = Spool(spool)
        self._on_change = on_change
        self._most = most
        self._retry = retry
        self._held: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._retry_at = 0.0
        self._trouble: tuple[str | None, str | None] = (None, None)
        self._dropped = self._refused = self._lost = 0
        self._state = self._now_state("spooling" if self._spool.waiting else "ok", time.time())
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    # ---- for everybody

    def put(self, *entries: Entry) -> None:
        """Take entries; never waits, never raises."""
        with self._changed:
            self._held.extend(entries)
            while len(self._held) > self._most:
                self._held.popleft()  # the oldest, of which most is told by what follows
                self._dropped += 1
                self._lost += 1
            self._changed.notify_all()

    @property
    def state(self) -> KeeperState:
        """How it fares now."""
        with self._changed:
            return self._now_state(self._state.name, self._state.since)

    @property
    def waiting(self) -> int:
        """Count the entries that have not landed."""
        return self._spool.waiting + len(self._held)

    def number_key(self) -> bytes:
        """Give the store's key for hashed numbers, as it was known last while the store is away.

        Raises StoreError where it never was.
        """
        file = self._spool.path.with_suffix(".key")
        try:
            key = self._opened().number_key()
        except StoreError:
            try:
                return bytes.fromhex(file.read_text("ascii"))
            except (OSError, ValueError):
                pass
            raise
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(key.hex())
        return key

    def drain(self, timeout: float) -> bool:
        """Wait until nothing is in memory, nor in the spool while the store is there.

        Says whether everything has landed.
        """
        until = time.monotonic() + timeout
        with self._changed:
            while self._held or (self._spool.waiting and self._trouble[0] is None):
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return not self._held and not self._spool.waiting

    def close(self) -> None:
        """Write or spool what is left, and let go of both; what nobody takes is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._spool.close()
        if self._store is not None:
            self._store.close()

    # ---- the thread

    def _run(self) -> None:
        stuck = False
        while True:
            with self._changed:
                if self._closing and (not self._held or stuck):
                    self._dropped += len(self._held)
                    return
                if stuck or not self._held:
                    waits = stuck or self._spool.waiting
                    self._changed.wait(max(self._retry_at - time.monotonic(), 0.0) if waits else None)
                batch = list(islice(self._held, BATCH))
                before = self._dropped
            done = self._turn(batch)
            stuck = bool(batch) and not done
            with self._changed:
                if done:
                    # What was dropped meanwhile was at the front, so it is not lost after all.
                    kept_still = min(self._dropped - before, len(batch))
                    self._dropped -= kept_still
                    self._lost -= kept_still
                    for _ in range(len(batch) - kept_still):
                        self._held.popleft()
                changed = self._renamed()
                self._changed.notify_all()
            if changed:
                self._tell()

    def _turn(self, batch: list[Entry]) -> bool:
        """Land some of the spool; write entries, or spool them: False where neither takes them."""
        if time.monotonic() >= self._retry_at:
            if self._spool.waiting:
                self._land()
            if batch and not self._spool.waiting and self._write(batch):
                return True
        return not batch or self._append(batch)

    def _land(self) -> None:
        try:
            lines = self._spool.first(BATCH)
        except OSError as error:
            self._failed(0, words_of(error))
            return
        entries: list[Entry] = []
        spoilt: list[tuple[str, str]] = []
        for line in lines:
            try:
                entries.append(entry_from(line.decode()))
            except ValueError as error:
                spoilt.append((line.decode(errors="replace").rstrip("\n"), str(error)))
        if self._write(entries):
            self._put_aside(spoilt)
            self._spool.landed(lines)

    def _write(self, entries: Sequence[Entry]) -> bool:
        """Write entries into the store, singly where one of them is the trouble; False where it is away."""
        refused: list[tuple[str, str]] = []
        try:
            store = self._opened()
            try:
                store.write(entries)
            except EntryError:
                for entry in entries:
                    try:
                        store.write([entry])
                    except EntryError as error:
                        refused.append((line_of(entry), str(error)))
        except StoreError as error:
            return self._away(str(error))
        except Exception as error:
            # Whatever it is, the thread has to go on, and the entries must not be lost.
            log.exception("store")
            return self._away(f"{type(error).__name__}: {error}")
        self._put_aside(refused)
        self._trouble = (None, None)
        return True

    def _append(self, entries: Sequence[Entry]) -> bool:
        try:
            self._spool.append([line_of(entry) for entry in entries])
        except OSError as error:
            return self._failed(1, f"{self._spool.path}: {words_of(error)}")
        self._trouble = (self._trouble[0], None)
        return True

    def _put_aside(self, refused: list[tuple[str, str]]) -> None:
        """Keep what no store takes in a file beside the spool, for people to look at."""
        if not refused:
            return
        for _, why in refused:
            log.error("refused: %s", why)
        try:
            with self._spool.path.with_suffix(".refused").open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line, _ in refused)
        except OSError as error:
            log.error("refused, and lost: %s", words_of(error))  # noqa: TRY400 - no traceback of a full disk
        self._refused += len(refused)

    def _opened(self) -> Store:
        with self._opening:
            if self._store is None:
                self._store = self._opener()
            return self._store

    def _away(self, why: str) -> bool:
        with self._opening:
            if self._store is not None:
                # Opened anew the next time: SQLite goes on reading only what it once could not write.
                self._store.close()
                self._store = None
        return self._failed(0, why)

    def _failed(self, where: int, why: str) -> bool:
        troubles = list(self._trouble)
        troubles[where] = why
        self._trouble = (troubles[0], troubles[1])
        self._retry_at = time.monotonic() + self._retry
        return False

    # ---- its state

    def _renamed(self) -> bool:
        """Name the state anew; whether that is another name."""
        if self._trouble[0] is None and not self._spool.waiting:
            self._lost = 0
            name: Literal["ok", "spooling", "dropping"] = "ok"
        else:
            name = "dropping" if self._lost else "spooling"
        if name == self._state.name:
            return False
        self._state = self._now_state(name, time.time())
        return True

    def _now_state(self, name: Literal["ok", "spooling", "dropping"], since: float) -> KeeperState:
        why = "; ".join(words for words in self._trouble if words) or None
        return KeeperState(
            name, since, self._spool.waiting, len(self._held), self._dropped, self._refused, why
        )

    def _tell(self) -> None:
        try:
            self._on_change(self.state)
        except Exception:
            log.exception("on_change")
