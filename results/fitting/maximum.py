"""Where a likelihood is highest, with the region that it does not rule out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from results.fitting.likelihood import Likelihood
from results.timeline import Floats

STEP = 1e-4
"""Of the numerical derivatives, in logarithms."""
GRID = 13
ROUNDS = 60
ENOUGH = 1e-7
"""A rise of the logarithm of the likelihood that is not worth a further step."""
RAYS = 40
CUTS = 7


@dataclass(frozen=True)
class Maximum:
    """The most likely parameters."""

    theta: Floats
    """(k,)."""
    log_likelihood: float
    covariance: Floats
    """(k, k): minus the inverse of the second derivatives."""


@dataclass(frozen=True)
class Region:
    """The edge of the parameters that are not ruled out."""

    theta: Floats
    """(m, k): the maximum first, then the edge."""
    open: tuple[bool, ...]
    """Whether there is no edge in that direction, as far as is sought."""


def maximise(likelihood: Likelihood, start: float) -> Maximum:
    """Find the maximum, with a time around `start` to begin with; Newton's method in logarithms."""
    low, high = likelihood.family.bounds()
    times = math.log(start) + np.linspace(-2.0, 2.0, GRID)
    shapes = np.linspace(-1.5, 1.5, GRID)
    axes = [times, shapes][: likelihood.family.size]
    grid = np.clip(np.stack([a.ravel() for a in np.meshgrid(*axes)], axis=1), low, high)
    values = likelihood(grid)
    theta, best = grid[np.argmax(values)], float(values.max())
    lengths = np.array([4.0**-n for n in range(8)])
    for _ in range(ROUNDS):
        slope, bend = _derivatives(likelihood, theta)
        step = np.clip(_uphill(slope, bend), -2.0, 2.0)
        tried = np.clip(theta + lengths[:, None] * step, low, high)
        values = likelihood(tried)
        if not values.max() > best + ENOUGH:
            break
        theta, best = tried[np.argmax(values)], float(values.max())
    _, bend = _derivatives(likelihood, theta)
    return Maximum(theta, best, _positive(-bend))


def region(likelihood: Likelihood, found: Maximum, drop: float) -> Region:
    """Find where twice the logarithm of the likelihood is `drop` below its maximum, along rays from there.

    The least and the most that any function of the parameters is in that region are the ends of its profile
    likelihood interval (Meeker and Escobar 1998, Statistical Methods for Reliability Data, section 8.3).
    """
    size = len(found.theta)
    angle = np.linspace(0.0, 2.0 * math.pi, RAYS, endpoint=False)
    ways = np.array([[-1.0], [1.0]]) if size == 1 else np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ways = ways @ np.linalg.cholesky(found.covariance).T
    low, high = likelihood.family.bounds()
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(ways > 0, (high - found.theta) / ways, (low - found.theta) / ways)
    most = np.min(np.where(ways == 0, np.inf, room), axis=1)
    wanted = math.sqrt(drop)

    def depth(radius: Floats) -> Floats:
        """Give the root of the drop: nearly a straight line along each ray, so that a few cuts find it."""
        fallen = found.log_likelihood - likelihood(found.theta + radius[:, None] * ways)
        return np.asarray(np.sqrt(np.maximum(2.0 * fallen, 0.0)))

    inner, outer = np.zeros(len(ways)), np.minimum(wanted, most)
    shallow, deep = np.zeros(len(ways)), depth(outer)
    while ((further := deep < wanted) & (outer < most)).any():
        inner, shallow = np.where(further, outer, inner), np.where(further, deep, shallow)
        outer = np.where(further, np.minimum(2.0 * outer, most), outer)
        deep = depth(outer)
    endless = deep < wanted
    for _ in range(CUTS):
        share = (wanted - shallow) / np.maximum(deep - shallow, 1e-12)
        middle = inner + np.clip(share, 0.02, 0.98) * (outer - inner)
        there = depth(middle)
        above = there < wanted
        inner, shallow = np.where(above, middle, inner), np.where(above, there, shallow)
        outer, deep = np.where(above, outer, middle), np.where(above, deep, there)
    edge = found.theta + np.where(endless, most, (inner + outer) / 2.0)[:, None] * ways
    return Region(np.concatenate((found.theta[None, :], edge)), (False, *endless.tolist()))


def _derivatives(likelihood: Likelihood, theta: Floats) -> tuple[Floats, Floats]:
    """Give first (k,) and second (k, k) derivatives by central differences."""
    size = len(theta)
    unit = STEP * np.eye(size)
    points = [theta, *(theta + unit), *(theta - unit)]
    pairs = [(i, j) for i in range(size) for j in range(i)]
    points += [theta + a * unit[i] + b * unit[j] for i, j in pairs for a in (1, -1) for b in (1, -1)]
    values = likelihood(np.array(points))
    up, down = values[1 : size + 1], values[size + 1 : 2 * size + 1]
    slope = (up - down) / (2.0 * STEP)
    bend = np.diag((up - 2.0 * values[0] + down) / STEP**2)
    for n, (i, j) in enumerate(pairs):
        both, first, second, neither = values[2 * size + 1 + 4 * n : 2 * size + 5 + 4 * n]
        bend[i, j] = bend[j, i] = (both - first - second + neither) / (4.0 * STEP**2)
    return slope, bend


def _uphill(slope: Floats, bend: Floats) -> Floats:
    return np.asarray(_positive(-bend) @ slope)


def _positive(information: Floats) -> Floats:
    """Invert what should be positive definite, as if what is flat or bent the other way were bent a bit."""
    values, vectors = np.linalg.eigh(np.nan_to_num(information))
    kept = np.maximum(np.abs(values), 1e-3)
    return np.asarray((vectors / kept) @ vectors.T)
