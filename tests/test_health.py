"""A trunk's health: pings that fail and come back, calls that fail, planned work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carriers.health import CallRule, HealthRule, QualityRule, TrunkHealth, calls_to_trip
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from carriers.routing import Router

PINGS = HealthRule(ping_every=30.0, ping_timeout=2.0, down_after=3, up_after=2, hold_down=120.0)
CALLS = CallRule(of_last=20, share=0.6, hold=120.0)


def pinged(rule, *statuses):
    """A trunk after these answers, `ping_every` apart from 0 on."""
    trunk = TrunkHealth(rule, None)
    for k, status in enumerate(statuses):
        trunk.observe_ping(status, k * rule.ping_every)
    return trunk


def test_three_misses_in_a_row_mark_a_trunk_down():
    trunk = TrunkHealth(PINGS, None)
    assert [trunk.observe_ping(None, at) for at in (0.0, 30.0, 60.0, 90.0)] == [False, False, True, False]
    assert not trunk.up(90.0)


def test_one_good_ping_in_between_starts_the_count_again():
    assert pinged(PINGS, None, None, 200, None, None).up(150.0)


def test_it_comes_back_after_two_good_pings_and_not_before_the_hold_down():
    trunk = pinged(PINGS, None, None, None)
    back = {at: trunk.observe_ping(200, at) for at in (90.0, 120.0, 150.0, 179.9, 180.0)}
    assert back == {90.0: False, 120.0: False, 150.0: False, 179.9: False, 180.0: True}


def test_without_hold_down_the_second_good_ping_brings_it_back():
    rule = HealthRule(ping_every=30.0, ping_timeout=2.0, down_after=1, up_after=2)
    trunk = pinged(rule, None)
    assert [trunk.observe_ping(200, 30.0), trunk.observe_ping(200, 60.0)] == [False, True]


def test_a_flapping_trunk_stays_down():
    trunk = pinged(PINGS, *[None, None, None], *[200, None] * 50)
    assert not trunk.up(1e4)


def test_a_flapping_trunk_that_never_misses_often_enough_stays_up():
    assert pinged(PINGS, *[None, None, 200] * 50).up(1e4)


@pytest.mark.parametrize(("any_answer", "good"), [(False, [True, False, False]), (True, [True, True, False])])
def test_which_answers_count(any_answer, good):
    rule = HealthRule(30.0, 2.0, 3, 2, any_answer_counts=any_answer)
    assert [rule.good(status) for status in (204, 503, None)] == good


@pytest.mark.parametrize("status", [0, 100, 199, 700])
def test_a_ping_ends_with_a_final_status(status):
    with pytest.raises(ValueError, match=f"not {status}"):
        PINGS.good(status)


def test_a_ping_without_a_rule_is_an_error():
    with pytest.raises(ValueError, match="no rule"):
        TrunkHealth(None, CALLS).observe_ping(200, 0.0)


@given(
    st.lists(st.booleans(), max_size=30),
    st.booleans(),
    st.lists(st.booleans(), max_size=12),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([0.0, 45.0]),
)
def test_what_is_settled_cannot_be_told_from_a_trunk_that_was_pinged_on(
    past, good, future, down_after, up_after, hold_down
):
    rule = HealthRule(10.0, 1.0, down_after, up_after, hold_down)
    answers = [200 if answer else None for answer in past]
    one, other = pinged(rule, *answers), pinged(rule, *answers)
    if not one.settled(good):
        return
    now = 10.0 * len(past)
    for _ in range(5):
        assert not other.observe_ping(200 if good else None, now)
        now += 10.0
    for answer in future:
        status = 200 if answer else None
        assert one.observe_ping(status, now) == other.observe_ping(status, now)
        now += 10.0


@given(st.lists(st.booleans(), max_size=12), st.booleans(), st.integers(0, 12), st.sampled_from([0.0, 1.0]))
def test_pings_in_a_row_are_taken_in_as_one_by_one(past, good, count, wait):
    rule = HealthRule(10.0, 1.0, down_after=3, up_after=2, hold_down=45.0)
    answers = [200 if answer else None for answer in past]
    one, other = pinged(rule, *answers), pinged(rule, *answers)
    status, first = 200 if good else None, 10.0 * len(past)
    ends = [first + 10.0 * k + wait for k in range(count)]
    changed = [one.observe_ping(status, end) for end in ends]
    until = first + 10.0 * count + wait - 1.0
    assert other.observe_pings(status, first, wait, until) == (any(changed), first + 10.0 * count)
    assert one.up_from == other.up_from
    assert all(one.next_change(kind) == other.next_change(kind) for kind in (True, False))


@pytest.mark.parametrize("good", [True, False])
def test_pings_of_one_kind_settle_a_trunk(good):
    trunk = pinged(PINGS, None, 200, None, None)
    assert not trunk.settled(good)
    for k in range(7):
        trunk.observe_ping(200 if good else None, 200.0 + 30.0 * k)
    assert trunk.settled(good)
    assert not trunk.settled(not good)


def test_a_trunk_without_pings_is_settled():
    assert TrunkHealth(None, CALLS).settled(False)


def one_trunk(rule):
    """A policy with one trunk, pinged by this rule."""
    return RoutingPolicy(
        order=Order.PRIORITY,
        routes=(Route(0),),
        advance_on=frozenset(),
        no_reply_timeout=4.0,
        progress_timeout=8.0,
        ring_timeout=60.0,
        max_attempts=1,
        trunks=(Trunk("atlantic/1", 0),),
        carriers=(Carrier("atlantic", (0,), None, None, 0.01, None),),
        health=rule,
    )


def marked_down_after(rule, phase, failure):
    """Seconds from a trunk's falling silent to its being marked down, each ping awaited in turn."""
    router = Router(one_trunk(rule), [phase])
    at = router.next_ping_of(0, 0.0)
    for _ in range(1000):
        known = at if at < failure else at + rule.ping_timeout
        if router.observe_ping(0, 200 if at < failure else None, known):
            assert router.beliefs(known) == (False,)
            return known - failure
        at = router.next_ping_of(0, at)
    raise AssertionError("never marked down")


@given(
    st.floats(5.0, 120.0),
    st.floats(0.1, 4.0),
    st.integers(1, 5),
    st.floats(0.0, 0.999),
    st.floats(0.0, 1000.0),
)
def test_a_silent_trunk_is_marked_down_in_time(every, timeout, misses, share, failure):
    rule = HealthRule(every, timeout, down_after=misses, up_after=2)
    seconds = marked_down_after(rule, share * every, failure)
    slack = 1e-9 * (failure + every)
    assert (misses - 1) * every + timeout - slack <= seconds <= misses * every + timeout + slack


def test_the_time_to_mark_down_is_uniform_over_the_ping_phase():
    phases = np.arange(0.5, 100.0) / 100.0 * PINGS.ping_every
    seconds = np.sort([marked_down_after(PINGS, phase, 3000.0) for phase in phases])
    assert seconds == pytest.approx(62.0 + phases)


def test_twelve_failures_among_the_last_twenty_calls_take_a_trunk_out_for_two_minutes():
    trunk = TrunkHealth(None, CALLS)
    answers = [trunk.observe_call(True, float(second)) for second in range(12)]
    assert answers == [False] * 11 + [True]
    assert not trunk.up(130.9)
    assert trunk.up(131.0)


def test_failures_further_back_than_the_window_are_forgotten():
    trunk = TrunkHealth(None, CALLS)
    calls = [True] * 11 + [False] * 20 + [True] * 11
    assert not any(trunk.observe_call(failed, 0.0) for failed in calls)


def test_the_window_starts_again_when_the_trunk_is_put_back():
    trunk = TrunkHealth(None, CALLS)
    for _ in range(12):
        trunk.observe_call(True, 0.0)
    late = [trunk.observe_call(True, 60.0) for _ in range(20)]
    again = [trunk.observe_call(True, 120.0) for _ in range(12)]
    assert not any(late)
    assert again == [False] * 11 + [True]


def test_the_window_starts_again_after_planned_work():
    trunk = TrunkHealth(None, CALLS)
    for _ in range(11):
        trunk.observe_call(True, 0.0)
    trunk.drain(True)
    assert not trunk.up(1.0)
    trunk.drain(False)
    assert trunk.up(1.0)
    assert not trunk.observe_call(True, 1.0)


def test_the_window_starts_again_after_a_silence():
    trunk = TrunkHealth(HealthRule(30.0, 2.0, 1, 1), CALLS)
    for _ in range(11):
        trunk.observe_call(True, 0.0)
    trunk.observe_ping(None, 0.0)
    trunk.observe_ping(200, 30.0)
    assert not trunk.observe_call(True, 30.0)


def test_pings_and_calls_each_have_to_be_content():
    trunk = TrunkHealth(HealthRule(30.0, 2.0, 1, 1), CALLS)
    trunk.take_out(0.0)
    assert not trunk.observe_ping(None, 30.0), "it was out already"
    assert not trunk.up(120.0)
    assert trunk.observe_ping(200, 150.0)


def test_nothing_is_taken_out_without_a_rule():
    trunk = TrunkHealth(PINGS, None)
    assert not any(trunk.observe_call(True, 0.0) for _ in range(100))
    with pytest.raises(ValueError, match="no rule"):
        trunk.take_out(0.0)


@pytest.mark.parametrize(
    ("of_last", "share", "needed"),
    [(20, 0.6, 12), (100, 0.07, 7), (20, 0.61, 13), (3, 1.0, 3), (10, 0.01, 1)],
)
def test_calls_needed(of_last, share, needed):
    assert CallRule(of_last, share, 60.0).needed == needed


@given(
    st.integers(1, 12),
    st.floats(0.01, 1.0),
    st.lists(st.booleans(), max_size=20),
    st.lists(st.booleans(), max_size=60),
)
def test_the_draw_agrees_with_call_by_call(of_last, share, earlier, calls):
    rule = CallRule(of_last, share, 60.0)
    trunk = TrunkHealth(None, rule)
    before = [False] * of_last
    for k, failed in enumerate(earlier):  # so far apart that it is back before the next
        before = [False] * of_last if trunk.observe_call(failed, 100.0 * k) else [*before, failed][1:]
    now = 100.0 * len(earlier)
    one_by_one = next((k for k, failed in enumerate(calls) if trunk.observe_call(failed, now)), -1)
    rows = np.array([calls, calls], dtype=bool), np.array([before, [False] * of_last])
    assert calls_to_trip(rule, *rows)[0] == one_by_one


POOR = QualityRule(3.5, CallRule(of_last=4, share=0.5, hold=100.0))


def test_calls_that_sound_poor_take_a_trunk_out():
    trunk = TrunkHealth(None, None, POOR)
    assert [trunk.observe_quality(mos, float(t)) for t, mos in enumerate([3.4, 4.2, 4.2, 4.2])] == [False] * 4
    # The first has left the window of four by now.
    assert not trunk.observe_quality(3.49, 5.0)
    assert trunk.observe_quality(1.0, 6.0)
    assert (trunk.up(105.9), trunk.up(106.0)) == (False, True)
    # It starts anew, as if filled with good calls.
    assert not trunk.observe_quality(1.0, 106.0)


def test_a_call_that_one_side_does_not_hear_is_a_poor_one_and_the_level_itself_is_not():
    trunk = TrunkHealth(None, None, POOR)
    assert not trunk.observe_quality(3.5, 0.0)
    assert not trunk.observe_quality(3.5, 1.0)
    assert not trunk.observe_quality(None, 2.0)
    assert trunk.observe_quality(None, 3.0)


def test_calls_that_end_while_a_trunk_is_out_are_none_of_the_rules_business():
    trunk = TrunkHealth(None, None, POOR)
    trunk.take_out_as_poor(0.0)
    assert [trunk.observe_quality(1.0, t) for t in (1.0, 2.0, 3.0)] == [False] * 3
    assert trunk.up(100.0)


def test_the_longer_of_two_holds_counts():
    trunk = TrunkHealth(None, CallRule(of_last=1, share=1.0, hold=30.0), POOR)
    trunk.take_out_as_poor(0.0)
    trunk.take_out(10.0)
    assert (trunk.up(50.0), trunk.up(100.0)) == (False, True)
    with pytest.raises(ValueError, match="no rule for how long"):
        TrunkHealth(None, None).take_out_as_poor(0.0)


def test_without_a_rule_on_quality_nothing_happens():
    assert not TrunkHealth(None, None).observe_quality(1.0, 0.0)


def test_the_last_trunk_stays_though_its_calls_sound_poor():
    carriers = tuple(Carrier(name, (n,), None, None, 0.0, None) for n, name in enumerate("xy"))
    trunks = (Trunk("x/1", 0), Trunk("y/1", 1))
    routes = (Route(0), Route(1))
    timers = (4.0, 8.0, 60.0)
    policy = RoutingPolicy(Order.PRIORITY, routes, frozenset(), *timers, 2, trunks, carriers, poor_calls=POOR)
    router = Router(policy)
    assert [router.observe_quality(0, 1.0, t) for t in (0.0, 1.0)] == [False, True]
    assert [router.observe_quality(1, 1.0, t) for t in (2.0, 3.0, 4.0)] == [False] * 3
    assert router.beliefs(5.0) == (False, True)
    assert not router.take_out(1, 6.0, as_poor=True)
    assert router.observe_quality(1, 1.0, 101.0)  # x is back
    assert router.beliefs(102.0) == (True, False)
