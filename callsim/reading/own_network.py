"""Tells whether a prober's own network works."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from callsim.plan.model import Plan

PATIENCE = 2.0
"""Seconds in which a port has to answer."""


async def own_network(plan: Plan, timeout: float = PATIENCE) -> bool | None:
    """Say whether any TCP port of the plan's `own_network` answers; None where it names none."""
    if not plan.own_network:
        return None
    asked = [asyncio.create_task(_answers(place, timeout)) for place in plan.own_network]
    try:
        for answer in asyncio.as_completed(asked):
            if await answer:
                return True
        return False
    finally:
        for task in asked:
            task.cancel()


async def _answers(place: str, timeout: float) -> bool:
    host, _, port = place.rpartition(":")
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
