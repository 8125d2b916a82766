"""Legs of a plan as what is read back knows them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from callsim.live.probing import Leg, legs_of
from callsim.live.setup import policy_of
from callsim.plan.model import Plan, Test
from results.incidents import Subject, subjects_of
from results.probes import Series, reach_of


def series_of(plan: Plan, location: str) -> dict[Series, Leg]:
    """Give the plan's legs as a location sees them."""
    return {Series(location, leg.test.name, leg.over): leg for leg in legs_of(plan, plan.tests)}


def reaches_of(plan: Plan, locations: Iterable[str], probed: Container[Series] = ()) -> dict[Series, float]:
    """Give for how many seconds from its start a probe tells, of each leg from each location.

    Legs without a cadence are among them where they were `probed` all the same.
    """
    return {
        series: reach_of(leg.test.every, leg.test.jitter, longest(plan, leg.test))
        for location in locations
        for series, leg in series_of(plan, location).items()
        if leg.test.every is not None or series in probed
    }


def subjects_in(plan: Plan, legs: Sequence[Series]) -> tuple[Subject, ...]:
    """Give what can be down: legs, trunks, carriers, the service."""
    return subjects_of(legs, plan.trunk_names())


def longest(plan: Plan, test: Test) -> float:
    """Seconds that a probe with all its tries takes where nobody answers."""
    return (1 + _repeats(test)) * patience(plan) + (test.again.after if test.again else 0.0) * _repeats(test)


def patience(plan: Plan) -> float:
    """Seconds after which a call that meets silence is given up."""
    return policy_of(plan).no_reply_timeout


def _repeats(test: Test) -> int:
    return test.again.times if test.again else 0
