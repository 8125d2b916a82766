"""The command `review`: reads the record, refits the model, advises on each target."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from callsim.agreements.sla_judging import Span, instants
from callsim.agreements.terms import load_terms
from callsim.api import load
from callsim.commands import RunOptions
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.fitting.observed import LEAST_SEEN
from callsim.plan import load_plan
from callsim.plan.model import Plan
from callsim.reading.looking import look, sight_of
from callsim.reviewing.deciding import Advice, decide
from callsim.reviewing.predicting import Forecasts, forecasts_of, unpredicted
from callsim.reviewing.record import Record, records_of, unseen
from callsim.reviewing.refitting import refit, seen_only
from callsim.reviewing.review import Review
from callsim.reviewing.telling import headline, terminal, to_json
from callsim.scenario.model import Scenario
from callsim.store_command import opened
from callsim.terminal import answer_width, say
from callsim.writing import check_target, write_json
from results.incidents import SERVICE
from results.sight import Sight
from sla.terms import BillingCycle, Terms

NOTHING = "too little was seen of any carrier to refit its laws"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    terms: Path
    scenario: Path
    plan: Path
    store: str | None
    months: int
    span: Span | None
    """First day, and the day after the last; None: the last `months` whole months."""
    subject: str
    risk: float | None
    """Of all objectives; None: each has its own."""


def review(asked: Asked, options: RunOptions, now: float | None = None) -> Exit:
    """Print what is advised; 1 where a target should be lowered, 3 where nothing can be said of one."""
    check_target(options.json)
    made = reviewed(asked, options, time.time() if now is None else now)
    if options.json != "-":
        say(headline(made) if options.quiet else terminal(made, answer_width()))
    if options.json is not None:
        write_json(options.json, to_json(made))
    return made.exit_code


def reviewed(asked: Asked, options: RunOptions, now: float) -> Review:
    """Review terms by a store and a scenario; raises CallsimError with what is wrong."""
    terms, plan = _at_risk(load_terms(asked.terms), asked.risk), load_plan(asked.plan)
    if not terms.objectives:
        raise CallsimError(f"{asked.terms}: nothing is promised, so there is nothing to review")
    scenario = load(asked.scenario, options.overrides)
    _check_carriers(asked, scenario, plan)
    span = asked.span or last_months(terms, asked.months, now)
    since, until = instants(span, terms)
    until = min(until, now)
    if since >= until:
        raise CallsimError(f"{asked.plan}: {span[0]} is still to come")
    with opened(asked.store) as store:
        looked = look(store, plan, since, until)
        source = f"{store.name}, plan {plan.name}"
    seed = scenario.simulation.seed if options.seed is None else options.seed
    sight = sight_of(looked.seen, asked.subject) if looked.seen.whole else None
    found = refit(scenario, plan, looked, source, seed)
    if sight is None or sight.known <= 0:
        records = [unseen(one, f"no probe tells of {asked.subject} in this time") for one in terms.objectives]
    elif not found.carriers and sight.known < LEAST_SEEN:
        why = f"{asked.subject} was {seen_only(sight.known)}"
        records = [unseen(one, why) for one in terms.objectives]
    else:
        records = records_of(terms, sight)
        if unprobed := _unprobed(scenario, plan, sight):
            records = [
                unseen(
                    one,
                    f"calls go over {unprobed}, too, which probes do not cross (a test `over: route` does)",
                )
                for one in terms.objectives
            ]
    forecasts = None
    if found.carriers and sight is not None and _is_whole(scenario, asked.subject):
        forecasts = forecasts_of(found.uncertain, terms, options)
    why = f"{scenario.name} predicts the service as a whole" if found.carriers else NOTHING
    advice = _advice(records, terms, forecasts, (_cadence(plan, sight), why), scenario.simulation.confidence)
    known = 0.0 if sight is None else sight.known / (until - since)
    return Review(terms, scenario, plan, asked.subject, span, advice, known, found, forecasts)


def _check_carriers(asked: Asked, scenario: Scenario, plan: Plan) -> None:
    ours = sorted({trunk.carrier for trunk in plan.trunks})
    theirs = [carrier.name for carrier in scenario.carriers]
    if not set(ours) & set(theirs):
        raise CallsimError(
            f"{asked.plan}: trunks: its carriers are {', '.join(ours)}, and {asked.scenario} has "
            f"{', '.join(theirs) or 'none'}; the same carrier has to have the same name in both"
        )


def last_months(terms: Terms, months: int, now: float) -> Span:
    """Return the last so many whole months before an instant, or billing months where terms have these."""
    window = terms.measured.window
    day = window.billing_cycle if isinstance(window, BillingCycle) else 1
    today = dt.datetime.fromtimestamp(now, ZoneInfo(terms.measured.timezone)).date()
    last = today.year * 12 + today.month - 1 - (today.day < day)
    first, end = (dt.date(month // 12, month % 12 + 1, day) for month in (last - months, last))
    return first, end


def _at_risk(terms: Terms, risk: float | None) -> Terms:
    if risk is None:
        return terms
    objectives = tuple(one.model_copy(update={"risk": risk}) for one in terms.objectives)
    return terms.model_copy(update={"objectives": objectives})


def _is_whole(scenario: Scenario, subject: str) -> bool:
    """Whether a scenario predicts what was seen of a subject: the service, or its only carrier."""
    return subject == SERVICE or [carrier.name for carrier in scenario.carriers] == [subject]


def _unprobed(scenario: Scenario, plan: Plan, sight: Sight) -> str:
    """Name the carriers without which a service that is all probed trunks together is not the scenario's."""
    if sight.subject.name != SERVICE or sight.subject.legs or scenario.routing is None:
        return ""
    probed = {trunk.carrier for trunk in plan.trunks}
    return ", ".join(one.carrier for one in scenario.routing.routes if one.carrier not in probed)


def _cadence(plan: Plan, sight: Sight | None) -> float | None:
    """Give the seconds from one probe of a subject to the next, by its most frequent test."""
    if sight is None:
        return None
    waiting, tests = [sight.subject], set()
    while waiting:
        one = waiting.pop()
        waiting += one.parts
        tests |= {leg.test for leg in one.legs}
    return min((test.every for test in plan.tests if test.name in tests and test.every), default=None)


def _advice(
    records: list[Record],
    terms: Terms,
    forecasts: Forecasts | None,
    known: tuple[float | None, str],
    confidence: float,
) -> tuple[Advice, ...]:
    """Decide of each; `known` is the cadence, with why there are no forecasts if so."""
    cadence, why = known
    made = []
    for number, record in enumerate(records):
        forecast, draws = unpredicted(record.objective, why), 0
        if forecasts is not None:
            forecast, draws = forecasts.forecasts[number], forecasts.draws
        made.append(decide(terms, record, forecast, draws, cadence, confidence))
    return tuple(made)
