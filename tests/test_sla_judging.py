"""Objectives: what is measured of each, and when a window breaks it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_plays import PBX, play
from scipy import special
from sla_cases import DAY, HOUR, NAN, at, made, month, record, terms_of, volumes

from carriers.calendars import ALWAYS
from carriers.hours import parse_hours
from carriers.laws import Exponential, Fixed, Lognormal
from results.ledger import Kind, Ledger, Requests
from results.timeline import Branch, Condition
from sla.answers import kept_by, open_seconds
from sla.assessment import Judged
from sla.volumes import Way, late_percentile
from sla.windows import zone_around

OCTOBER = at("2026-10-01")


def judged(objective: dict[str, object], ledger: Ledger, **parts: object) -> Judged:
    (one,) = made(terms_of(objectives=[objective], **parts), ledger, has=parts.pop("has", frozenset())).judged
    return one


def requests(*rows: tuple[Kind, str, float, float, float, float]) -> Ledger:
    """October 2026 with requests: kind, priority, opened, responded, resolved (hours), hours waited."""
    names = sorted({row[1] for row in rows})
    columns = np.array([row[2:] for row in rows]).T * HOUR
    columns[:3] += OCTOBER
    found = Requests(
        kind=np.array([row[0] for row in rows], dtype=np.int32),
        priority=np.array([names.index(row[1]) for row in rows], dtype=np.int32),
        priorities=tuple(names),
        opened=columns[0],
        responded=columns[1],
        resolved=columns[2],
        waiting=columns[3],
        kinds=(Kind.TICKET, Kind.CHANGE),
    )
    return replace(month(), requests=found)


@pytest.mark.parametrize(
    ("objective", "actual", "met"),
    [
        ({"name": "availability", "at_least": "99%"}, 1 - 6 / 744, True),
        ({"name": "availability", "at_least": "99.2%"}, 1 - 6 / 744, False),
        ({"name": "downtime", "at_most": "6h"}, 6 * HOUR, True),
        ({"name": "mttr", "at_most": "2h"}, 2 * HOUR, True),
        ({"name": "mttr", "at_most": "119m"}, 2 * HOUR, False),
        ({"name": "time_to_restore", "at_most": "2h"}, 3 * HOUR, False),
        ({"name": "mtbf", "at_least": "246h"}, 246 * HOUR, True),
        ({"name": "outages", "at_most": 2}, 3, False),
    ],
)
def test_objectives_of_outages(objective, actual, met):
    one = judged(objective, month((10, 11, "provider"), (50, 52, "provider"), (100, 103, "provider")))
    assert one.actual == pytest.approx([actual])
    assert one.met.tolist() == [met]


@pytest.mark.parametrize("share", ["99%", "99.9%", "99.95%", "99.99%", "99.999%"])
def test_a_window_that_just_reaches_its_target_keeps_it(share):
    allowed = (100 - float(share[:-1])) / 100 * 720 * HOUR
    terms = terms_of(objectives=[{"name": "availability", "at_least": share}])
    begin = at("2026-09-10 03:17")
    for more, met in ((0.0, True), (0.001, False)):
        ledger = record(
            (begin, begin + round(allowed, 3) + more, "provider"), start=at("2026-09-01"), end=OCTOBER
        )
        assert made(terms, ledger).judged[0].met.tolist() == [met]


def test_a_window_without_outages_keeps_all():
    for objective in (
        {"name": "mttr", "at_most": "1m"},
        {"name": "mtbf", "at_least": "1y"},
        {"name": "time_to_restore", "at_most": "1m"},
    ):
        one = judged(objective, month())
        assert (np.isnan(one.actual).tolist(), one.met.tolist()) == ([True], [True])


def test_only_the_nth_broken_window_in_a_row_is_a_breach():
    start, end = at("2026-01-01"), at("2026-09-01")
    bad = [at(f"2026-0{number}-10") for number in (2, 4, 5, 6, 8)]
    ledger = record(*((begin, begin + DAY, "provider") for begin in bad), start=start, end=end)
    one = judged({"name": "availability", "at_least": "99.9%", "consecutive": 2}, ledger)
    assert one.met.tolist() == [True, True, True, True, False, False, True, True]


@pytest.mark.parametrize(
    ("objective", "why"),
    [
        ({"name": "mos", "at_least": 4.0}, "the record has no voice quality (MOS)"),
        ({"name": "asr", "at_least": "50%"}, "the record has no answered calls"),
        ({"name": "ner", "at_least": "99%"}, "the record has no numbers of calls"),
        ({"name": "post_dial_delay", "p95_at_most": "6s"}, "the record has no numbers of calls"),
        (
            {"name": "notification", "at_most": "15m"},
            "the record does not say when customers were told of outages",
        ),
        ({"name": "support_response", "at_most": "15m"}, "the record has no support tickets"),
        (
            {"name": "availability", "at_least": "99%", "requires": "geo_redundant"},
            "it holds only for a customer who has geo_redundant",
        ),
        ({"name": "availability", "at_least": "99%", "window": "year"}, "the record holds no whole year"),
    ],
)
def test_what_the_record_cannot_tell_is_not_assessed(objective, why):
    result = made(terms_of(objectives=[objective]), month((1, 2, "provider")))
    assert result.judged[0].not_assessed == why
    assert any(why in note for note in result.not_assessed)


def test_terms_that_require_something_hold_for_who_has_it():
    terms = terms_of(requires=["geo_redundant"], credits=[{"objective": "availability", "flat": "10%"}])
    ledger = month((1, 10, "provider"))
    assert made(terms, ledger).credits.due.tolist() == [0]
    assert made(terms, ledger, has=frozenset({"geo_redundant"})).credits.due.tolist() == [0.1]


def test_notification_counts_from_the_outage_and_never_told_is_late():
    rows = [(10, 12, "provider"), (20, 21, "provider"), (30, 31, "maintenance")]
    told = [OCTOBER + 10.2 * HOUR, NAN, OCTOBER]
    ledger = month(*rows, notice_given=told)
    parts = {"excludes": [{"cause": "maintenance", "notice": "1d"}]}
    strict = judged({"name": "notification", "at_most": "15m"}, ledger, **parts)
    assert strict.actual == pytest.approx([(744 - 20) * HOUR])
    half = judged({"name": "notification", "at_most": "15m", "share": "50%"}, ledger, **parts)
    assert (half.actual.round().tolist(), half.met.tolist()) == ([720], [True])
    ahead = month((10, 12, "provider"), notice_given=[OCTOBER])
    assert judged({"name": "notification", "at_most": "15m"}, ahead).actual.tolist() == [0]
    unknown = judged({"name": "notification", "at_most": "15m"}, replace(ledger, notifies=False))
    assert unknown.not_assessed is not None


def test_requests_are_judged_by_kind_priority_and_share():
    ledger = requests(
        (Kind.TICKET, "P1", 10, 10.2, 12, 0),
        (Kind.CHANGE, "P1", 11, 30, 60, 0),
        (Kind.TICKET, "P2", 12, 20, 30, 6),
        (Kind.TICKET, "P1", 13, 13.5, 14, 0),
        (Kind.TICKET, "P1", 743, NAN, NAN, 0),
    )
    response = {"name": "support_response", "at_most": "15m", "priority": "P1"}
    assert judged(response, ledger).actual == pytest.approx([HOUR])
    assert judged({**response, "share": "33%"}, ledger).met.tolist() == [True]
    assert judged({**response, "share": "34%"}, ledger).met.tolist() == [False]
    waited = {"name": "support_resolution", "at_most": "12h", "priority": "P2"}
    assert judged(waited, ledger).actual == pytest.approx([18 * HOUR])
    assert judged({**waited, "stops_while_waiting": True}, ledger).met.tolist() == [True]
    assert judged({"name": "change_request", "at_most": "72h"}, ledger).actual == pytest.approx([49 * HOUR])
    unknown = judged({**response, "priority": "P9"}, ledger)
    assert (unknown.not_assessed, len(unknown.met)) == ("the record knows no priority P9", 0)
    covered = replace(ledger, requests=replace(ledger.requests, priorities=("P1", "P2", "P9")))
    none_opened = judged({**response, "priority": "P9"}, covered)
    assert (np.isnan(none_opened.actual).tolist(), none_opened.met.tolist()) == ([True], [True])
    bare = replace(ledger.requests, priority=np.where(ledger.requests.kind == Kind.CHANGE, -1, 0))
    change = {"name": "change_request", "at_most": "72h", "priority": "P1"}
    assert (
        judged(change, replace(ledger, requests=bare)).not_assessed
        == "the record does not tell priorities of change requests"
    )
    assert (
        judged({"name": "defect_fix", "at_most": "72h"}, ledger).not_assessed
        == "the record has no software defects"
    )


def test_only_business_hours_count():
    ledger = requests((Kind.TICKET, "P1", 24 + 17, 24 * 4 + 9, 24 * 4 + 9, 0))  # Friday 17:00 to Monday 9:00
    objective = {"name": "support_response", "at_most": "2h", "hours": "Mon-Fri 08:00-18:00"}
    assert judged(objective, ledger).actual == pytest.approx([2 * HOUR])
    assert judged(objective, ledger).met.tolist() == [True]


def test_open_time_is_physical_time_over_a_clock_change():
    zone = zone_around("Europe/Berlin", at("2026-03-01"), at("2026-04-01"))
    start, end = (
        np.array([at("2026-03-28 22:00", "Europe/Berlin")]),
        np.array([at("2026-03-29 06:00", "Europe/Berlin")]),
    )
    assert open_seconds(parse_hours("Sun 01:00-04:00"), zone, start, end).tolist() == [2 * HOUR]
    assert open_seconds(ALWAYS, zone, start, end).tolist() == [7 * HOUR]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 9), max_size=20), st.floats(0.01, 1), st.integers(0, 20), st.integers(0, 20))
def test_what_a_share_keeps_to(values, share, one, other):
    first, last = sorted((min(one, len(values)), min(other, len(values))))
    (found,) = kept_by(np.array(values, dtype=float), np.array([first]), np.array([last]), share).tolist()
    part = values[first:last]
    if not part:
        assert np.isnan(found)
        return
    enough = [value for value in sorted(part) if sum(x <= value for x in part) >= share * len(part) - 1e-9]
    assert found == enough[0]


def test_post_dial_delay_is_the_percentile_of_the_calls_of_each_window():
    fast, late = Exponential(1.0), Exponential(2.0)
    ways = (
        Branch("atlantic", 1, 0.0, fast, 60.0, np.full(168, 1.0)),
        Branch("boreal", 2, 4.0, late, 60.0, np.full(168, 1.0)),
    )
    calls = replace(
        volumes((OCTOBER, OCTOBER + 31 * DAY, 0.0)),
        conditions=(
            Condition("nominal", np.zeros(168), ways[:1]),
            Condition("rerouted", np.zeros(168), ways[1:]),
        ),
    )
    ledger = record(start=at("2026-09-01"), end=at("2026-11-01"), calls=calls)
    one = judged({"name": "post_dial_delay", "p95_at_most": "6s"}, ledger)
    assert one.actual == pytest.approx([np.log(20), 4 + 2 * np.log(20)], rel=1e-4)
    assert one.met.tolist() == [True, False]


def test_percentiles_agree_with_the_target_however_near_it_is():
    way = Way(0.0, Lognormal(1.6, 3.4), 8.0)
    full = way.delay.cdf(np.array([8.0]))[0]  # type: ignore[union-attr]
    exact = 1.6 * (3.4 / 1.6) ** (float(special.ndtri(0.95 * full)) / 1.6448536269514722)
    for target in (exact * (1 - 1e-9), exact * (1 + 1e-9)):
        found = late_percentile((way,), np.array([[10.0], [0.0]]), 0.95, target)
        assert found is not None
        assert (found[0] <= target) == (exact <= target)
        assert found[0] == pytest.approx(exact, rel=1e-4)
        assert np.isnan(found[1])


def test_a_fixed_delay_is_its_own_percentile_and_a_way_without_a_law_has_none():
    fixed = Way(0.5, Fixed(2.0), 8.0)
    found = late_percentile((fixed,), np.array([[3.0]]), 0.95, 6.0)
    assert found is not None
    assert found.tolist() == pytest.approx([2.5])
    assert late_percentile((fixed._replace(delay=None),), np.array([[3.0]]), 0.95, 6.0) is None


def test_a_scenario_covers_the_priority_of_its_outages_though_there_be_none(tmp_path):
    ledger = play(tmp_path, PBX, years=1, mtbf="9000y").ledger
    assert not len(ledger.requests)
    response = {"name": "support_response", "at_most": "15m", "priority": "P1"}
    assert judged(response, ledger).met.tolist() == [True] * 12
    assert judged({**response, "priority": "P3"}, ledger).not_assessed == "the record knows no priority P3"
