"""What the commands that help to write files do."""

from __future__ import annotations

import json
from pathlib import Path

import click

from callsim.exits import Exit
from callsim.scenario import check_files, json_schema, write_starter
from sla.terms import Terms


def check(files: tuple[Path, ...]) -> Exit:
    """Say of each file that it is right, or all that is wrong with it."""
    code = Exit.MET
    for file in files:
        problems = check_files([file])
        for problem in problems:
            click.echo(problem, err=True)
        if problems:
            code = Exit.USAGE
        else:
            click.echo(f"{file}: ok")
    return code


def schema(*, terms: bool) -> Exit:
    """Print the JSON Schema of scenario files, or of terms files."""
    click.echo(json.dumps(json_schema(Terms) if terms else json_schema(), indent=2))
    return Exit.MET


def init(folder: Path) -> Exit:
    """Write a starting scenario."""
    file = write_starter(folder)
    click.echo(f"{file}: written; try: callsim run {file}")
    return Exit.MET
