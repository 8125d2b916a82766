"""How many calls it takes until a rule on calls takes a trunk out, at a given chance that one is bad."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from carriers.health import CallRule, calls_to_trip

PLAYS = 2_000
"""Trips that are played for one law, which tells its mean to 2.2 % at worst."""
LONGEST = 2_000
"""Calls after which a play ends without a trip."""
BLOCK = 64
FEW = 100
"""With fewer trips than this in all plays nothing is known of their law but the mean."""


class TripLaw:
    """Calls from an empty window to the trip: the counts of trips that were played, drawn from at random.

    Where a play ends without one, trips are so far apart that the law is taken as exponential. The plays
    have a seed of their own, so that the law is the same in every process and for every run.
    """

    def __init__(self, rule: CallRule, chance: float) -> None:
        rng = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(rule.of_last, spawn_key=(rule.needed,)))
        )
        counts: list[int] = []
        played = so_far = 0
        window = np.zeros((PLAYS, rule.of_last), dtype=np.bool_)
        while len(window) and so_far < LONGEST:
            failed = rng.random((len(window), BLOCK)) < chance
            trip = calls_to_trip(rule, failed, window)
            tripped = trip >= 0
            counts += (so_far + trip[tripped] + 1).tolist()
            played += int((trip[tripped] + 1).sum()) + BLOCK * int((~tripped).sum())
            window = np.concatenate([window, failed], axis=1)[~tripped, -rule.of_last :]
            so_far += BLOCK
        self._counts = counts if not len(window) and len(counts) >= FEW else []
        self._mean = played / len(counts) if counts else math.inf

    def draw(self, uniform: float) -> int | None:
        """Turn a uniform number into a number of calls; None: none that matters."""
        if self._counts:
            return self._counts[int(uniform * len(self._counts))]
        return 1 - int(self._mean * math.log1p(-uniform)) if self._mean < math.inf else None


@lru_cache(maxsize=256)
def trip_law(rule: CallRule, chance: float) -> TripLaw:
    """Law of the calls to a trip at a chance to be bad, played once in each process."""
    return TripLaw(rule, chance)
