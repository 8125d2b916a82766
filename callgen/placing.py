"""Places a call over several trunks as the router says, with real answers and real time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from callgen.dialer import Dialer, LiveCall, LostByToolError
from callgen.guard import Guard, RefusedError
from callgen.messages import Ended, Event, Lost, Response, Sent
from callgen.records import Attempt, CallRecord, Outcome, outcome_of
from carriers.routing import CallSetup, Router
from carriers.routing import Outcome as End


@dataclass(frozen=True)
class Line:
    """What a call needs: the router, the SIP URI of each of its trunks, the guard and the dialer."""

    router: Router
    uris: Sequence[str]
    guard: Guard
    dialer: Dialer

    async def call(self, number: str, talk: float, rng: np.random.Generator) -> CallRecord:
        """Place a call, talk for `talk` seconds if it is answered, and say what became of it.

        The generator draws among the router's candidate lists.
        """
        return await _Placing(self, number, talk).run(rng)


class _Placing:
    """One call on its way; its clock is the event loop's, which is that of the workers too."""

    def __init__(self, line: Line, number: str, talk: float) -> None:
        self._line = line
        self._policy = line.router.policy
        self._number = number
        self._talk = talk
        self._attempts: list[Attempt] = []

    async def run(self, rng: np.random.Generator) -> CallRecord:
        loop = asyncio.get_running_loop()
        router = self._line.router
        now = loop.time()
        weights = [weight for weight, _ in router.candidates(now)]
        choice = int(rng.choice(len(weights), p=weights)) if len(weights) > 1 else 0
        setup = router.set_up(now, choice)
        try:
            while (trunk := setup.attempt) is not None:
                permit = self._line.guard.invite(self._number, self._line.uris[trunk])
                live = self._line.dialer.place(permit, self._talk)
                self._attempts.append(Attempt(self._policy.trunks[trunk].name, sent=loop.time()))
                setup = await self._attempt(live, setup)
        except RefusedError as refused:
            return self._record(Outcome.REFUSED_BY_GUARD, None, str(refused))
        except LostByToolError as lost:
            return self._record(Outcome.LOST_BY_TOOL, None, str(lost))
        reason = self._attempts[-1].reason if self._attempts else "no trunk is believed up"
        return self._record(outcome_of(setup), setup.status, reason)

    def _record(self, outcome: Outcome, status: int | None, reason: str | None) -> CallRecord:
        return CallRecord(self._number, outcome, status, reason, tuple(self._attempts))

    def _note(self, **known: object) -> None:
        self._attempts[-1] = replace(self._attempts[-1], **known)  # type: ignore[arg-type]

    async def _attempt(self, live: LiveCall, setup: CallSetup) -> CallSetup:
        """See one INVITE to its end: the setup moves on, or the call has been talked over."""
        trunk = setup.attempt
        assert trunk is not None  # checked by the caller
        while setup.attempt == trunk and setup.outcome is None:
            event = await _until(live, setup.deadline)
            if event is None or (isinstance(event, Response) and event.at > setup.deadline):
                setup = self._give_up(live, setup)
                break
            if isinstance(event, Response):
                self._heard(event)
                setup = setup.receive(event.status, event.at)
            else:
                self._follow(event)
        loop = asyncio.get_running_loop()
        end = setup.outcome
        self._line.router.observe_call(trunk, end in {None, End.EXHAUSTED}, loop.time())
        if end is End.CONNECTED:
            while self._attempts[-1].ended is None:
                self._follow(await live.event())
        return setup

    def _give_up(self, live: LiveCall, setup: CallSetup) -> CallSetup:
        """The deadline has passed: CANCEL, or abandon what cannot be cancelled yet."""
        now = asyncio.get_running_loop().time()
        live.hang_up()
        setup = setup.expire(max(now, setup.deadline))
        self._note(ended=now, status=setup.tried[-1][1], reason=f"no answer in time ({setup.action.value})")
        return setup

    def _heard(self, response: Response) -> None:
        attempt = self._attempts[-1]
        if response.status == 100:
            self._note(trying=attempt.trying or response.at)
        elif response.status < 200:
            self._note(ringing=attempt.ringing or response.at)
        else:
            final = None if response.local else response.at
            ended = None if response.status < 300 else response.at
            self._note(status=response.status, reason=response.reason, final=final, ended=ended)

    def _follow(self, event: Event) -> None:
        match event:
            case Sent():
                self._note(sent=event.at)
            case Ended():
                self._note(ended=event.at, hung_up_by=event.hung_up_by, rtp=event.rtp)
            case Lost():
                self._note(status=None, reason=event.reason, ended=event.at)
                raise LostByToolError(event.reason)


async def _until(live: LiveCall, deadline: float) -> Event | None:
    """Wait for an event until an instant; None where there is none."""
    try:
        async with asyncio.timeout_at(deadline):
            return await live.event()
    except TimeoutError:
        return None
