"""The command `drill` as click sees it; what it does is imported when it runs."""

from __future__ import annotations

from typing import Any

import click

from callsim.exits import Exit
from callsim.live.commands import JSON
from callsim.options import FILE


@click.command()
@click.argument("scenario", type=FILE)
@click.option(
    "--stretch",
    "stretches",
    metavar="typical|worst|CAUSE",
    multiple=True,
    help="The typical bad day of the simulated years, the worst, or a fault like atlantic/silent; several"
    " may be given.  [default: typical]",
)
@click.option("--all", "everything", is_flag=True, help="A typical fault of every cause.")
@click.option("--repeat", type=click.IntRange(min=1), help="How often each.  [default: as can be at once]")
@click.option("--real-time", is_flag=True, help="Health timers as they are, not 10 times as fast.")
@click.option(
    "--abreast",
    type=click.IntRange(1, 8),
    default=3,
    show_default=True,
    help="Stretches at a time, each with carriers of its own.",
)
@click.option(
    "--carriers",
    type=click.Choice(["lab", "kamailio"]),
    default="lab",
    show_default=True,
    help="Who fails over: our router, or a Kamailio with the scenario's timers.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), envvar="CALLSIM_SEED", help="Seed of the random numbers."
)
@click.option(
    "--set", "overrides", metavar="PATH=VALUE", multiple=True, help="Replace one value of the scenario."
)
@JSON
@click.option("--quiet", is_flag=True, envvar="CALLSIM_QUIET", help="Print the verdict only.")
def drill(**options: Any) -> Exit:  # noqa: ANN401 - what the options add
    """Play faults of SCENARIO with real calls on this machine, and say whether it goes as simulated.

    Ends with 0 when it does, 1 when something differs systematically, 3 with too few calls to say, 4 when
    real calls cannot be placed here.
    """
    if options["everything"] and options["stretches"]:
        raise click.UsageError("--all and --stretch exclude each other")
    from callsim.drill import command  # noqa: PLC0415 - heavy

    return command.drill(command.DrillOptions(**options))


COMMANDS = (drill,)
"""In the order of the help."""
