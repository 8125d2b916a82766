"""The command `load`: many calls at a rate."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callgen.guarding.caps import HANG_UP, HOUR, Caps, billed_minutes
from callgen.lab.lab import CARRIERS as LAB
from callgen.load import Kept, Shape, generate, watch_machine
from callgen.messages import Audio
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.live import desk as desks
from callsim.live.call_command import LAB_NUMBER, open_desk, over_of
from callsim.live.desk import CallJson, Desk, Errand
from callsim.live.errors import GuardedError
from callsim.live.load_report import Tally, limits, offered, outcome_row, rows, table
from callsim.live.probe_command import on_interrupt
from callsim.live.record_file import record_file
from callsim.live.setup import caps_of, require_live, routing_of
from callsim.plan import Plan, load_plan
from callsim.writing import check_target, write_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FORMAT = 1
REFRESH = 0.25
"""Seconds between two looks of the table on a terminal."""


@dataclass(frozen=True)
class LoadOptions:
    """What `callsim load` is told."""

    plan: Path | None
    shape: Shape
    to: str | None
    over: str | None
    talk: float
    lab: bool
    records: Path | None
    json: str | None
    quiet: bool


def load(options: LoadOptions) -> Exit:
    """Place calls at a rate, print what became of them; INCONCLUSIVE where the tool was the limit."""
    if options.plan is None and not options.lab:
        raise click.UsageError("a load needs a PLAN, or --lab for one that leaves this machine alone")
    plan, number = _plan(options)
    over = over_of(plan, options.over)
    for target in (options.json, options.records):
        check_target(str(target) if target is not None else None)
    require_live()
    excess = list(excess_of(plan, options.shape, options.talk, over))
    if excess:
        lines = "\n".join(f"  {line}" for line in excess)
        raise GuardedError(f"refused before the first call: this load could break the caps\n{lines}")
    errand = Errand(number, over, options.talk, Audio("tone"))
    folder = options.plan.parent if options.plan is not None else Path()
    tally, kept = Tally(), Kept()
    interrupted = asyncio.run(_run(plan, folder, errand, options, tally, kept))
    return _tell(plan, options, tally, kept, interrupted=interrupted)


def _tell(plan: Plan, options: LoadOptions, tally: Tally, kept: Kept, *, interrupted: bool) -> Exit:
    found = limits(tally, kept, options.shape)
    if options.json != "-":
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        told = [outcome_row(tally, kept)] if options.quiet else list(rows(tally, kept))
        click.echo(table(told, found, columns))
        if interrupted:
            click.echo(f"PARTIAL: interrupted, {kept.placed - sum(tally.outcomes.values())} calls hung up")
    if options.json is not None:
        write_json(options.json, _json(plan, options, tally, kept, found, interrupted=interrupted))
    if interrupted:
        return Exit.INTERRUPTED
    if tally.refusal is not None:
        return Exit.GUARDED
    return Exit.INCONCLUSIVE if any(line.startswith("the tool") for line in found) else Exit.MET


def _json(
    plan: Plan, options: LoadOptions, tally: Tally, kept: Kept, found: list[str], *, interrupted: bool
) -> dict[str, Any]:
    from callsim import __version__  # noqa: PLC0415 - the package imports this module

    return {
        "format": FORMAT,
        "callsim": __version__,
        "plan": plan.name,
        "offered": asdict(options.shape),
        "partial": interrupted,
        "placed": kept.placed,
        "held_back": kept.held_back,
        "latest_s": kept.latest,
        "busy": kept.busy,
        "limits": found,
        **tally.to_json(),
    }


def _plan(options: LoadOptions) -> tuple[Plan, str]:
    """Read the plan, or make that of a lab, with the number that is called."""
    if options.plan is None:
        number = options.to or LAB_NUMBER
        shape = options.shape
        return desks.lab_plan(number, shape.at_once, len(LAB) * shape.calls), number
    plan = load_plan(options.plan)
    number = options.to or next((test.to for test in plan.tests if test.direction == "outbound"), "")
    if not number:
        raise CallsimError(f"{plan.name} has no outbound test whose number could be called; give --to NUMBER")
    return plan, number


def excess_of(plan: Plan, shape: Shape, talk: float, over: int | None) -> Iterator[str]:
    """Say which caps a load could break, with the arithmetic: all answered, or tried anew."""
    caps: Caps = caps_of(plan)
    tries = min(routing_of(plan).max_attempts, len(plan.trunks)) if over is None else 1
    calls = shape.calls * tries
    again = f" x {tries} attempts" if tries > 1 else ""
    minutes = shape.calls * billed_minutes(talk + HANG_UP)
    price = max(caps.cost_per_minute.values(), default=0.0)
    in_an_hour = min(calls, round(shape.calls_per_second * HOUR * tries))
    for cap, need, limit, words in (
        ("at_once", shape.at_once, caps.at_once, f"--at-once {shape.at_once}"),
        ("calls_per_second", shape.calls_per_second * tries, caps.calls_per_second, "the rate" + again),
        ("calls_per_hour", in_an_hour, caps.calls_per_hour, f"{shape.calls:,} calls{again}"),
        ("calls_per_day", calls, caps.calls_per_day, f"{shape.calls:,} calls{again} = {calls:,}"),
        ("minutes_per_day", minutes, caps.minutes_per_day, f"{shape.calls:,} calls, {minutes:,} minutes"),
        ("spend_per_day", minutes * price, caps.spend_per_day, f"{minutes:,} minutes x {price:g}"),
    ):
        if limit is not None and need > limit:
            yield f"{cap}: {words}, {need:,.6g}, is more than the {limit:,.6g} allowed"


async def _run(
    plan: Plan, folder: Path, errand: Errand, options: LoadOptions, tally: Tally, kept: Kept
) -> bool:
    """Place the calls, or as many as until Ctrl-C; says whether that came."""
    shape = options.shape
    desk: Desk

    async def place() -> CallJson:
        try:
            return await desk.call(errand, patient=False)
        finally:
            kept.waits = desk.workers.waits

    rate = shape.calls_per_second
    with record_file(options.records) as keep:
        async with (
            _shown(options, tally, kept),
            open_desk(
                plan, folder, at_once=shape.at_once, lab=options.lab, silent_calls=rate, keep=keep
            ) as desk,
        ):
            running = asyncio.create_task(generate(place, shape, tally.add, kept))
            watching = asyncio.create_task(watch_machine(kept))
            with on_interrupt(running.cancel):
                try:
                    await running
                except asyncio.CancelledError:
                    return True
                finally:
                    watching.cancel()
            return False


@asynccontextmanager
async def _shown(options: LoadOptions, tally: Tally, kept: Kept) -> AsyncIterator[None]:
    """Show the table on stderr while calls are placed, where that is a terminal."""
    if options.quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - not needed in a pipeline
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console, shape, loop = Console(stderr=True), options.shape, asyncio.get_running_loop()
    with Live(console=console, auto_refresh=False, transient=True) as live:

        async def refresh() -> None:
            began: float | None = None
            while True:
                if began is None and kept.due:
                    began = loop.time()
                first = offered(shape, None if began is None else loop.time() - began)
                notes = limits(tally, kept, shape)
                text = table([first, *rows(tally, kept)], notes, console.width)
                live.update(Text(text), refresh=True)
                await asyncio.sleep(REFRESH)

        task = asyncio.create_task(refresh())
        try:
            yield
        finally:
            task.cancel()
