"""The router: which trunks a call tries, when it goes on, and what it learns from pings."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carriers.health import CallRule, HealthRule
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from carriers.routing import Action, CallSetup, Outcome, Phase, Router

PINGS = HealthRule(ping_every=30.0, ping_timeout=2.0, down_after=3, up_after=2, hold_down=120.0)


def carrier(name, trunks, cost):
    return Carrier(
        name, trunks, channels=None, calls_per_second=None, cost_per_minute=cost, post_dial_delay=None
    )


ATLANTIC_1, ATLANTIC_2, BOREAL, CIRRUS = range(4)
POLICY = RoutingPolicy(
    order=Order.PRIORITY,
    routes=(Route(0), Route(1), Route(2)),
    advance_on=frozenset({408, 500, 502, 503, 504}),
    no_reply_timeout=4.0,
    progress_timeout=8.0,
    ring_timeout=60.0,
    max_attempts=4,
    trunks=(Trunk("atlantic/1", 0), Trunk("atlantic/2", 0), Trunk("boreal/1", 1), Trunk("cirrus/1", 2)),
    carriers=(
        carrier("atlantic", (0, 1), 0.02),
        carrier("boreal", (2,), 0.01),
        carrier("cirrus", (3,), 0.01),
    ),
    health=PINGS,
    failing_calls=CallRule(of_last=20, share=0.6, hold=120.0),
)


def start(trunks=(ATLANTIC_1, ATLANTIC_2, BOREAL, CIRRUS), now=0.0, **changes):
    return CallSetup.start(replace(POLICY, **changes), trunks, now)


# ------------------------------------------------------------------ one call


def test_a_call_that_is_answered():
    setup = start()
    assert (setup.attempt, setup.attempts, setup.deadline, setup.phase) == (ATLANTIC_1, 1, 4.0, Phase.CALLING)
    setup = setup.receive(100, 0.2)
    assert (setup.deadline, setup.phase) == (8.2, Phase.PROCEEDING)
    setup = setup.receive(180, 1.6)
    assert (setup.deadline, setup.phase) == (61.6, Phase.RINGING)
    setup = setup.receive(200, 9.0)
    assert (setup.attempt, setup.outcome, setup.status) == (None, Outcome.CONNECTED, 200)
    assert (setup.tried, setup.attempts, setup.deadline) == (((ATLANTIC_1, 200),), 1, math.inf)


def test_a_503_goes_on_to_the_next_trunk_at_once():
    setup = start().receive(100, 0.1).receive(503, 0.3)
    assert (setup.attempt, setup.attempts, setup.deadline) == (ATLANTIC_2, 2, 4.3)
    assert (setup.status, setup.action, setup.tried) == (503, Action.NONE, ((ATLANTIC_1, 503),))


def test_silence_is_abandoned_because_nothing_may_be_cancelled():
    setup = start().expire(4.0)
    assert (setup.attempt, setup.deadline, setup.status) == (ATLANTIC_2, 8.0, 408)
    assert setup.action is Action.ABANDON


def test_a_100_and_then_nothing_is_cancelled():
    setup = start().receive(100, 1.0).expire(9.0)
    assert (setup.attempt, setup.deadline, setup.action) == (ATLANTIC_2, 13.0, Action.CANCEL)
    assert setup.receive(100, 9.5).action is Action.NONE, "the CANCEL was owed once"


def test_ringing_is_the_callees_business():
    ringing = start().receive(183, 2.0)
    unanswered = ringing.expire(62.0)
    assert (unanswered.outcome, unanswered.action) == (Outcome.NO_ANSWER, Action.CANCEL)
    assert (unanswered.attempt, unanswered.tried) == (None, ((ATLANTIC_1, 408),))
    assert ringing.receive(503, 5.0).outcome is Outcome.REFUSED


def test_a_second_provisional_restarts_no_timer():
    trying = start().receive(100, 1.0)
    assert trying.receive(100, 3.0) == trying
    ringing = trying.receive(180, 4.0)
    assert ringing.receive(183, 9.0) == ringing
    assert ringing.receive(100, 9.0) == ringing


@pytest.mark.parametrize("status", [302, 404, 486, 501, 603])
def test_an_answer_that_is_not_listed_ends_the_call(status):
    setup = start().receive(status, 1.0)
    assert (setup.outcome, setup.status, setup.attempts) == (Outcome.REFUSED, status, 1)


def test_a_busy_is_tried_elsewhere_where_the_policy_says_so_and_a_global_failure_never():
    advance_on = frozenset({486, 600})
    assert start(advance_on=advance_on).receive(486, 1.0).attempt == ATLANTIC_2
    assert start(advance_on=advance_on).receive(600, 1.0).outcome is Outcome.REFUSED


def test_a_timeout_ends_the_call_where_408_does_not_advance():
    setup = start(advance_on=frozenset({503})).expire(4.0)
    assert (setup.outcome, setup.status, setup.action) == (Outcome.REFUSED, 408, Action.ABANDON)


def test_the_attempts_run_out():
    setup = start(max_attempts=2).receive(503, 1.0).receive(500, 2.0)
    assert (setup.outcome, setup.status, setup.attempts) == (Outcome.EXHAUSTED, 500, 2)


def test_the_trunks_run_out():
    setup = start((BOREAL,)).expire(4.0)
    assert (setup.outcome, setup.status, setup.action) == (Outcome.EXHAUSTED, 408, Action.ABANDON)


def test_no_trunk_at_all():
    setup = start(())
    assert (setup.outcome, setup.status, setup.attempts) == (Outcome.NO_ROUTE, 503, 0)
    assert (setup.attempt, setup.deadline) == (None, math.inf)


def test_a_full_carrier_is_passed_over_with_all_its_trunks():
    setup = start().skip(0.0)
    assert (setup.attempt, setup.attempts, setup.tried, setup.status) == (BOREAL, 1, (), None)


def test_a_skip_uses_no_attempt():
    setup = start(max_attempts=2).skip(0.0).receive(503, 1.0).receive(503, 2.0)
    assert (setup.outcome, setup.tried) == (Outcome.EXHAUSTED, ((BOREAL, 503), (CIRRUS, 503)))


def test_all_carriers_full():
    setup = start((ATLANTIC_1, BOREAL)).skip(0.0).skip(0.0)
    assert (setup.outcome, setup.status, setup.attempts) == (Outcome.EXHAUSTED, 503, 0)


def test_a_carrier_that_fills_up_after_a_failed_attempt_leaves_its_status():
    setup = start((ATLANTIC_1, BOREAL)).expire(4.0).skip(4.0)
    assert (setup.outcome, setup.status, setup.attempts) == (Outcome.EXHAUSTED, 408, 1)


@pytest.mark.parametrize("response", [-1, 0, 99, 700])
def test_not_a_sip_status(response):
    with pytest.raises(ValueError, match="must be a SIP status"):
        start().receive(response, 0.0)


def test_a_stale_timer_is_refused():
    with pytest.raises(ValueError, match="before the deadline"):
        start().receive(100, 1.0).expire(4.0)


def test_no_skip_after_a_response():
    with pytest.raises(ValueError, match="proceeding"):
        start().receive(100, 1.0).skip(1.0)


def test_nothing_happens_to_a_call_that_is_over():
    over = start().receive(200, 1.0)
    for step in (lambda: over.receive(200, 2.0), lambda: over.expire(math.inf), lambda: over.skip(2.0)):
        with pytest.raises(ValueError, match=r"over|terminated"):
            step()


STATUSES = st.sampled_from([100, 180, 183, 199, 200, 302, 404, 408, 486, 500, 503, 504, 600, 603])
SCRIPTS = st.lists(
    st.tuples(st.sampled_from(["receive", "expire", "skip"]), STATUSES, st.floats(0.0, 1.0)),
    min_size=1,
    max_size=40,
)
POLICIES = st.builds(
    replace,
    st.just(POLICY),
    advance_on=st.frozensets(STATUSES.filter(lambda status: status >= 300)),
    no_reply_timeout=st.floats(0.5, 10.0),
    progress_timeout=st.floats(0.5, 10.0),
    ring_timeout=st.floats(1.0, 90.0),
    max_attempts=st.integers(1, 5),
)


def step(setup, doing, status, share, now):
    """The next value, when that is and what was done; `share` of the time to the deadline passes before."""
    if doing == "skip" and setup.phase is Phase.CALLING:
        return setup.skip(now), now, "skip"
    if doing == "receive":
        now += share * (setup.deadline - now)
        return setup.receive(status, now), now, "receive"
    return setup.expire(setup.deadline), setup.deadline, "expire"


def played(policy, trunks, script, now):
    """Every value on the way, with its instant and what led to it; the script is repeated to the end."""
    values = [(CallSetup.start(policy, trunks, now), now, "start", None)]
    while values[-1][0].attempt is not None:
        assert len(values) < 200, "a call ends after a few steps"
        doing, status, share = script[(len(values) - 1) % len(script)]
        # A script of provisionals alone would wait for ever: time passes.
        doing = "expire" if len(values) > 2 * len(script) + 40 else doing
        setup, now, doing = step(values[-1][0], doing, status, share, now)
        values.append((setup, now, doing, status))
    return values


@given(POLICIES, st.permutations(range(4)), st.integers(0, 4), SCRIPTS, st.floats(0.0, 1e9))
def test_any_script_of_answers(policy, order, count, script, now):
    trunks = tuple(order[:count])
    values = played(policy, trunks, script, now)
    sent = []
    for (before, _, _, _), (after, at, doing, status) in pairwise(values):
        if doing != "skip" and before.phase is Phase.CALLING:
            sent.append(before.attempt)
        assert after.attempts <= policy.max_attempts
        assert after.deadline >= at
        moved_on = after.attempt is not None and after.attempt != before.attempt
        if moved_on and doing != "skip":
            assert before.phase is not Phase.RINGING
            assert (status if doing == "receive" else 408) in policy.advance_on
            assert after.status < 600
        if doing == "expire":
            assert after.action is (Action.ABANDON if before.phase is Phase.CALLING else Action.CANCEL)
        else:
            assert after.action is Action.NONE
        assert hash(after) == hash(replace(after))
    last = values[-1][0]
    assert [trunk for trunk, _ in last.tried] == sent
    assert len(set(sent)) == len(sent)
    assert set(sent) <= set(trunks)
    assert (last.outcome is Outcome.CONNECTED) == (last.status in range(200, 300))
    assert (last.outcome is Outcome.NO_ROUTE) == (not trunks)
    assert values == played(policy, trunks, script, now)


@given(POLICIES, SCRIPTS, st.integers(0, 10**6))
def test_a_call_fares_alike_at_any_hour(policy, script, now):
    early, late = (played(policy, (0, 1, 2, 3), script, float(at))[-1][0] for at in (0, now))
    assert early == late


# ------------------------------------------------------------------ which trunks


def test_priority_tries_the_routes_as_listed_and_a_carriers_trunks_in_turn():
    assert Router(POLICY).candidates(0.0) == ((1.0, (ATLANTIC_1, ATLANTIC_2, BOREAL, CIRRUS)),)


def test_least_cost_tries_the_cheapest_first_and_equals_as_listed():
    router = Router(replace(POLICY, order=Order.LEAST_COST))
    assert router.candidates(0.0) == ((1.0, (BOREAL, CIRRUS, ATLANTIC_1, ATLANTIC_2)),)


def weighted(*weights):
    routes = tuple(Route(carrier, weight) for carrier, weight in enumerate(weights))
    return replace(POLICY, order=Order.WEIGHTED, routes=routes)


def test_weighted_gives_a_list_for_each_carrier_that_can_come_first():
    assert Router(weighted(1, 3, 1)).candidates(0.0) == (
        (0.6, (BOREAL, ATLANTIC_1, ATLANTIC_2, CIRRUS)),
        (0.2, (ATLANTIC_1, ATLANTIC_2, BOREAL, CIRRUS)),
        (0.2, (CIRRUS, BOREAL, ATLANTIC_1, ATLANTIC_2)),
    )


def test_weights_are_shared_among_those_believed_up_and_a_weight_of_zero_is_a_backup():
    router = Router(weighted(3, 1, 0))
    assert [chance for chance, _ in router.candidates(0.0)] == [0.75, 0.25]
    router.drain(BOREAL, out=True)
    assert router.candidates(0.0) == ((1.0, (ATLANTIC_1, ATLANTIC_2, CIRRUS)),)
    router.drain(ATLANTIC_1, out=True)
    router.drain(ATLANTIC_2, out=True)
    assert router.candidates(0.0) == ((1.0, (CIRRUS,)),)


def test_the_caller_draws_among_the_lists():
    assert [Router(weighted(1, 3, 1)).set_up(0.0, choice).attempt for choice in range(3)] == [2, 0, 3]


def test_trunks_believed_down_are_left_out():
    router = Router(POLICY)
    router.drain(ATLANTIC_1, out=True)
    router.take_out(CIRRUS, 0.0)
    assert router.beliefs(1.0) == (False, True, True, False)
    assert router.candidates(1.0) == ((1.0, (ATLANTIC_2, BOREAL)),)
    router.drain(ATLANTIC_1, out=False)
    assert router.candidates(120.0) == Router(POLICY).candidates(0.0)


@pytest.mark.parametrize("order", list(Order))
def test_a_call_is_refused_at_once_when_no_trunk_is_believed_up(order):
    router = Router(replace(POLICY, order=order))
    for trunk in range(4):
        router.drain(trunk, out=True)
    assert router.candidates(0.0) == ((1.0, ()),)
    assert router.set_up(0.0).outcome is Outcome.NO_ROUTE


@given(
    st.sampled_from(Order),
    st.lists(st.floats(0.0, 10.0), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_every_list_holds_the_trunks_believed_up_once_each(order, weights, ups):
    router = Router(replace(weighted(*weights), order=order))
    for trunk, up in enumerate(ups):
        router.drain(trunk, out=not up)
    lists = router.candidates(0.0)
    assert math.fsum(chance for chance, _ in lists) == pytest.approx(1.0)
    for _, trunks in lists:
        assert sorted(trunks) == [trunk for trunk, up in enumerate(ups) if up]


def test_calls_take_a_trunk_out_and_time_puts_it_back():
    router = Router(POLICY)
    assert [router.observe_call(BOREAL, True, 10.0) for _ in range(12)] == [False] * 11 + [True]
    assert router.put_back_at(BOREAL) == 130.0
    assert router.put_back_at(CIRRUS) is None
    assert not router.believed_up(BOREAL, 129.0)
    assert router.believed_up(BOREAL, 130.0)
    assert router.put_back_at(BOREAL) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"routes": (Route(0), Route(1), Route(0))}, "more than one route"),
        ({"max_attempts": 0}, r"max_attempts\(=0\)"),
        ({"routes": (Route(0, -1.0),)}, "weights"),
    ],
)
def test_a_policy_that_would_break_the_routers_word(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(POLICY, **changes)


# ------------------------------------------------------------------ pings


def test_pings_keep_to_their_grid():
    router = Router(POLICY, ping_phase=[0.0, 7.5, 15.0, 7.5])
    assert router.next_ping(0.0) == (7.5, (ATLANTIC_2, CIRRUS))
    assert router.next_ping(7.5) == (15.0, (BOREAL,))
    assert router.next_ping_of(ATLANTIC_1, 0.0) == 30.0
    assert router.next_ping_of(CIRRUS, -1000.0) == 7.5


def test_no_pings_without_a_rule():
    router = Router(replace(POLICY, health=None))
    assert router.next_ping(0.0) == (math.inf, ())
    assert router.next_ping_of(BOREAL, 0.0) == math.inf


@pytest.mark.parametrize(
    ("phase", "message"), [([0.0], "1 ping phases for 4 trunks"), ([0.0, 0.0, 0.0, 30.0], "must be in")]
)
def test_wrong_ping_phases(phase, message):
    with pytest.raises(ValueError, match=message):
        Router(POLICY, ping_phase=phase)


@given(st.floats(0.1, 1000.0), st.floats(0.0, 0.999), st.integers(0, 10**7))
def test_the_grid_has_no_gap_and_no_instant_twice(every, share, k):
    phase = share * every
    router = Router(replace(POLICY, health=replace(PINGS, ping_every=every)), [phase] * 4)
    at = phase + k * every
    following = phase + (k + 1) * every
    assert router.next_ping_of(0, at) == following
    assert router.next_ping_of(0, math.nextafter(at, -math.inf)) == following, "a rounded `now`"
    assert router.next_ping_of(0, at - 0.01 * every) == at


def test_a_trunk_that_comes_back_is_used_again_after_two_good_pings_and_the_hold_down():
    router = Router(POLICY)
    for at in (32.0, 62.0, 92.0):
        router.observe_ping(ATLANTIC_1, None, at)
    assert router.set_up(100.0).attempt == ATLANTIC_2
    assert not router.settled(ATLANTIC_1, True, 100.0)
    assert router.settled(ATLANTIC_1, False, 100.0)
    changes = {at: router.observe_ping(ATLANTIC_1, 200, at) for at in (150.0, 180.0, 210.0, 240.0)}
    assert changes == {150.0: False, 180.0: False, 210.0: False, 240.0: True}
    assert router.set_up(240.0).attempt == ATLANTIC_1
