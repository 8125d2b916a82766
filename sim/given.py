"""Plays a stretch whose faults and calls are given rather than drawn."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from simpy.events import Event

from results.calls import CallColumns
from results.timeline import ClosedBy, Heard
from sim.calls import Caller, Calls
from sim.clock import VALUE, Timer
from sim.conditions import Conditions
from sim.draws import Draw
from sim.recorder import Incident
from sim.stream import Stream
from sim.tables import Tables

HEARD_AFTER = 0.2
"""Seconds from a call's answer to the first sound that a listener can tell."""


UNKNOWN = Heard(None, "", 0.0, 0.0, 0.0)
"""A call of which nothing else is known than that both sides hear something."""


@dataclass(frozen=True)
class GivenFault:
    """A fault that trunks show from `start` to `end`, in seconds of the stretch."""

    start: float
    end: float
    fault: int
    """Index in `Tables.faults`."""
    trunks: tuple[int, ...]
    announced: bool = False
    """Whether the trunks are taken out of the routing for it."""
    seed: int = 0
    """Of the draws that say which INVITEs a trunk refuses, in order, as each of them begins anew."""


@dataclass(frozen=True)
class GivenCall:
    """A call from us, in seconds of the stretch; no two begin at once."""

    at: float
    talk: float
    seed: int = 0
    """Of the draw among the router's lists, where routes are weighted."""


@dataclass(frozen=True)
class Belief:
    """From an instant on the router believes a trunk up, or not."""

    at: float
    trunk: int
    up: bool


@dataclass(frozen=True)
class Played:
    """What a stretch leaves."""

    calls: CallColumns
    sounds: dict[float, Heard]
    """How calls sounded over all their time, by when they were answered; only those that have ended."""
    beliefs: tuple[Belief, ...]
    """Changes, in order."""


def play_given(
    tables: Tables,
    faults: Sequence[GivenFault],
    calls: Sequence[GivenCall],
    length: float,
    ping_phase: Sequence[float],
    seed: int,
    drained: Sequence[int] = (),
) -> Played:
    """Play `length` seconds in which nothing else fails, and place these calls.

    `ping_phase` is when each trunk is pinged first, in [0, ping_every). `drained` trunks are out of the
    routing throughout. The units of the tables and their warm-up have to be empty. Raises ValueError for
    tables that are not, or have no traffic, carriers or routing.
    """
    if tables.units or tables.warm_up:
        raise ValueError("a given stretch has no units that fail by themselves, and no warm-up")
    stream = _Stream(tables, Conditions(tables), seed, ping_phase)
    placed = _Calls(stream, calls)
    for fault in faults:
        stream.env.after(fault.start, placed.begin_fault, fault)
    if stream.trunks is not None:
        stream.trunks.drain(tuple(drained), out=True, now=0.0)
    stream.env.play(until=length)
    return Played(placed.columns(), placed.sounded, tuple(stream.beliefs))


class _Stream(Stream):
    """Notes what the router learns."""

    def __init__(
        self, tables: Tables, conditions: Conditions, seed: int, ping_phase: Sequence[float]
    ) -> None:
        self.beliefs: list[Belief] = []
        self._believed = [True] * (len(tables.routing.trunks) if tables.routing is not None else 0)
        super().__init__(tables, conditions, seed, 0, ping_phase)

    def _learnt(self, trunk: int) -> None:
        self.note(trunk)
        super()._learnt(trunk)

    def note(self, trunk: int) -> None:
        """Note what is believed of a trunk now, if it is another than so far."""
        assert self.trunks is not None  # only its parts call this
        up = self.trunks.router.believed_up(trunk, self.env.now)
        if up != self._believed[trunk]:
            self._believed[trunk] = up
            self.beliefs.append(Belief(self.env.now, trunk, up))


class _Calls(Calls):
    """Places calls that are given, among faults that are."""

    def __init__(self, stream: _Stream, given: Sequence[GivenCall]) -> None:
        self._given = sorted(given, key=lambda call: call.at)
        self._seed = 0
        """Of the call that begins now."""
        self._noting = stream
        trunks = stream.tables.routing.trunks if stream.tables.routing is not None else ()
        self._shown: list[list[tuple[float, int]]] = [[] for _ in trunks]
        """Since when new calls over each trunk sound how."""
        self.sounded: dict[float, Heard] = {}
        super().__init__(stream, redials=False)

    def _arrivals(self) -> Generator[Event, None, None]:
        for call in self._given:
            yield self._env.timeout(call.at - self._env.now)
            self._seed = call.seed
            self._begin(Caller(-1, 0, -1, call.talk))

    def _candidates(self) -> tuple[int, ...]:
        """Draw as a line of real calls does that is given the same generator."""
        lists = self._router.candidates(self._env.now)
        rng = np.random.default_rng(self._seed)
        choice = int(rng.choice(len(lists), p=[weight for weight, _ in lists])) if len(lists) > 1 else 0
        return lists[choice][1]

    def begin_fault(self, timer: Timer) -> None:
        """Let trunks show a fault."""
        fault: GivenFault = timer[VALUE]
        stream, now = self._noting, self._env.now
        incident = stream.recorder.open_incident(-1, -1, stream.tables.faults[fault.fault].cause, now)
        if fault.announced:
            self._drain(fault, out=True)
        for trunk in fault.trunks:
            self._lucks[trunk] = _luck(fault.seed)
        stream.show_fault(fault.trunks, fault.fault, incident, now)
        self._hear(fault.trunks)
        stream.changed(incident, ClosedBy.REPAIR, now)
        self._env.after(fault.end - now, self._end_fault, (fault, incident))

    def _end_fault(self, timer: Timer) -> None:
        fault: GivenFault
        incident: Incident
        fault, incident = timer[VALUE]
        now = self._env.now
        self._trunks.clear(fault.trunks, incident, now)
        self._hear(fault.trunks)
        for trunk in fault.trunks:
            self._lucks[trunk] = self._luck
        if fault.announced:
            self._drain(fault, out=False)
        self._noting.changed(incident, ClosedBy.REPAIR, now)

    # ---- how they sound

    def _hear(self, trunks: tuple[int, ...]) -> None:
        for trunk in trunks:
            self._shown[trunk].append((self._env.now, self._ears.hear(trunk, 1)))

    def _judge(self, trunk: int, heard: int, begun: float) -> None:
        """Take the mean MOS over a call's time; it is one way if nothing came over in all of it.

        Calls of a given stretch are short, so that many have a fault for a part of their time only.
        """
        now = self._env.now
        changes = [(begun, heard), *((at, n) for at, n in self._shown[trunk] if begun < at < now)]
        until = [*(at for at, _ in changes[1:]), now]
        pieces = [
            (end - at, self._ears.sound(number) if number >= 0 else UNKNOWN)
            for (at, number), end in zip(changes, until, strict=True)
        ]
        two_way = [(seconds, sound.mos) for seconds, sound in pieces if not sound.one_way]
        if sum(seconds for seconds, _ in two_way) < HEARD_AFTER:
            two_way = []
        rated = [(seconds, mos) for seconds, mos in two_way if mos is not None]
        total = sum(seconds for seconds, _ in rated)
        mos = sum(seconds * value for seconds, value in rated) / total if total else None
        found = self.sounded[begun] = pieces[0][1]._replace(
            mos=mos, one_way=not two_way and now >= begun + HEARD_AFTER
        )
        if self._policy.poor_calls is not None:
            self._tell(trunk, found)

    def _drain(self, fault: GivenFault, *, out: bool) -> None:
        self._trunks.drain(fault.trunks, out, self._env.now)
        for trunk in fault.trunks:
            self._noting.note(trunk)


def _luck(seed: int) -> Draw:
    """Draws of a refusing trunk: an INVITE is refused where its number from the top is below the share."""
    rng = np.random.default_rng(seed)
    return lambda: 1.0 - rng.random()
