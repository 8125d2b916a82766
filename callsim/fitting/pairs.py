"""Laws of failure and of repair for each thing that was observed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from callsim.fitting.observed import Observed
from results.estimates import Estimate
from results.fitting.fit import Fitted, fit_spells, of_all
from results.fitting.goodness import Curve, Goodness, goodness, kaplan_meier
from results.fitting.spells import Record, Spells, coarse, joined, lives_of, repairs_of


@dataclass(frozen=True)
class Side:
    """Times to failure, or to repair, with the law that fits them."""

    fitted: Fitted
    curve: Curve
    goodness: Goodness | None
    """None where too few ended to tell, or where there is nothing to test."""


@dataclass(frozen=True)
class Pair:
    """How one kind of thing fails and is repaired."""

    name: str
    units: int
    """Records: units, each over one stretch."""
    seconds: float
    """Operating time."""
    lives: Side
    repairs: Side
    seen: Estimate | None
    """Share of the outages that are seen at all, where it is not all; the times to failure are of all."""

    @property
    def failures(self) -> int:
        """How many were seen to begin."""
        return self.lives.fitted.spells.ends

    @property
    def availability(self) -> Estimate | None:
        """Share of the time in which it works; None where one of the means is not known.

        The interval is that of a ratio of two that are independent, from theirs (MOVER, on the logarithm:
        Donner and Zou 2012).
        """
        up, down = self.lives.fitted.mean, self.repairs.fitted.mean
        if up.value is None or down.value is None:
            return None
        odds = math.log(down.value / up.value)
        known = [up.low, up.high, down.low, down.high]
        low = high = None
        if None not in known:
            up_low, up_high, down_low, down_high = (math.log(x) for x in known if x)
            up_log, down_log = math.log(up.value), math.log(down.value)
            least = odds - math.hypot(down_log - down_low, up_high - up_log)
            most = odds + math.hypot(down_high - down_log, up_log - up_low)
            low, high = 1.0 / (1.0 + math.exp(most)), 1.0 / (1.0 + math.exp(least))
        return Estimate(1.0 / (1.0 + math.exp(odds)), low, high, up.confidence, self.failures)


def fit_all(observed: Observed, confidence: float, seed: int) -> list[Pair]:
    """Fit a pair of laws for each name; the random numbers are for the tests of fit only."""
    seeds = np.random.SeedSequence(seed).spawn(len(observed.records))
    return [
        _pair(name, records, observed.resolution, confidence, np.random.default_rng(key))
        for (name, records), key in zip(observed.records.items(), seeds, strict=True)
    ]


def _pair(
    name: str,
    records: tuple[Record, ...],
    resolution: float,
    confidence: float,
    rng: np.random.Generator,
) -> Pair:
    lives = coarse(joined(map(lives_of, records)), resolution)
    repairs = coarse(joined(map(repairs_of, records)), resolution)
    down = _side(repairs, confidence, rng)
    share = down.fitted.seen
    # Of outages that are too short to be seen, the times between those that are seen know nothing.
    up = _side(lives, confidence, rng)
    if share is not None and share.value is not None and up.fitted.fits:
        mean = of_all(up.fitted.mean, share)
        scaled = _side(lives.scaled(share.value), confidence, rng)
        up = replace(scaled, fitted=replace(scaled.fitted, mean=mean))
    return Pair(name, len(records), lives.seconds, up, down, share)


def _side(spells: Spells, confidence: float, rng: np.random.Generator) -> Side:
    fitted = fit_spells(spells, confidence)
    tested = None if fitted.best is None else goodness(spells, fitted.best, rng)
    return Side(fitted, kaplan_meier(spells), tested)
