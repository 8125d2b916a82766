"""The command of the prober as click sees it; what it does is imported when it runs."""

from __future__ import annotations

from typing import Any

import click

from callsim.exits import Exit
from callsim.live.commands import LAB, LOCATION, QUIET, STORE
from callsim.options import FILE, duration


@click.command()
@click.argument("plan", type=FILE)
@click.option("--only", metavar="NAME", multiple=True, help="Only this test; several may be given.")
@LAB
@click.option(
    "--set", "overrides", metavar="PATH=VALUE", multiple=True, help="Replace one value of the plan."
)
@STORE
@LOCATION
@click.option(
    "--metrics",
    metavar="[HOST]:PORT",
    envvar="CALLSIM_METRICS",
    help="Serve metrics for Prometheus, like :9108.",
)
@click.option(
    "--state",
    type=FILE,
    metavar="DIR",
    envvar="CALLSIM_STATE",
    help="What is kept on this machine.  [default: a folder of this user's]",
)
@click.option(
    "--for", "seconds", metavar="DURATION", callback=duration, help="How long.  [default: for ever]"
)
@QUIET
def watch(**options: Any) -> Exit:  # noqa: ANN401 - what the options add
    """Run the tests of PLAN on their cadence until told to end, and write down what came of each.

    SIGHUP, or a change of its file, has the plan read anew. SIGTERM lets calls in progress end; a second
    one hangs them up. Ends with 0 then and after --for, 130 by Ctrl-C, 4 when real calls cannot be placed
    here, 5 when the guard refuses the plan.
    """
    from callsim.watching import watch_command  # noqa: PLC0415 - heavy

    return watch_command.watch(watch_command.WatchOptions(**options))


COMMANDS = (watch,)
"""In the order of the help."""
