"""Keeps a router told of its trunks by OPTIONS, on the schedule of its own health rule."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from callgen.dialer import LostByToolError
from callgen.guarding.guard import RefusedError
from callgen.placing import Line

Learnt = Callable[[int, bool, float], None]
"""Called with a trunk, whether it is believed up now, and since when (event loop's seconds)."""


Answered = Callable[[int, int | None, float, float | None], None]
"""Called with a trunk, the status of its answer (None: none came), when it was pinged, and how long it took.

Seconds of the event loop; the addresses of one trunk are all that trunk.
"""


async def keep_pinging(
    line: Line,
    learnt: Learnt = lambda trunk, up, now: None,
    renewed: Callable[[], Awaitable[Line]] | None = None,
    answered: Answered = lambda trunk, status, sent, seconds: None,
) -> None:
    """Ping every trunk until cancelled; returns at once where the policy has no health rule.

    `renewed` gives the line as it is by the time that pings are due; None: it stays.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as under_way:
        at = loop.time()
        while True:
            before = at
            at, due = line.router.next_ping(before)
            if at == math.inf:
                return
            await asyncio.sleep(at - loop.time())
            if renewed is not None:
                line = await renewed()
                at, due = line.router.next_ping(before)
            for trunk in due:
                under_way.create_task(_ping(line, trunk, learnt, answered))


async def _ping(line: Line, trunk: int, learnt: Learnt, answered: Answered) -> None:
    rule = line.router.policy.health
    assert rule is not None  # there is a schedule
    status, sent = None, asyncio.get_running_loop().time()
    try:
        if line.trouble(trunk) is None:
            identity = line.identity(trunk)
            status = await line.dialer.ping(
                line.guard.ping(line.uris[trunk], line.target(trunk)),
                rule.ping_timeout,
                identity=identity.trunk if identity else None,
            )
    except LostByToolError:
        return  # says nothing about the trunk
    except RefusedError:
        pass  # as DNS has it the trunk is where no request may go
    now = asyncio.get_running_loop().time()
    whose = line.hops[trunk].trunk if line.hops else trunk
    answered(whose, status, sent, None if status is None else now - sent)
    if line.router.observe_ping(trunk, status, now):
        learnt(trunk, line.router.believed_up(trunk, now), now)
