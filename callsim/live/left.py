"""Says which calls a process that died has left to be counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from callgen.guarding.counters import Counters, Left

SHOWN = 5
"""Trunks that are named, with the time of the last call over each."""


def take_left(counters: Counters) -> str | None:
    """Say in one line what has been left since it was last asked for; None: nothing."""
    left = counters.left(time.time())
    return words(left) if left else None


def words(left: Sequence[Left]) -> str:
    """Name the trunks, and when the last call over each was begun."""
    counts = Counter(call.trunk for call in left)
    last = {call.trunk: call.at for call in left}
    named = [
        f"{trunk}{f' x {count}' if count > 1 else ''}, {_local(last[trunk])}"
        for trunk, count in counts.most_common(SHOWN)
    ]
    more = ["..."] if len(counts) > SHOWN else []
    what, how = "1 call", "was counted as its worst case: how it ended"
    if len(left) > 1:
        what, how = f"{len(left):,} calls", "were counted as their worst case: how they ended"
    return f"{what} of a process that died {how} is not known: " + "; ".join(named + more)


def _local(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
