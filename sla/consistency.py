"""Checks of one part of an agreement's terms against another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from carriers.units import format_duration, format_share
from documents.words import Path, Trouble
from sla.objectives import Objective, Unit
from sla.remedies import Bonus, Chronic, CreditRule, Measure, Worth

if TYPE_CHECKING:
    from sla.terms import Terms

OUTAGES = frozenset(
    {"availability", "downtime", "mttr", "time_to_restore", "mtbf", "outages", "notification"}
)
"""Objectives about outages."""
_EXAMPLES = {"share": "99.9%", "seconds": "30m", "number": "3.6"}
_KINDS = {"share": "a share", "seconds": "a duration", "number": "a bare number"}
_CALENDAR = {"calendar_month": "month", "quarter": "quarter", "year": "year"}
_TELLS = ("window", "scope", "priority", "requires")


def written(value: float, unit: Unit) -> str:
    """Write a target or level as a terms file has it."""
    if unit == "share":
        return format_share(value)
    return format_duration(value) if unit == "seconds" else f"{value:g}"


def identity(terms: Terms, objective: Objective) -> dict[str, str | None]:
    """What tells an objective from others of the same name, with what it leaves to the terms filled in."""
    own = _CALENDAR.get(str(terms.measured.window))
    return {
        "window": objective.window or own,
        "scope": objective.scope or terms.scope,
        "priority": getattr(objective, "priority", None),
        "requires": objective.requires,
    }


def objective_of(terms: Terms, part: CreditRule | Bonus | Chronic) -> Objective | None:
    """Objective that a credit, bonus or chronic rule is about; None: not exactly one.

    Where several have the name, what the rule leaves out is that of the terms: their window, their scope, no
    priority, nothing required.
    """
    named = [objective for objective in terms.objectives if objective.name == part.objective]
    asked = {key: getattr(part, key, None) for key in _TELLS}
    if len(named) > 1:
        asked["window"] = asked["window"] or _CALENDAR.get(str(terms.measured.window))
        asked["scope"] = asked["scope"] or terms.scope
        found = [objective for objective in named if identity(terms, objective) == asked]
        if not found:  # `requires` of a rule may be of its own: only these customers are paid
            asked["requires"] = None
            found = [objective for objective in named if identity(terms, objective) == asked]
    else:
        given = {key: value for key, value in asked.items() if value is not None and key != "requires"}
        found = [o for o in named if given.items() <= identity(terms, o).items()]
    return found[0] if len(found) == 1 else None


def inconsistencies(terms: Terms) -> Iterator[Trouble]:
    """Everything in terms that does not fit with the rest of them."""
    return chain(_nothing(terms), _twins(terms), _references(terms), _remedies(terms), _money(terms))


def _nothing(terms: Terms) -> Iterator[Trouble]:
    if not terms.objectives and not terms.unknown:
        yield ("objectives",), "nothing is promised; write an objective, or what is `unknown`"


def _twins(terms: Terms) -> Iterator[Trouble]:
    seen: dict[tuple[str | None, ...], int] = {}
    for n, objective in enumerate(terms.objectives):
        key = (objective.name, *identity(terms, objective).values())
        if key in seen:
            message = f"'{objective.name}' stands here twice; tell them apart by {', '.join(_TELLS)}"
            yield ("objectives", n, "name"), message
        seen[key] = n


def _parts(terms: Terms) -> Iterator[tuple[Path, CreditRule | Bonus | Chronic]]:
    for n, rule in enumerate(terms.credits):
        yield ("credits", n), rule
    for n, bonus in enumerate(terms.bonus):
        yield ("bonus", n), bonus
    if terms.chronic is not None:
        yield ("chronic",), terms.chronic


def _references(terms: Terms) -> Iterator[Trouble]:
    names = {objective.name for objective in terms.objectives}
    unclear = {terms.objectives[int(path[1])].name for path, _ in _twins(terms)}
    known = ", ".join(sorted(names)) or "none"
    for path, part in _parts(terms):
        at = (*path, "objective")
        if part.objective not in names:
            yield at, f"no objective is called '{part.objective}'; there is {known}"
        elif part.objective not in unclear and objective_of(terms, part) is None:
            asked = [f"{key}: {getattr(part, key)}" for key in _TELLS if getattr(part, key, None)]
            what = f"no '{part.objective}' has {', '.join(asked)}" if asked else f"which '{part.objective}'?"
            yield at, f"{what}; several of a name are told apart by {', '.join(_TELLS)}"


def _remedies(terms: Terms) -> Iterator[Trouble]:
    for n, rule in enumerate(terms.credits):
        objective = objective_of(terms, rule)
        if objective is None:
            continue
        at = ("credits", n)
        for m, tier in enumerate(rule.tiers):
            right, other = ("below", "above") if objective.higher_is_better else ("above", "below")
            if getattr(tier, other) is not None:
                message = f"'{objective.name}' is broken {right} its target; write `{right}`"
                yield (*at, "tiers", m, other), message
            for key in ("below", "down_to", "above", "up_to"):
                yield from _unit((*at, "tiers", m, key), getattr(tier, key), objective)
        if rule.linear is not None:
            yield from _unit((*at, "linear", "per"), rule.linear.per, objective)
        if rule.by_duration and objective.name not in OUTAGES:
            yield (
                (*at, "by_duration"),
                f"'{objective.name}' is not about outages; write tiers, flat or linear",
            )
        for m, step in enumerate(rule.by_duration):
            if step.up_to is not None and step.up_to <= (step.longer_than or 0.0):
                yield (*at, "by_duration", m, "up_to"), "leaves nothing of the tier"
    for n, bonus in enumerate(terms.bonus):
        objective = objective_of(terms, bonus)
        if objective is None:
            continue
        level_at = ("bonus", n, "better_than")
        yield from _unit(level_at, bonus.better_than, objective)
        worse = (
            bonus.better_than < objective.target
            if objective.higher_is_better
            else bonus.better_than > objective.target
        )
        if bonus.better_than.unit == objective.unit and worse:
            target = written(objective.target, objective.unit)
            level = written(bonus.better_than, objective.unit)
            yield level_at, f"{level} is no better than the target, {target}"


def _unit(at: Path, level: Measure | None, objective: Objective) -> Iterator[Trouble]:
    if level is not None and level.unit != objective.unit:
        kinds = f"{_KINDS[level.unit]}, and '{objective.name}' takes {_KINDS[objective.unit]}"
        yield at, f"{written(level, level.unit)} is {kinds}; write one like {_EXAMPLES[objective.unit]}"


def _money(terms: Terms) -> Iterator[Trouble]:
    used: list[tuple[Path, Worth | None]] = []
    if terms.chronic is not None:
        used += [(("chronic", "credit"), terms.chronic.credit)]
    used += [(("caps", "unit_worth"), terms.caps.unit_worth)]
    for n, rule in enumerate(terms.credits):
        at = ("credits", n)
        used += [((*at, "flat"), rule.flat)]
        used += [((*at, "linear", "credit"), rule.linear.credit)] if rule.linear else []
        for key in ("tiers", "by_duration"):
            used += [((*at, key, m, "credit"), tier.credit) for m, tier in enumerate(getattr(rule, key))]
    for path, worth in used:
        if worth is not None and worth.unit not in ("share", "days", "units", terms.currency):
            yield path, f"{worth.amount:g} {worth.unit} is not in the terms' currency, {terms.currency}"
        elif worth is not None and path == ("caps", "unit_worth") and worth.unit == "units":
            yield path, "says nothing; write what a unit is worth, like 1% or 20 USD"
