"""Disjoint stretches of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from results.timeline import Floats


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
