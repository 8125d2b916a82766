"""Local time: hours of the week, windows and calendar months over clock changes."""

import datetime as dt
import pickle
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carriers.calendars import ALWAYS, DAY, HOUR, WEEK, WeeklyHours, Zone
from carriers.hours import parse_hours

ZONES = {
    name: Zone(dt.date(2026, 1, 1), name, years=6)
    for name in (
        "UTC",
        "Europe/London",
        "America/New_York",
        "Australia/Lord_Howe",  # southern, and its clocks change by half an hour
        "Asia/Kolkata",  # half an hour off, no changes
        "America/Santiago",  # clocks change at midnight, so that an hour of Sunday morning is missing
    )
}
LONDON, NEW_YORK = ZONES["Europe/London"], ZONES["America/New_York"]
OFFICE = parse_hours("Mon-Fri 08:00-18:00")
NEVER = WeeklyHours(())


def at(zone: Zone, *when: int, fold: int = 0) -> float:
    """Seconds since the zone's start, of a local date and time."""
    there = dt.datetime(*when, tzinfo=ZoneInfo(zone.timezone), fold=fold)
    return there.timestamp() - zone.origin


def told(zone: Zone, t: float) -> str:
    """Local date and time at `t`."""
    there = dt.datetime.fromtimestamp(zone.origin + t, ZoneInfo(zone.timezone))
    return there.strftime("%a %Y-%m-%d %H:%M")


zones = st.sampled_from(list(ZONES.values()))
instants = st.floats(0.0, 5 * 365 * DAY)
spans = st.lists(st.integers(0, 7 * 48 - 1), min_size=1, max_size=8, unique=True).map(
    lambda halves: WeeklyHours(_joined(sorted(halves)))
)


def _joined(halves: list[int]) -> tuple[tuple[float, float], ...]:
    """Spans of the half hours of the week that are open."""
    result: list[tuple[float, float]] = []
    for half in halves:
        opens, closes = half * HOUR / 2, (half + 1) * HOUR / 2
        if result and result[-1][1] == opens:
            opens = result.pop()[0]
        result.append((opens, closes))
    return tuple(result)


QUARTER = HOUR / 4


def looked_at(zone: Zone, hours: WeeklyHours) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Quarters of an hour from before a clock change, or a Monday, on; whether it is open then."""
    for moment in (*zone.changes[5:7], at(zone, 2027, 6, 7)):
        quarters = moment + np.arange(-12, 15 * 96) * QUARTER
        week = zone.local_array(quarters) % WEEK
        spans = np.asarray(hours.spans)[:, :, None]
        yield quarters, ((spans[:, 0] <= week) & (week < spans[:, 1])).any(axis=0)


@given(zones, instants)
def test_local_time_is_what_the_time_zone_database_says(zone, t):
    there = dt.datetime.fromtimestamp(round(zone.origin + t), ZoneInfo(zone.timezone))
    week = there.weekday() * DAY + there.hour * HOUR + there.minute * 60 + there.second
    assert zone.local(round(t)) % WEEK == week
    assert zone.hour_of_week(round(t)) == int(week // HOUR)
    assert zone.local_array(np.asarray([float(round(t))]))[0] == zone.local(round(t))


@pytest.mark.parametrize(
    ("zone", "first", "second"),
    [
        ("Europe/London", "Sun 2026-03-29 02:00", "Sun 2026-10-25 01:00"),
        ("America/New_York", "Sun 2026-03-08 03:00", "Sun 2026-11-01 01:00"),
        ("Australia/Lord_Howe", "Sun 2026-04-05 01:30", "Sun 2026-10-04 02:30"),
        ("America/Santiago", "Sat 2026-04-04 23:00", "Sun 2026-09-06 01:00"),
    ],
)
def test_clock_changes_are_found_to_the_second(zone, first, second):
    changes = ZONES[zone].changes
    in_2026 = [t for t in changes if 0 <= t < 365 * DAY]
    assert [told(ZONES[zone], t) for t in in_2026] == [first, second]
    for t in in_2026:
        assert ZONES[zone].local(t) - ZONES[zone].local(t - 1) != 1.0


def test_zones_without_summer_time_have_no_changes():
    assert len(ZONES["UTC"].changes) == len(ZONES["Asia/Kolkata"].changes) == 0


def test_a_stream_of_400_years_has_its_changes_to_the_end():
    zone = Zone(dt.date(2026, 1, 1), "Europe/London", years=401)
    inside = zone.changes[(zone.changes > 0) & (zone.changes < zone.year_starts(400)[-1])]
    assert len(inside) == 2 * 400
    assert told(zone, zone.year_starts(400)[-1]) == "Thu 2426-01-01 00:00"


def test_a_zone_is_sent_as_its_definition():
    copy = pickle.loads(pickle.dumps(LONDON))
    assert (copy.starts, copy.timezone, copy.years) == (LONDON.starts, LONDON.timezone, LONDON.years)
    assert copy.origin == LONDON.origin


@given(zones, spans)
def test_openings_and_closings_are_those_that_one_sees_by_looking(zone, hours):
    for quarters, seen in looked_at(zone, hours):
        for first in range(24):
            t = quarters[first]
            assert zone.is_open(hours, t) == seen[first]
            assert zone.next_open(hours, t) == quarters[first:][seen[first:]][0]
            assert zone.open_until(hours, t) == quarters[first:][~seen[first:]][0]


@given(zones, spans)
def test_the_next_opening_was_closed_just_before(zone, hours):
    for quarters, seen in looked_at(zone, hours):
        opening = np.flatnonzero(seen[1:] & ~seen[:-1]) + 1
        for first in range(1, 24):
            after = opening[opening >= first][0]
            assert zone.next_open(hours, quarters[first], after_opening=True) == quarters[after]


@given(zones, spans, instants, st.floats(0.0, 60 * HOUR))
def test_added_open_time_is_the_open_time_that_passes(zone, hours, t, seconds):
    end = zone.add_open_time(hours, t, seconds)
    passed, now = 0.0, t
    while now < end:
        opens = zone.next_open(hours, now)
        now = min(zone.open_until(hours, opens), end)
        passed += max(0.0, now - opens)
    assert passed == pytest.approx(seconds, abs=1e-4)


@given(zones, spans, instants)
def test_instants_inside_the_rounding_of_an_opening_do_no_harm(zone, hours, t):
    opens = zone.next_open(hours, t, after_opening=True)
    for close_by in (np.nextafter(opens, 0.0), opens, np.nextafter(opens, np.inf)):
        assert zone.next_open(hours, close_by, after_opening=True) >= close_by
        assert zone.add_open_time(hours, close_by, 60.0) >= close_by + 59.0


def test_respond_time_stands_still_over_the_weekend():
    friday = at(LONDON, 2026, 1, 9, 17, 30)
    assert told(LONDON, LONDON.add_open_time(OFFICE, friday, HOUR)) == "Mon 2026-01-12 08:30"


def test_respond_time_that_ends_with_the_day_ends_there():
    friday = at(LONDON, 2026, 1, 9, 17, 30)
    assert told(LONDON, LONDON.add_open_time(OFFICE, friday, HOUR / 2)) == "Fri 2026-01-09 18:00"


def test_nothing_to_add_waits_for_the_doors_to_open():
    sunday = at(LONDON, 2026, 1, 11, 12)
    assert told(LONDON, LONDON.add_open_time(OFFICE, sunday, 0.0)) == "Mon 2026-01-12 08:00"


def test_a_long_repair_takes_many_working_days():
    monday = at(NEW_YORK, 2026, 3, 2, 8)
    assert told(NEW_YORK, NEW_YORK.add_open_time(OFFICE, monday, 101 * HOUR)) == "Mon 2026-03-16 09:00"


def test_a_night_shift_is_an_hour_shorter_when_the_clocks_go_forward():
    night = parse_hours("Sat 22:00-06:00")
    start = at(LONDON, 2026, 3, 28, 22)
    assert LONDON.open_until(night, start) - start == 7 * HOUR
    assert told(LONDON, LONDON.add_open_time(night, start, 7.5 * HOUR)) == "Sat 2026-04-04 22:30"


def test_a_night_shift_is_an_hour_longer_when_the_clocks_go_back():
    night = parse_hours("Sat 22:00-06:00")
    start = at(LONDON, 2026, 10, 24, 22)
    assert LONDON.open_until(night, start) - start == 9 * HOUR


def test_a_window_that_opens_in_the_missing_hour_opens_after_it():
    window = parse_hours("Sun 01:30-05:00")
    saturday = at(LONDON, 2026, 3, 28, 12)
    assert told(LONDON, LONDON.next_open(window, saturday)) == "Sun 2026-03-29 02:00"
    assert told(LONDON, LONDON.next_open(window, saturday, after_opening=True)) == "Sun 2026-03-29 02:00"


def test_a_window_inside_the_missing_hour_waits_a_week():
    window = parse_hours("Sun 01:00-02:00")
    saturday = at(LONDON, 2026, 3, 28, 12)
    assert told(LONDON, LONDON.next_open(window, saturday)) == "Sun 2026-04-05 01:00"
    assert told(LONDON, LONDON.add_open_time(window, saturday, 60.0)) == "Sun 2026-04-05 01:01"


def test_a_window_in_the_repeated_hour_opens_twice():
    window = parse_hours("Sun 01:00-01:30")
    first = LONDON.next_open(window, at(LONDON, 2026, 10, 24, 12))
    second = LONDON.next_open(window, LONDON.open_until(window, first))
    assert (told(LONDON, first), told(LONDON, second)) == ("Sun 2026-10-25 01:00", "Sun 2026-10-25 01:00")
    assert second - first == HOUR


def test_windows_over_the_end_of_the_week_are_one():
    window = parse_hours("Sat 22:00-Mon 06:00")
    sunday = at(NEW_YORK, 2026, 1, 4, 12)
    assert told(NEW_YORK, NEW_YORK.open_until(window, sunday)) == "Mon 2026-01-05 06:00"
    assert told(NEW_YORK, NEW_YORK.next_open(window, sunday, after_opening=True)) == "Sat 2026-01-10 22:00"
    assert window.longest == 32 * HOUR


def test_an_opening_itself_is_the_next_opening():
    monday = at(LONDON, 2026, 1, 12, 8)
    assert LONDON.next_open(OFFICE, monday, after_opening=True) == monday
    assert told(LONDON, LONDON.next_open(OFFICE, monday + 1, after_opening=True)) == "Tue 2026-01-13 08:00"


def test_always_and_never():
    assert LONDON.next_open(ALWAYS, 5.0) == 5.0
    assert LONDON.open_until(ALWAYS, 5.0) == np.inf
    assert LONDON.add_open_time(ALWAYS, 5.0, 7.0) == 12.0
    assert LONDON.next_open(NEVER, 5.0) == np.inf
    assert LONDON.open_until(NEVER, 5.0) == 5.0
    assert LONDON.add_open_time(NEVER, 5.0, 7.0) == np.inf
    assert (ALWAYS.longest, NEVER.longest) == (np.inf, 0.0)


def test_years_and_months_begin_at_local_midnight():
    months = LONDON.month_starts(5)
    assert [told(LONDON, t)[4:] for t in months[[0, 3, 4, 60]]] == [
        "2026-01-01 00:00",
        "2026-04-01 00:00",
        "2026-05-01 00:00",
        "2031-01-01 00:00",
    ]
    assert list(LONDON.year_starts(5)) == list(months[::12])
    lengths = np.diff(months) / HOUR
    assert lengths[2] == 31 * 24 - 1
    assert lengths[9] == 31 * 24 + 1
    assert lengths[[1, 25]].tolist() == [28 * 24, 29 * 24]


def test_years_count_from_the_month_in_which_they_start():
    zone = Zone(dt.date(2027, 3, 1), "Australia/Sydney", years=3)
    assert [told(zone, t)[4:] for t in zone.year_starts(2)] == [
        "2027-03-01 00:00",
        "2028-03-01 00:00",
        "2029-03-01 00:00",
    ]
    assert (np.diff(zone.year_starts(2)) / DAY).tolist() == [366, 365]


def test_a_century_without_a_leap_day():
    zone = Zone(dt.date(2099, 1, 1), "UTC", years=3)
    assert (np.diff(zone.year_starts(2)) / DAY).tolist() == [365, 365]
