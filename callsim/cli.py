"""The command line."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from callsim import __version__
from callsim.exits import Exit
from callsim.neighbours import in_the_way

if TYPE_CHECKING:
    from sla.disputes import Party

Command = TypeVar("Command", bound=Callable[..., Any])


def _share(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    from carriers.units import parse_share  # noqa: PLC0415 - only once it is known to be ours

    return None if text is None else _quantity(parse_share, text)


def _shares(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[float, ...]:
    from carriers.units import parse_share  # noqa: PLC0415 - only once it is known to be ours

    found = tuple(_quantity(parse_share, text) for text in texts)
    if any(share >= 1 for share in found):
        raise click.BadParameter("a risk is more than 0% and less than 100%")
    return found


def _month(_: click.Context, __: click.Parameter, text: str | None) -> tuple[dt.date, dt.date] | None:
    """Read a month as its first day, and that of the next."""
    if text is None:
        return None
    try:
        first = dt.date.fromisoformat(f"{text}-01")
    except ValueError:
        raise click.BadParameter(f"'{text}' is not a month; write one like 2026-10") from None
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def _day(_: click.Context, __: click.Parameter, text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"'{text}' is not a date; write one like 2026-10-01") from None


def _duration(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    from carriers.units import parse_duration  # noqa: PLC0415 - only once it is known to be ours

    return None if text is None else _quantity(parse_duration, text)


def _quantity(parse: Callable[[str], float], text: str) -> float:
    try:
        value = parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not value:
        raise click.BadParameter(f"{text} is too small; it has to be more than 0")
    return value


def _variations(
    _: click.Context, __: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(map(_variation, texts))


def _variation(text: str) -> tuple[str, tuple[str, ...]]:
    """Read `PATH=v1,v2`; a comma inside brackets belongs to a value, like {median: 2h, p95: 5h}."""
    path, _, values = text.partition("=")
    parts, depth = [""], 0
    for letter in values:
        depth += (letter in "{[") - (letter in "}]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    stripped = tuple(part.strip() for part in parts)
    if not path or not all(stripped):
        raise click.BadParameter(f"'{text}' is not PATH=v1,v2,..., like carriers.atlantic.channels=60,120")
    return path, stripped


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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _options(command: Command) -> Command:
    """Add what all commands that simulate understand."""
    for option in reversed(
        [
            click.option(
                "--years", type=click.IntRange(min=1), envvar="CALLSIM_YEARS", help="Years to simulate."
            ),
            click.option(
                "--seed",
                type=click.IntRange(0, 2**63 - 1),
                envvar="CALLSIM_SEED",
                help="Seed of the random numbers.",
            ),
            click.option(
                "--jobs",
                type=click.IntRange(min=1),
                default=_cores,
                show_default="all cores",
                envvar="CALLSIM_JOBS",
                help="Processes to use; the answer does not depend on it.",
            ),
            click.option(
                "--set",
                "overrides",
                metavar="PATH=VALUE",
                multiple=True,
                help="Replace one value of the scenario, like carriers.atlantic.channels=60.",
            ),
            click.option("--json", metavar="FILE|-", envvar="CALLSIM_JSON", help="Write the answer as JSON."),
            click.option("--quiet", is_flag=True, envvar="CALLSIM_QUIET", help="Print the verdict only."),
        ]
    ):
        command = option(command)
    return command


_FILE = click.Path(path_type=Path)
_OUT = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="runs",
    show_default=True,
    envvar="CALLSIM_OUT",
    help="Where to make the folder of results.",
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="callsim %(version)s")
def main() -> None:
    """Predict the uptime, recovery time and call success of telephone service."""


@main.command()
@click.argument("scenario", type=_FILE)
@_options
@_OUT
@click.option(
    "--precision",
    metavar="SHARE",
    callback=_share,
    envvar="CALLSIM_PRECISION",
    help="Instead of --years: until the interval on unavailability is within this share of it, like 5%.",
)
@click.option(
    "--max-time",
    metavar="DURATION",
    callback=_duration,
    envvar="CALLSIM_MAX_TIME",
    help="Begin nothing after so much real time, like 60s.",
)
@click.option("--junit", metavar="FILE", envvar="CALLSIM_JUNIT", help="Write the verdicts for a CI system.")
@click.option("--calls", is_flag=True, help="Place every call of a horizon, to check the expected figures.")
@click.option(
    "--horizon",
    metavar="DURATION",
    callback=_duration,
    help="With --calls: the length of a stretch, hours to weeks.  [default: 7d]",
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    help="With --calls: stretches with faults of their own.  [default: 1]",
)
def run(
    scenario: Path,
    precision: float | None,
    max_time: float | None,
    junit: str | None,
    calls: bool,
    horizon: float | None,
    repeat: int | None,
    **shared: Any,  # noqa: ANN401 - what _options adds
) -> Exit:
    """Simulate SCENARIO and say whether its objectives hold.

    Ends with 0 when every objective is met, 1 when one is breached, 3 when none is and one is inconclusive,
    2 when something is wrong, 130 when interrupted.
    """
    if precision is not None and shared["years"] is not None:
        raise click.UsageError("--years and --precision exclude each other; give one")
    if not calls and (horizon is not None or repeat is not None):
        raise click.UsageError("--horizon and --repeat go with --calls")
    told = click.get_current_context().get_parameter_source("out")
    if calls and told is ParameterSource.COMMANDLINE:
        raise click.UsageError("--calls makes no folder; --json writes its answer")
    if calls and (shared["years"], precision, max_time, junit) != (None,) * 4:
        raise click.UsageError(
            "--calls takes --horizon and --repeat, not --years, --precision, --max-time or --junit"
        )
    from callsim import commands  # noqa: PLC0415 - heavy

    if calls:
        return commands.run_calls(
            scenario, commands.RunOptions(**shared), horizon or 7 * 86400.0, repeat or 1
        )
    return commands.run(scenario, commands.RunOptions(**shared), precision, max_time, junit)


@main.command()
@click.argument("scenarios", nargs=-1, required=True, type=_FILE, metavar="SCENARIO...")
@_options
def compare(scenarios: tuple[Path, ...], **shared: Any) -> Exit:  # noqa: ANN401 - what _options adds
    """Say how SCENARIOs differ from the first, under common random numbers."""
    from callsim import commands  # noqa: PLC0415 - heavy

    if len(scenarios) < 2:
        raise click.UsageError("one scenario has nothing to be compared with; give two or more")
    return commands.compare(scenarios, commands.RunOptions(**shared))


@main.command()
@click.argument("scenario", type=_FILE)
@_options
@_OUT
@click.option(
    "--vary",
    metavar="PATH=v1,v2,...",
    callback=_variations,
    multiple=True,
    required=True,
    help="Values for one path; with several of these every combination is simulated.",
)
def sweep(scenario: Path, vary: tuple[tuple[str, tuple[str, ...]], ...], **shared: Any) -> Exit:  # noqa: ANN401 - what _options adds
    """Simulate SCENARIO with each of several values, under common random numbers."""
    from callsim import commands  # noqa: PLC0415 - heavy

    return commands.sweep(scenario, vary, commands.RunOptions(**shared))


@main.command()
@click.argument("scenario", type=_FILE)
@_options
@_OUT
@click.option(
    "--risk",
    "risks",
    metavar="SHARE",
    callback=_shares,
    multiple=True,
    help="Share of windows that may break it, like 1%; several may be given.  [default: 0.1%, 1%, 5%, 10%]",
)
@click.option("--objective", metavar="NAME", help="Only this objective of the terms, like availability.")
@click.option(
    "--parameters-uncertain",
    "uncertain",
    type=_FILE,
    metavar="FILE",
    help="What is not known of the failure data: counts, or a median with a 95 % point.",
)
def promise(
    scenario: Path,
    risks: tuple[float, ...],
    objective: str | None,
    uncertain: Path | None,
    **shared: Any,  # noqa: ANN401 - what _options adds
) -> Exit:
    """Say what SCENARIO can promise at which risk: the highest target that few enough windows break."""
    from callsim import commands  # noqa: PLC0415 - heavy
    from callsim.agreements import promise_command  # noqa: PLC0415 - heavy

    return promise_command.promise(scenario, commands.RunOptions(**shared), risks, objective, uncertain)


@main.command()
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
def check(files: tuple[Path, ...]) -> Exit:
    """Say everything that is wrong with scenario FILEs."""
    from callsim import authoring  # noqa: PLC0415 - heavy

    return authoring.check(files)


@main.command()
@click.option("--terms", is_flag=True, help="Of files of SLA terms instead.")
def schema(terms: bool) -> Exit:
    """Print the JSON Schema of scenario files, for editors."""
    from callsim import authoring  # noqa: PLC0415 - heavy

    return authoring.schema(terms=terms)


@main.command()
@click.argument("folder", type=_FILE, metavar="DIR")
def init(folder: Path) -> Exit:
    """Write a commented scenario to start from into DIR."""
    from callsim import authoring  # noqa: PLC0415 - heavy

    return authoring.init(folder)


@main.group()
def sla() -> None:
    """Read the terms of agreements."""


_PARTY = click.Choice(["provider", "customer", "third_party"])
_TERMS = click.argument("files", nargs=-1, required=True, type=_FILE, metavar="TERMS...")


@sla.command("check")
@_TERMS
def sla_check(files: tuple[Path, ...]) -> Exit:
    """Say everything that is wrong with files of TERMS, and what to know before they are signed."""
    from callsim.agreements import sla_commands  # noqa: PLC0415 - heavy

    return sla_commands.check(files)


@sla.command("show")
@click.argument("file", type=_FILE, metavar="TERMS")
def sla_show(file: Path) -> Exit:
    """Say in plain English what TERMS promise, exclude and pay."""
    from callsim.agreements import sla_commands  # noqa: PLC0415 - heavy

    return sla_commands.show(file)


@sla.command("assess")
@click.argument("terms", type=_FILE)
@click.argument("record", type=_FILE, metavar="OUTAGES.csv")
@click.option("--month", callback=_month, metavar="YYYY-MM", help="Judge this calendar month only.")
@click.option("--from", "start", callback=_day, metavar="DATE", help="Judge from this day on ...")
@click.option("--to", "end", callback=_day, metavar="DATE", help="... up to this day, which is not in it.")
@click.option(
    "--fee", type=click.FloatRange(min=0, min_open=True), help="A month's fee, in the terms' currency."
)
@click.option("--users", type=click.FloatRange(min=0, min_open=True), help="How many users the customer has.")
@click.option(
    "--has", "has", multiple=True, metavar="NAME", help="What the terms require, like geo_redundant."
)
@click.option("--against", type=_FILE, metavar="OTHER.csv", help="Another record of the same time.")
@click.option("--recorded-by", type=_PARTY, help="Who kept the record.")
@click.option("--against-by", type=_PARTY, help="Who kept the other one.")
@click.option("--json", metavar="FILE|-", envvar="CALLSIM_JSON", help="Write the answer as JSON.")
def sla_assess(
    terms: Path,
    record: Path,
    month: tuple[dt.date, dt.date] | None,
    start: dt.date | None,
    end: dt.date | None,
    fee: float | None,
    users: float | None,
    has: tuple[str, ...],
    against: Path | None,
    recorded_by: Party | None,
    against_by: Party | None,
    json: str | None,
) -> Exit:
    """Judge a real record of outages (CSV, or a ledger as JSON) under TERMS, with the credit arithmetic.

    With --against two records are judged, the provider's and the customer's unless it is said otherwise, and
    the terms say which counts where they differ. Ends with 1 when an objective is broken.
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
    from callsim.agreements import sla_judging  # noqa: PLC0415 - heavy
    from sla.assessment import Customer  # noqa: PLC0415 - heavy

    records = [sla_judging.Record(record, recorded_by)]
    if against is not None:
        records.append(sla_judging.Record(against, against_by))
    customer = Customer(fee=fee, users=users, has=frozenset(has))
    return sla_judging.judge(terms, records, span, customer, json)


@sla.command("compare")
@click.argument("record", type=_FILE, metavar="SCENARIO|OUTAGES.csv")
@_TERMS
@_options
def sla_compare(record: Path, files: tuple[Path, ...], **shared: Any) -> Exit:  # noqa: ANN401 - what _options adds
    """Say what each of TERMS pays on the same simulated years, or on the same real record."""
    from callsim import commands  # noqa: PLC0415 - heavy
    from callsim.agreements import sla_judging  # noqa: PLC0415 - heavy

    return sla_judging.compare(record, files, commands.RunOptions(**shared))
