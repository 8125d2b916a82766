"""Runs the tests of a plan, each over each of its trunks, with repeats where they fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callgen.guarding.caps import Caps
from callgen.guarding.preflight import Planned
from callgen.messages import Audio
from callsim.live.desk import Call, CallJson, Errand
from callsim.live.judging import Check, judge
from callsim.live.setup import routing_of
from callsim.plan.model import OUTSIDE, ROUTE, Plan, Test

REFUSED, LOST = "refused_by_guard", "lost_by_tool"
NOT_TESTED = (REFUSED, LOST)
"""Outcomes that say nothing about a carrier."""

Inbound = Callable[[Test], Awaitable[CallJson]]
"""Runs an inbound test, and gives the call's record as the called side saw it."""


Place = Callable[[int], Awaitable[CallJson]]
"""Places the call of a try, the number of which it is given, from 1."""


@dataclass(frozen=True)
class Leg:
    """A test over one trunk, or by the router."""

    test: Test
    over: str
    """Name of the trunk, `route`, or `boreal/1 to atlantic/1` of an inbound test."""
    trunk: int | None
    """Position of the trunk in the plan; None: as the router says."""


@dataclass(frozen=True)
class Try:
    """One call of a test, and how it was judged."""

    call: CallJson
    checks: tuple[Check, ...]
    started: float
    ended: float
    """POSIX seconds, as `started` is."""

    @property
    def tested(self) -> bool:
        """Whether it says anything about the carrier."""
        return self.call["outcome"] not in NOT_TESTED

    @property
    def passed(self) -> bool:
        """Whether every expectation was kept."""
        return self.tested and all(check.kept for check in self.checks)


@dataclass(frozen=True)
class Probed:
    """A test over one trunk with all its tries.

    The last one counts that says anything about the carrier: a failed try stands where its repeat is refused
    by the guard, or lost by the tool.
    """

    leg: Leg
    tries: tuple[Try, ...]

    @property
    def counted(self) -> Try:
        """The try that counts."""
        return next((one for one in reversed(self.tries) if one.tested), self.tries[-1])

    @property
    def passed(self) -> bool:
        """Whether the try that counts passed."""
        return self.counted.passed

    @property
    def tested(self) -> bool:
        """Whether any try says anything about the carrier."""
        return self.counted.tested

    @property
    def verdict(self) -> str:
        """PASSED, FAILED, REFUSED (by the guard) or NOT TESTED (lost by the tool)."""
        if self.tested:
            return "PASSED" if self.passed else "FAILED"
        return "REFUSED" if self.counted.call["outcome"] == REFUSED else "NOT TESTED"

    def to_json(self) -> dict[str, Any]:
        """Write it with every try."""
        return {
            "test": self.leg.test.name,
            "over": self.leg.over,
            "verdict": self.verdict.lower().replace(" ", "_"),
            "tries": [
                {"passed": t.passed, "checks": [c.to_json() for c in t.checks], "call": t.call}
                for t in self.tries
            ],
        }


def legs_of(plan: Plan, tests: Iterable[Test]) -> list[Leg]:
    """Give every test over every trunk that it names, in the plan's order."""
    names = plan.trunk_names()
    legs = []
    for test in tests:
        if test.direction == "inbound":
            legs.append(Leg(test, f"{test.from_} to {test.at}", None))
        for over in test.over or ():
            if over == ROUTE:
                legs.append(Leg(test, ROUTE, None))
            else:
                legs += [Leg(test, names[n], n) for n in plan.trunks_of(over)]
    return legs


def planned(
    plan: Plan, legs: Iterable[Leg], caps: Caps, *, once: bool, addresses: Mapping[str, int] | None = None
) -> Iterator[Planned]:
    """Give what legs come to in the worst case, by the day or, with `once`, of one run of them.

    By the router a call may be sent over as many trunks as it has attempts, the dearest in the worst case.
    `addresses` is how many each trunk has by DNS; not given: one. Each of them may get an attempt.
    """
    names = plan.trunk_names()
    attempts = routing_of(plan).max_attempts
    count = addresses or {}
    routes = {route.carrier for route in plan.routing.routes} if plan.routing else set()
    routed = [name for name, trunk in zip(names, plan.trunks, strict=True) if trunk.carrier in routes]
    ranked = sorted(routed, key=lambda name: -caps.cost_per_minute.get(name, 0.0))
    dearest = [name for name in ranked for _ in range(count.get(name, 1))][:attempts]
    ring = plan.routing.ring_timeout if plan.routing else 60.0
    for leg in legs:
        test = leg.test
        if test.direction == "inbound":
            placing = plan.trunks_of(test.from_ or "") if test.from_ != OUTSIDE else ()
            trunks = [names[placing[0]]] if placing else []
        else:
            trunks = dearest
            if leg.trunk is not None:
                over = names[leg.trunk]
                trunks = [over] * min(count.get(over, 1), attempts)
        every = None if once else test.every
        repeats = test.again.times if test.again else 0
        for trunk in trunks:
            jitter = test.jitter if every else 0.0
            yield Planned(test.name, trunk, every, test.talk, repeats, jitter, ring)


def audio_of(test: Test, folder: Path, record: str | None = None) -> Audio:
    """What a test plays and listens for, the names of its files relative to `folder`.

    `record` is the path of its recordings without their ends.
    """

    def file(name: str) -> str:
        return str(folder / name) if name.lower().endswith(".wav") else name

    return Audio(file(test.audio.play), file(test.audio.hear), test.expect.dtmf, record)


async def tried(leg: Leg, place: Place, wall: Callable[[], float] = time.time) -> Probed:
    """Run one leg, with its repeats while it fails."""
    tries: list[Try] = []
    again = leg.test.again
    while not tries or (again and len(tries) <= again.times and _again(tries[-1])):
        if tries and again:
            await asyncio.sleep(again.after)
        started = wall()
        record = await place(len(tries) + 1)
        tested = record["outcome"] not in NOT_TESTED
        tries.append(Try(record, judge(leg.test.expect, record) if tested else (), started, wall()))
    return Probed(leg, tuple(tries))


async def probe(
    legs: Iterable[Leg],
    call: Call,
    inbound: Inbound,
    folder: Path,
    at_once: int = 1,
    done: Callable[[Probed], None] = lambda probed: None,
) -> list[Probed]:
    """Run legs, `at_once` of them at a time, and give them in their order; `done` is told of each at once.

    Cancelled, it hands on what `done` has been told and no more.
    """
    turns = asyncio.Semaphore(at_once)

    async def run(leg: Leg) -> Probed:
        async def place(_: int) -> CallJson:
            async with turns:
                if leg.test.direction == "inbound":
                    return await inbound(leg.test)
                return await call(errand_of(leg, folder))

        probed = await tried(leg, place)
        done(probed)
        return probed

    tasks = [asyncio.create_task(run(leg)) for leg in legs]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task


def _again(last: Try) -> bool:
    """Whether a repeat may tell more; the guard would refuse it too."""
    return not last.passed and last.call["outcome"] != REFUSED


def errand_of(leg: Leg, folder: Path, record: str | None = None) -> Errand:
    """Make the call of an outbound leg; see `audio_of`."""
    test = leg.test
    codecs = (test.codec,) if test.codec else None
    lqo = test.expect.mos_lqo_at_least is not None
    return Errand(test.to, leg.trunk, test.talk, audio_of(test, folder, record), codecs, lqo)
