"""Windows of agreements, and downtime on the borders that calendars have."""

import numpy as np
import pytest
from sla_cases import DAY, HOUR, at, made, month, record, terms_of

from sla.assess import assess
from sla.terms import Terms
from sla.windows import windows_of

BERLIN = "Europe/Berlin"


def measured(window: object, zone: str = "UTC", **more: object) -> Terms:
    return terms_of(measured={"window": window, "timezone": zone}, **more)


def windows(window: object, start: str, end: str, zone: str = "UTC") -> list[tuple[float, float]]:
    found = windows_of(measured(window).measured.window, zone, at(start, zone), at(end, zone))
    return list(zip(found.start.tolist(), found.end.tolist(), strict=True))


def test_only_whole_months_are_judged():
    assert windows("calendar_month", "2026-01-02", "2026-03-31") == [(at("2026-02-01"), at("2026-03-01"))]
    assert windows("calendar_month", "2026-01-02", "2026-01-31") == []


def test_months_have_their_lengths_with_leap_years_and_clock_changes():
    found = windows("calendar_month", "2027-12-01", "2028-05-01", BERLIN)
    hours = [(end - start) / HOUR for start, end in found]
    assert hours == [31 * 24, 31 * 24, 29 * 24, 31 * 24 - 1, 30 * 24]
    assert [(e - s) / HOUR for s, e in windows("calendar_month", "2026-10-01", "2026-11-01", BERLIN)] == [745]


def test_quarters_and_years():
    assert windows("quarter", "2025-12-01", "2026-07-01") == [
        (at("2026-01-01"), at("2026-04-01")),
        (at("2026-04-01"), at("2026-07-01")),
    ]
    assert windows("year", "2026-01-01", "2028-01-01", BERLIN) == [
        (at("2026-01-01", BERLIN), at("2027-01-01", BERLIN)),
        (at("2027-01-01", BERLIN), at("2028-01-01", BERLIN)),
    ]


def test_billing_cycles_begin_on_their_day():
    assert windows({"billing_cycle": 15}, "2026-01-01", "2026-03-16") == [
        (at("2026-01-15"), at("2026-02-15")),
        (at("2026-02-15"), at("2026-03-15")),
    ]


def test_fixed_windows_follow_from_the_start_of_the_record():
    start = at("2026-01-05 12:00")
    assert windows({"fixed": "720h"}, "2026-01-05 12:00", "2026-03-07") == [
        (start, start + 720 * HOUR),
        (start + 720 * HOUR, start + 1440 * HOUR),
    ]
    assert len(windows({"fixed": "720h"}, "2026-01-01", "2026-03-02")) == 2


def test_rolling_windows_end_at_each_local_midnight():
    found = windows({"rolling": "7d"}, "2026-03-25", "2026-04-03", BERLIN)
    # A window that the clocks shorten begins an hour before midnight, which the record must hold too.
    assert [end for _, end in found] == [at("2026-04-02", BERLIN), at("2026-04-03", BERLIN)]
    assert all(end - start == 7 * DAY for start, end in found)


def test_rolling_windows_are_settled_by_month_at_their_worst():
    terms = measured(
        {"rolling": "10d"},
        credits=[{"objective": "availability", "linear": {"credit": "1%", "per": "1%"}}],
        objectives=[{"name": "availability", "at_least": "100%"}],
    )
    start, end = at("2026-01-01"), at("2026-04-01")
    rows = [
        (at("2026-02-03"), at("2026-02-04"), "provider"),
        (at("2026-02-06"), at("2026-02-07"), "provider"),
    ]
    result = made(terms, record(*rows, start=start, end=end))
    assert len(result.credits.windows) == 3
    assert result.credits.due == pytest.approx([0, 0.20, 0])
    # The window that ends at midnight of 1 March is one of February's.
    late = made(terms, record((at("2026-02-28"), at("2026-03-01"), "provider"), start=start, end=end))
    assert late.credits.due == pytest.approx([0, 0.10, 0.10])
    # One that ends where the first whole month begins is none of that month's.
    early = record((at("2026-01-22"), at("2026-01-23"), "provider"), start=at("2026-01-10"), end=end)
    assert made(terms, early).credits.due.tolist() == [0, 0]


def test_downtime_across_a_border_counts_in_both_months_and_the_outage_where_it_starts():
    terms = terms_of(
        objectives=[
            {"name": "outages", "at_most": 1},
            {"name": "mttr", "at_most": "1h"},
            {"name": "downtime", "at_most": "1h"},
        ]
    )
    border = at("2026-02-01")
    ledger = record(
        (border - HOUR, border + 2 * HOUR, "provider"), start=at("2026-01-01"), end=at("2026-03-01")
    )
    count, mttr, down = made(terms, ledger).judged
    assert count.actual.tolist() == [1, 0]
    assert mttr.actual[0] == 3 * HOUR
    assert np.isnan(mttr.actual[1])
    assert mttr.met.tolist() == [False, True]
    assert down.actual.tolist() == [HOUR, 2 * HOUR]
    assert down.met.tolist() == [True, False]


@pytest.mark.parametrize(
    ("name", "zone", "hours"),
    [
        ("2026-03", BERLIN, 743),
        ("2026-10", BERLIN, 745),
        ("2028-02", "UTC", 696),
        ("2026-04", "Australia/Lord_Howe", 720.5),
    ],
)
def test_availability_is_of_the_hours_that_the_month_has(name, zone, hours):
    result = made(measured("calendar_month", zone), month((10, 11, "provider"), name=name, zone=zone))
    assert result.availability.eligible[0] == pytest.approx(1 - 1 / hours, abs=1e-12)


def test_an_outage_over_the_hour_that_is_told_twice_is_two_hours_long():
    start, end = at("2026-10-25 02:00", BERLIN), at("2026-10-25 03:00", BERLIN)
    ledger = record((start, end, "provider"), start=at("2026-10-01", BERLIN), end=at("2026-11-01", BERLIN))
    assert made(measured("calendar_month", BERLIN), ledger).availability.downtime.tolist() == [2 * HOUR]


def test_a_span_is_the_one_window_and_other_objectives_end_in_it():
    terms = terms_of(
        objectives=[
            {"name": "availability", "at_least": "99.9%"},
            {"name": "availability", "window": "year", "at_least": "99.9%"},
        ]
    )
    span = (at("2026-12-05"), at("2027-01-02"))
    ledger = record((span[0], span[0] + DAY, "provider"), start=at("2026-01-01"), end=at("2027-06-01"))
    result = assess(terms, ledger, span=span)
    month_, year = result.judged
    assert len(result.credits.windows) == 1
    assert month_.actual == pytest.approx([1 - 1 / 28])
    assert year.actual == pytest.approx([1 - 1 / 365])
    with pytest.raises(ValueError, match="must lie in the record"):
        assess(terms, ledger, span=(span[0], at("2028-01-01")))


def test_a_record_without_a_whole_window_is_not_judged():
    ledger = record(start=at("2026-01-02"), end=at("2026-01-30"))
    result = made(terms_of(), ledger)
    assert result.judged[0].not_assessed == "the record holds no whole month"
    assert result.not_assessed == ("availability: the record holds no whole month.",)


def test_each_outage_is_an_event_by_itself():
    terms = measured(
        "event",
        objectives=[{"name": "time_to_restore", "at_most": "1h"}],
        credits=[{"objective": "time_to_restore", "flat": "5%"}],
    )
    result = made(terms, month((1, 2, "provider"), (5, 7, "provider"), (9, 13, "provider")))
    assert result.judged[0].actual.tolist() == [HOUR, 2 * HOUR, 4 * HOUR]
    assert result.judged[0].met.tolist() == [True, False, False]
    assert result.credits.due == pytest.approx([0.10])
