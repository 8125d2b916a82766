"""Terms applied to a ledger: the one entry to everything that an agreement makes of a record."""

from __future__ import annotations

import numpy as np

from results.ledger import Ledger
from sla.assessment import Assessment, Availability, Customer, Windows
from sla.crediting import credit
from sla.downtime import Counted
from sla.judging import CannotJudgeError, Case, availability, down_seconds, gross_call_success, judge
from sla.terms import Terms


def assess(
    terms: Terms,
    ledger: Ledger,
    customer: Customer = Customer(),  # noqa: B008 - frozen
    span: tuple[float, float] | None = None,
) -> Assessment:
    """Judge a record and work out what is due.

    Only windows that the record covers whole are judged; with `span` (POSIX seconds) exactly this stretch is
    the one window of the terms, whatever it is called. Windows of other objectives are then those that end in
    it. Raises ValueError for a span that is not within the record, and `crediting.GapError` for a value in a
    gap of the tiers where the terms want no answer.
    """
    if span is not None and not ledger.start <= span[0] < span[1] <= ledger.end:
        raise ValueError(f"span(={span}) must lie in the record, [{ledger.start}, {ledger.end})")
    return assess_case(Case(terms, ledger, customer, span))


def assess_case(case: Case) -> Assessment:
    """Do as `assess`."""
    terms, customer = case.terms, case.customer
    down = case.downtime()
    judged = tuple(judge(case, objective) for objective in terms.objectives)
    lacking: dict[str, None] = dict.fromkeys(down.notes)
    if down.unusable:
        lacking[f"Downtime: {down.unusable}."] = None
    for one in judged:
        if one.not_assessed is not None:
            about = getattr(one.objective, "priority", None) or one.objective.scope or one.objective.window
            name = f"{one.objective.name} ({about})" if about else one.objective.name
            lacking[f"{name}: {one.not_assessed}."] = None
    credits = credit(case, judged, lacking)
    return Assessment(
        terms=terms,
        customer=customer,
        downtime=down.told(),
        availability=_availabilities(case, down, credits.windows, lacking),
        judged=judged,
        credits=credits,
        not_assessed=tuple(lacking),
    )


def _availabilities(case: Case, down: Counted, windows: Windows, lacking: dict[str, None]) -> Availability:
    unknown = np.full(len(windows), np.nan)
    length = windows.end - windows.start
    gross = 1 - (down.gross.before(windows.end) - down.gross.before(windows.start)) / length
    if down.unusable:
        known = case.terms.scope in case.ledger.scopes
        return Availability(windows, gross if known else unknown, unknown, unknown, unknown)
    seconds = down_seconds(case, down, down.eligible, windows)
    try:
        eligible = availability(case, down, down.eligible, windows)
        claimed = availability(case, down, down.claimed, windows)
        if case.terms.measured.by == "call_success":
            gross = gross_call_success(case, windows)
    except CannotJudgeError as why:
        lacking[f"Availability: {why}."] = None
        return Availability(windows, gross, unknown, unknown, seconds)
    return Availability(windows, gross, eligible, claimed, seconds)
