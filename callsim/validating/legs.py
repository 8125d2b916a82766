"""Which legs of a plan a scenario speaks of, and where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callsim.errors import CallsimError
from callsim.live.probing import Leg, legs_of
from callsim.live.setup import policy_of
from callsim.plan.model import ROUTE, Plan
from callsim.reading.legs import subjects_in
from carriers.policy import RoutingPolicy
from results.incidents import SERVICE, Subject
from results.probes import Series
from sim.tables import Tables

Place = tuple[str, str]
"""A leg, wherever it is probed from: its test, what it goes over."""
TIMERS = ("no_reply_timeout", "progress_timeout", "max_attempts")
"""Settings of a router that calls by the route depend on, besides its order and its carriers."""


@dataclass(frozen=True)
class Predicted:
    """A leg that the scenario speaks of."""

    leg: Leg
    trunk: int | None
    """Position of its trunk in the scenario; None: as the scenario's router says."""

    @property
    def place(self) -> Place:
        """How it is looked up."""
        return self.leg.test.name, self.leg.over


@dataclass(frozen=True)
class Matching:
    """What of a plan can be compared."""

    plan: Plan
    legs: Mapping[Place, Predicted]
    trunks: tuple[str, ...]
    """The plan's names of the trunks that the scenario has."""
    subjects: tuple[str, ...]
    """Carriers by the plan's names, and the service, of which the scenario predicts what probes see."""
    notes: tuple[str, ...]
    """What is not compared, and why."""

    def subjects_of(self, series: Sequence[Series]) -> tuple[Subject, ...]:
        """Give the subjects that some of these legs tell of, with their parts, as `see` asks."""
        mine = [one for one in series if (one.test, one.over) in self.legs]
        return tuple(one for one in subjects_in(self.plan, mine) if one.level != "leg")

    def legs_of(self, subject: str) -> frozenset[Place]:
        """Give the legs whose calls tell of a subject."""
        if subject == SERVICE:
            return frozenset(place for place, one in self.legs.items() if one.trunk is None)
        return frozenset(place for place, one in self.legs.items() if place[1].rpartition("/")[0] == subject)


def match(plan: Plan, tables: Tables, names: Mapping[str, str]) -> Matching:
    """Find the scenario's trunk of each leg, by its carrier's name.

    `names` gives the scenario's names of carriers that the plan calls otherwise. Raises CallsimError where
    there is nothing to compare.
    """
    policy = tables.routing
    if policy is None:
        raise CallsimError("the scenario has no carriers and no routing, so it predicts nothing of calls")
    _check(plan, policy, names)
    known = {trunk.name: n for n, trunk in enumerate(policy.trunks)}
    theirs = {name: known.get(_renamed(name, names)) for name in plan.trunk_names()}
    legs: dict[Place, Predicted] = {}
    notes: dict[str, list[str]] = {}
    for leg in legs_of(plan, plan.tests):
        place = (leg.test.name, leg.over)
        shown = f"{leg.test.name} over {leg.over}"
        if leg.test.direction == "inbound":
            notes.setdefault("inbound tests, which probes see over two carriers at once", []).append(shown)
        elif not 200 <= leg.test.expect.status < 300:
            notes.setdefault("tests that expect no call", []).append(shown)
        elif leg.over == ROUTE:
            legs[place] = Predicted(leg, None)
        elif (trunk := theirs[leg.over]) is not None:
            legs[place] = Predicted(leg, trunk)
        else:
            notes.setdefault("not in the scenario (--as NAME=ITS_NAME if it is called otherwise)", []).append(
                leg.over
            )
    if not legs:
        raise CallsimError(
            f"no test of plan {plan.name} goes over a trunk of the scenario, which has "
            f"{', '.join(known)}; say what is what with --as PLANNAME=SCENARIONAME"
        )
    told = [f"Not compared: {', '.join(dict.fromkeys(some))} ({why})." for why, some in notes.items()]
    told += _differences(plan, policy, legs, names)
    return Matching(
        plan,
        legs,
        tuple(n for n, at in theirs.items() if at is not None),
        _subjects(plan, theirs, legs),
        tuple(told),
    )


def _renamed(trunk: str, names: Mapping[str, str]) -> str:
    carrier, _, number = trunk.rpartition("/")
    return f"{names.get(carrier, carrier)}/{number}"


def _check(plan: Plan, policy: RoutingPolicy, names: Mapping[str, str]) -> None:
    ours = {trunk.carrier for trunk in plan.trunks}
    for mine, other in names.items():
        if mine not in ours:
            raise CallsimError(
                f"--as {mine}={other}: the plan has no carrier {mine}; it has {', '.join(sorted(ours))}"
            )
        if other not in {carrier.name for carrier in policy.carriers}:
            known = ", ".join(carrier.name for carrier in policy.carriers)
            raise CallsimError(f"--as {mine}={other}: the scenario has no carrier {other}; it has {known}")


def _subjects(
    plan: Plan, theirs: Mapping[str, int | None], legs: Mapping[Place, Predicted]
) -> tuple[str, ...]:
    """Give carriers with a leg over a trunk of theirs, and the service where all of it is predicted.

    Without a leg by the route the service is all trunks; of one carrier it would say the same twice.
    """
    carriers = dict.fromkeys(trunk.carrier for trunk in plan.trunks)
    probed = {place[1].rpartition("/")[0] for place, one in legs.items() if one.trunk is not None}
    found = [carrier for carrier in carriers if carrier in probed]
    routed = any(one.trunk is None for one in legs.values())
    if routed or (len(found) > 1 and None not in theirs.values()):
        found.append(SERVICE)
    return tuple(found)


def _differences(
    plan: Plan, policy: RoutingPolicy, legs: Mapping[Place, Predicted], names: Mapping[str, str]
) -> list[str]:
    """Say where the plan's router is not the scenario's, if calls go by it."""
    if all(one.trunk is not None for one in legs.values()):
        return []
    mine = policy_of(plan)
    found = []
    if mine.order is not policy.order:
        found.append(f"order {mine.order.value}, in the scenario {policy.order.value}")
    ours = [names.get(name, name) for name in _carriers(mine)]
    if ours != _carriers(policy):
        found.append(f"routes {', '.join(ours)}, in the scenario {', '.join(_carriers(policy))}")
    for name in TIMERS:
        here, there = getattr(mine, name), getattr(policy, name)
        if here != there:
            found.append(f"{name} {here:g}, in the scenario {there:g}")
    if not found:
        return []
    return [f"The plan's route is not the scenario's: {'; '.join(found)}. It is judged by the scenario's."]


def _carriers(policy: RoutingPolicy) -> list[str]:
    return [policy.carriers[route.carrier].name for route in policy.routes]
