"""Time within weekly hours, measured for many instants at once."""

from __future__ import annotations

import numpy as np

from carriers.calendars import WEEK, WeeklyHours, Zone
from results.stretches import Stretches
from results.timeline import Floats


class OpenTime:
    """Physical seconds within weekly hours of a zone's local time; instants are seconds since its start.

    In local time the hours repeat every week, so that open time is a sum of whole weeks and a rest. Where the
    clocks change, local time jumps: what it jumps over (or tells twice) is taken out again.
    """

    def __init__(self, zone: Zone, hours: WeeklyHours) -> None:
        opens, closes = np.transpose(hours.spans)
        self._spans = Stretches(opens, closes)
        self._closes = closes
        self._done = np.cumsum(closes - opens)
        self._changes = zone.changes
        first = self._changes[:1] - 1.0 if len(self._changes) else np.zeros(1)
        at = np.concatenate((first, self._changes))
        # Offsets from UTC are whole seconds.
        self._shift = np.round(zone.local_array(at) - at)
        jump = self._local(self._changes + self._shift[1:]) - self._local(self._changes + self._shift[:-1])
        self._jumped = np.concatenate(([0.0], np.cumsum(jump)))
        self._at_change = self.before(self._changes)

    def _local(self, local: Floats) -> Floats:
        """Seconds within the hours before local instants, as if the clocks never changed."""
        week = np.floor(local / WEEK)
        return np.asarray(week * self._done[-1] + self._spans.before(local - week * WEEK))

    def before(self, t: Floats) -> Floats:
        """Open seconds before each instant of `t`, counted from one instant for all."""
        part = np.searchsorted(self._changes, t, side="right")
        return self._local(t + self._shift[part]) - self._jumped[part]

    def add(self, t: Floats, seconds: Floats) -> Floats:
        """First instant at which `seconds` of open time have passed since `t`."""
        wanted = self.before(t) + seconds
        part = np.searchsorted(self._at_change, wanted)
        wanted = wanted + self._jumped[part]
        week = np.ceil(wanted / self._done[-1]) - 1.0
        rest = wanted - week * self._done[-1]
        span = np.minimum(np.searchsorted(self._done, rest), len(self._done) - 1)
        local = week * WEEK + self._closes[span] - (self._done[span] - rest)
        return np.asarray(np.maximum(local - self._shift[part], t))
