"""How many calls it takes until a rule on calls takes a trunk out, at a given chance that one is bad."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from carriers.health import CallRule, calls_to_trip
from carriers.laws import Floats

PLAYS = 2_000
"""Trips that are played for one law, which tells its mean to 2.2 % at worst."""
LONGEST = 2_000
"""Calls after which a play ends without a trip."""
BLOCK = 64
FEW = 100
"""With fewer trips than this in all plays nothing is known of their law but the mean."""


class TripLaw:
    """Law of the time from an empty window to the trip, in mean times between two calls, a Poisson process.

    The calls that it takes are drawn at random from the counts of trips that were played.

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
        self._counts = np.asarray(counts if not len(window) and len(counts) >= FEW else [])
        self._mean = played / len(counts) if counts else math.inf

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw `size` independent times; infinity: there is no trip that matters."""
        if len(self._counts):
            return np.asarray(rng.standard_gamma(self._counts[rng.integers(len(self._counts), size=size)]))
        if self._mean == math.inf:
            return np.full(size, math.inf)
        return np.asarray(rng.standard_gamma(1.0 + np.floor(rng.exponential(self._mean, size))))


@lru_cache(maxsize=256)
def trip_law(rule: CallRule, chance: float) -> TripLaw:
    """Law of the calls to a trip at a chance to be bad, played once in each process."""
    return TripLaw(rule, chance)
