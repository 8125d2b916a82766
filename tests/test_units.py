"""Quantities, weekly hours and traffic profiles as people write them."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carriers.calendars import ALWAYS, DAY, HOUR, WEEK
from carriers.hours import parse_hours
from carriers.profiles import PROFILES, parse_profile
from carriers.units import (
    format_bit_rate,
    format_duration,
    format_share,
    parse_bit_rate,
    parse_duration,
    parse_share,
)

MON, TUE, WED, THU, FRI, SAT, SUN = (day * DAY for day in range(7))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("15m", 900.0),
        ("2h", 7200.0),
        ("45d", 45 * 86400.0),
        ("2w", 14 * 86400.0),
        ("4y", 4 * 365.25 * 86400.0),
        ("6ms", 0.006),
        ("1.6s", 1.6),
        ("3m10s", 190.0),
        ("1h30m", 5400.0),
        ("1s500ms", 1.5),
        ("90000h", 3.24e8),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("30", "30 has no unit; write a duration, like 30s or 15m"),
        ("-30", "-30 has no unit; write a duration, like 30s or 15m"),
        ("1e3", "1e3 has no unit; write a duration, like 1e3s or 15m"),
        ("", "'' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("5min", "'5min' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("5 m", "'5 m' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("-5m", "'-5m' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("5M", "'5M' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("30m1h", "'30m1h' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("1h1h", "'1h1h' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("1h30", "'1h30' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("5m\n", "'5m\n' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("٣m", "'٣m' is not a duration; write one like 90s, 15m, 2h, 45d, 4y or 1h30m"),
        ("1000001y", "'1000001y' is too long; the longest duration is 1000000y"),
        ("9" * 400 + "s", f"'{'9' * 400}s' is too long; the longest duration is 1000000y"),
    ],
)
def test_what_is_no_duration_is_told_what_would_be(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        parse_duration(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "share"), [("99.99%", 0.9999), ("99.999%", 0.99999), ("0%", 0.0), ("100%", 1.0), ("5%", 0.05)]
)
def test_a_share_is_the_nearest_float(text, share):
    assert parse_share(text) == share
    assert format_share(share) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.05", "0.05 has no unit; write a share in percent, like 5%"),
        ("5 %", "'5 %' is not a share; write a percentage from 0% to 100%, like 99.9%"),
        ("-5%", "'-5%' is not a share; write a percentage from 0% to 100%, like 99.9%"),
        ("100.1%", "100.1% is more than the whole; write a percentage from 0% to 100%"),
    ],
)
def test_what_is_no_share_is_told_what_would_be(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        parse_share(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "rate", "written"),
    [
        ("64kbit/s", 64e3, "64kbit/s"),
        ("10Mbit/s", 1e7, "10Mbit/s"),
        ("1Gbit/s", 1e9, "1Gbit/s"),
        ("0bit/s", 0.0, "0bit/s"),
        ("12.2kbit/s", 12200.0, "12.2kbit/s"),
        ("1536kbit/s", 1536e3, "1.536Mbit/s"),
        ("999bit/s", 999.0, "999bit/s"),
    ],
)
def test_a_bit_rate_has_decimal_prefixes(text, rate, written):
    assert parse_bit_rate(text) == rate
    assert format_bit_rate(rate) == written
    assert parse_bit_rate(written) == rate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("64000", "64000 has no unit; write a bit rate, like 64kbit/s or 10Mbit/s"),
        ("10 Mbit/s", "'10 Mbit/s' is not a bit rate; write one like 64kbit/s, 10Mbit/s or 1Gbit/s"),
        ("10mbit/s", "'10mbit/s' is not a bit rate; write one like 64kbit/s, 10Mbit/s or 1Gbit/s"),
        ("10Mbps", "'10Mbps' is not a bit rate; write one like 64kbit/s, 10Mbit/s or 1Gbit/s"),
        ("1MB/s", "'1MB/s' is not a bit rate; write one like 64kbit/s, 10Mbit/s or 1Gbit/s"),
        ("-1bit/s", "'-1bit/s' is not a bit rate; write one like 64kbit/s, 10Mbit/s or 1Gbit/s"),
        ("1000001Gbit/s", "'1000001Gbit/s' is too fast; the highest bit rate is 1000000Gbit/s"),
    ],
)
def test_what_is_no_bit_rate_is_told_what_would_be(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        parse_bit_rate(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.006, "6ms"),
        (0.9999, "999.9ms"),
        (1.6, "1.6s"),
        (59.9994, "59.999s"),
        (59.9996, "1m"),
        (190.0, "3m10s"),
        (5400.0, "1h30m"),
        (86399.7, "1d"),
        (45 * DAY, "45d"),
        (4 * 365.25 * DAY, "4y"),
        (math.inf, "never"),
    ],
)
def test_a_duration_is_written_with_the_units_that_it_needs(seconds, text):
    assert format_duration(seconds) == text


@given(st.floats(0.0, 1e10))
def test_a_written_duration_reads_back_to_what_was_rounded(seconds):
    read = parse_duration(format_duration(seconds))
    assert read == pytest.approx(seconds, abs=0.5 if seconds >= 59.9995 else 0.0005)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Sun 02:00-04:00", [(SUN + 2 * HOUR, SUN + 4 * HOUR)]),
        ("Mon-Wed 08:00-18:30", [(day + 8 * HOUR, day + 18.5 * HOUR) for day in (MON, TUE, WED)]),
        ("Tue-Wed 22:00-06:00", [(day + 22 * HOUR, day + 30 * HOUR) for day in (TUE, WED)]),
        ("Sun 22:00-06:00", [(0.0, 6 * HOUR), (SUN + 22 * HOUR, WEEK)]),
        ("Sat 22:00-Mon 06:00", [(0.0, 6 * HOUR), (SAT + 22 * HOUR, WEEK)]),
        ("Fri 18:00-Fri 17:00", [(0.0, FRI + 17 * HOUR), (FRI + 18 * HOUR, WEEK)]),
        ("Sat-Mon 10:00-12:00", [(day + 10 * HOUR, day + 12 * HOUR) for day in (MON, SAT, SUN)]),
        ("Mon 08:00-12:00, Mon 11:00-13:00,Mon 13:00-14:00", [(8 * HOUR, 14 * HOUR)]),
        ("Mon-Tue 00:00-24:00", [(0.0, WED)]),
    ],
)
def test_hours_are_disjoint_spans_of_the_week(text, spans):
    assert parse_hours(text).spans == tuple(spans)


@pytest.mark.parametrize(
    "text", ["always", "Mon-Sun 00:00-24:00", "Mon-Sun 00:00-12:00, Mon-Sun 12:00-24:00"]
)
def test_hours_around_the_clock_are_always(text):
    assert parse_hours(text) == ALWAYS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "8-18",
            "'8-18' is not a window of the week; "
            "write hours like 'Mon-Fri 08:00-18:00', 'Sat 22:00-Mon 06:00' or always",
        ),
        (
            "Mon 8:00-18:00",
            "'Mon 8:00-18:00' is not a window of the week; "
            "write hours like 'Mon-Fri 08:00-18:00', 'Sat 22:00-Mon 06:00' or always",
        ),
        (
            "Mon 08:00-18:00,",
            "'' is not a window of the week; "
            "write hours like 'Mon-Fri 08:00-18:00', 'Sat 22:00-Mon 06:00' or always",
        ),
        ("Mon 08:00-08:00", "'Mon 08:00-08:00' opens and closes at once; a whole day is 00:00-24:00"),
        ("Mon 08:00-Mon 08:00", "'Mon 08:00-Mon 08:00' opens and closes at once; around the clock is always"),
        ("Mon 08:60-18:00", "'Mon 08:60-18:00' has no such time as 08:60; the day runs from 00:00 to 24:00"),
        ("Mon 20:00-24:01", "'Mon 20:00-24:01' has no such time as 24:01; the day runs from 00:00 to 24:00"),
    ],
)
def test_what_is_no_window_is_told_what_would_be(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        parse_hours(text)
    assert str(error.value) == message


@pytest.mark.parametrize("name", PROFILES)
def test_a_named_profile_has_a_week_of_hours_and_a_busiest_one(name):
    profile = parse_profile(name)
    assert len(profile) == 168
    assert max(profile) == 1.0
    assert min(profile) > 0.0


def test_office_hours_are_busiest_on_workday_mornings_and_quiet_at_weekends():
    profile = parse_profile("office_hours")
    busiest = [hour for hour, weight in enumerate(profile) if weight == 1.0]
    assert busiest == [24 * day + 10 for day in range(5)]
    assert max(profile[120:]) == 0.15


def test_weights_are_scaled_to_the_busiest_hour():
    assert parse_profile([2.0] * 167 + [4.0]) == (0.5,) * 167 + (1.0,)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("weekend", "'weekend' is not a profile; write flat, office_hours or 168 hourly weights"),
        ([1.0] * 24, "24 weights; a week has 168 hours, Monday 00:00 first"),
        ([0.0] * 168, "all weights are 0; the busiest hour has more"),
        ([1.0] * 167 + [-1.0], "weight -1.0 of hour 167 is not a number of at least 0"),
        ([1.0] * 167 + [math.inf], "weight inf of hour 167 is not a number of at least 0"),
    ],
)
def test_what_is_no_profile_is_told_what_would_be(weights, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        parse_profile(weights)
    assert str(error.value) == message
