"""One worker of a pool, with the calls that it has in hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from callgen.guarding.guard import Permit
from callgen.messages import Dialog, Event, FromWorker, HangUp, Lost, Ready, ToWorker
from callgen.process import Process

PAUSE, LONGEST_PAUSE = 1.0, 60.0
STEADY = 10.0
"""Seconds from its start after which the end of a worker counts by itself."""
WARN_AFTER = 3
"""Early ends in a row that are worth a warning."""


class LostByToolError(Exception):
    """No worker has a free slot, or it died: the tool is at fault, not a carrier."""


@dataclass(eq=False)
class Slot:
    """A call's place in a worker; against a silent carrier it is held for 32 s beyond the call's end."""

    permit: Permit
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    over: bool = False
    dialog: Dialog | None = None
    """None: nothing has been sent."""
    freed: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(eq=False)
class Member:
    """A worker with what it has in hand; `failures`: how many before it, in a row, died early."""

    index: int
    ready: asyncio.Future[Ready]
    failures: int = 0
    slots: dict[int, Slot] = field(default_factory=dict)
    pings: dict[int, asyncio.Future[int | None]] = field(default_factory=dict)
    process: Process[ToWorker, FromWorker] = field(init=False)
    dead: bool = False
    missed: int = 0
    """Beats that it has not answered."""
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    useful: bool = False
    """Whether it has seen a call to its end."""
    handling: Slot | None = None
    """Whose answer it has begun to handle, while nothing more is heard."""

    @property
    def able(self) -> bool:
        """Whether it can take calls."""
        return self.ready.done() and not self.dead

    @property
    def in_a_row(self) -> int:
        """How many have died early in a row, with this one; one that saw a call to its end is the first."""
        if asyncio.get_running_loop().time() >= self.began + STEADY:
            return 0
        return 1 if self.useful else self.failures + 1

    def learn(self, dialog: Dialog) -> None:
        """Take in what a call's end would need."""
        slot = self.slots.get(dialog.call)
        if slot is not None:
            told = slot.dialog.answer if slot.dialog is not None else None
            self.handling = slot if dialog.answer not in {None, told} else None
            slot.dialog = dialog

    def end(self, why: str, *, as_told: bool) -> list[Slot]:
        """Tell its calls and pings that they are lost, and give the calls that its parent has to end.

        Of a worker that ended `as_told` only those that the far end knows of: it gave up the others.
        """
        self.dead = True
        now = asyncio.get_running_loop().time()
        for answer in self.pings.values():
            if not answer.done():
                answer.set_exception(LostByToolError(f"a {why}"))
        left = []
        for call, slot in self.slots.items():
            slot.events.put_nowait(Lost(call, f"its {why}", now))
            if slot.dialog is None or slot.dialog.over:
                slot.freed.set_result(True)
            elif as_told and slot.dialog.answer is None:
                slot.freed.set_result(False)
            else:
                left.append(slot)
        return left

    def why(self, code: int, hung_after: float | None) -> str:
        """Say in words why it ended."""
        did = "ended" if hung_after is None else f"hung for {hung_after:.0f} s"
        during = f" while it handled an answer of {self.handling.permit.trunk}" if self.handling else ""
        return f"worker {did} ({code}){during}"


def pause_after(failures: int) -> float:
    """Give the seconds until a worker is replaced after so many early ends in a row: 0, 1, 2, 4 to 60."""
    return min(PAUSE * 2.0 ** (failures - 1), LONGEST_PAUSE) if failures else 0.0


@dataclass(frozen=True)
class Call:
    """A call of a worker: a `LiveCall`."""

    worker: Member
    number: int
    slot: Slot

    async def event(self) -> Event:
        """Wait for what happens next."""
        return await self.slot.events.get()

    def hang_up(self) -> None:
        """Give it up; `Ended` follows."""
        self.worker.process.tell(HangUp(self.number))

    async def freed(self) -> bool:
        """Wait until nothing can come of it any more; False: its worker is gone, and that is not known."""
        return await asyncio.shield(self.slot.freed)
