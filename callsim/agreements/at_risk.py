"""The promise at risk: the highest target that at most a share of the windows breaks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from callsim.agreements.accounts import ALWAYS_UP, finite, keepable, oriented, window_name
from results.estimates import Estimate
from results.quantiles import lowest_kept
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
RESAMPLES = 1000


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
    result: Result | None
    """The run behind them; None where there are several, of uncertain parameters."""
    rows: tuple[Row, ...]
    unassessed: tuple[Unassessed, ...]
    draws: int | None
    """Draws of uncertain parameters that the windows fall into; None: the parameters are taken as known."""
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
    agreements: Sequence[Agreement],
    reckonings: Sequence[Reckoning],
    risks: Sequence[float],
    confidence: float,
    draws: tuple[int, np.random.Generator] | None = None,
) -> tuple[tuple[Row, ...], tuple[Unassessed, ...]]:
    """Tabulate the promises of agreements whose terms were `widened`.

    Where the windows come from draws of parameters, `draws` says how many, with a generator to resample them.
    """
    interval = None if draws is None else by_draws(*draws, confidence)
    rows, without = [], []
    for agreement, reckoning in zip(agreements, reckonings, strict=True):
        for number, objective in enumerate(agreement.terms.objectives):
            why = reckoning.why_not[number]
            if why is not None:
                if objective.window == WINDOWS[0]:
                    without.append(Unassessed(agreement.terms.name, objective, why))
                continue
            actual = reckoning.actual[number]
            if interval is None:
                targets = tuple(keepable(actual, objective, risk, confidence) for risk in risks)
            else:
                targets = tuple(interval(actual, objective, risk) for risk in risks)
            window = window_name(agreement.terms, objective)
            rows.append(Row(agreement.terms.name, objective, window, tuple(risks), targets, actual))
    return tuple(rows), tuple(without)


def nines(availability: float) -> int:
    """How many nines a marketing page would print: 0.99995 has four."""
    return 99 if availability >= 1.0 else math.floor(-math.log10(1.0 - availability) + 1e-9)


def by_draws(
    draws: int, rng: np.random.Generator, confidence: float
) -> Callable[[Floats, Objective, float], Estimate | None]:
    """Estimate targets where the windows come from `draws` of the parameters, as many windows each.

    The value is the quantile over all windows, so that it has the uncertainty of the parameters in it; the
    interval resamples the draws (a bootstrap of clusters).
    """

    def interval(actual: Floats, objective: Objective, risk: float) -> Estimate | None:
        values, sign = oriented(actual, objective)
        order = np.argsort(values)
        draw = np.repeat(np.arange(draws), np.diff(np.linspace(0, len(values), draws + 1).astype(int)))[order]
        found = []
        for _ in range(RESAMPLES):
            times = np.bincount(rng.integers(0, draws, draws), minlength=draws)
            below = np.cumsum(times[draw])
            found.append(values[order[np.searchsorted(below, risk * below[-1], side="right")]])
        each = (1 - confidence) / 2
        value = lowest_kept(values, risk, confidence).value
        low, high, lower, upper = np.quantile(found, (each, 1 - each, 2 * each, 1 - 2 * each)).tolist()
        return finite(Estimate(value, low, high, confidence, draws, lower, upper).scaled(sign))

    return interval


def average_of_draws(availabilities: Floats, rng: np.random.Generator, confidence: float) -> Estimate:
    """Estimate the mean availability over draws of the parameters, by resampling the draws."""
    many = len(availabilities)
    means = availabilities[rng.integers(0, many, (RESAMPLES, many))].mean(axis=1)
    each = (1 - confidence) / 2
    low, high, lower, upper = np.quantile(means, (each, 1 - each, 2 * each, 1 - 2 * each)).tolist()
    return Estimate(float(availabilities.mean()), low, high, confidence, many, lower, upper)


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
