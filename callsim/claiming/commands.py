"""The command `claim` as click sees it; what it does is imported when it runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from callsim.exits import Exit
from callsim.live.commands import JSON, STORE
from callsim.options import FILE, day, month


@click.command()
@click.argument("terms", type=FILE)
@click.option("--plan", type=FILE, metavar="PLAN", required=True, help="The plan whose probes watched.")
@STORE
@click.option(
    "--over",
    metavar="NAME",
    default="service",
    show_default=True,
    help="A carrier, a trunk or the service.",
)
@click.option("--month", callback=month, metavar="YYYY-MM", help="For this calendar month ...")
@click.option("--from", "start", callback=day, metavar="DATE", help="... or from this day on ...")
@click.option("--to", "end", callback=day, metavar="DATE", help="... up to this day, which is not in it.")
@click.option(
    "--fee", type=click.FloatRange(min=0, min_open=True), help="A month's fee, in the terms' currency."
)
@click.option("--users", type=click.FloatRange(min=0, min_open=True), help="How many users the customer has.")
@click.option("--in-arrears", is_flag=True, help="The account is not paid, which some terms ask for.")
@click.option(
    "--has", "has", multiple=True, metavar="NAME", help="What the terms require, like geo_redundant."
)
@click.option("--customer", metavar="NAME", help="Who claims.")
@click.option(
    "--tickets",
    type=FILE,
    metavar="FILE.csv",
    help="Tickets, notices and causes of outages, as a record of outages has them.",
)
@click.option(
    "--out", type=FILE, metavar="DIR", help="The folder to write.  [default: claims/TERMS-NAME-YYYY-MM]"
)
@JSON
def claim(
    terms: Path,
    plan: Path,
    store: str | None,
    over: str,
    month: tuple[dt.date, dt.date] | None,
    start: dt.date | None,
    end: dt.date | None,
    fee: float | None,
    users: float | None,
    in_arrears: bool,
    has: tuple[str, ...],
    customer: str | None,
    tickets: Path | None,
    out: Path | None,
    json: str | None,
) -> Exit:
    """Make the evidence for a credit under TERMS from what probes saw of a month.

    The folder has a page that prints, tables, SIP traces and SHA-256 sums. Only what is proven is claimed:
    each outage as short as it must have been. Ends with 0 when it is certain what can be claimed, be it
    nothing, and with 3 when only the longest outages would give a credit, or none can be judged.
    """
    if (month is None) == (start is None) or (start is None) != (end is None):
        raise click.UsageError("give --month, or --from and --to")
    span = month if start is None or end is None else (start, end)
    assert span is not None  # one of both is given
    if span[0] >= span[1]:
        raise click.UsageError(f"--to {span[1]} is not after --from {span[0]}")
    from callsim.claiming import claim_command  # noqa: PLC0415 - heavy
    from callsim.claiming.reckoning import Asked  # noqa: PLC0415 - heavy
    from sla.assessment import Customer  # noqa: PLC0415 - heavy

    holder = Customer(fee=fee, users=users, has=frozenset(has), good_standing=not in_arrears)
    asked = Asked(terms, plan, over, span, holder, customer, tickets)
    return claim_command.claim(asked, store, out, json)


COMMANDS = (claim,)
"""In the order of the help."""
