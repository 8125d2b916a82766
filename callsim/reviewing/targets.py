"""Targets as people write them, no better than what can be kept."""

from __future__ import annotations

import math

import numpy as np

from carriers.units import UNITS
from results.timeline import Floats
from sla.objectives import Objective

_STEPS = {
    "ms": (1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 500),
    "s": (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45),
    "m": (1, 2, 5, 10, 15, 20, 30, 45),
    "h": (1, 2, 3, 4, 6, 8, 12),
    "d": (1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 45, 60, 90, 120, 180, 365),
}
_SECONDS = sorted(number * UNITS[unit] for unit, numbers in _STEPS.items() for number in numbers)
_PARTS = sorted({digit * 10.0**-power for power in range(1, 8) for digit in (1, 2, 5)} | {0.03, 0.04, 0.15})
"""What is missing from a hundred percent, or may be lost."""
_ROUNDING = 1e-9


def rounded(objective: Objective, bound: float) -> float | None:
    """Round what can be kept to a target that people write, on the safe side; None where there is none."""
    targets = _targets(objective, bound)
    slack = _ROUNDING * max(abs(bound), _ROUNDING)
    if objective.higher_is_better:
        safe = targets[targets <= bound + slack]
        return float(safe[-1]) if len(safe) else None
    safe = targets[targets >= bound - slack]
    return float(safe[0]) if len(safe) else None


def _targets(objective: Objective, bound: float) -> Floats:
    if objective.unit == "seconds":
        return np.array(_SECONDS)
    if objective.unit == "number":
        if objective.name == "outages":
            return np.arange(0.0, math.ceil(max(bound, 0.0)) + 2.0)
        return np.round(np.arange(10, 46) / 10.0, 1)
    if objective.higher_is_better:
        return np.sort(np.round(1.0 - np.array(_PARTS), 10))
    return np.array(_PARTS)
