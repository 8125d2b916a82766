"""What a contract counts as downtime, against a reference that looks at every second."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sla_cases import DAY, HOUR, NAN, OPEN, at, made, month, record, terms_of

from carriers.hours import parse_hours
from results.ledger import Ledger
from results.stretches import Stretches, clusters
from sla.cells import groups, highest
from sla.terms import Terms

NOON = at("2026-10-04 12:00")
"""A Sunday."""
END = NOON + 400.0
KINDS = ("provider", "maintenance", "customer", "maintenance+customer", "carrier+provider", "attack")
EXCLUDES = [
    {"cause": "maintenance", "notice": "1m", "quota": "1m/month"},
    {"cause": "customer", "hours": "Sun 12:01-12:04"},
    {"cause": "attack"},
]


def rows(most: int = 6) -> st.SearchStrategy[list[tuple[int, int, str, float]]]:
    row = st.tuples(
        st.integers(-50, 390), st.integers(0, 120), st.sampled_from(KINDS), st.sampled_from([NAN, 0.0, 200.0])
    )
    return st.lists(row, max_size=most)


def ledger_of(found: list[tuple[int, int, str, float]]) -> Ledger:
    return record(
        *((NOON + start, NOON + start + length, cause) for start, length, cause, _ in found),
        start=NOON,
        end=END,
        notice_given=[NOON + start - ahead for start, _, _, ahead in found],
    )


def by_the_second(found: list[tuple[int, int, str, float]]) -> tuple[set[int], set[int]]:
    """Return the seconds that are down, and those that are excluded."""
    down, firm, told = set(), set(), set()
    for start, length, cause, ahead in found:
        hours = parse_hours("Sun 12:01-12:04")
        for second in range(start, start + length):
            within = hours.spans[0][0] <= 6 * DAY + 12 * HOUR + second < hours.spans[0][1]
            ok = {"maintenance": ahead == 200.0, "customer": within, "attack": True}
            down.add(second)
            if all(ok.get(name, False) for name in cause.split("+")):
                told |= {(second, cause)}
            else:
                firm.add(second)
    left, excluded = 60, set()
    for second in sorted(down - firm):
        here = {cause for at_, cause in told if at_ == second}
        if any("maintenance" in cause for cause in here):
            left -= 1
        if left >= 0 or not any("maintenance" in cause for cause in here):
            excluded.add(second)
    return down, excluded


def seconds_of(stretches: Stretches) -> set[int]:
    return {
        second
        for start, end in zip(stretches.start, stretches.end, strict=True)
        for second in range(round(start - NOON), round(end - NOON))
    }


@settings(max_examples=300, deadline=None)
@given(rows())
@example([(0, 10, "maintenance", 200.0), (5, 10, "provider", NAN)])
@example([(0, 10, "maintenance+customer", 200.0), (65, 10, "maintenance+customer", 200.0)])
@example([(0, 100, "maintenance", 200.0), (20, 10, "attack", NAN)])
def test_eligible_downtime_is_that_of_the_reference(found):
    result = made(terms_of(excludes=EXCLUDES), ledger_of(found)).downtime
    down, excluded = by_the_second(found)
    assert seconds_of(result.gross) == down
    assert seconds_of(result.counted) == down
    assert seconds_of(result.excluded) == excluded
    assert seconds_of(result.eligible) == down - excluded
    assert len(result.excluded_reason) == len(result.excluded.start)
    assert result.length.sum() == pytest.approx(len(down - excluded))


@settings(max_examples=60, deadline=None)
@given(rows(), st.data())
def test_a_row_split_into_touching_rows_changes_nothing(found, data):
    split, notice, number = [], [], []
    for row, (start, length, cause, ahead) in enumerate(found):
        part = data.draw(st.integers(1, length - 1)) if length > 1 else length
        for begin, end in ((start, start + part), (start + part, start + length)):
            split.append((NOON + begin, NOON + end, cause))
            notice.append(NOON + start - ahead)
            number.append(row)
    terms = terms_of(
        excludes=[{"cause": "maintenance", "quota": "1m/month"}, {"cause": "attack"}],
        measured={"min_outage": "20s"},
        objectives=[{"name": "outages", "at_most": 1}, {"name": "mttr", "at_most": "1m"}],
    )
    whole = made(terms, ledger_of(found)).downtime
    parts = made(terms, record(*split, start=NOON, end=END, number=number, notice_given=notice)).downtime
    assert seconds_of(parts.eligible) == seconds_of(whole.eligible)
    assert parts.begin.tolist() == whole.begin.tolist()
    assert parts.length.tolist() == whole.length.tolist()


@settings(max_examples=60, deadline=None)
@given(rows())
def test_order_and_duplicates_change_nothing(found):
    terms = terms_of(excludes=EXCLUDES)
    once, twice = made(terms, ledger_of(found)), made(terms, ledger_of(found[::-1] + found))
    assert seconds_of(once.downtime.eligible) == seconds_of(twice.downtime.eligible)
    assert once.downtime.length.tolist() == twice.downtime.length.tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(-3, 3)), min_size=1, max_size=12)
)
def test_highest_is_the_highest_that_covers(found):
    first, many, values = (np.array(column) for column in zip(*found, strict=True))
    expected = np.full(40, -np.inf)
    for start, length, value in found:
        expected[start : start + length] = np.maximum(expected[start : start + length], value)
    assert highest(first, first + many, values.astype(float), 40).tolist() == expected.tolist()


def test_outages_are_joined_by_touching_and_by_number():
    start, end = np.array([0.0, 5.0, 20.0, 30.0, 40.0]), np.array([5.0, 8.0, 25.0, 35.0, 45.0])
    cluster = clusters(start, end)
    assert cluster.tolist() == [0, 0, 1, 2, 3]
    assert groups(cluster, np.array([7, 8, 9, 8, 9])).tolist() == [0, 0, 1, 0, 1]


def test_reasons_and_refusals_are_told():
    ledger = month((60, 61, "maintenance"), (70, 71, "maintenance"), (80, 81, "maintenance+carrier"),
                   notice_given=[at("2026-09-01"), NAN, at("2026-09-01")])  # fmt: skip
    result = made(terms_of(excludes=[{"cause": "maintenance", "notice": "7d"}]), ledger).downtime
    assert result.excluded_reason == ("maintenance, told 7d before",)
    assert result.refused == (
        "maintenance would be excluded, and is not where another cause that is not excluded has part in the "
        "outage.",
        "maintenance is excluded only where the customer was told 7d before: it was not.",
    )


def test_hours_are_those_of_the_local_clock_on_both_sides_of_its_change():
    terms = terms_of(
        excludes=[{"cause": "maintenance", "hours": "Sat-Sun 22:00-24:00, Mon 00:00-06:00"}],
        measured={"timezone": "Europe/Berlin"},
    )
    start, end = at("2026-03-28", "Europe/Berlin"), at("2026-03-31", "Europe/Berlin")
    ledger = record(
        (start, end, "maintenance"),
        start=at("2026-03-01", "Europe/Berlin"),
        end=at("2026-04-01", "Europe/Berlin"),
    )
    excluded = made(terms, ledger).downtime.excluded
    assert [
        at("2026-03-28 22:00", "Europe/Berlin"),
        at("2026-03-29 22:00", "Europe/Berlin"),
    ] == excluded.start.tolist()
    assert [
        at("2026-03-29 00:00", "Europe/Berlin"),
        at("2026-03-30 06:00", "Europe/Berlin"),
    ] == excluded.end.tolist()


def test_a_quota_begins_anew_in_each_of_its_windows():
    terms = terms_of(excludes=[{"cause": "maintenance", "quota": "2h/quarter"}])
    begins = [at(f"2026-{m:02}-10") for m in (1, 3, 4, 12)]
    ledger = record(
        *((b, b + 1.5 * HOUR, "maintenance") for b in begins), start=at("2026-01-01"), end=at("2027-01-01")
    )
    down = made(terms, ledger).availability.downtime
    assert down[[0, 2, 3, 11]].tolist() == [0, HOUR, 0, 0]


def test_excluded_time_is_out_of_both_or_counts_as_up():
    ledger = month((0, 74.4, "customer"), (100, 106.696, "provider"))
    for form, expected in (("out_of_both", 1 - 6.696 / 669.6), ("counts_as_up", 1 - 6.696 / 744)):
        terms = terms_of(excludes=[{"cause": "customer"}], excluded_time=form)
        assert made(terms, ledger).availability.eligible == pytest.approx([expected], abs=1e-12)
        assert made(terms, ledger).availability.gross == pytest.approx([1 - 81.096 / 744], abs=1e-12)


def test_a_month_that_is_excluded_whole_leaves_nothing_to_measure():
    result = made(terms_of(excludes=[{"cause": "suspended"}]), month((-5, 800, "suspended")))
    assert np.isnan(result.availability.eligible).tolist() == [True]
    assert result.judged[0].met.tolist() == [True]


def test_an_open_outage_lasts_until_the_record_ends():
    ledger = record((at("2026-10-31"), OPEN, "provider"), start=at("2026-10-01"), end=at("2026-12-01"))
    assert made(terms_of(), ledger).availability.downtime.tolist() == [DAY, 30 * DAY]


MINIMUM = [(1, 1.1, "provider"), (5, 5.25, "provider"), (9, 9.2, "provider"), (9.2, 9.5, "carrier")]


@pytest.mark.parametrize(
    ("measured", "minutes", "count"),
    [
        ({"min_outage": "15m"}, 45, 2),
        ({"min_outage": "15m", "counts": "excess"}, 15, 1),
        ({"min_outage": "51m", "continuous": False}, 51, 3),
        ({"min_outage": "52m", "continuous": False}, 0, 3),
        ({"min_outage": "50m", "continuous": False, "counts": "excess"}, 1, 3),
    ],
)
def test_minimum_of_each_outage_or_of_all(measured, minutes, count):
    terms = terms_of(
        measured=measured,
        objectives=[{"name": "downtime", "at_most": "1m"}, {"name": "outages", "at_most": 1}],
    )
    down, outages = made(terms, month(*MINIMUM)).judged
    assert down.actual == pytest.approx([60 * minutes])
    assert outages.actual.tolist() == [count]


OCTOBER = at("2026-10-01")


def clocked(clock: dict[str, str], **columns: list[float]) -> tuple[float, tuple[str, ...]]:
    ledger = month((10, 12, "provider"), (20, 21, "provider"), **columns)
    result = made(terms_of(measured={"clock": clock}), ledger)
    return float(result.availability.downtime[0]) / HOUR, result.not_assessed


def hours(*values: float) -> list[float]:
    return [OCTOBER + value * HOUR for value in values]


def test_the_clock_starts_with_the_ticket_and_outages_without_do_not_count():
    down, notes = clocked({"from": "ticket_opened"}, ticket_opened=hours(10.5, NAN))
    assert down == 1.5
    assert notes == ("The clock starts with ticket_opened: outages without it do not count.",)
    assert clocked({"from": "ticket_opened"}, ticket_opened=hours(12.5, 19))[0] == 1.0


def test_the_clock_stops_with_the_ticket():
    down, notes = clocked({"to": "ticket_closed"}, ticket_closed=hours(15, 20.5))
    assert (down, notes) == (5.5, ())
    down, notes = clocked({"to": "ticket_closed"}, ticket_closed=hours(15, NAN))
    assert down == 6.0
    assert notes == ("The clock runs until the ticket is closed: where none is, until the service is back.",)


def test_restored_goes_before_the_end_of_the_row():
    assert clocked({}, restored=hours(11, NAN))[0] == 2.0
    assert clocked({}, restored=hours(13, 22))[0] == 5.0


def test_only_the_last_piece_of_an_outage_lasts_until_its_ticket_is_closed():
    terms = terms_of(measured={"clock": {"to": "ticket_closed"}}, excludes=[{"cause": "customer"}])
    for first, last, down in (("customer", "provider", 3), ("provider", "customer", 1)):
        ledger = month((10, 11, first), (11, 12, last), ticket_closed=hours(14, 14))
        assert made(terms, ledger).availability.downtime.tolist() == [down * HOUR]


def test_a_clock_without_its_column_is_not_assessed():
    result = made(terms_of(measured={"clock": {"from": "detected"}}), month((10, 12, "provider")))
    assert result.judged[0].not_assessed == "the clock needs detected, which the record does not have"
    assert np.isnan(result.availability.eligible[0])
    assert result.availability.gross == pytest.approx([1 - 2 / 744])
    assert result.credits.due.tolist() == [0]


def test_scopes_are_told_apart_and_a_row_without_one_hits_all():
    terms = terms_of(
        objectives=[
            {"name": "downtime", "at_most": "1h"},
            {"name": "downtime", "scope": "portal", "at_most": "1h"},
            {"name": "downtime", "scope": "fax", "at_most": "1h"},
        ]
    )
    rows_ = [(1, 2, "provider"), (3, 5, "provider"), (7, 11, "provider")]
    ledger = month(*rows_, scope=["core_voice", "portal", None], scopes=("core_voice", "portal"))
    voice, portal, fax = made(terms, ledger).judged
    assert (voice.actual[0], portal.actual[0]) == (5 * HOUR, 6 * HOUR)
    assert fax.not_assessed == "the record does not cover fax"


def test_user_minutes_are_weighted_by_who_was_hit():
    terms = terms_of(measured={"by": "user_minutes"}, excludes=[{"cause": "customer"}])
    rows_ = [(0, 10, "provider"), (5, 15, "provider"), (20, 21, "provider"), (30, 40, "customer")]
    ledger = month(*rows_, affected_users=[25, 50, NAN, 50], users=100.0)
    result = made(terms, ledger)
    # Where outages overlap, the larger share counts: 5 h at 25 %, 10 h at 50 %, 1 h of all.
    assert result.availability.downtime == pytest.approx([HOUR * (1.25 + 5 + 1)])
    assert result.availability.eligible == pytest.approx([1 - 7.25 / (744 - 5)])
    unknown = made(terms, replace(ledger, users=None))
    assert unknown.availability.downtime == pytest.approx([HOUR * 16])
    assert unknown.not_assessed[0].startswith("User-minutes: ")


def test_claims_need_a_ticket_and_a_paid_account():
    claims = {"automatic": False, "ticket": True, "good_standing": True}
    credits = [{"objective": "availability", "flat": "10%"}]
    terms: Terms = terms_of(claims=claims, credits=credits)
    ledger = month((1, 11, "provider"), (20, 21, "provider"), ticket_opened=hours(NAN, 20))
    result = made(terms, ledger)
    assert result.availability.eligible == pytest.approx([1 - 11 / 744])
    assert result.availability.claimed == pytest.approx([1 - 1 / 744])
    assert result.credits.due == pytest.approx([0.1])
    assert made(terms, month((1, 11, "provider"), ticket_opened=[NAN])).credits.due.tolist() == [0]
    unpaid = made(terms, ledger, good_standing=False)
    assert (unpaid.availability.claimed.tolist(), unpaid.credits.due.tolist()) == ([1.0], [0.0])
