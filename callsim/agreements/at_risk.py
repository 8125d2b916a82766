"""The promise at risk: the highest target that at most a share of the windows breaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from callsim.agreements.accounts import ALWAYS_UP, keepable_at, window_name
from results.draws import Again
from results.estimates import Estimate
from results.timeline import Floats
from sla.objectives import Availability, Objective, ObjectiveWindow
from sla.reckoning import Agreement, Reckoning
from sla.remedies import CreditRule
from sla.terms import Terms

if TYPE_CHECKING:
    import pandas as pd

    from callsim.result import Result

RISKS = (0.001, 0.01, 0.05, 0.10)
WINDOWS: tuple[ObjectiveWindow, ...] = get_args(ObjectiveWindow)


class UnpromisedError(Exception):
    """An objective is asked for that the terms do not have."""


@dataclass(frozen=True)
class Row:
    """One objective in one kind of window."""

    agreement: str
    objective: Objective
    window: str
    risks: tuple[float, ...]
    targets: tuple[Estimate | None, ...]
    """For each risk the target that one can sign; None where nothing tells."""
    actual: Floats
    """What each window measured."""


@dataclass(frozen=True)
class Unassessed:
    """An objective that the simulation says nothing about."""

    agreement: str
    objective: Objective
    why: str


@dataclass(frozen=True)
class Promises:
    """All promises at risk of a scenario."""

    scenario: str
    seed: int
    years: int
    average: Estimate
    """Gross availability over all years."""
    result: Result
    """The run behind them."""
    rows: tuple[Row, ...]
    unassessed: tuple[Unassessed, ...]
    draws: int | None
    """Draws of parameters that the windows fall into; None: the parameters are taken as known."""
    partial: str | None = None
    """Why there are fewer years than wanted."""

    def to_frame(self) -> pd.DataFrame:
        """Return the targets as a table, one row each (needs pandas)."""
        import pandas as pd  # noqa: PLC0415 - an extra

        rows = self.to_json()
        table = pd.DataFrame(rows).drop(columns="target")
        return table.join(pd.DataFrame([row["target"] for row in rows]).rename(columns={"value": "target"}))

    def to_json(self) -> list[dict[str, Any]]:
        """Return the rows as the `promise` key of the JSON contract has them."""
        return [
            {
                "agreement": row.agreement,
                "objective": row.objective.name,
                "window": row.window,
                "risk": risk,
                "target": target.to_json(),
            }
            for row in self.rows
            for risk, target in zip(row.risks, row.targets, strict=True)
            if target is not None
        ]


def widened(terms: Terms, only: str | None = None) -> Terms:
    """Return the terms with each objective in months, quarters and years, availability among them.

    `only` names one objective. Raises UnpromisedError where the terms do not have it.
    """
    wanted = [o for o in terms.objectives if only in (None, o.name)]
    if only in (None, "availability") and not any(o.name == "availability" for o in wanted):
        wanted.insert(0, Availability.model_validate(ALWAYS_UP))
    if not wanted:
        known = ", ".join(dict.fromkeys(("availability", *(o.name for o in terms.objectives))))
        raise UnpromisedError(f"the terms promise no {only}; there is {known}")
    kinds: dict[Objective, Objective] = {}
    for objective in wanted:
        bare = untargeted(objective)
        kinds.setdefault(bare, objective)
    objectives = tuple(
        objective.model_copy(update={"window": window, "consecutive": 1})
        for objective in kinds.values()
        for window in WINDOWS
    )
    return terms.model_copy(update={"objectives": objectives, "credits": (), "bonus": (), "chronic": None})


def untargeted(objective: Objective) -> Objective:
    """Return what makes two objectives measure the same: everything but target, window and risk."""
    same = {"window": None, "risk": 0.5, "consecutive": 1}
    targets = {name: 1 for name in ("at_least", "at_most", "p95_at_most") if hasattr(objective, name)}
    return objective.model_copy(update=same | targets)


def tabulated(
    agreements: Sequence[Agreement], reckonings: Sequence[Reckoning], risks: Sequence[float], again: Again
) -> tuple[tuple[Row, ...], tuple[Unassessed, ...]]:
    """Tabulate the promises of agreements whose terms were `widened`; `again` knows of draws of parameters.

    With these a target is the quantile over all windows, so that it has their uncertainty in it.
    """
    rows, without = [], []
    for agreement, reckoning in zip(agreements, reckonings, strict=True):
        for number, objective in enumerate(agreement.terms.objectives):
            why = reckoning.why_not[number]
            if why is not None:
                if objective.window == WINDOWS[0]:
                    without.append(Unassessed(agreement.terms.name, objective, why))
                continue
            actual = reckoning.actual[number]
            targets = tuple(keepable_at(actual, objective, risks, again))
            window = window_name(agreement.terms, objective)
            rows.append(Row(agreement.terms.name, objective, window, tuple(risks), targets, actual))
    return tuple(rows), tuple(without)


def nines(availability: float) -> int:
    """How many nines a marketing page would print: 0.99995 has four."""
    return 99 if availability >= 1.0 else math.floor(-math.log10(1.0 - availability) + 1e-9)


def credit_by_target(rule: CreditRule, actual: Floats, targets: Floats) -> Floats:
    """Mean credit, as a share of the base, if what `rule` pays first began at each of these targets.

    (t,) for availability targets; further tiers stay where they are. Only credits written as shares count.
    """
    if rule.flat is not None:
        first, lower = rule.flat, np.zeros(len(actual))
    else:
        tiers = sorted(rule.tiers, key=lambda tier: -(tier.below or 0.0))
        first, lower = tiers[0].credit, np.zeros(len(actual))
        for tier in tiers[1:]:
            within = (actual < (tier.below or 0.0)) & (actual >= (tier.down_to or 0.0))
            lower[within] = np.maximum(lower[within], tier.credit.amount)
    free = np.sort(actual[lower == 0.0])
    share = np.searchsorted(free, targets, side="left") / len(actual)
    return np.asarray(lower.mean() + first.amount * share)
