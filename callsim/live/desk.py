"""Where live commands have their calls placed."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from callgen.dialer import SLOTS, LostByToolError, Workers
from callgen.endpoint.listening import listen
from callgen.guarding.counters import Counters
from callgen.guarding.guard import RefusedError
from callgen.lab.lab import CARRIERS as LAB
from callgen.lab.lab import LabError, lab_of
from callgen.lines import Lines
from callgen.messages import Audio, Endpoint
from callgen.pings import Answered, keep_pinging
from callgen.renewing import Renewable
from callsim.errors import CallsimError
from callsim.live.errors import GuardedError, NotLiveError
from callsim.live.left import take_left
from callsim.live.record_file import Keep
from callsim.live.setup import (
    addresses_of,
    caps_of,
    counters_of,
    endpoint_of,
    guard_of,
    policy_of,
    require_live,
)
from callsim.plan.model import Plan
from callsim.plan.values import NUMBER

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
    lqo: bool = False
    """Whether what comes back is scored by ViSQOL, which takes about as long again."""


Call = Callable[[Errand], Awaitable[CallJson]]
"""Places a call, and gives its record."""


@dataclass(frozen=True)
class Desk:
    """A plan that is ready for calls."""

    plan: Plan
    lines: Lines
    dialer: Renewable
    rng: np.random.Generator
    counters: Counters
    endpoint: Endpoint = Endpoint()  # noqa: RUF009 - frozen
    """What its workers are started as."""
    wall: Callable[[], float] = time.time
    """Gives the POSIX time."""
    listening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """One at a time: calls need the processors."""

    @property
    def workers(self) -> Workers:
        """Those that get new calls."""
        return self.dialer.workers

    async def call(self, errand: Errand, *, patient: bool = True) -> CallJson:
        """Place a call over one trunk, or by the router, and give its record.

        A patient call waits until the guard's caps on calls at once and calls a second leave room for it.
        """
        if patient:
            await self._room()
        if not errand.lqo:
            return {**await self._placed(errand), "mos_lqo": None}
        with TemporaryDirectory(prefix="callsim-") as folder:
            stem = errand.audio.record or str(Path(folder) / "call")
            record = await self._placed(replace(errand, audio=replace(errand.audio, record=stem)))
            lqo = None
            if record["outcome"] == "answered":
                async with self.listening:
                    lqo = await listen(stem)
            return {**record, "mos_lqo": None if lqo is None else asdict(lqo)}

    async def _placed(self, errand: Errand) -> CallJson:
        to, talk, audio, codecs = errand.to, errand.talk, errand.audio, errand.codecs
        line = await self.lines.line()
        if errand.over is None:
            record = await line.call(to, talk, self.rng, audio=audio, codecs=codecs)
        else:
            record = await line.call_over(errand.over, to, talk, self.rng, audio=audio, codecs=codecs)
        return record.to_json()

    async def believed(self) -> list[bool]:
        """Say of each trunk of the plan whether the router believes it up, at one address at least."""
        line, now = await self.lines.line(), asyncio.get_running_loop().time()
        up = [False] * len(self.plan.trunks)
        for number in range(len(line.uris)):
            trunk = line.hops[number].trunk if line.hops else number
            up[trunk] = up[trunk] or line.router.believed_up(number, now)
        return up

    async def _room(self) -> None:
        """Wait for room under the caps; where there is none for long, the guard has to say so."""
        caps = caps_of(self.plan)
        rate = math.inf if caps.calls_per_second is None else caps.calls_per_second * caps.rate_window
        most = math.inf if caps.at_once is None else caps.at_once
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                while True:
                    used = self.counters.used(self.wall(), None, caps)
                    if used.at_once < most and used.second < rate:
                        return
                    await asyncio.sleep(LOOK_EVERY)


@asynccontextmanager
async def desk_of(
    plan: Plan,
    folder: Path,
    *,
    at_once: int,
    seed: int = 0,
    in_lab: bool = False,
    silent_calls: float = 0.0,
    counters: Counters | None = None,
    pinged: Answered = lambda trunk, status, sent, seconds: None,
    keep: Keep | None = None,
) -> AsyncIterator[Desk]:
    """Make a plan ready for `at_once` calls at a time; secrets are looked for relative to `folder`.

    Calls are counted in `counters`; without them where the plan's are, or `in_lab` in this process alone.
    `silent_calls` is how many calls a second may meet silence, each of which holds a slot for half a minute.
    `pinged` is told of every ping, `keep` of every call that was begun. Raises NotLiveError, GuardedError,
    SecretError.
    """
    require_live()
    async with AsyncExitStack() as stack:
        if counters is None:
            counters = Counters() if in_lab else counters_of(plan)
            stack.callback(counters.close)
            if (left := take_left(counters)) is not None:
                click.echo(f"NOTE: {left}", err=True)
        guard = guard_of(plan, counters)
        addresses = addresses_of(plan, guard)
        hops, _ = await addresses.hops()
        try:
            endpoint = endpoint_of(plan, guard, folder, hops)
        except RefusedError as refused:
            raise GuardedError(str(refused)) from None
        addresses.transports = endpoint.transports
        count = math.ceil(at_once / SLOTS)
        most = math.ceil((at_once * (1 + SLOTS) + silent_calls * HELD) / SLOTS)
        grow_to = min(max(most, count), max(MOST_WORKERS, count))
        pool = Renewable(lambda: Workers(count, endpoint, grow_to=grow_to))
        policy = partial(policy_of, plan)
        uris = [trunk.uri for trunk in plan.trunks]
        lines = Lines(addresses, policy, uris, guard, pool, endpoint.identities, keep=keep)
        stack.push_async_callback(lines.settled)
        try:
            dialer = await stack.enter_async_context(pool)
        except ValueError as error:
            raise CallsimError(f"{plan.name}: {error}") from None
        except (LostByToolError, TimeoutError) as error:
            raise NotLiveError(f"the workers that place calls do not start: {error}") from None
        if plan.routing is not None and plan.routing.health is not None:
            pings = asyncio.create_task(keep_pinging(await lines.line(), answered=pinged, renewed=lines.line))
            stack.push_async_callback(_stopped, pings)
        yield Desk(plan, lines, dialer, np.random.default_rng(seed), counters, endpoint)


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
    allow = [number] if re.fullmatch(NUMBER, number) else []  # the guard says what is wrong with it
    return Plan.model_validate(
        {
            "name": "lab",
            "trunks": [{"carrier": name, "uri": f"sip:127.0.0.1:{n}"} for n, name in enumerate(LAB, 1)],
            "routing": {"order": "priority", "routes": list(LAB)},
            "guard": {"allow": allow, "at_once": at_once, "calls_per_day": calls_per_day},
        }
    )
