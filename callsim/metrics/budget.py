"""How much of what an SLA allows to be down has been used, from probe results as they come.

The service is what goes over `route` where a test does that: up while one of these tests is good, else down
while one is bad. Without such tests it is all trunks together: up while one of them is, down while every one
is known to be. A result holds until the next of its leg, at most for two cadences with the jitter; time of
which nothing is known counts neither way.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from callsim.live.probing import legs_of
from callsim.metrics.names import WINDOWS
from callsim.plan import Plan
from callsim.plan.model import ROUTE

MINUTE = 60.0
LONGEST = int(max(WINDOWS.values()) / MINUTE)
"""Minutes that are kept one by one."""

Key = tuple[str, str]
"""A leg: test, over."""


@dataclass(frozen=True)
class Past:
    """What became of a slot; `passed` is None where that is not known, `at` POSIX seconds."""

    test: str
    over: str
    at: float
    passed: bool | None


@dataclass
class _Last:
    """A leg's last result, which holds until `until`."""

    hold: float
    passed: bool | None = None
    until: float = -math.inf


class Budget:
    """The error budget of a plan with an `sla`, in time order; instants are POSIX seconds.

    Windows are known to the minute. An instant before the last one, of a clock that was put back, counts as
    the last one.
    """

    def __init__(self, plan: Plan, at: float) -> None:
        assert plan.sla is not None  # asked before
        self.target = plan.sla.availability
        self._zone = ZoneInfo(plan.timezone)
        self._legs: dict[Key, _Last] = {}
        self._take(plan)
        self._at = at
        self._down = np.zeros(LONGEST)
        self._known = np.zeros(LONGEST)
        self._minutes = np.full(LONGEST, -1, dtype=np.int64)
        self._open_month(at)

    def use(self, plan: Plan, at: float) -> None:
        """Go on with another plan, which has an `sla` too; what its legs showed is kept."""
        assert plan.sla is not None
        self.advance(at)
        self.target = plan.sla.availability
        self._zone = ZoneInfo(plan.timezone)
        self._take(plan)

    def _take(self, plan: Plan) -> None:
        views = views_of(plan)
        holds = {key: hold for view in views for key, hold in view.items()}
        self._legs = {key: self._legs.get(key, _Last(hold)) for key, hold in holds.items()}
        for key, hold in holds.items():
            self._legs[key].hold = hold
        self._views = [[self._legs[key] for key in view] for view in views]

    def restore(self, past: Iterable[Past]) -> None:
        """Take up what was seen before the start, in any order; up to now nothing was."""
        ordered = sorted(past, key=lambda one: one.at)
        now = self._at
        if not ordered or ordered[0].at >= now:
            return
        self._at = ordered[0].at
        self._open_month(self._at)
        for one in ordered:
            self.see((one.test, one.over), min(one.at, now), one.passed)
        self.advance(now)

    def see(self, leg: Key, at: float, passed: bool | None) -> None:
        """Take a result that came at a time; None: the slot went by, or says nothing of the carrier."""
        self.advance(at)
        if (last := self._legs.get(leg)) is not None:
            last.passed = passed
            last.until = self._at + last.hold

    def advance(self, at: float) -> None:
        """Account for the time up to an instant."""
        while self._at < at:
            ends = [one.until for one in self._legs.values() if one.until > self._at]
            upto = min([at, self._month_end, *ends])
            up = self._up()
            if up is not None:
                self._known_month += upto - self._at
                self._down_month += 0.0 if up else upto - self._at
                self._fill(self._at, upto, down=not up)
            self._at = upto
            if upto == self._month_end:
                self._open_month(upto)

    @property
    def availability(self) -> float | None:
        """Share of this month's known time in which the service was up; None while nothing is known."""
        return 1.0 - self._down_month / self._known_month if self._known_month else None

    @property
    def remaining(self) -> float:
        """Share of this month's budget that is left, negative when more was used.

        The budget is (1 - target) times the whole month.
        """
        allowed = (1.0 - self.target) * (self._month_end - self._month_start)
        return 1.0 - self._down_month / allowed

    def burn_rate(self, window: float) -> float | None:
        """Unavailability of the last `window` seconds over the allowed one; None while nothing is known.

        The Site Reliability Workbook, chapter 5: at 1 the budget lasts exactly for its period.
        """
        within = self._minutes >= math.ceil(self._at / MINUTE) - int(window / MINUTE)
        known = float(self._known[within].sum())
        if not known:
            return None
        return float(self._down[within].sum()) / known / (1.0 - self.target)

    def _up(self) -> bool | None:
        states = {self._seen(view) for view in self._views}
        if True in states:
            return True
        return False if states == {False} else None

    def _seen(self, view: Sequence[_Last]) -> bool | None:
        """Say what several views of one thing come to."""
        states = {one.passed for one in view if one.until > self._at}
        return True if True in states else False if False in states else None

    def _fill(self, start: float, end: float, *, down: bool) -> None:
        """Add a stretch of known time to its minutes."""
        start = max(start, end - LONGEST * MINUTE)
        while start < end:
            minute = int(start // MINUTE)
            stop = min(end, (minute + 1) * MINUTE)
            place = minute % LONGEST
            if self._minutes[place] != minute:
                self._minutes[place] = minute
                self._known[place] = self._down[place] = 0.0
            self._known[place] += stop - start
            self._down[place] += (stop - start) * down
            start = stop

    def _open_month(self, at: float) -> None:
        """Begin the account of the local month around an instant."""
        first = dt.datetime.fromtimestamp(at, self._zone).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        after = (first + dt.timedelta(days=32)).replace(day=1)
        self._month_start, self._month_end = first.timestamp(), after.timestamp()
        self._known_month = self._down_month = 0.0


def views_of(plan: Plan) -> list[dict[Key, float]]:
    """Give what the service is made of: of each thing its legs, with the seconds for which a result holds."""
    holds = {
        (leg.test.name, leg.over): 2.0 * leg.test.every + leg.test.jitter
        for leg in legs_of(plan, plan.tests)
        if leg.test.every is not None
    }
    routed = {key: hold for key, hold in holds.items() if key[1] == ROUTE}
    if routed:
        return [routed]
    return [{key: hold for key, hold in holds.items() if key[1] == trunk} for trunk in plan.trunk_names()]
