"""The command `fit` as click sees it; what it does is imported when it runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from callsim.exits import Exit
from callsim.live.commands import JSON, STORE
from callsim.options import FILE, day, share


@click.command()
@click.argument("log", type=FILE, required=False, metavar="LOG.csv")
@STORE
@click.option("--plan", type=FILE, metavar="PLAN", help="In place of a log: what its probes saw.")
@click.option("--from", "start", callback=day, metavar="DATE", help="Observed from this day on ...")
@click.option("--to", "end", callback=day, metavar="DATE", help="... up to this day, which is not in it.")
@click.option(
    "--timezone", default="UTC", show_default=True, help="Of the days, and of times without offset."
)
@click.option("--of", "names", multiple=True, metavar="NAME", help="Only this, like atlantic/silent.")
@click.option("--pool", is_flag=True, help="One pair of laws for all.")
@click.option("--units", type=click.IntRange(min=1), help="How many alike things, those without a row too.")
@click.option("--confidence", callback=share, default="95%", show_default=True, help="Of the intervals.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the tests of fit.")
@click.option("--carrier-file", type=FILE, metavar="FILE", help="Write the laws for scenarios to include.")
@click.option("--plot", type=FILE, metavar="FILE", help="Draw them, as PNG and as SVG.")
@JSON
def fit(
    log: Path | None,
    store: str | None,
    plan: Path | None,
    start: dt.date | None,
    end: dt.date | None,
    timezone: str,
    names: tuple[str, ...],
    pool: bool,
    units: int | None,
    confidence: float,
    seed: int,
    carrier_file: Path | None,
    plot: Path | None,
    json: str | None,
) -> Exit:
    """Fit laws of failure and repair to an incident log, or to what the probes of --plan saw.

    A log has a row for each incident: begin, end (empty where it is still open), and cause, or unit and mode.
    Say with --from and --to of which time it is: the time without a failure counts as much as the failures.
    """
    if log is None and plan is None:
        raise click.UsageError("give a log, or --plan for what its probes saw")
    if log is not None and plan is not None:
        raise click.UsageError("give a log or --plan, not both")
    if (start is None) != (end is None):
        raise click.UsageError("--from and --to go together")
    span = None if start is None or end is None else (start, end)
    if span is not None and span[0] >= span[1]:
        raise click.UsageError(f"--to {span[1]} is not after --from {span[0]}")
    if not 0.5 <= confidence < 1:
        raise click.UsageError("--confidence is from 50% to below 100%")
    if plot is not None and plot.suffix.lower() not in ("", ".png", ".svg"):
        raise click.UsageError(f"--plot {plot}: draws PNG and SVG; write {plot.with_suffix('.png')}")
    _check_zone(timezone)
    from callsim.fitting import fit_command  # noqa: PLC0415 - heavy

    options = fit_command.FitOptions(
        span, timezone, names, pool, units, confidence, seed, carrier_file, plot, json
    )
    if plan is not None:
        return fit_command.fit_store(store, plan, options)
    assert log is not None  # checked above
    return fit_command.fit_log(log, options)


def _check_zone(name: str) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - only once it is ours

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.UsageError(f"--timezone {name}: write an IANA name, like Europe/London") from None


COMMANDS = (fit,)
