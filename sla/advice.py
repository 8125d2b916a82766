"""Warnings about terms that can be kept to the letter, yet say what nobody will expect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

from carriers.units import UNITS, format_duration, format_share
from results.ledger import CORE_VOICE
from sla.consistency import identity, objective_of, written
from sla.objectives import Availability, Objective
from sla.payoff import MONTH, Step, paid, share_of, steps, window_length
from sla.remedies import CreditRule, Worth
from sla.terms import Exclusion, Terms

CLIFF = 0.2
"""A jump by more than this share of the fee is a cliff."""
TOOTHLESS = 0.1
"""A window without any service that pays no more than this share of the fee has no teeth."""
_SLACK = 1e-12
_BROAD = {
    "carrier": "faults of the carriers never count, however long; for most callers that is the service",
    "maintenance": "maintenance needs no notice, hours or quota, so any outage may be called that",
    "emergency_maintenance": "it needs no notice or quota, so any outage may be called that",
}
_PERIOD = {"month": 30 * UNITS["d"], "quarter": 90 * UNITS["d"], "year": 365 * UNITS["d"]}


@dataclass(frozen=True)
class Advice:
    """Something to know before terms are signed."""

    path: str
    """Where in the terms, like `credits.0`."""
    text: str

    def __str__(self) -> str:
        """Write it in one line."""
        return f"{self.path}: {self.text}"


def advice(terms: Terms) -> tuple[Advice, ...]:
    """Everything to warn of in terms that are right by themselves."""
    return tuple(
        chain(
            _measured(terms),
            _rules(terms),
            _toothless(terms),
            _exclusions(terms),
            _objectives(terms),
            _claims(terms),
        )
    )


def _measured(terms: Terms) -> Iterator[Advice]:
    """Tell what becomes of hours with few calls."""
    measured = terms.measured
    if measured.by == "error_rate" and measured.over is not None and measured.at_least > 1:
        stretch = format_duration(measured.over)
        few = f"fewer than {measured.at_least} attempts in {stretch}"
        yield Advice(
            "measured.at_least",
            f"{few} do not tell, and the {stretch} before decides: "
            "an outage in the evening goes on until calls come again in the morning",
        )


def _claims(terms: Terms) -> Iterator[Advice]:
    """Tell where nobody said whose record counts."""
    measured = terms.measured
    evidence, counts = terms.claims.evidence, measured.measured_by
    if evidence != counts and not {"measured_by", "disputes"} & measured.model_fields_set:
        yield Advice(
            "claims.evidence",
            f"the {evidence.replace('_', ' ')}'s record is evidence, yet the {counts}'s counts; "
            "say `measured_by` or `disputes` under `measured`",
        )


def _rules(terms: Terms) -> Iterator[Advice]:
    for n, rule in enumerate(terms.credits):
        objective = objective_of(terms, rule)
        if objective is None:
            continue
        for text in dict.fromkeys(chain(_tiers(terms, rule, objective), _jumps(terms, rule, objective))):
            yield Advice(f"credits.{n}", text)
        if any(w.unit == "units" for w in _worths(rule)) and terms.caps.unit_worth is None:
            yield Advice(f"credits.{n}", "nobody says what a unit is worth (`caps: {unit_worth: ...}`)")


def _worths(rule: CreditRule) -> list[Worth]:
    single = [rule.flat, rule.linear.credit if rule.linear else None]
    tiers = [tier.credit for tier in rule.tiers] + [tier.credit for tier in rule.by_duration]
    return [worth for worth in (*single, *tiers) if worth is not None]


def _tiers(terms: Terms, rule: CreditRule, objective: Objective) -> Iterator[str]:
    """Tell of tiers that never count and of ranges that no tier covers."""
    everybody = steps(rule, objective)
    used = [step.tier for step in everybody]
    used += [step.tier for step in steps(rule, objective, with_conditions=False)]
    for n, tier in enumerate(rule.tiers):
        begin = tier.below if tier.below is not None else tier.above
        if begin is None:
            continue
        level = written(begin, objective.unit)
        if not any(tier is step for step in used):
            yield f"tier {n} ({level}) never counts: the target or another tier is in its place"
        elif (begin > objective.target) is objective.higher_is_better and begin != objective.target:
            target = written(objective.target, objective.unit)
            yield f"tier {n} begins at {level}, but pays from the target on only, {target}"
    if not rule.tiers:
        return
    for step in everybody:
        alone = sum(other.objective == rule.objective for other in terms.credits) == 1
        if step.tier is None and (alone or step is not everybody[0]):
            yield _gap(terms, rule, objective, step, first=step is everybody[0], last=step is everybody[-1])


def _percent(share: float) -> str:
    return format_share(round(share, 4))


def _gap(terms: Terms, rule: CreditRule, objective: Objective, step: Step, *, first: bool, last: bool) -> str:
    better, worse = written(step.better, objective.unit), written(step.worse, objective.unit)
    if last:
        return f"beyond {better} no tier pays, so that the worst misses are free"
    where = f"no tier is printed from {better} to {worse}" + (", right at the target" if first else "")
    if rule.gap_policy == "error":
        return f"{where}; there an assessment stops (gap_policy: error)"
    share = paid(terms, rule, objective, step)
    if rule.gap_policy == "next_tier" and share:
        return f"{where}; it pays the next tier there, {_percent(share)} (gap_policy: next_tier)"
    return f"{where}; it pays nothing there (gap_policy: nothing)"


def _jumps(terms: Terms, rule: CreditRule, objective: Objective) -> Iterator[str]:
    cap = terms.caps.per_month if terms.caps.per_month is not None else 1e9
    for level, before, after in _payments(terms, rule, objective):
        jump = min(after, cap) - min(before, cap)
        if jump > CLIFF + _SLACK:
            yield (
                f"a cliff at {level}: a moment more costs {_percent(jump)} of the fee at once, "
                f"from {_percent(min(before, cap))} to {_percent(min(after, cap))}"
            )
        elif after < before - _SLACK:
            yield f"past {level} a worse value pays less, {_percent(after)} after {_percent(before)}"


def _payments(terms: Terms, rule: CreditRule, objective: Objective) -> Iterator[tuple[str, float, float]]:
    """Yield each level at which the payment changes, with the shares paid before and after."""
    target = written(objective.target, objective.unit)
    if rule.flat is not None:
        share = share_of(terms, rule.flat)
        if share is not None:
            yield target, 0.0, share
    if rule.linear is not None and rule.linear.only_full:
        share = share_of(terms, rule.linear.credit)
        if share is not None:
            yield f"each {written(rule.linear.per, objective.unit)} missed", 0.0, share
    for with_conditions in (True, False) if rule.tiers else ():
        before: tuple[float, str | None] | None = (0.0, None)
        for step in steps(rule, objective, with_conditions=with_conditions):
            share = paid(terms, rule, objective, step)
            base = step.tier.base if step.tier else None
            if share is None:
                before = None
                continue
            if before is not None and (not before[0] or not share or before[1] == base):
                yield written(step.better, objective.unit), before[0], share
            before = (share, base)
    worths = [share_of(terms, tier.credit) for tier in rule.by_duration]
    for (a, b), tier in zip(pairwise([0.0, *worths]), rule.by_duration, strict=True):
        if a is not None and b is not None:
            level = "an outage's start" if tier.longer_than is None else format_duration(tier.longer_than)
            yield level, a, b


def _toothless(terms: Terms) -> Iterator[Advice]:
    """Tell what a whole window without service pays, where it is next to nothing."""
    most = 0.0
    judged = False
    for rule in terms.credits:
        objective = objective_of(terms, rule)
        if not isinstance(objective, Availability):
            continue
        judged = True
        share = _at_nothing(terms, rule, objective)
        if share is None:
            return
        length = window_length(terms, objective)
        most += share * max(1.0, MONTH / length) if length > 0 else share
    if judged:
        most = min(most, terms.caps.per_month if terms.caps.per_month is not None else most)
        if most <= TOOTHLESS + _SLACK:
            yield Advice("credits", f"a window without any service pays {_percent(most)} of the fee at most")


def _at_nothing(terms: Terms, rule: CreditRule, objective: Availability) -> float | None:
    """Share that a rule pays for an availability of 0, one outage over the whole window."""
    if rule.tiers:
        return paid(terms, rule, objective, steps(rule, objective)[-1])
    if rule.flat is not None:
        return share_of(terms, rule.flat)
    if rule.linear is not None:
        share = share_of(terms, rule.linear.credit)
        return None if share is None else share * objective.target / rule.linear.per
    return share_of(terms, rule.by_duration[-1].credit)


def _exclusions(terms: Terms) -> Iterator[Advice]:
    """Tell of exclusions that leave little of a promise."""
    for n, exclusion in enumerate(terms.excludes):
        text = _BROAD.get(exclusion.cause)
        if text and exclusion.notice is None and exclusion.hours is None and exclusion.quota is None:
            yield Advice(f"excludes.{n}", text)
        yield from (Advice(f"excludes.{n}", text) for text in _quota(terms, exclusion))


def _quota(terms: Terms, exclusion: Exclusion) -> Iterator[str]:
    if exclusion.quota is None:
        return
    period = _PERIOD[exclusion.quota.per]
    for objective in terms.objectives:
        if isinstance(objective, Availability) and window_length(terms, objective) <= period:
            allowed = (1 - objective.at_least) * period
            if exclusion.quota.seconds > allowed:
                yield (
                    f"{exclusion.cause} may take {format_duration(exclusion.quota.seconds)} a "
                    f"{exclusion.quota.per} on top of the {format_duration(allowed)} that "
                    f"{format_share(objective.at_least)} allows"
                )
                return


def _objectives(terms: Terms) -> Iterator[Advice]:
    """Tell of promises without a remedy, and of those that no simulation can judge."""
    paid_for = [objective_of(terms, rule) for rule in terms.credits]
    free = [o for o in terms.objectives if not any(o is other for other in paid_for)]
    if free and paid_for:
        yield Advice("objectives", f"no credit is about {_listed(terms, free)}; to break it costs nothing")
    scopes = {objective.scope or terms.scope for objective in terms.objectives} - {CORE_VOICE}
    if scopes:
        what = ", ".join(sorted(scopes))
        yield Advice("objectives", f"a simulation knows {CORE_VOICE} only; it cannot assess {what}")
    for n, objective in enumerate(terms.objectives):
        if objective.name == "asr" and (objective.scope or terms.scope) == CORE_VOICE:
            why = "it knows no chance that a callee answers"
            yield Advice(f"objectives.{n}", f"a simulation cannot assess it: {why}")


def _listed(terms: Terms, objectives: list[Objective]) -> str:
    """Name objectives, with what tells them apart from others of their name."""
    told: dict[str, None] = {}
    for objective in objectives:
        others = [o for o in terms.objectives if o.name == objective.name and o is not objective]
        own = identity(terms, objective)
        differs = [
            value
            for key, value in own.items()
            if value is not None and any(identity(terms, other)[key] != value for other in others)
        ]
        all_of_them = all(any(other is o for o in objectives) for other in others)
        told[objective.name + (f" ({', '.join(differs)})" if differs and not all_of_them else "")] = None
    return ", ".join(told)
