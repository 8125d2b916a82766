"""One stream of contiguous years: units fail and are repaired, changes of the service are noted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from carriers.routing import Router
from results.timeline import ClosedBy, Incidents, Timeline
from sim import planned
from sim.blame import Blame
from sim.clock import Clock
from sim.conditions import Conditions, Key, State
from sim.detection import back_again
from sim.diagram import works
from sim.draws import Randomness
from sim.groups import Group, StandbyGroup, build
from sim.recorder import Incident, Recorder
from sim.repairs import Repairs
from sim.surroundings import Surroundings
from sim.tables import Tables
from sim.trunks import Trunks
from sim.unit import Unit


@dataclass(frozen=True)
class Replication:
    """What one stream leaves."""

    stream: int
    years: int
    timeline: Timeline
    incidents: Incidents


def _either(one: float, other: float) -> float:
    """Chance of at least one of two independent events."""
    return 1.0 - (1.0 - one) * (1.0 - other) if other else one


class Stream:
    """The state of everything in one stream.

    `ping_phase` is when each trunk is pinged first, in [0, ping_every); None: it is drawn.
    """

    def __init__(
        self,
        tables: Tables,
        conditions: Conditions,
        seed: int,
        number: int,
        ping_phase: Sequence[float] | None = None,
    ) -> None:
        self.tables = tables
        self.conditions = conditions
        self.zone = tables.zone
        self.env = Clock(initial_time=-tables.warm_up)
        self.random = Randomness(seed, number)
        self._state = conditions.states[0]
        self._seen: dict[int | None, tuple[int, State]] = {}
        """States met so far by the number of their codes; None: the platform is down."""
        self.recorder = Recorder(tables.zone, record_nominal=conditions.uneven)
        self.units = [Unit(n, spec, self, self.random) for n, spec in enumerate(tables.units)]
        self.groups: list[Group] = []
        self._broken: list[Group] = []
        for group_spec in tables.groups:
            members = [self.units[u] for u in group_spec.units]
            group = build(group_spec, list(members), self._broken, self.env, self.random, self.changed)
            self.groups.append(group)
            for unit in members:
                unit.join(group, group_spec.standby, self.random)
        self._group_numbers = {id(group): n for n, group in enumerate(self.groups)}
        self.platform_works = True
        self.trunks: Trunks | None = None
        if tables.routing is not None:
            phases = [0.0] * len(tables.routing.trunks)
            if tables.routing.health is not None:
                every = tables.routing.health.ping_every
                names = [f"pings/{trunk.name}/phase" for trunk in tables.routing.trunks]
                phases = [self.random.uniform(name)() * every for name in names]
            if ping_phase is not None:
                phases = list(ping_phase)
            router = Router(tables.routing, phases)
            self.trunks = Trunks(self.env, tables, router, self.random, self._learnt)
            self.around = Surroundings(self.env, tables, self.trunks, self.random, self.changed)
            self._blame = Blame(tables, conditions, self.trunks, self.around)
            if tables.devices is not None:
                group = self.groups[tables.devices.group]
                assert isinstance(group, StandbyGroup)  # who builds the tables sees to it
                group.taken_over = self.around.taken_over
        self.repairs = Repairs(self.env, tables, self.random, self._restored, self._is_urgent)
        self._in_common: dict[Incident, Sequence[Unit]] = {}
        """What a common cause has taken besides its own unit."""
        self._diagram = tables.works
        self._calm = self._diagram is None and not self._state.down
        """Whether nothing changes for calls while every group works and no trunk or segment changes."""
        self._counts_drops = tables.traffic is not None
        self._test_phase = [
            0.0 if g.test_every is None else self.random.uniform(f"{g.name}/test_phase")() * g.test_every
            for g in tables.groups
        ]
        self.on_drop: Callable[[float, int | None], None] | None = None
        """Told of the share of calls in progress that a fault takes: of the platform, or of one trunk."""

    def run(self, length: float) -> tuple[Timeline, Incidents]:
        """Play from the warm-up to `length` seconds, and give the record."""
        for unit in self.units:
            unit.start()
        planned.start(self)
        if self.trunks is not None:
            self.trunks.watch(self._state.watches, self.env.now)
        self.env.play(until=length)
        return self.recorder.finish(length, self.conditions.condition)

    # ---- faults

    def fail(self, unit: Unit, mode: int, others: Sequence[Unit] = ()) -> None:
        """Begin an incident of one unit; `others` of its group fail with it by a common cause."""
        now = self.env.now
        spec = unit.spec
        kind = spec.modes[mode]
        fault = kind.fault
        incident = self.recorder.open_incident(unit.index, mode, kind.cause, now)
        lost = unit.take(incident)
        for number in spec.takes_units:
            lost = _either(lost, self.units[number].take(incident))
        if fault is not None:
            if spec.segment is None:
                self.show_fault(spec.takes_trunks, fault, incident, now)
            elif spec.customer is None:
                self.around.show(spec.segment, fault, incident)
        if others:
            self._in_common[incident] = others
            for other in others:
                lost = _either(lost, other.take(incident))
        if lost and self._counts_drops:
            self._drop(lost, None, now)
        if not self._calm or self._broken or (self.trunks is not None and self.trunks.dirty):
            self.changed(incident, ClosedBy.REPAIR, now)
        self.repairs.begin(incident)

    def fail_group(self, unit: Unit, mode: int) -> None:
        """Begin an incident that takes the unit's whole group: one common cause, one repair."""
        assert unit.group is not None  # only modes of grouped units have a common-cause share
        self.fail(unit, mode, [other for other in self._members(unit.group) if other is not unit])

    def _members(self, group: Group) -> list[Unit]:
        return [self.units[u] for u in self.tables.groups[self._group_numbers[id(group)]].units]

    def show_fault(self, trunks: tuple[int, ...], fault: int, incident: Incident, now: float) -> None:
        """Let trunks show a fault, and lose the calls in progress that it drops."""
        assert self.trunks is not None  # only scenarios with carriers have faults
        for trunk in self.trunks.show(trunks, fault, incident, now):
            if self._counts_drops:
                self._drop(1.0, trunk, now)

    def _restored(self, incident: Incident) -> None:
        unit = self.units[incident.unit]
        spec = unit.spec
        incident.end = now = self.env.now
        unit.give(incident)
        for number in spec.takes_units:
            self.units[number].give(incident)
        if incident in self._in_common:
            for member in self._in_common.pop(incident):
                member.give(incident)
        if spec.takes_trunks and self.trunks is not None:
            self.trunks.clear(spec.takes_trunks, incident, now)
        if spec.segment is not None and spec.customer is None:
            self.around.clear(spec.segment, incident)
        if not self._calm or self._broken or (self.trunks is not None and self.trunks.dirty):
            self.changed(incident, ClosedBy.REPAIR, now)

    def latent_fault(self, unit: Unit) -> None:
        """Wait for the next test of the group, if there are any, to find a fault of a standby unit."""
        group = unit.spec.group
        assert group is not None  # only group members stand by
        every = self.tables.groups[group].test_every
        if every is not None:
            since = (self.env.now - self._test_phase[group]) % every
            self.env.after(every - since, unit.test)

    # ---- planned work

    def take_planned(self, unit: Unit, incident: Incident) -> None:
        """Take a unit out for planned work."""
        unit.take(incident, planned=True)
        if self._touched():
            self.changed(incident, ClosedBy.REPAIR, self.env.now)

    def give_planned(self, unit: Unit, incident: Incident) -> None:
        """Put a unit back after planned work."""
        incident.end = now = self.env.now
        unit.give(incident)
        if self._touched():
            self.changed(incident, ClosedBy.REPAIR, now)

    # ---- what follows

    def _learnt(self, trunk: int) -> None:
        assert self.trunks is not None  # only its parts call this
        now = self.env.now
        self.trunks.refresh(trunk, now)
        if self.trunks.dirty:
            self.changed(self.trunks.last_incident(trunk), ClosedBy.REROUTING, now)

    def call_seen(self, trunk: int, failed: bool) -> None:
        """Tell the router how an attempt went."""
        assert self.trunks is not None  # calls are placed over trunks only
        router = self.trunks.router
        if router.observe_call(trunk, failed, self.env.now):
            self._learnt(trunk)
            back_again(self.env, router, trunk, self._learnt)

    def call_heard(self, trunk: int, mos: float | None) -> None:
        """Tell the router how a call sounded that has ended; None: one side heard nothing."""
        assert self.trunks is not None  # calls are placed over trunks only
        router = self.trunks.router
        if router.observe_quality(trunk, mos, self.env.now):
            self._learnt(trunk)
            back_again(self.env, router, trunk, self._learnt)

    def _is_urgent(self, incident: Incident) -> bool:
        """Whether the service is down for want of this unit; a switchover ends before anybody is there."""
        unit = self.units[incident.unit]
        if unit.spec.takes_trunks and self.platform_works:
            return self._state.down
        if self.tables.works is not None:
            return not works(self.tables.works, self.groups, switched=True)
        groups = self._broken if unit.group is None else [unit.group]
        return any(group.up < group.need for group in groups)

    def _drop(self, share: float, trunk: int | None, now: float) -> None:
        self.recorder.drop(now, share, self._state.carried[0 if trunk is None else trunk + 1])
        if self.on_drop is not None:
            self.on_drop(share, trunk)

    def _touched(self) -> bool:
        """Whether a unit's failure or return may have changed the state of the service (most do not).

        Faults and repairs have it written out: for them the call would cost a fortieth of all the time.
        """
        trunks = self.trunks
        return not self._calm or bool(self._broken) or (trunks is not None and trunks.dirty)

    def changed(self, incident: Incident | None, via: ClosedBy, now: float) -> None:
        """Compare the state of the service with what was last written, and write what is new."""
        platform = not self._broken if self._diagram is None else works(self._diagram, self.groups)
        self.platform_works = platform
        trunks = self.trunks
        code: int | None = 0
        if trunks is not None:
            if trunks.moved:
                trunks.moved = False
                self.around.follow_trunks()
            trunks.dirty = False
            code = trunks.number
        if not platform:
            code = None
        number, state = self._seen.get(code) or self._see(code)
        self._state = state
        self._calm = platform and self._diagram is None and not state.down
        causes: tuple[str, ...] = ()
        if not platform:
            causes = self._platform_causes()
        elif trunks is not None and state.down:
            causes = self._blame.causes(self._key())
        self.recorder.change(now, number, causes, incident, via)
        if trunks is not None and trunks.watching is not state.watches:
            trunks.watch(state.watches, now)
        if state.down and self.tables.support is not None:
            self.repairs.escalate()

    def _key(self) -> Key:
        """Key of the present state, as `Conditions` has it."""
        if not self.platform_works:
            return (0,)
        return (1,) if self.trunks is None else (1, *self.trunks.codes, *self.around.codes)

    def _see(self, code: int | None) -> tuple[int, State]:
        """Find the present state, which this stream meets for the first time."""
        found = self._seen[code] = self.conditions.look(self._key())
        return found

    def _platform_causes(self) -> tuple[str, ...]:
        """Name the faults that the platform is down for, without those that make no difference."""
        diagram = self.tables.works
        if diagram is None:
            return tuple(sorted({name for group in self._broken for name in self._group_causes(group)}))
        missing = [
            (n, unit) for n, group in enumerate(self.groups) for unit in self._members(group) if unit.causes
        ]
        needed = list(missing)
        for candidate in missing:
            left = [other for other in needed if other is not candidate]
            spared = [n for n, unit in missing if (n, unit) not in left]
            if not works(diagram, self.groups, spared):
                needed = left
        if not needed:
            needed = missing
        names = {i.cause for _, unit in needed for i in unit.causes}
        names |= {g.trigger.cause for g in self.groups if not g.works and g.trigger is not None and not names}
        return tuple(sorted(names))

    def _group_causes(self, group: Group) -> set[str]:
        names = {incident.cause for unit in self._members(group) for incident in unit.causes}
        if group.trigger is not None and group.up >= group.need:
            # Enough units are good: what is missing is the switchover.
            return {group.trigger.cause}
        return names
