"""The command `review` as click sees it; what it does is imported when it runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from callsim.exits import Exit
from callsim.live.commands import STORE
from callsim.options import FILE, day, share, shared_options


@click.command()
@click.argument("terms", type=FILE)
@click.option("--scenario", type=FILE, metavar="SCENARIO", required=True, help="The model that is refitted.")
@click.option("--plan", type=FILE, metavar="PLAN", required=True, help="The plan whose probes watched.")
@STORE
@click.option("--months", type=click.IntRange(1, 240), help="The last so many whole months.  [default: 12]")
@click.option("--from", "start", callback=day, metavar="DATE", help="Or from this day on ...")
@click.option("--to", "end", callback=day, metavar="DATE", help="... up to this day, which is not in it.")
@click.option(
    "--over", metavar="NAME", default="service", show_default=True, help="What the terms are about."
)
@click.option(
    "--risk",
    callback=share,
    metavar="SHARE",
    help="Share of windows that may break a target.  [default: what the terms say, else 5%]",
)
@shared_options
def review(
    terms: Path,
    scenario: Path,
    plan: Path,
    store: str | None,
    months: int | None,
    start: dt.date | None,
    end: dt.date | None,
    over: str,
    risk: float | None,
    **shared: Any,  # noqa: ANN401 - what shared_options adds
) -> Exit:
    """Say of each target in TERMS whether to keep, raise or lower it, and why.

    By what probes saw of each window, and by the scenario with its carriers' laws refitted to the same
    probes. Ends with 0 where all can be kept or raised, 1 where one should be lowered, 3 where nothing can be
    said of some.
    """
    if (start is None) != (end is None):
        raise click.UsageError("--from and --to go together")
    if start is not None and months is not None:
        raise click.UsageError("give --months, or --from and --to")
    if start is not None and end is not None and start >= end:
        raise click.UsageError(f"--to {end} is not after --from {start}")
    if risk is not None and risk >= 1:
        raise click.UsageError("--risk is more than 0% and less than 100%")
    from callsim.commands import RunOptions  # noqa: PLC0415 - heavy
    from callsim.reviewing import review_command  # noqa: PLC0415 - heavy

    span = None if start is None or end is None else (start, end)
    asked = review_command.Asked(terms, scenario, plan, store, months or 12, span, over, risk)
    return review_command.review(asked, RunOptions(**shared))


COMMANDS = (review,)
"""In the order of the help."""
