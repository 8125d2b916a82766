"""Terms judged on what probes saw, as short and as long as outages can have been."""

from __future__ import annotations

import datetime as dt
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from callsim import figures
from callsim.agreements import assessing
from callsim.agreements.sla_judging import Span, assessed, instants
from callsim.agreements.terms import load_terms
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.ledgers.from_probes import Measured, measured_of
from callsim.plan import load_plan
from callsim.reading.looking import look, sight_of
from callsim.store_command import opened
from callsim.terminal import answer_width, say
from callsim.writing import check_target, write_json
from sla.assessment import Assessment, Customer
from sla.terms import Terms

PROVEN = "This is what the probes prove: each outage is as short as it must have been."


@dataclass(frozen=True)
class Source:
    """Where the probes are: a store (None: this user's), a plan, and what of it the terms are about."""

    store: str | None
    plan: Path
    subject: str


@dataclass(frozen=True)
class _Judged:
    """Both assessments, and what was not seen."""

    shortest: Assessment
    longest: Assessment
    measured: Measured
    until: float


def judge_measured(
    terms_file: Path,
    source: Source,
    span: Span | None,
    customer: Customer,
    json: str | None,
    now: float | None = None,
) -> Exit:
    """Judge a time, or the month so far, under terms.

    BREACHED where an objective is broken for certain, INCONCLUSIVE where only the longest outages break one.
    """
    check_target(json)
    terms, plan = load_terms(terms_file), load_plan(source.plan)
    now = time.time() if now is None else now
    start, end = instants(_this_month(terms, now) if span is None else span, terms)
    if start >= now:
        raise CallsimError(f"{source.plan}: {_day(start)} is still to come")
    between = start, min(end, now)
    with opened(source.store) as store:
        measured = measured_of(sight_of(look(store, plan, *between).seen, source.subject))
    if measured.unknown_seconds >= between[1] - between[0]:
        raise CallsimError(f"{source.plan}: no probe tells of {source.subject} in this time")
    where = f"{terms_file}: {source.subject}"
    shortest, longest = (
        assessed(terms, ledger, customer, between, where) for ledger in (measured.shortest, measured.longest)
    )
    judged = _Judged(shortest, longest, measured, between[1])
    if json != "-":
        say(_text(judged, answer_width(), so_far=end > now))
    if json is not None:
        write_json(json, _json(judged, source.subject))
    if _broken(shortest):
        return Exit.BREACHED
    return Exit.INCONCLUSIVE if _broken(longest) else Exit.MET


def _this_month(terms: Terms, now: float) -> Span:
    first = dt.datetime.fromtimestamp(now, ZoneInfo(terms.measured.timezone)).date().replace(day=1)
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def _broken(made: Assessment) -> bool:
    return any(not judged.met.all() for judged in made.judged if judged.not_assessed is None)


def _json(judged: _Judged, subject: str) -> dict[str, Any]:
    (shortest,), (longest,) = (assessing.to_json(made) for made in (judged.shortest, judged.longest))
    return {
        "subject": subject,
        "until": judged.until,
        "unknown_s": round(judged.measured.unknown_seconds, 3),
        "shortest": shortest,
        "longest": longest,
    }


def _text(judged: _Judged, width: int, *, so_far: bool) -> str:
    made, longest = judged.shortest, judged.longest
    due = f", {_credit(longest)}" if made.terms.credits else ""
    paragraphs = [
        PROVEN,
        "As long as they can have been, and down whenever nothing is known, eligible availability is "
        f"{assessing.percent(longest.availability.eligible[0])}{due}.",
    ]
    if unknown := judged.measured.unknown_seconds:
        whole = judged.measured.shortest.end - judged.measured.shortest.start
        share = figures.significant(100.0 * unknown / whole)
        paragraphs.append(f"Nothing is known of {figures.plain_duration(unknown)} ({share} % of the time).")
    if so_far:
        paragraphs.append("The time is not over yet: it is judged as far as it has come.")
    told = "\n".join(textwrap.fill(text, width) for text in paragraphs)
    return f"{assessing.terminal(made, width)}\n\n{told}"


def _credit(made: Assessment) -> str:
    share = figures.plain_percent(float(f"{made.credits.due[0]:.6g}"))
    return f"and {share} of a month's fee is due"


def _day(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M} UTC"
