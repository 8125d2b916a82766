"""Simulates a scenario for the promises that it can keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from callsim.agreements.accounts import agreements_of, undertaking
from callsim.agreements.at_risk import RISKS, Promises, average_of_draws, tabulated, widened
from callsim.agreements.uncertainty import load_uncertain
from callsim.api import load, simulate_under
from callsim.result import Result
from callsim.scenario import Scenario
from callsim.study import NothingSimulatedError, Progress
from sla.reckoning import Agreement, merge_reckonings

DRAWS = 40
"""Sets of parameters that are drawn where they are uncertain."""
FEWEST_DRAWS = 2
DRAW_KEY = 0xD4A3


def promise(
    scenario: Scenario | Path | str,
    risks: Sequence[float] = RISKS,
    objective: str | None = None,
    *,
    years: int | None = None,
    seed: int | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    parameters_uncertain: Path | str | None = None,
    progress: Progress | None = None,
) -> Promises:
    """Find the targets that at most these shares of months, quarters and years break.

    Of all objectives that the scenario's agreements have, or of one by name; without agreements, of
    availability. `parameters_uncertain` is a file of what is known of the failure data: then the scenario,
    named as a file, is read anew with each draw of them, and simulated for its share of the years, rounded
    up. Raises ScenarioError, NothingSimulatedError, and UnpromisedError for what nobody promises.
    """
    if not isinstance(scenario, Scenario):
        path, scenario = scenario, load(scenario, overrides)
    elif parameters_uncertain is not None or overrides:
        raise ValueError("name the scenario's file: it is read anew with other values")
    agreements = distinct(agreements_of(scenario) or (undertaking(scenario),), objective)
    seed = scenario.simulation.seed if seed is None else seed
    confidence = scenario.simulation.confidence
    if parameters_uncertain is None:
        result = simulate_under(scenario, agreements, years, seed, jobs=jobs, progress=progress)
        table = tabulated(agreements, result.study.reckonings, risks, confidence)
        study = result.study
        return Promises(
            scenario.name, seed, study.years, result.availability, result, *table, None, study.partial
        )
    uncertain = load_uncertain(parameters_uncertain)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(DRAW_KEY,)))
    each = -(-(years or scenario.simulation.years) // DRAWS)
    drawn: list[Result] = []
    partial = None
    for number in range(DRAWS):
        other = load(path, (*overrides, *uncertain.overrides(rng)))
        own_seed = int(rng.integers(2**63))
        try:
            result = simulate_under(other, agreements, each, own_seed, jobs=jobs, progress=progress)
            partial = result.study.partial
        except NothingSimulatedError as error:
            partial = str(error)
        if partial is not None:  # a draw counts whole or not at all: each has as many windows
            partial = f"{partial.split()[0]} after {number} of {DRAWS} draws"
            break
        drawn.append(result)
    if len(drawn) < FEWEST_DRAWS:
        raise NothingSimulatedError(partial or "no draw was simulated")
    streams = zip(*(result.study.reckonings for result in drawn), strict=True)
    pooled = [merge_reckonings(parts) for parts in streams]
    availabilities = np.array([result.availability.value for result in drawn], dtype=np.float64)
    average = average_of_draws(availabilities, rng, confidence)
    table = tabulated(agreements, pooled, risks, confidence, (len(drawn), rng))
    simulated = sum(result.study.years for result in drawn)
    return Promises(scenario.name, seed, simulated, average, None, *table, len(drawn), partial)


def distinct(agreements: Sequence[Agreement], only: str | None) -> tuple[Agreement, ...]:
    """Return one agreement for each of the terms, with its objectives in all windows."""
    by_terms = {agreement.terms: agreement for agreement in reversed(agreements)}
    return tuple(replace(agreement, terms=widened(terms, only)) for terms, agreement in by_terms.items())
