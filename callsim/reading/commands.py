"""The commands that read what probes left, as click sees them; what they do is imported when they run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callsim.exits import Exit
from callsim.live.commands import JSON, STORE
from callsim.options import FILE, duration, month, share

if TYPE_CHECKING:
    from callsim.reading.export import Format
    from callsim.reading.export_command import What


@click.command()
@click.argument("plan", type=FILE)
@click.option("--for", "wanted", metavar="SHARE", callback=share, help="Ask whether it can show this.")
@click.option(
    "--locations",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="From how many places it runs.",
)
@click.option("--mttr", metavar="DURATION", callback=duration, help="How long outages last.  [default: 30m]")
@click.option(
    "--set", "overrides", metavar="PATH=VALUE", multiple=True, help="Replace one value of the plan."
)
@JSON
def plan(
    plan: Path,
    wanted: float | None,
    locations: int,
    mttr: float | None,
    overrides: tuple[str, ...],
    json: str | None,
) -> Exit:
    """Say what PLAN can see: which outages, how soon, what it could ever show, and what it costs.

    With --for 99.99% it ends with 3 where a month without a failure would not show that.
    """
    from callsim.reading import plan_command  # noqa: PLC0415 - heavy

    return plan_command.show(plan, overrides, locations, mttr, wanted, json)


@click.command()
@click.argument("plan", type=FILE, required=False)
@STORE
@click.option("--month", callback=month, metavar="YYYY-MM", help="Of this month.  [default: so far this one]")
@JSON
def status(
    plan: Path | None, store: str | None, month: tuple[dt.date, dt.date] | None, json: str | None
) -> Exit:
    """Say how the trunks of PLAN are now, and how its month stands against what is promised.

    Without PLAN it lists the probers. Ends with 1 where the service has broken the plan's `sla` for certain.
    """
    from callsim.reading import status_command  # noqa: PLC0415 - heavy

    return status_command.show(store, plan, month, json)


@click.command()
@click.argument("plan", type=FILE)
@STORE
@click.option(
    "--what",
    type=click.Choice(["calls", "incidents", "outages"]),
    default="calls",
    show_default=True,
    help="Calls with all their tries, incidents as they were told, or outages of the month.",
)
@click.option("--to", type=click.Choice(["csv", "parquet", "json"]), default="csv", show_default=True)
@click.option("--out", metavar="FILE|-", default="-", show_default=True, help="Where to write it.")
@click.option("--month", callback=month, metavar="YYYY-MM", help="Only of this month.")
def export(
    plan: Path,
    store: str | None,
    what: What,
    to: Format,
    out: str,
    month: tuple[dt.date, dt.date] | None,
) -> Exit:
    """Write what the probes of PLAN have left as CSV, JSON or Parquet, of any size."""
    from callsim.reading import export_command  # noqa: PLC0415 - heavy

    return export_command.export(plan, store, what, to, out, month)


COMMANDS = (plan, status, export)
"""In the order of the help."""
