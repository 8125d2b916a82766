"""The second mode: every call is a SimPy process with its attempts, its channel and its hold time."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import simpy
from simpy.events import Event

from carriers.faults import Kind
from carriers.routing import CallSetup, Outcome, Router
from results.calls import CallColumns
from sim.answers import Answer, answers
from sim.draws import Draw

if TYPE_CHECKING:
    from sim.stream import Stream

HOUR = 3600.0
HOLDS_BEFORE = 10
"""Calls begin so many mean hold times before the record does."""


class Calls:
    """Places every call of a stream through the router that the stream's pings feed.

    Calls arrive as a Poisson process at the hour's rate. An attempt meets the fault that its trunk shows when
    the INVITE is sent. A call takes a channel of a carrier from its first INVITE there until it leaves; a
    carrier without a free channel, or past its calls per second, is skipped.
    """

    def __init__(self, stream: Stream) -> None:
        tables = stream.tables
        if tables.traffic is None or tables.routing is None or stream.trunks is None:
            raise ValueError("placing calls needs traffic, carriers and routing")
        self._stream = stream
        self._env = stream.env
        self._traffic = tables.traffic
        self._policy = tables.routing
        self._trunks = stream.trunks
        self._router: Router = stream.trunks.router
        self._rng = stream.random.generator("calls/arrivals")
        self._luck: Draw = stream.random.uniform("calls/luck")
        self._hold = stream.random.law(tables.traffic.hold_time, "calls/hold")
        self._busy = [0] * len(self._policy.carriers)
        self._second = [(-1, 0)] * len(self._policy.carriers)
        self._up: list[dict[simpy.Process, None]] = [{} for _ in self._policy.trunks]
        self._answers: dict[tuple[int, int], list[tuple[Answer, Draw | None]]] = {}
        self._rows: list[tuple[float, float, int, int, int]] = []
        self._dropped: list[tuple[float, int]] = []
        stream.on_drop = self._drop
        stream.trunks.watch_real_calls()
        self._env.process(self._arrivals())

    def columns(self) -> CallColumns:
        """Give what was recorded, in order of the end of the setup."""
        rows = np.asarray(self._rows, dtype=np.float64).reshape(-1, 5)
        return CallColumns(
            offered=rows[:, 0],
            delay=rows[:, 1],
            carrier=rows[:, 2].astype(np.int32),
            attempts=rows[:, 3].astype(np.int32),
            status=rows[:, 4].astype(np.int32),
            dropped_at=np.asarray([at for at, _ in self._dropped]),
            carriers=tuple(carrier.name for carrier in self._policy.carriers),
        )

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
                self._env.process(self.place())
            yield self._env.timeout(max(now + left - self._env.now, 1e-6))

    def seize(self, carrier: int) -> bool:
        """Take a channel, if one is free and the second has room."""
        spec = self._policy.carriers[carrier]
        if spec.channels is not None and self._busy[carrier] >= self._channels(carrier, spec.channels):
            return False
        if spec.calls_per_second is not None:
            second = int(self._env.now // 1.0)
            last, calls = self._second[carrier]
            calls = calls + 1 if last == second else 1
            if calls > spec.calls_per_second:
                return False
            self._second[carrier] = (second, calls)
        self._busy[carrier] += 1
        return True

    def _channels(self, carrier: int, channels: int) -> int:
        left = 0.0
        trunks = self._policy.carriers[carrier].trunks
        for trunk in trunks:
            fault = self._trunks.fault(trunk)
            capacity = fault is not None and fault.kind is Kind.CAPACITY
            left += fault.channels_left if fault is not None and capacity else 1.0
        return round(channels * left / len(trunks))

    def release(self, carrier: int | None) -> None:
        """Give a channel back."""
        if carrier is not None:
            self._busy[carrier] -= 1

    def answer(self, trunk: int) -> tuple[Answer, Draw | None]:
        """Draw how a trunk answers an INVITE now."""
        key = (trunk, self._trunks.code_of_fault(trunk))
        found = self._answers.get(key)
        if found is None:
            carrier = self._policy.carriers[self._policy.trunks[trunk].carrier]
            found = self._answers[key] = [
                (a, None if a.delay is None else self._stream.random.law(a.delay, f"calls/delay/{key}"))
                for a in answers(
                    self._trunks.fault(trunk), carrier.post_dial_delay, self._policy.progress_timeout
                )
            ]
        chance = self._luck()
        for answer, draw in found:
            chance -= answer.chance
            if chance < 0.0:
                return answer, draw
        return found[-1]

    def place(self) -> Generator[Event, None, None]:
        """One call from its first INVITE to its end."""
        env = self._env
        offered = env.now
        if not self._stream.platform_works:
            self._record(offered, 0.0, -1, 0, 0)
            return
        setup = self._router.set_up(offered, self._choice())
        held: int | None = None
        while (trunk := setup.attempt) is not None:
            carrier = self._policy.trunks[trunk].carrier
            if carrier != held:
                self.release(held)
                held = carrier if self.seize(carrier) else None
                if held is None:
                    setup = setup.skip(env.now)
                    continue
            answer, draw = self.answer(trunk)
            if answer.connects:
                yield from self._talk(offered, setup, trunk, carrier, draw)
                return
            if answer.status is not None:
                setup = setup.receive(answer.status, env.now)
            else:
                waiting = setup.receive(100, env.now) if answer.trying else setup
                yield env.timeout(waiting.deadline - env.now)
                setup = waiting.expire(max(env.now, waiting.deadline))  # the sum may round below it
            self._observe(trunk, failed=setup.outcome is not Outcome.REFUSED)
        self.release(held)
        self._record(offered, env.now - offered, -1, setup.attempts, setup.status or 0)

    def _talk(
        self, offered: float, setup: CallSetup, trunk: int, carrier: int, draw: Draw | None
    ) -> Generator[Event, None, None]:
        env = self._env
        limit = self._policy.progress_timeout
        delay = 0.0
        if draw is not None:
            delay = draw()
            while delay > limit:
                delay = draw()
            yield env.timeout(delay)
        self._observe(trunk, failed=False)
        self._record(offered, env.now - offered, carrier, setup.attempts, 200)
        me = env.active_process
        assert me is not None  # a running process is active
        self._up[trunk][me] = None
        try:
            yield env.timeout(self._hold())
        except simpy.Interrupt:
            self._dropped.append((env.now, trunk))
        self._up[trunk].pop(me, None)
        self.release(carrier)

    def _choice(self) -> int:
        lists = self._router.candidates(self._env.now)
        if len(lists) == 1:
            return 0
        chance = self._luck() * sum(weight for weight, _ in lists)
        for number, (weight, _) in enumerate(lists):
            chance -= weight
            if chance < 0.0:
                return number
        return len(lists) - 1

    def _observe(self, trunk: int, failed: bool) -> None:
        if self._policy.failing_calls is not None:
            self._stream.call_seen(trunk, failed)

    def _record(self, offered: float, delay: float, carrier: int, attempts: int, status: int) -> None:
        if offered >= 0.0:
            self._rows.append((offered, delay, carrier, attempts, status))

    def _drop(self, share: float, trunk: int | None) -> None:
        """Hang up calls in progress: all on a trunk, or a random share of all."""
        over = self._up if trunk is None else [self._up[trunk]]
        for calls in over:
            for process in list(calls):
                if share >= 1.0 or self._luck() < share:
                    del calls[process]
                    process.interrupt("dropped")
