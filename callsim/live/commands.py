"""The live commands as click sees them; what they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from callsim.exits import Exit
from callsim.options import FILE, duration

JSON = click.option("--json", metavar="FILE|-", envvar="CALLSIM_JSON", help="Write the answer as JSON.")
QUIET = click.option("--quiet", is_flag=True, envvar="CALLSIM_QUIET", help="Print the outcome only.")
OVER = click.option(
    "--over", metavar="TRUNK|route", help="Over this trunk alone, or as the router says.  [default: route]"
)
LAB = click.option("--lab", is_flag=True, help="To carriers on this machine, in place of real ones.")
STORE = click.option(
    "--store", metavar="URL", envvar="CALLSIM_STORE", help="Where records are kept, like sqlite:///FILE."
)
LOCATION = click.option(
    "--location", metavar="NAME", envvar="CALLSIM_LOCATION", help="Where this is.  [default: the host's name]"
)
TALK = click.option(
    "--talk", metavar="DURATION", callback=duration, default="10s", show_default=True, help="Time to talk."
)


@click.command()
@click.argument("number", required=False)
@click.option("--plan", type=FILE, metavar="PLAN", help="Trunks, routing and limits.")
@OVER
@LAB
@TALK
@click.option("--play", default="tone", show_default=True, help="tone, speech, silence or a WAV file.")
@click.option("--dtmf", metavar="DIGITS", help="Send these digits, and listen for them.")
@click.option("--codec", metavar="NAME", help="Offer this codec only.")
@click.option("--record", type=FILE, metavar="DIR", help="Keep what was sent and heard as WAV files.")
@click.option("--lqo", is_flag=True, help="Score what comes back by ViSQOL (MOS-LQO); needs an echo.")
@click.option("--trace", is_flag=True, help="Print the SIP trace, also of a call that was answered.")
@JSON
@QUIET
def call(**options: Any) -> Exit:  # noqa: ANN401 - what the options add
    """Place one call to NUMBER and say what became of it.

    Ends with 0 when it is answered, 1 when it is not, 4 when real calls cannot be placed here, 5 when the
    guard refuses. With --lab alone it needs neither NUMBER nor PLAN.
    """
    from callsim.live import call_command  # noqa: PLC0415 - heavy

    return call_command.call(call_command.CallOptions(**options))


@click.command()
@click.argument("plan", type=FILE)
@click.option("--only", metavar="NAME", multiple=True, help="Only this test; several may be given.")
@LAB
@click.option(
    "--set", "overrides", metavar="PATH=VALUE", multiple=True, help="Replace one value of the plan."
)
@click.option("--junit", metavar="FILE", envvar="CALLSIM_JUNIT", help="Write the verdicts for a CI system.")
@STORE
@LOCATION
@JSON
@QUIET
def probe(**options: Any) -> Exit:  # noqa: ANN401 - what the options add
    """Run every test of PLAN once, over each of its trunks, and judge it line by line.

    With --store what came of it is kept, as `callsim watch` does.
    Ends with 0 when all pass, 1 when one fails, 4 when real calls cannot be placed here, 5 when the guard
    refuses, which is before the first call where the plan could break its caps.
    """
    from callsim.live import probe_command  # noqa: PLC0415 - heavy

    return probe_command.run_probe(probe_command.ProbeOptions(**options))


@click.command()
@click.argument("plan", type=FILE, required=False)
@click.option(
    "--calls-per-second", "rate", type=click.FloatRange(min=0, min_open=True), required=True, metavar="RATE"
)
@click.option("--at-once", type=click.IntRange(min=1), required=True, help="Most calls at a time.")
@click.option("--for", "seconds", metavar="DURATION", callback=duration, required=True, help="How long.")
@click.option("--ramp", metavar="DURATION", callback=duration, help="Time to reach the rate.  [default: 0s]")
@click.option("--to", metavar="NUMBER", help="Whom to call.  [default: the first test's number]")
@OVER
@TALK
@LAB
@click.option(
    "--records", type=FILE, metavar="FILE", help="Write each call's record as it ends, a line of JSON each."
)
@JSON
@QUIET
def load(rate: float, at_once: int, seconds: float, ramp: float | None, **options: Any) -> Exit:  # noqa: ANN401 - what the options add
    """Place calls over PLAN's trunks at a rate, whatever becomes of them, and say how they fared.

    Ends with 0 when they were placed as asked (what --at-once holds back is said), 3 when the tool rather
    than a carrier was the limit, 4 when real calls cannot be placed here, 5 when the guard refuses, 130 when
    interrupted: then all are hung up.
    """
    if seconds <= 0:
        raise click.UsageError("--for 0s is no time to place calls in")
    if (ramp or 0.0) > seconds:
        raise click.UsageError("--ramp is longer than --for")
    from callgen.load import Shape  # noqa: PLC0415 - heavy
    from callsim.live import load_command  # noqa: PLC0415 - heavy

    shape = Shape(rate, at_once, seconds, ramp or 0.0)
    return load_command.load(load_command.LoadOptions(shape=shape, **options))


@click.command()
@click.argument("plan", type=FILE, required=False)
def doctor(plan: Path | None) -> Exit:
    """Say what this machine has for real calls, and for those of PLAN; ends with 4 where none is possible."""
    from callsim.live import doctor_command  # noqa: PLC0415 - heavy

    return doctor_command.doctor(plan)


ANSWERS = ("echo", "tone", "speech", "silence")


@click.command()
@click.option(
    "--carriers",
    metavar="NAME,...",
    default="atlantic,boreal,cirrus",
    show_default=True,
    help="Who is there.",
)
@click.option(
    "--answers", type=click.Choice(ANSWERS), default="echo", show_default=True, help="What they play."
)
@click.option("--ring", metavar="DURATION", callback=duration, help="How long they ring.  [default: not]")
@click.option("--channels", type=click.IntRange(min=1), help="Calls at once of each.  [default: any number]")
@click.option(
    "--port", "first_port", type=click.IntRange(1, 65535), help="The first one's port.  [default: any]"
)
@click.option("--faults", type=FILE, metavar="FILE", help="A file of faults that is watched.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of its faults.")
def lab(
    carriers: str,
    answers: str,
    ring: float | None,
    channels: int | None,
    first_port: int | None,
    faults: Path | None,
    seed: int,
) -> Exit:
    """Run carriers on this machine, whose faults are switched while they run; Ctrl-C ends it."""
    from callgen.messages import Answers  # noqa: PLC0415 - heavy
    from callsim.live import lab_command  # noqa: PLC0415 - heavy

    names = [name.strip() for name in carriers.split(",") if name.strip()]
    told = Answers(ring=ring or 0.0, plays=answers)
    return lab_command.lab(names, told, faults, channels, first_port or 0, seed)


COMMANDS = (call, probe, load, lab, doctor)
"""In the order of the help."""
