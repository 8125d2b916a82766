"""How calls fare in a state of the trunks, against figures worked out by hand."""

from heapq import heappop, heappush

import numpy as np
import pytest
from sim_tables import (
    CLOSED,
    MAINTENANCE,
    SILENT,
    THIRD,
    TRYING,
    Fixed,
    calling,
    carrier,
    connects,
    failing_carrier,
    fare,
    play,
    routed,
    rows,
    traffic,
)

from carriers.calendars import HOUR
from carriers.erlang import erlang_b
from carriers.faults import Fault, Kind
from carriers.laws import Exponential, Lognormal
from carriers.policy import Order, Route
from carriers.profiles import PROFILES

LOAD = 18.0
"""Erlangs of `traffic()`."""
BUSY = Fault("refuses", Kind.REFUSES, status=486)
FAULTS = (SILENT, TRYING, THIRD, CLOSED, MAINTENANCE, BUSY)
SILENT_, TRYING_, THIRD_, CLOSED_, MAINTENANCE_, BUSY_ = range(6)


def failing(state):
    """Share of calls that fail, on Monday at midnight."""
    return pytest.approx(float(state.condition.failing[0]), abs=1e-12)


def one(**more):
    return calling(routed(carrier("x")), faults=FAULTS, **more)


def two(**more):
    return calling(routed(carrier("x"), carrier("y"), **more), faults=FAULTS)


# ---- one fault


def test_all_is_well():
    state = fare(two(), None, None)
    assert connects(state) == [("x", 1, 0.0, 1.0)]
    assert not state.down


@pytest.mark.parametrize(
    ("fault", "share", "branches"),
    [
        (THIRD_, 0.3, [("x", 1, 0.0, 0.7)]),
        (CLOSED_, 1.0, []),
        (SILENT_, 1.0, []),
        (TRYING_, 1.0, []),
        (MAINTENANCE_, 1.0, []),
    ],
)
def test_a_single_carrier_fails_what_its_fault_takes(fault, share, branches):
    state = fare(one(), fault)
    assert failing(state) == share
    assert connects(state) == branches
    assert state.down


@pytest.mark.parametrize(
    ("fault", "branches"),
    [
        (THIRD_, [("x", 1, 0.0, 0.7), ("y", 2, 0.0, 0.3)]),
        (CLOSED_, [("y", 2, 0.0, 1.0)]),
        (SILENT_, [("y", 2, 4.0, 1.0)]),
        (TRYING_, [("y", 2, 8.0, 1.0)]),
        (MAINTENANCE_, [("y", 2, 0.0, 1.0)]),
    ],
)
def test_a_second_carrier_takes_what_the_first_refuses_after_its_timeout(fault, branches):
    """A refusal comes at once, silence costs 4 s, a mere 100 costs 8 s."""
    state = fare(two(), fault, None)
    assert connects(state) == branches
    assert failing(state) == 0.0


def test_two_carriers_that_each_refuse_thirty_percent():
    state = fare(two(), THIRD_, THIRD_)
    assert [branch[:3] for branch in connects(state)] == [("x", 1, 0.0), ("y", 2, 0.0)]
    assert [branch[3] for branch in connects(state)] == pytest.approx([0.7, 0.21])
    assert failing(state) == 0.09


def test_each_silent_trunk_of_a_carrier_costs_its_timeout():
    tables = calling(routed(carrier("x", trunks=3), carrier("y")), faults=FAULTS)
    assert connects(fare(tables, SILENT_, SILENT_, SILENT_, None)) == [("y", 4, 12.0, 1.0)]
    assert connects(fare(tables, SILENT_, None, None, None)) == [("x", 2, 4.0, 1.0)]


def test_attempts_are_limited():
    tables = calling(routed(carrier("x", trunks=2), carrier("y"), max_attempts=2), faults=FAULTS)
    assert failing(fare(tables, SILENT_, SILENT_, None)) == 1.0
    assert failing(fare(tables, CLOSED_, None, None)) == 0.0


def test_a_status_outside_advance_on_fails_at_once():
    assert failing(fare(two(), BUSY_, None)) == 1.0


def test_a_timeout_fails_at_once_where_408_is_not_in_advance_on():
    assert failing(fare(two(advance_on=frozenset({503})), SILENT_, None)) == 1.0


# ---- what the router believes


def test_what_is_believed_down_is_not_tried():
    assert connects(fare(two(), SILENT_, None, believed=(False, True))) == [("y", 1, 0.0, 1.0)]
    assert connects(fare(two(), None, None, believed=(False, True))) == [("y", 1, 0.0, 1.0)]


def test_nothing_believed_up_is_refused_at_once():
    assert failing(fare(two(), None, None, believed=(False, False))) == 1.0


def test_all_refuse_is_down_and_the_platform_down_too():
    assert fare(two(), CLOSED_, CLOSED_).down


# ---- the delay


def test_a_slow_carrier_loses_what_would_ring_after_the_progress_timeout():
    """An exponential delay with a mean of 8 s: a share 1/e is cancelled after 8 s and goes on."""
    slow = Fault("slow", Kind.SLOW, post_dial_delay=Exponential(8.0))
    state = fare(calling(routed(carrier("x"), carrier("y")), faults=(slow,)), 0, None)
    lost = np.exp(-1.0)
    assert [branch[:3] for branch in connects(state)] == [("x", 1, 0.0), ("y", 2, 8.0)]
    assert [branch[3] for branch in connects(state)] == pytest.approx([1 - lost, lost])
    first, second = state.condition.branches
    assert (first.delay, first.limit) == (Exponential(8.0), 8.0)
    assert second.delay is None


def test_a_carrier_has_its_own_delay_and_a_share_beyond_the_timeout():
    delay = Lognormal(1.6, 3.4)
    state = fare(calling(routed(carrier("x", post_dial_delay=delay))), None)
    assert failing(state) == 1.0 - float(delay.cdf(np.asarray(8.0)))
    assert not state.down


# ---- channels


def channels(*numbers, **more):
    names = "xyz"
    policy = routed(*(carrier(names[n], channels=c) for n, c in enumerate(numbers)), **more)
    faults = (Fault("capacity", Kind.CAPACITY, channels_left=0.5), SILENT, CLOSED)
    return calling(policy, faults=faults)


def test_blocking_is_erlang_b_at_the_load_of_each_hour():
    profile = PROFILES["office_hours"]
    tables = calling(
        routed(carrier("x", channels=100)), faults=FAULTS, traffic=traffic(1800.0, 190.0, profile)
    )
    erlangs = 1800.0 * np.asarray(profile) * 190.0 / HOUR
    assert fare(tables, None).condition.failing == pytest.approx(erlang_b(erlangs, 100), abs=1e-12)


def test_ordered_hunting_is_erlang_b_on_the_channels_summed():
    state = fare(channels(10, 5, 4), None, None, None)
    assert failing(state) == float(erlang_b(LOAD, 19))
    carried = [0.0, *(1.0 - erlang_b(LOAD, c) for c in (10, 15, 19))]
    assert [share for *_, share in connects(state)] == pytest.approx(np.diff(carried))


def test_a_full_carrier_is_skipped_without_an_attempt_or_a_delay():
    assert [branch[:3] for branch in connects(fare(channels(10, 30), None, None))] == [
        ("x", 1, 0.0),
        ("y", 1, 0.0),
    ]


def test_a_carrier_that_lost_channels_has_the_rest():
    assert failing(fare(channels(20), 0)) == float(erlang_b(LOAD, 10))


def test_a_carrier_over_two_trunks_loses_the_share_of_the_one():
    """Half of the channels of one of two trunks: three quarters are left."""
    faults = (Fault("capacity", Kind.CAPACITY, channels_left=0.5),)
    tables = calling(routed(carrier("x", trunks=2, channels=20)), faults=faults)
    assert failing(fare(tables, 0, None)) == float(erlang_b(LOAD, 15))


@pytest.mark.parametrize("fault", [1, 2])
def test_the_channels_of_a_carrier_that_connects_nothing_are_none(fault):
    assert failing(fare(channels(30, 15), fault, None)) == float(erlang_b(LOAD, 15))


def lost_of(calls, first, refused, second, rng):
    """Share of Poisson calls that fail, played call by call: a carrier that refuses some, then another."""
    busy = [], []
    lost = 0
    now = 0.0
    for gap, hold, luck in zip(
        rng.exponential(1 / LOAD, calls), rng.exponential(1.0, calls), rng.random(calls), strict=True
    ):
        now += gap
        for ends in busy:
            while ends and ends[0] <= now:
                heappop(ends)
        if len(busy[0]) < first and luck >= refused:
            heappush(busy[0], now + hold)
        elif len(busy[1]) < second:
            heappush(busy[1], now + hold)
        else:
            lost += 1
    return lost / calls


@pytest.mark.parametrize(("first", "second"), [(20, 8), (12, 12), (10, 8)])
def test_refused_calls_and_overflow_share_the_second_carrier(first, second):
    """Wilkinson's approximation is good to some 3 % here; the play adds its own error."""
    calls = 100_000
    played = lost_of(calls, first, 0.3, second, np.random.default_rng(1))
    found = float(
        fare(
            calling(routed(carrier("x", channels=first), carrier("y", channels=second)), faults=FAULTS),
            THIRD_,
            None,
        ).condition.failing[0]
    )
    error = 2 * (played / calls) ** 0.5  # calls are lost in bursts, so twice the binomial one
    assert abs(found - played) < 0.03 * played + 4 * error


def test_a_carrier_too_slow_to_connect_carries_nothing():
    slow = Fault("slow", Kind.SLOW, post_dial_delay=Fixed(20.0))
    tables = calling(routed(carrier("x", channels=30), carrier("y", channels=20)), faults=(slow,))
    assert failing(fare(tables, 0, None)) == float(erlang_b(LOAD, 20))


def test_calls_per_second_skip_the_carrier_too():
    """3,600 calls an hour, one a second: E[(N - 1)+] = P(N = 0) of a Poisson number of mean 1."""
    policy = routed(carrier("x", calls_per_second=1.0), carrier("y"))
    state = fare(calling(policy, traffic=traffic(3600.0)), None, None)
    assert [branch[:3] for branch in connects(state)] == [("x", 1, 0.0), ("y", 1, 0.0)]
    assert [branch[3] for branch in connects(state)] == pytest.approx([1 - np.exp(-1.0), np.exp(-1.0)])


def test_erlangs_in_progress_follow_the_shares():
    state = fare(channels(10, 30), None, None)
    blocked = float(erlang_b(LOAD, 10))
    assert [trunk[0] for trunk in state.carried] == pytest.approx(
        [LOAD, LOAD * (1 - blocked), LOAD * blocked], rel=1e-5
    )


# ---- the order


def test_weighted_routes_share_the_calls():
    routes = (Route(0, 3.0), Route(1, 1.0), Route(2, 0.0))
    policy = routed(carrier("x"), carrier("y"), carrier("z"), order=Order.WEIGHTED, routes=routes)
    tables = calling(policy, faults=FAULTS)
    assert connects(fare(tables, None, None, None)) == [("x", 1, 0.0, 0.75), ("y", 1, 0.0, 0.25)]
    assert connects(fare(tables, CLOSED_, None, None)) == [("y", 1, 0.0, 0.25), ("y", 2, 0.0, 0.75)]
    assert connects(fare(tables, CLOSED_, CLOSED_, None)) == [("z", 3, 0.0, 1.0)]
    assert connects(fare(tables, None, None, None, believed=(False, True, True))) == [("y", 1, 0.0, 1.0)]


def test_weighted_routes_block_by_the_fixed_point():
    """Two alike carriers of 10 channels: each is offered half, and what the other refuses."""
    routes = (Route(0, 1.0), Route(1, 1.0))
    policy = routed(carrier("x", channels=10), carrier("y", channels=10), order=Order.WEIGHTED, routes=routes)
    state = fare(calling(policy), None, None)
    blocked = 0.3
    for _ in range(200):
        blocked = float(erlang_b(LOAD / 2 * (1 + blocked), 10))
    assert float(state.condition.failing[0]) == pytest.approx(blocked**2, rel=1e-5)


def test_the_cheapest_carrier_comes_first():
    policy = routed(carrier("x", cost_per_minute=0.02), carrier("y"), order=Order.LEAST_COST)
    assert connects(fare(calling(policy), None, None)) == [("y", 1, 0.0, 1.0)]


# ---- what is written down


def test_only_what_is_not_nominal_has_rows():
    """A standby carrier that fails changes nothing for callers, and yet is not nominal."""
    units = [failing_carrier("x", CLOSED_, HOUR), failing_carrier("y", CLOSED_, 30 * HOUR, takes=(1,))]
    run = play(calling(routed(carrier("x"), carrier("y")), units, FAULTS))
    assert [(start, end) for start, end, *_ in rows(run)] == [(HOUR, 2 * HOUR), (30 * HOUR, 31 * HOUR)]
    assert run.timeline.conditions[0].label == "nominal"
    assert {causes for *_, causes in rows(run)} == {()}


def test_a_scenario_that_is_down_at_busy_hours_records_its_nominal_condition_too():
    policy = routed(carrier("x", channels=60))
    units = [failing_carrier("x", CLOSED_, HOUR)]
    run = play(calling(policy, units, FAULTS, traffic=traffic(1800.0, 190.0, PROFILES["office_hours"])))
    assert [label for _, _, label, _ in rows(run)] == ["nominal", "x/1 refuses, believed up", "nominal"]
    line = run.timeline
    assert line.start.tolist() == [0.0, *line.end[:-1].tolist()]
    assert line.end[-1] == line.length


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_faults_of_a_kind_the_worse_shows(order):
    """A refusal of 30 % on top of a refusal of all makes nothing better."""
    faults = tuple((CLOSED, THIRD)[n] for n in order)
    units = [
        failing_carrier("x", order.index(0), HOUR, repair=4 * HOUR),
        failing_carrier("risk", order.index(1), 2 * HOUR),
    ]
    run = play(calling(routed(carrier("x")), units, faults))
    (number,) = set(run.timeline.condition)
    assert run.timeline.conditions[number].failing[0] == 1.0


def test_a_fault_of_one_trunk_leaves_the_others():
    tables = calling(routed(carrier("x", trunks=2)), [failing_carrier("x/1", SILENT_, HOUR)], FAULTS)
    (number,) = play(tables).timeline.condition
    (branch,) = play(tables).timeline.conditions[number].branches
    assert (branch.attempts, branch.offset, branch.share[0]) == (2, 4.0, 1.0)


def test_causes_name_the_carriers_without_whose_trouble_the_service_would_work():
    """x refuses all the time; y was needed only because of it. Later y alone fails, which nobody feels."""
    units = [
        failing_carrier("x", CLOSED_, HOUR, repair=6 * HOUR),
        failing_carrier("y", CLOSED_, 2 * HOUR, 20 * HOUR, takes=(1,)),
    ]
    run = play(calling(routed(carrier("x"), carrier("y")), units, FAULTS))
    assert [causes for *_, causes in rows(run)] == [(), ("x/fault", "y/fault"), (), ()]


def test_one_cause_that_takes_both_carriers_stands_alone():
    units = [
        failing_carrier("risk", SILENT_, HOUR, takes=(0, 1), repair=3 * HOUR),
        failing_carrier("z", CLOSED_, 2 * HOUR, takes=(2,)),
    ]
    policy = routed(carrier("x"), carrier("y"), carrier("z"), max_attempts=2)
    run = play(calling(policy, units, FAULTS))
    assert {causes for *_, causes in rows(run)} == {("risk/fault",)}
