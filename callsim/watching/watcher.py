"""Runs the legs of a plan on their cadence, for months."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from callgen.pings import Answered
from callgen.resolving import NOWHERE
from callsim.errors import CallsimError
from callsim.live.desk import CallJson, Desk
from callsim.live.probing import LOST, REFUSED, Leg, Probed, tried
from callsim.live.setup import caps_of
from callsim.plan.model import Plan
from callsim.watching.clock import Clock
from callsim.watching.events import (
    Event,
    Listener,
    PingDone,
    ProbeDone,
    Reloaded,
    SlotMissed,
    Ticked,
    TrunkBelieved,
)
from callsim.watching.lanes import Key, Lane, gaps, lanes_of
from results.store.entries import Entry, Why, new_id

LOG = logging.getLogger(__name__)
TICK = 1.0
JUMP = 1.0
"""Seconds by which the wall clock may part from the other one without having been set."""
LEAVE = 60.0
"""Seconds beyond its talk that a call has to end when the loop is stopped."""
RENEW_CALLS = 1000
RENEW_AFTER = 86400.0
"""Calls, or seconds, after which workers are replaced by fresh ones."""
RENEW_AGAIN = 600.0
"""Seconds after which what could not be replaced is tried again."""
BESIDE_DESK = frozenset(
    {"name", "title", "tests", "timezone", "own_network", "sla", "alerts", "keep", "numbers", "consent"}
)
"""Parts of a plan that its desk has nothing to do with."""

Desks = Callable[[Plan, Answered], AbstractAsyncContextManager[Desk]]
Place = Callable[[Desk, Leg, str, int], Awaitable[CallJson]]


@dataclass(frozen=True)
class Outside:
    """What the loop needs of the world; tests have another one."""

    clock: Clock
    desks: Desks
    """Opens a desk for a plan, which tells of its pings; raises CallsimError."""
    place: Place
    """Places a leg's call at a desk, for a probe of some id, as its try of some number."""
    entries: Callable[[Plan, str, float, Probed, bool], tuple[Entry, ...]]
    """Makes the entries of a plan's probe: its id, when it was due, what it is, whether it counts."""
    own_network: Callable[[Plan], Awaitable[bool | None]]
    """Whether our own network works; None: not known."""


@dataclass(eq=False)
class _Open:
    """A desk with the probes that still use it, and when its workers were started (monotonic)."""

    desk: Desk
    stack: AsyncExitStack
    fresh: float
    probes: set[asyncio.Task[None]] = field(default_factory=set)


class Watcher:
    """Probes the legs of a plan, whose tests all have a cadence, and tells its listeners of it.

    `run` goes on until `stop`, or until `hang_up`, which does not wait for calls. It raises CallsimError
    where it cannot start.
    """

    def __init__(self, plan: Plan, outside: Outside, listeners: Sequence[Listener]) -> None:
        self.plan = plan
        self.listeners = list(listeners)
        self.troubles = 0
        """Exceptions of listeners so far."""
        self._outside = outside
        self._clock = outside.clock
        self.started = self._clock.wall()
        self.lanes = lanes_of(plan, self.started)
        self._open: _Open | None = None
        self._stop = asyncio.Event()
        self._hang_up = asyncio.Event()
        self._probes: set[asyncio.Task[None]] = set()
        self._busy = 0
        """Calls that are under way."""
        self._passed = self.started
        """When a leg last passed."""
        self._before = (self.started, self._clock.monotonic())
        self._ticked = 0.0
        self._believed: list[bool] = []
        self._beside: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    # ---- what is asked of it from outside

    async def run(self) -> None:
        """Watch until stopped, then see calls to their end."""
        self._open = await self._desk_of(self.plan)
        self.emit(Reloaded(ok=True, at=self._clock.wall(), plan=self.plan))
        try:
            await self._pace()
            await self._finish()
        finally:
            for task in self._beside:
                task.cancel()
            await asyncio.gather(*self._beside, return_exceptions=True)
            await self._open.stack.aclose()

    def stop(self) -> None:
        """Begin nothing more, and end when calls that are under way are over."""
        self._stop.set()

    def hang_up(self) -> None:
        """End now."""
        self._stop.set()
        self._hang_up.set()

    async def reload(self, plan: Plan, *, anew: bool = False) -> None:
        """Take over another version of the plan; calls that are under way go on.

        Its desk is opened anew where the plan has another one, and where that is asked for. Raises
        CallsimError where it cannot be opened: then the one before goes on.
        """
        assert self._open is not None  # it runs
        if plan.name != self.plan.name:
            raise CallsimError(f"its name was {self.plan.name} and is {plan.name}: watch that one by itself")
        parts = [version.model_dump(exclude=set(BESIDE_DESK)) for version in (plan, self.plan)]
        if anew or parts[0] != parts[1]:
            old, self._open = self._open, await self._desk_of(plan)
            self._do(self._retire(old))
            self._believed = []
        self.plan = plan
        self.lanes = lanes_of(plan, self._clock.wall(), self.lanes)
        self.emit(Reloaded(ok=True, at=self._clock.wall(), plan=plan))

    def refuse(self, why: str) -> None:
        """Tell that another version of the plan is refused."""
        self.emit(Reloaded(ok=False, at=self._clock.wall(), why=why))

    def fill(self, handled: Mapping[Key, Sequence[float]]) -> None:
        """Tell of slots that went by before the start, as records have none of them."""
        for lane, due, count in gaps(self.lanes, handled, self.started):
            self._miss(lane, due, "stopped", count)
        for lane in self.lanes:
            lane.skip(handled.get(lane.key, ()), self._clock.wall())

    def emit(self, event: Event) -> None:
        """Tell every listener; what one raises is logged, and no concern of the others."""
        for listener in self.listeners:
            try:
                listener(event)
            except Exception:
                self.troubles += 1
                LOG.exception("%s could not take %s", listener, type(event).__name__)

    # ---- the pace

    async def _pace(self) -> None:
        while not self._stop.is_set():
            now = self._clock.wall()
            self._look_at_clock(now)
            for lane in self.lanes:
                self._serve(lane, now)
            if now - self._ticked >= TICK:
                self._tick(now)
            due = min((lane.due for lane in self.lanes), default=now + TICK)
            pause = min(due, self._ticked + TICK) - self._clock.wall()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(pause, 0.0), TICK)):
                    await self._stop.wait()

    def _look_at_clock(self, now: float) -> None:
        """Find out whether the clock was set back; where it went ahead, slots have gone by."""
        then, self._before = self._before, (now, self._clock.monotonic())
        ahead = (now - then[0]) - (self._before[1] - then[1])
        if ahead > -JUMP:
            return
        self._ticked = min(self._ticked, now)
        known = [lane.go_back(now) for lane in self.lanes]
        more = (
            "slots that were probed stay so" if all(known) else "it was wrong before; slots are probed again"
        )
        LOG.warning("the clock went back by %.0f s: %s", -ahead, more)

    def _serve(self, lane: Lane, now: float) -> None:
        gone, fresh = lane.reach(now)
        for due, count in gone:
            self._miss(lane, due, "asleep", count)
        for due in fresh:
            self._begin(lane, due)

    def _begin(self, lane: Lane, due: float) -> None:
        assert self._open is not None  # it runs
        opened, at_once = self._open, self.plan.guard.at_once
        if lane.busy:
            self._miss(lane, due, "late")
        elif self._busy >= at_once or self._used(opened.desk) >= at_once:
            self._miss(lane, due, "slots_full")
        else:
            lane.probed = due
            lane.task = asyncio.create_task(self._probe(lane, due, opened.desk))
            for probes in (self._probes, opened.probes):
                probes.add(lane.task)
                lane.task.add_done_callback(probes.discard)

    def _used(self, desk: Desk) -> int:
        """Calls that are on the line, those of other processes too; where that cannot be read, none.

        Then the guard refuses.
        """
        try:
            return desk.counters.used(self._clock.wall(), None, caps_of(self.plan)).at_once
        except sqlite3.Error:
            return 0

    def _miss(
        self, lane: Lane, due: float, reason: Why, count: int = 1, entries: tuple[Entry, ...] = ()
    ) -> None:
        self.emit(SlotMissed(lane.leg, due, reason, count, entries))

    def _tick(self, now: float) -> None:
        self._ticked = now
        self.emit(Ticked(now))
        assert self._open is not None  # it runs
        if self._looking is None or self._looking.done():
            self._looking = self._do(self._look_at_trunks(self._open))
        if self._renewing is None or self._renewing.done():
            dialer, age = self._open.desk.dialer, self._clock.monotonic() - self._open.fresh
            if (dialer.placed >= RENEW_CALLS or age >= RENEW_AFTER) and not self._busy:
                self._renewing = self._do(self._renew(self._open))

    # ---- one probe

    async def _probe(self, lane: Lane, due: float, desk: Desk) -> None:
        started = self._clock.wall()
        name = new_id(started)

        async def place(number: int) -> CallJson:
            self._busy += 1
            try:
                return await self._outside.place(desk, lane.leg, name, number)
            except CallsimError as trouble:
                return lost(lane.leg, str(trouble))
            except Exception as trouble:
                LOG.exception("%s over %s could not be placed", *lane.key)
                return lost(lane.leg, str(trouble) or type(trouble).__name__)
            finally:
                self._busy -= 1

        try:
            probed = await tried(lane.leg, place, self._clock.wall)
            why = await self._says_nothing(probed, started)
        except asyncio.CancelledError:
            self._miss(lane, due, "stopped")
            raise
        if why is not None:
            self._miss(lane, due, why, entries=self._outside.entries(self.plan, name, due, probed, False))
            return
        entries = self._outside.entries(self.plan, name, due, probed, True)
        ended = self._clock.wall()
        if probed.passed:
            self._passed = ended
        self.emit(ProbeDone(name, lane.leg, due, started, ended, probed, entries))

    async def _says_nothing(self, probed: Probed, started: float) -> Why | None:
        """Why a probe is none of its trunk; None: it is one."""
        calls = [one.call for one in probed.tries]
        if all(call["outcome"] == REFUSED for call in calls):
            return "guard"
        if not probed.tested or probed.passed:
            return None
        attempts = [attempt for call in calls for attempt in call["attempts"]]
        if attempts and all((attempt["reason"] or "").startswith(NOWHERE) for attempt in attempts):
            return "not_resolved"
        if self._passed < started and await self._outside.own_network(self.plan) is False:
            # Asked meanwhile, another leg may have passed, and so have shown that the network works.
            return "own_network" if self._passed < started else None
        return None

    # ---- desks

    async def _desk_of(self, plan: Plan) -> _Open:
        names = plan.trunk_names()

        def pinged(trunk: int, status: int | None, sent: float, seconds: float | None) -> None:
            at = self._clock.wall() - (asyncio.get_running_loop().time() - sent)
            self.emit(PingDone(names[trunk], plan.trunks[trunk].carrier, at, status, seconds))

        stack = AsyncExitStack()
        try:
            desk = await stack.enter_async_context(self._outside.desks(plan, pinged))
        except BaseException:
            await stack.aclose()
            raise
        return _Open(desk, stack, self._clock.monotonic())

    async def _retire(self, opened: _Open) -> None:
        """Close a desk when nobody uses it any more."""
        try:
            while opened.probes:
                await asyncio.wait(opened.probes)
        finally:
            await opened.stack.aclose()

    async def _renew(self, opened: _Open) -> None:
        try:
            await opened.desk.dialer.renew()
        except Exception as trouble:
            LOG.warning("workers are not replaced, the old ones go on: %s", trouble)
            opened.fresh += RENEW_AGAIN
        else:
            opened.fresh = self._clock.monotonic()

    async def _look_at_trunks(self, opened: _Open) -> None:
        """Tell of each trunk of which the router believes otherwise than before."""
        believed = await opened.desk.believed()
        before = self._believed or [True] * len(believed)
        self._believed = believed
        names, plan = self.plan.trunk_names(), self.plan
        for number, (up, was) in enumerate(zip(believed, before, strict=True)):
            if up is not was:
                now = self._clock.wall()
                self.emit(TrunkBelieved(names[number], plan.trunks[number].carrier, up, now))

    def _do(self, doing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(doing)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task

    # ---- the end

    async def _finish(self) -> None:
        """See probes to their end; hang up those that take too long, and all where `hang_up` is asked."""
        probes = tuple(self._probes)
        if not probes:
            return
        longest = max((lane.leg.test.talk for lane in self.lanes), default=0.0)
        hung_up = asyncio.create_task(self._hang_up.wait())
        over = asyncio.create_task(asyncio.wait(probes))
        await asyncio.wait({hung_up, over}, timeout=longest + LEAVE, return_when=asyncio.FIRST_COMPLETED)
        for task in (hung_up, over, *probes):
            task.cancel()
        await asyncio.gather(*probes, return_exceptions=True)


def lost(leg: Leg, why: str) -> CallJson:
    """Make the record of a call that our own side could not place."""
    empty = ("call_id", "q850_cause", "pdd_s", "setup_s", "hung_up_by", "rtp", "audio", "mos", "trace")
    return {
        **dict.fromkeys(empty),
        "to": leg.test.to,
        "outcome": LOST,
        "sip_status": None,
        "reason": why,
        "attempts": [],
        "talk_s": 0.0,
    }
