"""What calls meet besides trunks: faults of the path's segments, forwarded numbers, phones not registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from results.timeline import ClosedBy
from sim.answers import delivered
from sim.clock import VALUE
from sim.conditions import REGISTERING
from sim.draws import Randomness
from sim.recorder import Incident
from sim.tables import Forwarding, Tables
from sim.trunks import Trunks, severity

if TYPE_CHECKING:
    from sim.clock import Clock, Timer
    from sim.groups import Member

Changed = Callable[[Incident | None, ClosedBy, float], None]
UNDELIVERED = 0.5
"""A home carrier that delivers a smaller share than this of the calls to us has them forwarded."""


class Surroundings:
    """The part of a state's key behind the trunks, as `Conditions` has it."""

    def __init__(
        self, env: Clock, tables: Tables, trunks: Trunks, random: Randomness, changed: Changed
    ) -> None:
        self._env = env
        self._tables = tables
        self._trunks = trunks
        self._changed = changed
        self._segments = len(tables.voice.segments) if tables.voice is not None else 0
        self._active: list[list[tuple[int, Incident]]] = [[] for _ in range(self._segments)]
        self.codes = [0] * (self._segments + len(tables.numbers) + (tables.devices is not None))
        radix = max(len(tables.faults), REGISTERING) + 1
        # Their digits in `Trunks.number` stand above those of the trunks.
        self._weights = [trunks.numbers * radix**place for place in range(len(self.codes))]
        self._waiting: list[Timer | None] = [None] * len(tables.numbers)
        """Until calls that a home carrier does not deliver are forwarded."""
        self._failed = [False] * len(tables.numbers)
        carriers = trunks.policy.carriers
        self._forwarded = [
            (number, block.forwards, carriers[block.home].trunks)
            for number, block in enumerate(tables.numbers)
            if block.forwards is not None
        ]
        # By a fault's index; the last is for -1, which is none.
        self._lost = [1.0 - delivered(fault) for fault in (*tables.faults, None)]
        self._luck = [random.uniform(f"numbers/{number.name}/forwarding") for number in tables.numbers]
        self._registering: Timer | None = None
        self._moved_by: Incident | None = None

    # ---- segments

    def show(self, segment: int, fault: int, incident: Incident) -> None:
        """Add a fault of a segment."""
        self._active[segment].append((fault, incident))
        self._look(segment)

    def clear(self, segment: int, incident: Incident) -> None:
        """Remove the fault that an incident brought."""
        self._active[segment] = [pair for pair in self._active[segment] if pair[1] is not incident]
        self._look(segment)

    def _look(self, segment: int) -> None:
        faults = self._tables.faults
        shown = max((f for f, _ in self._active[segment]), key=lambda f: (severity(faults[f]), f), default=-1)
        self._set(segment, shown + 1)

    def _set(self, place: int, code: int) -> None:
        before = self.codes[place]
        if code != before:
            self.codes[place] = code
            self._trunks.number += (code - before) * self._weights[place]
            self._trunks.dirty = True

    # ---- numbers

    def follow_trunks(self) -> None:
        """See which home carriers have stopped to deliver, or deliver again.

        Calls are forwarded after a delay, and at once for work that was announced.
        """
        shown = self._trunks.shown
        for number, forwards, home in self._forwarded:
            lost = 1.0
            for trunk in home:
                lost *= self._lost[shown[trunk]]
            failed = 1.0 - lost < UNDELIVERED
            if failed is self._failed[number]:
                continue
            self._failed[number] = failed
            if not failed:
                self._waiting[number] = None
                self._set(self._segments + number, 0)
            elif all(self._trunks.drained(trunk) for trunk in home):
                # It was announced, and the numbers are moved for it beforehand.
                self._try_to_forward(number, forwards)
            else:
                self._waiting[number] = self._env.after(forwards.after, self._forward, number)

    def _forward(self, timer: Timer) -> None:
        number = timer[VALUE]
        assert isinstance(number, int)  # set above
        forwards = self._tables.numbers[number].forwards
        if timer is not self._waiting[number] or forwards is None:
            return
        self._waiting[number] = None
        if self._try_to_forward(number, forwards):
            home = self._trunks.policy.carriers[self._tables.numbers[number].home]
            incident = self._trunks.last_incident(home.trunks[0])
            self._changed(incident, ClosedBy.REROUTING, self._env.now)

    def _try_to_forward(self, number: int, forwards: Forwarding) -> bool:
        works = self._luck[number]() < forwards.success
        if works:
            self._set(self._segments + number, 1)
        return works

    # ---- phones

    def taken_over(self, lost: Member | None, other: Member, incident: Incident) -> None:
        """Have the phones register anew, unless the unit that takes over knows them."""
        devices = self._tables.devices
        assert devices is not None  # told only where there are some
        if devices.kept_within_site and lost is not None and lost.site == other.site:
            return
        self._moved_by = incident
        self._set(len(self.codes) - 1, 1)
        self._registering = self._env.after(devices.every / REGISTERING, self._register)

    def _register(self, timer: Timer) -> None:
        devices = self._tables.devices
        if timer is not self._registering or devices is None:
            return
        step = self.codes[-1] + 1
        self._registering = None
        if step > REGISTERING:
            self._set(len(self.codes) - 1, 0)
        else:
            self._set(len(self.codes) - 1, step)
            self._registering = self._env.after(devices.every / REGISTERING, self._register)
        self._changed(self._moved_by, ClosedBy.REROUTING, self._env.now)

    def incident(self, place: int) -> Incident | None:
        """Incident behind the code at a place: of a segment's fault, or of the failover."""
        if place < self._segments:
            for fault, incident in self._active[place]:
                if fault + 1 == self.codes[place]:
                    return incident
            return None
        return self._moved_by if place == len(self.codes) - 1 and self._tables.devices is not None else None
