"""What holds for every stream: the contract of its record, its start in equilibrium, its keyed draws."""

import datetime as dt
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_tables import (
    CLOSED,
    DAY,
    HOUR,
    MAINTENANCE,
    MINUTE,
    SILENT,
    THIRD,
    TRYING,
    Fixed,
    Mode,
    Repair,
    Standby,
    Tables,
    Unit,
    calling,
    carrier,
    crew,
    group,
    platform,
    play,
    routed,
    staged,
    support,
    switchover,
)

from carriers.calendars import Zone
from carriers.health import CallRule, HealthRule
from carriers.hours import parse_hours
from carriers.laws import Exponential, Lognormal, Weibull
from results.timeline import ClosedBy
from sim import simulate
from sim.conditions import Conditions
from sim.tables import Calendar, Change, Spare

YEAR = 365 * DAY


def ageing(cause, mtbf, repair=HOUR, **more):
    repair = repair if isinstance(repair, Repair) else Repair(Exponential(repair))
    law = Exponential(mtbf) if isinstance(mtbf, float) else mtbf
    return Mode(cause.split("/")[1], cause, law, repair, **more)


def box(name, mtbf, repair=HOUR, **more):
    return Unit(name, (ageing(f"{name}/fault", mtbf, repair),), **more)


def busy() -> Tables:
    """A platform with standbys, a crew and changes, and two carriers with every kind of fault."""
    hot = [
        replace(box("a", 8 * DAY, staged(HOUR, crew=0, spare=0), group=0, site=4)),
        replace(box("b", 8 * DAY, staged(HOUR, crew=0, spare=0), group=0, site=5)),
        replace(box("c", 9 * DAY, staged(HOUR, crew=0), group=1, site=4)),
        replace(box("d", 9 * DAY, staged(HOUR, crew=0), group=1, site=5)),
        box("east", 40 * DAY, takes_units=(0, 2)),
        box("west", 40 * DAY, takes_units=(1, 3)),
    ]
    x = Unit("x", tuple(ageing(f"x/{n}", 9 * DAY, fault=n) for n in range(4)), takes_trunks=(0, 1))
    y = Unit("y", tuple(ageing(f"y/{n}", 9 * DAY, fault=n) for n in range(4)), takes_trunks=(2,))
    work = Calendar("work", "y/work", 20 * DAY, parse_hours("Tue 01:00-05:00"), Fixed(HOUR), 4, DAY)
    planned = Unit("y/work", (), takes_trunks=(2,), calendar=work)
    policy = routed(
        carrier("x", trunks=2, channels=20, post_dial_delay=Lognormal(1.6, 3.4)),
        carrier("y", channels=12),
        health=HealthRule(30.0, 2.0, 3, 2, 120.0),
        failing_calls=CallRule(20, 0.6, 120.0),
    )
    return calling(
        policy,
        [*hot, x, y, planned],
        (SILENT, TRYING, THIRD, CLOSED, MAINTENANCE),
        groups=(
            replace(
                group(0, 1, standby=Standby.HOT, switchover=switchover(10.0, 90.0, 0.9, 600.0)), name="ab"
            ),
            replace(group(2, 3), name="cd"),
        ),
        crews=(crew(hours="Mon-Fri 08:00-18:00", call_out=HOUR, travel=10 * MINUTE),),
        spares=(Spare("part", 1, Fixed(2 * DAY)),),
        support=support((MINUTE, 5 * MINUTE, "always"), (10 * MINUTE, HOUR, "Mon-Fri 09:00-17:00")),
        changes=(
            Change(
                "up", "up", 1, 20 * DAY, parse_hours("Sun 02:00-04:00"), Fixed(HOUR), True, 0.1, Fixed(HOUR)
            ),
        ),
        warm_up=30 * DAY,
    )


# ---- the contract


def check_contract(run, tables, years):
    """What `Timeline` and `Incidents` promise."""
    line, found = run.timeline, run.incidents
    assert line.length == tables.zone.year_starts(years)[-1]
    columns = (line.end, line.condition, line.causes, line.opener, line.closer, line.closed_by)
    assert {len(column) for column in columns} == {len(line.start)}
    assert np.all(line.start < line.end)
    assert np.all(line.end[:-1] <= line.start[1:])
    if len(line.start):
        assert line.start[0] >= 0.0
        assert line.end[-1] <= line.length
    nominal_recorded = bool(line.conditions[0].failing.max() > tables.down_above)
    assert np.all(line.condition >= (0 if nominal_recorded else 1))
    assert np.all(line.condition < len(line.conditions))
    assert np.all((line.causes >= 0) & (line.causes < len(line.cause_sets)))
    assert all(list(names) == sorted(set(names)) for names in line.cause_sets)
    for column in (line.opener, line.closer):
        assert np.all((column >= -1) & (column < len(found)))
    assert set(line.closed_by.tolist()) <= {int(kind) for kind in ClosedBy}
    assert np.all((line.closed_by == ClosedBy.OPEN) <= (line.end == line.length))
    opened = line.opener >= 0
    assert np.all(found.start[line.opener[opened]] <= line.start[opened])
    assert np.all((line.drop_at >= 0.0) & (line.drop_at < line.length))
    assert np.all(line.drop_calls > 0.0)
    for condition in line.conditions:
        total = condition.failing + sum(branch.share for branch in condition.branches)
        if condition.branches:
            assert total == pytest.approx(1.0)
    check_incidents(found, line.length)


def check_incidents(found, length):
    assert np.all(np.diff(found.start) >= 0.0)
    assert np.all((found.start < found.end) & (found.end > 0.0) & (found.start < length))
    assert np.all((found.end < length) | np.isinf(found.end))
    assert found.stage_first[0] == 0
    assert found.stage_first[-1] == len(found.stage_start) == len(found.stage_kind)
    for n in range(len(found)):
        begins = found.stage_start[found.stage_first[n] : found.stage_first[n + 1]]
        assert begins[0] == found.start[n]
        assert np.all(np.diff(begins) > 0.0)
        assert begins[-1] < found.end[n]


def test_a_busy_scenario_keeps_the_contract():
    run = play(busy(), years=3)
    assert len(run.incidents) > 500
    assert len(run.timeline.start) > 500
    check_contract(run, busy(), 3)


DAYS = st.floats(0.5, 40.0).map(lambda days: days * DAY)
REPAIRS = st.sampled_from([MINUTE, HOUR, 2 * DAY])
SWITCHOVERS = st.sampled_from(
    [None, switchover(0.0), switchover(20.0, 90.0), switchover(HOUR, HOUR, 0.5, 60.0)]
)


@st.composite
def platforms(draw):
    """A group or two in the ways in which units back each other up, on two sites."""
    units, groups = [], []
    for number in range(draw(st.integers(1, 2))):
        count = draw(st.integers(1, 4))
        standby = draw(st.sampled_from(Standby))
        latent = draw(st.booleans())
        members = tuple(range(len(units), len(units) + count))
        mode = ageing(
            f"g{number}/fault",
            draw(DAYS),
            draw(REPAIRS),
            common_cause=draw(st.sampled_from([0.0, 0.2, 1.0])),
            standby_mtbf=draw(st.none() | DAYS.map(Exponential)),
            latent=latent,
        )
        units += [Unit(f"g{number}-{n}", (mode,), number, draw(st.integers(0, 1))) for n in members]
        spec = group(*members, need=draw(st.integers(1, count)), standby=standby)
        active = standby is Standby.ACTIVE
        groups.append(
            replace(
                spec,
                name=f"g{number}",
                switchover=None if active else draw(SWITCHOVERS),
                test_every=draw(st.sampled_from([None, 10 * DAY])),
            )
        )
    for site in (0, 1):
        standing = tuple(n for n, unit in enumerate(units) if unit.site == site)
        units.append(box(f"site{site}", draw(DAYS), draw(REPAIRS), takes_units=standing))
    window = parse_hours("Mon 00:00-02:00, Thu 22:00-02:00")
    luck = draw(st.sampled_from([0.0, 0.5]))
    work = Change("up", "up", 0, 10 * DAY, window, Fixed(HOUR), draw(st.booleans()), luck, Fixed(HOUR))
    changes = (work,) if draw(st.booleans()) else ()
    return replace(
        platform(units, warm_up=5 * DAY), units=tuple(units), groups=tuple(groups), changes=changes
    )


@settings(max_examples=60, deadline=None)
@given(platforms(), st.integers(0, 5))
def test_any_platform_keeps_the_contract(tables, seed):
    check_contract(play(tables, seed=seed), tables, 1)


@settings(max_examples=40, deadline=None)
@given(platforms(), st.integers(0, 5))
def test_down_is_when_too_few_units_are_left(tables, seed):
    """Of load-sharing units without common causes, told from the incidents alone."""
    units = [replace(u, modes=tuple(replace(m, common_cause=0.0) for m in u.modes)) for u in tables.units]
    groups = tuple(replace(g, standby=Standby.ACTIVE, switchover=None) for g in tables.groups)
    tables = replace(tables, units=tuple(units), groups=groups)
    run = play(tables, seed=seed)
    found, line = run.incidents, run.timeline
    instants = np.unique(np.concatenate([[0.0], found.start, found.end[np.isfinite(found.end)]]))
    instants = instants[(instants >= 0.0) & (instants < line.length)]
    bounds = np.append(instants, line.length)
    middles = (bounds[1:] + bounds[:-1]) / 2
    out = np.zeros((len(units), len(middles)), dtype=bool)
    for number, start, end in zip(found.unit, found.start, found.end, strict=True):
        covered = (middles > start) & (middles < end)
        for taken in (number, *units[number].takes_units):
            out[taken] |= covered
    down = np.zeros(len(middles), dtype=bool)
    for spec in groups:
        down |= (~out[list(spec.units)]).sum(axis=0) < spec.need
    assert (line.end - line.start).sum() == pytest.approx(np.diff(bounds)[down].sum(), abs=1e-3)


# ---- equilibrium


def test_a_first_year_has_its_share_of_failures():
    """600 units that wear out after some two years (Weibull, shape 4): of new ones 4 % would fail."""
    wear = Weibull(2 * YEAR / 0.9064024771, 4.0)
    units = [Unit(f"u{n}", (ageing("u/wear", wear, DAY),)) for n in range(600)]
    expected = 600 * YEAR / (2 * YEAR + DAY)
    failures = np.sum(play(platform(units, warm_up=30 * DAY)).incidents.start >= 0.0)
    assert abs(failures - expected) < 4 * expected**0.5


def test_a_record_begins_with_its_share_of_units_out():
    units = [box(f"u{n}", 10 * DAY, DAY) for n in range(1500)]
    found = play(platform(units, warm_up=30 * DAY)).incidents
    out = np.sum((found.start < 0.0) & (found.end > 0.0))
    share = 1 / 11
    assert abs(out - 1500 * share) < 4 * (1500 * share * (1 - share)) ** 0.5


# ---- draws


def same(one, other):
    """Whether two values agree, field by field."""
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return one == other


def test_a_stream_is_the_same_whatever_the_process_has_run_before():
    alone = next(
        iter(simulate(replace(busy(), zone=Zone(dt.date(2026, 1, 5), "Europe/London")), [(3, 1)], 7))
    )
    *_, after = simulate(busy(), [(0, 1), (1, 2), (3, 1)], 7)
    assert same(alone.timeline, after.timeline)
    assert same(alone.incidents, after.incidents)


def test_a_stream_is_the_same_though_its_process_has_forgotten_states(monkeypatch):
    tables = busy()
    conditions = Conditions(tables)
    monkeypatch.setattr("sim._conditions", lambda _: conditions)
    monkeypatch.setattr("sim.conditions.MOST_STATES", 10**6)
    everything = list(simulate(tables, [(number, 1) for number in range(4)], 7))
    met = len(conditions.states)
    monkeypatch.setattr("sim.conditions.MOST_STATES", met // 3)
    monkeypatch.setattr("sim.conditions.KEPT_STATES", met // 4)
    for number in (2, 0, 3, 1):
        again = next(iter(simulate(tables, [(number, 1)], 7)))
        assert same(again.timeline, everything[number].timeline)
        assert same(again.incidents, everything[number].incidents)
    assert len(conditions.states) < met
    conditions.tidy()
    assert len(conditions.states) == met // 4 + 1
    assert conditions.number(conditions.nominal) == 0


@pytest.mark.parametrize(("seed", "stream"), [(7, 4), (8, 3)])
def test_other_seeds_and_streams_give_other_records(seed, stream):
    first = play(busy(), seed=7, stream=3)
    assert not same(first.incidents, play(busy(), seed=seed, stream=stream).incidents)


def test_a_longer_stream_begins_as_the_shorter_one():
    short, long = play(busy()), play(busy(), years=2)
    count = len(short.incidents)
    assert np.array_equal(short.incidents.start, long.incidents.start[:count])


def of_unit(run, tables, name):
    """Starts and ends of the incidents of a unit."""
    mine = run.incidents.unit == [unit.name for unit in tables.units].index(name)
    return run.incidents.start[mine].tolist(), run.incidents.end[mine].tolist()


def test_a_unit_that_is_added_leaves_the_incidents_of_the_others():
    units = [box("a", 5 * DAY), box("b", 7 * DAY)]
    before = platform(units, replace(group(0, 1), name="pair"), warm_up=DAY)
    after = platform(
        [box("new", 3 * DAY), *units],
        replace(group(1, 2), name="pair"),
        replace(group(0), name="new"),
        warm_up=DAY,
    )
    for name in "ab":
        assert of_unit(play(before), before, name) == of_unit(play(after), after, name)


def test_a_carrier_that_is_added_leaves_the_detection_of_the_others():
    """The phases of its pings, and so the instant at which a fault is noticed, are a trunk's own."""

    def one(*names):
        policy = routed(*(carrier(name) for name in names), health=HealthRule(30.0, 2.0, 3, 2))
        place = names.index("x")
        tables = calling(
            policy, [Unit("x", (ageing("x/silent", 5 * DAY, fault=0),), takes_trunks=(place,))], (SILENT,)
        )
        line = play(tables).timeline
        return {
            at for at, by in zip(line.end.tolist(), line.closed_by, strict=True) if by == ClosedBy.REROUTING
        }

    assert one("x", "y") == one("new", "x", "y")


def test_tests_of_a_group_that_is_added_leave_those_of_the_others():
    def found(*names):
        units = []
        for name in names:
            hidden = ageing(f"{name}/fault", 5 * DAY, standby_mtbf=Exponential(5 * DAY), latent=True)
            units += [Unit(f"{name}-1", ()), Unit(f"{name}-2", (hidden,))]
        spec = {"standby": Standby.COLD, "switchover": switchover(10.0), "test_every": 7 * DAY}
        groups = [replace(group(2 * n, 2 * n + 1, **spec), name=name) for n, name in enumerate(names)]
        tables = platform(units, *groups)
        return of_unit(play(tables), tables, "old-2")

    assert len(found("old")[0]) > 10
    assert found("old") == found("new", "old")
