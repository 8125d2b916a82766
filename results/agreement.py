"""Whether figures that were measured agree with a prediction that can be drawn from again and again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy import stats

from results.timeline import Floats

POWER = 0.9
"""Chance with which a departure has to be found for the data to be enough."""
POOL, ALTERNATIVES = 4000, 1000
"""Draws of longer stretches from the prediction, and from what departs from it."""
RESAMPLES = 20
"""Of the stretches, where it is asked how many it takes."""


class Agreement(Enum):
    """What is made of a figure."""

    CONSISTENT = "consistent"
    """It is where the prediction has it, and a departure would have shown."""
    INCONSISTENT = "inconsistent"
    TOO_FEW = "too few data"
    """It does not contradict, and a departure need not have shown."""
    NOT_PREDICTED = "not predicted"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Place:
    """Where a figure lies among draws of the prediction."""

    p: float
    """Two-sided Monte-Carlo p-value (Davison and Hinkley 1997, section 4.2): at least 2 / (draws + 1)."""
    above: bool
    """Whether it is on the high side."""


def place(value: float, drawn: Floats, grain: float = 0.0, draws: float | None = None) -> Place:
    """Place a figure among draws (n,); what is within `grain` of a draw is not told from it.

    `draws` is how many of them are independent, if not all are.
    """
    drawn = drawn[~np.isnan(drawn)]
    count = len(drawn)
    least = 1.0 / (1.0 + (count if draws is None else draws))
    low = (1.0 + np.count_nonzero(drawn <= value + grain)) / (count + 1.0)
    high = (1.0 + np.count_nonzero(drawn >= value - grain)) / (count + 1.0)
    return Place(min(1.0, 2.0 * max(min(low, high), least)), bool(high < low))


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values of several tests so that any is at most a with chance a (Holm 1979)."""
    order = sorted(range(len(p)), key=lambda n: p[n])
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, number in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[number]))
        adjusted[number] = worst
    return adjusted


def in_a_row(values: Floats, count: int) -> Floats:
    """Give the mean of each `count` values in a row, the ring of them closed: (n,), or none of too few."""
    if not 0 < count <= len(values):
        return np.empty(0)
    total = np.concatenate(([0.0], np.cumsum(np.concatenate((values, values[: count - 1])))))
    return np.asarray((total[count:] - total[:-count]) / count)


# ---- what a figure's own record leaves open


def effective_of_share(drawn: Floats, count: int) -> float:
    """Give how many independent trials a share of `count` dependent ones is worth.

    `drawn` are such shares as they are predicted: p (1 - p) / variance, at most `count`.
    """
    mean, variance = float(np.nanmean(drawn)), float(np.nanvar(drawn))
    return float(count) if variance <= 0.0 else min(mean * (1.0 - mean) / variance, float(count))


def effective_of_mean(drawn: Floats, spread: float, count: float) -> float:
    """Give how many independent values a mean of `count` is worth, of values that spread by `spread`."""
    variance = float(np.nanvar(drawn))
    return count if variance <= 0.0 else min(spread**2 / variance, count)


def share_interval(share: float, worth: float, confidence: float) -> tuple[float, float]:
    """Bound a share by Clopper and Pearson (1934), of as many trials as it is worth."""
    risk, kept = (1.0 - confidence) / 2.0, share * worth
    low = float(stats.beta.ppf(risk, kept, worth - kept + 1.0)) if kept > 0.0 else 0.0
    high = float(stats.beta.ppf(1.0 - risk, kept + 1.0, worth - kept)) if kept < worth else 1.0
    return low, high


def rate_interval(count: float, exposure: float, confidence: float) -> tuple[float, float]:
    """Bound a rate of events (Garwood 1936)."""
    risk = (1.0 - confidence) / 2.0
    low = float(stats.chi2.ppf(risk, 2.0 * count)) / 2.0 if count > 0.0 else 0.0
    return low / exposure, float(stats.chi2.ppf(1.0 - risk, 2.0 * count + 2.0)) / 2.0 / exposure


def mean_interval(mean: float, spread: float, worth: float, confidence: float) -> tuple[float, float] | None:
    """Bound a mean by Student's t; None of fewer than two values."""
    if worth < 2.0:
        return None
    half = float(stats.t.ppf((1.0 + confidence) / 2.0, worth - 1.0)) * spread / math.sqrt(worth)
    return mean - half, mean + half


# ---- how many data it takes

Statistic = Callable[[Floats], Floats]
"""Makes figures (n,) of sums (n, ...) over stretches; NaN where there are none."""


def p_values(values: Floats, drawn: Floats) -> Floats:
    """Place many figures (n,) among draws (m,); what is NaN contradicts nothing."""
    ordered = np.sort(drawn[~np.isnan(drawn)])
    count = len(ordered) + 1.0
    low = (1.0 + np.searchsorted(ordered, values, side="right")) / count
    high = (1.0 + len(ordered) - np.searchsorted(ordered, values, side="left")) / count
    return np.where(np.isnan(values), 1.0, np.minimum(1.0, 2.0 * np.minimum(low, high)))


def stretches_needed(
    predicted: Floats,
    departing: Floats,
    tests: Sequence[Statistic],
    alpha: float,
    most: float,
    rng: np.random.Generator,
) -> tuple[list[float], float]:
    """Count the stretches in which a departure is found, with `POWER`, at level `alpha` of each test.

    Sums over single stretches are given, (n, ...) and (m, ...). Longer ones are made of them by adding two
    at a time, as if stretches were independent. Gives the number for each test, and that for any of them;
    inf is more than `most`. They come from samples, so the answer is on the safe side: the largest of
    `RESAMPLES` of them, some 95 % bound.
    """
    found = []
    for _ in range(RESAMPLES):
        null = predicted[rng.integers(0, len(predicted), len(predicted))]
        other = departing[rng.integers(0, len(departing), len(departing))]
        found.append(_needed(null, other, tests, alpha, most, rng))
    *each, any_ = np.max(found, axis=0).tolist()
    return each, any_


def _needed(
    predicted: Floats,
    departing: Floats,
    tests: Sequence[Statistic],
    alpha: float,
    most: float,
    rng: np.random.Generator,
) -> list[float]:
    null = predicted[rng.integers(0, len(predicted), POOL)]
    other = departing[rng.integers(0, len(departing), ALTERNATIVES)]
    needed, before = [math.inf] * (len(tests) + 1), [0.0] * (len(tests) + 1)
    size = 1.0
    while True:
        p = np.stack([p_values(test(other), test(null)) for test in tests])
        found = [*(p <= alpha).mean(axis=1).tolist(), float((p.min(axis=0) <= alpha).mean())]
        for n, power in enumerate(found):
            if power >= POWER and needed[n] == math.inf:
                needed[n] = size if size == 1.0 else size / 2.0 * 2.0 ** _part(before[n], power)
        before = found
        if max(needed) < math.inf or size >= most:
            return needed
        size *= 2.0
        null = null + null[rng.permutation(POOL)]
        other = other + other[rng.permutation(ALTERNATIVES)]


def times_needed(gap: float, spread: float, alpha: float) -> float:
    """Count how many times as many data show a gap at level `alpha` with `POWER`; more than once.

    `spread` is the standard deviation of the figure, which shrinks as the square root of the data.
    """
    if gap <= 0.0:
        return math.inf
    z = float(stats.norm.ppf(1.0 - alpha / 2.0) + stats.norm.ppf(POWER))
    return max((z * spread / gap) ** 2, 1.0 + 1e-9)


def _part(less: float, more: float) -> float:
    """Say at which part of the way from one power to another `POWER` lies, on the normal scale."""
    a, wanted, b = (float(stats.norm.ppf(min(max(x, 1e-3), 1.0 - 1e-3))) for x in (less, POWER, more))
    return min(max((wanted - a) / (b - a), 0.0), 1.0) if b > a else 1.0
