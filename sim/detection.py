"""What the router learns of its trunks, simulated only while it can change a belief."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from carriers.calendars import HOUR
from carriers.faults import EFFECTS, Fault, Reply
from carriers.laws import Gamma
from carriers.routing import Router, RoutingPolicy
from results.timeline import HOURS_PER_WEEK
from sim.clock import Timer, after
from sim.draws import Randomness
from sim.tripping import TripLaw, trip_law

if TYPE_CHECKING:
    import simpy

    from carriers.calendars import Zone
    from sim.conditions import Watch


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
    """OPTIONS to one trunk, from when they could change what the router believes until they no longer can.

    While the trunk's answer stays as it is, pings are taken in together, at the instant of the one that can
    change something.
    """

    def __init__(
        self,
        env: simpy.Environment,
        router: Router,
        policy: RoutingPolicy,
        trunk: int,
        learnt: Callable[[int], None],
    ) -> None:
        assert policy.health is not None  # made only where there is a rule
        self._env = env
        self._router = router
        self._trunk = trunk
        self._learnt = learnt
        self._rule = policy.health
        self._status: int | None = 200
        self._next = 0.0
        """When the first ping is sent that has not been taken in."""
        self._timer: Timer | None = None

    def answer_is(self, status: int | None) -> None:
        """From now on pings meet this answer."""
        if status == self._status:
            return
        if self._timer is not None:
            self._take_in(self._env.now)
        else:
            self._next = self._router.next_ping_of(self._trunk, self._env.now)
        self._status = status
        self._plan()

    def _good(self) -> bool:
        return self._status is not None and self._rule.good(self._status)

    def _plan(self) -> None:
        """Wait for the ping that can change something, if there is one."""
        self._timer = None
        good = self._good()
        if self._router.settled(self._trunk, good, self._env.now):
            return
        every = self._rule.ping_every
        count, not_before = self._router.next_change(self._trunk, good)
        at = self._next + (count - 1) * every
        if at < not_before:
            at += math.ceil((not_before - at) / every) * every
        known = at if self._status is not None else at + self._rule.ping_timeout
        self._timer = after(self._env, max(known - self._env.now, 0.0), self._known)

    def _known(self, timer: Timer) -> None:
        if timer is self._timer:
            if self._take_in(self._env.now + 1e-6):
                self._learnt(self._trunk)
            self._plan()

    def _take_in(self, now: float) -> bool:
        """Take in what became of the pings sent so far; a miss is known after its timeout."""
        changed = False
        wait = 0.0 if self._status is not None else self._rule.ping_timeout
        while self._next + wait <= now:
            changed |= self._router.observe_ping(self._trunk, self._status, self._next + wait)
            self._next += self._rule.ping_every
        if wait and self._next <= now:
            self._late(self._next + wait)
        return changed

    def _late(self, at: float) -> None:
        """See to a ping that is under way, unanswered, while the trunk's answer changes."""
        after(self._env, at - self._env.now, self._missed)
        self._next += self._rule.ping_every

    def _missed(self, _: Timer) -> None:
        if self._router.observe_ping(self._trunk, None, self._env.now):
            self._learnt(self._trunk)
        self._plan()


class WatchedCalls:
    """Calls over one trunk, watched from when attempts begin to fail until the rule takes the trunk out.

    The number of calls until then is drawn from the rule's own law at the chance that an attempt fails, the
    time that they take from their rate. At the end of an hour, and wherever the rate changes, those not yet
    seen go on at the new rate; where the chance changes the window starts anew.
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
        assert policy.failing_calls is not None  # made only where there is a rule
        self._env = env
        self._zone = zone
        self._router = router
        self._rule = policy.failing_calls
        self._trunk = trunk
        name = f"watched/{policy.trunks[trunk].name}"
        self._rng = random.generator(name)
        self._uniform = random.uniform(f"{name}/calls")
        self._needed = policy.failing_calls.needed
        self._certain = random.law(Gamma(self._needed, 1.0 / math.sqrt(self._needed)), f"{name}/certain")
        self._laws: dict[float, TripLaw] = {}
        self._learnt = learnt
        self._watch: Watch | None = None
        self._timer: Timer | None = None
        self._chance = 0.0
        self._left: int | None = None
        """Calls until the trip; None: it does not come."""
        self._since = 0.0
        self._needs = 0.0
        """Seconds from `_since` that they take at the rate of that hour."""

    def watch(self, watch: Watch | None) -> None:
        """Watch attempts that fail as `watch` says; None: none do, the window fills with successes."""
        if watch is self._watch:
            return
        self._count_seen()
        self._watch = watch
        self._timer = None
        if watch is None:
            self._chance = 0.0
        else:
            self._go_on(watch)

    def _count_seen(self) -> None:
        """Take off the calls that have come in; all but the last lie uniformly in the time that they take."""
        left = self._left
        if self._timer is not None and left is not None and left > 1 and self._needs > 0.0:
            passed = min((self._env.now - self._since) / self._needs, 1.0)
            self._left = left - int(self._rng.binomial(left - 1, passed))

    def _go_on(self, watch: Watch) -> None:
        now = self._env.now
        local = self._zone.local(now)
        hour = int(local // HOUR)
        chance = watch.chance[hour % HOURS_PER_WEEK]
        if chance != self._chance:
            self._chance = chance
            self._left = self._needed if chance >= 1.0 else self._draw(chance)
        rate = watch.rate[hour % HOURS_PER_WEEK]
        ends = (hour + 1) * HOUR - local
        self._since = now
        self._needs = 0.0
        if self._left is not None and rate > 0.0:
            whole = self._left == self._needed
            self._needs = (self._certain() if whole else self._rng.standard_gamma(self._left)) / rate
            if self._needs < ends:
                self._timer = after(self._env, self._needs + watch.delay, self._trip)
                return
        self._timer = after(self._env, ends + 1e-3, self._next_hour)

    def _draw(self, chance: float) -> int | None:
        law = self._laws.get(chance)
        if law is None:
            law = self._laws[chance] = trip_law(self._rule, chance)
        return law.draw(self._uniform())

    def _next_hour(self, timer: Timer) -> None:
        if timer is self._timer and self._watch is not None:
            self._count_seen()
            self._go_on(self._watch)

    def _trip(self, timer: Timer) -> None:
        if timer is not self._timer:
            return
        self._timer = None
        self._watch = None
        self._chance = 0.0
        self._router.take_out(self._trunk, self._env.now)
        self._learnt(self._trunk)
        back_again(self._env, self._router, self._trunk, self._learnt)
