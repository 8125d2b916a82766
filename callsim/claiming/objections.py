"""All that the other side can object to a claim, each with what can be answered."""

from __future__ import annotations

from collections.abc import Iterator

from callsim import figures
from callsim.claiming.claim import Claim, counted, moment
from callsim.claiming.doubts import DOUBTS
from callsim.claiming.objecting import Objection, numbers
from sla.disputes import WORDS, not_theirs
from sla.terms import FixedWindow, RollingWindow


def objections(claim: Claim) -> tuple[Objection, ...]:
    """Give all that apply, open ones first."""
    found = [one for source in (_deadline, *DOUBTS, *_ABOUT_TERMS) for one in source(claim)]
    return tuple(sorted(found, key=lambda one: not one.open))


def _excuses(claim: Claim) -> Iterator[Objection]:
    asked = claim.terms.excludes
    if asked:
        names = ", ".join(dict.fromkeys(one.cause.replace("_", " ") for one in asked))
        conditions = any(one.notice or one.hours or one.quota for one in asked)
        given = (
            "was given by --tickets and is taken out" if claim.known else "is known here (--tickets tells)"
        )
        what = "What" if claim.known else "Nothing of the kind"
        yield Objection(
            "excluded",
            f"It was {names}, which the terms exclude.",
            f"{what} {given}. Who excludes has to show it"
            + (", with the conditions that the terms set: notice, hours, quota." if conditions else "."),
            not claim.known,
        )


def _tickets(claim: Claim) -> Iterator[Objection]:
    claims, clock = claim.terms.claims, claim.terms.measured.clock
    needs = claims.ticket or clock.from_ == "ticket_opened" or clock.to == "ticket_closed"
    told = claim.known is not None and "ticket_opened" in claim.known.ledger.known
    if needs and not told:
        yield Objection(
            "ticket",
            "The terms ask for a ticket for each outage, and none is here.",
            "To be supplied: give the tickets by --tickets FILE.csv.",
            True,
        )
    if clock.from_ == "notice_given" and not (claim.known and "notice_given" in claim.known.ledger.known):
        yield Objection(
            "notice",
            "The terms count from the notice of an outage, and none is here.",
            "To be supplied: give `notice_given` by --tickets FILE.csv.",
            True,
        )
    if claim.known and claim.known.unmatched:
        zone = claim.question.zone
        when = ", ".join(moment(start, zone) for start, _ in claim.known.unmatched[:3])
        yield Objection(
            "unmatched",
            f"--tickets has rows of no outage that the probes saw: {len(claim.known.unmatched)} ({when}).",
            "Compare their times; nothing is claimed for them.",
            True,
        )


def _whose_record(claim: Claim) -> Iterator[Objection]:
    measured, claims = claim.terms.measured, claim.terms.claims
    if not_theirs(measured, "customer") is not None:
        settled = measured.disputes
        named = f"the {settled} availability counts" if settled in ("lower", "higher") else None
        if settled in WORDS:
            named = f"the record of {WORDS[settled]} counts"
        theirs = "measured_by" in measured.model_fields_set
        ours = not theirs and claims.evidence == "customer" and not claims.automatic
        answer = (
            "Ask for that record of the same times, by the Call-IDs; `callsim sla assess --against` compares."
        )
        if ours:
            answer = "They take the customer's record as evidence of a claim, and this is one."
        yield Objection(
            "whose_record",
            f"By the terms the record of {WORDS[measured.measured_by]} counts, and this is the customer's."
            if theirs
            else "The terms do not say who measures; the provider's record is usual, "
            "and this is the customer's.",
            f"Where records differ {named}." if named else answer,
            not (ours if named is None else settled in ("customer", "lower")),
        )
    if not claims.automatic and claims.evidence != "customer":
        yield Objection(
            "evidence",
            f"The terms take the record of {WORDS[claims.evidence]} as evidence."
            if "evidence" in claims.model_fields_set
            else "The terms do not say whose record is evidence; the provider's is usual.",
            "Name the times and Call-IDs, and ask for that record of them.",
            True,
        )


def _deadline(claim: Claim) -> Iterator[Objection]:
    days = claim.days_left
    late = [one for one in claim.outages if one.claim_by is not None and one.claim_by < claim.question.now]
    if days is not None and days < 0:
        yield Objection(
            "too_late",
            f"The time to claim has been over for {figures.significant(-days)} days.",
            "Only if it was claimed before, or if they agree.",
            True,
            numbers(late),
        )


def _terms(claim: Claim) -> Iterator[Objection]:
    terms, question = claim.terms, claim.question
    for note in claim.shortest.not_assessed:
        yield Objection("not_assessed", note, "Nothing is claimed for what these records cannot tell.", False)
    if terms.unknown or terms.source:
        caution = terms.source.caution if terms.source else ""
        left = (
            f"The copy of the terms leaves {counted(len(terms.unknown), 'point', 'points')} open. "
            if terms.unknown
            else ""
        )
        yield Objection(
            "terms_copy", f"{left}{caution}".strip(), "Compare with the contract that was signed.", True
        )
    if terms.chronic is not None:
        yield Objection(
            "chronic",
            "The rule for repeated breaches needs other months.",
            "They are not in this claim.",
            False,
        )
    if isinstance(terms.measured.window, RollingWindow | FixedWindow):
        yield Objection(
            "windows",
            "Where windows begin depends on the record's beginning.",
            f"They are counted from {moment(question.since, question.zone)}.",
            False,
        )
    if not question.over:
        yield Objection(
            "not_over",
            f"{question.period} is not over.",
            "What is still to come is taken as up; the credit is worked out anew when it is over.",
            False,
        )
    if not claim.recorded_plan:
        yield Objection(
            "other_plan",
            "The plan is not, word by word, one that the prober recorded: tests may have been others.",
            "Each probe in probes.csv says what it called and what it expected.",
            False,
        )


_ABOUT_TERMS = (_tickets, _whose_record, _excuses, _terms)
"""In the order in which they are told."""
