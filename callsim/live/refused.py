"""Says before the first call what the guard would refuse of a plan."""

from __future__ import annotations

import time
from collections.abc import Iterator

from callgen.guarding.preflight import preflight
from callgen.guarding.refusals import RefusedError
from callsim.live.errors import GuardedError
from callsim.live.probing import legs_of, planned
from callsim.live.setup import caps_of, guard_of
from callsim.plan.model import OUTSIDE, Plan


def refused_numbers(plan: Plan) -> Iterator[str]:
    """Say of each test whose number may not be called why that is."""
    guard = guard_of(plan, None)
    for test in plan.tests:
        if test.from_ != OUTSIDE:  # where somebody else places it
            try:
                guard.dialled(test.to)
            except RefusedError as error:
                yield f"tests.{test.name}.to: {error}"


def broken_caps(plan: Plan) -> Iterator[str]:
    """Say of each cap that the plan's schedule could break, with the arithmetic."""
    caps = caps_of(plan)
    legs = legs_of(plan, plan.tests)
    for excess in preflight(list(planned(plan, legs, caps, once=False)), caps, time.time()):
        yield excess.words


def refuse(plan: Plan) -> None:
    """Raise GuardedError where a number may not be called, or the schedule could break a cap."""
    if numbers := list(refused_numbers(plan)):
        raise GuardedError("refused before the first call:\n" + "\n".join(f"  {one}" for one in numbers))
    if caps := list(broken_caps(plan)):
        lines = "\n".join(f"  {one}" for one in caps)
        raise GuardedError(f"refused before the first call: {plan.name} could break its caps\n{lines}")
