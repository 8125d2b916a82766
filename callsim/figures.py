"""Numbers as people read them: as many digits as their interval supports."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from results.estimates import Estimate

SCALES = (
    ("s", 1.0, 120.0),
    ("min", 60.0, 7200.0),
    ("h", 3600.0, 3 * 86400.0),
    ("d", 86400.0, 3 * 365.25 * 86400.0),
    ("years", 365.25 * 86400.0, math.inf),
)
"""Unit, its seconds, and the seconds up to which it is used."""
MOST_DECIMALS = 12
TWO_DIGITS_BELOW = 3.55
"""A half-width that begins with less than this is written with two digits (Particle Data Group's rule)."""


def number(estimate: Estimate) -> str:
    """Write a value with its interval, `3.8 (3.6..4.1)`, or with a one-sided bound where there is none."""
    return _written(estimate, "", _decimals(estimate))


def change(estimate: Estimate) -> str:
    """Write a difference with its interval, signs included: `+3.8 (+3.6..+4.1)`."""
    return _written(estimate, "", _decimals(estimate), sign="+")


def mos(estimate: Estimate) -> str:
    """Write a mean opinion score: `4.21 (4.18..4.24)`, the value alone where the ends read like it."""
    ends = {f"{x:.2f}" for x in (estimate.low, estimate.value, estimate.high) if x is not None}
    return ends.pop() if len(ends) == 1 else _written(estimate, "", 2)


def percent(estimate: Estimate) -> str:
    """Write a share of one; what is below 100 % can be told from it: `99.99954 % (99.99945..99.99961 %)`."""
    scaled = estimate.scaled(100.0)
    if scaled.upper == 100.0:  # a bound that says nothing
        scaled = replace(scaled, upper=None)
    decimals = _decimals(scaled if scaled.low is not None else scaled.scaled(-1.0, 100.0))
    given = [x for x in (scaled.value, scaled.low, scaled.high, scaled.lower) if x is not None]
    while decimals < MOST_DECIMALS and any(x < 100.0 and float(f"{x:.{decimals}f}") == 100.0 for x in given):
        decimals += 1
    return _written(scaled, " %", decimals)


def duration(estimate: Estimate) -> str:
    """Write seconds in the unit that suits: `2.4 min (2.1..2.9 min)`."""
    known = (x for x in (estimate.value, estimate.lower, estimate.upper) if x)
    unit, seconds = scale(next(known, 0.0))
    scaled = estimate.scaled(1.0 / seconds)
    return _written(scaled, f" {unit}", _decimals(scaled))


def scale(seconds: float) -> tuple[str, float]:
    """Choose the unit in which a length of time is read best, and give its seconds."""
    return next((unit, size) for unit, size, limit in SCALES if seconds < limit)


def plain_duration(seconds: float) -> str:
    """Write seconds without an interval, to two digits: `30 min`."""
    unit, size = scale(seconds)
    return f"{significant(seconds / size)} {unit}"


def exact_duration(seconds: float) -> str:
    """Write a length of time with the digits it has: `4 h`."""
    unit, size = scale(seconds)
    return f"{seconds / size:.10g} {unit}"


def plain_percent(share: float) -> str:
    """Write an exact share, with the digits it has: `99.99 %`."""
    return f"{share * 100:.10g} %"


def significant(value: float, digits: int = 2) -> str:
    """Write a value with so many significant digits, whole ones all: `0.35`, `12,345`."""
    if value == 0.0:
        return "0"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{min(decimals, MOST_DECIMALS)}f}"


def _decimals(estimate: Estimate) -> int:
    """Return the decimals that show half the interval, or else the value, with one or two digits."""
    if estimate.low is not None and estimate.high is not None and estimate.high > estimate.low:
        step = (estimate.high - estimate.low) / 2
        digits = 2 if step / 10 ** math.floor(math.log10(step)) < TWO_DIGITS_BELOW else 1
    else:
        known = (abs(x) for x in (estimate.value, estimate.upper, estimate.lower) if x)
        step, digits = next(known, 1.0), 2
    return min(max(digits - 1 - math.floor(math.log10(step)), 0), MOST_DECIMALS)


def _written(estimate: Estimate, suffix: str, decimals: int, sign: str = "-") -> str:
    def write(x: float) -> str:
        return f"{x:{sign},.{decimals}f}" if x not in (0.0, 100.0) else f"{x:.0f}"

    value = "none" if estimate.value is None else f"{write(estimate.value)}{suffix}"
    bounds = _bounds(estimate, suffix, write)
    return f"{value} ({bounds})" if bounds else value


def _bounds(estimate: Estimate, suffix: str, write: Callable[[float], str]) -> str:
    if estimate.low is not None and estimate.high is not None:
        return f"{write(estimate.low)}..{write(estimate.high)}{suffix}"
    bounds = []
    if estimate.lower:
        bounds.append(f"at least {write(estimate.lower)}{suffix}")
    if estimate.upper is not None:
        bounds.append(f"at most {write(estimate.upper)}{suffix}")
    return ", ".join(bounds)
