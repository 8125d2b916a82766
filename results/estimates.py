"""Estimates with intervals that cover what they claim to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special  # scipy.stats takes half a second to import

from results.timeline import Floats

FEW = 10
"""Under so many events there is no two-sided interval."""
LEAST_YEARS = 5
"""With fewer years there are too few to resample, and no two-sided interval either."""
BLOCKS = 1000
"""At most so many stretches are resampled; years beyond that are joined to equal blocks."""


@dataclass(frozen=True)
class Estimate:
    """A value with what the simulation's noise leaves open, and uncertain parameters where these are drawn.

    [`low`, `high`] is the two-sided interval at `confidence`, None where there is too little behind
    the value. `lower` and `upper` are one-sided bounds, each by itself at `confidence`; None where the
    data say nothing in that direction. `count` is the number of events behind the value.
    """

    value: float | None
    low: float | None
    high: float | None
    confidence: float
    count: int
    lower: float | None = None
    upper: float | None = None
    noise: tuple[float, float] | None = None
    """The interval of the simulation's noise alone, where [`low`, `high`] covers more."""

    def to_json(self) -> dict[str, Any]:
        """Return what `result.json` holds; the one-sided bounds stand in only where there is no interval."""
        shown: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high}
        shown |= {"confidence": self.confidence, "count": self.count}
        if self.noise is not None:
            shown |= {"noise": dict(zip(("low", "high"), self.noise, strict=True))}
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
        noise = None
        if self.noise is not None:
            one, other = sorted(offset + factor * x for x in self.noise)
            noise = one, other
        return Estimate(move(self.value), low, high, self.confidence, self.count, lower, upper, noise)

    def inverse(self) -> Estimate:
        """Return the estimate of one over this (not negative); one over zero is open: None."""

        def turn(x: float | None) -> float | None:
            return 1.0 / x if x else None

        low, high = (turn(self.high), turn(self.low)) if self.low else (None, None)
        value, lower, upper = turn(self.value), turn(self.upper), turn(self.lower)
        noise = None
        if self.noise is not None and min(self.noise) > 0:
            noise = 1.0 / self.noise[1], 1.0 / self.noise[0]
        return Estimate(value, low, high, self.confidence, self.count, lower, upper, noise)


def share(kept: int, of: int, confidence: float = 0.95) -> Estimate:
    """Estimate a proportion by Clopper and Pearson (1934): it covers at least `confidence`; count = `of`."""
    if not 0 <= kept <= of:
        raise ValueError(f"kept(={kept}) must be between 0 and of(={of})")
    if of == 0:
        return Estimate(None, None, None, confidence, 0)

    def bounds(risk: float) -> tuple[float, float]:
        low = float(special.betaincinv(kept, of - kept + 1, risk)) if kept else 0.0
        high = float(special.betaincinv(kept + 1, of - kept, 1 - risk)) if kept < of else 1.0
        return low, high

    lower, upper = bounds(1 - confidence)
    low, high = bounds((1 - confidence) / 2)
    return Estimate(kept / of, low, high, confidence, of, lower, upper)


class Resampling:
    """One set of resamples of years, drawn with replacement, for all ratios of a run.

    Intervals are bootstrap-t: the law of (estimate - true) / standard error is taken from the resamples, each
    with a standard error of its own (Efron and Tibshirani 1993, section 12.5). The low end of what cannot be
    negative is found on the logarithm, so that it stays above zero; the high end is not, for there the
    logarithm misses more. `benchmarks/coverage.py` measures how often the intervals hold.
    """

    def __init__(
        self, years: int, rng: np.random.Generator, confidence: float = 0.95, resamples: int = 2000
    ) -> None:
        if years < 1:
            raise ValueError(f"years(={years}) must be >= 1")
        self.years, self.confidence = years, confidence
        self._first = np.arange(0, years, math.ceil(years / BLOCKS))
        blocks = len(self._first)
        self._weights = np.empty((resamples, blocks))
        for weights in self._weights:
            weights[:] = np.bincount(rng.integers(0, blocks, blocks), minlength=blocks)

    def ratio(self, x: Floats, y: Floats, count: int) -> Estimate:
        """Estimate sum(x) / sum(y), none negative, from values per year with `count` events behind them.

        With fewer than `FEW` events or `LEAST_YEARS` years there are one-sided bounds only: on the safe
        side for events at random of exponential sizes, not for much heavier tails. With no event there is no
        upper one; see `rate`.
        """
        count = count if np.any(x) else 0
        return self._ratio(x, y, count, _bounds_of_sum(count, self.confidence))

    def rate(self, events: Floats, exposure: Floats) -> Estimate:
        """Estimate sum(events) / sum(exposure) from values per year; bounded even without an event."""
        count = int(np.sum(events))
        return self._ratio(events, exposure, count, _bounds_of_count(count, self.confidence))

    def difference(self, a: tuple[Floats, Floats], b: tuple[Floats, Floats], count: int) -> Estimate:
        """Estimate sum(x) / sum(y) of `a` minus that of `b`, two runs of the same years with the same draws.

        Year by year the two go together, so the interval is narrower than those of `a` and `b`. With fewer
        than `FEW` events or `LEAST_YEARS` years there are no bounds.
        """
        columns = self._blocks(*a, *b)
        value, error = (float(v[0]) for v in _linearise(columns, np.ones((1, columns.shape[1]))))
        if not math.isfinite(value):
            return Estimate(None, None, None, self.confidence, count)
        if count < FEW or self.years < LEAST_YEARS:
            return Estimate(value, None, None, self.confidence, count)
        again, errors = self._resampled(columns, value)
        t = np.quantile((again - value) / errors, self._tails()) if len(again) else np.zeros(4)
        low, high, lower, upper = (float(x) for x in value - t * error)
        return Estimate(value, low, high, self.confidence, count, lower, upper)

    def _ratio(self, x: Floats, y: Floats, count: int, bounds: tuple[float, float | None]) -> Estimate:
        """Estimate a ratio; where there is too little behind it, `bounds` are those of sum(x) per event."""
        columns = self._blocks(x, y)
        value, error = (float(v[0]) for v in _linearise(columns, np.ones((1, columns.shape[1]))))
        if not math.isfinite(value):
            return Estimate(None, None, None, self.confidence, count)
        if count < FEW or self.years < LEAST_YEARS:
            an_event = (value or 1.0 / float(columns[1].sum())) / max(count, 1)
            lower, upper = (None if bound is None else bound * an_event for bound in bounds)
            return Estimate(value, None, None, self.confidence, count, lower, upper)
        again, errors = self._resampled(columns, value)
        if not len(again):
            return Estimate(value, value, value, self.confidence, count, value, value)
        down, up, down_one, up_one = self._tails()
        t_high, t_upper = np.quantile((again - value) / errors, [up, up_one])
        with np.errstate(divide="ignore"):
            t_low, t_lower = np.quantile(np.log(again / value) * again / errors, [down, down_one])
        return Estimate(
            value,
            value * math.exp(-t_low * error / value),
            float(value - t_high * error),
            self.confidence,
            count,
            value * math.exp(-t_lower * error / value),
            float(value - t_upper * error),
        )

    def _blocks(self, *columns: Floats) -> Floats:
        """Return the columns, each with one value per block of years."""
        for column in columns:
            if len(column) != self.years:
                raise ValueError(f"a column's length(={len(column)}) must be years(={self.years})")
        return np.stack([np.add.reduceat(np.asarray(c, dtype=np.float64), self._first) for c in columns])

    def _resampled(self, columns: Floats, value: float) -> tuple[Floats, Floats]:
        """Return values and standard errors of the resamples that have an error (all else is rounding)."""
        again, errors = _linearise(columns, self._weights)
        real = errors > 1e-9 * max(abs(value), np.max(np.abs(again), where=np.isfinite(again), initial=0.0))
        return again[real], errors[real]

    def _tails(self) -> tuple[float, float, float, float]:
        """Return which quantiles of the pivot give low, high, lower and upper."""
        risk = 1 - self.confidence
        return 1 - risk / 2, risk / 2, 1 - risk, risk


def _linearise(columns: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return a ratio, or the difference of two, and its standard error, (r,) each, for (r, n) weights.

    `columns` are x and y, (2, n), or those of both ratios, (4, n). To first order a block adds
    (x - ratio * y) / sum(y) to the error of a ratio (the delta method). That is linear in the columns, so the
    sum of its squares needs their sums of products only.
    """
    size = len(columns)
    sign = np.array([1.0, -1.0])[: size // 2]
    pairs = (columns[:, None] * columns).reshape(size**2, -1)
    # einsum, not a product of matrices: that one's last digits depend on the number of threads.
    sums, products = (np.einsum("rn,cn->rc", weights, rows) for rows in (columns, pairs))
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = sums[:, ::2], sums[:, 1::2]
        slope = np.stack([sign / y, -sign * x / y**2], axis=2).reshape(-1, size)
        variance = np.einsum("ri,rij,rj->r", slope, products.reshape(-1, size, size), slope)
        return np.asarray((sign * x / y).sum(axis=1)), np.sqrt(np.maximum(variance, 0.0))


def _bounds_of_count(count: int, confidence: float) -> tuple[float, float]:
    """Return one-sided bounds of the mean of a Poisson count (Garwood 1936)."""
    lower = float(special.gammaincinv(count, 1 - confidence)) if count else 0.0
    return lower, float(special.gammaincinv(count + 1, confidence))


def _bounds_of_sum(count: int, confidence: float) -> tuple[float, float | None]:
    """Return one-sided bounds of the mean of a sum of `count` events, in mean sizes of an event as observed.

    The number of events is Poisson and their sizes are exponential: a ratio of two gamma variables, as in the
    F bound on the availability of a unit with exponential times up and down (Trivedi 2001, chapter 10). The
    upper bound has one more event, because the record ends by its length.
    """
    if not count:
        return 0.0, None
    lower = count * float(special.fdtri(2 * count, 2 * count, 1 - confidence))
    return lower, (count + 1) * float(special.fdtri(2 * count + 2, 2 * count, confidence))
