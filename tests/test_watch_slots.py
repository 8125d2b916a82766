"""When legs are due: a grid with jitter, hours, calendars, and what has gone by."""

import datetime as dt
import itertools
import math
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch_lab import BEGINS, plan_of

from callsim.live.probing import legs_of
from callsim.watching.lanes import GRACE, LONGEST_BACK, Lane, gaps, lanes_of
from callsim.watching.slots import MOST, STARTS, YEARS, Calendar, Schedule, bounded, schedules
from carriers.calendars import ALWAYS, WeeklyHours, Zone
from carriers.hours import parse_hours

UTC = Zone(STARTS, "UTC", YEARS)
NEW_YORK = Zone(STARTS, "America/New_York", YEARS)


def schedule(every=60.0, jitter=0.0, offset=0.0, calendar=None, key="plan\ntest\natlantic/1"):
    return Schedule(key, every, jitter, offset, calendar or Calendar(UTC, ALWAYS))


def at(text, zone="America/New_York"):
    """POSIX time of a local one."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def local(instants, zone="America/New_York"):
    return [f"{dt.datetime.fromtimestamp(t, ZoneInfo(zone)):%m-%d %H:%M}" for t in instants]


def test_a_cadence_has_no_drift():
    dues = list(schedule(60.0, offset=7.0).between(BEGINS, BEGINS + 86400.0))
    assert dues == [BEGINS + 7.0 + 60.0 * n for n in range(1440)]


@given(
    every=st.floats(60.0, 4000.0),
    share=st.floats(0.0, 0.99),
    offset=st.floats(0.0, 4000.0),
    after=st.floats(0.0, 2e9),
    pieces=st.lists(st.floats(0.1, 5000.0), max_size=6),
)
@settings(deadline=None)
def test_each_slot_comes_once_whenever_it_is_asked_for(every, share, offset, after, pieces):
    made = schedule(every, share * every, offset)
    until = after + sum(pieces)
    ends = list(itertools.accumulate(pieces, initial=after))
    found = [due for begin, end in itertools.pairwise(ends) for due in made.between(begin, end)]
    assert found == list(made.between(after, ends[-1]))
    assert found == sorted(found)
    numbers = range(math.floor((after - offset) / every) - 2, math.ceil((until - offset) / every) + 3)
    assert found == sorted(due for due in map(made.due, numbers) if after < due <= ends[-1])


def test_the_jitter_is_uniform_and_a_restart_draws_the_same():
    first, again = schedule(300.0, 30.0), schedule(300.0, 30.0)
    moved = np.array([first.due(n) - 300.0 * n for n in range(20_000)])
    assert [again.due(n) for n in range(100)] == [first.due(n) for n in range(100)]
    assert np.abs(moved).max() <= 30.0
    # Mean and variance of a uniform law, within four standard errors.
    assert abs(moved.mean()) < 4 * 30.0 / math.sqrt(3 * len(moved))
    assert moved.var() == pytest.approx(300.0, rel=4 * math.sqrt(0.8 / len(moved)))
    other = schedule(300.0, 30.0, key="plan\ntest\nboreal/1")
    assert other.due(5) != first.due(5)


def test_legs_are_spread_evenly():
    made = schedules(plan_of("5m", trunks=3), legs_of(plan := plan_of("5m", trunks=3), plan.tests))
    assert [one.after(BEGINS) - BEGINS for one in made] == [300.0, 100.0, 200.0]


def test_hours_are_local_time_over_a_change_of_clocks():
    calendar = Calendar(NEW_YORK, parse_hours("Mon-Sun 01:00-03:00"))
    made = schedule(1800.0, calendar=calendar)
    spring = made.between(at("2027-03-14 00:00"), at("2027-03-14 12:00"))
    assert local(spring) == ["03-14 01:00", "03-14 01:30"]  # 02:00 does not exist
    autumn = list(made.between(at("2027-11-07 00:00"), at("2027-11-07 12:00")))
    assert local(autumn) == [
        "11-07 01:00",
        "11-07 01:30",
        "11-07 01:00",
        "11-07 01:30",
        "11-07 02:00",
        "11-07 02:30",
    ]
    assert np.diff(autumn).tolist() == [1800.0] * 5


@pytest.mark.parametrize("day", ["2027-03-14", "2027-11-07", "2027-06-01"])
def test_days_off_are_local_days_of_any_length(day):
    off = dt.date.fromisoformat(day)
    made = schedule(600.0, calendar=Calendar(NEW_YORK, ALWAYS, frozenset({off})))
    begin = at(f"{day} 00:00")
    end = at(f"{off + dt.timedelta(days=1)} 00:00")
    before = list(made.between(begin - 7200.0, end + 7200.0))
    assert [due for due in before if begin <= due < end] == []
    assert [due for due in before if due < begin] == [begin - 7200.0 + 600.0 * n for n in range(1, 12)]
    assert [due for due in before if due >= end] == [end + 600.0 * n for n in range(13)]


def test_the_jitter_leads_nowhere_outside_the_hours():
    calendar = Calendar(NEW_YORK, parse_hours("Mon-Fri 09:00-17:00"), frozenset({dt.date(2027, 1, 20)}))
    made = schedule(900.0, 850.0, calendar=calendar)
    dues = list(made.between(BEGINS, BEGINS + 14 * 86400.0))
    assert len(dues) == pytest.approx(9 * 32, abs=20)
    for due in dues:
        there = dt.datetime.fromtimestamp(due, ZoneInfo("America/New_York"))
        assert there.weekday() < 5
        assert 9 <= there.hour < 17
        assert there.date() != dt.date(2027, 1, 20)
    numbers = range(int(BEGINS // 900.0), int((BEGINS + 14 * 86400.0) // 900.0) + 2)
    assert dues == sorted(
        due
        for due in map(made.due, numbers)
        if BEGINS < due <= BEGINS + 14 * 86400.0 and is_open(calendar, due)
    )


def is_open(calendar, due):
    return calendar.open_from(due) == due


def test_a_leg_that_is_never_open_is_never_due():
    assert schedule(60.0, calendar=Calendar(UTC, WeeklyHours(()))).after(BEGINS) == math.inf


def test_what_has_gone_by_is_told_one_by_one_and_then_counted():
    made = schedule(60.0)
    until = BEGINS + 60.0 * (MOST + 500)
    told = list(bounded(made, made.between(BEGINS, until), until))
    assert told[:MOST] == [(BEGINS + 60.0 * n, 1) for n in range(1, MOST + 1)]
    assert told[MOST:] == [(BEGINS + 60.0 * (MOST + 1), 500)]
    nightly = schedule(60.0, calendar=Calendar(NEW_YORK, parse_hours("Mon-Sun 22:00-24:00")))
    month = BEGINS + 30 * 86400.0
    assert sum(count for _, count in bounded(nightly, nightly.between(BEGINS, month), month)) == 30 * 120


# ---- a leg's progress


def lane(every=60.0, handled=BEGINS, **more):
    (leg, *_) = legs_of(plan := plan_of(), plan.tests)
    return Lane(leg, schedule(every, **more), handled)


def test_a_slot_is_taken_once():
    one = lane()
    assert one.reach(BEGINS + 59.9) == ([], [])
    assert one.reach(BEGINS + 60.01) == ([], [BEGINS + 60.0])
    assert one.reach(BEGINS + 60.02) == ([], [])
    assert one.due == BEGINS + 120.0


def test_slots_nobody_was_awake_for_have_gone_by():
    one = lane()
    gone, fresh = one.reach(BEGINS + 3600.0 + GRACE - 1.0)
    assert [due for due, _ in gone] == [BEGINS + 60.0 * n for n in range(1, 60)]
    assert fresh == [BEGINS + 3600.0]


def test_a_clock_that_goes_back_has_no_slot_probed_twice():
    one = lane()
    one.reach(BEGINS + 600.0)
    one.probed = BEGINS + 600.0
    assert one.go_back(BEGINS + 300.0)
    assert one.due == BEGINS + 660.0
    assert one.reach(BEGINS + 601.0) == ([], [])


def test_slots_ahead_that_were_not_probed_are_after_the_clock_was_put_right():
    one = lane()
    one.reach(BEGINS + 60.0)
    one.probed = BEGINS + 60.0
    one.reach(BEGINS + 86400.0)  # all gone by
    assert one.go_back(BEGINS + 90.0)
    assert one.due == BEGINS + 120.0


def test_a_clock_that_was_wrong_for_long_does_not_make_the_prober_blind():
    one = lane()
    one.probed = BEGINS + LONGEST_BACK + 86400.0
    assert not one.go_back(BEGINS)
    assert one.due == BEGINS + 60.0


# ---- after a restart


def test_slots_without_a_record_are_found_after_a_restart():
    (one, *_) = lanes_of(plan_of("1m", trunks=1), BEGINS + 600.0)
    dues = [BEGINS + 60.0 * n for n in (1, 2, 4, 5)]
    (_, *found), *rest = gaps([one], {one.key: [due + 1e-5 for due in dues]}, BEGINS + 600.0)
    assert found == [BEGINS + 180.0, 1]
    assert [(due, count) for _, due, count in rest] == [(BEGINS + 60.0 * n, 1) for n in range(6, 11)]


def test_records_of_another_grid_make_no_gaps_of_their_own():
    (one, *_) = lanes_of(plan_of("1m", trunks=1), BEGINS + 300.0)
    other = [BEGINS + 10.0 + 90.0 * n for n in range(3)]  # every 90 s, up to 190
    found = gaps([one], {one.key: other}, BEGINS + 300.0)
    assert [due for _, due, _ in found] == [BEGINS + 240.0, BEGINS + 300.0]


def test_a_leg_without_records_has_no_gaps():
    assert list(gaps(lanes_of(plan_of(), BEGINS), {}, BEGINS)) == []
