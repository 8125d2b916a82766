"""What the commands about terms files do."""

from __future__ import annotations

from pathlib import Path

import click

from callsim.agreements.terms import load_terms
from callsim.errors import ScenarioError
from callsim.exits import Exit
from sla.advice import advice
from sla.english import english


def check(files: tuple[Path, ...]) -> Exit:
    """Say of each file all that is wrong with it, or what to know before it is signed."""
    code = Exit.MET
    for file in files:
        try:
            terms = load_terms(file)
        except ScenarioError as error:
            click.echo(str(error), err=True)
            code = Exit.USAGE
            continue
        warnings = advice(terms)
        for warning in warnings:
            click.echo(f"{file}: warning: {warning}")
        if not warnings:
            click.echo(f"{file}: ok")
    return code


def show(file: Path) -> Exit:
    """Print terms in plain English."""
    click.echo(english(load_terms(file)))
    return Exit.MET
