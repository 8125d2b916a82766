"""Threads that carry messages, each over its own channel, so that one that hangs delays no other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from callsim.alerting.channels import Channel
from callsim.alerting.messages import Message

DELAYS = (2.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds between tries while a channel fails; the last one from then on."""
LIFE = 6 * 3600.0
"""Seconds after which a message that nobody took is given up."""
MOST = 100
"""Messages that may wait; the oldest is given up for one more."""
TOLD_AFTER = 3
"""Tries in a row after which a channel counts as failing."""


@dataclass(frozen=True)
class Outcome:
    """What became of a channel's message, or of the channel."""

    channel: str
    what: Literal["delivered", "given_up", "failing", "working"]
    at: float
    """POSIX seconds; of `failing` the first try that failed."""
    message: str = ""
    """Id of the message; empty where it is about the channel."""
    why: str = ""
    tries: int = 0


class Courier:
    """Carries messages over a channel in a thread; `told` is called there with what becomes of them.

    `clock` gives POSIX seconds. `failing` is whether the channel is known to.
    Where a message is not taken the next one is tried first, for it may be the message's own fault.
    """

    def __init__(
        self,
        channel: Channel,
        told: Callable[[Outcome], None],
        clock: Callable[[], float],
        *,
        failing: bool = False,
        delays: tuple[float, ...] = DELAYS,
    ) -> None:
        self.channel = channel
        self._told = told
        self._delays = delays
        self._clock = clock
        self._waiting: deque[Message] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._failing = failing
        self._failed = 0
        self._first_failed = 0.0
        self._thread = threading.Thread(target=self._carry, name=f"alerts to {channel.name}", daemon=True)
        self._thread.start()

    def put(self, message: Message) -> None:
        """Have a message carried; never blocks for longer than it takes to say so."""
        with self._changed:
            dropped = self._waiting.popleft() if len(self._waiting) >= MOST else None
            self._waiting.append(message)
            self._changed.notify()
        if dropped is not None:
            self._told(self._outcome("given_up", dropped.id, "too many messages wait"))

    def close(self, timeout: float) -> None:
        """End when what waits has been tried once more, or after `timeout` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)

    def _carry(self) -> None:
        while (message := self._next()) is not None:
            try:
                why = self.channel.send(message)
            except Exception as error:  # whatever a channel does, the thread goes on
                why = f"broke ({type(error).__name__})"
            if why is None:
                self._delivered(message)
            else:
                self._not_taken(message, why)

    def _next(self) -> Message | None:
        """Wait for a message, and after a failure for the time to try again; None at the end."""
        with self._changed:
            if self._failed and not self._closing:
                delay = self._delays[min(self._failed, len(self._delays)) - 1]
                self._changed.wait_for(lambda: self._closing, delay)
            self._changed.wait_for(lambda: self._closing or self._waiting)
            if self._closing and self._failed:
                return None
            return self._waiting.popleft() if self._waiting else None

    def _delivered(self, message: Message) -> None:
        self._failed = 0
        self._told(self._outcome("delivered", message.id))
        if self._failing:
            self._failing = False
            self._told(self._outcome("working"))

    def _not_taken(self, message: Message, why: str) -> None:
        self._failed += 1
        if self._failed == 1:
            self._first_failed = self._clock()
        if self._clock() - message.at > LIFE:
            self._told(self._outcome("given_up", message.id, why))
        else:
            with self._changed:
                self._waiting.append(message)
        if self._failed >= TOLD_AFTER and not self._failing:
            self._failing = True
            tries, at = self._failed, self._first_failed
            self._told(Outcome(self.channel.name, "failing", at, why=why, tries=tries))

    def _outcome(
        self, what: Literal["delivered", "given_up", "working"], message: str = "", why: str = ""
    ) -> Outcome:
        return Outcome(self.channel.name, what, self._clock(), message, why)
