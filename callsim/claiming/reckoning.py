"""Works out a claim from a store: both assessments, the outages, what shows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from callsim.agreements.accounts import window_name
from callsim.agreements.sla_judging import Span, instants
from callsim.claiming.claim import Claim, Question, outages_of
from callsim.claiming.evidence import evidence_of
from callsim.claiming.tickets import read_known, with_known
from callsim.errors import CallsimError
from callsim.ledgers.from_probes import measured_of
from callsim.plan import Plan, load_plan
from callsim.reading.looking import look, sight_of
from callsim.scenario.levels import read_terms
from callsim.scenario.reading import validated
from results.ledger import Ledger
from results.sight import Sight
from results.store.entries import Document
from results.store.numbers import hashed
from results.store.store import Store
from sla.assess import assess
from sla.assessment import Assessment, Customer
from sla.crediting import GapError
from sla.terms import Terms


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    terms: Path
    plan: Path
    subject: str
    span: Span
    """First day, and the day after the last."""
    customer: Customer
    name: str | None = None
    """Who claims."""
    tickets: Path | None = None


def question_of(asked: Asked, now: float) -> Question:
    """Read terms and plan; raises CallsimError with what is wrong."""
    tree = read_terms(str(asked.terms))
    terms = validated(tree, Terms)
    plan = load_plan(asked.plan)
    since, until = instants(asked.span, terms)
    if since >= now:
        raise CallsimError(f"{asked.terms}: {asked.span[0]} is still to come")
    places = [tree.place(("credits", number)) for number in range(len(terms.credits))]
    return Question(
        terms=terms,
        terms_file=asked.terms,
        clauses=tuple(f"{Path(file).name}:{line}" for file, line in places),
        plan=plan,
        plan_file=asked.plan,
        subject=asked.subject,
        since=since,
        until=until,
        period=_period(asked.span),
        customer=asked.name,
        now=now,
    )


def claim_of(store: Store, question: Question, asked: Asked) -> Claim:
    """Work a claim out; raises CallsimError where nothing can be said of this time."""
    looked = look(store, question.plan, question.since, question.seen_until)
    sight = sight_of(looked.seen, question.subject)
    measured = measured_of(sight)
    if measured.unknown_seconds >= sight.until - sight.since:
        why = f"no probe tells of {question.subject} in {question.period}"
        raise CallsimError(f"{question.plan_file}: {why}")
    # What is still to come of the time is taken as up, so that downtime can only grow.
    ledgers = [replace(one, end=question.until) for one in (measured.shortest, measured.longest)]
    spans = _spans(sight)
    known = None
    if asked.tickets is not None:
        between = question.since, question.until
        known = read_known(asked.tickets, between, question.terms.measured.timezone, spans)
        for warning in known.warnings:
            click.echo(f"{asked.tickets}: {warning}", err=True)
        ledgers = [with_known(ledger, known, spans) for ledger in ledgers]
    shortest, longest = (_assessed(question, ledger, asked.customer) for ledger in ledgers)
    outages = outages_of(question, sight, shortest, longest, evidence_of(store, looked, sight))
    return Claim(
        question, looked, sight, ledgers[0], shortest, longest, outages, known, _recorded(store, question)
    )


def _spans(sight: Sight) -> Sequence[tuple[float, float]]:
    begins, ends = sight.span("longest")
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _assessed(question: Question, ledger: Ledger, customer: Customer) -> Assessment:
    terms = question.terms
    try:
        made = assess(terms, ledger, customer)
    except GapError as error:
        raise CallsimError(f"{question.terms_file}: {question.subject}: {error}") from None
    if not len(made.credits.windows):
        raise CallsimError(
            f"{question.terms_file}: no whole {window_name(terms)} lies in {question.period}, and a claim is "
            "for a whole one; give its days by --from and --to"
        )
    return made


def _period(span: Span) -> str:
    """Name a time: its month, or its first and last day."""
    first, end = span
    if first.day == 1 and (first + dt.timedelta(days=32)).replace(day=1) == end:
        return f"{first:%Y-%m}"
    return f"{first}-to-{end - dt.timedelta(days=1)}"


def plan_text(store: Store, plan: Plan, file: Path) -> str:
    """Give a plan's text; where it says so with its numbers hashed, as probers record it."""
    text = file.read_text("utf-8")
    if plan.numbers != "hashed":
        return text
    return hashed(Document.of("plan", plan.name, text), store.number_key()).text


def _recorded(store: Store, question: Question) -> bool:
    # A prober takes the SHA-256 of the text before it hashes numbers in it.
    text = question.plan_file.read_text("utf-8")
    return store.document(Document.of("plan", question.plan.name, text).id) is not None
