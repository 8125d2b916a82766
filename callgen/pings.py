"""Keeps a router told of its trunks by OPTIONS, on the schedule of its own health rule."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from callgen.dialer import LostByToolError
from callgen.placing import Line

Learnt = Callable[[int, bool, float], None]
"""Called with a trunk, whether it is believed up now, and since when (event loop's seconds)."""


async def keep_pinging(line: Line, learnt: Learnt = lambda trunk, up, now: None) -> None:
    """Ping every trunk until cancelled; returns at once where the policy has no health rule."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as under_way:
        at = loop.time()
        while True:
            at, due = line.router.next_ping(at)
            if at == math.inf:
                return
            await asyncio.sleep(at - loop.time())
            for trunk in due:
                under_way.create_task(_ping(line, trunk, learnt))


async def _ping(line: Line, trunk: int, learnt: Learnt) -> None:
    rule = line.router.policy.health
    assert rule is not None  # there is a schedule
    try:
        identity = line.identity(trunk)
        status = await line.dialer.ping(
            line.guard.ping(line.uris[trunk]),
            rule.ping_timeout,
            identity=identity.trunk if identity else None,
        )
    except LostByToolError:
        return  # says nothing about the trunk
    now = asyncio.get_running_loop().time()
    if line.router.observe_ping(trunk, status, now):
        learnt(trunk, line.router.believed_up(trunk, now), now)
