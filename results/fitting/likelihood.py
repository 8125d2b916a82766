"""Likelihood of laws, given spells that are known in part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from results.fitting.families import Family
from results.fitting.spells import Spells
from results.timeline import Floats
from results.weekly import Index

NARROW = 0.02
"""A beginning known to within this share of the length is taken at the middle of its bounds."""
EXACT = 1e-6
"""A length known to within this share is taken as exact."""
LEAST = -1e6
"""Logarithm of a chance too small for a float."""


@dataclass(frozen=True)
class Likelihood:
    """Spells sorted by what is known of them.

    A spell of length X that began at a steady rate up to w before it was seen, and then lasted y more, has
    the density (S(y) - S(y + w)) / E[min(X, w)], because one that ended before it could be seen is not there
    to be counted. For w = 0 that is the law's own density; for w = inf it is S(y) / mean, that of what
    is left at a random instant (Cox 1962, Renewal Theory, chapter 5).
    """

    family: Family
    spells: Spells
    seen: Index
    """Rows whose beginning was seen and whose length is exact."""
    within: Index
    """Rows whose beginning was seen and whose length is known within bounds."""
    met: Index
    """Rows met in progress."""
    met_exact: Index
    found: Index
    """Rows whose beginning is known within bounds."""
    found_exact: Index

    def __call__(self, theta: Floats) -> Floats:
        """Give the logarithm of the likelihood of each theta (p, k): (p,)."""
        total = np.zeros(len(theta))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            parts = (self._seen, self._within, self._met, self._met_exact, self._found, self._found_exact)
            for rows in parts:
                terms = rows(theta)
                if terms is not None:
                    total += np.where(np.isnan(terms), LEAST, np.maximum(terms, LEAST)).sum(axis=1)
        return total

    @property
    def densities(self) -> int:
        """How many of the factors are densities, so that they depend on the unit of time."""
        return len(self.seen) + len(self.met_exact) + len(self.found_exact)

    def _seen(self, theta: Floats) -> Floats | None:
        if not len(self.seen):
            return None
        return self.family.log_pdf(theta, self.spells.low[self.seen])

    def _within(self, theta: Floats) -> Floats | None:
        if not len(self.within):
            return None
        low, high = self.spells.low[self.within], self.spells.high[self.within]
        log_low = self.family.log_sf(theta, low)
        if np.isinf(high).all():
            return log_low
        return _log_between(self.family, theta, low, high)

    def _met(self, theta: Floats) -> Floats | None:
        if not len(self.met):
            return None
        low, high = self.spells.low[self.met], self.spells.high[self.met]
        between = self.family.tail(theta, low) - self.family.tail(theta, high)
        return np.asarray(np.log(between) - self.family.log_mean(theta)[:, None])

    def _met_exact(self, theta: Floats) -> Floats | None:
        if not len(self.met_exact):
            return None
        left = self.family.log_sf(theta, self.spells.low[self.met_exact])
        return left - self.family.log_mean(theta)[:, None]

    def _found(self, theta: Floats) -> Floats | None:
        if not len(self.found):
            return None
        low, high, width = (c[self.found] for c in (self.spells.low, self.spells.high, self.spells.within))
        # Probes come at a cadence, so that many of these are the same; some tails are dear.
        points, where = np.unique(np.stack((low, high, low + width, high + width)), return_inverse=True)
        tails = self.family.tail(theta, points)
        a, b, c, d = (tails[:, row] for row in where.reshape(4, -1))
        return np.asarray(np.log((a - b) - (c - d)) - self._log_found(theta, width))

    def _found_exact(self, theta: Floats) -> Floats | None:
        if not len(self.found_exact):
            return None
        low, width = self.spells.low[self.found_exact], self.spells.within[self.found_exact]
        return _log_between(self.family, theta, low, low + width) - self._log_found(theta, width)

    def _log_found(self, theta: Floats, width: Floats) -> Floats:
        return np.asarray(np.log(limited_mean(self.family, theta, width)))


def limited_mean(family: Family, theta: Floats, width: Floats) -> Floats:
    """Give E[min(X, w)] for each theta (p, k) and w (n,): (p, n)."""
    some, where = np.unique(width, return_inverse=True)
    return np.asarray(np.exp(family.log_mean(theta))[:, None] - family.tail(theta, some))[:, where]


def likelihood(family: Family, spells: Spells) -> Likelihood:
    """Sort spells by what is known of them."""
    low, high, width = spells.low, spells.high, spells.within
    reach = low + np.where(np.isfinite(width), width, 0.0)
    narrow = width <= NARROW * reach
    shift = np.where(narrow, width / 2.0, 0.0)
    low, high = low + shift, high + shift
    exact = np.isfinite(high) & (high - low <= EXACT * high)
    middle = np.where(exact, (low + high) / 2.0, low)
    taken = Spells(np.where(narrow, 0.0, width), middle, np.where(exact, middle, high), spells.limit)
    met = np.isinf(width)
    rows = [narrow & exact, narrow & ~exact, met & ~exact, met & exact]
    rows += [~narrow & ~met & ~exact, ~narrow & ~met & exact]
    return Likelihood(family, taken, *(np.flatnonzero(row) for row in rows))


def _log_between(family: Family, theta: Floats, low: Floats, high: Floats) -> Floats:
    """Give the logarithm of S(low) - S(high), from whichever side loses fewer digits."""
    sooner, later = family.log_sf(theta, low), family.log_sf(theta, high)
    above = sooner + np.log1p(-np.exp(later - sooner))
    below = np.log(family.cdf(theta, high) - family.cdf(theta, low))
    return np.asarray(np.where(sooner < -np.log(2.0), above, below))
