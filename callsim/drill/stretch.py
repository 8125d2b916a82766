"""Stretches for a drill: which faults when, with which calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np

from callsim.drill.tables import CannotDrillError
from carriers.calendars import DAY
from carriers.faults import EFFECTS, Fault, Kind, Reply
from carriers.routing import Router
from results.timeline import Condition, Timeline
from sim import GivenCall, GivenFault, Tables, simulate

YEARS = 200
"""Simulated for a choice of days and faults."""
LEAD = 6.0
"""Seconds before the first fault."""
CALL_EVERY = 1.0
TALK, LONG_TALK = 3.0, 12.0
"""Seconds that calls talk; every `LONG_EVERY`th talks long, so that some are up as a fault begins."""
LONG_EVERY = 5
MARGIN = 6.0
"""Seconds that calls go on after what was to be seen."""
UNSEEN = 10.0
"""Seconds of a fault that no ping looks for."""
LONGEST = 45.0
"""Seconds that nothing may change; longer is skipped. In real time it is so much more as the pace is less."""
UNPLAYED = {Kind.CAPACITY: "too few calls to fill channels", Kind.CONGESTION: "the lab has no access link"}
"""What is left out, and why."""


@dataclass(frozen=True)
class Mode:
    """One way in which a carrier fails, or several together."""

    cause: str
    fault: int
    """Index in `Tables.faults`."""
    trunks: tuple[int, ...]
    announced: bool = False


@dataclass(frozen=True)
class Incident:
    """A fault of a simulated year, in seconds."""

    mode: Mode
    start: float
    end: float


@dataclass(frozen=True)
class Episode:
    """Faults that belong together with the calls around them, in seconds of its own clock."""

    name: str
    faults: tuple[GivenFault, ...]
    calls: tuple[GivenCall, ...]
    length: float
    ping_phase: tuple[float, ...]
    """When each trunk is pinged first."""
    drained: tuple[int, ...]
    """Trunks that get no calls throughout, so that the faults are met by some."""
    seed: int


@dataclass(frozen=True)
class Setting:
    """What is the same for all episodes."""

    full: Tables
    """The scenario's."""
    lab: Tables
    """What the lab has of it."""
    pace: float
    seed: int


def modes_of(tables: Tables) -> dict[tuple[int, int], Mode]:
    """List the ways in which carriers fail, by the unit's and the mode's number as incidents have them."""
    found: dict[tuple[int, int], Mode] = {}
    for number, unit in enumerate(tables.units):
        for n, mode in enumerate(unit.modes):
            if mode.fault is not None and unit.takes_trunks:
                found[number, n] = Mode(mode.cause, mode.fault, unit.takes_trunks)
        plan = unit.calendar
        if plan is not None and plan.fault is not None:
            announced = plan.notice > 0.0
            found[number, len(unit.modes)] = Mode(plan.cause, plan.fault, unit.takes_trunks, announced)
    return found


def unplayed(tables: Tables) -> dict[str, str]:
    """Say which causes a drill leaves out, and why."""
    modes = modes_of(tables).values()
    return {m.cause: UNPLAYED[k] for m in modes if (k := tables.faults[m.fault].kind) in UNPLAYED}


@dataclass(frozen=True)
class Years:
    """What the simulated years have for a drill."""

    incidents: tuple[Incident, ...]
    """Faults of carriers that a lab can play, in order."""
    timeline: Timeline


def simulated_years(tables: Tables, seed: int, years: int = YEARS) -> Years:
    """Simulate them."""
    modes = modes_of(tables)
    (replication,) = simulate(tables, [(0, years)], seed)
    found = replication.incidents
    columns = (found.unit, found.mode, found.start, found.end)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    incidents = [
        Incident(mode, start, end)
        for unit, number, start, end in rows
        if (mode := modes.get((unit, number))) is not None
        and start >= 0.0
        and np.isfinite(end)
        and tables.faults[mode.fault].kind not in UNPLAYED
    ]
    return Years(tuple(incidents), replication.timeline)


def day_of(years: Years, share: float) -> list[Incident]:
    """Pick the faults that begin on a bad day: `share` of the bad days are less so.

    A day is as bad as calls fared on it for the carriers' faults: that failed, or had to be tried
    elsewhere, each hour of the week counting alike. Raises CannotDrillError where there is none.
    """
    timeline = years.timeline
    harm = np.asarray([_harm(condition) for condition in timeline.conditions])[timeline.condition]
    harmed = np.bincount((timeline.start // DAY).astype(np.intp), harm * (timeline.end - timeline.start))
    days: dict[int, list[Incident]] = {}
    for incident in years.incidents:
        days.setdefault(int(incident.start // DAY), []).append(incident)
    ranked = sorted((day for day in days if day < len(harmed) and harmed[day] > 0.0), key=lambda d: harmed[d])
    if not ranked:
        raise CannotDrillError(f"no carrier's fault harms a call within {YEARS} simulated years")
    return days[ranked[round(share * (len(ranked) - 1))]]


def _harm(condition: Condition) -> float:
    """Share of the calls that fail or are tried again for a carrier's fault; 0 where the platform is down."""
    if not condition.branches:
        return 0.0
    again = sum(float(b.share.mean()) for b in condition.branches if b.attempts > 1 and not b.inbound)
    return float(condition.failing.mean()) + again


def typical(incidents: Sequence[Incident], cause: str) -> list[Incident]:
    """Pick a fault of this cause whose length is the median of theirs; it has to happen."""
    own = sorted((i for i in incidents if i.mode.cause == cause), key=lambda i: i.end - i.start)
    return [own[len(own) // 2]]


# ---- from incidents to episodes


def episodes_of(
    setting: Setting, name: str, incidents: Sequence[Incident], repeat: int, *, meet: bool = False
) -> list[Episode]:
    """Make episodes of faults: those that overlap, or nearly, in one; each `repeat` times.

    The repetitions differ by their calls and by the instants of their pings. `meet`: carriers that would
    be tried before those that fail are out of the routing, so that calls meet the faults.
    """
    clusters: list[list[Incident]] = []
    until = -np.inf
    for incident in sorted(incidents, key=lambda i: i.start):
        if incident.start > until:
            clusters.append([])
        clusters[-1].append(incident)
        until = max(until, incident.end + _recovery(setting, clusters[-1]) * setting.pace)
    found = []
    for number, cluster in enumerate(clusters):
        title = name if len(clusters) == 1 else f"{name}, {number + 1}"
        drained = _before(setting.lab, cluster) if meet else ()
        for again in range(repeat):
            named = title if repeat == 1 else f"{title}, {again + 1}"
            found.append(_episode(setting, named, cluster, drained, (number, again)))
    return found


def _before(tables: Tables, cluster: Sequence[Incident]) -> tuple[int, ...]:
    """Trunks that keep calls from meeting these faults, because they are tried before."""
    policy = tables.routing
    assert policy is not None  # the tables of a lab have one
    failing = {policy.trunks[trunk].carrier for incident in cluster for trunk in incident.mode.trunks}
    lists = [trunks for _, trunks in Router(policy).candidates(0.0)]
    if any(policy.trunks[trunks[0]].carrier in failing for trunks in lists):
        return ()
    return tuple(takewhile(lambda trunk: policy.trunks[trunk].carrier not in failing, lists[0]))


def _episode(
    setting: Setting, name: str, cluster: Sequence[Incident], drained: tuple[int, ...], key: tuple[int, int]
) -> Episode:
    digest = [ord(letter) for letter in name]
    rng = np.random.default_rng([setting.seed, *key, *digest])
    at = _compressed(setting, cluster)
    health = setting.lab.routing.health if setting.lab.routing else None
    trunks = len(setting.lab.routing.trunks) if setting.lab.routing else 0
    phases = tuple((rng.random(trunks) * health.ping_every).tolist()) if health else (0.0,) * trunks
    # The first fault begins anywhere between two pings, as faults do.
    shift = LEAD + float(rng.random()) * (health.ping_every if health else 1.0)
    faults = tuple(
        GivenFault(
            shift + at[i.start], shift + at[i.end], i.mode.fault, i.mode.trunks, i.mode.announced, int(seed)
        )
        for i, seed in zip(cluster, rng.integers(2**31, size=len(cluster)), strict=True)
    )
    last = max(fault.end for fault in faults) + _recovery(setting, cluster)
    every = CALL_EVERY * max(1.0, 2.0 / setting.pace)
    slots = np.arange(1.0, last + MARGIN, every)
    begins = slots + rng.random(len(slots)) * 0.8 * every
    seeds = rng.integers(2**31, size=len(slots))
    calls = tuple(
        GivenCall(float(begin), LONG_TALK if n % LONG_EVERY == 0 else TALK, int(seeds[n]))
        for n, begin in enumerate(begins)
    )
    return Episode(name, faults, calls, last + MARGIN + every, phases, drained, setting.seed)


def _compressed(setting: Setting, cluster: Sequence[Incident]) -> dict[float, float]:
    """Give the instants at which faults begin and end, with quiet times skipped, from 0 on."""
    changes = sorted({instant for i in cluster for instant in (i.start, i.end)})
    found = {changes[0]: 0.0}
    for before, after in pairwise(changes):
        active = [i for i in cluster if i.start <= before < i.end]
        most = _settling(setting, active) if active else _recovery(setting, cluster)
        found[after] = found[before] + min((after - before) / setting.pace, most)
    return found


def _settling(setting: Setting, active: Sequence[Incident]) -> float:
    """Seconds after which nothing more changes while these faults are on, or what may be skipped then."""
    policy = setting.lab.routing
    assert policy is not None  # the tables of a lab have one
    health = policy.health
    unseen = UNSEEN if health is None else health.down_after * health.ping_every + health.ping_timeout
    seconds = unseen + MARGIN
    rules = [r for r in (policy.failing_calls, policy.poor_calls and policy.poor_calls.calls) if r]
    by_calls = [i for i in active if _shown_by_calls(setting.lab.faults[i.mode.fault])]
    if by_calls and rules:
        trunks = max(len(i.mode.trunks) for i in by_calls)
        calls = max(rule.needed for rule in rules) * trunks * CALL_EVERY
        seconds = max(seconds, calls + trunks * policy.progress_timeout + MARGIN)
    return min(seconds, LONGEST * _slower(setting))


def _shown_by_calls(fault: Fault) -> bool:
    """Whether calls show a fault, where pings do not."""
    effect = EFFECTS[fault.kind]
    return effect.options is Reply.NORMAL


def _recovery(setting: Setting, cluster: Sequence[Incident]) -> float:
    """Seconds from the end of the last fault until everything is as before that comes back soon enough."""
    policy = setting.lab.routing
    assert policy is not None  # the tables of a lab have one
    waits = [0.0]
    if policy.health is not None:
        waits.append(policy.health.hold_down + (policy.health.up_after + 1) * policy.health.ping_every)
    if any(_shown_by_calls(setting.lab.faults[i.mode.fault]) for i in cluster):
        rules = [policy.failing_calls, policy.poor_calls.calls if policy.poor_calls else None]
        waits += [rule.hold for rule in rules if rule is not None]
    # What takes longer is not waited for at all.
    return max(wait for wait in waits if wait <= LONGEST * _slower(setting))


def _slower(setting: Setting) -> float:
    return max(1.0, 10.0 / setting.pace)
