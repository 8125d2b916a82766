"""A short drill with real calls on loopback."""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

import callsim
from callgen.measures.records import Attempt, CallRecord, Outcome
from callsim.drill.comparing import Drill
from callsim.drill.live import Watched, play_all, slots_of, was_dropped
from callsim.drill.outcomes import courses
from callsim.drill.predicting import predict
from callsim.drill.stretch import Episode
from callsim.drill.tables import lab_tables
from carriers.health import CallRule
from sim import Belief, GivenCall, GivenFault

JOINT = Path(__file__).with_name("joint.yaml")
NEAR = 0.25
"""Seconds from a change within which a call on a busy machine may fare either way."""
FAULT = GivenFault(2.5, 7.8, 0, (0,))
"""It ends while no ping is under way: one that is sent again may be answered."""
CALLS = (*(GivenCall(at, 0.3) for at in (0.6, 2.8, 3.9, 6.2, 6.8, 9.6)), GivenCall(1.2, 3.0))
EPISODE = Episode("silent", (FAULT,), CALLS, 11.0, (0.1, 0.4), (), 1)


@pytest.fixture(scope="module")
def tables():
    return lab_tables(callsim.load(JOINT), 1.0)[1]


@pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
)
def test_real_calls_fare_as_predicted(tables):
    predicted = predict(tables, EPISODE)
    told = []
    ((episode, real),) = asyncio.run(play_all(tables, [EPISODE], [predicted], 1, 1, told.append))
    assert told == [episode] == [EPISODE]
    drill = Drill(tables, [EPISODE], [predicted], [real])
    for pair in drill.pairs:
        if drill.nearest_change(pair) > NEAR + real.late:
            assert pair.same, pair
            assert pair.simulated.attempts == pair.real.attempts
            assert pair.simulated.dropped == pair.real.dropped
    (simulated,), (measured,) = courses(EPISODE, predicted), courses(EPISODE, real)
    assert measured.detected == pytest.approx(simulated.detected, abs=0.1 + 2 * real.late)
    assert measured.recovered == pytest.approx(simulated.recovered, abs=0.1 + 2 * real.late)
    assert simulated.dropped == measured.dropped == 1
    assert not multiprocessing.active_children()


def test_a_router_that_is_watched_notes_what_its_calls_and_pings_do(tables):
    policy = replace(tables.routing, failing_calls=None)
    router = Watched(replace(tables, routing=policy), (0.2, 0.2), 100.0)
    for now in (101.0, 102.0, 103.0):
        router.observe_ping(0, None, now)
    router.observe_ping(0, 200, 104.0)
    router.observe_ping(0, 200, 105.0)
    assert router.noted == [Belief(3.0, 0, False), Belief(5.0, 0, True)]


@pytest.mark.parametrize(("misses", "back"), [(0, 11.0), (3, 31.0)])
def test_a_trunk_that_calls_took_out_is_back_in_time_unless_pings_took_it_too(tables, misses, back):
    policy = replace(tables.routing, failing_calls=CallRule(of_last=2, share=1.0, hold=10.0))
    router = Watched(replace(tables, routing=policy), (0.2, 0.2), 100.0)
    for now in (100.5, 101.0):
        router.observe_call(0, True, now)
    for n in range(misses):
        router.observe_ping(0, None, 102.0 + n)
    for now in (130.0, 131.0):
        router.observe_ping(0, 200, now)
    assert router.noted == [Belief(1.0, 0, False), Belief(back, 0, True)]


def test_slots_are_held_by_calls_that_met_silence(tables):
    predicted = predict(tables, EPISODE)
    assert slots_of(tables, EPISODE, predicted) >= 3
    calm = Episode("calm", (), CALLS[:1], 11.0, (0.1, 0.4), (), 1)
    assert slots_of(tables, calm, predict(tables, calm)) == 1


def record(**known):
    attempt = Attempt("first/1", sent=0.0, ringing=0.0, final=0.0, ended=3.0, status=200, **known)
    return CallRecord("+12025550100", Outcome.ANSWERED, 200, None, (attempt,), 0.0)


@pytest.mark.parametrize(
    ("known", "dropped"),
    [
        ({"hung_up_by": "us", "post_bye_delay": 0.01}, False),
        ({"hung_up_by": "us"}, True),
        ({"hung_up_by": "us", "post_bye_delay": 0.01, "trace": "<\nSIP/2.0 481 No\nCSeq: 2 BYE\n"}, True),
        ({"hung_up_by": "us", "post_bye_delay": 0.01, "trace": "<\nSIP/2.0 200 OK\nCSeq: 2 BYE\n"}, False),
        ({"hung_up_by": "far"}, False),
    ],
)
def test_a_far_end_that_has_lost_a_call_does_not_know_our_bye(known, dropped):
    assert was_dropped(record(**known)) is dropped
