"""What `callsim sla assess` and `callsim sla compare` do, once their options are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import numpy as np

from callsim.agreements import assessing, disputing, terms_comparison
from callsim.agreements.accounts import accounts, window_name
from callsim.agreements.terms import load_terms
from callsim.api import load, simulate_under
from callsim.commands import RunOptions, stopped
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.ledgers.outage_csv import read_outages
from callsim.progress import shown
from callsim.result import resampling
from callsim.scenario.model import Scenario
from callsim.terminal import answer_width, say
from callsim.writing import check_target, write_json
from results.ledger import Ledger
from results.ledger_file import read_ledger
from sla.assess import assess
from sla.assessment import Assessment, Customer
from sla.crediting import GapError
from sla.disputes import Party, not_theirs
from sla.reckoning import Agreement
from sla.terms import Terms

Span = tuple[dt.date, dt.date]
Between = tuple[float, float]


@dataclass(frozen=True)
class Record:
    """A file, and who kept it."""

    path: Path
    by: Party | None = None
    """None: nobody said."""


def judge(
    terms_file: Path,
    records: Sequence[Record],
    span: Span | None,
    customer: Customer,
    json: str | None,
    *,
    one_window: bool = True,
) -> Exit:
    """Judge a real record, or two of the same time, under terms; ends with 1 where an objective is broken."""
    check_target(json)
    terms = load_terms(terms_file)
    between = None if span is None else instants(span, terms)
    ledgers = _ledgers([record.path for record in records], between, terms)
    made = [
        assessed(terms, ledger, customer, between, f"{terms_file}: {record.path}", one_window)
        for record, ledger in zip(records, ledgers, strict=True)
    ]
    if len(made) == 1:
        alone = _noted(made[0], records[0])
        text, windows = assessing.terminal(alone, answer_width()), assessing.to_json(alone)
        answer: object = windows[0] if len(windows) == 1 else windows
        broken = any(not judged.met.all() for judged in alone.judged if judged.not_assessed is None)
    else:
        disputed = _disputed(records, made)
        text, answer = disputing.terminal(disputed, answer_width()), disputing.to_json(disputed)
        broken = disputed.broken
    if json != "-":
        say(text)
    if json is not None:
        write_json(json, answer)
    return Exit.BREACHED if broken else Exit.MET


def _noted(made: Assessment, record: Record) -> Assessment:
    """Note a record that is not by whom the terms name."""
    note = None if record.by is None else not_theirs(made.terms.measured, record.by)
    return made if note is None else replace(made, not_assessed=(*made.not_assessed, note))


def _disputed(records: Sequence[Record], made: Sequence[Assessment]) -> disputing.Disputed:
    (first, second), (one, other) = records, made
    assert first.by is not None
    assert second.by is not None
    return disputing.Disputed((str(first.path), str(second.path)), (first.by, second.by), (one, other))


def assessed(
    terms: Terms,
    ledger: Ledger,
    customer: Customer,
    between: Between | None,
    where: str,
    one_window: bool = True,
) -> Assessment:
    """Judge the whole windows in `between`; or all of it as one, where that is wanted or none fits."""
    try:
        if between is not None and not one_window:
            made = assess(terms, ledger.between(*between), customer)
            if len(made.availability.windows):
                return made
            click.echo(
                f"{where}: no whole {window_name(terms)} lies in this time; it is judged as one", err=True
            )
        return assess(terms, ledger, customer, between)
    except GapError as error:
        raise CallsimError(f"{where}: {error}") from None


def _ledgers(paths: Sequence[Path], between: Between | None, terms: Terms) -> list[Ledger]:
    """Read records of one time: `between`, else what all of them tell of.

    A JSON ledger says which time it tells of; a CSV of its own accord tells of the months that hold its rows,
    and of all others if another record does.
    """
    found = [_read(path, between, terms.measured.timezone) for path in paths]
    known = [ledger for path, (ledger, _) in zip(paths, found, strict=True) if path.suffix == ".json"]
    if between is None and len(paths) > 1:
        some = [ledger for ledger, _ in found]
        start, end = min(ledger.start for ledger in some), max(ledger.end for ledger in some)
        if known:
            start, end = max(ledger.start for ledger in known), min(ledger.end for ledger in known)
        if start >= end:
            raise CallsimError(f"{' and '.join(map(str, paths))}: they tell of no time in common")
        found = [
            (ledger.between(start, end), warnings)
            if path.suffix == ".json"
            else _read(path, (start, end), terms.measured.timezone)
            for path, (ledger, warnings) in zip(paths, found, strict=True)
        ]
    for path, (ledger, warnings) in zip(paths, found, strict=True):
        simulated = path.suffix == ".json"
        for warning in warnings if simulated else (*warnings, *_warnings(ledger, terms.measured.timezone)):
            click.echo(f"{path}: {warning}", err=True)
    return [ledger for ledger, _ in found]


def _read(path: Path, between: Between | None, timezone: str) -> tuple[Ledger, list[str]]:
    """Read a record, with warnings about it."""
    if path.suffix != ".json":
        return read_outages(path, between, timezone)
    try:
        ledger = read_ledger(path)
    except OSError as error:
        raise CallsimError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, OverflowError) as error:
        raise CallsimError(str(error)) from None
    if between is not None and not ledger.start <= between[0] < between[1] <= ledger.end:
        zone = ZoneInfo(timezone)
        first, last, start, end = (
            dt.datetime.fromtimestamp(t, zone).isoformat(" ", "minutes")
            for t in (ledger.start, ledger.end, *between)
        )
        raise CallsimError(f"{path}: tells of {first} to {last}; {start} to {end} is not all in it")
    return ledger, []


def _warnings(ledger: Ledger, timezone: str) -> Iterator[str]:
    """Say what a record leaves open."""
    zone = ZoneInfo(timezone)
    end = f"{dt.datetime.fromtimestamp(ledger.end, zone):%Y-%m-%d %H:%M}"
    still_open = int(np.isinf(ledger.outages.end).sum())
    if still_open:
        what = "an outage is" if still_open == 1 else f"{still_open} outages are"
        yield f"{what} still open: counted up to the end of the record, {end}"


def instants(span: Span, terms: Terms) -> Between:
    """Return the POSIX seconds at which local days of the terms begin."""
    zone = ZoneInfo(terms.measured.timezone)
    first, last = (dt.datetime.combine(day, dt.time(), zone).timestamp() for day in span)
    return first, last


def compare(record: Path, terms_files: tuple[Path, ...], options: RunOptions) -> Exit:
    """Say what each of several sets of terms pays on the same years, or on the same real record."""
    check_target(options.json)
    all_terms = [load_terms(path) for path in terms_files]
    all_terms = _told_apart(all_terms, terms_files)
    if record.suffix in (".csv", ".json"):
        given = (options.years, options.seed) != (None, None) or options.overrides
        if given:
            raise CallsimError(
                f"{record}: a real record is not simulated; leave out --years, --seed and --set"
            )
        rows = [
            terms_comparison.of_assessment(
                assessed(terms, _ledgers([record], None, terms)[0], holder(terms), None, f"{path}: {record}")
            )
            for terms, path in zip(all_terms, terms_files, strict=True)
        ]
        what, partial = str(record), None
    else:
        rows, what, partial = _simulated(load(record, options.overrides), all_terms, options)
    if options.json != "-":
        say(terms_comparison.terminal(rows, what, answer_width(), options.quiet))
    if options.json is not None:
        told = [row.to_json() for row in rows]
        write_json(options.json, {"record": what, "partial": partial, "terms": told})
    return Exit.INTERRUPTED if partial is not None and partial.startswith("interrupted") else Exit.MET


def _simulated(
    scenario: Scenario, all_terms: Sequence[Terms], options: RunOptions
) -> tuple[list[terms_comparison.Row], str, str | None]:
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
    what = f"{study.years:,} simulated years of {scenario.name}"
    return rows, what if study.partial is None else f"{what} (PARTIAL: {study.partial})", study.partial


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
