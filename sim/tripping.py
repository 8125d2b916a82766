"""How many calls it takes until the failing-calls rule takes a trunk out, at a given chance to fail."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carriers.health import CallRule, calls_to_trip

CALLS = 4_000_000
"""Calls played for one law."""
BLOCK = 2_000
ENOUGH = 5_000
"""Trips after which a law is known well enough (its mean to 1.4 % at worst)."""
FEW = 100
"""With fewer trips than this in all the calls played, the law is taken as exponential."""


class TripLaw:
    """Calls from an empty window to the trip: the counts of trips that were played, drawn from at random.

    The play has a seed of its own, so that the law is the same in every process and for every run.
    """

    def __init__(self, rule: CallRule, chance: float) -> None:
        rng = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(rule.of_last, spawn_key=(rule.needed,)))
        )
        self._counts: list[int] = []
        played = since = 0
        before: list[bool] = []
        while played < CALLS and len(self._counts) < ENOUGH:
            failed = rng.random(BLOCK) < chance
            played += BLOCK
            since, before = self._play(rule, failed, since, before)
        self._mean = played / len(self._counts) if self._counts else np.inf

    def _play(
        self, rule: CallRule, failed: NDArray[np.bool_], since: int, before: list[bool]
    ) -> tuple[int, list[bool]]:
        """Note the trips in a block; returns the calls since the last trip, and the window they leave."""
        while (trip := calls_to_trip(rule, failed, before)) is not None:
            self._counts.append(since + trip + 1)
            failed = failed[trip + 1 :]
            since, before = 0, []
        return since + len(failed), [*before, *failed[-rule.of_last :].tolist()][-rule.of_last :]

    def draw(self, uniform: float) -> int | None:
        """Turn a uniform number into a number of calls; None: none that matters."""
        if len(self._counts) >= FEW:
            return self._counts[int(uniform * len(self._counts))]
        return 1 - int(self._mean * math.log1p(-uniform)) if self._counts else None


@lru_cache(maxsize=256)
def trip_law(rule: CallRule, chance: float) -> TripLaw:
    """Law of the calls to a trip at a chance to fail, played once in each process."""
    return TripLaw(rule, chance)
