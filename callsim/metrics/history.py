"""What the error budget has to know of the time before a start."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from callsim.metrics.budget import LONGEST, MINUTE, Past
from callsim.plan import Plan

if TYPE_CHECKING:
    from results.store.store import Store


def past_of(store: Store, plan: Plan, location: str, at: float) -> Iterator[Past]:
    """Give what a store has of a prober's slots in the month of an instant, and in the longest window."""
    month = dt.datetime.fromtimestamp(at, ZoneInfo(plan.timezone)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    since = min(month.timestamp(), at - LONGEST * MINUTE)
    probes = store.probes(plan.name, since, at, location)
    for series, ended, passed in zip(
        probes.series.tolist(), probes.ended.tolist(), probes.passed.tolist(), strict=True
    ):
        leg = probes.of[series]
        yield Past(leg.test, leg.over, ended, None if passed < 0 else bool(passed))
    for missed in store.missed(plan.name, since, at, location):
        yield Past(missed.test, missed.over, missed.due_at, None)
