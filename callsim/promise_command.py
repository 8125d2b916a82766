"""What `callsim promise` does, once its options are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from callsim import promise_report, runs
from callsim.agreements import agreements_of, undertaking
from callsim.api import load, simulate_under
from callsim.commands import RunOptions, answer_width, say, stopped
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.progress import shown
from callsim.promise import RISKS, Promises, UnpromisedError, by_draws, promises, widened
from callsim.result import Result
from callsim.scenario.model import Scenario
from callsim.uncertainty import Uncertain, load_uncertain
from sla.reckoning import Agreement, merge_reckonings
from sla.remedies import CreditRule

DRAWS = 40
"""Sets of parameters that are drawn where they are uncertain."""
DRAW_KEY = 0xD4A3


def promise(
    path: Path, options: RunOptions, risks: tuple[float, ...], only: str | None, uncertain: Path | None
) -> Exit:
    """Simulate a scenario, print what can be promised at which risk, write the plot and the numbers."""
    runs.check_target(options.json)
    scenario = load(path, options.overrides)
    parameters = None if uncertain is None else load_uncertain(uncertain)
    wanted = tuple(sorted(risks)) or RISKS
    try:
        agreements = distinct(agreements_of(scenario) or (undertaking(scenario),), only)
    except UnpromisedError as error:
        raise CallsimError(f"{path}: {error}") from None
    with runs.draft(options.out, f"{scenario.name}-promise") as folder:
        result, found, covered = _simulated(scenario, agreements, wanted, path, options, parameters)
        if options.json != "-":
            text = promise_report.terminal(result, found, answer_width(), covered)
            say(promise_report.answer(result, found) if options.quiet else text)
        with runs.writing(options.out):
            data = {"scenario": scenario.name, "years": result.study.years, "promise": found.to_json()}
            (folder.path / "promise.json").write_text(runs.json_text(data), encoding="utf-8")
            _plot(scenario, result, found, folder.path / "promise")
        kept = folder.keep(datetime.now().astimezone())
    if options.json is not None:
        runs.write_json(options.json, {**result.to_json(), "promise": found.to_json()})
    if not options.quiet and options.json != "-":
        say(f"Files: {kept}")
    return Exit.INTERRUPTED if result.exit_code is Exit.INTERRUPTED else Exit.MET


def distinct(agreements: Sequence[Agreement], only: str | None) -> tuple[Agreement, ...]:
    """Return one agreement for each of the terms, with its objectives in all windows."""
    by_terms = {agreement.terms: agreement for agreement in reversed(agreements)}
    return tuple(replace(agreement, terms=widened(terms, only)) for terms, agreement in by_terms.items())


def _simulated(
    scenario: Scenario,
    agreements: tuple[Agreement, ...],
    risks: tuple[float, ...],
    path: Path,
    options: RunOptions,
    parameters: Uncertain | None,
) -> tuple[Result, Promises, str]:
    confidence = scenario.simulation.confidence
    if parameters is None:
        with shown(scenario.name) as progress, stopped():
            result = simulate_under(
                scenario, agreements, options.years, options.seed, jobs=options.jobs, progress=progress
            )
        found = promises(agreements, result.study.reckonings, risks, confidence)
        return result, found, promise_report.NOISE
    seed = scenario.simulation.seed if options.seed is None else options.seed
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(DRAW_KEY,)))
    years = -(-(options.years or scenario.simulation.years) // DRAWS)
    drawn: list[Result] = []
    with shown(scenario.name) as progress, stopped():
        for _ in range(DRAWS):
            other = load(path, (*options.overrides, *parameters.overrides(rng)))
            own_seed = int(rng.integers(2**63))
            drawn.append(
                simulate_under(other, agreements, years, own_seed, jobs=options.jobs, progress=progress)
            )
    reckonings = [merge_reckonings(parts) for parts in zip(*(r.study.reckonings for r in drawn), strict=True)]
    interval = by_draws(len(drawn), rng, confidence)
    found = promises(agreements, reckonings, risks, confidence, interval)
    covered = f"what is unknown of the parameters, drawn {DRAWS} times, with the simulation's noise"
    return drawn[0], found, covered


def _plot(scenario: Scenario, result: Result, found: Promises, path: Path) -> None:
    from callsim.plots import save  # noqa: PLC0415 - matplotlib is slow to import
    from callsim.promise_plot import promise_plot  # noqa: PLC0415

    if any(row.objective.name == "availability" for row in found.rows):
        rule = _paid_by_availability(scenario)
        save(promise_plot(scenario.name, found, rule, result.availability.value), path)


def _paid_by_availability(scenario: Scenario) -> CreditRule | None:
    """Find a rule that pays shares by the availability of months."""
    for agreement in agreements_of(scenario):
        for rule in agreement.terms.credits:
            worths = [rule.flat] if rule.flat is not None else [tier.credit for tier in rule.tiers]
            if rule.objective == "availability" and worths and all(w.unit == "share" for w in worths):
                return rule
    return None
