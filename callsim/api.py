"""The Python face: scenarios read, and simulated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from callsim.agreements.accounts import agreements_of
from callsim.agreements.reckoner import reckoner_of
from callsim.agreements.uncertainty import Drawing, Uncertain, uncertain_in
from callsim.build import build
from callsim.result import Result, half_width, make_result
from callsim.scenario.load import load_scenario, scenario_hash
from callsim.scenario.model import Scenario
from callsim.study import STREAM_YEARS, Goal, Progress, draw_years, run_study
from results.summary import Summary
from sla.reckoning import Agreement

PATIENCE = 600.0
"""Seconds after which a precision that cannot be reached is given up."""


def load(path: Path | str, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario file, with the values of `overrides` (`"PATH=VALUE"` each) in place of its own.

    Raises ScenarioError, whose `problems` are everything that is wrong with it.
    """
    return load_scenario(path, overrides)


def simulate(
    scenario: Scenario | Path | str,
    years: int | None = None,
    seed: int | None = None,
    *,
    jobs: int = 1,
    precision: float | None = None,
    max_time: float | None = None,
    parameters_uncertain: Path | str | None = None,
    progress: Progress | None = None,
) -> Result:
    """Simulate a scenario, for `years` or until the interval on unavailability is within `precision` of it.

    What is not given is taken from the scenario. `precision` is a share (0.05), `max_time` real seconds after
    which no stream begins (`PATIENCE`, if a precision is wanted and nothing else said). With
    `parameters_uncertain` (a file, or "included": what the scenario includes) each stream, of some years, has
    parameters of its own, and the intervals cover these, too. The answer does not
    depend on `jobs`, the number of processes; a script that asks for more than one needs the usual
    `if __name__ == "__main__":`. An interrupt (Ctrl-C) gives what is known so far, with
    `result.study.partial` set. Raises ScenarioError, and NothingSimulatedError where nothing is known.
    """
    if years is not None and precision is not None:
        raise ValueError(f"years(={years}) and precision(={precision}) exclude each other")
    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    return simulate_under(
        scenario,
        agreements_of(scenario),
        years,
        seed,
        jobs=jobs,
        precision=precision,
        max_time=max_time,
        uncertain=None if parameters_uncertain is None else uncertain_in(scenario, parameters_uncertain),
        progress=progress,
    )


def simulate_under(
    scenario: Scenario,
    agreements: Sequence[Agreement],
    years: int | None = None,
    seed: int | None = None,
    *,
    jobs: int = 1,
    precision: float | None = None,
    max_time: float | None = None,
    uncertain: Uncertain | None = None,
    progress: Progress | None = None,
) -> Result:
    """Do as `simulate`, under agreements that are not the scenario's own."""
    if years is not None and (not isinstance(years, int) or years < 1):
        raise ValueError(f"years(={years!r}) must be a whole number, at least 1")
    if jobs < 1:
        raise ValueError(f"jobs(={jobs}) must be at least 1")
    settings = scenario.simulation
    seed = settings.seed if seed is None else seed
    if years is None and precision is None:
        precision = settings.precision
    max_time = settings.max_time if max_time is None else max_time
    if precision is not None and max_time is None:
        max_time = PATIENCE
    goal = Goal(settings.years if years is None else years, precision, max_time)

    def width(summary: Summary) -> float:
        draws = None if uncertain is None else len(summary.year_seconds) // length
        return half_width(summary, seed, settings.confidence, draws)

    drawing = None if uncertain is None else Drawing(uncertain, tuple(agreements), seed)
    length = STREAM_YEARS if drawing is None else draw_years(goal)
    most = math.ceil(goal.years / length) if precision is None else jobs
    tables = build(scenario)
    study = run_study(
        tables,
        seed,
        goal,
        jobs=min(jobs, most),
        keep_years=settings.keep_years,
        reckoner=reckoner_of(scenario, tables, agreements),
        variants=drawing,
        half_width=width,
        progress=progress,
    )
    return make_result(scenario, scenario_hash(scenario), study, agreements, uncertain)
