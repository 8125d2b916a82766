"""What agreements make of the simulated years: verdicts, promises that can be kept, credits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from carriers.units import format_duration
from results.draws import Again, Draws
from results.estimates import Estimate, share
from results.quantiles import lowest_kept, tail_estimate, tail_mean, value_at_risk
from results.timeline import Floats
from results.verdicts import Verdict, judge
from sla.assessment import Customer as Holder
from sla.assessment import Flags
from sla.objectives import Objective
from sla.reckoning import Agreement, Reckoning
from sla.terms import BillingCycle, FixedWindow, RollingWindow, Terms

if TYPE_CHECKING:
    from callsim.scenario.model import Scenario


ALWAYS_UP = {"name": "availability", "at_least": "100%"}
"""An objective that is there to be measured."""


@dataclass(frozen=True)
class Judgement:
    """An objective of an agreement with the share of windows that keep it."""

    agreement: str
    objective: Objective
    window: str
    """What its windows are called: `month`, `year`, `720h` and so on."""
    met_share: Estimate
    verdict: Verdict | None
    """None where it could not be assessed."""
    why_not: str | None
    promise: Estimate | None
    """Target that at most a share `risk` of the windows breaks; None where nothing tells."""
    customer: str | None
    """Whose windows these are; None: those of all who hold the terms."""


@dataclass(frozen=True)
class CreditFigures:
    """What is paid for a window, as a share of a month's fee."""

    customer: str | None
    """None: all customers together, in calendar months."""
    agreement: str
    mean_share_of_fee: Estimate
    var95: float
    var99: float
    cvar99: float
    chronic_share: Estimate
    """Share of the windows in which the chronic rule is fulfilled."""
    intervals: dict[str, Estimate]
    """Of `var95` and `var99` by order statistics, of `cvar99` by its asymptotic law."""
    bonus_share: float | None
    """Mean share that customers pay more for what was exceeded; None where windows differ."""
    fee: float | None
    currency: str
    promised: bool
    """Whether the terms promise credits or a bonus at all."""

    def to_json(self) -> dict[str, Any]:
        """Return what the JSON contract says, with the intervals beside."""
        amount = None if self.fee is None else self.mean_share_of_fee.scaled(self.fee)
        return {
            "mean_share_of_fee": self.mean_share_of_fee.to_json(),
            "var95": self.var95,
            "var99": self.var99,
            "cvar99": self.cvar99,
            "chronic_share": self.chronic_share.value,
            "intervals": {
                **{name: estimate.to_json() for name, estimate in self.intervals.items()},
                "chronic_share": self.chronic_share.to_json(),
            },
            "mean_bonus_share": self.bonus_share,
            "mean_amount_per_window": None if amount is None else amount.to_json(),
            "currency": self.currency,
        }


@dataclass(frozen=True)
class Accounts:
    """Everything that the agreements of a scenario make of a run."""

    judgements: tuple[Judgement, ...]
    customers: tuple[CreditFigures, ...]
    portfolio: CreditFigures | None
    eligible: Estimate | None
    """Availability after exclusions; None where agreements differ about it."""
    claimed: Estimate | None
    not_assessed: tuple[str, ...]


def agreements_of(scenario: Scenario) -> tuple[Agreement, ...]:
    """Return who holds which terms; a scenario without customers makes its promise to anybody."""
    if not scenario.customers:
        return () if scenario.sla is None else (Agreement(scenario.sla, Holder()),)
    return tuple(
        Agreement(
            terms,
            Holder(
                name=customer.name,
                fee=customer.fee,
                fees=customer.fees,
                users=customer.users,
                has=frozenset(customer.has),
                good_standing=customer.good_standing,
            ),
        )
        for customer in scenario.customers
        if (terms := customer.sla or scenario.sla) is not None
    )


def undertaking(scenario: Scenario) -> Agreement:
    """Return the plainest promise there is: availability in calendar months of the scenario's time zone."""
    plain = {"objectives": [ALWAYS_UP], "measured": {"timezone": scenario.timezone}}
    return Agreement(Terms.model_validate(plain), Holder())


def window_name(terms: Terms, objective: Objective | None = None) -> str:
    """What a window of an objective (or of the terms) is called."""
    if objective is not None and objective.window is not None:
        return objective.window
    window = terms.measured.window
    if isinstance(window, BillingCycle):
        return "billing month"
    if isinstance(window, FixedWindow):
        return f"{format_duration(window.fixed)} window"
    if isinstance(window, RollingWindow):
        return f"rolling {format_duration(window.rolling)}"
    return {"calendar_month": "month", "event": "outage"}.get(window, window)


def accounts(agreements: Sequence[Agreement], reckonings: Sequence[Reckoning], again: Again) -> Accounts:
    """Draw up the accounts of a run; `again` resamples its years."""
    pairs = list(zip(agreements, reckonings, strict=True))
    judged: list[Judgement] = []
    seen: dict[tuple[str, Objective], list[tuple[Floats, Flags]]] = {}
    for agreement, reckoning in pairs:
        for number, objective in enumerate(agreement.terms.objectives):
            had = seen.setdefault((agreement.terms.name, objective), [])
            # Customers with the same terms on one platform see the same windows, unless it is about devices
            # or a line of their own.
            windows = reckoning.actual[number], reckoning.met[number]
            if any(_alike(windows, other) for other in had):
                continue
            had.append(windows)
            judged.append(_judgement(agreement, objective, reckoning, number, again))
    judged = [
        judgement if len(seen[judgement.agreement, judgement.objective]) > 1
        else replace(judgement, customer=None)
        for judgement in judged
    ]  # fmt: skip
    customers = tuple(_figures(agreement, reckoning, again) for agreement, reckoning in pairs)
    return Accounts(
        judgements=tuple(judged),
        customers=customers,
        portfolio=_portfolio(pairs, again) if len(pairs) > 1 else next(iter(customers), None),
        eligible=_availability(pairs, "eligible", again),
        claimed=_availability(pairs, "claimed", again),
        not_assessed=tuple(dict.fromkeys(text for _, made in pairs for text in made.not_assessed)),
    )


def _alike(one: tuple[Floats, Flags], other: tuple[Floats, Flags]) -> bool:
    """Whether the same windows keep an objective, and measured practically the same."""
    return np.array_equal(one[1], other[1]) and np.allclose(one[0], other[0], rtol=1e-3, equal_nan=True)


def _judgement(
    agreement: Agreement, objective: Objective, reckoning: Reckoning, number: int, again: Again
) -> Judgement:
    met, actual, why_not = reckoning.met[number], reckoning.actual[number], reckoning.why_not[number]
    terms, name = agreement.terms, agreement.customer.name
    window = window_name(terms, objective)
    if why_not is not None:
        nothing = share(0, 0, again.confidence)
        return Judgement(terms.name, objective, window, nothing, None, why_not, None, name)
    met_share = _share(again, met)
    (promise,) = keepable_at(actual, objective, (objective.risk,), again)
    verdict = judge(met_share, objective.risk)
    return Judgement(terms.name, objective, window, met_share, verdict, None, promise, name)


def _share(again: Again, kept: Flags) -> Estimate:
    """Estimate the share of windows of which something is so."""
    if isinstance(again, Draws):
        return again.share(kept)
    return share(int(kept.sum()), len(kept), again.confidence)


def _lowest_kept(again: Again, values: Floats, risks: Sequence[float]) -> list[Estimate]:
    if isinstance(again, Draws):
        return again.lowest_kept(values, risks)
    return [lowest_kept(values, risk, again.confidence) for risk in risks]


def keepable_at(
    actual: Floats, objective: Objective, risks: Sequence[float], again: Again
) -> list[Estimate | None]:
    """Estimate, for each risk, the best target that at most such a share of windows with these values breaks.

    None where a broken promise takes several windows, which one window's value does not tell.
    """
    if objective.consecutive > 1:
        return [None] * len(risks)
    values, sign = oriented(actual, objective)
    return [finite(target.scaled(sign)) for target in _lowest_kept(again, values, risks)]


def keepable(actual: Floats, objective: Objective, risk: float, confidence: float) -> Estimate | None:
    """Do as `keepable_at` for one risk and windows that are independent of each other."""
    if objective.consecutive > 1:
        return None
    values, sign = oriented(actual, objective)
    return finite(lowest_kept(values, risk, confidence).scaled(sign))


def oriented(actual: Floats, objective: Objective) -> tuple[Floats, float]:
    """Return the windows' values turned so that higher is better, and the sign that turns them back.

    A window that measured nothing has the best value there is.
    """
    if not objective.higher_is_better:
        return -np.where(np.isnan(actual), 0.0, actual), -1.0
    best = 1.0 if objective.name in ("availability", "asr", "ner") else np.inf
    return np.where(np.isnan(actual), best, actual), 1.0


def finite(estimate: Estimate) -> Estimate | None:
    """Give nothing where the windows that measured nothing decide."""
    ends = (estimate.value, estimate.low, estimate.high, estimate.lower, estimate.upper)
    return estimate if all(end is None or np.isfinite(end) for end in ends) else None


def _figures(agreement: Agreement, reckoning: Reckoning, again: Again) -> CreditFigures:
    paid = reckoning.paid
    return _credit_figures(
        agreement.customer.name,
        agreement.terms.name,
        paid,
        again,
        again.ratio(reckoning.year_paid, reckoning.year_windows, int(np.count_nonzero(paid))),
        _share(again, reckoning.chronic),
        reckoning.bonus / max(len(reckoning.due), 1),
        agreement.customer.fee,
        agreement.terms.currency,
        bool(agreement.terms.credits or agreement.terms.bonus),
    )


def _portfolio(pairs: Sequence[tuple[Agreement, Reckoning]], again: Again) -> CreditFigures | None:
    """Add up what all customers are paid in a month: one outage pays many credits."""
    currencies = {agreement.terms.currency for agreement, _ in pairs}
    fees = [agreement.customer.fee for agreement, _ in pairs]
    if len(currencies) > 1 or (None in fees and any(fee is not None for fee in fees)):
        return None
    weights = np.array([1.0 if fee is None else fee for fee in fees])
    paid = np.zeros(len(pairs[0][1].month_paid))
    for weight, (_, reckoning) in zip((weights / weights.sum()).tolist(), pairs, strict=True):
        paid += weight * reckoning.month_paid
    by_year = paid.reshape(-1, 12).sum(axis=1)
    chronic = np.concatenate([made.chronic for _, made in pairs])
    if isinstance(again, Draws):
        # They tell by their order which draw windows are of.
        when = np.concatenate([np.linspace(0.0, 1.0, len(made.chronic)) for _, made in pairs])
        chronic = chronic[np.argsort(when, kind="stable")]
    return _credit_figures(
        None,
        ", ".join(dict.fromkeys(agreement.terms.name for agreement, _ in pairs)),
        paid,
        again,
        again.ratio(by_year, np.full(len(by_year), 12.0), int(np.count_nonzero(paid))),
        _share(again, chronic),
        None,
        None if None in fees else float(weights.sum()),
        currencies.pop(),
        any(agreement.terms.credits or agreement.terms.bonus for agreement, _ in pairs),
    )


def _credit_figures(
    customer: str | None,
    agreement: str,
    paid: Floats,
    again: Again,
    mean: Estimate,
    chronic: Estimate,
    bonus_share: float | None,
    fee: float | None,
    currency: str,
    promised: bool,
) -> CreditFigures:
    some = len(paid) > 0
    var95, var99 = _lowest_kept(again, -paid, (0.05, 0.01))
    return CreditFigures(
        customer=customer,
        agreement=agreement,
        mean_share_of_fee=mean,
        var95=value_at_risk(paid, 0.95) if some else 0.0,
        var99=value_at_risk(paid, 0.99) if some else 0.0,
        cvar99=tail_mean(paid, 0.99) if some else 0.0,
        chronic_share=chronic,
        intervals={
            "var95": var95.scaled(-1.0),
            "var99": var99.scaled(-1.0),
            "cvar99": (
                again.tail_mean(paid, 0.99)
                if isinstance(again, Draws)
                else tail_estimate(paid, 0.99, again.confidence)
            ),
        },
        bonus_share=bonus_share,
        fee=fee,
        currency=currency,
        promised=promised,
    )


def _availability(pairs: Iterable[tuple[Agreement, Reckoning]], kind: str, again: Again) -> Estimate | None:
    """Estimate an availability that all agreements agree on."""
    found = [(getattr(reckoning, kind), reckoning) for _, reckoning in pairs]
    if not found:
        return None
    down, reckoning = found[0]
    if any(not np.array_equal(other, down) for other, _ in found[1:]):
        return None
    return again.ratio(down, reckoning.base, reckoning.eligible_outages).scaled(-1.0, 1.0)
