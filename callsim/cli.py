"""The command line."""

from __future__ import annotations

import datetime as dt
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callsim import __version__
from callsim.alerting.commands import COMMANDS as ALERTING
from callsim.claiming.commands import COMMANDS as CLAIMING
from callsim.drill.commands import COMMANDS as DRILLING
from callsim.exits import Exit
from callsim.fitting.commands import COMMANDS as FITTING
from callsim.live.commands import COMMANDS as LIVE
from callsim.live.commands import STORE as STORE_URL
from callsim.neighbours import in_the_way
from callsim.options import (
    FILE,
    OUT,
    UNCERTAIN,
    day,
    duration,
    month,
    share,
    shared_options,
    shares,
    variations,
)
from callsim.reading.commands import COMMANDS as READING
from callsim.reviewing.commands import COMMANDS as REVIEWING
from callsim.store_commands import COMMANDS as STORING
from callsim.validating.commands import COMMANDS as VALIDATING
from callsim.watching.commands import COMMANDS as WATCHING

if TYPE_CHECKING:
    from sla.disputes import Party


class _Commands(click.Group):
    """Ends every command with one of the exit codes, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        from callsim.errors import CallsimError  # noqa: PLC0415

        try:
            trouble = in_the_way()
            if trouble is not None:
                raise CallsimError(trouble)  # noqa: TRY301
            code = super().invoke(ctx)
            sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit):
            raise
        except CallsimError as error:
            click.echo(str(error), err=True)
            code = error.exit_code
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            code = Exit.INTERRUPTED
        except BrokenPipeError:
            _forget_stdout()
            code = Exit.PIPE_CLOSED
        except OSError as error:
            _forget_stdout()
            reason = (error.strerror or str(error)).lower()
            click.echo(f"{error.filename or 'output'}: {reason}", err=True)
            code = Exit.USAGE
        except Exception as error:
            if os.environ.get("CALLSIM_DEBUG"):
                raise
            what = f"{type(error).__name__}: {' '.join(str(error).split())}"
            click.echo(f"callsim: internal error: {what} (set CALLSIM_DEBUG=1 for the traceback)", err=True)
            code = Exit.INTERNAL
        ctx.exit(int(code or 0))


def _forget_stdout() -> None:
    """Keep the interpreter from failing again on what stdout would not take."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="callsim %(version)s")
def main() -> None:
    """Predict the uptime, recovery time and voice quality of telephone service, and place real calls."""


@main.command()
@click.argument("scenario", type=FILE)
@shared_options
@OUT
@click.option(
    "--precision",
    metavar="SHARE",
    callback=share,
    envvar="CALLSIM_PRECISION",
    help="Instead of --years: until the interval on unavailability is within this share of it, like 5%.",
)
@click.option(
    "--max-time",
    metavar="DURATION",
    callback=duration,
    envvar="CALLSIM_MAX_TIME",
    help="Begin nothing after so much real time, like 60s.",
)
@click.option("--junit", metavar="FILE", envvar="CALLSIM_JUNIT", help="Write the verdicts for a CI system.")
@click.option("--store", metavar="URL", help="Keep the run and its scenario there, like sqlite:///FILE.")
@UNCERTAIN
@click.option("--calls", is_flag=True, help="Place every call of a horizon, to check the expected figures.")
@click.option(
    "--horizon",
    metavar="DURATION",
    callback=duration,
    help="With --calls: the length of a stretch, hours to weeks.  [default: 7d]",
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    help="With --calls: stretches with faults of their own.  [default: 1]",
)
@click.option(
    "--redials/--no-redials",
    default=None,
    help="With --calls: whether callers who do not get through try again.  [default: as the scenario says]",
)
@click.option("--parquet", is_flag=True, help="With --calls: write the calls as Parquet instead of CSV.")
def run(
    scenario: Path,
    precision: float | None,
    max_time: float | None,
    junit: str | None,
    store: str | None,
    uncertain: Path | None,
    calls: bool,
    horizon: float | None,
    repeat: int | None,
    redials: bool | None,
    parquet: bool,
    **shared: Any,  # noqa: ANN401 - what shared_options adds
) -> Exit:
    """Simulate SCENARIO and say whether its objectives hold.

    Ends with 0 when every objective is met, 1 when one is breached, 3 when none is and one is inconclusive,
    2 when something is wrong, 130 when interrupted.
    """
    if precision is not None and shared["years"] is not None:
        raise click.UsageError("--years and --precision exclude each other; give one")
    if not calls and ((horizon, repeat, redials) != (None,) * 3 or parquet):
        raise click.UsageError("--horizon, --repeat, --redials and --parquet go with --calls")
    if calls and (shared["years"], precision, max_time, junit, store, uncertain) != (None,) * 6:
        raise click.UsageError(
            "--calls takes --horizon and --repeat, not --years, --precision, --max-time, --junit, --store "
            "or --parameters-uncertain"
        )
    from callsim import commands  # noqa: PLC0415 - heavy

    if calls:
        return commands.run_calls(
            scenario, commands.RunOptions(**shared), horizon or 7 * 86400.0, repeat or 1, redials, parquet
        )
    options = commands.RunOptions(**shared)
    return commands.run(scenario, options, precision, max_time, junit, store, uncertain)


@main.command()
@click.argument("scenarios", nargs=-1, required=True, type=FILE, metavar="SCENARIO...")
@shared_options
def compare(scenarios: tuple[Path, ...], **shared: Any) -> Exit:  # noqa: ANN401 - what shared_options adds
    """Say how SCENARIOs differ from the first, under common random numbers."""
    from callsim import commands  # noqa: PLC0415 - heavy

    if len(scenarios) < 2:
        raise click.UsageError("one scenario has nothing to be compared with; give two or more")
    return commands.compare(scenarios, commands.RunOptions(**shared))


@main.command()
@click.argument("scenario", type=FILE)
@shared_options
@OUT
@click.option(
    "--vary",
    metavar="PATH=v1,v2,...",
    callback=variations,
    multiple=True,
    required=True,
    help="Values for one path; with several of these every combination is simulated.",
)
def sweep(scenario: Path, vary: tuple[tuple[str, tuple[str, ...]], ...], **shared: Any) -> Exit:  # noqa: ANN401 - what shared_options adds
    """Simulate SCENARIO with each of several values, under common random numbers."""
    from callsim import commands  # noqa: PLC0415 - heavy

    return commands.sweep(scenario, vary, commands.RunOptions(**shared))


@main.command()
@click.argument("scenario", type=FILE)
@shared_options
@OUT
@click.option(
    "--risk",
    "risks",
    metavar="SHARE",
    callback=shares,
    multiple=True,
    help="Share of windows that may break it, like 1%; several may be given.  [default: 0.1%, 1%, 5%, 10%]",
)
@click.option("--objective", metavar="NAME", help="Only this objective of the terms, like availability.")
@UNCERTAIN
def promise(
    scenario: Path,
    risks: tuple[float, ...],
    objective: str | None,
    uncertain: Path | None,
    **shared: Any,  # noqa: ANN401 - what shared_options adds
) -> Exit:
    """Say what SCENARIO can promise at which risk: the highest target that few enough windows break."""
    from callsim import commands  # noqa: PLC0415 - heavy
    from callsim.agreements import promise_command  # noqa: PLC0415 - heavy

    return promise_command.promise(scenario, commands.RunOptions(**shared), risks, objective, uncertain)


@main.command()
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
def check(files: tuple[Path, ...]) -> Exit:
    """Say everything that is wrong with scenario FILEs and plans."""
    from callsim import authoring  # noqa: PLC0415 - heavy

    return authoring.check(files)


@main.command()
@click.option("--terms", is_flag=True, help="Of files of SLA terms instead.")
@click.option("--plan", is_flag=True, help="Of plans for real calls instead.")
def schema(terms: bool, plan: bool) -> Exit:
    """Print the JSON Schema of scenario files, for editors."""
    from callsim import authoring  # noqa: PLC0415 - heavy

    if terms and plan:
        raise click.UsageError("--terms and --plan exclude each other")
    return authoring.schema(terms=terms, plan=plan)


@main.command()
@click.argument("folder", type=FILE, metavar="DIR")
def init(folder: Path) -> Exit:
    """Write a commented scenario to start from into DIR."""
    from callsim import authoring  # noqa: PLC0415 - heavy

    return authoring.init(folder)


@main.group()
def sla() -> None:
    """Read the terms of agreements."""


_PARTY = click.Choice(["provider", "customer", "third_party"])
_TERMS = click.argument("files", nargs=-1, required=True, type=FILE, metavar="TERMS...")


@sla.command("check")
@_TERMS
def sla_check(files: tuple[Path, ...]) -> Exit:
    """Say everything that is wrong with files of TERMS, and what to know before they are signed."""
    from callsim.agreements import sla_commands  # noqa: PLC0415 - heavy

    return sla_commands.check(files)


@sla.command("show")
@click.argument("file", type=FILE, metavar="TERMS")
def sla_show(file: Path) -> Exit:
    """Say in plain English what TERMS promise, exclude and pay."""
    from callsim.agreements import sla_commands  # noqa: PLC0415 - heavy

    return sla_commands.show(file)


@sla.command("assess")
@click.argument("terms", type=FILE)
@click.argument("record", type=FILE, required=False, metavar="OUTAGES.csv")
@click.option("--plan", type=FILE, metavar="PLAN", help="In place of a record: what its probes saw.")
@STORE_URL
@click.option("--over", metavar="NAME", help="Of them a carrier, a trunk or the service.  [default: service]")
@click.option("--month", callback=month, metavar="YYYY-MM", help="Judge this calendar month only.")
@click.option("--from", "start", callback=day, metavar="DATE", help="Judge the windows from this day on ...")
@click.option("--to", "end", callback=day, metavar="DATE", help="... up to this day, which is not in it.")
@click.option(
    "--fee", type=click.FloatRange(min=0, min_open=True), help="A month's fee, in the terms' currency."
)
@click.option("--users", type=click.FloatRange(min=0, min_open=True), help="How many users the customer has.")
@click.option("--in-arrears", is_flag=True, help="The account is not paid, which some terms ask for.")
@click.option(
    "--has", "has", multiple=True, metavar="NAME", help="What the terms require, like geo_redundant."
)
@click.option("--against", type=FILE, metavar="OTHER.csv", help="Another record of the same time.")
@click.option("--recorded-by", type=_PARTY, help="Who kept the record.")
@click.option("--against-by", type=_PARTY, help="Who kept the other one.")
@click.option("--json", metavar="FILE|-", envvar="CALLSIM_JSON", help="Write the answer as JSON.")
def sla_assess(
    terms: Path,
    record: Path | None,
    plan: Path | None,
    store: str | None,
    over: str | None,
    month: tuple[dt.date, dt.date] | None,
    start: dt.date | None,
    end: dt.date | None,
    fee: float | None,
    users: float | None,
    has: tuple[str, ...],
    in_arrears: bool,
    against: Path | None,
    recorded_by: Party | None,
    against_by: Party | None,
    json: str | None,
) -> Exit:
    """Judge a real record of outages (CSV, or a ledger as JSON) under TERMS, with the credit arithmetic.

    With --plan its probes are judged, the month so far unless it is said otherwise: what they prove, with
    what can have been beside it; ends with 3 where only that breaks an objective. With --against two records
    are judged, the provider's and the customer's unless it is said otherwise, and the terms say which counts
    where they differ. Ends with 1 when an objective is broken.
    """
    if month is not None and (start, end) != (None, None):
        raise click.UsageError("--month and --from or --to exclude each other")
    if (start is None) != (end is None):
        raise click.UsageError("--from and --to go together")
    span = month if start is None or end is None else (start, end)
    if span is not None and span[0] >= span[1]:
        raise click.UsageError(f"--to {span[1]} is not after --from {span[0]}")
    if against is None and against_by is not None:
        raise click.UsageError("--against-by goes with --against")
    if against is not None:
        recorded_by = recorded_by or ("customer" if against_by == "provider" else "provider")
        against_by = against_by or ("provider" if recorded_by == "customer" else "customer")
        if recorded_by == against_by:
            raise click.UsageError("--recorded-by and --against-by are two parties")
    if (record is None) == (plan is None):
        raise click.UsageError("give a record, or --plan for what its probes saw")
    if plan is None and over is not None:
        raise click.UsageError("--over goes with --plan")
    if plan is not None and (against, recorded_by) != (None, None):
        raise click.UsageError("--against and --recorded-by go with a record")
    from callsim.agreements import sla_judging  # noqa: PLC0415 - heavy
    from sla.assessment import Customer  # noqa: PLC0415 - heavy

    customer = Customer(fee=fee, users=users, has=frozenset(has), good_standing=not in_arrears)
    if record is None or plan is not None:
        from callsim.agreements import measured  # noqa: PLC0415 - heavy

        assert plan is not None  # checked above
        source = measured.Source(store, plan, over or "service")
        return measured.judge_measured(terms, source, span, customer, json)
    records = [sla_judging.Record(record, recorded_by)]
    if against is not None:
        records.append(sla_judging.Record(against, against_by))
    return sla_judging.judge(terms, records, span, customer, json, one_window=month is not None)


@sla.command("compare")
@click.argument("record", type=FILE, metavar="SCENARIO|OUTAGES.csv")
@_TERMS
@shared_options
def sla_compare(record: Path, files: tuple[Path, ...], **shared: Any) -> Exit:  # noqa: ANN401 - what shared_options adds
    """Say what each of TERMS pays on the same simulated years, or on the same real record."""
    from callsim import commands  # noqa: PLC0415 - heavy
    from callsim.agreements import sla_judging  # noqa: PLC0415 - heavy

    return sla_judging.compare(record, files, commands.RunOptions(**shared))


for _command in (
    *(*LIVE, *WATCHING, *ALERTING, *STORING, *READING),
    *(*CLAIMING, *DRILLING, *VALIDATING, *FITTING, *REVIEWING),
):
    main.add_command(_command)
