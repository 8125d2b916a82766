"""Windows of time in which promises are kept or broken, as calendars and contracts cut them."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import numpy as np

from carriers.calendars import EPOCH, Zone
from results.timeline import Floats
from results.weekly import Index
from sla.assessment import Windows
from sla.objectives import ObjectiveWindow
from sla.terms import BillingCycle, FixedWindow, RollingWindow, Window

MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""Calendar months in a window; any other window is worth one month's fee."""
_LAST_YEAR = 9998


def fee_months(windows: Windows) -> int:
    """Months whose fee is the fee of one of these windows."""
    return MONTHS.get(windows.kind, 1)


def zone_around(timezone: str, start: float, end: float) -> Zone:
    """Local time of [start, end) in POSIX seconds; the zone counts from its own `origin`."""
    return _zone(timezone, _year(start) - 1, _year(end) + 2)


def bounds(kind: str, timezone: str, start: float, end: float, day: int = 1) -> Floats:
    """Starts of the calendar windows around [start, end), POSIX seconds; months begin on `day`."""
    months = _month_bounds(timezone, _year(start) - 1, _year(end) + 2, day)
    return months[:: MONTHS[kind]]


@lru_cache(maxsize=64)
def windows_of(window: Window | ObjectiveWindow, timezone: str, start: float, end: float) -> Windows:
    """Whole windows within [start, end) in POSIX seconds; `event` has none, as it depends on the record."""
    if isinstance(window, FixedWindow):
        many = int((end - start) / window.fixed * (1 + 1e-12))
        at = np.asarray(start + window.fixed * np.arange(many + 1), dtype=np.float64)
        return Windows("fixed", at[:-1], at[1:])
    if isinstance(window, RollingWindow):
        closes = _midnights(timezone, start, end)
        closes = closes[closes - window.rolling >= start]
        return Windows("rolling", closes - window.rolling, closes)
    if isinstance(window, BillingCycle):
        at = bounds("month", timezone, start, end, window.billing_cycle)
        return _whole("billing_cycle", at, start, end)
    if window == "event":
        return Windows("event", np.empty(0), np.empty(0))
    kind = "month" if window == "calendar_month" else window
    return _whole(kind, bounds(kind, timezone, start, end), start, end)


def settled_in(windows: Windows, instants: Floats) -> tuple[Index, Index]:
    """Tell the window of `windows` (sorted, disjoint) in which each instant lies, its end included.

    Return the indices of the instants that lie in one, and the windows' indices.
    """
    if not len(windows):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    index: Index = np.minimum(np.searchsorted(windows.end, instants), len(windows) - 1)
    (found,) = np.nonzero((windows.start[index] < instants) & (instants <= windows.end[index]))
    return found, index[found]


def _whole(kind: str, at: Floats, start: float, end: float) -> Windows:
    keep = (at[:-1] >= start) & (at[1:] <= end)
    return Windows(kind, at[:-1][keep], at[1:][keep])


def _year(t: float) -> int:
    return min((EPOCH + dt.timedelta(seconds=t)).year, _LAST_YEAR)


@lru_cache(maxsize=16)
def _zone(timezone: str, first: int, last: int) -> Zone:
    return Zone(dt.date(first, 1, 1), timezone, last - first)


@lru_cache(maxsize=16)
def _month_bounds(timezone: str, first: int, last: int, day: int) -> Floats:
    zone = Zone(dt.date(first, 1, day), timezone)
    return zone.origin + zone.month_starts(min(last, _LAST_YEAR) - first)


@lru_cache(maxsize=8)
def _midnights(timezone: str, start: float, end: float) -> Floats:
    zone = zone_around(timezone, start, end)
    first = dt.date.fromordinal((EPOCH + dt.timedelta(seconds=start)).toordinal() - 1)
    days = int((end - start) // 86400) + 4
    at = np.array([Zone(first + dt.timedelta(days=n), zone.timezone, 0).origin for n in range(days)])
    return at[(at > start) & (at <= end)]
