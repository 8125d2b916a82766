"""The command `probe`: every test of a plan once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from callgen.guarding.counters import Counters
from callgen.guarding.preflight import preflight
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.live.call_command import open_desk
from callsim.live.errors import GuardedError
from callsim.live.inbound import call_us
from callsim.live.probe_report import junit, summary, told
from callsim.live.probing import Leg, Probed, legs_of, planned, probe
from callsim.live.setup import address_counts, caps_of, counters_of, require_listening, require_live
from callsim.plan import Plan, load_plan
from callsim.writing import check_target, write_json, write_whole
from documents.words import unknown

FORMAT = 1


@dataclass(frozen=True)
class ProbeOptions:
    """What `callsim probe` is told."""

    plan: Path
    only: tuple[str, ...]
    lab: bool
    overrides: tuple[str, ...]
    junit: str | None
    json: str | None
    quiet: bool
    store: str | None = None
    location: str | None = None


def run_probe(options: ProbeOptions) -> Exit:
    """Run the tests of a plan, print each as it ends; MET where every one passes."""
    plan = load_plan(options.plan, options.overrides)
    legs = _legs(plan, options.only)
    for target in (options.json, options.junit):
        check_target(target)
    require_live()
    if any(leg.test.expect.mos_lqo_at_least is not None for leg in legs):
        require_listening()
    refuse_excess(plan, legs, lab=options.lab)
    probed: list[Probed] = []

    def done(one: Probed) -> None:
        probed.append(one)
        if options.json != "-" and not options.quiet:
            click.echo(told(one))

    interrupted = asyncio.run(_run(plan, options.plan.parent, legs, done, lab=options.lab))
    probed.sort(key=lambda one: legs.index(one.leg))
    if options.store is not None:
        from callsim.watching.once import write_probes  # noqa: PLC0415 - heavy

        write_probes(options.store, options.location, options.plan, plan, probed)
    if options.json != "-":
        click.echo(summary(probed, len(legs)))
    if options.json is not None:
        write_json(options.json, {**_json(plan, probed), "partial": interrupted})
    if options.junit is not None:
        write_whole(Path(options.junit), junit(plan.name, probed))
    return Exit.INTERRUPTED if interrupted else code_of(probed)


def _json(plan: Plan, probed: list[Probed]) -> dict[str, object]:
    from callsim import __version__  # noqa: PLC0415 - the package imports this module

    return {
        "format": FORMAT,
        "callsim": __version__,
        "plan": plan.name,
        "passed": sum(one.passed for one in probed),
        "tests": [one.to_json() for one in probed],
    }


def code_of(probed: list[Probed]) -> Exit:
    """A carrier that fails comes before a guard that refuses, that before a tool that lost a call."""
    verdicts = {one.verdict for one in probed}
    codes = (("FAILED", Exit.BREACHED), ("REFUSED", Exit.GUARDED), ("NOT TESTED", Exit.NOT_LIVE))
    return next((code for verdict, code in codes if verdict in verdicts), Exit.MET)


def _legs(plan: Plan, only: tuple[str, ...]) -> list[Leg]:
    names = [test.name for test in plan.tests]
    for name in only:
        if name not in names:
            raise click.UsageError(f"--only: {unknown('test', name, names)}")
    legs = legs_of(plan, [test for test in plan.tests if not only or test.name in only])
    if not legs:
        raise CallsimError(f"{plan.name} has no tests; write `tests`, or place one with `callsim call`")
    return legs


def refuse_excess(plan: Plan, legs: list[Leg], *, lab: bool) -> None:
    """Raise GuardedError, with the arithmetic, where the plan could break one of its caps.

    The plan's own schedule has to fit into its caps, and this run of it besides what was called already.
    """
    caps = caps_of(plan)
    now = time.time()
    addresses = None if lab else address_counts(plan)
    every = planned(plan, legs_of(plan, plan.tests), caps, once=False, addresses=addresses)
    excess = preflight(list(every), caps, now)
    if not excess:
        counters = Counters() if lab else counters_of(plan)
        try:
            run = planned(plan, legs, caps, once=True, addresses=addresses)
            excess = preflight(list(run), caps, now, counters)
        finally:
            counters.close()
    if excess:
        lines = "\n".join(f"  {one.words}" for one in excess)
        raise GuardedError(f"refused before the first call: {plan.name} could break its caps\n{lines}")


async def _run(
    plan: Plan, folder: Path, legs: list[Leg], done: Callable[[Probed], None], *, lab: bool
) -> bool:
    """Run legs until they are done, or until Ctrl-C: then what is on its way is hung up. Says which."""
    async with open_desk(plan, folder, at_once=plan.guard.at_once, lab=lab) as desk:
        running = asyncio.create_task(
            probe(
                legs,
                desk.call,
                lambda test: call_us(desk, test, folder, lab=lab),
                folder,
                plan.guard.at_once,
                done,
            )
        )
        with on_interrupt(running.cancel):
            try:
                await running
            except asyncio.CancelledError:
                return True
    return False


@contextmanager
def on_interrupt(do: Callable[[], object]) -> Iterator[None]:
    """Call a function at Ctrl-C instead of ending; where the system cannot, Ctrl-C ends as usual."""
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, do)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
