"""What each leg of a plan would meet, stretch by stretch, in a simulated stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callsim.live.setup import policy_of
from callsim.plan.model import Plan
from callsim.validating.fares import AT_ONCE, Fare, Outcome, connected, sure, week
from callsim.validating.legs import Matching, Place, Predicted
from carriers.erlang import erlang_b_continuous
from carriers.faults import Fault, Kind
from results.timeline import Condition, Floats, Incidents
from sim import Replication
from sim.answers import answers
from sim.tables import Tables
from sim.trunks import severity
from sim.voice import Hearing, Mixture, unheard

Index = NDArray[np.intp]
Key = tuple[int, ...]
NEGLIGIBLE = 1e-6
"""Blocking below this in every hour is none."""
HALVINGS = 40
"""Of the search for the load behind what a carrier carries."""


@dataclass(frozen=True)
class Course:
    """Stretches (n,) of a stream in which a leg is not as it should be, sorted and disjoint."""

    start: Floats
    end: Floats
    state: Index
    """Indexes the fares of the leg; where no stretch is, the state is 0."""

    def at(self, t: Floats) -> Index:
        """State at each instant, in seconds since the stream's start."""
        row = np.searchsorted(self.start, t, side="right") - 1
        inside = (row >= 0) & (t < np.append(self.end, -math.inf)[row])
        return np.where(inside, np.append(self.state, 0)[row], 0)


class Streets:
    """The legs that a scenario predicts, with the fare of each state that they were met in."""

    def __init__(self, tables: Tables, matching: Matching) -> None:
        self._tables = tables
        self.legs = matching.legs
        self._hearing = Hearing(tables) if tables.voice is not None else None
        self._blocking = _Blocking(tables)
        self._books: dict[Place, _Book] = {
            place: _Book(self._by_route(leg) if leg.trunk is None else self._by_trunk(matching.plan, leg))
            for place, leg in self.legs.items()
        }
        self._segments = len(tables.voice.segments) if tables.voice is not None else 0
        self._nominal: Condition | None = None

    def fare(self, place: Place, state: int) -> Fare:
        """Give what calls of a leg may come to in a state; 0: where nothing is wrong."""
        return self._books[place].fare(state)

    def courses(self, replication: Replication) -> dict[Place, Course]:
        """Follow every leg through a stream."""
        timeline = replication.timeline
        spans = _spans(self._tables, replication.incidents, self._segments)
        edges = np.unique(
            np.concatenate(
                [[0.0, timeline.length], timeline.start, timeline.end, *(at for s in spans for at in s[:2])]
            )
        )
        edges = edges[(edges >= 0.0) & (edges <= timeline.length)]
        begins = edges[:-1]
        shown = [_worst(self._tables, span, begins) for span in spans]
        row = np.searchsorted(timeline.start, begins, side="right") - 1
        inside = (row >= 0) & (begins < np.append(timeline.end, -math.inf)[row])
        condition = np.where(inside, np.append(timeline.condition, 0)[row], 0)
        count = len(spans) - self._segments
        if self._nominal is None:
            self._meet_nominal(timeline.conditions[0])
        found = {}
        for place, leg in self.legs.items():
            if leg.trunk is None:
                columns, key = [condition], self._route_key(timeline.conditions)
            else:
                busy = self._blocking.classes(timeline.conditions, leg.trunk)
                fault = shown[leg.trunk]
                codes = self._blocking.of_states(busy, leg.trunk, shown[:count], condition)
                columns, key = [fault, *shown[count:], codes], None
            found[place] = self._books[place].course(edges, columns, key)
        return found

    def _meet_nominal(self, nominal: Condition) -> None:
        """Number the states in which nothing is wrong 0."""
        self._nominal = nominal
        for place, leg in self.legs.items():
            if leg.trunk is None:
                key: Key = (self._blocking.number(nominal),)
            else:
                key = (*([0] * (1 + self._segments)), self._blocking.of_state(nominal, leg.trunk, 1.0))
            self._books[place].number(key)

    def _route_key(self, conditions: Sequence[Condition]) -> Callable[[Key], Key]:
        numbers = [self._blocking.number(condition) for condition in conditions]
        return lambda key: (numbers[key[0]],)

    # ---- fares

    def _by_trunk(self, plan: Plan, predicted: Predicted) -> Callable[[Key], Fare]:
        """Make what a call straight over a trunk may come to, by the plan's own timers."""
        tables, trunk, test = self._tables, predicted.trunk, predicted.leg.test
        assert tables.routing is not None  # checked when it was matched
        assert trunk is not None
        number, timers = tables.routing.trunks[trunk].carrier, policy_of(plan)
        carrier = tables.routing.carriers[number]

        def fare(key: Key) -> Fare:
            fault, *segments = (tables.faults[code - 1] if code else None for code in key[:-1])
            blocked = self._blocking.chance(key[-1])
            outcomes = sure([(blocked, AT_ONCE)])
            for way in answers(fault, carrier.post_dial_delay, timers.progress_timeout):
                chance = way.chance * (1.0 - blocked)
                if way.connects:
                    delay = (0.0, way.delay, timers.progress_timeout)
                    for share, heard in self._mixture(number, fault, segments):
                        outcomes += connected(test.expect, chance * share, heard, delay, test.talk)
                elif way.status is not None:
                    outcomes += sure([(chance, AT_ONCE)])
                else:
                    lasts = timers.progress_timeout if way.trying else timers.no_reply_timeout
                    outcomes += sure([(chance, lasts)])
            return Fare(outcomes)

        return fare

    def _by_route(self, predicted: Predicted) -> Callable[[Key], Fare]:
        """Make what a call by the scenario's router may come to."""
        test, traffic, policy = predicted.leg.test, self._tables.traffic, self._tables.routing
        assert policy is not None  # checked when it was matched
        outbound = 1.0 - (traffic.inbound if traffic is not None else 0.0)

        def fare(key: Key) -> Fare:
            condition = self._blocking.conditions[key[0]]
            outcomes: list[Outcome] = []
            left = week(1.0)
            for branch in condition.branches:
                if branch.inbound:
                    continue
                chance = branch.share / outbound
                left = left - chance
                delay = (branch.offset, branch.delay, branch.limit + branch.offset)
                outcomes += connected(test.expect, chance, branch.heard, delay, test.talk)
            return Fare([*outcomes, *sure([(np.maximum(left, 0.0), policy.no_reply_timeout)])])

        return fare

    def _mixture(self, carrier: int, fault: Fault | None, segments: Sequence[Fault | None]) -> Mixture:
        if self._hearing is None:
            return unheard(fault)
        return self._hearing.mixture(carrier, fault, segments)


class _Book:
    """States of one leg, numbered as they are met."""

    def __init__(self, fare: Callable[[Key], Fare]) -> None:
        self._make = fare
        self._numbers: dict[Key, int] = {}
        self._keys: list[Key] = []
        self._fares: dict[int, Fare] = {}

    def number(self, key: Key) -> int:
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._keys)
            self._keys.append(key)
        return found

    def fare(self, number: int) -> Fare:
        if number not in self._fares:
            self._fares[number] = self._make(self._keys[number])
        return self._fares[number]

    def course(self, edges: Floats, columns: list[Index], key: Callable[[Key], Key] | None) -> Course:
        codes, which = np.unique(np.stack(columns), axis=1, return_inverse=True)
        keys = [tuple(column) for column in codes.T.tolist()]
        state = np.array([self.number(one if key is None else key(one)) for one in keys], dtype=np.intp)
        states = state[which.ravel()]
        new = np.flatnonzero(np.diff(states, prepend=-1))
        start, end = edges[:-1][new], np.append(edges[:-1][new][1:], edges[-1])
        wrong = states[new] != 0
        return Course(start[wrong], end[wrong], states[new][wrong])


class _Blocking:
    """How often a call straight to a carrier finds no channel, in each condition of the service.

    Not the router's own hunting is asked, but what its calls leave busy: the load behind what the carrier
    carries in a condition, by Erlang B backwards.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._numbers: dict[int, int] = {}
        self.conditions: list[Condition] = []
        """All that were met; kept, so that an id stays theirs."""
        self._known: dict[tuple[int, int, float], int] = {}
        self._chances: list[Floats] = [week()]

    def number(self, condition: Condition) -> int:
        """Number a condition; the same object has the same one."""
        found = self._numbers.get(id(condition))
        if found is None:
            found = self._numbers[id(condition)] = len(self.conditions)
            self.conditions.append(condition)
        return found

    def chance(self, code: int) -> Floats:
        """Chance (168,) of a class."""
        return self._chances[code]

    def classes(self, conditions: Sequence[Condition], trunk: int) -> Sequence[Condition] | None:
        """Give the conditions where they matter to a trunk: its carrier has channels that calls take."""
        tables = self._tables
        assert tables.routing is not None  # checked when it was matched
        carrier = tables.routing.carriers[tables.routing.trunks[trunk].carrier]
        return None if carrier.channels is None or tables.traffic is None else conditions

    def of_states(
        self, conditions: Sequence[Condition] | None, trunk: int, shown: Sequence[Index], condition: Index
    ) -> Index:
        """Give the class of blocking over a trunk's carrier in each stretch, (n,)."""
        if conditions is None:
            return np.zeros(len(condition), dtype=np.intp)
        tables = self._tables
        assert tables.routing is not None
        own = tables.routing.carriers[tables.routing.trunks[trunk].carrier].trunks
        left = np.array([1.0] + [f.channels_left if f.kind is Kind.CAPACITY else 1.0 for f in tables.faults])
        share = np.mean([left[shown[one]] for one in own], axis=0)
        pairs, which = np.unique(np.stack([condition, share]), axis=1, return_inverse=True)
        classes = [self.of_state(conditions[int(n)], trunk, part) for n, part in pairs.T.tolist()]
        return np.array(classes, dtype=np.intp)[which.ravel()]

    def of_state(self, condition: Condition, trunk: int, left: float) -> int:
        """Give the class of one condition, with `left` of the carrier's channels."""
        if self.classes([condition], trunk) is None:
            return 0
        routing, traffic = self._tables.routing, self._tables.traffic
        assert routing is not None
        assert traffic is not None
        carrier = routing.carriers[routing.trunks[trunk].carrier]
        assert carrier.channels is not None
        key = (self.number(condition), routing.trunks[trunk].carrier, left)
        if key not in self._known:
            shares = [b.share for b in condition.branches if b.carrier == carrier.name]
            erlangs = np.asarray(traffic.calls_per_hour) / 3600.0 * traffic.hold_time.mean
            blocked = _no_channel(sum(shares, week()) * erlangs, round(carrier.channels * left))
            self._known[key] = 0
            if blocked.max() > NEGLIGIBLE:
                self._known[key] = len(self._chances)
                self._chances.append(blocked)
        return self._known[key]


def _no_channel(carried: Floats, channels: int) -> Floats:
    """Give Erlang B of the load that has `carried` erlangs carried by so many channels."""
    if channels == 0:
        return week(1.0)
    if erlang_b_continuous(carried, channels).max() < NEGLIGIBLE / 10.0:
        return week()
    low, high = carried.copy(), np.maximum(carried, 1.0) * 1e3
    target = np.minimum(carried, channels * 0.999)
    for _ in range(HALVINGS):
        middle = np.sqrt(np.maximum(low, 1e-12) * high)
        less = middle * (1.0 - erlang_b_continuous(middle, channels)) < target
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return np.asarray(erlang_b_continuous(high, channels))


Span = tuple[Floats, Floats, Index]
"""Starts, ends and codes (fault + 1) of the faults on a trunk or a segment."""


def _spans(tables: Tables, incidents: Incidents, segments: int) -> list[Span]:
    """Collect the faults of each trunk, then of each segment."""
    assert tables.routing is not None  # checked when it was matched
    at_trunk: dict[int, list[int]] = {}
    at_segment: dict[int, list[int]] = {}
    fault = np.zeros(len(incidents), dtype=np.intp)
    modes = _faults(tables)
    for row, (unit, mode) in enumerate(zip(incidents.unit.tolist(), incidents.mode.tolist(), strict=True)):
        shown = modes.get((unit, mode))
        if shown is None:
            continue
        fault[row] = shown + 1
        spec = tables.units[unit]
        if spec.segment is None:
            for trunk in spec.takes_trunks:
                at_trunk.setdefault(trunk, []).append(row)
        elif spec.customer is None:
            at_segment.setdefault(spec.segment, []).append(row)
    places = [at_trunk.get(n, []) for n in range(len(tables.routing.trunks))]
    places += [at_segment.get(n, []) for n in range(segments)]
    return [(incidents.start[rows], incidents.end[rows], fault[rows]) for rows in places]


def _faults(tables: Tables) -> Mapping[tuple[int, int], int]:
    """Give the fault that each mode of a unit shows; planned work comes after a unit's modes."""
    found = {}
    for number, unit in enumerate(tables.units):
        for place, mode in enumerate(unit.modes):
            if mode.fault is not None:
                found[number, place] = mode.fault
        if unit.calendar is not None and unit.calendar.fault is not None:
            found[number, len(unit.modes)] = unit.calendar.fault
    return found


def _worst(tables: Tables, span: Span, begins: Floats) -> Index:
    """Give the code that shows from each instant on: of several faults the worst; 0: none."""
    start, end, code = span
    shown = np.zeros(len(begins), dtype=np.intp)
    order = sorted(range(len(code)), key=lambda n: (severity(tables.faults[code[n] - 1]), code[n]))
    first, last = np.searchsorted(begins, start), np.searchsorted(begins, end)
    for n in order:
        shown[first[n] : last[n]] = code[n]
    return shown
