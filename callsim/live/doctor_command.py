"""The command `doctor`: whether real calls can be placed from here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from callgen.dialer import LostByToolError, Workers
from callsim.exits import Exit
from callsim.live.doctor import examine, report
from callsim.plan import load_plan


def doctor(path: Path | None) -> Exit:
    """Say what this machine has for real calls, and those of a plan; NOT_LIVE where none can be placed."""
    plan = load_plan(path) if path is not None else None
    findings = examine(_starts, plan, path.parent if path is not None else Path())
    click.echo(report(findings))
    lacking = any(finding.needed and not finding.good for finding in findings)
    return Exit.NOT_LIVE if lacking else Exit.MET


def _starts() -> str | None:
    """Start a worker and let it end; why it does not, where it does not."""

    async def start() -> None:
        async with Workers(1):
            pass

    try:
        asyncio.run(start())
    except (LostByToolError, TimeoutError) as error:
        return f"does not start: {error or 'no answer in time'}"
    return None
