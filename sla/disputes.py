"""Whose record of the same time counts where two records differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sla.assessment import Assessment, Flags
from sla.judging import SLACK
from sla.terms import Measured

Party = Literal["provider", "customer", "third_party"]
WORDS: dict[Party, str] = {
    "provider": "the provider",
    "customer": "the customer",
    "third_party": "a third party",
}


@dataclass(frozen=True)
class Settled:
    """What terms say of two records, window by window (w,)."""

    differ: Flags
    """Whether availability after exclusions or what is due is not the same."""
    counts: tuple[int | None, ...]
    """The record that counts, 0 or 1; None: the terms name neither, or do not say."""
    why: tuple[str, ...]


def settle(records: Sequence[Assessment], by: Sequence[Party]) -> Settled:
    """Tell which of two assessments of the same windows counts in each; `by` is who kept the records.

    Where they agree both are right, and the first is taken. Raises ValueError for other windows, or for two
    records of one party.
    """
    first, second = records
    windows, others = first.credits.windows, second.credits.windows
    if by[0] == by[1]:
        raise ValueError(f"by(={by[0]}, {by[1]}) must be two parties")
    if not (np.array_equal(windows.start, others.start) and np.array_equal(windows.end, others.end)):
        raise ValueError("the assessments must be of the same windows")
    one, other = first.availability.eligible, second.availability.eligible
    unknown = np.isnan(one) | np.isnan(other)
    level = np.where(unknown, np.isnan(one) & np.isnan(other), np.abs(one - other) <= SLACK["share"])
    differ = ~level.astype(bool) | (np.abs(first.credits.due - second.credits.due) > SLACK["share"])
    measured = first.terms.measured
    found = [
        _settled(measured, by, (float(one[n]), float(other[n]))) if differ[n] else (0, "the records agree")
        for n in range(len(windows))
    ]
    return Settled(differ, tuple(counts for counts, _ in found), tuple(why for _, why in found))


def _settled(
    measured: Measured, by: Sequence[Party], eligible: tuple[float, float]
) -> tuple[int | None, str]:
    match measured.disputes:
        case None:
            return _named(measured.measured_by, by)
        case "lower" | "higher" as rule:
            if np.isnan(eligible).any():
                return None, f"the {rule} availability counts, and one of them is not known"
            if abs(eligible[0] - eligible[1]) <= SLACK["share"]:
                return _named(measured.measured_by, by)
            lower = int(eligible[1] < eligible[0])
            return (lower if rule == "lower" else 1 - lower), f"the {rule} availability counts"
        case party:
            return _named(party, by)


def _named(party: Party, by: Sequence[Party]) -> tuple[int | None, str]:
    if party in by:
        return by.index(party), f"the record of {WORDS[party]} counts"
    return None, f"the record of {WORDS[party]} counts, and is not given"


def not_theirs(measured: Measured, by: Party) -> str | None:
    """Say that a single record is not by whom the terms name, if so."""
    if by == measured.measured_by:
        return None
    return (
        f"Whose record counts: the terms name that of {WORDS[measured.measured_by]}, and this one is by "
        f"{WORDS[by]}."
    )
