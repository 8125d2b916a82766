"""How calls fare in each state of the trunks, found by exploring the router's own `CallSetup`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special  # scipy.stats would double the start of every worker process

from carriers.faults import Fault
from carriers.health import CallRule
from carriers.routing import CallSetup, Router
from results.timeline import HOURS_PER_WEEK, Branch, Condition
from sim.answers import answers, delivered
from sim.exploring import Delivery, Exploration, Tally, Way, add, zeros
from sim.hunting import Hunt
from sim.tables import Tables
from sim.voice import Flags, Hearing, Mixture, unheard

Floats = NDArray[np.float64]
Key = tuple[int, ...]
"""State of everything that calls meet; (0,) where the platform is down, else 1, and then

for each trunk 2 x (visible fault + 1) + (1 if believed up), for each segment its visible fault + 1, for each
block of numbers 1 if it is forwarded, and with devices how far they are in registering anew (0: all are).
"""

DIGITS = 3
"""Of the chance that a watched attempt fails."""
UNLIKELY = 1e-6
"""A watched trunk whose rule trips with less than this chance a call is not watched."""
NEVER = 1e-12
"""A way to connect that fewer calls take is left out."""
RARE = 1e-7
"""Calls a second, some three a year: a trunk with fewer is not watched."""
MOST_STATES, KEPT_STATES = 450, 300
"""Between streams, where there are more states than the first, so many are kept."""
REGISTERING = 20
"""Steps in which phones come back after a failover."""


@dataclass(frozen=True)
class Watch:
    """What a rule on calls sees of a trunk: calls a second, chance to be bad, time until that is known."""

    rate: tuple[float, ...]
    chance: tuple[float, ...]
    """Rounded to `DIGITS`, so that few laws serve all hours."""
    delay: float
    even: bool
    """Whether the chance is the same in all hours."""


@dataclass(frozen=True)
class State:
    """A condition with what the engine needs besides."""

    condition: Condition
    down: bool
    """Whether the service is down in some hour of the week."""
    carried: tuple[Floats, ...]
    """Calls in progress in each hour of the week, in erlangs: of all trunks, then of each."""
    watches: tuple[Watch | None, ...] = ()
    """For each trunk what the rule on failing calls sees, then for each what that on poor calls sees.

    A rule that the policy lacks is left out. None: nothing to see there. Empty: nothing anywhere.
    """


class Conditions:
    """The states met so far, each explored when it is met; those met last come last in `_known`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._policy = tables.routing
        self._known: dict[Key, tuple[int, State]] = {}
        self.states: list[State] = []
        self._watched: dict[Watch, Watch] = {}
        ones = np.ones(HOURS_PER_WEEK)
        self._rate = zeros()
        self._hold = self._inbound = 0.0
        if tables.traffic is not None:
            self._rate = np.asarray(tables.traffic.calls_per_hour) / 3600.0
            self._hold = tables.traffic.hold_time.mean
            self._inbound = tables.traffic.inbound
        self.hearing = Hearing(tables) if tables.voice is not None else None
        self._trunks = len(self._policy.trunks) if self._policy else 0
        self._segments = len(tables.voice.segments) if tables.voice else 0
        idle = (zeros(),) * (self._trunks + 1)
        both = (ones, ones) if self._inbound else None
        down = Condition("platform down", ones, directions=both)
        self._platform_down = State(down, down=True, carried=idle)
        around = self._segments + len(tables.numbers) + (tables.devices is not None)
        self.nominal: Key = (1, *([1] * self._trunks), *([0] * around))
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
        found = self._known.pop(key, None)
        if found is None:
            found = len(self.states), self._explore(key)
            self.states.append(found[1])
        self._known[key] = found
        return found

    def tidy(self) -> None:
        """Forget the states that were not met for longest, if there are many; numbers change with it.

        In many years ever more states are met that hardly ever come again. Watches stay: that equal ones are
        the same is what streams go by, whatever their process has played before.
        """
        if len(self.states) <= MOST_STATES:
            return
        latest = [(key, state) for key, (_, state) in self._known.items() if key != self.nominal]
        kept = [(self.nominal, self.states[0]), *latest[-KEPT_STATES:]]
        self._known = {key: (number, state) for number, (key, state) in enumerate(kept)}
        self.states = [state for _, state in kept]

    def number(self, key: Key) -> int:
        """Number of the condition of a state; the nominal one is 0."""
        return self.look(key)[0]

    def _explore(self, key: Key) -> State:
        if not key[0]:
            return self._platform_down
        if self._policy is None:
            erlangs = self._rate * self._hold
            return State(Condition("nominal", zeros()), down=False, carried=(erlangs,))
        tally = Tally(zeros(), zeros(), zeros())
        codes = key[1 : 1 + self._trunks]
        faults = [self._fault(code >> 1) for code in codes]
        router = Router(self._policy)
        for trunk, code in enumerate(codes):
            if not code & 1:
                router.drain(trunk, out=True)
        lists = router.candidates(0.0)
        total = sum(weight for weight, _ in lists)
        choices = [(weight / total, trunks) for weight, trunks in lists]
        deliveries = self._deliveries(key, faults)
        full, full_inbound = self._hunt(faults, deliveries).chances_of_no_channel(choices)
        outbound = 1.0 - self._inbound
        for (weight, trunks), no_channel in zip(choices, full, strict=True):
            setup = CallSetup.start(self._policy, trunks, 0.0)
            share = np.full(HOURS_PER_WEEK, weight * outbound)
            Exploration(faults, codes, no_channel, tally).follow(setup, share, None, skipped=False)
        for delivery in deliveries:
            self._receive(delivery, codes, full_inbound, tally)
        return self._state(key, faults, tally)

    def _fault(self, number: int) -> Fault | None:
        """Find a fault by its number, counted from 1; 0: none."""
        return self._tables.faults[number - 1] if number else None

    def _hunt(self, faults: list[Fault | None], deliveries: list[Delivery]) -> Hunt:
        assert self._policy is not None  # checked by the caller
        connects = []
        for trunk, fault in enumerate(faults):
            carrier = self._policy.carriers[self._policy.trunks[trunk].carrier]
            ways = answers(fault, carrier.post_dial_delay, self._policy.progress_timeout)
            connects.append(sum(way.chance for way in ways if way.connects))
        inbound: dict[int, float] = {}
        for delivery in deliveries:
            share = self._inbound * delivery.share * sum(chance for _, chance in delivery.arrives)
            inbound[delivery.carrier] = inbound.get(delivery.carrier, 0.0) + share
        outbound = 1.0 - self._inbound
        return Hunt(self._policy, self._rate, self._hold, faults, connects, outbound, inbound)

    # ---- calls to us

    def _deliveries(self, key: Key, faults: list[Fault | None]) -> list[Delivery]:
        """Say over which carrier calls to each block of numbers come, and over which of its trunks."""
        assert self._policy is not None  # checked by the caller
        if not self._inbound:
            return []
        first = 1 + self._trunks + self._segments
        registered = 1.0
        if self._tables.devices is not None and key[-1]:
            registered = 1.0 - self.unregistered(key[-1])
        found = []
        for number, forwarded in zip(self._tables.numbers, key[first:], strict=False):
            carrier = number.home
            if forwarded and number.forwards is not None:
                carrier = number.forwards.to
            arrives, left = [], 1.0
            for trunk in self._policy.carriers[carrier].trunks:
                chance = delivered(faults[trunk])
                if chance > 0.0:
                    arrives.append((trunk, left * chance))
                left *= 1.0 - chance
            found.append(Delivery(number.share, carrier, tuple(arrives), registered))
        return found

    def unregistered(self, step: int) -> float:
        """Share of the phones that have not registered yet, on average over a step of registering."""
        devices = self._tables.devices
        assert devices is not None  # checked by the caller
        lost = 1.0 / self._tables.groups[devices.group].need
        return lost * (1.0 - (step - 0.5) / REGISTERING)

    def _receive(self, delivery: Delivery, codes: Key, full: dict[int, Floats], tally: Tally) -> None:
        """Add up what becomes of the calls to one block of numbers."""
        whole = self._inbound * delivery.share
        blocked = full.get(delivery.carrier, 0.0)
        connected = zeros()
        for trunk, chance in delivery.arrives:
            admitted = whole * chance * (1.0 - blocked) * delivery.registered + zeros()
            tally.blocked = tally.blocked + whole * chance * blocked
            way = Way(delivery.carrier, 1, 0.0, None, codes[trunk] >> 1, inbound=True)
            add(tally.ways, way, admitted)
            add(tally.carried, trunk, admitted)
            tally.shown[trunk] = way.fault
            connected = connected + admitted
        tally.inbound = tally.inbound + (whole - connected)

    # ---- what becomes of it

    def _state(self, key: Key, faults: list[Fault | None], tally: Tally) -> State:
        assert self._policy is not None  # checked by the caller
        policy = self._policy
        segments = [self._fault(code) for code in key[1 + self._trunks :][: self._segments]]
        branches: list[Branch] = []
        failing = [tally.outbound, tally.inbound]
        for way, share in sorted(tally.ways.items(), key=lambda item: (*item[0][:3], *item[0][4:])):
            fault = self._fault(way.fault)
            mixture = self._mixture(way.carrier, fault, segments)
            parts = share * mixture.chance
            real = parts.max(axis=1) >= NEVER
            name, cause = policy.carriers[way.carrier].name, fault.cause if fault else ""
            limit = math.inf if way.inbound else policy.progress_timeout
            branches += [
                Branch(
                    name, way.attempts, way.offset, way.delay, limit, parts[n],
                    way.inbound, mixture.heard[n], cause,
                )
                for n in np.flatnonzero(real).tolist()
            ]  # fmt: skip
            fails = real & self._fails(mixture)
            if fails.any():
                failing[way.inbound] = failing[way.inbound] + parts[fails].sum(axis=0)
        carried = np.zeros((self._trunks + 1, HOURS_PER_WEEK))
        for trunk, share in tally.carried.items():
            carried[trunk + 1] = share * self._rate * self._hold
        carried[0] = carried.sum(axis=0)
        whole = np.clip(failing[0] + failing[1], 0.0, 1.0)
        unconnected = np.clip(tally.outbound + tally.inbound, 0.0, 1.0)
        condition = Condition(
            self._label(key, faults, segments),
            whole,
            tuple(branches),
            unconnected,
            tally.blocked if tally.blocked.any() else None,
            self._directions(failing),
        )
        down = bool(whole.max() > self._tables.down_above)
        return State(condition, down, tuple(carried), self._watches(tally, segments))

    def _mixture(self, carrier: int, fault: Fault | None, segments: list[Fault | None]) -> Mixture:
        return unheard(fault) if self.hearing is None else self.hearing.mixture(carrier, fault, segments)

    def _fails(self, mixture: Mixture) -> Flags:
        """Tell which calls are failing ones though they connect, (n,)."""
        rule = self._tables.failing
        fails = np.zeros(len(mixture.heard), dtype=np.bool_)
        if "one_way_audio" in rule:
            fails = fails | mixture.one_way
        return fails | mixture.spoilt if "poor_audio" in rule else fails

    def _directions(self, failing: list[Floats]) -> tuple[Floats, Floats] | None:
        if not self._inbound:
            return None
        shares = (1.0 - self._inbound, self._inbound)
        outbound, inbound = (
            np.clip(part / share, 0.0, 1.0) if share else zeros()
            for part, share in zip(failing, shares, strict=True)
        )
        return outbound, inbound

    def _label(self, key: Key, faults: list[Fault | None], segments: list[Fault | None]) -> str:
        policy, voice = self._policy, self._tables.voice
        assert policy is not None  # checked by the caller
        names = [
            f"{trunk.name} {fault.kind.value if fault else 'good'}, believed {'up' if code & 1 else 'down'}"
            for trunk, fault, code in zip(policy.trunks, faults, key[1 : 1 + self._trunks], strict=True)
            if fault or not code & 1
        ]
        if voice is not None:
            parts = zip(voice.segments, segments, strict=True)
            names += [f"{segment.name} {fault.name}" for segment, fault in parts if fault]
        forwarded = key[1 + self._trunks + self._segments :]
        blocks = zip(self._tables.numbers, forwarded, strict=False)
        names += [f"{number.name} forwarded" for number, code in blocks if code]
        if self._tables.devices is not None and key[-1]:
            names.append(f"{100 * self.unregistered(key[-1]):.0f} % of the phones not registered")
        return "; ".join(names) or "nominal"

    def _watches(self, tally: Tally, segments: list[Fault | None]) -> tuple[Watch | None, ...]:
        assert self._policy is not None  # checked by the caller
        failing, poor = self._policy.failing_calls, self._policy.poor_calls
        if failing is None and poor is None:
            return ()
        found: list[Watch | None] = []
        if failing is not None:
            seen: list[Watch | None] = [None] * self._trunks
            for trunk, failures in sorted(tally.failures.items()):
                seen[trunk] = self._watch(failing, tally.attempts[trunk], failures, tally.delays[trunk])
            found += seen
        if poor is not None:
            seen = [None] * self._trunks
            for trunk, bad in sorted(self._poor(poor.mos_below, tally, segments).items()):
                seen[trunk] = self._watch(poor.calls, tally.carried[trunk], bad, self._hold)
            found += seen
        return tuple(found) if any(found) else ()

    def _watch(self, rule: CallRule, calls: Floats, bad: Floats, delay: float) -> Watch | None:
        chance = np.divide(bad, calls, out=zeros(), where=calls * self._rate > RARE)
        # Hours without calls go with the others, so that nothing changes with them.
        chance = np.where(calls * self._rate > RARE, chance, chance.max()).round(DIGITS)
        if special.bdtrc(rule.needed - 1, rule.of_last, chance.max()) <= UNLIKELY:
            return None
        rate = (calls * self._rate).round(12).tolist()
        watch = Watch(tuple(rate), tuple(chance.tolist()), delay, bool((chance == chance[0]).all()))
        return self._watched.setdefault(watch, watch)

    def _poor(self, mos_below: float, tally: Tally, segments: list[Fault | None]) -> dict[int, Floats]:
        """Calls over each trunk that its rule on poor calls counts."""
        assert self._policy is not None  # checked by the caller
        found: dict[int, Floats] = {}
        for trunk, calls in tally.carried.items():
            fault = self._fault(tally.shown[trunk])
            mixture = self._mixture(self._policy.trunks[trunk].carrier, fault, segments)
            # It counts those too where one side hears nothing.
            poor = mixture.one_way | (mixture.mos < mos_below)
            if poor.any():
                found[trunk] = calls * mixture.chance[poor].sum(axis=0)
        return found
