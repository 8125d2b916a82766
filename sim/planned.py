"""Planned work on its calendar: changes of a group's units, a carrier's maintenance."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from simpy.events import Event

from results.timeline import ClosedBy
from sim import tables
from sim.recorder import Incident
from sim.unit import Unit

if TYPE_CHECKING:
    from sim.stream import Stream

Work = Generator[Event, None, None]


def start(stream: Stream) -> None:
    """Put everything planned on the calendar."""
    for change in stream.tables.changes:
        stream.env.process(_changes(stream, change))
    for number, unit in enumerate(stream.tables.units):
        if unit.calendar is not None:
            stream.env.process(_maintenance(stream, number, unit, unit.calendar))


def _windows(
    stream: Stream,
    name: str,
    plan: tables.Change | tables.Calendar,
    work: Callable[[], Work],
) -> Work:
    """Do `work` in the first window after each `every`, counted from a random day on."""
    env, zone = stream.env, stream.zone
    due = env.now + stream.random.uniform(f"{name}/phase")() * plan.every
    while True:
        opens = zone.next_open(plan.window, max(due, env.now), after_opening=True)
        yield env.timeout(opens - env.now)
        yield from work()
        due += plan.every


def _maintenance(stream: Stream, number: int, unit: tables.Unit, calendar: tables.Calendar) -> Work:
    lasts = stream.random.law(calendar.lasts, f"{unit.name}/{calendar.name}/lasts")
    trunks = stream.trunks
    assert trunks is not None  # only carriers have maintenance
    assert calendar.fault is not None

    def work() -> Work:
        now = stream.env.now
        incident = stream.recorder.open_incident(number, len(unit.modes), calendar.cause, now)
        if calendar.notice > 0.0:
            trunks.drain(unit.takes_trunks, True, now)
        stream.show_fault(unit.takes_trunks, calendar.fault or 0, incident, now)
        stream.changed(incident, ClosedBy.REPAIR, now)
        yield stream.env.timeout(lasts())
        incident.end = now = stream.env.now
        trunks.clear(unit.takes_trunks, incident, now)
        if calendar.notice > 0.0:
            trunks.drain(unit.takes_trunks, False, now)
        stream.changed(incident, ClosedBy.REPAIR, now)

    yield from _windows(stream, f"{unit.name}/{calendar.name}", calendar, work)


def _changes(stream: Stream, change: tables.Change) -> Work:
    lasts = stream.random.law(change.lasts, f"change/{change.name}/lasts")
    rollback = stream.random.law(change.rollback, f"change/{change.name}/rollback")
    luck = stream.random.uniform(f"change/{change.name}/goes_wrong")
    units = [stream.units[u] for u in stream.tables.groups[change.group].units]

    def one(unit: Unit) -> Generator[Event, None, bool]:
        """Change one unit; True when it went wrong."""
        incident = _open(stream, change, unit)
        yield stream.env.timeout(lasts())
        wrong = luck() < change.goes_wrong
        if wrong:
            yield stream.env.timeout(rollback())
        stream.give_planned(unit, incident)
        return wrong

    def work() -> Work:
        # Nobody changes a group that is known to have lost redundancy: the change waits for its next turn.
        if any(unit.causes for unit in units):
            return
        if change.one_at_a_time:
            for unit in units:
                wrong = yield from one(unit)
                if wrong or any(other.causes for other in units):
                    return
        else:
            yield stream.env.all_of([stream.env.process(one(unit)) for unit in units])

    yield from _windows(stream, f"change/{change.name}", change, work)


def _open(stream: Stream, change: tables.Change, unit: Unit) -> Incident:
    incident = stream.recorder.open_incident(unit.index, len(unit.spec.modes), change.cause, stream.env.now)
    stream.take_planned(unit, incident)
    return incident
