"""Probability laws of durations, in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

Z95 = 1.6448536269514722
"""The 95 % quantile of the standard normal law."""


@dataclass(frozen=True, slots=True)
class Exponential:
    """Memoryless: `{exponential: MEAN}`, or a bare `mtbf`."""

    mean: float

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw `size` independent durations."""
        return rng.exponential(self.mean, size)

    def residual(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw what is left of a duration met at a random instant (the stationary excess)."""
        return self.sample(rng, size)

    def cdf(self, x: Floats) -> Floats:
        """Chance that a duration is at most `x`."""
        return np.asarray(-np.expm1(-np.maximum(x, 0.0) / self.mean))


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same: `{fixed: T}`, or a bare duration anywhere but in `mtbf`."""

    mean: float

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw `size` durations, all alike."""
        return np.full(size, self.mean)

    def residual(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw what is left of a duration met at a random instant (the stationary excess)."""
        return rng.random(size) * self.mean

    def cdf(self, x: Floats) -> Floats:
        """Chance that a duration is at most `x`."""
        return np.asarray(np.asarray(x) >= self.mean, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Times of human work and of dialling: `{median: T, p95: T}`."""

    median: float
    p95: float

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return math.log(self.p95 / self.median) / Z95

    @property
    def mean(self) -> float:
        """Mean in seconds."""
        return self.median * math.exp(self.sigma**2 / 2)

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw `size` independent durations."""
        return rng.lognormal(math.log(self.median), self.sigma, size)

    def residual(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw what is left of a duration met at a random instant (the stationary excess)."""
        met = rng.lognormal(math.log(self.median) + self.sigma**2, self.sigma, size)
        return np.asarray(met * rng.random(size))

    def cdf(self, x: Floats) -> Floats:
        """Chance that a duration is at most `x`."""
        x = np.asarray(x, dtype=np.float64)
        if self.sigma == 0:
            return np.asarray(x >= self.median, dtype=np.float64)
        with np.errstate(divide="ignore"):
            z = (np.log(np.maximum(x, 0.0)) - math.log(self.median)) / self.sigma
        return np.asarray(special.ndtr(z))


@dataclass(frozen=True, slots=True)
class Gamma:
    """`{mean: T, cv: C}`; `cv` is the coefficient of variation (1 is exponential)."""

    mean: float
    cv: float

    @property
    def shape(self) -> float:
        """Shape parameter k = 1 / cv²."""
        return 1.0 / self.cv**2

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw `size` independent durations."""
        return rng.gamma(self.shape, self.mean / self.shape, size)

    def residual(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw what is left of a duration met at a random instant (the stationary excess)."""
        met = rng.gamma(self.shape + 1.0, self.mean / self.shape, size)
        return np.asarray(met * rng.random(size))

    def cdf(self, x: Floats) -> Floats:
        """Chance that a duration is at most `x`."""
        return np.asarray(special.gammainc(self.shape, np.maximum(x, 0.0) * self.shape / self.mean))


@dataclass(frozen=True, slots=True)
class Weibull:
    """Wear (shape > 1) or infant mortality (shape < 1): `{scale: T, shape: K}`."""

    scale: float
    shape: float

    @property
    def mean(self) -> float:
        """Mean in seconds."""
        return self.scale * math.gamma(1.0 + 1.0 / self.shape)

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw `size` independent durations."""
        return np.asarray(self.scale * rng.weibull(self.shape, size))

    def residual(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw what is left of a duration met at a random instant (the stationary excess)."""
        met = self.scale * rng.gamma(1.0 + 1.0 / self.shape, 1.0, size) ** (1.0 / self.shape)
        return np.asarray(met * rng.random(size))

    def cdf(self, x: Floats) -> Floats:
        """Chance that a duration is at most `x`."""
        return np.asarray(-np.expm1(-((np.maximum(x, 0.0) / self.scale) ** self.shape)))


@dataclass(frozen=True, slots=True)
class Empirical:
    """Durations as they were recorded, each as likely as the next: `{empirical: FILE.csv}`."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean in seconds."""
        return math.fsum(self.values) / len(self.values)

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw `size` durations with replacement."""
        return np.asarray(rng.choice(np.asarray(self.values), size))

    def residual(self, rng: np.random.Generator, size: int) -> Floats:
        """Draw what is left of a duration met at a random instant (the stationary excess)."""
        values = np.asarray(self.values)
        met = rng.choice(values, size, p=values / values.sum())
        return np.asarray(met * rng.random(size))

    def cdf(self, x: Floats) -> Floats:
        """Chance that a duration is at most `x`."""
        values = np.sort(np.asarray(self.values))
        return np.asarray(np.searchsorted(values, x, side="right") / len(values), dtype=np.float64)


Law = Exponential | Fixed | Lognormal | Gamma | Weibull | Empirical
