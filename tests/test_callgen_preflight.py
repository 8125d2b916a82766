"""A plan that could break a cap is known before its first call, and one that cannot is let through."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgen.guarding.caps import DAY, HOUR, Caps, Limits, Worst
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard, RefusedError
from callgen.guarding.preflight import Excess, Planned, needs, preflight

NOW = 1e9
PRICES = {"atlantic": 0.0042, "boreal": 0.0057}
CAPS = Caps(
    at_once=2,
    calls_per_hour=60,
    calls_per_day=1200,
    minutes_per_day=1200,
    spend_per_day=8.0,
    short_calls_at_most=0.10,
    cost_per_minute=PRICES,
)
"""The guard of the plan for production trunks, and its one test over both trunks."""
ECHO = [Planned("echo-number", trunk, 300.0, 12.0, repeats=1, jitter=30.0) for trunk in PRICES]


def need(cap: str, planned: list[Planned] = ECHO, caps: Caps = CAPS, trunk: str | None = None) -> Excess:
    (found,) = [n for n in needs(planned, caps, NOW) if (n.cap, n.trunk) == (cap, trunk)]
    return found


# ---- the plan for production trunks, by hand


def test_the_needs_of_the_production_plan_by_hand():
    # An hour, 2 x 30 s of jitter and up to 72 s to the second try hold 12.4 times 5 min: 13 calls. A day
    # holds 288.4: 289.
    # Each over two trunks, each placed twice; 12 s are a whole minute.
    assert preflight(ECHO, CAPS, NOW) == []
    assert need("at_once").need == 1.0  # 2 x 2 x (60 + 12) / 300 = 0.96, and a call is one
    assert need("calls_per_hour").need == 13 * 2 * 2 == 52
    assert need("calls_per_day").need == 289 * 2 * 2 == 1156
    assert need("minutes_per_day").need == 1156
    assert need("spend_per_day").need == pytest.approx(578 * 0.0042 + 578 * 0.0057) == pytest.approx(5.7222)
    assert need("short_calls_at_most").need == 0.0
    assert len(needs(ECHO, CAPS, NOW)) == 6


@pytest.mark.parametrize(
    ("cap", "most"),
    [("calls_per_hour", 51), ("calls_per_day", 1155), ("minutes_per_day", 1155), ("spend_per_day", 5.72)],
)
def test_one_less_is_too_little(cap, most):
    (excess,) = preflight(ECHO, replace(CAPS, **{cap: most}), NOW)
    assert (excess.cap, excess.trunk, excess.limit, excess.over) == (cap, None, most, True)


def test_the_arithmetic_is_told_in_words():
    assert need("spend_per_day").words == (
        "spend_per_day: echo-number over atlantic: 289 in 86400 s x 2 tries x 0.0042 = 2.4276; "
        "echo-number over boreal: 289 in 86400 s x 2 tries x 0.0057 = 3.2946; 5.7222 in all, "
        "within the 8 allowed"
    )
    (excess,) = preflight([replace(ECHO[0], every=None)], Caps(calls_per_day=1), NOW)
    assert excess.words == (
        "calls_per_day: echo-number over atlantic: once x 2 tries x 1 = 2; 2 in all, more than the 1 allowed"
    )


# ---- each cap


def test_without_caps_there_are_no_needs():
    assert needs(ECHO, Caps(), NOW) == []
    assert needs([], CAPS, NOW) == []


def test_a_call_that_may_run_over_a_minute_is_billed_the_next():
    for talk, minutes in ((0.0, 1), (59.0, 1), (59.5, 2), (60.0, 2), (119.0, 2)):
        once = [Planned("long", "atlantic", None, talk)]
        assert need("minutes_per_day", once).need == minutes


def test_a_trunks_own_caps_see_its_own_calls():
    caps = replace(CAPS, per_trunk={"boreal": Limits(calls_per_hour=25), "cirrus": Limits(calls_per_hour=0)})
    (excess,) = preflight(ECHO, caps, NOW)
    assert (excess.cap, excess.trunk, excess.need, excess.limit) == ("calls_per_hour", "boreal", 26, 25)
    assert excess.words.startswith("calls_per_hour of boreal: echo-number over boreal: 13 in 3600 s")


def test_calls_that_never_all_fit_at_once_are_too_many():
    assert need("at_once", [replace(plan, every=100.0) for plan in ECHO]).need == pytest.approx(2.88)
    assert need("at_once", [replace(plan, every=None) for plan in ECHO]).need == 1.0


def test_a_rate_is_met_on_average():
    caps = Caps(calls_per_second=0.01)
    assert need("calls_per_second", caps=caps).need == pytest.approx(4 / 300)
    assert [excess.cap for excess in preflight(ECHO, caps, NOW)] == ["calls_per_second"]


def test_short_calls_have_a_share_where_there_are_enough():
    short = Planned("ring", "atlantic", 3000.0, 6.0)
    assert need("short_calls_at_most", [short, *ECHO]).need == pytest.approx(29 / (29 + 578))
    assert [excess.cap for excess in preflight([short], CAPS, NOW)] == ["short_calls_at_most"]
    rare = need("short_calls_at_most", [replace(short, every=DAY)])
    assert (rare.need, rare.over) == (0.0, False)
    assert "which counts from 20 calls on" in rare.words


def test_spend_over_a_trunk_without_a_price_is_an_error():
    with pytest.raises(ValueError, match="cirrus needs a cost_per_minute"):
        preflight([replace(ECHO[0], trunk="cirrus")], CAPS, NOW)
    assert preflight([replace(ECHO[0], trunk="cirrus")], replace(CAPS, spend_per_day=None), NOW) == []


# ---- beside calls that were made already


def with_past(*calls: tuple[float, int], trunk: str = "atlantic") -> Counters:
    counters = Counters()
    for ago, minutes in calls:
        counters.reserve(Worst(trunk, minutes, 0.01, False, 1.0), Caps(), lambda ago=ago: NOW - ago)
    return counters


def test_calls_made_already_leave_less_for_this_plan():
    once = [Planned("once", "atlantic", None, 12.0)]
    past = with_past((HOUR + 1, 1), (HOUR - 1, 1), (10.0, 1))
    assert preflight(once, Caps(calls_per_hour=3, calls_per_day=4), NOW, past) == []
    (excess,) = preflight(once, Caps(calls_per_hour=2, minutes_per_day=4), NOW, past)
    assert excess.words == (
        "calls_per_hour: once over atlantic: once x 1 = 1; 2 from calls already made; 3 in all, "
        "more than the 2 allowed"
    )
    caps = Caps(per_trunk={"atlantic": Limits(calls_per_day=1)})
    assert preflight(once, caps, NOW, with_past((10.0, 1), trunk="boreal")) == []
    assert len(preflight(once, caps, NOW, with_past((10.0, 1)))) == 1


def test_a_plan_that_goes_on_after_a_pause_is_not_counted_twice():
    hourly = [Planned("hourly", "atlantic", HOUR, 12.0)]
    past = with_past(*((HOUR * n, 1) for n in range(24, 0, -1)))
    (found,) = needs(hourly, Caps(calls_per_day=24), NOW, past)
    assert found.need == 24


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(st.sampled_from([240.0, 300.0, 700.0, 1800.0]), st.integers(0, 2), st.floats(0.0, 60.0)),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.floats(1.0, 2 * HOUR), max_size=12),
    st.randoms(use_true_random=False),
)
def test_a_plan_that_is_let_through_is_never_stopped(tests, before, random):
    """Three hours of the plan at its worst under exactly the caps that it needs."""
    planned = [
        Planned(f"test {n}", "atlantic", every, 12.0, repeats, jitter)
        for n, (every, repeats, jitter) in enumerate(tests)
    ]
    past = with_past(*((ago, 1) for ago in sorted(before, reverse=True)))
    least = {n.cap: n.need for n in needs(planned, Caps(calls_per_hour=0, minutes_per_day=0), NOW, past)}
    caps = Caps(
        calls_per_hour=int(least["calls_per_hour"]), minutes_per_day=math.ceil(least["minutes_per_day"])
    )
    assert preflight(planned, caps, NOW, past) == []
    due = sorted(
        NOW
        + max(n * plan.every + random.uniform(-plan.jitter, plan.jitter), 0.0)
        + random.uniform(0.0, plan.ring + plan.talk) * (tried > 0)
        for plan in planned
        if plan.every is not None
        for n in range(int(3 * HOUR / plan.every))
        for tried in range(plan.calls)
    )
    times = iter(due)
    guard = Guard(["+12025550100"], ["127.0.0.1"], caps, past, clock=lambda: next(times))
    for _ in due:
        guard.invite("+12025550100", "sip:127.0.0.1", trunk="atlantic", seconds=12.0)


def test_the_need_is_what_a_plan_without_jitter_uses_and_one_less_stops_it():
    plan = [Planned("five minutes", "atlantic", 300.0, 12.0)]
    assert [excess.need for excess in preflight(plan, Caps(calls_per_hour=11), NOW)] == [12]
    times = itertools.count(NOW, 300.0)
    caps = Caps(calls_per_hour=11)
    guard = Guard(["+12025550100"], ["127.0.0.1"], caps, clock=lambda: next(times))
    for _ in range(11):
        guard.invite("+12025550100", "sip:127.0.0.1", seconds=12.0)
    with pytest.raises(RefusedError, match="calls_per_hour: 11 so far"):
        guard.invite("+12025550100", "sip:127.0.0.1", seconds=12.0)
