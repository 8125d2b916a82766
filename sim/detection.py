"""What the router learns of its trunks, simulated only while it can change a belief."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from carriers.calendars import HOUR
from carriers.faults import EFFECTS, Fault, Reply
from carriers.policy import RoutingPolicy
from carriers.routing import Router
from results.timeline import HOURS_PER_WEEK
from sim.clock import VALUE
from sim.draws import Draw, Randomness, one_by_one
from sim.tripping import trip_law

if TYPE_CHECKING:
    from carriers.calendars import Zone
    from sim.clock import Clock, Timer
    from sim.conditions import Watch

MOMENT = 1e-4
"""Seconds that something is looked at late, so that rounding, after centuries, does not make it early."""
T1, T2 = 0.5, 4.0
"""Seconds after which a request without any response is first sent again, and the most from then on."""


def back_again(env: Clock, router: Router, trunk: int, learnt: Callable[[int], None]) -> None:
    """Tell of the return of a trunk that its calls have taken out."""
    back = router.put_back_at(trunk)
    if back is not None:
        env.after(back - env.now + MOMENT, lambda _: learnt(trunk))


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
        env: Clock,
        router: Router,
        policy: RoutingPolicy,
        trunk: int,
        learnt: Callable[[int], None],
    ) -> None:
        assert policy.health is not None  # made only where there is a rule
        self._env = env
        self._router = router
        self._trunk = trunk
        self._health = router.health(trunk)
        self._learnt = learnt
        self._rule = policy.health
        self.status: int | None = 200
        """What pings are answered; None: nothing."""
        self._good = True
        self._wait = 0.0
        """Seconds from sending a ping until it is known how it ended."""
        self._next = 0.0
        """When the first ping is sent that has not been taken in."""
        self._timer: Timer | None = None

    def answer_is(self, status: int | None, now: float) -> None:
        """From now on pings meet this answer, which is another one than so far."""
        if self._timer is not None:
            self._take_in(now)
        else:
            # Of those without an answer the first that is still waited for.
            self._next = self._router.next_ping_of(self._trunk, now - self._wait)
        while self._next <= now and self._wait:
            self._end(self._next, status, now)
            self._next += self._rule.ping_every
        self.status = status
        self._wait = 0.0 if status is not None else self._rule.ping_timeout
        self._good = self._rule.good(status)
        self._plan(now)

    def _end(self, sent: float, status: int | None, now: float) -> None:
        """See to a ping that is under way, unanswered, as the trunk's answer changes."""
        ends = sent + self._wait
        answered = ends if status is None else sent_again(sent, now)
        answer = status if answered < ends else None
        self._env.after(min(answered, ends) - now, self._ended, answer)

    def _plan(self, now: float) -> None:
        """Wait for the ping that can change something, if there is one."""
        sent = self._health.first_that_matters(self._good, self._next)
        if sent is None:
            self._timer = None
            return
        wait = sent + self._wait - now
        self._timer = self._env.after(wait if wait > 0.0 else 0.0, self._known)

    def _known(self, timer: Timer) -> None:
        if timer is self._timer:
            now = self._env.now
            if self._take_in(now + MOMENT):
                self._learnt(self._trunk)
            self._plan(now)

    def _take_in(self, now: float) -> bool:
        """Take in what became of the pings sent so far; a miss is known after its timeout."""
        changed, self._next = self._health.observe_pings(self.status, self._next, self._wait, now)
        return changed

    def _ended(self, timer: Timer) -> None:
        status: int | None = timer[VALUE]
        if self._health.observe_ping(status, self._env.now):
            self._learnt(self._trunk)
        self._plan(self._env.now)


def sent_again(sent: float, after: float) -> float:
    """When a ping without an answer is first sent again after an instant (Timer E, RFC 3261, 17.1.2.2)."""
    wait = T1
    while sent <= after:
        sent += wait
        wait = min(2.0 * wait, T2)
    return sent


class Hours:
    """The present hour of the week, with one timer of its end for all who wait for it."""

    def __init__(self, env: Clock, zone: Zone) -> None:
        self._env = env
        self._local = zone.local
        self._timer: Timer | None = None
        self.of_week = 0
        self.ends = -math.inf
        """From then on `look` is due."""
        self._waiting: list[Callable[[Timer], None]] = []
        """Who is told that the hour is over; some no longer wait for it."""

    def look(self, now: float) -> None:
        """Find the hour that it is now."""
        local = self._local(now)
        hour = local // HOUR
        self.of_week = int(hour) % HOURS_PER_WEEK
        self.ends = now + (hour + 1.0) * HOUR - local

    def over(self, now: float, tell: Callable[[Timer], None]) -> Timer:
        """Call `tell(timer)` at the end of the hour; return the timer."""
        if self._timer is None:
            self._timer = self._env.after(self.ends - now + MOMENT, self._tell)
        self._waiting.append(tell)
        return self._timer

    def _tell(self, timer: Timer) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell(timer)


class WatchedCalls:
    """Calls over one trunk, watched from when some begin to be bad until the rule takes the trunk out.

    What is bad is an attempt that fails, or, with `poor`, a call that sounds poor. The number of calls until
    then is drawn from the rule's own law at the chance that one is bad, the time that they take from their
    rate: they are a Poisson process, so what is left of that time, in units of the mean time between two,
    is used up at the rate of each hour. Where the chance changes the window starts anew.
    """

    def __init__(
        self,
        env: Clock,
        hours: Hours,
        router: Router,
        policy: RoutingPolicy,
        trunk: int,
        random: Randomness,
        learnt: Callable[[int], None],
        *,
        place: int,
        lapsed: list[int],
        poor: bool = False,
    ) -> None:
        rule = policy.failing_calls
        if poor:
            rule = None if policy.poor_calls is None else policy.poor_calls.calls
        assert rule is not None  # made only where there is a rule
        self._env = env
        self._hours = hours
        self._router = router
        self._rule = rule
        self._as_poor = poor
        self._trunk = trunk
        self._rng = random.generator(f"{'heard' if poor else 'watched'}/{policy.trunks[trunk].name}")
        self._draws: dict[float, Draw] = {}
        """By the chance that a call is bad."""
        self._learnt = learnt
        self._place = place
        self._lapsed = lapsed
        """Places of those whose rule has tripped: they are watched again once anything changes."""
        self.watched: Watch | None = None
        """What is watched now."""
        self._timer: Timer | None = None
        self._chance = 0.0
        self._due = math.inf
        """Mean times between two calls from `_since` until the trip; infinity: it does not come."""
        self._since = 0.0
        self._rate = 0.0
        """Calls a second since then."""

    def watch(self, watch: Watch | None, now: float) -> None:
        """Watch attempts that fail as `watch` says; None: none do, the window fills with successes."""
        if self._timer is not None:
            self._count_seen(now)
            self._timer = None
        self.watched = watch
        if watch is None:
            self._chance = 0.0
        else:
            self._go_on(watch, now)

    def _count_seen(self, now: float) -> None:
        """Take off the calls that have come in."""
        due = self._due - (now - self._since) * self._rate
        self._due = due if due > 0.0 else 0.0

    def _go_on(self, watch: Watch, now: float) -> None:
        hours = self._hours
        if now >= hours.ends:
            hours.look(now)
        chance = watch.chance[hours.of_week]
        if chance != self._chance:
            self._chance = chance
            draw = self._draws.get(chance) or self._drawing(chance)
            self._due = draw()
        due = self._due
        self._since = now
        self._rate = rate = watch.rate[hours.of_week]
        if due < rate * (hours.ends - now):
            self._timer = self._env.after(due / rate + watch.delay, self._trip)
        elif due < math.inf or not watch.even:
            self._timer = hours.over(now, self._next_hour)

    def _drawing(self, chance: float) -> Draw:
        """Make what draws the time to the trip at a chance that this stream meets for the first time."""
        law = trip_law(self._rule, chance)
        draw = self._draws[chance] = one_by_one(lambda size: law.sample(self._rng, size))
        return draw

    def _next_hour(self, timer: Timer) -> None:
        if timer is self._timer and self.watched is not None:
            now = self._env.now
            self._count_seen(now)
            self._go_on(self.watched, now)

    def _trip(self, timer: Timer) -> None:
        if timer is not self._timer:
            return
        self._timer = None
        self.watched = None
        self._lapsed.append(self._place)
        self._chance = 0.0
        if not self._router.take_out(self._trunk, self._env.now, as_poor=self._as_poor):
            return
        self._learnt(self._trunk)
        back_again(self._env, self._router, self._trunk, self._learnt)
