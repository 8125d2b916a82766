"""What `callsim promise` does, once its options are read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from callsim import runs
from callsim.agreements import promise_report
from callsim.agreements.accounts import agreements_of, undertaking
from callsim.agreements.at_risk import RISKS, Promises, UnpromisedError
from callsim.agreements.promising import distinct
from callsim.agreements.promising import promise as find_promises
from callsim.agreements.uncertainty import uncertain_in
from callsim.api import load
from callsim.commands import RunOptions, stopped
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.progress import shown
from callsim.scenario.model import Scenario
from callsim.terminal import answer_width, say
from callsim.writing import check_target, json_text, write_json, writing
from sla.remedies import CreditRule


def promise(
    path: Path, options: RunOptions, risks: tuple[float, ...], only: str | None, uncertain: Path | None
) -> Exit:
    """Simulate a scenario, print what can be promised at which risk, write the plot and the numbers."""
    check_target(options.json)
    scenario = load(path, options.overrides)
    _check(path, scenario, only, uncertain)
    with runs.draft(options.out, f"{scenario.name}-promise") as folder:
        found = _found(path, scenario, options, risks, only, uncertain)
        if options.json != "-":
            say(
                promise_report.answer(found)
                if options.quiet
                else promise_report.terminal(found, answer_width())
            )
        answer = _json(found)
        with writing(options.out):
            (folder.path / "promise.json").write_text(json_text(answer), encoding="utf-8")
            _plot(scenario, found, folder.path / "promise")
        kept = folder.keep(datetime.now().astimezone())
    if options.json is not None:
        write_json(options.json, answer)
    if not options.quiet and options.json != "-":
        say(f"Files: {kept}")
    interrupted = found.partial is not None and found.partial.startswith("interrupted")
    return Exit.INTERRUPTED if interrupted else Exit.MET


def _json(found: Promises) -> dict[str, Any]:
    """Return the run's answer with the promises."""
    return {**found.result.to_json(), "promise": found.to_json()}


def _found(
    path: Path,
    scenario: Scenario,
    options: RunOptions,
    risks: tuple[float, ...],
    only: str | None,
    uncertain: Path | None,
) -> Promises:
    with shown(scenario.name) as progress, stopped():
        return find_promises(
            path,
            tuple(sorted(risks)) or RISKS,
            only,
            years=options.years,
            seed=options.seed,
            jobs=options.jobs,
            overrides=options.overrides,
            parameters_uncertain=uncertain,
            progress=progress,
        )


def _check(path: Path, scenario: Scenario, only: str | None, uncertain: Path | None) -> None:
    """Raise what is wrong before anything is made."""
    try:
        distinct(agreements_of(scenario) or (undertaking(scenario),), only)
    except UnpromisedError as error:
        raise CallsimError(f"{path}: {error}") from None
    if uncertain is not None:
        uncertain_in(scenario, uncertain)


def _plot(scenario: Scenario, found: Promises, path: Path) -> None:
    from callsim.agreements.promise_plot import promise_plot  # noqa: PLC0415
    from callsim.plots import save  # noqa: PLC0415 - matplotlib is slow to import

    if any(row.objective.name == "availability" for row in found.rows):
        rule = _paid_by_availability(scenario)
        save(promise_plot(scenario.name, found, rule, found.average.value), path)


def _paid_by_availability(scenario: Scenario) -> CreditRule | None:
    """Find a rule that pays shares by the availability of months."""
    for agreement in agreements_of(scenario):
        for rule in agreement.terms.credits:
            worths = [rule.flat] if rule.flat is not None else [tier.credit for tier in rule.tiers]
            if rule.objective == "availability" and worths and all(w.unit == "share" for w in worths):
                return rule
    return None
