"""What a prober writes to its store, and takes up from there when it starts."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callsim.metrics.history import past_of
from callsim.plan.model import Plan
from callsim.watching.lanes import Key
from results.store.entries import Entry
from results.store.errors import StoreError
from results.store.numbers import hashed
from results.store.opening import open_store

if TYPE_CHECKING:
    from callsim.metrics.budget import Past
    from callsim.reading.tracking import IncidentTracker
    from callsim.watching.watcher import Watcher
    from results.store.keeper import Keeper
    from results.store.store import Store

LOG = logging.getLogger(__name__)
DAY = 86400.0
OVERLAP = 7200.0
"""Seconds before the last sign of life within which records may have come out of order."""
FIRST_PRUNE = 600.0
"""Seconds after the start at which old records are removed for the first time."""
LAND = 10.0
"""Seconds in which what was spooled has to land before the store is read."""
TRY_AGAIN = 30.0
"""Seconds between two tries at a store that was away at the start."""


@dataclass(frozen=True)
class Taken:
    """What a store knew of a prober when it started."""

    handled: Mapping[Key, list[float]]
    """Slots of each leg of which there are records, since shortly before it was last alive."""
    past: list[Past]
    """What the error budget needs."""


def put_of(keeper: Keeper, plan: Callable[[], Plan]) -> Callable[..., None]:
    """Give what hands entries to a keeper, their numbers hashed where the plan of now says so."""
    keys: list[bytes] = []

    def put(*entries: Entry) -> None:
        if plan().numbers == "hashed":
            keys[:] = keys or [_key_of(keeper)]
            entries = tuple(hashed(entry, keys[0]) for entry in entries)
        keeper.put(*entries)

    return put


def _key_of(keeper: Keeper) -> bytes:
    """Give the key of hashed numbers; while it cannot be known one of our own, which nobody else has."""
    try:
        return keeper.number_key()
    except StoreError as error:
        LOG.warning("numbers are hashed with a key of this run alone: %s", error)
        return secrets.token_bytes(32)


def take_up(url: str, plan: Plan, location: str, now: float, tracker: IncidentTracker | None = None) -> Taken:
    """Read what was before, and have the tracker take it up; raises StoreError."""
    with open_store(url) as store:
        if tracker is not None:
            going_on = [one for one in store.incidents(plan.name, now, location=location) if not _over(one)]
            since = tracker.wanted_since(going_on, now)
            tracker.restore(
                store.probes(plan.name, since, now, location),
                store.missed(plan.name, since, now, location),
                store.incidents(plan.name, since, location=location),
                now,
            )
        return Taken(handled(store, plan, location), list(past_of(store, plan, location, now)))


def _over(incident: object) -> bool:
    return getattr(incident, "ended_latest", None) is not None


def handled(store: Store, plan: Plan, location: str) -> dict[Key, list[float]]:
    """Give the slots of each leg of which there are records, since shortly before it was last alive."""
    beats = [beat.at for beat in store.heartbeats(plan.name) if beat.location == location]
    if not beats:
        return {}
    since = max(beats) - OVERLAP - 2.0 * max((test.every or 0.0 for test in plan.tests), default=0.0)
    found: defaultdict[Key, list[float]] = defaultdict(list)
    probes = store.probes(plan.name, since, location=location)
    for series, due in zip(probes.series.tolist(), probes.due.tolist(), strict=True):
        if not math.isnan(due):  # of `callsim probe`
            found[probes.of[series].test, probes.of[series].over].append(due)
    for missed in store.missed(plan.name, since, location=location):
        found[missed.test, missed.over].append(missed.due_at)
    return dict(found)


async def fill_later(url: str, keeper: Keeper, watcher: Watcher, location: str) -> None:
    """Tell of the slots before the start once the store, which was away then, can be read."""
    while True:
        await asyncio.sleep(TRY_AGAIN)
        try:
            if not await asyncio.to_thread(keeper.drain, LAND):
                continue
            found = await asyncio.to_thread(handled_in, url, watcher.plan, location)
        except StoreError:
            continue
        watcher.fill(found)
        return


def handled_in(url: str, plan: Plan, location: str) -> dict[Key, list[float]]:
    """Do as `handled`, for a store's URL; raises StoreError."""
    with open_store(url) as store:
        return handled(store, plan, location)


async def keep_pruning(url: str, plan: Callable[[], Plan]) -> None:
    """Remove what is older than the plan keeps, every day."""
    await asyncio.sleep(FIRST_PRUNE)
    while True:
        current = plan()
        if current.keep is not None:
            try:
                await asyncio.to_thread(_prune, url, current)
            except StoreError as error:
                LOG.warning("old records are not removed: %s", error)
        await asyncio.sleep(DAY)


def _prune(url: str, plan: Plan) -> None:
    assert plan.keep is not None  # asked by the caller
    with open_store(url) as store:
        store.prune(plan.keep, time.time(), plan.name)
