"""What each of several sets of terms pays on the same years, or on the same real record."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from callsim import figures
from callsim.agreements.accounts import Accounts, CreditFigures, Judgement
from callsim.report import columns, promised
from results.estimates import Estimate, share
from sla.assessment import Assessment
from sla.reckoning import Reckoning
from sla.terms import Terms


@dataclass(frozen=True)
class Row:
    """One set of terms."""

    terms: Terms
    windows: int
    credited: Estimate
    """Share of the windows with a credit."""
    mean: float | None
    """Mean credit of a window, as a share of a month's fee."""
    largest: float | None
    total: float | None
    """Credits of all windows, in months' fees."""
    assessed: bool
    """Whether any objective with a credit could be judged; without one nothing is known of its credits."""
    figures: CreditFigures | None
    """Intervals and tails; None of a real record, which is one history."""
    judged: tuple[Judgement, ...]
    not_assessed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "agreement": self.terms.name,
            "provider": self.terms.provider,
            "windows": self.windows,
            "credited_share": self.credited.to_json(),
            "mean_share_of_fee": self.mean,
            "largest_share": self.largest,
            "total_share": self.total,
            "credits": self.figures.to_json() if self.figures is not None and self.assessed else None,
            "not_assessed": list(self.not_assessed),
        }


def of_reckoning(terms: Terms, reckoning: Reckoning, found: Accounts) -> Row:
    """Make the row of terms under which years were simulated."""
    (credits,) = found.customers
    known = {o.name for o, why in zip(terms.objectives, reckoning.why_not, strict=True) if why is None}
    return _row(terms, reckoning.due, known, credits, found.judgements, reckoning.not_assessed)


def of_assessment(made: Assessment) -> Row:
    """Make the row of terms that judged a real record."""
    known = {judged.objective.name for judged in made.judged if judged.not_assessed is None}
    return _row(made.terms, made.credits.due, known, None, (), made.not_assessed)


def _row(
    terms: Terms,
    due: np.ndarray,
    known: Collection[str],
    credits: CreditFigures | None,
    judged: tuple[Judgement, ...],
    not_assessed: tuple[str, ...],
) -> Row:
    assessed = any(rule.objective in known for rule in terms.credits)
    many = len(due)
    some = many > 0 and assessed
    return Row(
        terms=terms,
        windows=many,
        credited=share(int(np.count_nonzero(due)), many) if assessed else share(0, 0),
        mean=float(due.mean()) if some else None,
        largest=float(due.max()) if some else None,
        total=float(due.sum()) if some else None,
        assessed=assessed,
        figures=credits,
        judged=judged,
        not_assessed=not_assessed,
    )


def terminal(rows: Sequence[Row], what: str, width: int = 80, quiet: bool = False) -> str:
    """Return the comparison as text, the most generous terms first; `quiet` leaves out the notes."""
    ordered = sorted(rows, key=lambda row: -(row.mean or 0.0))
    simulated = any(row.figures is not None for row in rows)
    head: tuple[str, ...] = ("Terms", "promise", "windows", "credited", "mean credit")
    head += ("VaR99", "CVaR99") if simulated else ("largest", "in all")
    cells = [head, *(_cells(row) for row in ordered)]
    parts = [
        [f"What each pays on {what}, as shares of a month's fee:"],
        columns(cells, width),
        [] if quiet else _notes(ordered, width),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _cells(row: Row) -> tuple[str, ...]:
    availability = next((o for o in row.terms.objectives if o.name == "availability"), None)
    cells = (
        row.terms.name,
        promised(availability) if availability is not None else "",
        f"{row.windows:,}",
    )
    if not row.terms.credits:
        return (*cells, "no credits", "", "", "")
    if not row.assessed:
        return (*cells, "not assessed", "", "", "")
    mean = "none" if row.mean is None else _percent(row.mean)
    if row.figures is not None:
        mean = f"{figures.number(row.figures.mean_share_of_fee.scaled(100.0))} %"
        tail = (_percent(row.figures.var99), _percent(row.figures.cvar99))
    else:
        tail = (_percent(row.largest or 0.0), _percent(row.total or 0.0))
    return (*cells, _percent(row.credited.value or 0.0), mean, *tail)


def _percent(value: float) -> str:
    return f"{figures.significant(100 * value, 3)} %"


def _notes(rows: Sequence[Row], width: int) -> list[str]:
    return [
        line
        for row in rows
        for text in row.not_assessed
        for line in textwrap.wrap(f"{row.terms.name}: not assessed: {text}", width, subsequent_indent="  ")
    ]
