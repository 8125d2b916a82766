"""Options of the command line, and how their values are read."""

from __future__ import annotations

import datetime as dt
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def share(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Read a share."""
    from carriers.units import parse_share  # noqa: PLC0415 - only once it is known to be ours

    return None if text is None else _quantity(parse_share, text)


def shares(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[float, ...]:
    """Read several shares, each below 1."""
    from carriers.units import parse_share  # noqa: PLC0415 - only once it is known to be ours

    found = tuple(_quantity(parse_share, text) for text in texts)
    if any(share >= 1 for share in found):
        raise click.BadParameter("a risk is more than 0% and less than 100%")
    return found


def month(_: click.Context, __: click.Parameter, text: str | None) -> tuple[dt.date, dt.date] | None:
    """Read a month as its first day, and that of the next."""
    if text is None:
        return None
    try:
        first = dt.date.fromisoformat(f"{text}-01")
    except ValueError:
        raise click.BadParameter(f"'{text}' is not a month; write one like 2026-10") from None
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def day(_: click.Context, __: click.Parameter, text: str | None) -> dt.date | None:
    """Read a date."""
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"'{text}' is not a date; write one like 2026-10-01") from None


def duration(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Read a duration, in seconds."""
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


def variations(
    _: click.Context, __: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Read several `PATH=v1,v2`."""
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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


JOBS = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=_cores,
    show_default="all cores",
    envvar="CALLSIM_JOBS",
    help="Processes to use; the answer does not depend on it.",
)
FEW_YEARS = 100
"""They are simulated by one process, whatever --jobs says."""


def shared_options(command: Command) -> Command:
    """Add what all commands that simulate understand, and let other processes begin at once."""
    command = _with_helpers(command)
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
            JOBS,
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


def _with_helpers(command: Command) -> Command:
    """Have the other processes import what they need while this one does."""

    @functools.wraps(command)
    def with_them(**options: Any) -> Any:  # noqa: ANN401 - those of any command
        jobs, years = options["jobs"], options["years"]
        if options.get("calls"):
            jobs = min(jobs, options["repeat"] or 1)
        if jobs == 1 or (years is not None and years <= FEW_YEARS):
            return command(**options)
        from callsim.helpers import begun  # noqa: PLC0415 - multiprocessing is slow to import

        with begun(jobs - 1):
            return command(**options)

    return with_them  # type: ignore[return-value]  # wraps: it stands for the command


FILE = click.Path(path_type=Path)
OUT = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="runs",
    show_default=True,
    envvar="CALLSIM_OUT",
    help="Where to make the folder of results.",
)
UNCERTAIN = click.option(
    "--parameters-uncertain",
    "uncertain",
    type=FILE,
    metavar="FILE|included",
    help="Draw for each stream what is not known of the laws of time: a file's, or an included one's.",
)
