"""Disjoint stretches of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from results.timeline import Floats
from results.weekly import Index


@dataclass(frozen=True)
class Stretches:
    """Disjoint stretches of time, (n,) seconds each, sorted."""

    start: Floats
    end: Floats

    def before(self, t: Floats) -> Floats:
        """Seconds of them before each instant of `t`."""
        if not len(self.start):
            return np.zeros(len(t))
        done = np.concatenate(([0.0], np.cumsum(self.end - self.start)))
        index = np.searchsorted(self.end, t, side="right")
        current = np.minimum(index, len(self.start) - 1)
        running = np.clip(t - self.start[current], 0.0, (self.end - self.start)[current])
        return np.asarray(done[index] + np.where(index < len(self.start), running, 0.0))


def clusters(start: Floats, end: Floats) -> Index:
    """Number the runs of rows (sorted by start) that touch or overlap: (n,) from 0."""
    new = np.zeros(len(start), dtype=np.intp)
    new[1:] = start[1:] > np.maximum.accumulate(end)[:-1]
    return np.cumsum(new)


def union(start: Floats, end: Floats) -> Stretches:
    """Join stretches, given in any order, that touch or overlap; those without length are left out."""
    real = start < end
    start, end = start[real], end[real]
    if not len(start):
        return Stretches(start, end)
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    first = np.flatnonzero(np.diff(clusters(start, end), prepend=-1))
    return Stretches(start[first], np.maximum.reduceat(end, first))


def inside(stretches: Stretches, t: Floats) -> NDArray[np.bool_]:
    """Whether each instant lies in the stretches, their starts included."""
    index = np.searchsorted(stretches.start, t, side="right")
    return np.asarray(index > np.searchsorted(stretches.end, t, side="right"))
