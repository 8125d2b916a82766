"""What a plan can see, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from callgen.guarding.caps import billed_minutes
from callsim.live.probing import Leg, legs_of, planned
from callsim.live.setup import caps_of, routing_of
from callsim.plan.model import ROUTE, Plan, Test
from callsim.plan.watching import Alert
from callsim.reading.legs import patience
from results.visibility import (
    DAY,
    Beat,
    Law,
    days_to_show,
    fits,
    found_law,
    noticed_law,
    probes_to_show,
    probes_with_outages,
)

MONTH = 30 * DAY
LEVELS = (0.999, 0.9999, 0.99999)
MEAN_OUTAGE = 1800.0
"""Seconds that outages last on average, unless it is said otherwise."""


@dataclass(frozen=True)
class View:
    """What probes see of things that they see alike."""

    names: tuple[str, ...]
    beats: tuple[Beat, ...]
    alert: Alert | None
    """Who is told first when it fails."""
    mean_outage: float

    @property
    def per_day(self) -> float:
        """Probes of each in a mean day."""
        return sum(beat.per_day for beat in self.beats)

    @property
    def stands_for(self) -> float:
        """Seconds of a mean day that one probe stands for."""
        return DAY / self.per_day

    @cached_property
    def found(self) -> Law:
        """How long an outage has to last to be found."""
        return found_law(self.beats)

    @cached_property
    def noticed(self) -> Law:
        """How long an outage goes on before a probe has failed."""
        return noticed_law(self.beats)

    @cached_property
    def alerted(self) -> Law | None:
        """How long one goes on before somebody is told; None: never, or nobody."""
        if self.alert is None or self.alert.after is None or self.alert.within is None:
            return None
        if not fits(self.beats, self.alert.after, self.alert.within):
            return None
        return noticed_law(self.beats, self.alert.after)

    def probes(self, availability: float, *, lasting: bool) -> int:
        """Probes without a failure that show an availability; `lasting` takes outages to last."""
        if lasting:
            return probes_with_outages(availability, self.stands_for, self.mean_outage)
        return probes_to_show(availability)

    def days(self, availability: float, *, lasting: bool) -> float:
        """Days of them."""
        return days_to_show(availability, self.per_day, self.mean_outage if lasting else None)

    def shows(self, availability: float) -> bool:
        """Whether a month without a failure shows it."""
        return self.days(availability, lasting=True) * DAY <= MONTH


@dataclass(frozen=True)
class Cost:
    """What a month of probes comes to."""

    calls: float
    minutes: float
    spend: float | None
    """In the currency of the prices; None where a trunk has none."""


@dataclass(frozen=True)
class Seeing:
    """All that a plan can see, from so many locations."""

    plan: Plan
    locations: int
    views: tuple[View, ...]
    usual: Cost
    """Where every probe passes at once."""
    worst: Cost
    """Where every one fails, with all its repeats."""
    unscheduled: tuple[str, ...]
    """Tests without a cadence, which see nothing by themselves."""

    @property
    def least(self) -> View | None:
        """The view with the fewest probes."""
        return min(self.views, key=lambda view: view.per_day, default=None)


def seeing(plan: Plan, locations: int = 1, mean_outage: float = MEAN_OUTAGE) -> Seeing:
    """Work out what a plan sees; every location runs all of it."""
    legs = [leg for leg in legs_of(plan, plan.tests) if leg.test.every is not None]
    return Seeing(
        plan,
        locations,
        tuple(_views(plan, legs, locations, mean_outage)),
        _usual(plan, legs, locations),
        _worst(plan, legs, locations),
        tuple(test.name for test in plan.tests if test.every is None),
    )


def _views(plan: Plan, legs: list[Leg], locations: int, mean_outage: float) -> Iterator[View]:
    by_over: dict[str, list[Beat]] = {}
    for leg in legs:
        by_over.setdefault(leg.over, []).append(_beat(plan, leg.test))
    alike: dict[tuple[Beat, ...], list[str]] = {}
    for over, beats in by_over.items():
        alike.setdefault(tuple(beats), []).append("service (route)" if over == ROUTE else over)
    failing = [alert for alert in plan.alerts if alert.when == "trunk_failing"]
    first = min(failing, key=lambda alert: alert.after or math.inf, default=None)
    for schedule, names in alike.items():
        yield View(tuple(names), schedule * locations, first, mean_outage)


def _beat(plan: Plan, test: Test) -> Beat:
    assert test.every is not None  # only such legs are asked for
    gives_up = patience(plan)
    tries = 0.0 if test.again is None else test.again.times * (test.again.after + gives_up)
    return Beat(test.every, test.jitter, tries, gives_up, test.hours)


def _usual(plan: Plan, legs: list[Leg], locations: int) -> Cost:
    """Sum calls that are placed once, over the first choice of the router."""
    calls = minutes = 0.0
    spend: float | None = 0.0
    prices = caps_of(plan).cost_per_minute
    for leg in legs:
        trunk = _first_choice(plan, leg)
        if trunk is None:
            continue
        times = locations * _beat(plan, leg.test).per_day * MONTH / DAY
        billed = times * billed_minutes(leg.test.talk)
        calls, minutes = calls + times, minutes + billed
        spend = None if spend is None or trunk not in prices else spend + billed * prices[trunk]
    return Cost(calls, minutes, spend)


def _first_choice(plan: Plan, leg: Leg) -> str | None:
    """Name the trunk that a call goes over as a rule; None: the call is not ours."""
    caps = caps_of(plan)
    mine = [one.trunk for one in planned(plan, [leg], caps, once=False)]
    if not mine or leg.over != ROUTE:
        return mine[0] if mine else None
    routing, names = routing_of(plan), plan.trunk_names()
    routed = [names[plan.trunks_of(route.carrier)[0]] for route in routing.routes]
    if routing.order == "least_cost":
        return min(routed, key=lambda name: caps.cost_per_minute.get(name, math.inf))
    return routed[0]


def _worst(plan: Plan, legs: list[Leg], locations: int) -> Cost:
    calls = minutes = 0.0
    spend: float | None = 0.0
    caps = caps_of(plan)
    for leg in legs:
        times = locations * _beat(plan, leg.test).per_day * MONTH / DAY
        for one in planned(plan, [leg], caps, once=False):
            tries = times * one.calls
            calls, minutes = calls + tries, minutes + tries * one.minutes
            price = caps.cost_per_minute.get(one.trunk)
            spend = None if spend is None or price is None else spend + tries * one.minutes * price
    return Cost(calls, minutes, spend)
