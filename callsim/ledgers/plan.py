"""What makes a ledger of a simulated stream, in numbers that go to another process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carriers.calendars import ALWAYS, WeeklyHours, Zone
from carriers.laws import Fixed, Law
from results.ledger import Blame, Kind
from results.timeline import Floats, Incidents
from sim import Tables

if TYPE_CHECKING:
    # Worker processes need the plan, and start in half the time without the models of a scenario.
    from callsim.scenario.model import Scenario
    from callsim.scenario.promises import Customer


@dataclass(frozen=True)
class Planned:
    """Planned work, as it shows in incidents."""

    cause: str
    modes: tuple[tuple[int, int], ...]
    """Unit and mode of its incidents."""
    notice: float
    """Seconds before it in which customers are told; NaN: they are not."""
    lasts: float
    """Seconds after which it has gone wrong; inf where nothing tells."""

    def spans(self, incidents: Incidents) -> tuple[Floats, Floats]:
        """Return starts and ends of its incidents, sorted by start."""
        mine = np.zeros(len(incidents), dtype=bool)
        for unit, mode in self.modes:
            mine |= (incidents.unit == unit) & (incidents.mode == mode)
        return incidents.start[mine], incidents.end[mine]


@dataclass(frozen=True)
class Help:
    """How soon somebody knows of an outage, works on it, tells the customers."""

    priority: str
    notice: Law
    respond: Law
    hours: WeeklyHours
    notify: Law | None
    """None: nothing says whether they are told."""


@dataclass(frozen=True)
class Asked:
    """Requests of one kind, which come as a Poisson process, one in `every` seconds."""

    kind: Kind
    priority: str | None
    every: float
    respond: Law | None
    resolve: Law
    hours: WeeklyHours
    waits: Law | None


@dataclass(frozen=True)
class LedgerPlan:
    """What makes a ledger of a stream, besides the stream."""

    zone: Zone
    calls_per_hour: tuple[float, ...] | None
    """(168,)"""
    blames: dict[str, Blame]
    """By name of the cause."""
    planned: tuple[Planned, ...]
    help: Help | None
    asked: tuple[Asked, ...]
    users: dict[str, int | None]
    """By customer."""
    handsets: dict[str, Asked]
    """Exchanges of devices by customer, of those who have some."""

    def posix(self, t: Floats) -> Floats:
        """Turn seconds since the stream's start into POSIX seconds, to the millisecond."""
        return np.asarray(np.round((self.zone.origin + t) * 1000.0) / 1000.0)


def plan_of(scenario: Scenario, tables: Tables) -> LedgerPlan:
    """Make the plan of a scenario, whose tables are given."""
    from callsim.ledgers.causes import blames_of  # noqa: PLC0415 - brings the models of a scenario

    requests = scenario.support.requests if scenario.support else ()
    return LedgerPlan(
        zone=tables.zone,
        calls_per_hour=tables.traffic.calls_per_hour if tables.traffic else None,
        blames=blames_of(scenario),
        planned=tuple(_planned(scenario, tables)),
        help=_help(scenario),
        asked=tuple(
            Asked(
                Kind[spec.kind.upper()],
                spec.priority,
                spec.every,
                spec.respond,
                spec.resolve,
                spec.hours,
                spec.waits_for_customer,
            )
            for spec in requests
        ),
        users={customer.name: customer.users for customer in scenario.customers},
        handsets=dict(_exchanges(scenario.customers)),
    )


def overruns_show(scenario: Scenario, name: str) -> bool:
    """Whether a record tells a change's planned time from its rollback.

    It does where the change lasts a fixed time, and where no other change takes the same group.
    """
    changes = scenario.platform.changes if scenario.platform else ()
    (change,) = (change for change in changes if change.name == name)
    alone = [other.takes for other in changes].count(change.takes) == 1
    return alone and isinstance(change.lasts, Fixed)


def _help(scenario: Scenario) -> Help | None:
    if scenario.support is None:
        return None
    priority = scenario.support.priority.service_down
    level = scenario.support.priorities[priority]
    return Help(priority, level.notice, level.respond, level.hours, scenario.support.notify)


def _exchanges(customers: tuple[Customer, ...]) -> Iterator[tuple[str, Asked]]:
    for customer in customers:
        devices = customer.handsets
        if devices is not None:
            every = devices.mtbf / devices.count
            yield customer.name, Asked(Kind.EXCHANGE, None, every, None, devices.exchange, ALWAYS, None)


def _planned(scenario: Scenario, tables: Tables) -> Iterator[Planned]:
    for number, unit in enumerate(tables.units):
        if unit.calendar is not None:
            mode = (number, len(unit.modes))
            yield Planned(unit.calendar.cause, (mode,), unit.calendar.notice or np.nan, np.inf)
    notices = {
        change.name: change.notice for change in (scenario.platform.changes if scenario.platform else ())
    }
    for change in tables.changes:
        notice = notices[change.name]
        units = tables.groups[change.group].units
        yield Planned(
            change.cause,
            tuple((unit, len(tables.units[unit].modes)) for unit in units),
            np.nan if notice is None else notice,
            change.lasts.mean if overruns_show(scenario, change.name) else np.inf,
        )
