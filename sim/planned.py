"""Planned work on its calendar: changes of a group's units, a carrier's maintenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.timeline import ClosedBy
from sim import tables
from sim.clock import VALUE, Timer
from sim.recorder import Incident
from sim.unit import Unit

if TYPE_CHECKING:
    from sim.stream import Stream


def start(stream: Stream) -> None:
    """Put everything planned on the calendar."""
    for change in stream.tables.changes:
        _Changes(stream, change).wait()
    for number, unit in enumerate(stream.tables.units):
        if unit.calendar is not None:
            _Maintenance(stream, number, unit, unit.calendar).wait()


class _Planned:
    """Work that begins in the first window after each `every`, counted from a random day on."""

    def __init__(self, stream: Stream, name: str, plan: tables.Change | tables.Calendar) -> None:
        self._stream = stream
        self._env = stream.env
        self._plan = plan
        self._due = self._env.now + stream.random.uniform(f"{name}/phase")() * plan.every
        self._lasts = stream.random.law(plan.lasts, f"{name}/lasts")

    def wait(self) -> None:
        """Wait for the next window."""
        now = self._env.now
        opens = self._stream.zone.next_open(self._plan.window, max(self._due, now), after_opening=True)
        self._env.after(opens - now, self._begin)

    def _begin(self, _: Timer) -> None:
        """Begin the work."""
        raise NotImplementedError

    def _over(self) -> None:
        self._due += self._plan.every
        self.wait()


class _Maintenance(_Planned):
    """Planned work of a carrier, which has announced it or not."""

    def __init__(self, stream: Stream, number: int, unit: tables.Unit, calendar: tables.Calendar) -> None:
        super().__init__(stream, f"{unit.name}/{calendar.name}", calendar)
        assert stream.trunks is not None  # only carriers have maintenance
        assert calendar.fault is not None
        self._cause = (number, len(unit.modes), calendar.cause)
        self._trunks = stream.trunks
        self._taken = unit.takes_trunks
        self._fault = calendar.fault
        self._announced = calendar.notice > 0.0

    def _begin(self, _: Timer) -> None:
        now = self._env.now
        incident = self._stream.recorder.open_incident(*self._cause, now)
        if self._announced:
            self._trunks.drain(self._taken, True, now)
        self._stream.show_fault(self._taken, self._fault, incident, now)
        self._stream.changed(incident, ClosedBy.REPAIR, now)
        self._env.after(self._lasts(), self._end, incident)

    def _end(self, timer: Timer) -> None:
        incident: Incident = timer[VALUE]
        incident.end = now = self._env.now
        self._trunks.clear(self._taken, incident, now)
        if self._announced:
            self._trunks.drain(self._taken, False, now)
        self._stream.changed(incident, ClosedBy.REPAIR, now)
        self._over()


class _Changes(_Planned):
    """A change of a group's units, of one after the other or of all at once."""

    def __init__(self, stream: Stream, change: tables.Change) -> None:
        name = f"change/{change.name}"
        super().__init__(stream, name, change)
        self._change = change
        self._units = [stream.units[u] for u in stream.tables.groups[change.group].units]
        self._luck = stream.random.uniform(f"{name}/goes_wrong")
        self._rollback = stream.random.law(change.rollback, f"{name}/rollback")
        self._to_do: list[Unit] = []
        self._under_way = 0

    def _begin(self, _: Timer) -> None:
        # Nobody changes a group that is known to have lost redundancy: the change waits for its next turn.
        if any(unit.causes for unit in self._units):
            self._over()
            return
        self._to_do = list(self._units)
        for _unit in range(1 if self._change.one_at_a_time else len(self._units)):
            self._take()

    def _take(self) -> None:
        unit, change = self._to_do.pop(0), self._change
        mode = len(unit.spec.modes)
        incident = self._stream.recorder.open_incident(unit.index, mode, change.cause, self._env.now)
        self._stream.take_planned(unit, incident)
        self._under_way += 1
        self._env.after(self._lasts(), self._changed, (unit, incident))

    def _changed(self, timer: Timer) -> None:
        if self._luck() < self._change.goes_wrong:
            self._env.after(self._rollback(), self._rolled_back, timer[VALUE])
        else:
            self._give(*timer[VALUE], wrong=False)

    def _rolled_back(self, timer: Timer) -> None:
        self._give(*timer[VALUE], wrong=True)

    def _give(self, unit: Unit, incident: Incident, *, wrong: bool) -> None:
        self._stream.give_planned(unit, incident)
        self._under_way -= 1
        if self._to_do and not wrong and not any(other.causes for other in self._units):
            self._take()
        elif not self._under_way:
            self._over()
