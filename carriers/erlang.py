"""Blocking of calls on a limited number of channels in a steady state.

Loads are in erlangs (calls offered per second times the mean hold time in seconds). By insensitivity
Erlang B depends on the hold time through its mean only (ITU-T E.501 tells how loads are estimated,
E.524 what is known of overflow traffic).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

_TINY = 1e-250
"""Below this the incomplete gamma function is too near to underflow to be divided by."""


def erlang_b(load: Floats | float, channels: int) -> Floats:
    """Share of calls that find all `channels` busy when `load` erlangs of Poisson traffic are offered.

    The result has the shape of `load`. The recursion B(k) = A B(k-1) / (k + A B(k-1)) (Jagerman, "Some
    properties of the Erlang loss function", BSTJ 53, 1974) stays within [0, 1], so nothing overflows.
    For ordered hunting over carriers the share that overflows the first n of them is Erlang B on the sum
    of their channels. ValueError: a negative load or number of channels.
    """
    _check(load, channels)
    offered = np.asarray(load, dtype=np.float64)
    return _fill(offered, np.ones_like(offered), 0.0, channels)


def erlang_b_continuous(load: Floats | float, channels: Floats | float) -> Floats:
    """Do as `erlang_b`, for numbers of channels that need not be whole; loads and channels broadcast.

    B(A, x) = A^x e^-A / Gamma(x + 1, A) (Fortet; Jagerman 1974), in logarithms. Where the incomplete gamma
    function underflows (loads far above the channels) 1 / B, the integral of A e^(-A t) (1 + t)^x over t > 0,
    is taken at the fractional part of x by Tricomi's U, and the recursion does the rest.
    """
    _check(load, channels)
    offered, lines = np.broadcast_arrays(np.asarray(load, np.float64), np.asarray(channels, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = special.gammaincc(lines + 1.0, offered)
        log = special.xlogy(lines, offered) - offered - special.gammaln(lines + 1.0) - np.log(beyond)
    blocking = np.atleast_1d(np.exp(np.minimum(log, 0.0)))
    lost = np.atleast_1d(beyond) < _TINY
    if lost.any():
        for row in np.argwhere(lost).tolist():
            at = tuple(row) if offered.ndim else ...
            blocking[at] = _by_recursion(float(offered[at]), float(lines[at]))
    return blocking.reshape(offered.shape)


def _by_recursion(load: float, channels: float) -> float:
    fraction = channels - math.floor(channels)
    start = 1.0 / (load * special.hyperu(1.0, fraction + 2.0, load))
    return float(_fill(np.asarray(load), np.asarray(start), fraction, math.floor(channels)))


def overflow_variance(load: Floats | float, channels: Floats | float) -> Floats:
    """Variance of the calls that would be up on endless channels behind a full group (Riordan's formula).

    Their mean is m = A B(A, c) and their variance m (1 - m + A / (c + 1 - A + m)); the quotient of the
    two is the peakedness. Source: Riordan's appendix to Wilkinson, "Theories for toll traffic engineering
    in the U.S.A.", BSTJ 35, 1956; ITU-T E.524.
    """
    offered = np.asarray(load, dtype=np.float64)
    mean = offered * erlang_b_continuous(offered, channels)
    return np.asarray(mean * (1.0 - mean + offered / (channels + 1.0 - offered + mean)))


def equivalent_random(mean: Floats | float, variance: Floats | float) -> tuple[Floats, Floats]:
    """Poisson loads and (fractional) channels whose overflow has this mean and variance, all in erlangs.

    Behind c channels such peaked traffic loses load * B(load, channels + c) erlangs: Wilkinson's
    equivalent random theory (1956), in Rapp's approximation ("Planning of junction network in a
    multi-exchange area", Ericsson Technics 20, 1964; ITU-T E.524). ValueError: traffic that is
    smoother than Poisson, or none.
    """
    mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    if not np.all(mean > 0.0):
        raise ValueError(f"mean (={mean}) must be > 0")
    peakedness = variance / mean
    if not np.all(peakedness > 1.0 - 1e-9):  # rounding alone can take the overflow of no channels below 1
        raise ValueError(f"variance (={variance}) must be at least the mean (={mean})")
    peakedness = np.maximum(peakedness, 1.0)
    load = mean * peakedness + 3.0 * peakedness * (peakedness - 1.0)
    channels = load * (mean + peakedness) / (mean + peakedness - 1.0) - mean - 1.0
    return load, np.maximum(channels, 0.0)


def hayward(mean: Floats | float, peakedness: float, channels: float) -> Floats:
    """Share of peaked traffic (variance / mean = `peakedness`) that finds all `channels` busy.

    Hayward's approximation B(mean / z, channels / z): Fredericks, "Congestion in blocking systems: a
    simple approximation technique", BSTJ 59, 1980; also for traffic that is smoother than Poisson, z < 1.
    For the overflow of a full group it is some 3 to 12 % low about a blocking of 10 % (compared with Erlang
    B on the sum of the channels), and far too low where the mean is below z.
    """
    if not peakedness > 0.0:
        raise ValueError(f"peakedness (={peakedness}) must be > 0")
    return erlang_b_continuous(np.asarray(mean, dtype=np.float64) / peakedness, channels / peakedness)


def poisson_excess(rate: Floats | float, limit: float) -> Floats:
    """Share of calls above a limit of `limit` a second when `rate` a second arrive, counted second by second.

    E[(N - limit)+] / rate with N ~ Poisson(rate), by n P(N = n) = rate P(N = n - 1); 0 where nothing
    arrives. The result has the shape of `rate`.
    """
    _check(rate, limit)
    arriving = np.asarray(rate, dtype=np.float64)
    first = math.floor(limit) + 1
    at_least = special.gammainc(first, arriving)
    one_less = special.gammainc(first - 1, arriving) if first > 1 else np.ones_like(arriving)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = one_less - limit * (at_least / arriving)
    return np.where(arriving > 0.0, np.maximum(share, 0.0), 0.0)


def _fill(load: Floats, start: Floats, first: float, steps: int) -> Floats:
    """Carry blocking `start` on `first` channels up to `first + steps`."""
    blocking = start
    for step in range(1, steps + 1):
        carried = load * blocking
        blocking = carried / (first + step + carried)
    return np.asarray(blocking)


def _check(load: Floats | float, channels: Floats | float) -> None:
    if np.any(np.asarray(load) < 0.0):
        raise ValueError(f"load (={load}) must be >= 0")
    if not np.all(np.asarray(channels) >= 0.0):
        raise ValueError(f"channels (={channels}) must be >= 0")
