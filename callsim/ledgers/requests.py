"""Requests of customers in a simulated stream."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from callsim.ledgers.plan import Asked, LedgerPlan
from results.ledger import Kind, Requests
from results.open_time import OpenTime
from results.timeline import Floats

open_time = lru_cache(maxsize=8)(OpenTime)
"""Open time of weekly hours, whose table of clock changes is made once."""


def asked_for(plan: LedgerPlan, asked: Asked, length: float, rng: np.random.Generator) -> Requests:
    """Draw the requests of one kind in [0, `length`) seconds since the stream's start."""
    opened = np.sort(rng.random(rng.poisson(length / asked.every)) * length)
    rows = len(opened)
    hours = open_time(plan.zone, asked.hours)
    waiting = np.zeros(rows) if asked.waits is None else asked.waits.sample(rng, rows)
    resolved = hours.add(opened, asked.resolve.sample(rng, rows) + waiting)
    responded = np.full(rows, np.nan)
    if asked.respond is not None:
        responded = np.minimum(hours.add(opened, asked.respond.sample(rng, rows)), resolved)
    return made(plan, asked.kind, asked.priority, (opened, responded, resolved, waiting))


def made(
    plan: LedgerPlan,
    kind: Kind,
    priority: str | None,
    times: tuple[Floats, Floats, Floats, Floats],
) -> Requests:
    """Make requests of opened, responded and resolved (seconds since the stream's start) and waiting."""
    opened, responded, resolved, waiting = times
    return Requests(
        kind=np.full(len(opened), kind, dtype=np.int32),
        priority=np.full(len(opened), -1 if priority is None else 0, dtype=np.int32),
        priorities=() if priority is None else (priority,),
        opened=plan.posix(opened),
        responded=plan.posix(responded),
        resolved=plan.posix(resolved),
        waiting=waiting,
        kinds=(kind,),
    )


def merged(parts: Sequence[Requests]) -> Requests | None:
    """Join requests, sorted by when they were opened; None of none."""
    if not parts:
        return None
    priorities = tuple(dict.fromkeys(name for part in parts for name in part.priorities))
    priority = [
        # The last entry is what -1 stands for.
        np.array([*(priorities.index(name) for name in part.priorities), -1], dtype=np.int32)[part.priority]
        for part in parts
    ]
    order = np.argsort(np.concatenate([part.opened for part in parts]), kind="stable")

    def joined(name: str) -> Floats:
        return np.asarray(np.concatenate([getattr(part, name) for part in parts])[order])

    return Requests(
        kind=joined("kind").astype(np.int32),
        priority=np.concatenate(priority)[order],
        priorities=priorities,
        opened=joined("opened"),
        responded=joined("responded"),
        resolved=joined("resolved"),
        waiting=joined("waiting"),
        kinds=tuple(sorted({kind for part in parts for kind in part.kinds})),
    )
