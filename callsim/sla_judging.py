"""What `callsim sla assess` and `callsim sla compare` do, once their options are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from callsim import assessing, runs, terms_comparison
from callsim.agreements import accounts
from callsim.api import load, simulate_under
from callsim.commands import RunOptions, answer_width, say, stopped
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.outage_csv import read_outages
from callsim.progress import shown
from callsim.result import resampling
from callsim.scenario.model import Scenario
from callsim.terms import load_terms
from results.ledger import Ledger
from results.ledger_file import read_ledger
from sla.assess import assess
from sla.assessment import Assessment, Customer
from sla.reckoning import Agreement
from sla.terms import Terms

Span = tuple[dt.date, dt.date]


def judge(
    terms_file: Path,
    record: Path,
    span: Span | None,
    fee: float | None,
    users: float | None,
    has: Sequence[str],
    json: str | None,
) -> Exit:
    """Judge a real record under terms; ends with 1 where an objective is broken."""
    runs.check_target(json)
    customer = Customer(fee=fee, users=users, has=frozenset(has))
    terms = load_terms(terms_file)
    made = _assessed(terms, record, span, customer)
    if json != "-":
        say(assessing.terminal(made, answer_width()))
    if json is not None:
        windows = assessing.to_json(made)
        runs.write_json(json, windows[0] if len(windows) == 1 else windows)
    broken = any(not judged.met.all() for judged in made.judged if judged.not_assessed is None)
    return Exit.BREACHED if broken else Exit.MET


def _assessed(terms: Terms, record: Path, span: Span | None, customer: Customer) -> Assessment:
    zone = ZoneInfo(terms.measured.timezone)
    between = None if span is None else (_instant(span[0], zone), _instant(span[1], zone))
    ledger = _read(record, between, terms.measured.timezone)
    return assess(terms, ledger, customer, between)


def _read(record: Path, between: tuple[float, float] | None, timezone: str) -> Ledger:
    if record.suffix == ".json":
        return read_ledger(record)
    ledger, warnings = read_outages(record, between, timezone)
    for warning in warnings:
        click.echo(f"{record}: {warning}", err=True)
    return ledger


def _instant(day: dt.date, zone: ZoneInfo) -> float:
    """Return the POSIX seconds at which a local day of the terms begins."""
    return dt.datetime.combine(day, dt.time(), zone).timestamp()


def compare(record: Path, terms_files: tuple[Path, ...], options: RunOptions) -> Exit:
    """Say what each of several sets of terms pays on the same years, or on the same real record."""
    runs.check_target(options.json)
    all_terms = [load_terms(path) for path in terms_files]
    all_terms = _told_apart(all_terms, terms_files)
    if record.suffix in (".csv", ".json"):
        given = (options.years, options.seed) != (None, None) or options.overrides
        if given:
            raise CallsimError(
                f"{record}: a real record is not simulated; leave out --years, --seed and --set"
            )
        rows = [
            terms_comparison.of_assessment(_assessed(terms, record, None, holder(terms)))
            for terms in all_terms
        ]
        what = str(record)
    else:
        rows, what = _simulated(load(record, options.overrides), all_terms, options)
    if options.json != "-":
        say(terms_comparison.terminal(rows, what, answer_width()))
    if options.json is not None:
        runs.write_json(options.json, {"record": what, "terms": [row.to_json() for row in rows]})
    return Exit.MET


def _simulated(
    scenario: Scenario, all_terms: Sequence[Terms], options: RunOptions
) -> tuple[list[terms_comparison.Row], str]:
    """Assess the same simulated years under all terms, for a customer who has everything they ask for."""
    agreements = [Agreement(terms, holder(terms)) for terms in all_terms]
    with shown(scenario.name) as progress, stopped():
        result = simulate_under(
            scenario, agreements, options.years, options.seed, jobs=options.jobs, progress=progress
        )
    study = result.study
    again = resampling(len(study.summary.year_seconds), study.seed, scenario.simulation.confidence)
    rows = [
        terms_comparison.of_reckoning(agreement.terms, reckoning, accounts([agreement], [reckoning], again))
        for agreement, reckoning in zip(agreements, study.reckonings, strict=True)
    ]
    return rows, f"{study.years:,} simulated years of {scenario.name}"


def holder(terms: Terms) -> Customer:
    """Return a customer who has everything that the terms ask for."""
    found = set(terms.requires)
    for part in (*terms.objectives, *terms.credits, *(t for rule in terms.credits for t in rule.tiers)):
        if part.requires is not None:
            found.add(part.requires)
    return Customer(name=terms.name, has=frozenset(found))


def _told_apart(all_terms: list[Terms], files: tuple[Path, ...]) -> list[Terms]:
    """Give terms that share a name the names of their files."""
    names = [terms.name for terms in all_terms]
    return [
        terms if names.count(terms.name) == 1 else terms.model_copy(update={"name": str(path)})
        for terms, path in zip(all_terms, files, strict=True)
    ]
