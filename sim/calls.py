"""The second mode: every call is a SimPy process with its attempts, its channel and its hold time."""

from __future__ import annotations

from collections.abc import Generator
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import simpy
from simpy.events import Event

from carriers.faults import Reply
from carriers.routing import CallSetup, Outcome, Router
from results.calls import CallColumns, CallRows
from results.timeline import Heard
from sim.answers import Answer, answers, delivered
from sim.channels import Channels
from sim.clock import VALUE
from sim.detection import T1
from sim.draws import Draw
from sim.ears import Ears

if TYPE_CHECKING:
    from sim.stream import Stream

HOUR = 3600.0
HOLDS_BEFORE = 10
"""Calls begin so many mean hold times before the record does."""
NO_CHANNEL = 503
UNREGISTERED = 480
"""Temporarily unavailable (RFC 3261, 21.4.18)."""


class Caller(NamedTuple):
    """Who tries, and how often before."""

    block: int
    """Number of the block of our numbers that is called; -1: a call from us."""
    redial: int
    previous: int
    """Row of the attempt before; -1: none."""
    hold: float | None = None
    """Seconds that it will talk; None: they are drawn."""


class Calls:
    """Places every call of a stream through the router that the stream's pings feed.

    Calls arrive as a Poisson process at the hour's rate. An attempt meets the fault that its trunk shows when
    the INVITE is sent, or sent again; a trunk that falls silent loses the setups under way too. A call takes
    a channel of a carrier from its first INVITE there until it leaves; a carrier without a free channel, or
    past its calls per second, is skipped. Calls to us come over the carrier that has their numbers now, take
    its channels and are not hunted on. With `redials` a caller who does not get through tries again, with the
    same chance each time.
    """

    def __init__(self, stream: Stream, *, redials: bool = True) -> None:
        tables = stream.tables
        if tables.traffic is None or tables.routing is None or stream.trunks is None:
            raise ValueError("placing calls needs traffic, carriers and routing")
        self._stream = stream
        self._env = stream.env
        self._traffic = tables.traffic
        self._policy = tables.routing
        self._trunks = stream.trunks
        self._router: Router = stream.trunks.router
        self._carrier_of = [trunk.carrier for trunk in self._policy.trunks]
        self._rng = stream.random.generator("calls/arrivals")
        self._luck: Draw = stream.random.uniform("calls/luck")
        self._lucks = [self._luck] * len(self._policy.trunks)
        """Of the answer of each trunk."""
        self._hold = stream.random.law(tables.traffic.hold_time, "calls/hold")
        self._direction: Draw = stream.random.uniform("calls/direction")
        self._segments = 0 if tables.voice is None else len(tables.voice.segments)
        self._blocks = list(accumulate(numbers.share for numbers in tables.numbers))
        self._redial_share = tables.traffic.redial_share if redials else 0.0
        self._redial_luck: Draw = stream.random.uniform("calls/redial")
        after = tables.traffic.redial_after
        self._redial_after = None if after is None else stream.random.law(after, "calls/redial_after")
        self._channels = Channels(stream.env, self._policy, stream.trunks)
        self._ears = Ears(stream)
        self._up: list[dict[simpy.Process, None]] = [{} for _ in self._policy.trunks]
        self._losses = [0] * len(self._policy.trunks)
        """How often each trunk has lost its calls, those that were being set up too."""
        self._talking = 0
        self._answers: dict[tuple[int, int], list[tuple[Answer, Draw | None]]] = {}
        self._rows = CallRows()
        stream.on_drop = self._drop
        stream.trunks.watch_real_calls()
        self._env.process(self._arrivals())

    def columns(self) -> CallColumns:
        """Give what was recorded, in order of the end of the setup."""
        carriers = tuple(carrier.name for carrier in self._policy.carriers)
        trunks = tuple(trunk.name for trunk in self._policy.trunks)
        return self._rows.columns(self._carrier_of, carriers, trunks, self._ears.sounds)

    # ---- arrivals

    def _arrivals(self) -> Generator[Event, None, None]:
        zone = self._stream.zone
        begin = -min(HOLDS_BEFORE * self._traffic.hold_time.mean, self._stream.tables.warm_up)
        yield self._env.timeout(begin - self._env.now)
        while True:
            now = self._env.now
            local = zone.local(now)
            left = (int(local // HOUR) + 1) * HOUR - local
            rate = self._traffic.calls_per_hour[int(local // HOUR) % 168] / HOUR
            count = self._rng.poisson(rate * left)
            for at in np.sort(self._rng.random(count)).tolist():
                yield self._env.timeout(max(now + at * left - self._env.now, 0.0))
                self._begin(Caller(self._called(), 0, -1))
            yield self._env.timeout(max(now + left - self._env.now, 1e-6))

    def _called(self) -> int:
        """Draw the block of our numbers that a call is to; -1: it is from us."""
        inbound = self._traffic.inbound
        if not inbound or self._direction() >= inbound:
            return -1
        chance = self._luck() * self._blocks[-1]
        return next(block for block, up_to in enumerate(self._blocks) if chance < up_to)

    def _begin(self, caller: Caller) -> None:
        self._env.process(self._place(caller) if caller.block < 0 else self._receive(caller))

    def _fail(self, caller: Caller, offered: float, attempts: int, status: int, *, blocked: bool) -> None:
        """Record a call that did not connect; its caller may try again."""
        row = -1
        if offered >= 0.0:
            row = self._rows.set_up(
                offered, caller.block >= 0, self._env.now - offered, -1, attempts, status, blocked, -1,
                caller.redial, caller.previous,
            )  # fmt: skip
        if self._redial_share and self._redial_luck() < self._redial_share:
            after = 0.0 if self._redial_after is None else self._redial_after()
            again = Caller(caller.block, caller.redial + 1, row)
            self._env.after(after, lambda timer: self._begin(timer[VALUE]), again)

    # ---- calls from us

    def _place(self, caller: Caller) -> Generator[Event, None, None]:
        """One call from us, from its first INVITE to its end."""
        env = self._env
        offered = env.now
        if not self._stream.platform_works:
            self._fail(caller, offered, 0, 0, blocked=False)
            return
        setup = CallSetup.start(self._policy, self._candidates(), offered)
        held: int | None = None
        skipped = False
        while (trunk := setup.attempt) is not None:
            carrier = self._carrier_of[trunk]
            if carrier != held:
                if held is not None:
                    self._channels.release(held)
                held = carrier if self._channels.seize(carrier) else None
                if held is None:
                    skipped = True
                    setup = setup.skip(env.now)
                    continue
            setup = yield from self._try(setup, trunk)
            if setup.outcome is Outcome.CONNECTED:
                self._observe(trunk, failed=False)
                yield from self._talk(caller, offered, setup.attempts, trunk)
                return
            self._observe(trunk, failed=setup.outcome is not Outcome.REFUSED)
        if held is not None:
            self._channels.release(held)
        self._fail(caller, offered, setup.attempts, setup.status or 0, blocked=skipped)

    def _try(self, setup: CallSetup, trunk: int) -> Generator[Event, None, CallSetup]:
        """One INVITE, until it is answered or given up."""
        env = self._env
        if self._silent(trunk) and not (yield from self._repeat(trunk, setup.deadline)):
            return setup.expire(max(env.now, setup.deadline))  # the sum may round below it
        answer, draw = self._answer(trunk)
        if answer.status is not None:
            return setup.receive(answer.status, env.now)
        begun, losses = env.now, self._losses[trunk]
        if answer.connects:
            if draw is not None:
                while (delay := draw()) > self._policy.progress_timeout:
                    pass
                yield env.timeout(delay)
            if self._losses[trunk] == losses:
                return setup.receive(200, env.now)
        waiting = setup.receive(100, begun)
        yield env.timeout(max(waiting.deadline - env.now, 0.0))
        return waiting.expire(max(env.now, waiting.deadline))

    def _silent(self, trunk: int) -> bool:
        """Whether an INVITE vanishes now."""
        fault = self._trunks.fault(trunk)
        return fault is not None and fault.effect.invite is Reply.NOTHING

    def _repeat(self, trunk: int, deadline: float) -> Generator[Event, None, bool]:
        """Send an INVITE again and again that met silence; returns whether there is somebody after all.

        After T1, then twice as long each time (Timer A, RFC 3261, 17.1.1.2), until the deadline.
        """
        wait = T1
        while self._env.now + wait < deadline:
            yield self._env.timeout(wait)
            if not self._silent(trunk):
                return True
            wait *= 2.0
        yield self._env.timeout(max(deadline - self._env.now, 0.0))
        return False

    def _candidates(self) -> tuple[int, ...]:
        """Draw among the lists of trunks that the router gives."""
        lists = self._router.candidates(self._env.now)
        if len(lists) == 1:
            return lists[0][1]
        chance = self._luck() * sum(weight for weight, _ in lists)
        for weight, trunks in lists:
            chance -= weight
            if chance < 0.0:
                return trunks
        return lists[-1][1]

    def _answer(self, trunk: int) -> tuple[Answer, Draw | None]:
        """Draw how a trunk answers an INVITE now."""
        key = (trunk, self._trunks.shown[trunk])
        found = self._answers.get(key)
        if found is None:
            carrier = self._policy.carriers[self._carrier_of[trunk]]
            ways = answers(self._trunks.fault(trunk), carrier.post_dial_delay, self._policy.progress_timeout)
            found = self._answers[key] = [
                (a, None if a.delay is None else self._stream.random.law(a.delay, f"calls/delay/{key}"))
                for a in ways
            ]
        chance = self._lucks[trunk]()
        for way in found:
            chance -= way[0].chance
            if chance < 0.0:
                return way
        return found[-1]

    def _observe(self, trunk: int, failed: bool) -> None:
        if self._policy.failing_calls is not None:
            self._stream.call_seen(trunk, failed)

    # ---- calls to us

    def _receive(self, caller: Caller) -> Generator[Event, None, None]:
        """One call to us, from where its numbers live now to its end."""
        offered = self._env.now
        carrier = self._home(caller.block)
        trunk = self._delivering(carrier) if self._stream.platform_works else None
        if trunk is None:
            self._fail(caller, offered, 0, 0, blocked=False)
        elif not self._channels.take(carrier):
            self._fail(caller, offered, 0, NO_CHANNEL, blocked=True)
        elif not self._registered():
            self._channels.release(carrier)
            self._fail(caller, offered, 0, UNREGISTERED, blocked=False)
        else:
            yield from self._talk(caller, offered, 1, trunk)

    def _home(self, block: int) -> int:
        """Find the carrier that has a block of numbers now."""
        numbers = self._stream.tables.numbers[block]
        forwarded = self._stream.around.codes[self._segments + block]
        return numbers.forwards.to if forwarded and numbers.forwards is not None else numbers.home

    def _delivering(self, carrier: int) -> int | None:
        """Draw the first trunk of a carrier over which a call to us comes through."""
        for trunk in self._policy.carriers[carrier].trunks:
            chance = delivered(self._trunks.fault(trunk))
            if chance >= 1.0 or (chance > 0.0 and self._luck() < chance):
                return trunk
        return None

    def _registered(self) -> bool:
        """Draw whether the phone that is called has registered anew since the last failover."""
        step = self._stream.around.codes[-1] if self._stream.tables.devices is not None else 0
        return not step or self._luck() >= self._stream.conditions.unregistered(step)

    # ---- calls in progress

    def _talk(
        self, caller: Caller, offered: float, attempts: int, trunk: int
    ) -> Generator[Event, None, None]:
        """A call that holds a channel, from its answer to its end."""
        env = self._env
        begun = env.now
        self._talking += 1
        heard = self._ears.hear(trunk, self._talking)
        row = -1
        if offered >= 0.0:
            row = self._rows.set_up(
                offered, caller.block >= 0, begun - offered, trunk, attempts, 200, False, heard,
                caller.redial, caller.previous,
            )  # fmt: skip
        me = env.active_process
        assert me is not None  # a running process is active
        up = self._up[trunk]
        up[me] = None
        dropped = False
        try:
            yield env.timeout(self._hold() if caller.hold is None else caller.hold)
        except simpy.Interrupt:
            dropped = True
        up.pop(me, None)
        self._talking -= 1
        self._channels.release(self._carrier_of[trunk])
        if row >= 0:
            self._rows.end(row, env.now - begun, dropped=dropped)
        self._judge(trunk, heard, begun)

    def _judge(self, trunk: int, heard: int, begun: float) -> None:
        """Tell the router how a call sounded that ends now: as it did at its beginning."""
        del begun
        if heard >= 0 and self._policy.poor_calls is not None:
            self._tell(trunk, self._ears.sound(heard))

    def _tell(self, trunk: int, sound: Heard) -> None:
        if sound.one_way or sound.mos is not None:
            self._stream.call_heard(trunk, sound.mos)

    def _drop(self, share: float, trunk: int | None) -> None:
        """Hang up calls in progress: all on a trunk, or a random share of all."""
        over = self._up if trunk is None else [self._up[trunk]]
        if trunk is not None:
            self._losses[trunk] += 1
        for calls in over:
            for process in list(calls):
                if share >= 1.0 or self._luck() < share:
                    del calls[process]
                    process.interrupt("dropped")
