"""Where live commands have their calls placed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from callgen.counters import Counters
from callgen.dialer import SLOTS, LostByToolError, Workers
from callgen.guard import RefusedError
from callgen.lab import CARRIERS as LAB
from callgen.lab import LabError, lab_of
from callgen.messages import Audio
from callgen.pings import keep_pinging
from callgen.placing import Line
from callsim.errors import CallsimError
from callsim.live.errors import GuardedError, NotLiveError
from callsim.live.setup import caps_of, counters_of, endpoint_of, guard_of, policy_of, require_live
from callsim.plan.model import Plan
from carriers.routing import Router

HELD = 32.0
"""Seconds for which a call that nobody answered holds its slot (Timer B, RFC 3261, 17.1.1.2)."""
MOST_WORKERS = 64
LONGEST_WAIT = 120.0
"""Seconds that a patient call waits."""
LOOK_EVERY = 0.1
"""Seconds between two looks whether there is room."""
WITHOUT_SECRETS = {"username": None, "password": None, "register_": False, "srtp": "off"}

CallJson = dict[str, Any]
"""A call's record, as `CallRecord.to_json` writes it."""


@dataclass(frozen=True)
class Errand:
    """A call that is wanted."""

    to: str
    over: int | None
    """Position of the trunk in the plan; None: as the router says."""
    talk: float
    audio: Audio = Audio()  # noqa: RUF009 - frozen
    codecs: tuple[str, ...] | None = None
    """Offered, in order; None: the plan's."""


Call = Callable[[Errand], Awaitable[CallJson]]
"""Places a call, and gives its record."""


@dataclass(frozen=True)
class Desk:
    """A plan that is ready for calls."""

    plan: Plan
    line: Line
    workers: Workers
    rng: np.random.Generator
    counters: Counters

    async def call(self, errand: Errand, *, patient: bool = True) -> CallJson:
        """Place a call over one trunk, or by the router, and give its record.

        A patient call waits until the guard's caps on calls at once and calls a second leave room for it.
        """
        if patient:
            await self._room()
        to, talk, audio, codecs = errand.to, errand.talk, errand.audio, errand.codecs
        if errand.over is None:
            record = await self.line.call(to, talk, self.rng, audio=audio, codecs=codecs)
        else:
            record = await self.line.call_over(errand.over, to, talk, audio=audio, codecs=codecs)
        return record.to_json()

    async def _room(self) -> None:
        """Wait for room under the caps; where there is none for long, the guard has to say so."""
        caps = caps_of(self.plan)
        rate = math.inf if caps.calls_per_second is None else caps.calls_per_second * caps.rate_window
        most = math.inf if caps.at_once is None else caps.at_once
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                while True:
                    used = self.counters.used(time.time(), None, caps)
                    if used.at_once < most and used.second < rate:
                        return
                    await asyncio.sleep(LOOK_EVERY)


@asynccontextmanager
async def desk_of(
    plan: Plan, folder: Path, *, at_once: int, seed: int = 0, in_lab: bool = False, silent_calls: float = 0.0
) -> AsyncIterator[Desk]:
    """Make a plan ready for `at_once` calls at a time; secrets are looked for relative to `folder`.

    `in_lab` counts calls in this process alone. `silent_calls` is how many calls a second may meet silence,
    each of which holds a slot for half a minute. Raises NotLiveError, GuardedError, SecretError.
    """
    require_live()
    async with AsyncExitStack() as stack:
        counters = Counters() if in_lab else counters_of(plan)
        stack.callback(counters.close)
        guard = guard_of(plan, counters)
        try:
            endpoint = endpoint_of(plan, guard, folder)
        except RefusedError as refused:
            raise GuardedError(str(refused)) from None
        count = math.ceil(at_once / SLOTS)
        most = math.ceil((at_once * (1 + SLOTS) + silent_calls * HELD) / SLOTS)
        try:
            pool = Workers(count, endpoint, grow_to=min(max(most, count), max(MOST_WORKERS, count)))
        except ValueError as error:
            raise CallsimError(f"{plan.name}: {error}") from None
        try:
            workers = await stack.enter_async_context(pool)
        except (LostByToolError, TimeoutError) as error:
            raise NotLiveError(f"the workers that place calls do not start: {error}") from None
        router = Router(policy_of(plan))
        identities = endpoint.identities
        line = Line(router, [trunk.uri for trunk in plan.trunks], guard, workers, identities)
        if plan.routing is not None and plan.routing.health is not None:
            pings = asyncio.create_task(keep_pinging(line))
            stack.push_async_callback(_stopped, pings)
        yield Desk(plan, line, workers, np.random.default_rng(seed), counters)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def in_lab(plan: Plan) -> AsyncIterator[Plan]:
    """Put a carrier of the lab in place of each trunk, which answers and plays back what it hears."""
    async with AsyncExitStack() as stack:
        try:
            carriers = await stack.enter_async_context(lab_of(plan.trunk_names()))
        except (LabError, TimeoutError) as error:
            raise NotLiveError(f"the lab does not start: {error or 'no answer in time'}") from None
        trunks = tuple(
            trunk.model_copy(update={"uri": carrier.uri, **WITHOUT_SECRETS})
            for trunk, carrier in zip(plan.trunks, carriers.values(), strict=True)
        )
        yield plan.model_copy(update={"trunks": trunks, "ca_file": None, "bind": None})


def lab_plan(number: str, at_once: int = 4, calls_per_day: int = 100) -> Plan:
    """Make the plan of calls to a lab that is not written anywhere: carriers that are tried in turn."""
    return Plan.model_validate(
        {
            "name": "lab",
            "trunks": [{"carrier": name, "uri": f"sip:127.0.0.1:{n}"} for n, name in enumerate(LAB, 1)],
            "routing": {"order": "priority", "routes": list(LAB)},
            "guard": {"allow": [number], "at_once": at_once, "calls_per_day": calls_per_day},
        }
    )
