"""Counted figures set beside expected ones, each with a margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from callsim.call_days import Days
from results.timeline import Floats

FEWEST_DAYS = 5
"""With fewer days than this their scatter says nothing."""


@dataclass(frozen=True)
class Beside:
    """One quantity: what the evaluated mode expects, and what was counted."""

    name: str
    expected: float
    counted: float
    margin: float | None
    """Two-sided, at the scenario's confidence, of the play alone: the faults are the same in both."""

    @property
    def agrees(self) -> bool | None:
        """Whether the difference is within the margin; None where there is none."""
        return None if self.margin is None else abs(self.counted - self.expected) <= self.margin


def columns(days: Days) -> dict[str, Floats]:
    """Name what the rows are shares of, (n,) each."""
    calls = days.calls
    connected, reached = calls.offered - calls.failed, calls.inbound - calls.inbound_failed
    return {
        "offered": calls.offered,
        "connected": connected,
        "inbound": calls.inbound,
        "inbound connected": reached,
        "ours": calls.offered - calls.inbound,
        "ours connected": connected - reached,
        "blocked": calls.blocked,
        "dropped": days.dropped,
        "one-way": calls.one_way,
        "rated": calls.rated.sum(axis=1),
        "mos": calls.mos.sum(axis=1),
        "poor": calls.poor.sum(axis=1),
    }


@dataclass(frozen=True)
class Scatter:
    """Margins from how far days lie from what is expected of each, and no less than counting alone gives.

    The faults of a day are the same in both modes, so that what is left is the play: when a fault was
    noticed, which channels were busy. Calls that share that count as few.
    """

    confidence: float
    told: bool
    """Whether margins are given."""

    def share(
        self,
        name: str,
        have: Mapping[str, Floats],
        want: Mapping[str, Floats],
        part: str,
        whole: str,
        *,
        alone: bool = False,
    ) -> Beside | None:
        """Compare a share; with too few days one of calls that fail `alone` has the margin of counting."""
        offered, calls = float(want[whole].sum()), float(have[whole].sum())
        if not offered or not calls:
            return None
        expected, found = float(want[part].sum()) / offered, float(have[part].sum()) / calls
        # Rounding can take an integral a little out of [0, 1].
        spread = math.sqrt(max(expected * (1 - expected), 0.0) / calls)
        margin = self._margin(have, want, (part, whole), expected, spread, 1 / calls, alone=alone)
        return Beside(name, expected, found, margin)

    def mean(
        self, name: str, have: Mapping[str, Floats], want: Mapping[str, Floats], spread: float
    ) -> Beside | None:
        """Compare the mean MOS; `spread` is its standard deviation over calls."""
        calls = float(have["rated"].sum())
        if not calls:
            return None
        expected, found = float(want["mos"].sum()) / float(want["rated"].sum()), have["mos"].sum() / calls
        margin = self._margin(
            have, want, ("mos", "rated"), expected, spread / math.sqrt(calls), 0.0, alone=False
        )
        return Beside(name, expected, float(found), margin)

    def _margin(
        self,
        have: Mapping[str, Floats],
        want: Mapping[str, Floats],
        ratio: tuple[str, str],
        expected: float,
        error: float,
        step: float,
        *,
        alone: bool,
    ) -> float | None:
        from scipy import stats  # noqa: PLC0415 - slow to import

        part, whole = ratio
        tail, days = (1 - self.confidence) / 2, len(have[whole])
        counting = float(stats.norm.isf(tail)) * error + step
        if not self.told:
            return None
        if days < FEWEST_DAYS:
            return counting if alone else None
        apart = (have[part] - expected * have[whole]) - (want[part] - expected * want[whole])
        scatter = float(stats.t.isf(tail, days - 1)) * math.sqrt(days) * float(apart.std(ddof=1))
        return max(counting, scatter / float(have[whole].sum()) + step)
