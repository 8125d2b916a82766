"""Runs the tests of a plan, each over each of its trunks, with repeats where they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callgen.caps import Caps
from callgen.messages import Audio
from callgen.preflight import Planned
from callsim.live.desk import Call, CallJson, Errand
from callsim.live.judging import Check, judge
from callsim.plan.model import OUTSIDE, ROUTE, Plan, Test

NOT_TESTED = ("refused_by_guard", "lost_by_tool")
"""Outcomes that say nothing about a carrier."""

Inbound = Callable[[Test], Awaitable[CallJson]]
"""Runs an inbound test, and gives the call's record as the called side saw it."""


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
    """A test over one trunk with all its tries; the last one counts."""

    leg: Leg
    tries: tuple[Try, ...]

    @property
    def passed(self) -> bool:
        """Whether its last try passed."""
        return self.tries[-1].passed

    @property
    def tested(self) -> bool:
        """Whether its last try says anything about the carrier."""
        return self.tries[-1].tested

    @property
    def verdict(self) -> str:
        """PASSED, FAILED, REFUSED (by the guard) or NOT TESTED (lost by the tool)."""
        if self.tested:
            return "PASSED" if self.passed else "FAILED"
        return "REFUSED" if self.tries[-1].call["outcome"] == "refused_by_guard" else "NOT TESTED"

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


def planned(plan: Plan, legs: Iterable[Leg], caps: Caps, *, once: bool) -> Iterator[Planned]:
    """Give what legs come to in the worst case, by the day or, with `once`, of one run of them.

    By the router a call may be sent over as many trunks as it has attempts, the dearest in the worst case.
    """
    names = plan.trunk_names()
    attempts = plan.routing.max_attempts if plan.routing else 1
    routes = {route.carrier for route in plan.routing.routes} if plan.routing else set()
    routed = [name for name, trunk in zip(names, plan.trunks, strict=True) if trunk.carrier in routes]
    dearest = sorted(routed, key=lambda name: -caps.cost_per_minute.get(name, 0.0))[:attempts]
    ring = plan.routing.ring_timeout if plan.routing else 60.0
    for leg in legs:
        test = leg.test
        if test.direction == "inbound":
            placing = plan.trunks_of(test.from_ or "") if test.from_ != OUTSIDE else ()
            trunks = [names[placing[0]]] if placing else []
        else:
            trunks = dearest if leg.trunk is None else [names[leg.trunk]]
        every = None if once else test.every
        repeats = test.again.times if test.again else 0
        for trunk in trunks:
            jitter = test.jitter if every else 0.0
            yield Planned(test.name, trunk, every, test.talk, repeats, jitter, ring)


def audio_of(test: Test, folder: Path) -> Audio:
    """What a test plays and listens for, the names of its files relative to `folder`."""

    def file(name: str) -> str:
        return str(folder / name) if name.lower().endswith(".wav") else name

    return Audio(file(test.audio.play), file(test.audio.hear), test.expect.dtmf)


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
        tries: list[Try] = []
        again = leg.test.again
        while not tries or (again and len(tries) <= again.times and _again(tries[-1])):
            if tries and again:
                await asyncio.sleep(again.after)
            async with turns:
                record = await (
                    inbound(leg.test) if leg.test.direction == "inbound" else call(_errand(leg, folder))
                )
            tested = record["outcome"] not in NOT_TESTED
            tries.append(Try(record, judge(leg.test.expect, record) if tested else ()))
        probed = Probed(leg, tuple(tries))
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
    return not last.passed and last.call["outcome"] != "refused_by_guard"


def _errand(leg: Leg, folder: Path) -> Errand:
    test = leg.test
    codecs = (test.codec,) if test.codec else None
    return Errand(test.to, leg.trunk, test.talk, audio_of(test, folder), codecs)
