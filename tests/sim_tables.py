"""Small tables for tests of the simulator, with lives that are written down rather than drawn."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np

from carriers.calendars import DAY, HOUR, Zone
from carriers.faults import Fault, Kind
from carriers.hours import parse_hours
from carriers.laws import Fixed
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from results.timeline import Stage
from sim import Replication, simulate
from sim.conditions import Conditions, State
from sim.tables import (
    Crew,
    Group,
    Mode,
    Priority,
    Repair,
    Standby,
    Support,
    Switchover,
    Tables,
    Traffic,
    Unit,
)

MONDAY = Zone(dt.date(2026, 1, 5), "Europe/London", years=30)
"""Starts on a Monday at 00:00; summer time from 29 March to 25 October."""
SUMMER_TIME = 83 * DAY + HOUR
"""Sunday 29 March 2026, when it turns from 01:00 to 02:00."""
MINUTE = 60.0


@dataclass(frozen=True)
class Lives:
    """A law that gives these durations one after the other, then never ends."""

    lives: tuple[float, ...]
    mean: float = DAY

    def residual(self, rng, size):
        return np.full(size, self.lives[0] if self.lives else np.inf)

    def sample(self, rng, size):
        """Draws are made in blocks, and taken from a block's end."""
        block = np.full(size, np.inf)
        if self.lives[1:]:
            block[-len(self.lives[1:]) :] = self.lives[:0:-1]
        return block


@dataclass(frozen=True)
class Draws(Lives):
    """A law of repairs and the like that gives these durations one after the other."""

    def sample(self, rng, size):
        block = np.full(size, self.lives[-1])
        block[-len(self.lives) :] = self.lives[::-1]
        return block


def mode(cause: str, *lives: float, repair: Repair | float = HOUR, **more) -> Mode:
    """A way to fail after these operating times, one after the other, and then never again."""
    if not isinstance(repair, Repair):
        repair = Repair(Fixed(repair))
    return Mode(cause.split("/")[1], cause, Lives(lives), repair, **more)


def unit(name: str, *lives: float, repair: Repair | float = HOUR, **more) -> Unit:
    """A unit with one way to fail, called `NAME/fault`."""
    return Unit(name, (mode(f"{name}/fault", *lives, repair=repair),), **more)


def group(*units: int, need: int = 1, standby: Standby = Standby.ACTIVE, **more) -> Group:
    return Group("group", units, need, standby, **more)


def switchover(within: float, between: float = 0.0, success: float = 1.0, otherwise: float = 0.0):
    return Switchover(Fixed(within), Fixed(between), success, Fixed(otherwise))


def support(urgent: tuple[float, float, str], unhurried: tuple[float, float, str]) -> Support:
    """(notice, respond, hours) of what puts the service down, and of what only takes redundancy."""
    return Support(*(Priority(Fixed(n), Fixed(r), parse_hours(h)) for n, r, h in (urgent, unhurried)))


def crew(size: int = 1, hours: str = "always", call_out: float | None = None, travel: float = 0.0) -> Crew:
    called = None if call_out is None else Fixed(call_out)
    return Crew("crew", size, parse_hours(hours), called, Fixed(travel))


def staged(time: float, crew: int | None = None, spare: int | None = None) -> Repair:
    return Repair(Fixed(time), staged=True, crew=crew, spare=spare)


def platform(units: list[Unit], *groups: Group, **more) -> Tables:
    """Units 0, 1, ... in these groups; each unit learns its group's number."""
    places = {member: number for number, g in enumerate(groups) for member in g.units}
    placed = tuple(replace(u, group=places.get(n)) for n, u in enumerate(units))
    return Tables(MONDAY, placed, groups, **more)


def carrier(name: str, trunks: int = 1, channels: int | None = None, **more) -> Carrier:
    spec = {"calls_per_second": None, "cost_per_minute": 0.01, "post_dial_delay": None} | more
    return Carrier(name, tuple(range(trunks)), channels, **spec)


def routed(*carriers: Carrier, **more) -> RoutingPolicy:
    """Priority routing over carriers, whose trunks are numbered here; 4 s to a reply, 8 s to progress."""
    trunks: list[Trunk] = []
    numbered = []
    for number, spec in enumerate(carriers):
        own = tuple(range(len(trunks), len(trunks) + len(spec.trunks)))
        trunks += [Trunk(f"{spec.name}/{n + 1}", number) for n in range(len(own))]
        numbered.append(replace(spec, trunks=own))
    spec = {
        "order": Order.PRIORITY,
        "routes": tuple(Route(n) for n in range(len(carriers))),
        "advance_on": frozenset({408, 500, 502, 503, 504}),
        "no_reply_timeout": 4.0,
        "progress_timeout": 8.0,
        "ring_timeout": 60.0,
        "max_attempts": 4,
    } | more
    return RoutingPolicy(trunks=tuple(trunks), carriers=tuple(numbered), **spec)


def traffic(calls_per_hour: float = 360.0, hold: float = 180.0, weights: tuple[float, ...] | None = None):
    """Calls of 3 minutes; 360 an hour are 18 erlangs."""
    return Traffic(tuple(calls_per_hour * w for w in weights or (1.0,) * 168), Fixed(hold))


def calling(policy: RoutingPolicy, units: list[Unit] = [], faults: tuple[Fault, ...] = (), **more) -> Tables:  # noqa: B006
    """Tables of carriers only."""
    spec = {"traffic": traffic()} | more
    return Tables(MONDAY, tuple(units), faults=faults, carriers=policy.carriers, routing=policy, **spec)


def failing_carrier(
    name: str, fault: int, *lives: float, takes: tuple[int, ...] = (0,), repair: float = HOUR
):
    return Unit(name, (mode(f"{name}/fault", *lives, repair=repair, fault=fault),), takes_trunks=takes)


def fare(tables: Tables, *trunks: int | None, believed: tuple[bool, ...] | None = None) -> State:
    """How calls fare while each trunk shows this fault (None: none), and is believed up or not (all up)."""
    believed = believed or (True,) * len(trunks)
    codes = [2 * (0 if f is None else f + 1) + up for f, up in zip(trunks, believed, strict=True)]
    conditions = Conditions(tables)
    return conditions.states[conditions.number((1, *codes))]


def connects(state: State) -> list[tuple[str, int, float, float]]:
    """(carrier, attempts, seconds of failed attempts, share) of each way to connect on Monday at midnight."""
    return [(b.carrier, b.attempts, b.offset, float(b.share[0])) for b in state.condition.branches]


def play(tables: Tables, years: int = 1, seed: int = 1, stream: int = 0) -> Replication:
    """One stream."""
    return next(iter(simulate(tables, [(stream, years)], seed)))


def rows(run: Replication) -> list[tuple[float, float, str, tuple[str, ...]]]:
    """(start, end, condition, causes) of what is not nominal."""
    line = run.timeline
    return [
        (start, end, line.conditions[condition].label, line.cause_sets[causes])
        for start, end, condition, causes in zip(
            line.start.tolist(), line.end.tolist(), line.condition, line.causes, strict=True
        )
    ]


def spans(run: Replication) -> list[tuple[float, float]]:
    """(start, end) of what is not nominal."""
    return [(start, end) for start, end, _, _ in rows(run)]


def stages(run: Replication, incident: int) -> dict[str, float]:
    """Seconds that an incident spent in each stage, in order."""
    found = run.incidents
    first, last = found.stage_first[incident : incident + 2]
    starts = [*found.stage_start[first:last].tolist(), float(found.end[incident])]
    names = [Stage(kind).name.lower() for kind in found.stage_kind[first:last]]
    return dict(zip(names, np.diff(starts).round(3).tolist(), strict=True))


SILENT = Fault("silent", Kind.SILENT)
TRYING = Fault("trying_only", Kind.TRYING_ONLY)
THIRD = Fault("refuses", Kind.REFUSES, share=0.3)
CLOSED = Fault("refuses all", Kind.REFUSES, share=1.0)
MAINTENANCE = Fault("maintenance", Kind.MAINTENANCE)
