"""What the router learns of its trunks: pings, watched calls, planned work, each simulated only while it can change a belief."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carriers.faults import EFFECTS, Fault, Reply
from carriers.health import calls_to_trip
from carriers.routing import Router, RoutingPolicy
from sim.clock import Timer, after
from sim.draws import Randomness

if TYPE_CHECKING:
    import simpy

    from carriers.calendars import Zone

CALLS_AT_ONCE = 256
"""Watched calls are drawn in blocks of this many."""


_NO_TIMES: NDArray[np.float64] = np.empty(0)
_NO_CALLS: NDArray[np.bool_] = np.empty(0, dtype=bool)
_ALL_FAILED: NDArray[np.bool_] = np.ones(CALLS_AT_ONCE, dtype=bool)


def back_again(env: simpy.Environment, router: Router, trunk: int, learnt: Callable[[int], None]) -> None:
    """Tell of the return of a trunk that its calls have taken out."""
    back = router.put_back_at(trunk)
    if back is not None:
        # A microsecond late, so that rounding does not make it early.
        after(env, back - env.now + 1e-6, lambda _: learnt(trunk))


def ping_status(fault: Fault | None) -> int | None:
    """Answer to OPTIONS under a fault; None: there is none."""
    reply = EFFECTS[fault.kind if fault else None].options
    if reply is Reply.NORMAL:
        return 200
    return fault.status if fault and reply is Reply.REFUSAL else None


class Pings:
    """OPTIONS to one trunk, from the moment they could change what the router believes until they no longer can."""

    def __init__(
        self,
        env: simpy.Environment,
        router: Router,
        policy: RoutingPolicy,
        trunk: int,
        learnt: Callable[[int], None],
    ) -> None:
        self._env = env
        self._router = router
        self._trunk = trunk
        self._learnt = learnt
        assert policy.health is not None  # noqa: S101 - made only where there is a rule
        self._timeout = policy.health.ping_timeout
        self._any_answer = policy.health.any_answer_counts
        self._running = False
        self._status: int | None = 200

    def answer_is(self, status: int | None) -> None:
        """From now on pings meet this answer."""
        self._status = status
        if not self._running and not self._settled():
            self._running = True
            self._next()

    def _settled(self) -> bool:
        good = self._status is not None and (self._any_answer or 200 <= self._status < 300)
        return self._router.settled(self._trunk, good, self._env.now)

    def _next(self) -> None:
        now = self._env.now
        after(self._env, self._router.next_ping_of(self._trunk, now) - now, self._send)

    def _send(self, _: Timer) -> None:
        status = self._status
        if status is None:
            after(self._env, self._timeout, lambda _: self._observe(None))
        else:
            self._observe(status)

    def _observe(self, status: int | None) -> None:
        if self._router.observe_ping(self._trunk, status, self._env.now):
            self._learnt(self._trunk)
        if self._settled():
            self._running = False
        else:
            self._next()


class WatchedCalls:
    """Calls over one trunk, drawn from the chance that an attempt fails there, until the rule takes the trunk out.

    Each block of calls keeps the rate of the hour it begins in, and ends with that hour.
    """

    def __init__(
        self,
        env: simpy.Environment,
        zone: Zone,
        router: Router,
        policy: RoutingPolicy,
        trunk: int,
        random: Randomness,
        learnt: Callable[[int], None],
    ) -> None:
        assert policy.failing_calls is not None  # noqa: S101 - made only where there is a rule
        self._env = env
        self._zone = zone
        self._router = router
        self._rule = policy.failing_calls
        self._trunk = trunk
        self._rng = random.generator(f"watched/{policy.trunks[trunk].name}")
        self._learnt = learnt
        self._rate: NDArray[np.float64] | None = None
        self._chance: NDArray[np.float64] | None = None
        self._delay = 0.0
        self._timer: Timer | None = None
        self._before: list[bool] = []
        self._since = 0.0
        self._at, self._failed = _NO_TIMES, _NO_CALLS

    def watch(
        self, rate: NDArray[np.float64] | None, chance: NDArray[np.float64] | None, delay: float
    ) -> None:
        """Watch calls at `rate` attempts a second that fail with `chance` after `delay` seconds, each by hour of the week.

        None: nothing to watch, the window fills with successes.
        """
        if rate is self._rate and chance is self._chance:
            return
        self._timer = None
        if rate is None:
            self._before, self._at, self._failed = [], _NO_TIMES, _NO_CALLS
        else:
            self._remember()
        self._rate, self._chance, self._delay = rate, chance, delay
        if rate is not None:
            self._draw()

    def _remember(self) -> None:
        """Keep the outcomes that have come in so far."""
        if not len(self._at):
            return
        seen = int(np.searchsorted(self._at, self._env.now, side="right"))
        self._before = (self._before + self._failed[:seen].tolist())[-self._rule.of_last :]
        self._at, self._failed = _NO_TIMES, _NO_CALLS

    def _draw(self) -> None:
        assert self._rate is not None  # noqa: S101 - checked by the callers
        assert self._chance is not None  # noqa: S101
        now = self._env.now
        local = self._zone.local(now)
        hour = int(local // 3600.0)
        ends = now + (hour + 1) * 3600.0 - local
        rate = self._rate[hour % 168]
        if rate <= 0.0:
            self._timer = after(self._env, ends - now + 1e-3, self._go_on)
            return
        chance = self._chance[hour % 168]
        trip: int | None
        if chance >= 1.0 and not self._before:
            trip = self._rule.needed - 1
            self._failed = _ALL_FAILED[: trip + 1] if trip < CALLS_AT_ONCE else np.ones(trip + 1, dtype=bool)
        else:
            self._failed = self._rng.random(CALLS_AT_ONCE) < chance
            trip = calls_to_trip(self._rule, self._failed, self._before)
        self._at = now + self._delay + self._rng.exponential(1.0 / rate, len(self._failed)).cumsum()
        last = float(self._at[-1 if trip is None else trip])
        if last > ends + self._delay:
            self._timer = after(self._env, ends - now + 1e-3, self._go_on)
        elif trip is None:
            self._timer = after(self._env, last - now, self._go_on)
        else:
            self._timer = after(self._env, last - now, self._trip)

    def _go_on(self, timer: Timer) -> None:
        if timer is self._timer:
            self._remember()
            self._draw()

    def _trip(self, timer: Timer) -> None:
        if timer is not self._timer:
            return
        self._timer = None
        self._rate = self._chance = None
        self._before, self._at, self._failed = [], _NO_TIMES, _NO_CALLS
        self._router.take_out(self._trunk, self._env.now)
        back = self._router.put_back_at(self._trunk)
        self._learnt(self._trunk)
        if back is not None:
            after(self._env, back - self._env.now, lambda _: self._learnt(self._trunk))
