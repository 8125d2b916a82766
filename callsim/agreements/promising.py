"""Simulates a scenario for the promises that it can keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from callsim.agreements.accounts import agreements_of, undertaking
from callsim.agreements.at_risk import RISKS, Promises, tabulated, widened
from callsim.agreements.uncertainty import uncertain_in
from callsim.api import load, simulate_under
from callsim.result import resampling_of
from callsim.scenario.model import Scenario
from callsim.study import Progress
from sla.reckoning import Agreement


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
    availability. `parameters_uncertain` is a file of what is known of the failure data, or "included": then
    each stream has a draw of them. Raises ScenarioError, NothingSimulatedError, and UnpromisedError for what
    nobody promises.
    """
    if not isinstance(scenario, Scenario):
        scenario = load(scenario, overrides)
    elif overrides:
        raise ValueError("name the scenario's file: it is read with other values")
    agreements = distinct(agreements_of(scenario) or (undertaking(scenario),), objective)
    seed = scenario.simulation.seed if seed is None else seed
    uncertain = None if parameters_uncertain is None else uncertain_in(scenario, parameters_uncertain)
    result = simulate_under(
        scenario, agreements, years, seed, jobs=jobs, uncertain=uncertain, progress=progress
    )
    study, confidence = result.study, scenario.simulation.confidence
    again = resampling_of(len(study.summary.year_seconds), study.draws, seed, confidence)
    table = tabulated(agreements, study.reckonings, risks, again)
    return Promises(
        scenario.name, seed, study.years, result.availability, result, *table, study.draws, study.partial
    )


def distinct(agreements: Sequence[Agreement], only: str | None) -> tuple[Agreement, ...]:
    """Return one agreement for each of the terms, with its objectives in all windows."""
    by_terms = {agreement.terms: agreement for agreement in reversed(agreements)}
    return tuple(replace(agreement, terms=widened(terms, only)) for terms, agreement in by_terms.items())
