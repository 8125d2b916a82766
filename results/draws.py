"""Estimates from streams with a draw of uncertain parameters each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from results.estimates import FEW, LEAST_YEARS, Estimate, Resampling, share
from results.quantiles import lowest_kept, tail_estimate
from results.timeline import Floats

LARGEST_SHAPE = 1e6
"""A gamma law of a larger shape is a normal one."""
DRAWS_PER_SIZE = 5
"""With fewer draws for each parameter there is nothing to regress on."""
CLEARLY = 2.0
"""Standard errors."""
LARGEST_SIZE = 1e6
"""A parameter that is drawn larger, as one may be of which next to nothing is known, counts as that."""
RESAMPLES = 500
"""Sets of draws that are drawn again for what the worst windows say."""


class Draws:
    """The draws that a run's years fall into, equally many years each, in order.

    A ratio's value is its mean over the draws: what is to be expected, given what is known. Its interval says
    where the true value lies, given that. The variance between parameters is what a linear regression of the
    draws' values on `sizes` explains, with what the residuals have clearly more than the noise of each draw's
    few years (without `sizes` all by moments, as in a random-effects model), and with its own error. The law
    between them is taken as gamma, which it is for the rate of what was counted. The error of the mean, found
    by resampling whole draws, is added on either side as the root of the sum of squares. Alone it is the
    simulation's noise, `Estimate.noise`.
    """

    def __init__(
        self,
        draws: int,
        years: int,
        rng: np.random.Generator,
        confidence: float = 0.95,
        sizes: Floats | None = None,
    ) -> None:
        """Take of each draw what its values are about linear in, as `sizes` (draws, parameters).

        Raises ValueError where there are more draws than years.
        """
        if not 1 <= draws <= years:
            raise ValueError(f"draws(={draws}) must be from 1 to years(={years})")
        self.draws, self.years, self.confidence = draws, years, confidence
        self._again = Resampling(draws, rng, confidence)
        self._sizes = np.zeros((draws, 0))
        if sizes is not None and sizes.shape[1] * DRAWS_PER_SIZE <= draws:
            within = np.clip(sizes, 0.0, LARGEST_SIZE)
            self._sizes = within - within.mean(axis=0)
        self._times = rng.multinomial(draws, np.full(draws, 1.0 / draws), RESAMPLES)
        """(RESAMPLES, draws): how often each draw is in a set."""

    def ratio(self, x: Floats, y: Floats, count: int) -> Estimate:
        """Estimate sum(x) / sum(y), none negative, from values per year with `count` events behind them.

        With fewer than `FEW` events, or `LEAST_YEARS` draws, there are one-sided bounds only, of the
        simulation's noise.
        """
        return self._widened(self._again.ratio(self._sums(x), self._sums(y), count), x, y)

    def rate(self, events: Floats, exposure: Floats) -> Estimate:
        """Estimate sum(events) / sum(exposure) from values per year; bounded even without an event."""
        return self._widened(self._again.rate(self._sums(events), self._sums(exposure)), events, exposure)

    def share(self, kept: NDArray[np.bool_]) -> Estimate:
        """Estimate the share of windows that keep a promise; `kept` (w,) has as many for each draw.

        With fewer than `FEW` windows that are unlike the others the bound on their side is that of the draws
        which have any (Jeffreys' interval): more windows of the same draws tell nothing of other parameters.
        """
        windows = len(kept)
        if not windows or self.draws < LEAST_YEARS:
            return Estimate(float(kept.mean()) if windows else None, None, None, self.confidence, windows)
        broken = 1.0 - np.asarray(kept, dtype=np.float64)
        unlike = broken if 2 * broken.sum() <= windows else 1.0 - broken
        if unlike.sum() >= FEW:
            found = self.ratio(broken, np.ones(windows), windows).scaled(-1.0, 1.0)
            return replace(found, low=None if found.low is None else max(found.low, 0.0))
        some = int(np.count_nonzero(self._sums(unlike)))
        sure = self.confidence if not some else (1 + self.confidence) / 2
        most = float(special.betaincinv(some + 0.5, self.draws - some + 0.5, sure))
        least = share(int(unlike.sum()), windows, self.confidence).low
        rare = Estimate(float(unlike.mean()), least, most, self.confidence, windows, least, most)
        return rare if unlike is not broken else rare.scaled(-1.0, 1.0)

    def lowest_kept(self, values: Floats, risks: Sequence[float]) -> list[Estimate]:
        """Estimate, for each risk, the highest target that at most that share of the windows falls below.

        The value is the quantile over all windows, with the uncertainty of the parameters in it; the interval
        is the simulation's noise, for which sets of draws are drawn again (a bootstrap of clusters).
        """
        if not len(values):
            return [lowest_kept(values, risk, self.confidence) for risk in risks]
        order = np.argsort(values)
        draw = self._draw_of(len(values))[order]
        found = np.empty((RESAMPLES, len(risks)))
        for number, times in enumerate(self._times):
            below = np.cumsum(times[draw])
            places = np.searchsorted(below, np.asarray(risks) * below[-1], side="right")
            found[number] = values[order[np.minimum(places, len(values) - 1)]]
        return [
            self._bootstrapped(lowest_kept(values, risk, self.confidence).value, found[:, n], len(values))
            for n, risk in enumerate(risks)
        ]

    def tail_mean(self, values: Floats, share: float) -> Estimate:
        """Estimate the mean of the worst 1 - `share` of the windows, as `lowest_kept` does quantiles."""
        plain = tail_estimate(values, share, self.confidence)
        if plain.value is None or plain.count < FEW:
            return plain
        order = np.argsort(-values)
        worst, draw = values[order], self._draw_of(len(values))[order]
        found = np.empty(RESAMPLES)
        for number, times in enumerate(self._times):
            weights = times[draw]
            tail = (1 - share) * weights.sum()
            taken = np.clip(tail - (np.cumsum(weights) - weights), 0.0, weights)
            found[number] = (taken * worst).sum() / tail
        return self._bootstrapped(plain.value, found, plain.count)

    def _draw_of(self, items: int) -> NDArray[np.intp]:
        """Return the draw of each of so many years or windows."""
        ends = np.linspace(0, items, self.draws + 1).astype(int)
        return np.repeat(np.arange(self.draws), np.diff(ends))

    def _sums(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self._draw_of(len(values)), values, self.draws), dtype=np.float64)

    def _widened(self, mean: Estimate, x: Floats, y: Floats) -> Estimate:
        """Widen the interval of a mean over the draws to the range over them."""
        value = mean.value
        if value is None or mean.low is None or mean.high is None or mean.lower is None or mean.upper is None:
            return mean
        draw = self._draw_of(len(x))
        # To first order what a year adds to the error of the ratio (the delta method), in means of its draw.
        each = (np.asarray(x, dtype=np.float64) - value * y) * (self.draws / y.sum())
        effect, size = self._sums(each), np.bincount(draw, minlength=self.draws)
        within = self._sums((each - (effect / np.maximum(size, 1))[draw]) ** 2)
        noise = float(np.mean(within * size / np.maximum(size - 1, 1)))
        spread = self._spread(effect, noise)
        risk = 1 - self.confidence
        low, lower, upper, high = _gamma_range(value, spread, (risk / 2, risk, 1 - risk, 1 - risk / 2))
        return replace(
            mean,
            low=max(value - math.hypot(value - mean.low, min(low, 0.0)), 0.0),
            high=value + math.hypot(mean.high - value, max(high, 0.0)),
            lower=max(value - math.hypot(value - mean.lower, min(lower, 0.0)), 0.0),
            upper=value + math.hypot(mean.upper - value, max(upper, 0.0)),
            noise=(mean.low, mean.high),
        )

    def _spread(self, effect: Floats, noise: float) -> float:
        """Return the variance between parameters of values that have this variance of noise besides."""
        draws, many = self._sizes.shape
        fitted = np.zeros(draws)
        if many:
            # einsum, not a product of matrices: that one's last digits depend on the number of threads.
            squares = np.einsum("dp,dq->pq", self._sizes, self._sizes)
            slopes = np.linalg.lstsq(squares, np.einsum("dp,d->p", self._sizes, effect), rcond=None)[0]
            fitted = np.einsum("dp,p->d", self._sizes, slopes)
        left = effect - fitted
        residual = float(np.sum(left**2)) / max(draws - 1 - many, 1)
        explained = max((float(np.sum(fitted**2)) - many * residual) / (draws - 1), 0.0)
        rest = max(residual - noise, 0.0)
        error = math.sqrt(max(float(np.mean(left**4)) - residual**2, 0.0) / draws)
        if many:
            rest = rest if rest > CLEARLY * error else 0.0
            error = math.sqrt(4 * explained * residual / draws + 2 * many * (residual / draws) ** 2)
        return math.hypot(explained + rest, error)

    def _bootstrapped(self, value: float | None, found: Floats, count: int) -> Estimate:
        each = (1 - self.confidence) / 2
        low, high, lower, upper = np.quantile(found, (each, 1 - each, 2 * each, 1 - 2 * each)).tolist()
        return Estimate(value, low, high, self.confidence, count, lower, upper)


def _gamma_range(mean: float, variance: float, shares: Sequence[float]) -> list[float]:
    """Return quantiles of a gamma law, as differences from its mean."""
    if not (mean and variance):
        return [0.0] * len(shares)
    shape = mean**2 / variance
    if shape > LARGEST_SHAPE:
        return [math.sqrt(variance) * float(special.ndtri(share)) for share in shares]
    return [mean * (float(special.gammaincinv(shape, share)) / shape - 1.0) for share in shares]


Again = Resampling | Draws
"""What makes estimates from a run's years."""
