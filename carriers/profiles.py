"""Weekly traffic profiles: how many calls each hour of the local week has, relative to the busiest."""

from __future__ import annotations

import math
from collections.abc import Sequence

HOURS_PER_WEEK = 168

_WORKDAY = (
    *(0.02, 0.01, 0.01, 0.01, 0.01, 0.03, 0.08, 0.25),
    *(0.60, 0.90, 1.00, 0.95, 0.70, 0.75, 0.92, 0.90),
    *(0.78, 0.50, 0.28, 0.20, 0.15, 0.10, 0.06, 0.03),
)
"""Two humps with a dip at lunch, and little at night; the busiest hour is 10:00 to 11:00."""
_WEEKEND = 0.15
"""Saturdays and Sundays have the shape of a workday at this height."""

PROFILES: dict[str, tuple[float, ...]] = {
    "flat": (1.0,) * HOURS_PER_WEEK,
    "office_hours": _WORKDAY * 5 + tuple(round(weight * _WEEKEND, 4) for weight in _WORKDAY) * 2,
}
"""Profiles with a name. `office_hours` is an assumption about an office, not a measurement."""


def parse_profile(profile: str | Sequence[float]) -> tuple[float, ...]:
    """Turn a name, or 168 weights (Monday 00:00 first), into 168 weights of which the greatest is 1.

    Raises ValueError on an unknown name, another count of weights, or weights that are negative or all zero.
    """
    if isinstance(profile, str):
        if profile not in PROFILES:
            raise ValueError(
                f"'{profile}' is not a profile; write {', '.join(PROFILES)} or 168 hourly weights"
            )
        return PROFILES[profile]
    if len(profile) != HOURS_PER_WEEK:
        raise ValueError(f"{len(profile)} weights; a week has 168 hours, Monday 00:00 first")
    for hour, weight in enumerate(profile):
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"weight {weight} of hour {hour} is not a number of at least 0")
    greatest = max(profile)
    if greatest == 0:
        raise ValueError("all weights are 0; the busiest hour has more")
    return tuple(weight / greatest for weight in profile)
