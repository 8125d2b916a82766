"""Families of laws as functions of their parameters, for many parameters at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from carriers.laws import Z95, Exponential, Gamma, Law, Lognormal, Weibull
from results.timeline import Floats

LEAST_SHAPE, MOST_SHAPE = 0.05, 20.0
"""A shape, or one over the spread of the logarithm, is sought between these."""
WIDEST = 20.0
"""The scale is sought within a factor of e to the power of this, around 1."""
LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Family:
    """A family of laws; theta (p, k) are logarithms of parameters, the first of a time.

    The functions of x (n,) >= 0 give (p, n).
    """

    name: str
    names: tuple[str, ...]
    """Of the parameters that people write."""
    log_pdf: Callable[[Floats, Floats], Floats]
    log_sf: Callable[[Floats, Floats], Floats]
    """Logarithm of the chance S(x) to last longer than x."""
    cdf: Callable[[Floats, Floats], Floats]
    tail: Callable[[Floats, Floats], Floats]
    """Integral of S from x on; at 0 it is the mean."""
    log_mean: Callable[[Floats], Floats]
    """(p,)."""
    law: Callable[..., Law]
    """Makes the law of natural parameters, one argument for each of `names`."""
    written: Callable[[Floats], Floats]
    """Natural parameters (p, k), in the order of `names`."""

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.names)

    def law_of(self, theta: Floats) -> Law:
        """Make the law of one theta (k,)."""
        return self.law(*(float(x) for x in self.written(theta[None, :])[0]))

    def bounds(self) -> Floats:
        """Give the lowest and highest theta that are sought, (2, k)."""
        high = np.array([WIDEST, math.log(MOST_SHAPE)])[: self.size]
        low = np.array([-WIDEST, math.log(LEAST_SHAPE)])[: self.size]
        return np.array([low, high])


def _columns(theta: Floats) -> tuple[Floats, ...]:
    return tuple(np.exp(theta[:, i, None]) for i in range(theta.shape[1]))


def _log(x: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(x))


# ---- exponential: (mean,)


def _exponential_log_sf(theta: Floats, x: Floats) -> Floats:
    (mean,) = _columns(theta)
    return np.asarray(-x / mean)


EXPONENTIAL = Family(
    "exponential",
    ("mean",),
    log_pdf=lambda theta, x: _exponential_log_sf(theta, x) - theta[:, :1],
    log_sf=_exponential_log_sf,
    cdf=lambda theta, x: np.asarray(-np.expm1(_exponential_log_sf(theta, x))),
    tail=lambda theta, x: np.exp(_exponential_log_sf(theta, x) + theta[:, :1]),
    log_mean=lambda theta: theta[:, 0],
    law=Exponential,
    written=np.exp,
)


# ---- Weibull: (scale, shape)


def _power(theta: Floats, x: Floats) -> Floats:
    (_, shape) = _columns(theta)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(shape * (_log(x) - theta[:, :1])))


def _weibull_log_pdf(theta: Floats, x: Floats) -> Floats:
    shape = np.exp(theta[:, 1:])
    return np.asarray(
        theta[:, 1:] - theta[:, :1] + (shape - 1.0) * (_log(x) - theta[:, :1]) - _power(theta, x)
    )


def _weibull_log_mean(theta: Floats) -> Floats:
    return np.asarray(theta[:, 0] + special.gammaln(1.0 + np.exp(-theta[:, 1])))


WEIBULL = Family(
    "weibull",
    ("scale", "shape"),
    log_pdf=_weibull_log_pdf,
    log_sf=lambda theta, x: -_power(theta, x),
    cdf=lambda theta, x: np.asarray(-np.expm1(-_power(theta, x))),
    tail=lambda theta, x: (
        np.exp(_weibull_log_mean(theta))[:, None] * special.gammaincc(np.exp(-theta[:, 1:]), _power(theta, x))
    ),
    log_mean=_weibull_log_mean,
    law=Weibull,
    written=np.exp,
)


# ---- lognormal: (median, 1 / sigma)


def _normal(theta: Floats, x: Floats) -> Floats:
    return np.asarray(np.exp(theta[:, 1:]) * (_log(x) - theta[:, :1]))


def _lognormal_log_pdf(theta: Floats, x: Floats) -> Floats:
    return np.asarray(theta[:, 1:] - LOG_ROOT_2PI - _log(x) - 0.5 * _normal(theta, x) ** 2)


def _lognormal_log_mean(theta: Floats) -> Floats:
    return np.asarray(theta[:, 0] + 0.5 * np.exp(-2.0 * theta[:, 1]))


def _lognormal_tail(theta: Floats, x: Floats) -> Floats:
    # Klugman, Panjer and Willmot (2008), appendix A: the limited expected value, taken from the mean.
    sigma = np.exp(-theta[:, 1:])
    z = _normal(theta, x)
    finite = np.where(np.isfinite(x), x, 0.0)
    rest = np.exp(_lognormal_log_mean(theta))[:, None] * special.ndtr(sigma - z) - finite * special.ndtr(-z)
    return np.asarray(np.where(np.isfinite(x), np.maximum(rest, 0.0), 0.0))


LOGNORMAL = Family(
    "lognormal",
    ("median", "p95"),
    log_pdf=_lognormal_log_pdf,
    log_sf=lambda theta, x: np.asarray(special.log_ndtr(-_normal(theta, x))),
    cdf=lambda theta, x: np.asarray(special.ndtr(_normal(theta, x))),
    tail=_lognormal_tail,
    log_mean=_lognormal_log_mean,
    law=Lognormal,
    written=lambda theta: np.exp(np.stack([theta[:, 0], theta[:, 0] + Z95 * np.exp(-theta[:, 1])], axis=1)),
)


# ---- gamma: (mean, shape)


def _turned(theta: Floats, x: Floats) -> Floats:
    mean, shape = _columns(theta)
    return np.asarray(x * shape / mean)


def _gamma_log_pdf(theta: Floats, x: Floats) -> Floats:
    shape = np.exp(theta[:, 1:])
    y = _turned(theta, x)
    return np.asarray(theta[:, 1:] - theta[:, :1] + (shape - 1.0) * _log(y) - y - special.gammaln(shape))


def _gamma_log_sf(theta: Floats, x: Floats) -> Floats:
    shape, y = np.exp(theta[:, 1:]), _turned(theta, x)
    survives = special.gammaincc(shape, y)
    # Where that is too small for a float, its leading term is (Abramowitz and Stegun 6.5.32).
    with np.errstate(invalid="ignore"):
        far = (shape - 1.0) * _log(y) - y - special.gammaln(shape)
    return np.asarray(np.where(survives > 1e-280, _log(survives), np.where(np.isfinite(y), far, -np.inf)))


def _gamma_tail(theta: Floats, x: Floats) -> Floats:
    mean, shape = _columns(theta)
    y = _turned(theta, x)
    finite = np.where(np.isfinite(x), x, 0.0)
    rest = mean * special.gammaincc(shape + 1.0, y) - finite * special.gammaincc(shape, y)
    return np.asarray(np.where(np.isfinite(x), np.maximum(rest, 0.0), 0.0))


GAMMA = Family(
    "gamma",
    ("mean", "cv"),
    log_pdf=_gamma_log_pdf,
    log_sf=_gamma_log_sf,
    cdf=lambda theta, x: np.asarray(special.gammainc(np.exp(theta[:, 1:]), _turned(theta, x))),
    tail=_gamma_tail,
    log_mean=lambda theta: theta[:, 0],
    law=Gamma,
    written=lambda theta: np.exp(np.stack([theta[:, 0], -0.5 * theta[:, 1]], axis=1)),
)

FAMILIES = (EXPONENTIAL, WEIBULL, LOGNORMAL, GAMMA)
"""Simplest first."""
