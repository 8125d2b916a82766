"""Estimates with intervals that cover what they claim to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from results.summary import Summary
from results.timeline import Floats

FEW = 10
"""Under so many events there is no two-sided interval."""
BLOCKS = 1000
"""At most so many stretches are resampled; years beyond that are joined to equal blocks."""


@dataclass(frozen=True)
class Estimate:
    """A value with what the simulation's noise leaves open.

    [`low`, `high`] is the two-sided interval at `confidence`, None where fewer than `FEW` events stand behind
    the value. `lower` and `upper` are one-sided bounds, each by itself at `confidence`; None where the data say
    nothing in that direction. `count` is the number of events behind the value.
    """

    value: float | None
    low: float | None
    high: float | None
    confidence: float
    count: int
    lower: float | None = None
    upper: float | None = None

    def to_json(self) -> dict[str, float | int | None]:
        """Return what `result.json` holds; the one-sided bounds stand in only where there is no interval."""
        shown = {"value": self.value, "low": self.low, "high": self.high}
        shown |= {"confidence": self.confidence, "count": self.count}
        if self.low is None:
            shown |= {"at_least": self.lower, "at_most": self.upper}
        return shown

    def scaled(self, factor: float, offset: float = 0.0) -> Estimate:
        """Return the estimate of `factor` times this plus `offset`; a negative factor swaps the bounds."""

        def move(x: float | None) -> float | None:
            return None if x is None else offset + factor * x

        ends = (self.low, self.high, self.lower, self.upper)
        if factor < 0:
            ends = (self.high, self.low, self.upper, self.lower)
        low, high, lower, upper = map(move, ends)
        return Estimate(move(self.value), low, high, self.confidence, self.count, lower, upper)

    def inverse(self) -> Estimate:
        """Return the estimate of one over this (not negative); one over zero is open: None."""

        def turn(x: float | None) -> float | None:
            return 1.0 / x if x else None

        low, high = (turn(self.high), turn(self.low)) if self.low else (None, None)
        value, lower, upper = turn(self.value), turn(self.upper), turn(self.lower)
        return Estimate(value, low, high, self.confidence, self.count, lower, upper)


def share(kept: int, of: int, confidence: float = 0.95) -> Estimate:
    """Estimate a proportion by Clopper and Pearson (1934), which covers at least `confidence`; count = `of`."""
    if not 0 <= kept <= of:
        raise ValueError(f"kept(={kept}) must be between 0 and of(={of})")
    if of == 0:
        return Estimate(None, None, None, confidence, 0)

    def bounds(risk: float) -> tuple[float, float]:
        low = float(stats.beta.ppf(risk, kept, of - kept + 1)) if kept else 0.0
        high = float(stats.beta.ppf(1 - risk, kept + 1, of - kept)) if kept < of else 1.0
        return low, high

    lower, upper = bounds(1 - confidence)
    low, high = bounds((1 - confidence) / 2)
    return Estimate(kept / of, low, high, confidence, of, lower, upper)


class Resampling:
    """One set of resamples of years, drawn with replacement, for all ratios of a run.

    Intervals are bootstrap-t: the law of (estimate - true) / standard error is taken from the resamples, each
    with its own standard error (Efron and Tibshirani 1993, 12.5). Percentile intervals miss heavy tails: with
    few outages most resamples lack the long one. `benchmarks/coverage.py` measures both.
    """

    def __init__(
        self, years: int, rng: np.random.Generator, confidence: float = 0.95, resamples: int = 2000
    ) -> None:
        if years < 1:
            raise ValueError(f"years(={years}) must be >= 1")
        self.years, self.confidence = years, confidence
        self._first = np.arange(0, years, math.ceil(years / BLOCKS))
        blocks = len(self._first)
        self._weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), resamples).astype(np.float64)

    def ratio(self, x: Floats, y: Floats, count: int) -> Estimate:
        """Estimate sum(x) / sum(y) from values per year, with `count` events behind; bounds from FEW events on."""
        return self.difference((x, y), (np.zeros(self.years), np.ones(self.years)), count)

    def difference(self, a: tuple[Floats, Floats], b: tuple[Floats, Floats], count: int) -> Estimate:
        """Estimate sum(x) / sum(y) of `a` minus that of `b`, year by year of two runs with the same seeds."""
        columns = np.stack([np.add.reduceat(np.asarray(c, dtype=np.float64), self._first) for c in (*a, *b)])
        value, error = (float(v[0]) for v in _linear(columns, np.ones((1, columns.shape[1]))))
        if not math.isfinite(value):
            return Estimate(None, None, None, self.confidence, count)
        if count < FEW:
            return Estimate(value, None, None, self.confidence, count)
        again, errors = _linear(columns, self._weights)
        real = errors > 1e-9 * np.abs(again)
        pivots = (again[real] - value) / errors[real]
        if not len(pivots):
            return Estimate(value, value, value, self.confidence, count, value, value)
        tail = (1 - self.confidence) / 2
        t = np.quantile(pivots, [1 - tail, tail, 1 - 2 * tail, 2 * tail])
        low, high, lower, upper = (float(x) for x in value - t * error)
        return Estimate(value, low, high, self.confidence, count, lower, upper)


def _linear(columns: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return, for each row of `weights`, the difference of ratios and its standard error by linearisation."""
    sums = weights @ columns.T
    with np.errstate(divide="ignore", invalid="ignore"):
        ra, rb = sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]
        # What a year adds to the error is (xa - ra ya) / Ya - (xb - rb yb) / Yb: linear in the four columns.
        slope = np.stack([1 / sums[:, 1], -ra / sums[:, 1], -1 / sums[:, 3], rb / sums[:, 3]], axis=1)
        products = (columns[:, None] * columns).reshape(16, -1)
        moments = (weights @ products.T).reshape(-1, 4, 4)
        variance = np.einsum("ri,rij,rj->r", slope, moments, slope)
    return ra - rb, np.sqrt(np.maximum(variance, 0.0))
