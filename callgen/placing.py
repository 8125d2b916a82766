"""Places a call over several trunks as the router says, with real answers and real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeVar

import numpy as np

from callgen.dialer import Dialer, LiveCall, LostByToolError
from callgen.guarding.guard import Guard, Permit, RefusedError
from callgen.guarding.targets import Hop, ordered
from callgen.measures.records import Attempt, CallRecord, Outcome, outcome_of
from callgen.messages import Audio, Ended, Event, Identity, Lost, Response, Sent
from callgen.settling import Leg
from carriers.routing import UNAVAILABLE, CallSetup, Router
from carriers.routing import Outcome as End

LATEST_END = 2.5
"""Seconds after a failed setup in which its trace is waited for."""

T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """What a call needs: the router, the SIP URI of each of its trunks, the guard, the dialer, the accounts.

    `identities` has the account at each trunk, in the router's order; empty: none.
    """

    router: Router
    uris: Sequence[str]
    guard: Guard
    dialer: Dialer
    identities: Sequence[Identity] = ()
    hops: Sequence[Hop] = ()
    """Where each trunk of the router leads; empty: where its URI says."""
    keep: Callable[[CallRecord], None] | None = None
    """Told of every call that was begun, as it ends; also of one that is cancelled."""
    _beside: set[asyncio.Task[Any]] = field(default_factory=set, init=False, repr=False, compare=False)
    """Ends of attempts that are still followed."""

    async def call(
        self,
        number: str,
        talk: float,
        rng: np.random.Generator,
        *,
        audio: Audio = Audio(),  # noqa: B008 - frozen
        codecs: tuple[str, ...] | None = None,
    ) -> CallRecord:
        """Place a call, talk for `talk` seconds if it is answered, and say what became of it.

        The generator draws among the router's candidate lists. Cancelled, it hangs up.
        """
        now = asyncio.get_running_loop().time()
        candidates = self.router.candidates(now)
        weights = [weight for weight, _ in candidates]
        choice = int(rng.choice(len(weights), p=weights)) if len(weights) > 1 else 0
        setup = self.router.set_up(now, choice, self._ordered(candidates[choice][1], rng))
        return await _Placing(self, number, talk, audio, codecs, observed=True).run(setup)

    async def call_over(
        self,
        trunk: int,
        number: str,
        talk: float,
        rng: np.random.Generator | None = None,
        *,
        audio: Audio = Audio(),  # noqa: B008 - frozen
        codecs: tuple[str, ...] | None = None,
    ) -> CallRecord:
        """Place a call over one trunk, believed up or not; the router does not learn of it.

        Where the trunk has several addresses they are tried in the order that the generator draws.
        """
        trunks = [n for n, hop in enumerate(self.hops) if hop.trunk == trunk] or [trunk]
        order = self._ordered(trunks, rng) if rng is not None else tuple(trunks)
        setup = CallSetup.start(self.router.policy, order, asyncio.get_running_loop().time())
        return await _Placing(self, number, talk, audio, codecs, observed=False).run(setup)

    def beside(self, doing: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do something that goes on when the call that it belongs to is over."""
        task = asyncio.create_task(doing)
        self._beside.add(task)  # nobody else may hold it
        task.add_done_callback(self._beside.discard)
        return task

    async def settled(self) -> None:
        """Wait until the guard knows how each call ended: soon after the dialer has ended."""
        if self._beside:
            await asyncio.wait(tuple(self._beside), timeout=LATEST_END)

    def identity(self, trunk: int) -> Identity | None:
        """Give the account at a trunk; None: none."""
        return self.identities[trunk] if self.identities else None

    def _ordered(self, trunks: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
        return ordered(self.hops, trunks, rng) if self.hops else tuple(trunks)

    def target(self, trunk: int) -> str | None:
        """SIP URI of the address that a trunk leads to; None: what its URI says."""
        return self.hops[trunk].uri if self.hops else None

    def trouble(self, trunk: int) -> str | None:
        """Why a trunk leads nowhere; None: it does not."""
        return self.hops[trunk].trouble if self.hops else None

    def permit(self, trunk: int, number: str, talk: float) -> Permit:
        """Ask the guard for an INVITE over a trunk; raises RefusedError."""
        identity, policy = self.identity(trunk), self.router.policy
        return self.guard.invite(
            number,
            self.uris[trunk],
            trunk=self.hops[trunk].name if self.hops else policy.trunks[trunk].name,
            caller_id=identity.caller_id if identity else None,
            seconds=talk,
            ring=policy.ring_timeout,
            headers=identity.headers if identity else (),
            target=self.target(trunk),
        )


class _Placing:
    """One call on its way; its clock is the event loop's, which is that of the workers too."""

    def __init__(
        self,
        line: Line,
        number: str,
        talk: float,
        audio: Audio,
        codecs: tuple[str, ...] | None,
        *,
        observed: bool,
    ) -> None:
        self._line = line
        self._policy = line.router.policy
        self._number = number
        self._talk = talk
        self._audio = audio
        self._codecs = codecs
        self._observed = observed
        self._attempts: list[Attempt] = []
        self._ends: list[asyncio.Task[Event]] = []
        self._caller_id: str | None = None
        self._started_at = time.time()

    async def run(self, setup: CallSetup) -> CallRecord:
        """See the call to its end, and give its record; cancelled, its record is kept only."""
        try:
            record = await self._run(setup)
        except asyncio.CancelledError:
            self._keep(await self._cut_short())
            raise
        self._keep(record)
        return record

    def _keep(self, record: CallRecord) -> None:
        if self._line.keep is not None:
            self._line.keep(record)

    async def _cut_short(self) -> CallRecord:
        """Make the record of a call that we gave up for reasons of our own."""
        if self._attempts and self._attempts[-1].answered:
            return await self._record(Outcome.ANSWERED, self._attempts[-1].status, "interrupted")
        return await self._record(Outcome.LOST_BY_TOOL, None, "interrupted before it was answered")

    async def _run(self, setup: CallSetup) -> CallRecord:
        try:
            while setup.attempt is not None:
                setup = await self._attempt(setup)
        except RefusedError as refused:
            return await self._record(Outcome.REFUSED_BY_GUARD, None, str(refused))
        except LostByToolError as lost:
            return await self._record(Outcome.LOST_BY_TOOL, None, str(lost))
        reason = self._attempts[-1].reason if self._attempts else "no trunk is believed up"
        record = await self._record(outcome_of(setup), setup.status, reason)
        if setup.outcome is End.CONNECTED and self._observed:
            self._observe_quality(setup.tried[-1][0], record)
        return record

    async def _record(self, outcome: Outcome, status: int | None, reason: str | None) -> CallRecord:
        if self._ends:
            await asyncio.wait(self._ends, timeout=LATEST_END)
        attempts = tuple(self._attempts)
        return CallRecord(self._number, outcome, status, reason, attempts, self._started_at, self._caller_id)

    def _observe_quality(self, trunk: int, record: CallRecord) -> None:
        now = asyncio.get_running_loop().time()
        if record.heard is not None and record.heard.two_way is False:
            self._line.router.observe_quality(trunk, None, now)
        elif record.mos is not None:
            self._line.router.observe_quality(trunk, record.mos.value, now)

    def _note(self, index: int, **known: object) -> None:
        self._attempts[index] = replace(self._attempts[index], **known)  # type: ignore[arg-type]  # by name

    # ---- one attempt

    async def _attempt(self, setup: CallSetup) -> CallSetup:
        """See one INVITE to its end: the setup moves on, or the call has been talked over."""
        trunk = setup.attempt
        assert trunk is not None  # checked by the caller
        if (trouble := self._line.trouble(trunk)) is not None:
            return self._fail(setup, trunk, trouble)
        before = asyncio.get_running_loop().time()
        leg = await self._place(trunk)
        # Time that the call waited for a slot of ours is no carrier's.
        waited = asyncio.get_running_loop().time() - before
        setup = replace(setup, deadline=setup.deadline + waited)
        try:
            setup = await self._set_up(leg, setup)
        except asyncio.CancelledError:
            leg.live.hang_up()
            self._see_out(leg)
            raise
        end = setup.outcome
        if self._observed:
            failed = end in {None, End.EXHAUSTED}
            self._line.router.observe_call(trunk, failed, asyncio.get_running_loop().time())
        ending = self._see_out(leg)
        if end is End.CONNECTED:
            try:
                last = await asyncio.shield(ending)
            except asyncio.CancelledError:
                leg.live.hang_up()
                raise
            if isinstance(last, Lost):
                self._lose(leg, last)
        return setup

    def _fail(self, setup: CallSetup, trunk: int, trouble: str) -> CallSetup:
        """Note an attempt whose INVITE has nowhere to go (RFC 3263): a transport error, which is a 503."""
        now = asyncio.get_running_loop().time()
        name = self._policy.trunks[trunk].name
        self._attempts.append(Attempt(name, sent=now, ended=now, status=UNAVAILABLE, reason=trouble))
        setup = setup.receive(UNAVAILABLE, now)
        if self._observed:
            self._line.router.observe_call(trunk, setup.outcome in {None, End.EXHAUSTED}, now)
        return setup

    async def _place(self, trunk: int) -> Leg:
        """Have the INVITE sent; raises RefusedError, LostByToolError."""
        permit = self._line.permit(trunk, self._number, self._talk)
        identity = self._line.identity(trunk)
        try:
            live = await self._line.dialer.place(
                permit,
                self._talk,
                identity=identity.trunk if identity else None,
                audio=self._audio,
                codecs=self._codecs,
            )
        except BaseException:
            self._line.guard.settle(permit, None, placed=False)
            raise
        self._caller_id = identity.caller_id if identity else None
        sent = asyncio.get_running_loop().time()
        self._attempts.append(Attempt(self._policy.trunks[trunk].name, sent=sent, target=permit.target))
        return Leg(len(self._attempts) - 1, live, permit, self._line.guard, sent)

    async def _set_up(self, leg: Leg, setup: CallSetup) -> CallSetup:
        """Follow an attempt until the setup moves on or is over."""
        trunk = setup.attempt
        while setup.attempt == trunk and setup.outcome is None:
            event = await _until(leg.live, setup.deadline)
            late = event is None or (isinstance(event, Response) and event.at > setup.deadline)
            if late:
                setup = self._give_up(leg, setup)
            if isinstance(event, Response):
                leg.note(event)
            if late:
                break
            match event:
                case Sent():
                    leg.sent = event.at
                    self._note(leg.index, sent=event.at)
                case Response():
                    self._heard(leg, event)
                    setup = setup.receive(event.status, event.at)
                case Lost():
                    self._settle(leg, event)
                    self._lose(leg, event)
                case Ended():
                    lost = Lost(event.call, "it ended without a final response", event.at)
                    self._settle(leg, lost)
                    self._lose(leg, lost)
        return setup

    def _give_up(self, leg: Leg, setup: CallSetup) -> CallSetup:
        """The deadline has passed: CANCEL, or abandon what cannot be cancelled yet."""
        now = asyncio.get_running_loop().time()
        leg.live.hang_up()
        setup = setup.expire(max(now, setup.deadline))
        reason = f"no answer in time ({setup.action.value})"
        self._note(leg.index, ended=now, status=setup.tried[-1][1], reason=reason)
        return setup

    def _heard(self, leg: Leg, response: Response) -> None:
        attempt = self._attempts[leg.index]
        if response.status == 100:
            self._note(leg.index, trying=attempt.trying or response.at)
        elif response.status < 200:
            early = attempt.early_media or response.early_media
            self._note(leg.index, ringing=attempt.ringing or response.at, early_media=early)
        else:
            self._note(
                leg.index,
                status=response.status,
                reason=response.reason,
                final=None if response.local else response.at,
                ended=None if response.status < 300 else response.at,
                q850=response.q850,
                contact=response.contact,
            )

    def _lose(self, leg: Leg, lost: Lost) -> NoReturn:
        """Note that the tool has lost the call; raises LostByToolError."""
        self._note(leg.index, status=None, reason=lost.reason, ended=lost.at)
        raise LostByToolError(lost.reason)

    # ---- its end

    def _see_out(self, leg: Leg) -> asyncio.Task[Event]:
        """Follow an attempt to its end, beside whatever is tried next."""
        ending = self._line.beside(self._end(leg))
        self._ends.append(ending)
        return ending

    async def _end(self, leg: Leg) -> Event:
        """Wait for `Ended` or `Lost`, note what was measured, tell the guard."""
        while not isinstance(event := await leg.live.event(), Ended | Lost):
            if isinstance(event, Response):
                leg.note(event)
        self._settle(leg, event)
        if isinstance(event, Ended):
            self._measured(leg, event)
        return event

    def _settle(self, leg: Leg, event: Ended | Lost) -> None:
        rest = leg.settle(event)
        if rest is not None:
            self._line.beside(rest)

    def _measured(self, leg: Leg, ended: Ended) -> None:
        attempt = self._attempts[leg.index]
        self._note(
            leg.index,
            ended=ended.at if attempt.ended is None else attempt.ended,
            hung_up_by=ended.hung_up_by if attempt.answered else None,
            rtp=ended.rtp,
            heard=ended.heard,
            codec=ended.codec,
            q850=attempt.q850 if ended.q850 is None else ended.q850,
            call_id=ended.call_id,
            trace=ended.trace,
            recordings=ended.recordings,
            post_bye_delay=ended.post_bye_delay,
        )


async def _until(live: LiveCall, deadline: float) -> Event | None:
    """Wait for an event until an instant; None where there is none."""
    try:
        async with asyncio.timeout_at(deadline):
            return await live.event()
    except TimeoutError:
        return None
