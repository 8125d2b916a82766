"""Quantiles of many windows, with intervals that assume no shape."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from results.estimates import FEW, Estimate
from results.timeline import Floats


def lowest_kept(values: Floats, risk: float, confidence: float = 0.95) -> Estimate:
    """Estimate the highest target that at most a share `risk` of the windows falls below.

    `values` (w,) are what each window measured, in any order. The interval is that of order statistics: how
    many windows fall below the true quantile is binomial (Hahn and Meeker 1991, section 5.2). An end that
    the windows are too few for is missing; then the other one is still given as a one-sided bound.
    """
    windows = len(values)
    if windows == 0:
        return Estimate(None, None, None, confidence, 0)
    ordered = np.sort(values)

    def at_least(rank: int) -> float | None:
        return float(ordered[rank - 1]) if rank >= 1 else None

    def at_most(rank: int) -> float | None:
        return float(ordered[rank]) if rank < windows else None

    each = (1 - confidence) / 2
    low, high = at_least(_rank(each, windows, risk)), at_most(_rank(1 - each, windows, risk))
    both = low is not None and high is not None
    return Estimate(
        float(ordered[min(math.floor(risk * windows * (1 + 1e-12)), windows - 1)]),
        low if both else None,
        high if both else None,
        confidence,
        windows,
        at_least(_rank(1 - confidence, windows, risk)),
        at_most(_rank(confidence, windows, risk)),
    )


def tail_mean(values: Floats, share: float) -> float:
    """Mean of the worst 1 - `share` of the values: the conditional value at risk (expected shortfall).

    Where the tail begins inside one value, that value counts in part (Rockafellar and Uryasev 2002).
    """
    ordered = np.sort(values)[::-1]
    tail = (1 - share) * len(ordered)
    whole = math.floor(tail)
    total = float(ordered[:whole].sum())
    if whole < len(ordered):
        total += (tail - whole) * float(ordered[whole])
    return total / tail


def tail_estimate(values: Floats, share: float, confidence: float = 0.95) -> Estimate:
    """Estimate `tail_mean` with its asymptotic normal interval (Trindade, Uryasev, Shapiro, Zrazhevsky 2007).

    Its variance is that of what each value has over the value at risk, over n (1 - share)^2. There is no
    interval where fewer than `FEW` values are beyond that.
    """
    over = np.maximum(values - value_at_risk(values, share), 0.0) if len(values) else values
    count = int(np.count_nonzero(over))
    if not len(values):
        return Estimate(None, None, None, confidence, 0)
    mean = tail_mean(values, share)
    if count < FEW:
        return Estimate(mean, None, None, confidence, count)
    error = float(np.std(over)) / math.sqrt(len(values)) / (1 - share)
    two, one = (float(special.ndtri(p)) * error for p in ((1 + confidence) / 2, confidence))
    return Estimate(
        mean, max(mean - two, 0.0), mean + two, confidence, count, max(mean - one, 0.0), mean + one
    )


def value_at_risk(values: Floats, share: float) -> float:
    """Smallest value that a share `share` of the values does not exceed."""
    ordered = np.sort(values)
    return float(ordered[max(math.ceil(share * len(ordered) * (1 - 1e-12)) - 1, 0)])


def _rank(probability: float, windows: int, risk: float) -> int:
    """Largest count that fewer than so many windows below the quantile exceed: the binomial's quantile."""
    low, high = -1, windows
    while high - low > 1:
        middle = (low + high) // 2
        if special.bdtr(middle, windows, risk) >= probability:
            high = middle
        else:
            low = middle
    return high
