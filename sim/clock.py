"""SimPy's calendar with timers on it that need neither an event nor a process."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final, NoReturn, cast

import simpy
from simpy.core import StopSimulation
from simpy.events import NORMAL, Event

Timer = tuple[float, int, Callable[[Any], None], Any]
"""An entry of the calendar: its instant, its place among those of the same instant, what it calls, a value.

It cannot be taken back: who sets one keeps it, and what it calls compares.
"""
VALUE: Final = 3
_FIRST: Final = 1 << 62
"""So far before all others of its instant is what is urgent."""


class Clock(simpy.Environment):
    """A SimPy environment whose calendar holds timers; SimPy's events are the value of one.

    Setting one and letting it go off costs half of what a SimPy event does, and most of what happens in a
    stream needs no more. Its time is moved by `play` alone.
    """

    now = 0.0
    """Seconds since the stream's start; it stands in place of SimPy's property, since all ask for it."""

    def __init__(self, initial_time: float) -> None:
        super().__init__(initial_time)
        self.now = initial_time
        self._calendar: list[Timer] = []

    def after(self, delay: float, callback: Callable[[Timer], None], value: object = None) -> Timer:
        """Call `callback(timer)` after `delay` seconds; `timer[VALUE]` is then `value`."""
        if delay < 0.0:
            raise ValueError(f"delay(={delay}) must not be negative")
        timer = (self.now + delay, next(self._eid), callback, value)
        heappush(self._calendar, timer)
        return timer

    def schedule(self, event: Event, priority: int = NORMAL, delay: float = 0.0) -> None:
        """Put a SimPy event on the calendar."""
        place = next(self._eid) - (0 if priority == NORMAL else _FIRST)
        heappush(self._calendar, (self.now + delay, place, _occur, event))

    def play(self, until: float) -> None:
        """Let happen what lies before the instant `until`."""
        calendar = self._calendar
        heappush(calendar, (until, next(self._eid) - _FIRST, _stop, None))
        try:
            while True:
                timer = heappop(calendar)
                self.now = timer[0]
                timer[2](timer)
        except StopSimulation:
            return


def _occur(timer: Timer) -> None:
    """Tell who waits for a SimPy event, as `simpy.Environment.step` does."""
    event: Event = timer[VALUE]
    callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]  # it means: processed
    for callback in callbacks:
        callback(event)
    if not (event.ok or event.defused):
        raise cast(BaseException, event.value)


def _stop(_: Timer) -> NoReturn:
    raise StopSimulation
