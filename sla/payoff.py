"""What credits pay, as a function of the measured value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from carriers.units import UNITS
from sla.objectives import Objective
from sla.remedies import CreditRule, Tier, Worth
from sla.terms import BillingCycle, FixedWindow, RollingWindow, Terms

MONTH = 30 * UNITS["d"]
"""Seconds of the month that figures for people are given for."""
_LENGTHS = {
    "calendar_month": MONTH,
    "month": MONTH,
    "quarter": 90 * UNITS["d"],
    "year": 365 * UNITS["d"],
    "event": math.nan,
}


@dataclass(frozen=True)
class Step:
    """A range of values that a rule pays alike for, from its better end to its worse."""

    better: float
    worse: float
    """Infinite, or the worst value that there is, where nothing is beyond."""
    tier: Tier | None
    """The tier that counts; None where the table has none."""


def window_length(terms: Terms, objective: Objective) -> float:
    """Seconds of the window that an objective is judged in, a month being 30 days; NaN: an event's."""
    window = terms.measured.window if objective.window is None else objective.window
    if isinstance(window, FixedWindow):
        return window.fixed
    if isinstance(window, RollingWindow):
        return window.rolling
    return MONTH if isinstance(window, BillingCycle) else _LENGTHS[window]


def share_of(terms: Terms, worth: Worth) -> float | None:
    """Credit as a share of a month's base; None where that takes the fee, or nobody says what a unit is."""
    if worth.unit == "share":
        return worth.amount
    if worth.unit == "days":
        return worth.amount * UNITS["d"] / MONTH
    if worth.unit == "units" and terms.caps.unit_worth is not None:
        one = share_of(terms, terms.caps.unit_worth)
        return None if one is None else worth.amount * one
    return None


def steps(rule: CreditRule, objective: Objective, *, with_conditions: bool = True) -> list[Step]:
    """Ranges of the tiers of a rule, from the target downhill.

    `with_conditions`: for a customer who has all that tiers require; else for one who has nothing.
    """
    worst = _worst(objective)
    tiers = [tier for tier in rule.tiers if with_conditions or tier.requires is None]
    downhill = -1.0 if objective.higher_is_better else 1.0
    ends = {float(end) for tier in tiers for end in _ends(tier) if end is not None}
    beyond = sorted(
        (end for end in ends if (end - objective.target) * downhill > 0), key=lambda v: v * downhill
    )
    marks = [objective.target, *beyond, worst]
    ranges = [(a, b) for a, b in pairwise(marks) if a != b]
    return [Step(a, b, _counting(tiers, _between(a, b), downhill)) for a, b in ranges]


def paid(terms: Terms, rule: CreditRule, objective: Objective, step: Step) -> float | None:
    """Share that a step pays, with what the rule's `gap_policy` makes of a gap; None: nobody can say."""
    tier = step.tier
    if tier is None and rule.gap_policy == "error":
        return None
    if tier is None and rule.gap_policy == "next_tier":
        following = [s.tier for s in steps(rule, objective) if s.tier and _is_past(objective, s, step)]
        tier = following[0] if following else None
    return 0.0 if tier is None else share_of(terms, tier.credit)


def _is_past(objective: Objective, other: Step, step: Step) -> bool:
    return other.better < step.better if objective.higher_is_better else other.better > step.better


def _worst(objective: Objective) -> float:
    if not objective.higher_is_better:
        return 1.0 if objective.unit == "share" else math.inf
    return 1.0 if objective.unit == "number" else 0.0


def _between(a: float, b: float) -> float:
    return 2 * a + 1 if math.isinf(b) else (a + b) / 2


def _ends(tier: Tier) -> tuple[float | None, ...]:
    return tier.below, tier.down_to, tier.above, tier.up_to


def _counting(tiers: list[Tier], value: float, downhill: float) -> Tier | None:
    """Tier that counts at a value: of those that it lies in the one with the highest credit."""
    inside = [
        tier
        for tier in tiers
        if (tier.below is None or value < tier.below)
        and (tier.down_to is None or value >= tier.down_to)
        and (tier.above is None or value > tier.above)
        and (tier.up_to is None or value <= tier.up_to)
    ]
    return max(inside, key=lambda tier: (tier.credit.amount, downhill * _begin(tier)), default=None)


def _begin(tier: Tier) -> float:
    return tier.below if tier.below is not None else tier.above if tier.above is not None else math.nan
