"""Assessments of many simulated years, reduced to what their statistics need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.ledger import Ledger
from results.timeline import Floats
from sla.assessment import Assessment, Customer, Flags
from sla.terms import Terms

YEAR_MONTHS = 12


@dataclass(frozen=True)
class Agreement:
    """Terms, and the customer who holds them."""

    terms: Terms
    customer: Customer


def matters(agreement: Agreement) -> tuple[object, ...]:
    """Return what an assessment depends on of an agreement: customers who share it are assessed once."""
    terms, customer = agreement.terms, agreement.customer
    money = terms.caps.issued_above > 0
    for rule in terms.credits:
        worths = [rule.flat, rule.linear and rule.linear.credit]
        worths += [tier.credit for tier in rule.tiers] + [tier.credit for tier in rule.by_duration]
        bases = [rule.base, *(tier.base for tier in rule.tiers)]
        money |= any(bases) or any(worth and worth.unit not in ("share", "days") for worth in worths)
    by_users = terms.measured.by == "user_minutes" or any(rule.per_affected_user for rule in terms.credits)
    devices = any(objective.name == "hardware_exchange" for objective in terms.objectives)
    return (
        terms,
        customer.has,
        customer.good_standing,
        customer.users if by_users else None,
        (customer.fee, *sorted(customer.fees.items())) if money else None,
        customer.name if devices else None,
    )


@dataclass(frozen=True)
class Reckoning:
    """One agreement over streams: w windows of the terms, y years, m = 12 y calendar months.

    Shares are of one month's amount of the terms' base.
    """

    actual: tuple[Floats, ...]
    """For each objective its windows' measured values; NaN: nothing to measure."""
    met: tuple[Flags, ...]
    """For each objective whether its windows keep it."""
    why_not: tuple[str | None, ...]
    """For each objective why it was not assessed."""
    not_assessed: tuple[str, ...]
    due: Floats
    """(w,) share owed if it is claimed."""
    asked: Flags
    """(w,) whether the customer claims what is owed."""
    bonus: float
    """Sum over the windows of the share that the customer pays for what was exceeded."""
    chronic: Flags
    """(w,) whether the chronic rule is fulfilled."""
    year_windows: Floats
    """(y,) windows that end in the year."""
    year_paid: Floats
    """(y,) shares paid for them."""
    month_paid: Floats
    """(m,) shares paid for the windows that end in the month."""
    eligible: Floats
    """(y,) seconds down after exclusions."""
    claimed: Floats
    """(y,) seconds down that are claimed."""
    base: Floats
    """(y,) seconds that an availability is a share of: without excluded ones, or all."""
    eligible_outages: int

    @property
    def paid(self) -> Floats:
        """(w,) share owed and claimed."""
        return np.where(self.asked, self.due, 0.0)


def reckon(made: Assessment, ledger: Ledger, months: Floats, rng: np.random.Generator) -> Reckoning:
    """Reduce the assessment of a stream; `months` are the (m + 1,) bounds of its months in POSIX seconds."""
    terms = made.terms
    years = months[::YEAR_MONTHS]
    eligible = np.diff(made.downtime.eligible.before(years))
    claimed = np.diff(made.downtime.claimed.before(years))
    base = np.diff(np.minimum(years, ledger.end))
    if terms.excluded_time == "out_of_both":
        base = base - np.diff(made.downtime.excluded.before(years))
    credits = made.credits
    asked = rng.random(len(credits.windows)) < terms.claims.customers_who_claim
    paid = np.where(asked, credits.due, 0.0)
    month = np.clip(np.searchsorted(months, credits.windows.end - 1.0, side="right") - 1, 0, len(months) - 2)
    return Reckoning(
        actual=tuple(judged.actual for judged in made.judged),
        met=tuple(judged.met for judged in made.judged),
        why_not=tuple(judged.not_assessed for judged in made.judged),
        not_assessed=made.not_assessed,
        due=credits.due,
        asked=asked,
        bonus=float(credits.bonus.sum()),
        chronic=credits.chronic,
        year_windows=_sums(month // YEAR_MONTHS, np.ones(len(paid)), len(years) - 1),
        year_paid=_sums(month // YEAR_MONTHS, paid, len(years) - 1),
        month_paid=_sums(month, paid, len(months) - 1),
        eligible=eligible,
        claimed=claimed * terms.claims.customers_who_claim,
        base=base,
        eligible_outages=len(made.downtime.begin),
    )


def merge_reckonings(streams: Sequence[tuple[Reckoning, ...]]) -> tuple[Reckoning, ...]:
    """Join streams of the same agreements, in the order given; columns that are one stay one, for memory."""
    known: dict[tuple[int, ...], NDArray[Any]] = {}

    def joined(columns: Sequence[NDArray[Any]]) -> Any:  # noqa: ANN401 - numbers or flags, as the columns have
        key = tuple(map(id, columns))
        if key not in known:
            known[key] = np.concatenate(columns)
        return known[key]

    return tuple(_merged(parts, joined) for parts in zip(*streams, strict=True))


def _merged(parts: tuple[Reckoning, ...], joined: Callable[[Sequence[NDArray[Any]]], Any]) -> Reckoning:
    def each(name: str) -> Iterator[tuple[Any, ...]]:
        """Give, for each objective, what the streams have."""
        return zip(*(getattr(part, name) for part in parts), strict=True)

    return Reckoning(
        actual=tuple(map(joined, each("actual"))),
        met=tuple(map(joined, each("met"))),
        why_not=tuple(next(filter(None, whys), None) for whys in each("why_not")),
        not_assessed=tuple(dict.fromkeys(text for part in parts for text in part.not_assessed)),
        bonus=sum(part.bonus for part in parts),
        eligible_outages=sum(part.eligible_outages for part in parts),
        **{name: joined([getattr(part, name) for part in parts]) for name in _COLUMNS},
    )


_COLUMNS = (
    *("due", "asked", "chronic", "year_windows", "year_paid", "month_paid"),
    *("eligible", "claimed", "base"),
)


def _sums(index: NDArray[np.intp], values: Floats, size: int) -> Floats:
    return np.bincount(index, values, minlength=size).astype(np.float64)
