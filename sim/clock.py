"""Timers on a SimPy environment, without a process for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy
from simpy.events import NORMAL, Event


class Timer(Event):
    """Calls `callback(timer)` after `delay` seconds; `timer.value` is then `value`.

    It cannot be taken back: who sets one keeps it, and the callback compares.
    """

    _ok = True

    def __init__(
        self, env: simpy.Environment, delay: float, callback: Callable[[Any], None], value: object = None
    ) -> None:
        if delay < 0.0:
            raise ValueError(f"delay(={delay}) must not be negative")
        self.env = env
        self.callbacks = [callback]
        self._value = value
        env.schedule(self, NORMAL, delay)
