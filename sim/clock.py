"""Timers on a SimPy environment, without a process for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy
from simpy.events import Event, Timeout

Timer = Event


def after(
    env: simpy.Environment, delay: float, callback: Callable[[Any], None], value: object = None
) -> Timer:
    """Call `callback(timer)` after `delay` seconds; `timer.value` is then `value`.

    A timer cannot be taken back; who sets one keeps it, and the callback compares.
    """
    timer = Timeout(env, delay, value)
    timer.callbacks.append(callback)
    return timer
