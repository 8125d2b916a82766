"""The command that validates, as click sees it; what it does is imported when it runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from callsim.exits import Exit
from callsim.live.commands import JSON, STORE
from callsim.options import FILE, JOBS, day


def _renamed(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Read several PLANNAME=SCENARIONAME."""
    found = {}
    for text in texts:
        mine, _equals, other = text.partition("=")
        if not mine or not other:
            raise click.BadParameter(f"'{text}' is not PLANNAME=SCENARIONAME, like atlantic=carrier-a")
        found[mine] = other
    return found


@click.command()
@click.argument("scenario", type=FILE)
@click.option("--plan", type=FILE, required=True, metavar="PLAN", help="Whose probes measured it.")
@STORE
@click.option("--since", callback=day, metavar="DATE", help="From this day on.  [default: the first probe]")
@click.option(
    "--until", callback=day, metavar="DATE", help="Up to this day, which is not in it.  [default: now]"
)
@click.option(
    "--as",
    "names",
    metavar="PLANNAME=SCENARIONAME",
    multiple=True,
    callback=_renamed,
    help="A carrier that the plan calls otherwise; several may be given.",
)
@click.option(
    "--find",
    "factor",
    type=click.FloatRange(min=1.0, min_open=True),
    default=2.0,
    show_default=True,
    help="Data are enough if they show repairs so many times as long, or failures as many times as often.",
)
@click.option(
    "--through-platform", is_flag=True, help="The plan's trunks are our own platform, not the carriers."
)
@click.option(
    "--parameters-uncertain",
    "uncertain",
    type=FILE,
    metavar="FILE|included",
    help="What is not known of the failure data, or that the included files say it; ranges widen with it.",
)
@click.option(
    "--set", "overrides", metavar="PATH=VALUE", multiple=True, help="Replace one value of the scenario."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), envvar="CALLSIM_SEED", help="Seed of the random numbers."
)
@JOBS
@JSON
@click.option("--quiet", is_flag=True, envvar="CALLSIM_QUIET", help="Print the verdict only.")
def validate(
    scenario: Path,
    plan: Path,
    store: str | None,
    since: dt.date | None,
    until: dt.date | None,
    names: dict[str, str],
    factor: float,
    through_platform: bool,
    uncertain: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    jobs: int,
    json: str | None,
    quiet: bool,
) -> Exit:
    """Say whether what probes measured is what SCENARIO predicts, for each carrier and the service.

    Ends with 0 where all figures are consistent, 1 where one is not, 3 where there are too few data to say.
    """
    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"--until {until} is not after --since {since}")
    from callsim.validating import validate_command  # noqa: PLC0415 - heavy

    options = validate_command.Options(
        store, since, until, names, factor, uncertain, overrides, through_platform, seed, jobs, json, quiet
    )
    return validate_command.validate(scenario, plan, options)


COMMANDS = (validate,)
"""In the order of the help."""
