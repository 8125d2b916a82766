"""Settles with the guard what became of an INVITE that it has permitted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from callgen.dialer import LiveCall
from callgen.guarding.caps import TIMER_B
from callgen.guarding.guard import Guard, Permit
from callgen.messages import Ended, Lost, Response

EARLY = 1.0
"""Seconds before Timer B at which a slot that is freed means that a response came after all."""
SHORTEST = 1e-3
"""Seconds of a call that was hung up as it was answered: it is billed, where one of 0 s is not."""
BYE = "\nBYE "
"""In the trace of a call that was answered."""


@dataclass(eq=False)
class Leg:
    """One attempt under way; instants are those of the event loop."""

    index: int
    live: LiveCall
    permit: Permit
    guard: Guard
    sent: float
    answered: float | None = None
    """When its 200 came, even one that came too late."""
    responded: bool = False
    """Without any response it may be answered even after it was given up."""

    def note(self, response: Response) -> None:
        """Take in a response."""
        self.responded = True
        if 200 <= response.status < 300:
            self.answered = response.at

    def settle(self, event: Ended | Lost) -> Coroutine[Any, Any, None] | None:
        """Settle as far as is known; what is given settles the rest when more is known."""
        if isinstance(event, Lost):
            self.guard.settle(self.permit, None, placed=True)
            return self._settle_lost()
        if self.answered is not None:
            self.guard.settle(self.permit, max(event.at - self.answered, SHORTEST), placed=True)
        elif event.trace is not None and BYE in event.trace:
            # Its 200 crossed our CANCEL (RFC 3261, 9.1); the worker tells of no response by then.
            self.guard.settle(self.permit, SHORTEST, placed=True)
        elif self.responded:
            self.guard.settle(self.permit, 0.0, placed=True)
        else:
            return self._settle_late()
        return None

    async def _settle_lost(self) -> None:
        """Once the far end has no such call any more, it was as long as it can have been."""
        if await self.live.freed():
            lasted = asyncio.get_running_loop().time() - self.sent
            self.guard.settle(self.permit, max(lasted, SHORTEST), placed=True)

    async def _settle_late(self) -> None:
        """Settle what was given up without a response, once it cannot be answered any more."""
        known = await self.live.freed()
        held = asyncio.get_running_loop().time() - self.sent
        unanswered = known and held >= TIMER_B - EARLY
        self.guard.settle(self.permit, 0.0 if unanswered else None, placed=True)
