"""The state of each leg that is watched."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from callsim.live.probing import Leg, legs_of
from callsim.plan.model import Plan
from callsim.watching.slots import Schedule, bounded, schedules

GRACE = 5.0
"""Seconds after which a slot that nobody was awake for has gone by."""
LONGEST_BACK = 3600.0
"""Seconds by which the clock may go back, and slots that were probed stay so; beyond it was wrong before."""
Key = tuple[str, str]
"""A leg's test and what it goes over."""


def key_of(leg: Leg) -> Key:
    """Name a leg, in every version of its plan."""
    return leg.test.name, leg.over


@dataclass(eq=False)
class Lane:
    """A leg with its schedule, and how far it has come; instants are POSIX seconds."""

    leg: Leg
    schedule: Schedule
    handled: float
    """Slots up to here are done with."""
    probed: float = -math.inf
    """The last slot that was probed."""
    task: asyncio.Task[None] | None = None
    """The probe that is under way."""
    due: float = field(init=False)
    """Its next slot; infinity where it has none."""

    def __post_init__(self) -> None:
        self._plan()

    def _plan(self) -> None:
        self.due = self.schedule.after(self.handled)

    @property
    def key(self) -> Key:
        """Its leg's name."""
        return key_of(self.leg)

    @property
    def busy(self) -> bool:
        """Whether a probe is under way."""
        return self.task is not None and not self.task.done()

    def reach(self, now: float) -> tuple[list[tuple[float, int]], list[float]]:
        """Take the slots up to `now`: those gone by, each with how many it stands for, and the fresh ones."""
        if self.due > now:
            return [], []
        stale = now - GRACE
        gone = list(bounded(self.schedule, self.schedule.between(self.handled, stale), stale))
        fresh = list(self.schedule.between(max(self.handled, stale), now))
        self.handled = now
        self._plan()
        return gone, fresh

    def go_back(self, now: float) -> bool:
        """Take in that the clock went back: no slot is probed twice.

        False: it went back by so much that slots are probed which have been, as the clock was wrong then.
        """
        ahead = self.probed - now
        self.handled = self.probed if 0.0 < ahead <= LONGEST_BACK else now
        self._plan()
        return ahead <= LONGEST_BACK

    def skip(self, handled: Iterable[float], now: float) -> None:
        """Take in slots of which there are records, for a clock may have gone back since."""
        ahead = [due for due in handled if self.handled < due <= now + LONGEST_BACK]
        self.handled = max([self.handled, *ahead])
        self._plan()


def lanes_of(plan: Plan, now: float, before: Iterable[Lane] = ()) -> list[Lane]:
    """Make the lanes of a plan's legs, from `now` on; what is known of a leg that was watched goes on."""
    legs = legs_of(plan, plan.tests)
    known = {lane.key: lane for lane in before}
    made = []
    for leg, schedule in zip(legs, schedules(plan, legs), strict=True):
        lane = Lane(leg, schedule, now)
        if (old := known.get(key_of(leg))) is not None:
            lane.task = old.task
            lane.probed = old.probed
            lane.skip([old.handled], now)
        made.append(lane)
    return made


def gaps(
    lanes: Iterable[Lane], handled: Mapping[Key, Sequence[float]], until: float
) -> Iterator[tuple[Lane, float, int]]:
    """Give the slots before `until` of which there are no records, each with how many it stands for."""
    for lane in lanes:
        missing = lane.schedule.gap(handled.get(lane.key, ()), until)
        for due, count in bounded(lane.schedule, missing, until):
            yield lane, due, count
