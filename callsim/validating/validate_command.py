"""The command `validate`: what a scenario predicts beside what was measured."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from callsim.agreements.uncertainty import uncertain_in
from callsim.api import load
from callsim.build import build
from callsim.exits import Exit
from callsim.plan import load_plan
from callsim.scenario.load import scenario_hash
from callsim.scenario.model import Scenario
from callsim.store_command import opened
from callsim.terminal import answer_width, say
from callsim.validating.judging import judge, refer
from callsim.validating.legs import match
from callsim.validating.measuring import measure
from callsim.validating.report import Validation, terminal, to_json, verdict_line
from callsim.writing import check_target, write_json
from results.agreement import Agreement
from sim.tables import Standby, Tables

DRAWS = 100
"""Draws of parameters that are uncertain, with as many stretches each."""
DRAW_KEY = 0xD4A3
CODES = {Agreement.CONSISTENT: Exit.MET, Agreement.INCONSISTENT: Exit.BREACHED}


@dataclass(frozen=True)
class Options:
    """What the command is given besides the scenario and the plan."""

    store: str | None
    since: dt.date | None
    until: dt.date | None
    names: Mapping[str, str]
    factor: float
    uncertain: Path | None
    overrides: tuple[str, ...]
    through_platform: bool
    seed: int | None
    jobs: int
    json: str | None
    quiet: bool


def validate(path: Path, plan_file: Path, options: Options, now: float | None = None) -> Exit:
    """Print whether a scenario holds; 0: all is consistent, 1: something is not, 3: too few data."""
    check_target(options.json)
    found = validated(path, plan_file, options, time.time() if now is None else now)
    if options.json != "-":
        say(verdict_line(found, answer_width()) if options.quiet else terminal(found, answer_width()))
    if options.json is not None:
        write_json(options.json, to_json(found))
    return CODES.get(found.judged.verdict, Exit.INCONCLUSIVE)


def validated(path: Path, plan_file: Path, options: Options, now: float) -> Validation:
    """Compare a scenario with what a store has of a plan's probes."""
    scenario, plan = load(path, options.overrides), load_plan(plan_file)
    seed = scenario.simulation.seed if options.seed is None else options.seed
    tables, notes = as_probed(scenario, through_platform=options.through_platform)
    matching = match(plan, tables, options.names)
    zone = ZoneInfo(plan.timezone)
    since = None if options.since is None else _midnight(options.since, zone)
    until = now if options.until is None else min(_midnight(options.until, zone), now)
    with opened(options.store) as store:
        measured = measure(store, plan, matching, since, until)
    drawn = [tables]
    if options.uncertain is not None:
        drawn = drawn_tables(scenario, options, seed)
        notes.append(f"Parameters are uncertain: {len(drawn)} draws of {options.uncertain}.")
    reference = refer(
        drawn,
        plan,
        matching,
        options.names,
        measured.pattern,
        factor=options.factor,
        seed=seed,
        jobs=options.jobs,
    )
    judged = judge(reference, measured.facts, 1.0 - scenario.simulation.confidence)
    return Validation(
        scenario.name,
        scenario_hash(scenario),
        plan,
        measured,
        reference,
        judged,
        (*matching.notes, *notes),
    )


def as_probed(scenario: Scenario, *, through_platform: bool = False) -> tuple[Tables, list[str]]:
    """Make the tables of what probes cross, with what is left out.

    They go straight to the carriers, not through our own platform, and call no mobile.
    """
    tables, notes = build(scenario), []
    if tables.groups and not through_platform:
        groups = tuple(
            replace(group, need=0, standby=Standby.ACTIVE, switchover=None, test_every=None)
            for group in tables.groups
        )
        tables = replace(tables, groups=groups, works=None, devices=None)
        notes.append("Probes are taken to go straight to the carriers, past our own platform.")
    if tables.voice is not None and tables.voice.mobile is not None:
        tables = replace(tables, voice=replace(tables.voice, mobile=None))
        notes.append("The numbers that are called are taken to be no mobiles.")
    return tables, notes


def drawn_tables(scenario: Scenario, options: Options, seed: int) -> list[Tables]:
    """Make the tables of draws of the scenario's parameters."""
    assert options.uncertain is not None  # the caller has looked
    uncertain = uncertain_in(scenario, options.uncertain)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(DRAW_KEY,)))
    drawn = [uncertain.draw(rng) for _ in range(DRAWS)]
    return [as_probed(one, through_platform=options.through_platform)[0] for one in drawn]


def _midnight(day: dt.date, zone: ZoneInfo) -> float:
    return dt.datetime.combine(day, dt.time(), zone).timestamp()
