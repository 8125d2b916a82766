"""Sends a SIP message over UDP again until it has come (RFC 3261, 17)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

T1, T2 = 0.5, 4.0
"""Seconds to the first repetition of what gets no answer, and at most from one to the next."""
PATIENCE = 64 * T1
"""Seconds after which it is given up (Timers B, F, H)."""


class Repeated:
    """Sends a message again and again over UDP, until somebody says that it came or `PATIENCE` is over."""

    def __init__(self, send: Callable[[], None], gave_up: Callable[[], None]) -> None:
        self._send = send
        self._gave_up = gave_up
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + PATIENCE
        self._pause = T1
        send()
        self._timer = self._loop.call_later(T1, self._again)

    def _again(self) -> None:
        if self._loop.time() >= self._until:
            self._gave_up()
            return
        self._send()
        self._pause = min(2 * self._pause, T2)
        self._timer = self._loop.call_later(self._pause, self._again)

    def stop(self) -> None:
        """It has come."""
        self._timer.cancel()
