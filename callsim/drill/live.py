"""Episodes in real time: real calls and pings through the router, to carriers of the lab."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

import numpy as np

from callgen.dialer import SLOTS, Workers
from callgen.guarding.guard import Guard
from callgen.lab.lab import HOST, LabCarrier
from callgen.measures.records import CallRecord, Outcome
from callgen.messages import Audio, Endpoint
from callgen.pings import keep_pinging
from callgen.placing import Line
from callsim.drill.outcomes import Account, Fate
from callsim.drill.stretch import Episode
from callsim.drill.tables import CODEC
from carriers.faults import Reply
from carriers.laws import Fixed
from carriers.routing import Router
from sim import Belief, GivenCall, GivenFault, Tables
from sim.trunks import severity

NUMBER = "+12025550100"
"""Of those that are nobody's (NANP 555-01XX)."""
HELD = 32.0
"""Seconds for which a call that nobody answered holds its slot (Timer B, RFC 3261, 17.1.1.2)."""
MOST_WORKERS = 48
HELD_AFTER = 1.0
"""Seconds for which one that was talked over may hold it."""
BEGINS_IN = 0.5
"""Seconds from when an episode is taken up to its instant 0."""
LOST_BYE = re.compile(
    r"^SIP/2\.0 (?:408|481) [^\n]*\n(?:[a-z][^\n]*\n)*?cseq: *[0-9]+ BYE", re.MULTILINE | re.IGNORECASE
)
"""The far end does not know the call any more, or a proxy does not reach it."""

Told = Callable[[Episode], None]


class Watched(Router):
    """A router that notes what it comes to believe."""

    def __init__(self, tables: Tables, ping_phase: Sequence[float], start: float) -> None:
        assert tables.routing is not None  # the tables of a lab have one
        super().__init__(tables.routing, ping_phase)
        self._start = start
        self._seen = [True] * len(tables.routing.trunks)
        self._back = [-math.inf] * len(tables.routing.trunks)
        """From when on each is up, as the last look had it; infinity: a ping, or the end of work, decides."""
        self.noted: list[Belief] = []

    def observe_ping(self, trunk: int, status: int | None, now: float) -> bool:
        """Take in how a ping ended, and note what follows."""
        self.look(now)
        changed = super().observe_ping(trunk, status, now)
        self.look(now)
        return changed

    def observe_call(self, trunk: int, failed: bool, now: float) -> bool:
        """Take in how an attempt ended, and note what follows."""
        self.look(now)
        changed = super().observe_call(trunk, failed, now)
        self.look(now)
        return changed

    def observe_quality(self, trunk: int, mos: float | None, now: float) -> bool:
        """Take in how a call sounded, and note what follows."""
        self.look(now)
        changed = super().observe_quality(trunk, mos, now)
        self.look(now)
        return changed

    def look(self, now: float) -> None:
        """Note what has changed; a trunk that its calls took out comes back when its time is up."""
        for trunk, up in enumerate(self.beliefs(now)):
            if up != self._seen[trunk]:
                self._seen[trunk] = up
                at = self._back[trunk] if up and self._back[trunk] <= now else now
                self.noted.append(Belief(at - self._start, trunk, up))
            self._back[trunk] = self.health(trunk).up_from


class Scene:
    """An episode's router, and the line that its calls take; here the router is ours."""

    def __init__(self, tables: Tables, episode: Episode, uris: Sequence[str], workers: Workers) -> None:
        loop = asyncio.get_running_loop()
        self.tables = tables
        self.start = loop.time() + BEGINS_IN
        """The episode's instant 0."""
        self._router = Watched(tables, self._phases(episode), self.start)
        for trunk in episode.drained:
            self._router.drain(trunk, out=True)
        self._router.look(self.start)
        self._router.noted.clear()
        self.line = Line(self._router, uris, Guard([NUMBER], [HOST]), workers)

    def _phases(self, episode: Episode) -> list[float]:
        """Instants of the loop's clock at which trunks are pinged, such that they are the episode's."""
        policy = self.tables.routing
        if policy is None or policy.health is None:
            return list(episode.ping_phase)
        every = policy.health.ping_every
        return [min((self.start + phase) % every, math.nextafter(every, 0.0)) for phase in episode.ping_phase]

    async def ping(self) -> None:
        """Ping the trunks until cancelled."""
        await keep_pinging(self.line)

    def announce(self, trunk: int, *, out: bool) -> None:
        """Take a trunk out for planned work, or put it back."""
        self._router.drain(trunk, out=out)
        self._router.look(asyncio.get_running_loop().time())

    def beliefs(self) -> tuple[Belief, ...]:
        """Say what the router has come to believe."""
        self._router.look(asyncio.get_running_loop().time())
        return tuple(self._router.noted)

    def tried(self, record: CallRecord) -> list[int]:
        """Say which trunks a call was sent to."""
        names = [trunk.name for trunk in self._router.policy.trunks]
        return [names.index(attempt.trunk) for attempt in record.attempts]

    def as_played(self, episode: Episode) -> Episode:
        """Give the episode as it came to be."""
        return episode


class Stage:
    """What episodes are played on: a set of carriers, one for each trunk of the tables."""

    def __init__(self, tables: Tables, carriers: Sequence[LabCarrier], workers: Workers) -> None:
        self.tables = tables
        self.workers = workers
        self._carriers = carriers

    @property
    def uris(self) -> list[str]:
        """SIP URI of each trunk."""
        return [carrier.uri for carrier in self._carriers]

    @asynccontextmanager
    async def scene(self, episode: Episode) -> AsyncIterator[Scene]:
        """Make ready for an episode."""
        yield Scene(self.tables, episode, self.uris, self.workers)

    async def play(self, episode: Episode) -> tuple[Episode, Account]:
        """Play an episode; give it as it came to be, and how each call fared."""
        loop = asyncio.get_running_loop()
        late = [0.0]
        async with self.scene(episode) as scene:
            beside = [asyncio.create_task(scene.ping()), asyncio.create_task(_watch_lateness(late))]
            faults = asyncio.create_task(self._faults(episode, scene))
            try:
                async with asyncio.TaskGroup() as placing:
                    calls = [placing.create_task(_placed(scene, call)) for call in episode.calls]
                    bounds = await faults
                    await asyncio.sleep(scene.start + episode.length - loop.time())
                    noted = scene.beliefs()
            finally:
                for task in (*beside, faults):
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                for carrier in self._carriers:
                    await carrier.play(None)
            fates = tuple(
                _fate(call.at, task.result(), scene) for call, task in zip(episode.calls, calls, strict=True)
            )
            return scene.as_played(episode), Account(fates, noted, bounds, late[0])

    async def _faults(self, episode: Episode, scene: Scene) -> tuple[tuple[float, float], ...]:
        """Play the faults, each trunk the worst of those that it has; give when each began and ended."""
        loop = asyncio.get_running_loop()
        bounds = [[fault.start, fault.end] for fault in episode.faults]
        steps = sorted((at, n, end) for n, both in enumerate(bounds) for end, at in enumerate(both))
        active: list[GivenFault] = []
        for at, number, end in steps:
            fault = episode.faults[number]
            await asyncio.sleep(scene.start + at - loop.time())
            active = [other for other in active if other is not fault] + ([] if end else [fault])
            if fault.announced:
                for trunk in fault.trunks:
                    scene.announce(trunk, out=any(trunk in a.trunks and a.announced for a in active))
            begun = await asyncio.gather(*(self._show(trunk, active) for trunk in fault.trunks))
            bounds[number][end] = float(np.mean(begun)) - scene.start
        return tuple((begun, ended) for begun, ended in bounds)

    async def _show(self, trunk: int, active: Sequence[GivenFault]) -> float:
        faults = self.tables.faults
        on = [fault for fault in active if trunk in fault.trunks]
        if not on:
            return await self._carriers[trunk].play(None)
        worst = max(on, key=lambda fault: (severity(faults[fault.fault]), fault.fault))
        played = self._carriers[trunk].translated(faults[worst.fault])
        return await self._carriers[trunk].play(replace(played, seed=worst.seed))


async def _placed(scene: Scene, call: GivenCall) -> CallRecord:
    await asyncio.sleep(scene.start + call.at - asyncio.get_running_loop().time())
    rng = np.random.default_rng(call.seed)
    return await scene.line.call(NUMBER, call.talk, rng, audio=Audio("tone", "echo"))


def _fate(at: float, record: CallRecord, scene: Scene) -> Fate:
    connected = record.outcome is Outcome.ANSWERED
    tried, heard = scene.tried(record), record.heard
    return Fate(
        at=at,
        trunk=tried[-1] if connected and tried else None,
        status=record.status,
        attempts=len(tried),
        delay=record.pdd if connected else None,
        dropped=connected and was_dropped(record),
        mos=record.mos.value if connected and record.mos is not None else None,
        one_way=heard.two_way is False if heard is not None and heard.two_way is not None else None,
        lost_by_tool=record.outcome in {Outcome.LOST_BY_TOOL, Outcome.REFUSED_BY_GUARD},
    )


def was_dropped(record: CallRecord) -> bool:
    """Whether the far end had lost a call when we hung up: our BYE met silence, a 408 or a 481."""
    last = record.attempts[-1]
    if last.hung_up_by != "us":
        return False
    return last.post_bye_delay is None or (last.trace is not None and LOST_BYE.search(last.trace) is not None)


async def _watch_lateness(late: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.01
        await asyncio.sleep(0.01)
        late[0] = max(late[0], loop.time() - due)


MakeStage = Callable[[Tables, Sequence[LabCarrier], Workers], Stage]


@asynccontextmanager
async def stages(
    tables: Tables, count: int, first_workers: int, seed: int, make: MakeStage
) -> AsyncIterator[list[Stage]]:
    """Make ready so many sets of carriers, and workers for all; raises what those do."""
    assert tables.routing is not None  # the tables of a lab have one
    async with AsyncExitStack() as stack:
        sets = []
        for number in range(count):
            own = [
                LabCarrier(trunk.name, seed=seed + 100 * number + n, post_dial_delay=_rings_after(tables, n))
                for n, trunk in enumerate(tables.routing.trunks)
            ]
            sets.append(own)
            # Not all at once: each has so many seconds to start, on a machine that is busy too.
            begun = await asyncio.gather(*map(stack.enter_async_context, own), return_exceptions=True)
            for trouble in begun:
                if isinstance(trouble, BaseException):
                    raise trouble
        workers = await stack.enter_async_context(
            Workers(first_workers, Endpoint(codecs=(CODEC,)), grow_to=MOST_WORKERS)
        )
        yield [make(tables, own, workers) for own in sets]


def _rings_after(tables: Tables, trunk: int) -> float:
    assert tables.routing is not None  # as above
    delay = tables.carriers[tables.routing.trunks[trunk].carrier].post_dial_delay
    assert delay is None or isinstance(delay, Fixed)  # those of a lab are
    return 0.0 if delay is None else delay.mean


def slots_of(tables: Tables, episode: Episode, predicted: Account) -> int:
    """How many calls take a slot at once, at most, by what is predicted of them."""
    silent = any(tables.faults[fault.fault].effect.invite is Reply.NOTHING for fault in episode.faults)
    changes: list[tuple[float, int]] = []
    for call, fate in zip(episode.calls, predicted.fates, strict=True):
        own = 1 if fate.trunk is not None else 0
        delay = fate.delay or 0.0
        changes += [(call.at, own), (call.at + delay + call.talk + HELD_AFTER, -own)]
        unanswered = fate.attempts - own if silent else 0
        changes += [(call.at, unanswered), (call.at + delay + HELD, -unanswered)]
    taken = most = 0
    for _, change in sorted(changes):
        taken += change
        most = max(most, taken)
    return most


async def play_all(
    tables: Tables,
    episodes: Sequence[Episode],
    predicted: Sequence[Account],
    abreast: int,
    seed: int,
    told: Told = lambda episode: None,
    make: MakeStage = Stage,
) -> list[tuple[Episode, Account]]:
    """Play episodes, `abreast` of them at a time, the longest first.

    Gives them as they came to be with what became of them, in the given order. `make` makes the stages.
    """
    left = sorted(range(len(episodes)), key=lambda n: episodes[n].length)
    found: dict[int, tuple[Episode, Account]] = {}

    async def one_after_another(stage: Stage) -> None:
        while left:
            number = left.pop()
            found[number] = await stage.play(episodes[number])
            told(episodes[number])

    abreast = min(abreast, len(episodes))
    slots = sorted(slots_of(tables, e, p) for e, p in zip(episodes, predicted, strict=True))
    workers = min(math.ceil(sum(slots[-abreast:]) / SLOTS) + 1, MOST_WORKERS)
    async with stages(tables, abreast, workers, seed, make) as ready, asyncio.TaskGroup() as group:
        for stage in ready:
            group.create_task(one_after_another(stage))
    return [found[number] for number in range(len(episodes))]
