"""The command `alert` as click sees it."""

from __future__ import annotations

from pathlib import Path

import click

from callsim.exits import Exit
from callsim.options import FILE


@click.group()
def alert() -> None:
    """Send the alerts of a plan."""


@alert.command("test")
@click.argument("plan", type=FILE)
@click.option("--only", type=click.IntRange(min=1), metavar="N", help="Only the plan's N-th alert, from 1.")
@click.option("--location", metavar="NAME", help="Where it says it is from.  [default: this machine's name]")
def alert_test(plan: Path, only: int | None, location: str | None) -> Exit:
    """Send a message that says it is a test over each channel of PLAN's alerts, each once.

    Ends with 0 when all are taken, 1 when one is not, 2 when a channel cannot be had.
    """
    from callsim.alerting import trying  # noqa: PLC0415 - heavy

    return trying.send_test(plan, only, location)


COMMANDS = (alert,)
"""In the order of the help."""
