"""The command `plan`: what a plan can see."""

from __future__ import annotations

from pathlib import Path

import click

from callsim.exits import Exit
from callsim.plan import load_plan
from callsim.reading.plan_view import can, terminal, to_json
from callsim.reading.seeing import MEAN_OUTAGE, seeing
from callsim.terminal import answer_width
from callsim.writing import check_target, write_json


def show(
    path: Path,
    overrides: tuple[str, ...],
    locations: int,
    mean_outage: float | None,
    wanted: float | None,
    json: str | None,
) -> Exit:
    """Print what a plan sees; with `wanted` INCONCLUSIVE where it cannot show that in a month."""
    check_target(json)
    seen = seeing(load_plan(path, overrides), locations, mean_outage or MEAN_OUTAGE)
    if json != "-":
        click.echo(terminal(seen, wanted, answer_width()))
    if json is not None:
        write_json(json, to_json(seen, wanted))
    return Exit.MET if wanted is None else can(seen, wanted)
