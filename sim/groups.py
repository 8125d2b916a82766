"""Redundancy: which units of a group serve, who takes over, and whether enough of them do."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from results.timeline import ClosedBy
from sim import tables
from sim.draws import Randomness
from sim.recorder import Incident
from sim.tables import Standby

if TYPE_CHECKING:
    from sim.clock import Clock


class Place(Enum):
    """What a unit is to its group."""

    OUT = "out of service"
    STANDBY = "standing by"
    STARTING = "being switched to"
    SERVING = "serving"


class Member(Protocol):
    """What a group needs to know of a unit."""

    site: int | None
    place: Place

    def moved(self, place: Place) -> None:
        """Take another place in the group."""

    def reveal(self) -> bool:
        """Find a latent fault; True when there was one."""


class Group:
    """Units that share the load: it works while `need` of them are in service."""

    __slots__ = ("_broken", "name", "need", "trigger", "units", "up", "works")

    def __init__(self, spec: tables.Group, units: list[Member], broken: list[Group]) -> None:
        self._broken = broken
        self.name = spec.name
        self.need = spec.need
        self.units = units
        self.up = len(units)
        self.works = True
        self.trigger: Incident | None = None
        """What made a switchover that is under way necessary."""

    def unit_down(self, unit: Member, incident: Incident, planned: bool) -> float:
        """Lose a unit; returns the share of the calls in progress that went with it."""
        del unit, incident
        up = self.up
        self.up = up - 1
        if up == self.need:
            self._stop()
        return 0.0 if planned else 1.0 / up

    def unit_up(self, unit: Member, incident: Incident) -> None:
        """Get a unit back."""
        del unit, incident
        self.up += 1
        if self.up == self.need:
            self._go()

    def _stop(self) -> None:
        if self.works:
            self.works = False
            self._broken.append(self)

    def _go(self) -> None:
        if not self.works:
            self.works = True
            self._broken.remove(self)


class StandbyGroup(Group):
    """`need` units serve, the others stand by and take over by a switchover.

    A switchover goes to a unit of the same site if there is one. With the uncovered chance it waits for a
    person. A unit that comes back while too few serve takes its place at once; nobody is switched back.
    Planned work moves the calls to a standby beforehand.
    """

    __slots__ = (
        "_changed", "_env", "_otherwise", "_success", "_switch", "_uncovered", "serving", "starting",
        "taken_over",
    )  # fmt: skip

    def __init__(
        self,
        spec: tables.Group,
        units: list[Member],
        broken: list[Group],
        env: Clock,
        random: Randomness,
        changed: Callable[[Incident, ClosedBy, float], None],
    ) -> None:
        super().__init__(spec, units, broken)
        self._env = env
        self._changed = changed
        self.serving = self.need
        self.starting: list[tuple[Member, Incident]] = []
        self.taken_over: Callable[[Member | None, Member, Incident], None] = lambda *_: None
        """Told of a unit that begins to serve, in place of which (None: for a while nobody did), and why."""
        for n, unit in enumerate(units):
            unit.place = Place.SERVING if n < self.need else Place.STANDBY
        switch = spec.switchover
        self._switch = None
        if switch is not None:
            self._switch = (
                random.law(switch.within_site, f"{spec.name}/switchover/within"),
                random.law(switch.between_sites, f"{spec.name}/switchover/between"),
            )
            self._success = switch.success
            self._uncovered = random.uniform(f"{spec.name}/switchover/covered")
            self._otherwise = random.law(switch.otherwise, f"{spec.name}/switchover/otherwise")

    def unit_down(self, unit: Member, incident: Incident, planned: bool) -> float:
        """Lose a unit; returns the share of the calls in progress that went with it."""
        place = unit.place
        self.up -= 1
        unit.moved(Place.OUT)
        if place is Place.STANDBY:
            return 0.0
        if place is Place.STARTING:
            self.starting = [(other, i) for other, i in self.starting if other is not unit]
            self._fill(unit, incident)
            return 0.0
        share = 1.0 / self.serving
        self.serving -= 1
        if planned and self._take_over_at_once(unit, incident):
            return 0.0
        self._fill(unit, incident)
        if self.serving < self.need:
            self._stop()
        return 0.0 if planned else share

    def unit_up(self, unit: Member, incident: Incident) -> None:
        """Get a unit back."""
        self.up += 1
        if self.serving < self.need:
            self._serve(unit, None, incident)
            if self.serving + len(self.starting) > self.need:
                self.starting.pop()[0].moved(Place.STANDBY)
            if self.serving == self.need:
                self._go()
        else:
            unit.moved(Place.STANDBY)

    def _serve(self, unit: Member, lost: Member | None, incident: Incident) -> None:
        unit.moved(Place.SERVING)
        self.serving += 1
        self.taken_over(lost, unit, incident)

    def _candidate(self, site: int | None) -> Member | None:
        elsewhere = None
        for unit in self.units:
            if unit.place is Place.STANDBY:
                if unit.site == site:
                    return unit
                elsewhere = elsewhere or unit
        return elsewhere

    def _take_over_at_once(self, unit: Member, incident: Incident) -> bool:
        while (other := self._candidate(unit.site)) is not None:
            if not other.reveal():
                self._serve(other, unit, incident)
                return True
        return False

    def _fill(self, lost: Member, incident: Incident) -> None:
        """Begin a switchover in place of `lost`, if a unit stands by."""
        other = self._candidate(lost.site)
        if other is None:
            return
        self.trigger = incident
        if self._switch is None:
            if other.reveal():
                self._fill(lost, incident)
                return
            self._serve(other, lost, incident)
            return
        within, between = self._switch
        time = (within if other.site == lost.site else between)()
        if self._uncovered() >= self._success:
            time = self._otherwise()
        other.moved(Place.STARTING)
        attempt = (other, incident)
        self.starting.append(attempt)
        self._env.after(time, lambda _: self._switched(attempt, lost))

    def _switched(self, attempt: tuple[Member, Incident], lost: Member) -> None:
        if not any(other is attempt for other in self.starting):
            return
        unit, incident = attempt
        self.starting = [other for other in self.starting if other is not attempt]
        unit.moved(Place.STANDBY)
        if unit.reveal():
            self._fill(lost, incident)
            return
        self._serve(unit, lost, incident)
        if self.serving == self.need:
            self._go()
        self._changed(incident, ClosedBy.SWITCHOVER, self._env.now)


def build(
    spec: tables.Group,
    units: list[Member],
    broken: list[Group],
    env: Clock,
    random: Randomness,
    changed: Callable[[Incident, ClosedBy, float], None],
) -> Group:
    """Make the group that the table describes; it stands in `broken` while it does not work."""
    if spec.standby is Standby.ACTIVE:
        return Group(spec, units, broken)
    return StandbyGroup(spec, units, broken, env, random, changed)
