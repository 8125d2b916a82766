"""Planned work on its calendar: changes of a group's units, a carrier's maintenance."""

import numpy as np
import pytest
from sim_tables import (
    DAY,
    HOUR,
    MAINTENANCE,
    MINUTE,
    MONDAY,
    Fixed,
    Lives,
    Standby,
    Unit,
    calling,
    carrier,
    group,
    mode,
    platform,
    play,
    routed,
    rows,
    spans,
    switchover,
    traffic,
    unit,
)

from carriers.calendars import WEEK
from carriers.hours import parse_hours
from sim.tables import Calendar, Change

SUNDAYS = "Sun 02:00-04:00"


def change(every=30 * DAY, lasts=20 * MINUTE, one_at_a_time=True, goes_wrong=0.0, rollback=0.0):
    return Change(
        "upgrade",
        "upgrade",
        0,
        every,
        parse_hours(SUNDAYS),
        Fixed(lasts),
        one_at_a_time,
        goes_wrong,
        Fixed(rollback),
    )


def pair(first, second, work, **more):
    return platform([first, second], group(0, 1, **more), changes=(work,))


def turns(run):
    """Incidents of each turn: (unit, seconds since the window opened, duration)."""
    found = run.incidents
    local = MONDAY.local_array(found.start) % WEEK
    opening = parse_hours(SUNDAYS).spans[0][0]
    return list(zip(found.unit.tolist(), local - opening, found.end - found.start, strict=True))


def test_a_change_takes_one_unit_after_the_other_from_the_opening_of_its_window_on():
    """Local time: the windows after a clock change too."""
    run = play(pair(unit("a"), unit("b"), change()))
    assert turns(run) == [(0, 0.0, 20 * MINUTE), (1, 20 * MINUTE, 20 * MINUTE)] * (len(run.incidents) // 2)
    assert spans(run) == []


def test_it_comes_in_the_first_window_after_each_interval():
    """On the long run as often as it should, though each waits for a Sunday; the first at a random time."""
    run = play(pair(unit("a"), unit("b"), change(every=10 * DAY)), years=10)
    first = run.incidents.start[run.incidents.unit == 0]
    assert set(np.diff(MONDAY.local_array(first)).round()) == {7 * DAY, 14 * DAY}
    assert len(first) == pytest.approx(365.25, abs=2)
    begins = {play(pair(unit("a"), unit("b"), change()), stream=n).incidents.start[0] for n in range(10)}
    assert len(begins) > 2


def test_a_change_of_all_units_at_once_takes_the_service_down():
    run = play(pair(unit("a"), unit("b"), change(one_at_a_time=False)))
    assert {(round(end - start), causes) for start, end, _, causes in rows(run)} == {(1200, ("upgrade",))}
    assert [since for _, since, _ in turns(run)] == [0.0] * len(run.incidents)


def test_a_change_that_goes_wrong_is_rolled_back_and_ends_there():
    run = play(pair(unit("a"), unit("b"), change(goes_wrong=1.0, rollback=HOUR)))
    assert set(turns(run)) == {(0, 0.0, HOUR + 20 * MINUTE)}


def test_a_change_waits_for_its_next_turn_while_its_group_has_a_unit_out():
    run = play(pair(unit("a", DAY, repair=100 * DAY), unit("b"), change()))
    changes = run.incidents.start[run.incidents.mode == 1]
    assert changes.min() > 101 * DAY
    assert spans(run) == []


def test_a_change_does_not_wait_for_a_fault_that_nobody_knows_of():
    """Its restart of the unit finds it."""
    hidden = Unit("b", (mode("b/fault", latent=True, standby_mtbf=Lives((HOUR,)), repair=DAY),))
    run = play(pair(unit("a"), hidden, change(), standby=Standby.COLD, switchover=switchover(10.0)))
    first = run.incidents.start[0]
    assert first < 45 * DAY
    found = run.incidents.start[(run.incidents.unit == 1) & (run.incidents.mode == 0)]
    assert found.tolist() == [first]
    assert rows(run)[0][:2] == pytest.approx((first, first + 20 * MINUTE))


def test_planned_work_moves_the_calls_to_a_standby_beforehand():
    hot = group(0, 1, standby=Standby.HOT, switchover=switchover(10.0))
    run = play(platform([unit("a"), unit("b")], hot, changes=(change(),), traffic=traffic()))
    assert len(run.incidents) > 20
    assert spans(run) == []
    assert len(run.timeline.drop_at) == 0


def test_a_unit_does_not_age_while_it_is_changed():
    run = play(pair(unit("a", 200 * DAY), unit("b"), change()))
    failure = run.incidents.start[(run.incidents.unit == 0) & (run.incidents.mode == 0)][0]
    before = np.sum((run.incidents.unit == 0) & (run.incidents.start < failure))
    assert failure == pytest.approx(200 * DAY + before * 20 * MINUTE)


# ---- maintenance of a carrier


def maintenance(name, lasts, notice=0.0):
    """Every week, so that all of it begins at the same opening."""
    window = parse_hours("Tue 01:00-05:00")
    work = Calendar(name, f"x/{name}", 7 * DAY, window, Fixed(lasts), 0, notice)
    return Unit(f"x/{name}", (), takes_trunks=(0,), calendar=work)


def maintained(*work):
    return calling(routed(carrier("x"), carrier("y")), list(work), (MAINTENANCE,))


@pytest.mark.parametrize(("notice", "attempts"), [(0.0, 2), (7 * DAY, 1)])
def test_maintenance_with_notice_drains_the_trunks_beforehand(notice, attempts):
    """Without notice each call pays for the refusal with an attempt; nobody is cut off either way."""
    run = play(maintained(maintenance("work", 45 * MINUTE, notice)))
    line = run.timeline
    assert set((line.end - line.start).round()) == {45 * 60}
    (number,) = set(line.condition)
    (branch,) = line.conditions[number].branches
    assert (branch.carrier, branch.attempts) == ("y", attempts)
    assert len(line.drop_at) == 0
    assert set(MONDAY.local_array(line.start).round() % WEEK) == {DAY + HOUR}


def test_a_trunk_stays_drained_until_the_last_work_on_it_is_done():
    works = maintenance("short", HOUR, notice=DAY), maintenance("long", 3 * HOUR, notice=DAY)
    line = play(maintained(*works)).timeline
    whole = line.start > 8 * DAY
    assert set((line.end - line.start)[whole].round()) == {3 * HOUR}
