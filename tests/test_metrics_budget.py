"""The error budget, against an account that is kept second by second."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch_events import NOW, plan_of

from callsim.metrics.budget import Budget, Past, views_of
from callsim.metrics.history import past_of
from callsim.metrics.names import WINDOWS
from callsim.plan import Plan
from results.store.entries import Call, Missed, new_id
from results.store.opening import open_store

HOLD = 600.0
SLA = {"availability": "99%"}
TRUNKS = ("atlantic/1", "atlantic/2", "boreal/1")
Result = tuple[int, str, bool | None]
"""Second, trunk, passed."""


def results() -> st.SearchStrategy[list[Result]]:
    one = st.tuples(
        st.integers(0, 3 * 3600), st.sampled_from(TRUNKS), st.sampled_from((True, False, False, None))
    )
    return st.lists(one, max_size=40).map(lambda found: sorted(found, key=lambda result: result[0]))


def second_by_second(found: list[Result], end: int) -> list[bool | None]:
    """Whether the service was up in each second; None: not known."""
    states: list[bool | None] = []
    for second in range(end):
        last = dict.fromkeys(TRUNKS)
        for at, trunk, passed in found:
            if at <= second:
                last[trunk] = passed if second < at + HOLD else None
        known = list(last.values())
        states.append(True if True in known else False if None not in known else None)
    return states


@settings(max_examples=40, deadline=None)
@given(results(), st.integers(1, 3))
def test_budget_is_what_counting_seconds_gives(found: list[Result], hours: int) -> None:
    end = 3600 * hours
    found = [result for result in found if result[0] < end]
    budget = Budget(plan_of(sla=SLA), NOW)
    for at, trunk, passed in found:
        budget.see(("echo", trunk), NOW + at, passed)
    budget.advance(NOW + end)
    states = second_by_second(found, end)
    down, known = states.count(False), len(states) - states.count(None)
    assert budget.availability == (pytest.approx(1 - down / known) if known else None)
    assert budget.remaining == pytest.approx(1 - down / (0.01 * 31 * 86400))
    for window in WINDOWS.values():
        last = states[-int(window) :]
        known = len(last) - last.count(None)
        rate = budget.burn_rate(window)
        assert rate == (pytest.approx(last.count(False) / known / 0.01) if known else None)


@settings(max_examples=20, deadline=None)
@given(results(), st.lists(st.integers(0, 3 * 3600), max_size=10))
def test_looking_now_and_then_changes_nothing(found: list[Result], looks: list[int]) -> None:
    plain, looked = Budget(plan_of(sla=SLA), NOW), Budget(plan_of(sla=SLA), NOW)
    for at, trunk, passed in sorted([*found, *((at, "", None) for at in looks)], key=lambda one: one[0]):
        looked.advance(NOW + at)
        if trunk:
            plain.see(("echo", trunk), NOW + at, passed)
            looked.see(("echo", trunk), NOW + at, passed)
    for budget in (plain, looked):
        budget.advance(NOW + 4 * 3600)
    assert plain.remaining == pytest.approx(looked.remaining)
    assert plain.burn_rate(6 * 3600) == pytest.approx(looked.burn_rate(6 * 3600))


@settings(max_examples=20, deadline=None)
@given(results())
def test_restart_goes_on_where_it_was(found: list[Result]) -> None:
    through, after = Budget(plan_of(sla=SLA), NOW), Budget(plan_of(sla=SLA), NOW + 4 * 3600)
    for at, trunk, passed in found:
        through.see(("echo", trunk), NOW + at, passed)
    through.advance(NOW + 4 * 3600)
    after.restore([Past("echo", trunk, NOW + at, passed) for at, trunk, passed in found])
    assert after.remaining == pytest.approx(through.remaining)
    for window in WINDOWS.values():
        assert after.burn_rate(window) == pytest.approx(through.burn_rate(window))


def test_clock_that_is_put_back_counts_no_time_twice() -> None:
    budget = Budget(plan_of(sla=SLA), NOW)
    for trunk in TRUNKS:
        budget.see(("echo", trunk), NOW, False)
    budget.advance(NOW + 300)
    before = budget.remaining
    budget.advance(NOW)
    budget.advance(NOW + 300)
    assert budget.remaining == before


@pytest.mark.parametrize(("zone", "month"), [("UTC", (2026, 2)), ("Europe/Berlin", (2026, 2))])
def test_month_begins_anew_at_local_midnight(zone: str, month: tuple[int, int]) -> None:
    starts = dt.datetime(*month, 1, tzinfo=ZoneInfo(zone)).timestamp()
    budget = Budget(plan_of(sla=SLA, timezone=zone), starts - 7200)
    for trunk in TRUNKS:
        budget.see(("echo", trunk), starts - 300, False)
    budget.advance(starts - 1)
    assert budget.availability == 0.0
    budget.advance(starts)
    assert (budget.availability, budget.remaining) == (None, 1.0)
    budget.advance(starts + 300)
    assert budget.remaining == pytest.approx(1 - 300 / (0.01 * 28 * 86400))
    assert budget.burn_rate(3600) == pytest.approx(100.0), "windows know nothing of months"


def test_budget_of_a_month_with_a_clock_change() -> None:
    at = dt.datetime(2026, 3, 31, 23, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    budget = Budget(plan_of(sla=SLA, timezone="Europe/Berlin"), at)
    for trunk in TRUNKS:
        budget.see(("echo", trunk), at, False)
    budget.advance(at + 60)
    assert budget.remaining == pytest.approx(1 - 60 / (0.01 * (31 * 86400 - 3600)))


def test_year_of_sleep_is_quick_and_not_known() -> None:
    budget = Budget(plan_of(sla=SLA), NOW)
    budget.see(("echo", "boreal/1"), NOW, True)
    budget.advance(NOW + 366 * 86400)
    assert budget.availability is None
    assert budget.burn_rate(3 * 86400) is None


ROUTE = {"name": "route", "to": "+12025550100", "over": "route", "every": "1m", "jitter": "10s"}
ECHO = {"name": "echo", "to": "+12025550100", "over": "boreal", "every": "5m"}
ONCE = {"name": "once", "to": "+12025550100", "over": "boreal"}
INBOUND = {
    "name": "in",
    "direction": "inbound",
    "to": "+12025550100",
    "at": "atlantic",
    "from": "boreal",
    "every": "5m",
}
REGISTERED = [
    {"carrier": "atlantic", "uri": "sip:127.0.0.1:5071", "register": True},
    {"carrier": "boreal", "uri": "sip:127.0.0.1:5073"},
]


@pytest.mark.parametrize(
    ("tests", "views"),
    [
        ([ECHO, ROUTE, INBOUND], [{("route", "route"): 130.0}]),
        ([ECHO, INBOUND, ONCE], [{}, {("echo", "boreal/1"): 600.0}]),
        ([INBOUND, ONCE], [{}, {}]),
    ],
)
def test_whose_results_are_the_service(tests: list[Any], views: list[dict[tuple[str, str], float]]) -> None:
    routing = {"order": "priority", "routes": ["atlantic", "boreal"]}
    assert views_of(plan_of(tests=tests, routing=routing, trunks=REGISTERED)) == views


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [(False, True, 1.0), (False, None, 0.0), (None, None, None), (True, None, 1.0), (False, False, 0.0)],
)
def test_two_tests_over_a_trunk_are_two_views_of_it(
    first: bool | None, second: bool | None, share: float | None
) -> None:
    plan = plan_of(sla=SLA, tests=[ECHO, {**ECHO, "name": "other"}], trunks=REGISTERED[1:])
    budget = Budget(plan, NOW)
    budget.see(("echo", "boreal/1"), NOW, first)
    budget.see(("other", "boreal/1"), NOW, second)
    budget.advance(NOW + 60)
    assert budget.availability == share


def test_trunk_that_no_test_goes_over_leaves_open_whether_all_are_down() -> None:
    budget = Budget(plan_of(sla=SLA, tests=[ECHO], trunks=REGISTERED), NOW)
    budget.see(("echo", "boreal/1"), NOW, False)
    budget.advance(NOW + 60)
    assert budget.availability is None
    budget.see(("echo", "boreal/1"), NOW + 60, True)
    budget.advance(NOW + 120)
    assert budget.availability == 1.0


def test_new_plan_keeps_what_was_seen() -> None:
    budget = Budget(plan_of(sla=SLA), NOW)
    for trunk in TRUNKS:
        budget.see(("echo", trunk), NOW, False)
    smaller: Plan = plan_of(sla={"availability": "99.9%"}, trunks=REGISTERED[1:], tests=[ECHO])
    budget.use(smaller, NOW + 60)
    assert budget.remaining == pytest.approx(1 - 60 / (0.001 * 31 * 86400))
    budget.see(("echo", "boreal/1"), NOW + 120, True)
    budget.advance(NOW + 180)
    assert budget.availability == pytest.approx(1 / 3)


def test_past_is_read_from_a_store(tmp_path: Path) -> None:
    at = NOW + 20 * 86400
    plan = plan_of(sla=SLA)
    common = {"location": "berlin", "plan": plan.name, "test": "echo", "trunk": None, "carrier": None}

    def call(ended: float, passed: bool | None, **other: Any) -> Call:
        given = {**common, "number": "+12025550100", "outcome": "answered", "sip_status": 200, **other}
        return Call(
            id=new_id(ended),
            probe=new_id(ended),
            over="boreal/1",
            due_at=ended,
            started_at=ended - 10,
            ended_at=ended,
            passed=passed,
            **given,
        )

    with open_store(str(tmp_path / "store.db")) as store:
        store.write(
            [
                call(NOW + 60, True),
                call(NOW + 120, False),
                call(NOW + 150, False, last=False),
                call(NOW + 180, None),
                call(NOW - 86400, True),
                call(NOW + 60, True, location="oslo"),
                Missed(id=new_id(NOW), over="boreal/1", due_at=NOW + 240, reason="asleep", **common),
            ]
        )
        found = sorted(past_of(store, plan, "berlin", at), key=lambda past: past.at)
    assert [(past.at - NOW, past.passed) for past in found] == [
        (60, True),
        (120, False),
        (180, None),
        (240, None),
    ]
