"""The command `call`: one real call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from callgen.messages import Audio
from callgen.resolving import NOWHERE
from callsim.exits import Exit
from callsim.live import desk as desks
from callsim.live.call_report import headline, report
from callsim.live.desk import CallJson, Desk, Errand
from callsim.live.record_file import Keep
from callsim.live.setup import require_listening, require_live
from callsim.plan import Plan, load_plan
from callsim.plan.model import ROUTE
from callsim.writing import check_target, write_json, writing
from documents.words import unknown

LAB_NUMBER = "+12025550100"
"""Called in a lab where no number is given; 555-0100 to 0199 are nobody's."""
CODES = {
    "answered": Exit.MET,
    "refused_by_guard": Exit.GUARDED,
    "lost_by_tool": Exit.NOT_LIVE,
}


@dataclass(frozen=True)
class CallOptions:
    """What `callsim call` is told; None: as the plan or the lab has it."""

    number: str | None
    plan: Path | None
    over: str | None
    lab: bool
    talk: float
    play: str
    dtmf: str | None
    record: Path | None
    codec: str | None
    trace: bool
    lqo: bool
    json: str | None
    quiet: bool


def call(options: CallOptions) -> Exit:
    """Place one call, print what became of it; MET where it was answered."""
    if options.plan is None and not options.lab:
        raise click.UsageError("a call needs --plan PLAN, or --lab for one that leaves this machine alone")
    if options.number is None and not options.lab:
        raise click.UsageError("whom to call? give a NUMBER, like +12025550100")
    if options.lqo and options.play in {"tone", "silence"}:
        raise click.UsageError("--lqo needs speech: --play speech, or a WAV file of it")
    require_live()
    if options.lqo:
        require_listening()
    check_target(options.json)
    if options.record is not None:
        with writing(options.record):
            options.record.mkdir(parents=True, exist_ok=True)
    number = options.number or LAB_NUMBER
    plan = load_plan(options.plan) if options.plan is not None else desks.lab_plan(number)
    over = over_of(plan, options.over)
    folder = options.plan.parent if options.plan is not None else Path()
    stem = str(options.record / f"call-{number.lstrip('+')}") if options.record else None
    audio = Audio(options.play, "echo" if options.lab or options.lqo else "anything", options.dtmf, stem)
    codecs = (options.codec,) if options.codec else None
    errand = Errand(number, over, options.talk, audio, codecs, options.lqo)
    placed = asyncio.run(_place(plan, folder, errand, lab=options.lab))
    if options.json != "-":
        failed = placed["outcome"] != "answered"
        click.echo(headline(placed) if options.quiet else report(placed, with_trace=failed or options.trace))
    if options.json is not None:
        write_json(options.json, placed)
    return code_of(placed)


def code_of(placed: CallJson) -> Exit:
    """Give the exit code of a call: where no name could be resolved, nothing was placed."""
    reasons = [attempt["reason"] or "" for attempt in placed["attempts"]]
    if reasons and all(reason.startswith(NOWHERE) for reason in reasons):
        return Exit.NOT_LIVE
    return CODES.get(placed["outcome"], Exit.BREACHED)


async def _place(plan: Plan, folder: Path, errand: Errand, *, lab: bool) -> CallJson:
    async with open_desk(plan, folder, at_once=1, lab=lab) as desk:
        return await desk.call(errand)


@asynccontextmanager
async def open_desk(
    plan: Plan,
    folder: Path,
    *,
    at_once: int,
    lab: bool,
    silent_calls: float = 0.0,
    keep: Keep | None = None,
) -> AsyncIterator[Desk]:
    """Open a desk over the plan's trunks, or with `lab` over carriers of a lab in their place.

    `keep` is told of every call that was begun.
    """
    if not lab:
        async with desks.desk_of(plan, folder, at_once=at_once, silent_calls=silent_calls, keep=keep) as desk:
            yield desk
        return
    async with (
        desks.in_lab(plan) as inside,
        desks.desk_of(
            inside, folder, at_once=at_once, in_lab=True, silent_calls=silent_calls, keep=keep
        ) as desk,
    ):
        yield desk


def over_of(plan: Plan, name: str | None) -> int | None:
    """Position of the trunk that is meant, None for the router, which is also the usual."""
    if name is None or name == ROUTE:
        return None
    found = plan.trunks_of(name)
    if not found:
        known = [*dict.fromkeys(trunk.carrier for trunk in plan.trunks), *plan.trunk_names(), ROUTE]
        raise click.UsageError(f"--over: {unknown('trunk', name, known)}")
    if len(found) > 1:
        several = " or ".join(plan.trunk_names()[n] for n in found)
        raise click.UsageError(f"--over: {name} has several trunks; write {several}")
    return found[0]
