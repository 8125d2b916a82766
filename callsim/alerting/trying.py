"""Sends a test message over the channels of a plan's alerts."""

from __future__ import annotations

import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from callsim.alerting.channels import channels_of
from callsim.alerting.messages import Writer
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.plan import Plan, load_plan


def send_test(path: Path, only: int | None, location: str | None) -> Exit:
    """Send it, and print a line for each channel; MET where each took it."""
    plan = load_plan(path)
    if not plan.alerts:
        raise CallsimError(f"{plan.name} has no alerts; write `alerts`")
    if only is not None:
        plan = _only(plan, only)
    channels = channels_of(plan, path.parent)
    message = Writer(plan, location or platform.node() or "here").test(time.time())
    with ThreadPoolExecutor(len(channels)) as pool:
        results = pool.map(lambda channel: channel.send(message), channels.values())
    taken = True
    for name, why in zip(channels, results, strict=True):
        click.echo(f"{name}: {'sent' if why is None else why}")
        taken = taken and why is None
    return Exit.MET if taken else Exit.BREACHED


def _only(plan: Plan, number: int) -> Plan:
    if number > len(plan.alerts):
        raise click.UsageError(f"--only {number}: {plan.name} has {len(plan.alerts)} alerts")
    return plan.model_copy(update={"alerts": (plan.alerts[number - 1],)})
