"""Watches a plan in fast time: a loop whose clock jumps, and trunks that fail at given times."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import selectors
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from callgen.guarding.caps import TIMER_B
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard, Method, host_of
from callgen.messages import Ended, Heard, Response, Rtp, Sent
from callgen.pings import keep_pinging
from callgen.placing import Line
from callsim.live.desk import Desk
from callsim.live.probing import errand_of
from callsim.live.setup import caps_of, policy_of
from callsim.plan.model import Plan
from callsim.watching.events import Ticked
from callsim.watching.recording import Books
from callsim.watching.watcher import Outside, Watcher
from carriers.routing import Router

BEGINS = 1_800_000_000.0
"""POSIX time at which watching begins: 2027-01-15 08:00 UTC."""
NUMBER = "+12025550100"
HOSTS = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
RING, ANSWER = 0.3, 1.0
"""Seconds from INVITE to ringing, and to the answer."""
TIMEOUT = 4.0
"""Seconds after which a silent trunk is given up."""


class _Jumping(selectors.DefaultSelector):
    """Where nobody has anything to tell, the time of the next timer comes at once."""

    now = 0.0

    def select(self, timeout=None):
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.now += timeout
        return ready


class FastLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer."""

    def __init__(self):
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now


class FastClock:
    """The loop's time as time of day; `set_by` sets it, `sleep` has the machine sleep."""

    def __init__(self, begins=BEGINS):
        self.ahead = begins

    def wall(self):
        return self.ahead + asyncio.get_running_loop().time()

    def monotonic(self):
        return asyncio.get_running_loop().time()

    def set_by(self, seconds):
        """Set the clock; a machine that sleeps looks the same when it wakes up."""
        self.ahead += seconds


@dataclass(frozen=True)
class Fault:
    """What is wrong with a trunk from one instant (POSIX seconds) until another.

    `silent` and `refuses` are met by calls and pings that begin then; `deaf` by calls that talk then; `cut`
    by all of them: calls in progress end.
    """

    trunk: str
    begins: float
    ends: float
    kind: str = "silent"

    def on(self, at):
        return self.begins <= at < self.ends

    def during(self, first, last):
        return self.begins < last and first < self.ends


class FaultyCall:
    """An INVITE whose fate is known when it is sent; its events come in their time."""

    def __init__(self, dialer, faults, talk):
        self.loop = asyncio.get_running_loop()
        self.begun = self.loop.time()
        self.hang = asyncio.Event()
        self.steps = [(0.0, lambda at: Sent(1, at))]
        self.over = asyncio.Event()
        self.responded = False
        sent = dialer.clock.wall()
        setup = next((f for f in faults if f.kind != "deaf" and f.on(sent)), None)
        if setup is not None and setup.kind == "refuses":
            self.steps += [(0.05, self.response(100)), (RING, self.response(503)), (RING, self.ended(None))]
        elif setup is None:
            self.steps += [
                (0.05, self.response(100)),
                (RING, self.response(180)),
                (ANSWER, self.response(200)),
            ]
            answered, until = sent + ANSWER, sent + ANSWER + talk
            cut = [f.begins for f in faults if f.kind == "cut" and sent < f.begins < until]
            deaf = any(f.kind == "deaf" and f.during(answered, until) for f in faults)
            end = min([until, *cut]) - sent
            self.steps.append((end, self.ended("far" if cut else "us", good=not cut and not deaf)))

    def response(self, status):
        return lambda at: Response(1, status, f"reason of {status}", at)

    def ended(self, by, good=None):
        rtp = None if good is None else Rtp(500, 500, 0, None, loss_share=0.0, jitter=0.002)
        heard = None if good is None else Heard(good, 0.0, 0.06, None, -20.0, 0.1, False)
        return lambda at: Ended(1, at, by, rtp, heard, "PCMU", trace="INVITE", call_id="id")

    async def event(self):
        after = self.steps[0][0] if self.steps else 1e9
        if not self.hang.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self.begun + after):
                    await self.hang.wait()
        if self.hang.is_set():
            self.steps.clear()
            event = self.ended("us")(self.loop.time())
        else:
            event = self.steps.pop(0)[1](self.loop.time())
        self.responded |= isinstance(event, Response)
        if isinstance(event, Ended):
            self.over.set()
        return event

    def hang_up(self):
        self.hang.set()

    async def freed(self):
        await self.over.wait()
        if not self.responded:  # it may be answered until Timer B
            await asyncio.sleep(self.begun + TIMER_B - self.loop.time())
        return True


class FaultyDialer:
    """A dialer over trunks that fail at given times; stands for its workers, too."""

    def __init__(self, clock, faults=()):
        self.clock = clock
        self.faults = list(faults)
        self.names = {}
        """Name of the trunk at each host."""
        self.invites = []
        """(trunk, POSIX time) of each."""
        self.placed = self.renewals = self.waits = 0

    def of(self, uri):
        trunk = self.names[host_of(f"sip:{uri.rpartition('@')[2].removeprefix('sip:')}")]
        return trunk, [fault for fault in self.faults if fault.trunk in {trunk, trunk.partition("/")[0]}]

    async def place(self, permit, talk, **_):
        trunk, faults = self.of(permit.spend(Method.INVITE))
        self.invites.append((trunk, self.clock.wall()))
        self.placed += 1
        return FaultyCall(self, faults, talk)

    async def ping(self, permit, timeout, **_):
        _, faults = self.of(permit.spend(Method.OPTIONS))
        if any(fault.kind != "deaf" and fault.on(self.clock.wall()) for fault in faults):
            await asyncio.sleep(timeout)
            return None
        await asyncio.sleep(0.02)
        return 200

    async def renew(self):
        self.placed = 0
        self.renewals += 1


def plan_of(every="5m", trunks=2, tests=None, **more):
    """Make a plan of so many carriers with a trunk each, each called by itself on the same cadence."""
    names = ["atlantic", "boreal", "cirrus"][:trunks]
    test = {
        "name": "each",
        "to": NUMBER,
        "over": names,
        "every": every,
        "talk": "12s",
        "expect": {"two_way_audio": True},
    }
    made = {
        "name": "fast",
        "trunks": [
            {"carrier": name, "uri": f"sip:{host}", "cost_per_minute": 0.01}
            for name, host in zip(names, HOSTS, strict=False)
        ],
        "routing": {
            "order": "priority",
            "routes": names,
            "no_reply_timeout": f"{TIMEOUT:g}s",
            "max_attempts": 2,
        },
        "tests": tests or [test],
        "guard": {"allow": ["+1202555"], "country": "US", "at_once": 4, "calls_per_day": 100_000},
    }
    return Plan.model_validate(made | more)


@dataclass
class WatchLab:
    """A plan that is watched in fast time; `events` has what was told, without ticks."""

    plan: Plan
    faults: list[Fault] = field(default_factory=list)
    listeners: list = field(default_factory=list)
    location: str = "here"
    own_network: object = None
    """What our own network says, or a function of POSIX time."""
    begins: float = BEGINS
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self):
        self.clock = FastClock(self.begins)
        self.dialer = FaultyDialer(self.clock, self.faults)
        self.events = []
        self.watcher = self.outside = self.loop = None
        self.desks = self.opened = 0
        """Desks that are open, and that have been opened."""
        self.seconds = self.ended = 0.0
        """How long it was watched, and when it was over (seconds from the start)."""
        self.seen = []

    @contextlib.asynccontextmanager
    async def open(self, plan, pinged):
        names = dict(zip((host_of(trunk.uri) for trunk in plan.trunks), plan.trunk_names(), strict=True))
        self.dialer.names |= names
        guard = Guard(plan.guard.allow, names, caps_of(plan), self.counters, clock=self.clock.wall)
        line = Line(Router(policy_of(plan)), [trunk.uri for trunk in plan.trunks], guard, self.dialer)

        async def always():
            return line

        pings = asyncio.create_task(keep_pinging(line, answered=pinged))
        self.desks += 1
        self.opened += 1
        rng = np.random.default_rng(0)
        lines = SimpleNamespace(line=always)
        yield Desk(plan, lines, self.dialer, rng, self.counters, wall=self.clock.wall)
        self.desks -= 1
        pings.cancel()
        await asyncio.gather(pings, return_exceptions=True)

    async def place(self, desk, leg, probe, number):
        del probe
        return await desk.call(errand_of(leg, Path()), patient=number > 1)

    async def network(self, plan):
        del plan
        return self.own_network(self.clock.wall()) if callable(self.own_network) else self.own_network

    def run(self, seconds, *doing):
        """Watch for so long; each of `doing` is (seconds from the start, function of this lab)."""

        async def watched():
            entries = Books(self.location, lambda: None).entries
            self.outside = Outside(self.clock, self.open, self.place, entries, self.network)
            self.watcher = Watcher(self.plan, self.outside, [self.told, *self.listeners])
            loop = self.loop = asyncio.get_running_loop()
            self.seconds = seconds
            loop.call_later(seconds, self.watcher.stop)
            for after, do in doing:
                loop.call_later(after, do, self)
            await self.watcher.run()
            self.ended = loop.time()

        with asyncio.Runner(loop_factory=FastLoop) as runner:
            runner.run(watched())
        return self.events

    def told(self, event):
        if not isinstance(event, Ticked):
            self.events.append(event)

    def of(self, kind):
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def by_leg(events):
    """Group probes and missed slots by their leg."""
    named = sorted(events, key=lambda event: (event.leg.over, event.due))
    return {over: list(mine) for over, mine in itertools.groupby(named, key=lambda event: event.leg.over)}
