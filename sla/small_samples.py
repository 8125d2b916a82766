"""Chances that a short stretch of calls is down, up or too quiet to tell, from the counts in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from results.timeline import Floats

_CERTAIN = 40.0
"""Chances below exp(-40) are taken as none."""
_REACH = 12.0
"""Standard deviations of a count that are summed over."""
_ROUNDING = 1e-9
_TERMS = 2_000_000
"""Terms that are summed at once, which bounds the memory."""


class Chances(NamedTuple):
    """Chances of a stretch, of equal shape: down by its own counts, or with too few attempts to tell."""

    down: Floats
    quiet: Floats


def chances(failing: Floats, connecting: Floats, down_above: float, at_least: int) -> Chances:
    """Return the chances of stretches with these expected numbers of calls, (n,) each.

    Failing and connecting calls are independent Poisson counts. The stretch is down when more than a share
    `down_above` of its attempts fail, and quiet when there are fewer than `at_least` attempts.
    """
    attempts = failing + connecting
    quiet = special.pdtr(at_least - 1, attempts)
    drift = failing * (1 - down_above) - connecting * down_above
    spread = failing * (1 - down_above) ** 2 + connecting * down_above**2
    with np.errstate(divide="ignore", invalid="ignore"):
        # Bennett's inequality, in Bernstein's form, bounds the chance of the rarer side.
        sure = drift**2 / (2 * (spread + np.abs(drift) / 3)) > _CERTAIN
    down = np.where(failing > 0, np.where(sure & (drift > 0), 1 - quiet, 0.0), 0.0)
    (open_,) = np.nonzero((failing > 0) & ~sure)
    pairs, which = np.unique(np.stack([failing[open_], connecting[open_]]), axis=1, return_inverse=True)
    if len(open_):
        down[open_] = _summed(pairs[0], pairs[1], down_above, at_least)[which.ravel()]
    return Chances(down, np.asarray(quiet))


def most_connecting(failed: Floats, down_above: float) -> Floats:
    """Return how many calls at most may connect where so many failed, for the stretch to be down."""
    return np.asarray(np.ceil(failed * (1 - down_above) / down_above - _ROUNDING) - 1)


def at_most(count: Floats, mean: Floats) -> Floats:
    """Return the chance of a Poisson count of at most `count`, which may be negative."""
    return np.where(count < 0, 0.0, special.pdtr(np.maximum(count, 0.0), mean))


def poisson(uniform: Floats, mean: Floats) -> Floats:
    """Return the Poisson counts at which the distribution functions reach these values in (0, 1)."""
    found = np.zeros(len(mean))
    (some,) = np.nonzero(uniform > np.exp(-mean))
    level, expected = uniform[some], mean[some]
    count = np.ceil(special.pdtrik(level, expected))
    # That inverse is continuous, and may be off by its own precision.
    found[some] = np.where(special.pdtr(count - 1, expected) >= level, count - 1, count)
    return found


def _summed(failing: Floats, connecting: Floats, down_above: float, at_least: int) -> Floats:
    """Sum over the number of failing calls: (n,)."""
    reach = _REACH * np.sqrt(failing) + 30
    low = np.maximum(np.floor(failing - reach), 1.0)
    many = (np.ceil(failing + reach) - low + 1).astype(np.intp)
    found = np.zeros(len(failing))
    for block in np.array_split(np.arange(len(failing)), int(many.sum()) // _TERMS + 1):
        row = np.repeat(block, many[block])
        first = np.repeat(np.cumsum(many[block]) - many[block], many[block])
        failed: Floats = low[row] + np.arange(len(row), dtype=np.float64) - first
        chance = np.exp(special.xlogy(failed, failing[row]) - failing[row] - special.gammaln(failed + 1))
        most, least = most_connecting(failed, down_above), at_least - failed
        between = at_most(most, connecting[row]) - at_most(least - 1, connecting[row])
        found += np.bincount(row, chance * np.maximum(between, 0.0), minlength=len(found))
    return np.clip(found, 0.0, 1.0)
