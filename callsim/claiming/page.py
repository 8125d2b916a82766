"""The page of a claim, as a person reads and prints it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from callsim import __version__, figures
from callsim.agreements import assessing
from callsim.claiming.claim import Claim, Question, counted, moment, money, plain, utc
from callsim.claiming.evidence import Shown, numbers_called
from callsim.claiming.objecting import Objection
from callsim.claiming.picture import picture
from callsim.claiming.telling import arithmetic, deadline, headline, reasons, seen
from sla.english import english

TEMPLATE = "claim.html.j2"
MOST_PROBES = 40
"""Probes of an outage that the page lists; of more the first and the last."""


def page(claim: Claim, found: Sequence[Objection], csv_share: float | None, traces: Mapping[str, str]) -> str:
    """Return the page, which needs no other file; whatever others wrote is escaped."""
    question = claim.question
    return _template().render(
        local=partial(_local, question),
        money=partial(money, claim),
        claim=claim,
        q=question,
        terms=claim.terms,
        standing=claim.standing.value,
        headline=headline(claim),
        seen=seen(claim),
        counted=counted,
        reasons=reasons(claim),
        deadline=deadline(claim),
        picture=Markup(picture(claim)),
        steps=arithmetic(claim, claim.shortest),
        steps_longest=arithmetic(claim, claim.longest),
        objections=found,
        english=english(claim.terms),
        numbers=_numbers(claim),
        locations=sorted({series.location for series in claim.looked.sums}),
        csv_share=csv_share,
        same=csv_share is not None and abs(csv_share - claim.due) < 1e-9,
        traces=traces,
        listed=listed,
        infinity=math.inf,
        in_utc=question.terms.measured.timezone == "UTC",
        version=__version__,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "plain": lambda value: "" if value is None else plain(value),
        "utc": lambda at: f"{utc(at)[:19].replace('T', ' ')} UTC",
        "lasting": lambda seconds: "not known" if math.isnan(seconds) else figures.plain_duration(seconds),
        "percent": assessing.percent,
    }
    return environment.get_template(TEMPLATE)


def _local(question: Question, at: float) -> str:
    """Write an instant in the terms' zone, with its name where clocks change in this time."""
    since, until = (dt.datetime.fromtimestamp(t, question.zone) for t in (question.since, question.until))
    name = f" {dt.datetime.fromtimestamp(at, question.zone):%Z}"
    return moment(at, question.zone) + (name if since.utcoffset() != until.utcoffset() else "")


def _numbers(claim: Claim) -> Sequence[str]:
    """Give the numbers that were called; hashed where the plan says so."""
    if claim.question.plan.numbers == "plain":
        return numbers_called(claim.question.plan, claim.sight)
    return sorted({one.call.number for outage in claim.outages for one in outage.evidence.shown})


def listed(shown: Sequence[Shown]) -> tuple[Sequence[Shown], int]:
    """Give the probes that are listed, and how many more there are."""
    if len(shown) <= MOST_PROBES:
        return shown, 0
    half = MOST_PROBES // 2
    return (*shown[:half], *shown[-half:]), len(shown) - 2 * half
