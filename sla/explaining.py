"""The arithmetic of a window's credit, step by step, in words that a lawyer can follow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np

from carriers.units import format_duration, format_share
from results.timeline import Floats
from results.weekly import Index
from sla.assessment import Assessment, Judged, Windows
from sla.consistency import objective_of, written
from sla.crediting import Money, lasts, lies_in
from sla.objectives import Objective
from sla.remedies import CreditRule, Tier, Worth
from sla.terms import RollingWindow
from sla.windows import fee_months

_SAME = 1e-12


def explain(assessment: Assessment, window_index: int) -> list[str]:
    """Tell how the credit of one window of `assessment.credits` comes about, a sentence each."""
    terms = assessment.terms
    bonus = float(assessment.credits.bonus[window_index])
    exceeded = [f"Bonus: the customer pays {_share(bonus)} of a month's amount more."] if bonus else []
    if not terms.credits and terms.chronic is None:
        return ["The terms promise no credit.", *exceeded]
    steps: list[str] = []
    for number, rule in enumerate(terms.credits):
        steps += _rule(assessment, number, rule, window_index)
    return [*steps, *_stacked(assessment, window_index), *exceeded]


def _rule(made: Assessment, number: int, rule: CreditRule, window: int) -> Iterator[str]:
    objective = objective_of(made.terms, rule)
    one = next((one for one in made.judged if one.objective is objective), None)
    if objective is None or one is None or one.not_assessed is not None:
        why = one.not_assessed if one is not None else "no single objective is meant"
        yield f"{rule.objective}: not assessed, because {why}; no credit is worked out."
        return
    due = float(made.credits.by_rule[number, window])
    own = _own_windows(made, one, window)
    if not len(own):
        yield f"{rule.objective}: none of its windows ends here, so that there is nothing to credit."
    broken = own[~one.met[own]]
    for at in broken.tolist() if len(broken) else own[:1].tolist():
        value = _claimed(made, one, at)
        yield _measured(objective, value, bool(one.met[at]), len(own))
        if not one.met[at]:
            yield from _rate(made, rule, one, at, value)
    if rule.per_affected_user and due:
        yield "Of this, the share of the users who were affected."
    if len(broken):
        yield f"Credit for {rule.objective}: {_share(due)} of a month's amount."


def _own_windows(made: Assessment, one: Judged, window: int) -> Index:
    """Windows of an objective that are settled in a window; of rolling ones the worst alone."""
    start, end = made.credits.windows.start[window], made.credits.windows.end[window]
    (own,) = np.nonzero((one.windows.end > start) & (one.windows.end <= end))
    if isinstance(made.terms.measured.window, RollingWindow) and one.windows.kind == "rolling" and len(own):
        sign = 1.0 if one.objective.higher_is_better else -1.0
        own = own[[np.argmin(np.nan_to_num(sign * one.actual[own], nan=np.inf))]]
    return own


def _claimed(made: Assessment, one: Judged, at: int) -> float:
    """Measured value that the credit goes by: with a ticket needed, of what can be claimed."""
    windows = made.availability.windows
    if made.terms.claims.ticket and one.objective.name == "availability":
        same = np.flatnonzero((windows.start == one.windows.start[at]) & (windows.end == one.windows.end[at]))
        if len(same):
            return float(made.availability.claimed[same[0]])
    return float(one.actual[at])


def _measured(objective: Objective, value: float, met: bool, windows: int) -> str:
    promised = "at least" if objective.higher_is_better else "at most"
    target = written(objective.target, objective.unit)
    told = "nothing" if np.isnan(value) else written(value, objective.unit)
    verdict = "kept" if met else "broken"
    row = (
        f", and not so {objective.consecutive} windows in a row" if met and objective.consecutive > 1 else ""
    )
    all_kept = f" (the first of {windows} windows, all kept)" if met and windows > 1 else ""
    return f"{objective.name}: measured {told}, promised {promised} {target}: {verdict}{row}{all_kept}."


def _rate(made: Assessment, rule: CreditRule, one: Judged, at: int, value: float) -> Iterator[str]:
    if rule.flat is not None:
        yield f"Whenever it is broken: {_worth(made, rule, rule.flat, one, at)}."
    elif rule.linear is not None:
        missed = abs(one.objective.target - value)
        steps = missed / rule.linear.per
        step = written(rule.linear.per, one.objective.unit)
        full = " (only full ones count)" if rule.linear.only_full else ""
        yield (
            f"Missed by {written(missed, one.objective.unit)}: {steps:.6g} steps of {step}{full}, "
            f"each {_worth(made, rule, rule.linear.credit, one, at)}."
        )
    elif rule.by_duration:
        yield from _durations(made, rule, one, at)
    else:
        yield from _tiers(made, rule, one, at, value)


def _tiers(made: Assessment, rule: CreditRule, one: Judged, at: int, value: float) -> Iterator[str]:
    here = [tier for tier in rule.tiers if lies_in(tier, np.array([value]), one)[0]]
    for tier in here:
        lacks = tier.requires is not None and tier.requires not in made.customer.has
        only = f" (only with {tier.requires}, which this customer is not known to have)" if lacks else ""
        worth = _worth(made, rule, tier.credit, one, at, tier)
        yield f"Tier {_range(tier, one.objective)}: {worth}{only}."
    if len(here) > 1:
        yield "The worst tier counts."
    if not here:
        policy = {
            "nothing": "pays nothing",
            "next_tier": "pays as the next tier",
            "error": "must not be filled",
        }
        told = written(value, one.objective.unit)
        yield f"{told} lies in no tier; by the terms such a gap {policy[rule.gap_policy]}."


def _range(tier: Tier, objective: Objective) -> str:
    unit = objective.unit
    if tier.below is not None:
        least = f" down to {written(tier.down_to, unit)}" if tier.down_to is not None else ""
        return f"below {written(tier.below, unit)}{least}"
    most = f" up to {written(tier.up_to, unit)}" if tier.up_to is not None else ""
    return f"above {written(tier.above or 0.0, unit)}{most}"


def _durations(made: Assessment, rule: CreditRule, one: Judged, at: int) -> Iterator[str]:
    if one.objective.scope not in (None, made.terms.scope):
        return
    begin, length = made.downtime.begin, made.downtime.length
    start, end = one.windows.start[at], one.windows.end[at]
    for seconds in length[(begin >= start) & (begin < end)].tolist():
        applies = [tier for tier in rule.by_duration if lasts(tier, np.array([seconds]))[0]]
        paid = " or ".join(_worth(made, rule, tier.credit, one, at) for tier in applies) or "nothing"
        yield f"An outage of {format_duration(seconds)}: {paid}."


def _worth(
    made: Assessment, rule: CreditRule, worth: Worth, one: Judged, at: int, tier: Tier | None = None
) -> str:
    base = (tier.base if tier is not None else None) or rule.base or made.terms.base
    window = Windows(one.windows.kind, one.windows.start[at : at + 1], one.windows.end[at : at + 1])
    share = float(Money(made.terms, made.customer, {}).share(worth, base, window)[0])
    of = base.replace("_", " ")
    months = fee_months(window)
    if worth.unit == "share":
        times = f" for {months} months" if months > 1 else ""
        return f"{_share(worth.amount)} of the {of} amount{times}"
    name = {"days": "service days", "units": "units"}.get(worth.unit, worth.unit)
    return f"{worth.amount:g} {name}, which is {_share(share)} of a month's amount"


def _stacked(made: Assessment, window: int) -> Iterator[str]:
    terms, credits = made.terms, made.credits
    parts = credits.by_rule[:, window]
    extra = _chronic(made, window)
    if credits.chronic[window] and terms.chronic is not None:
        rule = terms.chronic
        then = (
            "the customer may leave" if rule.then == "termination" else f"another {_share(extra)} is credited"
        )
        yield f"{rule.objective} was broken in {rule.months} of {rule.of} windows: {then}."
    every = [float(part) for part in (*parts, extra) if part > 0]
    if not every:
        yield "No credit is due."
        return
    highest = terms.caps.stacking == "highest"
    share = max(every) if highest else sum(every)
    if len(every) > 1:
        told = ", ".join(map(_share, every)) if highest else " + ".join(map(_share, every))
        yield (
            f"The highest of {told} counts: {_share(share)}."
            if highest
            else f"Together {told} = {_share(share)}."
        )
    yield from _limits(made, window, share)
    yield from _due(made, window)


def _chronic(made: Assessment, window: int) -> float:
    rule = made.terms.chronic
    if rule is None or rule.credit is None or not made.credits.chronic[window]:
        return 0.0
    windows = made.credits.windows
    one = Windows(windows.kind, windows.start[window : window + 1], windows.end[window : window + 1])
    return float(Money(made.terms, made.customer, {}).share(rule.credit, None, one)[0])


def _limits(made: Assessment, window: int, share: float) -> Iterator[str]:
    caps, due = made.terms.caps, float(made.credits.due[window])
    if caps.per_month is not None:
        cap = caps.per_month * fee_months(made.credits.windows)
        if share > cap + _SAME:
            limit = _share(caps.per_month)
            yield f"Cap: at most {limit} a month, so that {_share(share)} becomes {_share(cap)}."
            share = cap
    if due >= share - _SAME:
        return
    fee, claims = made.customer.fee, made.terms.claims
    if claims.good_standing and not made.customer.good_standing:
        yield "The account is not in good standing: nothing is due."
    elif caps.issued_above and fee and share * fee <= caps.issued_above:
        yield (
            f"{share * fee:,.2f} {made.terms.currency} is not above {caps.issued_above:,.2f} "
            f"{made.terms.currency}: no credit is issued."
        )
    elif caps.per_year is not None:
        yield (
            f"Cap: at most {_share(caps.per_year)} of a year's amount in a calendar year; "
            f"what is left of it is {_share(due)} of a month's."
        )


def _due(made: Assessment, window: int) -> Iterator[str]:
    terms, due, fee = made.terms, float(made.credits.due[window]), made.customer.fee
    if not due:
        yield "No credit is due."
    elif fee is None:
        yield f"Due: {_share(due)} of a month's {terms.base.replace('_', ' ')} amount (which is not known)."
    else:
        yield f"Due: {_share(due)} of {fee:,.2f} {terms.currency} = {due * fee:,.2f} {terms.currency}."
    if not due:
        return
    by = float(made.credits.claim_by[window])
    if terms.claims.automatic:
        yield "It is credited without a claim."
    elif np.isnan(by):
        yield "The customer has to claim it; the terms set no time limit."
    else:
        at = dt.datetime.fromtimestamp(by, ZoneInfo(terms.measured.timezone))
        yield f"The customer has to claim it by {at:%Y-%m-%d %H:%M} ({terms.measured.timezone})."


def _share(value: float | Floats) -> str:
    return format_share(float(f"{float(value):.10g}"))
