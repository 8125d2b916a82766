"""Events of a watch loop as tests make them."""

from __future__ import annotations

from typing import Any

from callsim.live.probing import Leg, Probed, legs_of
from callsim.plan import Plan
from callsim.watching.events import ProbeDone, SlotMissed
from results.store.entries import Attempt, Call, Why, new_id

NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z, a Thursday."""


def plan_of(**changes: Any) -> Plan:
    """Make a plan with two carriers, three trunks, a test over each of them every five minutes."""
    trunks = [
        {"carrier": "atlantic", "uri": "sip:127.0.0.1:5071"},
        {"carrier": "atlantic", "uri": "sip:127.0.0.1:5072"},
        {"carrier": "boreal", "uri": "sip:127.0.0.1:5073", "repair": "4h"},
    ]
    test = {"name": "echo", "to": "+12025550100", "over": ["atlantic", "boreal"], "every": "5m"}
    return Plan.model_validate(
        {
            "name": "watched",
            "trunks": trunks,
            "tests": [test],
            "guard": {"allow": ["+12025550100"], "at_once": 4, "calls_per_day": 1000},
            **changes,
        }
    )


def leg_of(plan: Plan, over: str, test: str | None = None) -> Leg:
    """Find a leg by its trunk."""
    return next(
        leg for leg in legs_of(plan, plan.tests) if leg.over == over and test in (None, leg.test.name)
    )


def probe_of(plan: Plan, over: str, at: float, passed: bool | None = True, **found: Any) -> ProbeDone:
    """Make a probe that was due, and began, at a time, and took 10 s."""
    leg = leg_of(plan, over, found.pop("test", None))
    trunk = None if leg.trunk is None else over
    carrier = None if leg.trunk is None else plan.trunks[leg.trunk].carrier
    given = {
        "sip_status": {True: 200, False: 503, None: None}[passed],
        "reason": {True: "OK", False: "Service Unavailable", None: None}[passed],
        "outcome": {True: "answered", False: "failed", None: "lost_by_tool"}[passed],
        **found,
    }
    call = Call(
        id=new_id(at),
        probe=new_id(at),
        location="berlin",
        plan=plan.name,
        test=leg.test.name,
        over=over,
        trunk=trunk,
        carrier=carrier,
        number="+12025550100",
        due_at=at,
        started_at=at,
        ended_at=at + 10.0,
        passed=passed,
        **given,
    )
    attempt = Attempt(
        id=new_id(at),
        call=call.id,
        no=1,
        trunk=over,
        carrier=carrier,
        sip_status=call.sip_status,
        reason=call.reason,
    )
    return ProbeDone(call.id, leg, at, at, at + 10.0, Probed(leg, ()), (call, attempt))


def missed_of(plan: Plan, over: str, at: float, reason: Why = "slots_full", count: int = 1) -> SlotMissed:
    """Make a slot without a probe."""
    return SlotMissed(leg_of(plan, over), at, reason, count)
