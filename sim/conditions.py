"""How calls fare in each state of the trunks, found by exploring the router's own `CallSetup`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special  # scipy.stats would double the start of every worker process

from carriers.faults import EFFECTS, Fault, Kind, Reply
from carriers.laws import Law
from carriers.routing import CallSetup, Outcome, Router
from results.timeline import HOURS_PER_WEEK, Branch, Condition
from sim.hunting import Hunt
from sim.tables import Tables

Floats = NDArray[np.float64]
Key = tuple[int, ...]
"""(1 if the platform works, then for each trunk: 2 x (visible fault + 1) + (1 if believed up))."""

DIGITS = 3
"""Of the chance that a watched attempt fails."""
UNLIKELY = 1e-6
"""A watched trunk whose rule trips with less than this chance a call is not watched."""


@dataclass(frozen=True)
class Watch:
    """What the failing-calls rule sees of a trunk: attempts a second, chance to fail, time until one has."""

    rate: tuple[float, ...]
    chance: tuple[float, ...]
    """Rounded to `DIGITS`, so that few laws serve all hours."""
    delay: float


@dataclass(frozen=True)
class State:
    """A condition with what the engine needs besides."""

    condition: Condition
    down: bool
    """Whether the service is down in some hour of the week."""
    carried: tuple[list[float], ...]
    """Calls in progress in each hour of the week, in erlangs: of all trunks, then of each."""
    watches: tuple[Watch | None, ...] = ()
    """One for each trunk; None: nothing to see there. Empty: nothing anywhere."""


@dataclass
class _Tally:
    """What an exploration adds up."""

    failing: Floats = field(default_factory=lambda: np.zeros(HOURS_PER_WEEK))
    branches: dict[tuple[int, int, float, Law | None], Floats] = field(default_factory=dict)
    attempts: dict[int, Floats] = field(default_factory=dict)
    failures: dict[int, Floats] = field(default_factory=dict)
    delays: dict[int, float] = field(default_factory=dict)
    carried: dict[int, Floats] = field(default_factory=dict)


def _add(sums: dict[int, Floats], key: int, share: Floats) -> None:
    sums[key] = sums[key] + share if key in sums else share


class Conditions:
    """All states met so far, each explored once."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._policy = tables.routing
        self._known: dict[Key, tuple[int, State]] = {}
        self.states: list[State] = []
        self._watched: dict[Watch, Watch] = {}
        zeros, ones = np.zeros(HOURS_PER_WEEK), np.ones(HOURS_PER_WEEK)
        self._rate = zeros
        self._hold = 0.0
        if tables.traffic is not None:
            self._rate = np.asarray(tables.traffic.calls_per_hour) / 3600.0
            self._hold = tables.traffic.hold_time.mean
        trunks = len(self._policy.trunks) if self._policy else 0
        idle = (zeros.tolist(),) * (trunks + 1)
        self._platform_down = State(Condition("platform down", ones), down=True, carried=idle)
        self.nominal: Key = (1, *([1] * trunks))
        self.number(self.nominal)

    @property
    def uneven(self) -> bool:
        """Whether the nominal condition is down in some hours of the week."""
        return self.states[0].down

    def condition(self, number: int) -> Condition:
        """Find a condition by its number."""
        return self.states[number].condition

    def look(self, key: Key) -> tuple[int, State]:
        """Find the condition of a state, with its number."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.states), self._explore(key)
            self.states.append(found[1])
        return found

    def number(self, key: Key) -> int:
        """Number of the condition of a state; the nominal one is 0."""
        return self.look(key)[0]

    def _explore(self, key: Key) -> State:
        if not key[0]:
            return self._platform_down
        if self._policy is None:
            erlangs = (self._rate * self._hold).tolist()
            return State(Condition("nominal", np.zeros(HOURS_PER_WEEK)), down=False, carried=(erlangs,))
        faults = [self._fault(code) for code in key[1:]]
        router = Router(self._policy)
        for trunk, code in enumerate(key[1:]):
            if not code & 1:
                router.drain(trunk, out=True)
        lists = router.candidates(0.0)
        total = sum(weight for weight, _ in lists)
        choices = [(weight / total, trunks) for weight, trunks in lists]
        connects = [self._connects(trunk, fault) for trunk, fault in enumerate(faults)]
        full = Hunt(self._policy, self._rate, self._hold, faults, connects).chances_of_no_channel(choices)
        tally = _Tally()
        for (weight, trunks), no_channel in zip(choices, full, strict=True):
            setup = CallSetup.start(self._policy, trunks, 0.0)
            self._follow(setup, np.full(HOURS_PER_WEEK, weight), faults, no_channel, None, tally)
        return self._state(key, faults, tally)

    def _fault(self, code: int) -> Fault | None:
        return self._tables.faults[(code >> 1) - 1] if code >> 1 else None

    def _connects(self, trunk: int, fault: Fault | None) -> float:
        """Chance that an attempt on a trunk connects."""
        assert self._policy is not None  # checked by the caller
        carrier = self._policy.carriers[self._policy.trunks[trunk].carrier]
        ways = answers(fault, carrier.post_dial_delay, self._policy.progress_timeout)
        return sum(way.chance for way in ways if way.connects)

    def _follow(
        self,
        setup: CallSetup,
        share: Floats,
        faults: list[Fault | None],
        no_channel: dict[int, Floats],
        admitted: int | None,
        tally: _Tally,
    ) -> None:
        """Follow one share of the calls to its ends; it has a channel of the carrier `admitted`."""
        policy = setup.policy
        trunk = setup.attempt
        if trunk is None:
            tally.failing = tally.failing + share
            return
        now = setup.deadline - policy.no_reply_timeout
        carrier = policy.trunks[trunk].carrier
        if carrier != admitted:
            blocked = no_channel.get(carrier)
            if blocked is not None and blocked.any():
                self._follow(setup.skip(now), share * blocked, faults, no_channel, None, tally)
                share = share * (1.0 - blocked)
        _add(tally.attempts, trunk, share)
        for answer in answers(
            faults[trunk], policy.carriers[carrier].post_dial_delay, policy.progress_timeout
        ):
            part = share * answer.chance
            if answer.connects:
                key = (carrier, setup.attempts, now, answer.delay)
                tally.branches[key] = tally.branches.get(key, 0.0) + part
                _add(tally.carried, trunk, part)
                continue
            if answer.status is not None:
                following, ends = setup.receive(answer.status, now), now
            elif answer.trying:
                trying = setup.receive(100, now)
                ends = trying.deadline
                following = trying.expire(ends)
            else:
                ends = setup.deadline
                following = setup.expire(ends)
            if following.outcome is not Outcome.REFUSED:
                _add(tally.failures, trunk, part)
                tally.delays[trunk] = max(tally.delays.get(trunk, 0.0), ends - now)
            self._follow(following, part, faults, no_channel, carrier, tally)

    def _state(self, key: Key, faults: list[Fault | None], tally: _Tally) -> State:
        assert self._policy is not None  # checked by the caller
        policy = self._policy
        branches = tuple(
            Branch(policy.carriers[carrier].name, attempts, offset, delay, policy.progress_timeout, share)
            for (carrier, attempts, offset, delay), share in sorted(
                tally.branches.items(), key=lambda item: item[0][:3]
            )
        )
        carried = np.zeros((len(policy.trunks) + 1, HOURS_PER_WEEK))
        for trunk, share in tally.carried.items():
            carried[trunk + 1] = share * self._rate * self._hold
        carried[0] = carried.sum(axis=0)
        failing = np.clip(tally.failing, 0.0, 1.0)
        names = [
            f"{trunk.name} {fault.kind.value if fault else 'good'}, believed {'up' if code & 1 else 'down'}"
            for trunk, fault, code in zip(policy.trunks, faults, key[1:], strict=True)
            if fault or not code & 1
        ]
        condition = Condition("; ".join(names) or "nominal", failing, branches)
        down = bool(failing.max() > self._tables.down_above)
        return State(condition, down, tuple(carried.tolist()), self._watches(tally))

    def _watches(self, tally: _Tally) -> tuple[Watch | None, ...]:
        assert self._policy is not None  # checked by the caller
        rule = self._policy.failing_calls
        if rule is None:
            return ()
        needed = math.ceil(rule.share * rule.of_last - 1e-9)
        found: list[Watch | None] = [None] * len(self._policy.trunks)
        for trunk, failures in sorted(tally.failures.items()):
            attempts = tally.attempts[trunk]
            chance = np.divide(failures, attempts, out=np.zeros(HOURS_PER_WEEK), where=attempts > 0)
            if special.bdtrc(needed - 1, rule.of_last, chance.max()) > UNLIKELY:
                rate = (attempts * self._rate).round(12).tolist()
                watch = Watch(tuple(rate), tuple(chance.round(DIGITS).tolist()), tally.delays[trunk])
                # One object for equal figures, so that a watch that goes on is known by identity.
                found[trunk] = self._watched.setdefault(watch, watch)
        return tuple(found) if any(found) else ()


@dataclass(frozen=True)
class Answer:
    """One way a trunk may answer an INVITE."""

    chance: float
    connects: bool = False
    status: int | None = None
    """A final refusal, given at once."""
    trying: bool = False
    """A 100 and then nothing within the progress timeout."""
    delay: Law | None = None
    """Law of the post-dial delay when it connects, cut at the progress timeout."""


def answers(fault: Fault | None, post_dial_delay: Law | None, progress_timeout: float) -> list[Answer]:
    """Ways a trunk may answer under a fault; the chances sum to 1.

    A 100 comes at once, a refusal too. A call that connects rings after the post-dial delay; what would
    ring after the progress timeout is a call that got a 100 and then nothing.
    """
    reply = EFFECTS[fault.kind if fault else None].invite
    if reply is Reply.NOTHING:
        return [Answer(1.0)]
    if reply is Reply.ONLY_100:
        return [Answer(1.0, trying=True)]
    delay = post_dial_delay
    if fault is not None and fault.kind is Kind.SLOW:
        delay = fault.post_dial_delay
    in_time = 1.0 if delay is None else float(delay.cdf(np.asarray(progress_timeout)))
    refused = fault.share if fault is not None and reply is Reply.REFUSAL else 0.0
    found = [
        Answer((1.0 - refused) * in_time, connects=True, delay=delay),
        Answer((1.0 - refused) * (1.0 - in_time), trying=True),
        Answer(refused, status=fault.status if fault else None),
    ]
    return [answer for answer in found if answer.chance > 0.0]
