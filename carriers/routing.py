"""The order in which a call tries the carriers' trunks, decided without clock, socket or randomness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from carriers.health import TrunkHealth
from carriers.policy import Order, Route, RoutingPolicy

REQUEST_TIMEOUT = 408
"""What a local timeout counts as (RFC 3261, 8.1.3.1)."""
UNAVAILABLE = 503
"""What a call counts as that nobody could be sent."""


class Phase(Enum):
    """How far the current attempt has come; the names are those of RFC 3261, figure 5."""

    CALLING = "calling"
    """No response yet."""
    PROCEEDING = "proceeding"
    """A 100, and no more."""
    RINGING = "ringing"
    """Ringing or session progress, 101 to 199: from here on the callee's business."""
    TERMINATED = "terminated"
    """The setup is over."""


class Outcome(Enum):
    """How a setup ended."""

    CONNECTED = "connected"
    REFUSED = "refused"
    """By a final answer, or a timeout, that is not tried elsewhere."""
    NO_ANSWER = "no_answer"
    """It rang until `ring_timeout`."""
    EXHAUSTED = "exhausted"
    """The next trunk was due, and none or no attempt was left."""
    NO_ROUTE = "no_route"
    """No trunk was believed up."""


class Action(Enum):
    """What the caller owes the attempt that the last step ended."""

    NONE = "none"
    CANCEL = "cancel"
    ABANDON = "abandon"
    """No provisional response, so no CANCEL (RFC 3261, 9.1): acknowledge a late 200, then hang up."""


Tried = tuple[tuple[int, int], ...]
"""(trunk, final status) of attempts, in order."""


@dataclass(frozen=True, slots=True)
class CallSetup:
    """One call on its way over its candidate trunks; each step gives a new value.

    Only responses to the current attempt belong here: what still comes for one that was given up is
    the caller's business. `now` never goes back from step to step.
    """

    policy: RoutingPolicy = field(repr=False, hash=False)
    attempt: int | None
    """Trunk that the INVITE goes to, or went to; None: the setup is over."""
    rest: tuple[int, ...]
    """Trunks to try after that, in order."""
    phase: Phase
    deadline: float
    """When `expire` is due; infinity when the setup is over."""
    outcome: Outcome | None
    """None while the setup goes on."""
    status: int | None
    """Last final status: a local 408 for a timeout, a local 503 when nothing was sent; None before one."""
    action: Action
    tried: Tried
    """The attempts that have ended; a connected call is on the last one's trunk."""

    @property
    def attempts(self) -> int:
        """INVITEs sent so far, with the current one."""
        return len(self.tried) + (self.attempt is not None)

    @classmethod
    def start(cls, policy: RoutingPolicy, trunks: tuple[int, ...], now: float) -> CallSetup:
        """Make the first attempt over `trunks`, in the order to try them."""
        if not trunks:
            end = Phase.TERMINATED
            return cls(policy, None, (), end, math.inf, Outcome.NO_ROUTE, UNAVAILABLE, Action.NONE, ())
        deadline = now + policy.no_reply_timeout
        return cls(policy, trunks[0], trunks[1:], Phase.CALLING, deadline, None, None, Action.NONE, ())

    def receive(self, response: int, now: float) -> CallSetup:
        """Take in a response to the current attempt: provisional, 2xx, or another final one.

        A 3xx is a final answer like others, never followed; 401 and 407 are for the transport to answer;
        a transport error is a 503. Raises ValueError outside 100 to 699, or when the setup is over.
        """
        if self.attempt is None:
            raise ValueError(f"a {response} was received, and the setup is over")
        if not 100 <= response <= 699:
            raise ValueError(f"response(={response}) must be a SIP status, 100 to 699")
        if response >= 300:
            advances = self.phase is not Phase.RINGING and response < 600
            return self._fail(self.attempt, response, now, Action.NONE, advances)
        if response >= 200:
            tried = (*self.tried, (self.attempt, response))
            return self._end(Outcome.CONNECTED, response, Action.NONE, tried)
        if response > 100 and self.phase is not Phase.RINGING:
            return self._proceed(Phase.RINGING, now + self.policy.ring_timeout)
        if self.phase is Phase.CALLING:
            return self._proceed(Phase.PROCEEDING, now + self.policy.progress_timeout)
        return self

    def expire(self, now: float) -> CallSetup:
        """Give the current attempt up because its deadline has passed.

        Raises ValueError before the deadline (a stale timer), or when the setup is over.
        """
        if self.attempt is None:
            raise ValueError("the setup is over")
        if now < self.deadline:
            raise ValueError(f"now(={now}) is before the deadline(={self.deadline})")
        if self.phase is Phase.RINGING:
            tried = (*self.tried, (self.attempt, REQUEST_TIMEOUT))
            return self._end(Outcome.NO_ANSWER, REQUEST_TIMEOUT, Action.CANCEL, tried)
        action = Action.ABANDON if self.phase is Phase.CALLING else Action.CANCEL
        return self._fail(self.attempt, REQUEST_TIMEOUT, now, action, advances=True)

    def skip(self, now: float) -> CallSetup:
        """Pass over the current trunk, and what is left of its carrier, for want of a free channel.

        A local decision before the INVITE is sent: no attempt, nothing in `tried`. Raises ValueError after a
        response, or when the setup is over.
        """
        if self.attempt is None or self.phase is not Phase.CALLING:
            raise ValueError(
                f"only an attempt without a response is skipped, and this one is {self.phase.value}"
            )
        trunks = self.policy.trunks
        full = trunks[self.attempt].carrier
        rest = tuple([trunk for trunk in self.rest if trunks[trunk].carrier != full])
        return self._advance(rest, now, self.status, Action.NONE, self.tried)

    def _proceed(self, phase: Phase, deadline: float) -> CallSetup:
        return CallSetup(
            self.policy, self.attempt, self.rest, phase, deadline, None, self.status, Action.NONE, self.tried
        )

    def _fail(self, attempt: int, status: int, now: float, action: Action, advances: bool) -> CallSetup:
        tried = (*self.tried, (attempt, status))
        if advances and status in self.policy.advance_on:
            return self._advance(self.rest, now, status, action, tried)
        return self._end(Outcome.REFUSED, status, action, tried)

    def _advance(
        self, rest: tuple[int, ...], now: float, status: int | None, action: Action, tried: Tried
    ) -> CallSetup:
        policy = self.policy
        if not rest or len(tried) >= policy.max_attempts:
            return self._end(Outcome.EXHAUSTED, status or UNAVAILABLE, action, tried)
        deadline = now + policy.no_reply_timeout
        return CallSetup(policy, rest[0], rest[1:], Phase.CALLING, deadline, None, status, action, tried)

    def _end(self, outcome: Outcome, status: int, action: Action, tried: Tried) -> CallSetup:
        return CallSetup(self.policy, None, (), Phase.TERMINATED, math.inf, outcome, status, action, tried)


Candidates = tuple[tuple[float, tuple[int, ...]], ...]
"""(chance, trunks in the order they are tried), the chances summing to 1."""


class Router:
    """Which trunks a call may try, by the policy and by what pings, calls and operators have told.

    `ping_phase` holds one instant in [0, ping_every) per trunk, 0 where not given; ValueError for
    others. `known` is what another router knows of each trunk, None for a new one. `now`, in seconds, never
    goes back from call to call.
    """

    def __init__(
        self,
        policy: RoutingPolicy,
        ping_phase: Sequence[float] | None = None,
        known: Sequence[TrunkHealth | None] | None = None,
    ) -> None:
        self.policy = policy
        self._phase = tuple(ping_phase) if ping_phase is not None else (0.0,) * len(policy.trunks)
        if len(self._phase) != len(policy.trunks):
            raise ValueError(f"{len(self._phase)} ping phases for {len(policy.trunks)} trunks")
        if policy.health and not all(0 <= phase < policy.health.ping_every for phase in self._phase):
            raise ValueError(f"ping phases {self._phase} must be in [0, {policy.health.ping_every})")
        self._trunks = [
            before or TrunkHealth(policy.health, policy.failing_calls, policy.poor_calls)
            for before in (known if known is not None else [None] * len(policy.trunks))
        ]
        self._now = -math.inf
        self._known: dict[tuple[bool, ...], Candidates] = {}

    def candidates(self, now: float) -> Candidates:
        """Lists of trunks believed up, each with its chance; who draws among them is the caller.

        Priority and least cost give one list. Weighted gives one for each carrier that can come first, the
        others following heaviest first. Ties keep the listed order, a carrier's trunks stay together. When
        no trunk is believed up there is one list, which is empty.
        """
        beliefs = self.beliefs(now)
        if beliefs not in self._known:
            self._known[beliefs] = self._lists(beliefs)
        return self._known[beliefs]

    def _lists(self, beliefs: tuple[bool, ...]) -> Candidates:
        carriers = self.policy.carriers
        # Each route's weight with its trunks that are believed up, in the policy's order.
        routes = [
            (route.weight, tuple(trunk for trunk in carriers[route.carrier].trunks if beliefs[trunk]))
            for route in self._ordered()
        ]
        routes = [(weight, trunks) for weight, trunks in routes if trunks]
        in_order = tuple(trunk for _, trunks in routes for trunk in trunks)
        total = math.fsum(weight for weight, _ in routes)
        if self.policy.order is not Order.WEIGHTED or total == 0:
            return ((1.0, in_order),)
        return tuple(
            (weight / total, first + tuple(trunk for trunk in in_order if trunk not in first))
            for weight, first in routes
            if weight > 0
        )

    def _ordered(self) -> Sequence[Route]:
        match self.policy.order:
            case Order.PRIORITY:
                return self.policy.routes
            case Order.WEIGHTED:
                return sorted(self.policy.routes, key=lambda route: -route.weight)
            case Order.LEAST_COST:
                carriers = self.policy.carriers
                return sorted(self.policy.routes, key=lambda route: carriers[route.carrier].cost_per_minute)

    def set_up(self, now: float, choice: int = 0, order: Sequence[int] | None = None) -> CallSetup:
        """Start a call over the list that was drawn, `candidates(now)[choice]`, or over an order of it."""
        listed = self.candidates(now)[choice][1] if order is None else tuple(order)
        return CallSetup.start(self.policy, listed, now)

    def health(self, trunk: int) -> TrunkHealth:
        """What is known of one trunk, for a simulator that has much to tell of it."""
        return self._trunks[trunk]

    def believed_up(self, trunk: int, now: float) -> bool:
        """Whether calls are sent to this trunk."""
        self._now = now
        return self._trunks[trunk].up(now)

    def beliefs(self, now: float) -> tuple[bool, ...]:
        """Whether calls are sent to each trunk."""
        self._now = now
        return tuple([trunk.up(now) for trunk in self._trunks])

    def observe_ping(self, trunk: int, status: int | None, now: float) -> bool:
        """Take in how a ping ended: its final status, or None (no answer in time, a transport error).

        `now` is when that is known: the answer's arrival, or `ping_timeout` after sending. Returns whether
        the belief changed. Raises ValueError without a health rule, or for a status that is not final.
        """
        self._now = now
        return self._trunks[trunk].observe_ping(status, now)

    def observe_call(self, trunk: int, failed: bool, now: float) -> bool:
        """Take in how an attempt ended; failed: in a status of `advance_on`, local ones included.

        Returns whether the trunk was taken out for it. Without a rule on failing calls nothing happens.
        """
        self._now = now
        return self._trunks[trunk].observe_call(failed, now)

    def observe_quality(self, trunk: int, mos: float | None, now: float) -> bool:
        """Take in how a call sounded, at its end; None: one side heard nothing.

        Returns whether the trunk was taken out for it. Without a rule on poor calls nothing happens.
        """
        self._now = now
        return self._trunks[trunk].observe_quality(mos, now, last=self._is_last(trunk, now))

    def _is_last(self, trunk: int, now: float) -> bool:
        """Whether no other trunk is believed up."""
        mine = self._trunks[trunk]
        return not [other for other in self._trunks if other is not mine and other.up(now)]

    def take_out(self, trunk: int, now: float, *, as_poor: bool = False) -> bool:
        """Do what the rule on failing calls does when it trips, or that on poor ones; ValueError without.

        Returns whether the trunk is out: the last one is not taken out for poor calls.
        """
        self._now = now
        if not as_poor:
            self._trunks[trunk].take_out(now)
        elif self._is_last(trunk, now):
            return False
        else:
            self._trunks[trunk].take_out_as_poor(now)
        return True

    def put_back_at(self, trunk: int) -> float | None:
        """When a trunk that its calls took out returns; None when, at the last `now` told, it is not out."""
        until = self._trunks[trunk].out_until
        return until if until > self._now else None

    def drain(self, trunk: int, out: bool) -> None:
        """Take a trunk out for planned work, or put it back."""
        self._trunks[trunk].drain(out)

    def next_ping(self, now: float) -> tuple[float, tuple[int, ...]]:
        """Instant after `now` when pings are next due, and to which trunks; (infinity, ()) without a rule."""
        if self.policy.health is None:
            return math.inf, ()
        due = [self.next_ping_of(trunk, now) for trunk in range(len(self._trunks))]
        first = min(due)
        return first, tuple(trunk for trunk, at in enumerate(due) if at == first)

    def next_ping_of(self, trunk: int, now: float) -> float:
        """First instant phase + k·ping_every, k a whole number, after `now`; infinity without a health rule.

        A `now` that rounding has put a few units in the last place before such an instant stands for it.
        """
        if self.policy.health is None:
            return math.inf
        phase, every = self._phase[trunk], self.policy.health.ping_every
        # More than the division below and a sum of delays can be off, so that no instant comes twice.
        now += 4 * math.ulp(now)
        return phase + max(0, math.floor((now - phase) / every) + 1) * every

    def next_change(self, trunk: int, good: bool) -> tuple[int, float]:
        """How many pings that all end as `good` says can pass before one matters, and until when none does.

        A simulator may take these in at once, at the instant of the last.
        """
        return self._trunks[trunk].next_change(good)

    def settled(self, trunk: int, good: bool, now: float) -> bool:
        """Whether pings that all end as `good` says would change nothing that a later ping could notice.

        A simulator need not play them: the belief agrees with the truth, and no run of misses or
        successes is under way.
        """
        self._now = now
        return self._trunks[trunk].settled(good)
