"""The law that fits spells best, beside the others, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from carriers.laws import Fixed, Law
from results.estimates import Estimate
from results.fitting.families import EXPONENTIAL, FAMILIES, Family
from results.fitting.likelihood import Likelihood, likelihood, limited_mean
from results.fitting.maximum import Maximum, Region, maximise, region
from results.fitting.spells import Spells
from results.timeline import Floats

FEWEST = 4
"""Ends it takes for a law of two parameters; with fewer only the exponential one is tried."""
ALIKE = 1.005
"""Lengths that differ by no more than this factor are one fixed length."""
FIXED = "fixed"
LOG_NAMES = {"weibull": ("scale", "shape"), "lognormal": ("median", "sigma"), "gamma": ("mean", "cv")}
"""Parameters whose logarithms have errors."""
LEAST_SEEN = 0.01
"""No spell that was seen stands for more than one over this."""
_TURNED = {"weibull": 1.0, "lognormal": -1.0, "gamma": -0.5}
"""What the second of them is to that of `Family`."""


@dataclass(frozen=True)
class Errors:
    """What is not known of a law's parameters, as a normal law of their logarithms."""

    log_errors: dict[str, float]
    """Standard errors."""
    correlation: float


@dataclass(frozen=True)
class Fit:
    """A law, as it fits some spells; times in seconds."""

    name: str
    law: Law
    log_likelihood: float
    aic: float
    """Twice the number of parameters less twice the logarithm of the likelihood (Akaike 1974)."""
    mean: Estimate
    """If this is the law."""
    parameters: dict[str, Estimate]
    """As people write the law."""
    errors: Errors | None
    """None where the law has no parameter besides its mean."""
    seen_share: float
    """Share of such spells that are seen at all, where one shorter than a cadence can be missed."""


@dataclass(frozen=True)
class Fitted:
    """What spells tell of their law."""

    spells: Spells
    fits: tuple[Fit, ...]
    """Best first; empty where no end was seen."""
    mean: Estimate
    """Whatever the law; without an end a bound only: the time that was watched over -ln(1 - confidence)."""

    seen: Estimate | None = None
    """Share of such spells that are seen, whatever the law; None where all are."""

    @property
    def best(self) -> Fit | None:
        """The law of the lowest AIC."""
        return self.fits[0] if self.fits else None


@dataclass(frozen=True)
class _Top:
    """A family at its best."""

    likelihood: Likelihood
    found: Maximum

    @property
    def family(self) -> Family:
        return self.likelihood.family


def fit_spells(spells: Spells, confidence: float = 0.95) -> Fitted:
    """Fit every family by maximum likelihood."""
    if not spells.ends:
        least = spells.seconds / -math.log(1.0 - confidence) if spells.seconds else None
        return Fitted(spells, (), Estimate(None, None, None, confidence, 0, lower=least))
    if (fixed := _fixed(spells, confidence)) is not None:
        return Fitted(spells, (fixed,), fixed.mean)
    unit = max(spells.seconds / spells.ends, 1e-3)
    scaled = spells.scaled(1.0 / unit)
    families = FAMILIES if spells.ends >= FEWEST else (EXPONENTIAL,)
    tops = [_top(family, scaled) for family in families]
    fits = sorted((_fit(top, scaled, unit, confidence) for top in tops), key=lambda fit: fit.aic)
    mean = fits[0].mean
    if len(fits) > 1:
        mean = _over_laws(
            tops, fits, lambda of, some: np.asarray(np.exp(of.log_mean(some)) * unit), confidence
        )
    seen = None
    if fits[0].seen_share < 1.0:
        seen = _over_laws(tops, fits, lambda of, some: _seen_share(of, some, scaled), confidence)
    return Fitted(spells, tuple(fits), mean, seen)


def of_all(mean: Estimate, seen: Estimate) -> Estimate:
    """Turn the mean time between spells that are seen into that between all, of which a share is.

    The intervals of two that are independent are joined by MOVER, on the logarithm (Donner and Zou 2012).
    """
    if mean.value is None or seen.value is None:
        return mean

    def end(of_mean: float | None, of_share: float | None) -> float | None:
        if not of_mean or not of_share or not mean.value or not seen.value:
            return None
        off = math.hypot(math.log(of_mean / mean.value), math.log(of_share / seen.value))
        return mean.value * seen.value * math.exp(math.copysign(off, of_mean - mean.value))

    low, high = end(mean.low, seen.low), end(mean.high, seen.high)
    both = low is not None and high is not None
    return Estimate(
        mean.value * seen.value,
        low if both else None,
        high if both else None,
        mean.confidence,
        mean.count,
        end(mean.lower, seen.lower),
        end(mean.upper, seen.upper),
    )


def refit(family: Family, spells: Spells) -> Law:
    """Give the most likely law of a family and nothing else."""
    unit = max(spells.seconds / spells.ends, 1e-3)
    return _law(family, _top(family, spells.scaled(1.0 / unit)).found.theta, unit)


def drop_of(ends: int, confidence: float, parameters: int) -> float:
    """Give by how much twice the logarithm of the likelihood may fall.

    With many ends the quantile of chi-square with one degree of freedom; with few, what makes it exact for
    the mean of a normal law, on which the lognormal one rests: n log(1 + t² / (n - 1)).
    """
    if parameters == 1 or ends < 3:
        return float(stats.chi2.ppf(confidence, 1))
    t = float(stats.t.ppf((1.0 + confidence) / 2.0, ends - 1))
    return ends * math.log1p(t**2 / (ends - 1))


def _top(family: Family, scaled: Spells) -> _Top:
    made = likelihood(family, scaled)
    return _Top(made, maximise(made, 1.0))


def _law(family: Family, theta: Floats, unit: float) -> Law:
    moved = theta.copy()
    moved[0] += math.log(unit)
    return family.law_of(moved)


def _levels(confidence: float) -> tuple[float, float]:
    """Confidence on two sides, and that which leaves as much on one side alone."""
    return confidence, 2.0 * confidence - 1.0


def _fit(top: _Top, scaled: Spells, unit: float, confidence: float) -> Fit:
    family, found, ends = top.family, top.found, scaled.ends
    edges = [
        [region(top.likelihood, found, drop_of(ends, level, family.size))] for level in _levels(confidence)
    ]

    def written(column: int) -> Estimate:
        factor = 1.0 if family.names[column] in ("shape", "cv") else unit

        def value(_: Family, theta: Floats) -> Floats:
            return np.asarray(family.written(theta)[:, column] * factor)

        best = float(value(family, found.theta[None, :])[0])
        return _estimate(
            best, value, [[(family, edge) for edge in level] for level in edges], ends, confidence
        )

    parameters = {name: written(n) for n, name in enumerate(family.names)}

    def mean_of(_: Family, theta: Floats) -> Floats:
        return np.asarray(np.exp(family.log_mean(theta)) * unit)

    best = float(mean_of(family, found.theta[None, :])[0])
    mean = _estimate(best, mean_of, [[(family, edge) for edge in level] for level in edges], ends, confidence)
    if family is EXPONENTIAL and _plain(scaled):
        mean = _exact(scaled, confidence).scaled(unit)
        parameters = {"mean": mean}
    log_likelihood = found.log_likelihood - top.likelihood.densities * math.log(unit)
    return Fit(
        family.name,
        _law(family, found.theta, unit),
        log_likelihood,
        2.0 * family.size - 2.0 * log_likelihood,
        mean,
        parameters,
        _errors(family, found, ends, confidence),
        float(_seen_share(family, found.theta[None, :], scaled)[0]),
    )


Value = Callable[[Family, Floats], Floats]


def _over_laws(tops: Sequence[_Top], fits: Sequence[Fit], value: Value, confidence: float) -> Estimate:
    """Estimate something whatever the law is, which is one more thing that is not known: a profile over all.

    The interval of the best law alone holds the truth too seldom where tails are heavy: with twenty spells a
    law with a light tail often fits as well.
    """
    most = max(top.found.log_likelihood for top in tops)
    ends = fits[0].mean.count
    edges: list[list[tuple[Family, Region]]] = []
    for level in _levels(confidence):
        row = []
        for top in tops:
            drop = drop_of(ends, level, 2) - 2.0 * (most - top.found.log_likelihood)
            if drop > 0:
                row.append((top.family, region(top.likelihood, top.found, drop)))
        edges.append(row)
    best = next(top for top in tops if top.family.name == fits[0].name)
    middle = float(value(best.family, best.found.theta[None, :])[0])
    return _estimate(middle, value, edges, ends, confidence)


def _plain(spells: Spells) -> bool:
    """Whether all lengths are known, at least up to where they were followed."""
    finite = np.isfinite(spells.high)
    return bool((spells.high == spells.low)[finite].all() and np.isin(spells.within, (0.0, np.inf)).all())


def _fixed(spells: Spells, confidence: float) -> Fit | None:
    """Take lengths that are all the same as a fixed one, for which no likelihood has a maximum."""
    seen = (spells.within == 0) & (spells.low == spells.high)
    lengths = spells.low[seen]
    if len(lengths) < 3 or spells.ends > len(lengths) or not lengths.max() <= ALIKE * lengths.min():
        return None
    middle = float(np.median(lengths))
    known = Estimate(middle, float(lengths.min()), float(lengths.max()), confidence, len(lengths))
    return Fit(FIXED, Fixed(middle), math.inf, -math.inf, known, {FIXED: known}, None, 1.0)


def _estimate(
    best: float,
    value: Value,
    edges: Sequence[Sequence[tuple[Family, Region]]],
    ends: int,
    confidence: float,
) -> Estimate:
    """Give what a function of the parameters can be, in the regions of two levels."""
    bounds: list[float | None] = []
    for level in edges:
        values = np.concatenate([value(family, edge.theta) for family, edge in level])
        endless = np.concatenate([edge.open for _, edge in level])
        for end in (int(np.argmin(values)), int(np.argmax(values))):
            known = not endless[end] and math.isfinite(values[end])
            bounds.append(float(values[end]) if known else None)
    low, high, lower, upper = bounds
    both = low is not None and high is not None
    return Estimate(best, low if both else None, high if both else None, confidence, ends, lower, upper)


def _exact(spells: Spells, confidence: float) -> Estimate:
    """Estimate the mean of an exponential law exactly, from the time that was watched (Epstein 1960).

    Where some were followed for a time only, the number of ends is as good as Poisson in it (Garwood 1936),
    which covers a bit more than it says.
    """
    ends, seconds = spells.ends, spells.seconds
    more = int(ends < len(spells))

    def bounds(each: float) -> tuple[float, float]:
        most = float(stats.chi2.ppf(1.0 - each, 2 * (ends + more)))
        least = float(stats.chi2.ppf(each, 2 * ends))
        return 2.0 * seconds / most, 2.0 * seconds / least

    risk = 1.0 - confidence
    return Estimate(seconds / ends, *bounds(risk / 2.0), confidence, ends, *bounds(risk))


def _errors(family: Family, found: Maximum, ends: int, confidence: float) -> Errors | None:
    """Give the errors of the parameters' logarithms; with few ends as much wider as the intervals are."""
    if family.name not in LOG_NAMES:
        return None
    turn = np.array([1.0, _TURNED[family.name]])
    wider = drop_of(ends, confidence, family.size) / float(stats.chi2.ppf(confidence, 1))
    covariance = found.covariance * np.outer(turn, turn) * wider
    errors = np.sqrt(np.diag(covariance))
    named = dict(zip(LOG_NAMES[family.name], errors.tolist(), strict=True))
    return Errors(named, float(covariance[0, 1] / (errors[0] * errors[1])))


def _seen_share(family: Family, theta: Floats, spells: Spells) -> Floats:
    """Give the share of spells that are seen, (p,), from the chance of each that was: E[min(X, w)] / w."""
    width = spells.within[np.isfinite(spells.within)]
    if not len(width):
        return np.ones(len(theta))
    some = np.where(width > 0, width, 1.0)
    chance = np.where(width > 0, limited_mean(family, theta, some) / some, 1.0)
    return np.asarray(len(width) / (1.0 / np.clip(chance, LEAST_SEEN, 1.0)).sum(axis=1))
