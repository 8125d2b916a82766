"""What can be claimed of a month that probes watched, outage by outage."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from callsim import figures
from callsim.claiming.evidence import Evidence
from callsim.claiming.tickets import Known
from callsim.plan.model import Plan
from callsim.reading.looking import DAY, Looked
from carriers.units import format_duration
from results.incidents import Episode
from results.ledger import Ledger
from results.sight import Sight
from results.stretches import Stretches
from sla.assessment import Assessment
from sla.terms import Terms

ROUNDING = 2e-3
"""Seconds that a ledger's times may be off; it has milliseconds."""


class Standing(Enum):
    """What becomes of the claim."""

    PROVEN = "proven"
    """What the probes prove gives a credit."""
    POSSIBLE = "possible"
    """Only outages as long as they can have been give one."""
    NOTHING = "nothing"
    """No credit is due, however long the outages were."""
    UNKNOWN = "unknown"
    """No rule of credits can be judged on what there is."""


@dataclass(frozen=True)
class Question:
    """What is claimed under, and for whom and when."""

    terms: Terms
    terms_file: Path
    clauses: tuple[str, ...]
    """Where each rule of `terms.credits` stands: the file's name and the line."""
    plan: Plan
    plan_file: Path
    subject: str
    since: float
    until: float
    """POSIX seconds of the whole time; it may not be over."""
    period: str
    """What it is called, like 2026-10."""
    customer: str | None
    now: float

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of the terms."""
        return ZoneInfo(self.terms.measured.timezone)

    @property
    def seen_until(self) -> float:
        """How far it has come."""
        return min(self.until, self.now)

    @property
    def over(self) -> bool:
        """Whether all of it is past."""
        return self.until <= self.now


class Excluded(NamedTuple):
    """A stretch of an outage that the terms exclude."""

    start: float
    end: float
    reason: str


@dataclass(frozen=True)
class Outage:
    """An outage with what shows it, and what the terms make of it; seconds."""

    number: int
    """From 1."""
    episode: Episode
    start: float
    """From its latest beginning ..."""
    end: float
    """... to its earliest end, within the time that is claimed for."""
    certain: float
    """Length that it must have had, without unknown time."""
    possible: float
    """Length that it can have had."""
    counts: float
    """What can be claimed of its certain length."""
    excluded: tuple[Excluded, ...]
    says: tuple[str, ...]
    """What the terms say of it."""
    claim_by: float | None
    """POSIX seconds by which it has to be claimed, where each outage has its own time."""
    evidence: Evidence


@dataclass(frozen=True)
class Claim:
    """Everything that is known of a claim."""

    question: Question
    looked: Looked
    sight: Sight
    ledger: Ledger
    """Outages as short as they must have been, with what else is known of them."""
    shortest: Assessment
    longest: Assessment
    outages: tuple[Outage, ...]
    known: Known | None
    """What a file told besides; None: no file."""
    recorded_plan: bool
    """Whether the store has the plan as it is now, word by word."""

    @property
    def terms(self) -> Terms:
        """Terms that it is under."""
        return self.question.terms

    @property
    def due(self) -> float:
        """Share of a month's fee that is proven."""
        return total(self.shortest)

    @property
    def due_longest(self) -> float:
        """Share that would be due if outages were as long as they can have been."""
        return total(self.longest)

    @property
    def standing(self) -> Standing:
        """What becomes of it."""
        if self.due > 0:
            return Standing.PROVEN
        if self.due_longest > 0:
            return Standing.POSSIBLE
        return Standing.NOTHING if self.assessed or not self.terms.credits else Standing.UNKNOWN

    @property
    def grounded(self) -> bool:
        """Whether there is something to claim on: a proven credit, or an outage that may give one."""
        return self.standing is Standing.PROVEN or (self.standing is Standing.POSSIBLE and bool(self.outages))

    @property
    def unseen(self) -> float:
        """Seconds, up to now, of which no probe tells."""
        return self.sight.until - self.sight.since - self.sight.known

    @property
    def assessed(self) -> bool:
        """Whether any rule of credits could be judged."""
        known = {one.objective.name for one in self.shortest.judged if one.not_assessed is None}
        return any(rule.objective in known for rule in self.terms.credits)

    @property
    def claim_by(self) -> float | None:
        """POSIX seconds by which it has to be claimed; None: no limit, or no claim is needed."""
        made = self.shortest if self.due > 0 else self.longest
        return min((t for t in made.credits.claim_by.tolist() if not math.isnan(t)), default=None)

    @property
    def days_left(self) -> float | None:
        """Days until then; negative: it is past."""
        return None if self.claim_by is None else (self.claim_by - self.question.now) / DAY

    @property
    def rules(self) -> tuple[int, ...]:
        """Rules of `terms.credits` by which something is due, proven or not."""
        by_rule = self.shortest.credits.by_rule
        if not by_rule.any():
            by_rule = self.longest.credits.by_rule
        return tuple(int(n) for n in np.flatnonzero(by_rule.sum(axis=1) > 0))


def total(made: Assessment) -> float:
    """Share of a month's fee that is due in all windows."""
    return float(made.credits.due.sum())


def counted(count: int, one: str, many: str) -> str:
    """Write a number with the words that go with it."""
    return f"{count:,} {one if count == 1 else many}"


def money(claim: Claim, share: float) -> str:
    """Write a share of the fee, in money where the fee is known."""
    fee, percent = claim.shortest.customer.fee, figures.plain_percent(float(f"{share:.10g}"))
    base = claim.terms.base.replace("_", " ")
    if fee is None:
        return f"{percent} of a month's {base} amount"
    currency = claim.terms.currency
    return f"{share * fee:,.2f} {currency} ({percent} of {fee:,.2f} {currency})"


def outages_of(
    question: Question, sight: Sight, shortest: Assessment, longest: Assessment, seen: Sequence[Evidence]
) -> tuple[Outage, ...]:
    """Say of each outage what the terms make of it."""
    begins, ends = sight.span("shortest")
    certain, possible = sight.seconds("shortest"), sight.seconds("longest")
    parts = {
        name: _of_each(getattr(shortest.downtime, name), begins)
        for name in ("gross", "counted", "eligible", "claimed")
    }
    excluded = _excluded(shortest, begins)
    made = []
    for n, episode in enumerate(sight.outages):
        own = {name: [span for span, at in found if at == n] for name, found in parts.items()}
        seconds = {name: sum((end - start for start, end in spans), 0.0) for name, spans in own.items()}
        lengths = _Lengths(float(certain[n]), float(possible[n]), **seconds)
        made.append(
            Outage(
                number=n + 1,
                episode=episode,
                start=float(begins[n]),
                end=float(ends[n]),
                certain=lengths.certain,
                possible=lengths.possible,
                counts=lengths.claimed,
                excluded=tuple(one for one, at in excluded if at == n),
                says=tuple(_says(question.terms, lengths, [one for one, at in excluded if at == n])),
                claim_by=_claim_by(question.terms, own["claimed"]),
                evidence=seen[n],
            )
        )
    return tuple(made)


class _Lengths(NamedTuple):
    """Seconds of an outage: as probes saw it, and as each step of the terms leaves it."""

    certain: float
    possible: float
    gross: float
    counted: float
    eligible: float
    claimed: float


def _of_each(stretches: Stretches, begins: np.ndarray) -> list[tuple[tuple[float, float], int]]:
    """Give stretches with the outage that each is of: the last that began before it."""
    at = np.searchsorted(begins, stretches.start + ROUNDING, side="right") - 1
    spans = zip(stretches.start.tolist(), stretches.end.tolist(), strict=True)
    return list(zip(spans, np.maximum(at, 0).tolist(), strict=True))


def _excluded(made: Assessment, begins: np.ndarray) -> list[tuple[Excluded, int]]:
    reasons = made.downtime.excluded_reason
    found = _of_each(made.downtime.excluded, begins)
    return [(Excluded(*span, reason), at) for (span, at), reason in zip(found, reasons, strict=True)]


def _claim_by(terms: Terms, claimed: Sequence[tuple[float, float]]) -> float | None:
    claims = terms.claims
    if claims.automatic or claims.within is None or claims.after != "incident" or not claimed:
        return None
    return max(end for _, end in claimed) + claims.within


def _says(terms: Terms, lengths: _Lengths, excluded: Sequence[Excluded]) -> Iterator[str]:
    """Say what the terms make of an outage, in their order: clock and minimum, exclusions, tickets."""
    measured = terms.measured
    can = format_duration(lengths.possible)
    if lengths.certain <= ROUNDING:
        yield f"No length of it is certain, so nothing of it is claimed; it can have lasted {can}."
        return
    certain = format_duration(lengths.certain)
    clocked = (measured.clock.from_, measured.clock.to) != ("fault", "restored")
    if lengths.counted <= ROUNDING:
        if measured.min_outage and measured.continuous and lengths.certain < measured.min_outage:
            least = format_duration(measured.min_outage)
            enough = "which would be enough" if lengths.possible >= measured.min_outage else "too little too"
            yield (
                f"Shorter than the least length that counts, {least}, as far as it is certain ({certain}): "
                f"nothing of it is claimed; it can have lasted {can}, {enough}."
            )
        elif clocked:
            yield f"Nothing of it counts: {_clock(terms)}."
        else:
            yield "Nothing of it counts by the measure of these terms."
        return
    if abs(lengths.counted - lengths.gross) > ROUNDING:
        why = _clock(terms) if clocked else "what is over the least length counts"
        if measured.by == "error_rate" or (measured.counts != "excess" and not clocked):
            why = "the terms count in a measure of their own"
        yield f"{format_duration(lengths.counted)} count of its certain {certain}: {why}."
    for one in excluded:
        yield f"{format_duration(one.end - one.start)} of it are excluded: {one.reason}."
    if lengths.eligible - lengths.claimed > ROUNDING:
        yield "It cannot be claimed: no ticket is known, or the account is not paid."
    elif lengths.claimed > ROUNDING:
        least = f", with the least length of {format_duration(measured.min_outage)} reached"
        with_least = least if measured.min_outage and measured.continuous else ""
        what = "the rest" if excluded else "it"
        yield f"Nothing excludes {what}: {format_duration(lengths.claimed)} are claimed{with_least}."


def _clock(terms: Terms) -> str:
    clock = terms.measured.clock
    begins = {
        "fault": "its start",
        "detected": "its detection",
        "ticket_opened": "the ticket's opening",
        "notice_given": "the notice of it",
    }
    ends = {"restored": "its end", "ticket_closed": "the ticket's closing"}
    return f"the terms count from {begins[clock.from_]} to {ends[clock.to]}"


def moment(at: float, zone: ZoneInfo) -> str:
    """Write an instant in a time zone, to the second."""
    return f"{dt.datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S}"


def utc(at: float) -> str:
    """Write an instant as `2026-10-02T08:15:00.000Z`."""
    text = dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def plain(text: object) -> str:
    """Replace what of a far end's text is not printed as it is, like line ends and marks of direction."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(text))
