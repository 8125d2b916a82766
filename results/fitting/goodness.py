"""How well a law fits: beside the estimate of Kaplan and Meier that assumes none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carriers.laws import Law
from results.fitting.families import FAMILIES
from results.fitting.fit import Fit, refit
from results.fitting.spells import Spells
from results.timeline import Floats

FEW = 8
"""With fewer ends nearly every law fits."""
TIMES = 199
"""Sets of spells that are drawn from a law to see how far off its own are."""
DOUBTFUL = 0.05
TRIES = 100
Z = 1.959963984540054


@dataclass(frozen=True)
class Curve:
    """The share that lasts longer, without a law: a step down at each of `at` (n,)."""

    at: Floats
    share: Floats
    low: Floats
    high: Floats
    """Ends of the 95 % interval at each point."""
    left_out: int
    """Spells met in progress, whose lengths have another law."""


@dataclass(frozen=True)
class Goodness:
    """How far the law is from that curve at most, and how seldom it would be as far if it were the law."""

    distance: float
    p_value: float
    times: int


def kaplan_meier(spells: Spells) -> Curve:
    """Estimate the share that lasts longer (Kaplan and Meier 1958), with intervals on the log-log scale."""
    kept = np.isfinite(spells.within)
    length, ended = spells.middle[kept], np.isfinite(spells.high[kept])
    at, deaths = np.unique(length[ended], return_counts=True)
    risk = (length[:, None] >= at[None, :]).sum(axis=0)
    share = np.cumprod(1.0 - deaths / risk) if len(at) else np.empty(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Greenwood's variance, of log(-log S) (Kalbfleisch and Prentice 2002, section 1.4).
        spread = np.sqrt(np.cumsum(deaths / (risk * (risk - deaths)))) / np.abs(np.log(share))
        low, high = share ** np.exp(Z * spread), share ** np.exp(-Z * spread)
    known = np.isfinite(spread) & (share > 0)
    return Curve(
        at, share, np.where(known, low, 0.0), np.where(known, high, 1.0), int(np.count_nonzero(~kept))
    )


def goodness(spells: Spells, fit: Fit, rng: np.random.Generator) -> Goodness | None:
    """Test a law by the distance of Kolmogorov and Smirnov; None where too few spells have ended to tell.

    The parameters came from the same spells, so the law of the distance is taken from spells that are drawn
    from the fitted law, followed as long as these and fitted in turn (Stute, Gonzalez Manteiga and Presedo
    Quindimil 1993).
    """
    family = next((one for one in FAMILIES if one.name == fit.name), None)
    if family is None or spells.ends < FEW or not np.isfinite(spells.within).any():
        return None
    distance = _distance(spells, fit.law)
    further = times = 0
    for _ in range(TIMES):
        again = drawn(spells, fit.law, rng)
        if again.ends < 2:
            continue
        times += 1
        further += _distance(again, refit(family, again)) >= distance
    return Goodness(distance, (1 + further) / (1 + times), times)


def drawn(spells: Spells, law: Law, rng: np.random.Generator) -> Spells:
    """Draw as many spells from a law, known as well as these, and followed as long."""
    length = np.empty(len(spells))
    met = np.isinf(spells.within)
    length[met] = law.residual(rng, int(met.sum()))
    left = np.flatnonzero(~met)
    width = np.where(met, 0.0, spells.within)
    for _ in range(TRIES):
        whole, begun = law.sample(rng, len(left)), width[left] * rng.random(len(left))
        # One that ended before it could be seen is not there.
        length[left] = np.maximum(whole - begun, 0.0)
        left = left[whole <= begun]
        if not len(left):
            break
    blur = np.where(np.isfinite(spells.high), spells.high - spells.low, 0.0)
    low = np.maximum(length - blur * rng.random(len(spells)), 0.0)
    over = length <= spells.limit
    return Spells(
        spells.within,
        np.where(over, np.minimum(low, length), spells.limit),
        np.where(over, np.where(blur > 0, low + blur, length), np.inf),
        spells.limit,
    )


def _distance(spells: Spells, law: Law) -> float:
    curve = kaplan_meier(spells)
    if not len(curve.at):
        return 0.0
    expected = 1.0 - law.cdf(curve.at)
    before = np.concatenate(([1.0], curve.share[:-1]))
    return float(np.maximum(np.abs(expected - curve.share), np.abs(expected - before)).max())
