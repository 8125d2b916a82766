"""What the commands that help to write files do."""

from __future__ import annotations

import json
from pathlib import Path

import click

from callsim.exits import Exit
from callsim.plan import Plan, check_plan, is_plan, load_plan
from callsim.scenario.load import check_files
from callsim.scenario.model import Scenario
from callsim.scenario.schema import json_schema
from callsim.scenario.starter import write_starter
from sla.terms import Terms


def check(files: tuple[Path, ...]) -> Exit:
    """Say of each file that it is right, or all that is wrong with it."""
    code = Exit.MET
    for file in files:
        plan = is_plan(file)
        problems: list[object] = [*(check_plan(file) if plan else check_files([file]))]
        if plan and not problems:
            problems += _refused(file)
        for problem in problems:
            click.echo(problem, err=True)
        if problems:
            code = Exit.USAGE
        else:
            click.echo(f"{file}: ok")
    return code


def _refused(file: Path) -> list[str]:
    """Say what the guard would refuse of a plan that is right otherwise."""
    from callsim.live.refused import broken_caps, refused_numbers  # noqa: PLC0415 - slow to import

    plan = load_plan(file)
    return [f"{file}: {why}" for why in (*refused_numbers(plan), *broken_caps(plan))]


def schema(*, terms: bool, plan: bool) -> Exit:
    """Print the JSON Schema of scenario files, of terms files or of plans."""
    root = Terms if terms else Plan if plan else Scenario
    click.echo(json.dumps(json_schema(root), indent=2))
    return Exit.MET


def init(folder: Path) -> Exit:
    """Write a starting scenario."""
    file = write_starter(folder)
    click.echo(f"{file}: written; try: callsim run {file}")
    return Exit.MET
