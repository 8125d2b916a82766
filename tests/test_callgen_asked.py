"""What a call asks of the guard and the dialer, and what it tells the guard when it is over."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from callgen_scripts import ANSWERS, BRIEF, HOSTS, NUMBER, ScriptedDialer, call, line, router

from callgen import settling
from callgen.guarding.caps import Caps
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard
from callgen.measures.records import Outcome
from callgen.messages import Audio, Identity
from callgen.placing import Line
from carriers.health import CallRule, QualityRule


def account(n, **more):
    return Identity(f"{'abc'[n]}/1", f"sip:{HOSTS[n]}", **more)


def test_each_attempt_is_made_as_whom_its_trunk_knows():
    dialer = ScriptedDialer(a=(503,), b=ANSWERS)
    guard = Guard([NUMBER], HOSTS, caller_ids=["+12025550199"])
    accounts = (account(0), account(1, caller_id="+12025550199", headers=(("X-Test", "1"),)))
    over = Line(router(), [f"sip:{host}" for host in HOSTS], guard, dialer, accounts)
    wanted = {"audio": Audio("speech"), "codecs": ("PCMA",)}
    record = asyncio.run(over.call(NUMBER, 1.0, np.random.default_rng(0), **wanted))
    assert dialer.asked == [{"identity": name, **wanted} for name in ("a/1", "b/1")]
    assert (record.outcome, record.caller_id) == (Outcome.ANSWERED, "+12025550199")


@pytest.mark.parametrize(
    "wrong", [{"caller_id": "+12025550198"}, {"headers": (("From", "<sip:+12025550198@x>"),)}]
)
def test_an_account_that_is_not_ours_is_refused(wrong):
    dialer = ScriptedDialer(a=ANSWERS)
    over = Line(router(1), ["sip:a.example"], Guard([NUMBER], HOSTS), dialer, (account(0, **wrong),))
    assert (call(over).outcome, dialer.placed) == (Outcome.REFUSED_BY_GUARD, [])


def test_a_call_over_one_trunk_tries_no_other_and_leaves_the_router_alone():
    rule = CallRule(of_last=1, share=1.0, hold=60.0)
    dialer = ScriptedDialer(a=ANSWERS, b=(503,))
    over = line(dialer, failing_calls=rule)
    record = asyncio.run(over.call_over(1, NUMBER, 1.0))
    assert (record.outcome, [attempt.trunk for attempt in record.attempts]) == (Outcome.FAILED, ["b/1"])
    assert over.router.put_back_at(1) is None


def test_time_spent_waiting_for_a_slot_is_no_carriers():
    record = call(line(ScriptedDialer(a="slow slot"), timeout=BRIEF))
    assert (record.outcome, len(record.attempts)) == (Outcome.ANSWERED, 1)
    assert record.pdd < BRIEF


def test_a_trace_has_each_attempt_with_what_ended_it():
    record = call(line(ScriptedDialer(a=(302,), b=ANSWERS), trunks=1))
    assert record.trace == "=== 1. a/1\nINVITE"
    assert (record.attempts[0].contact, record.attempts[0].call_id) == ("<sip:x@y>", "id")
    record = call(line(ScriptedDialer(a=(503,), b=(486,))))
    assert record.trace == "=== 1. a/1\nINVITE\n=== 2. b/1\nINVITE"
    assert record.to_json()["q850_cause"] == 17


@pytest.mark.parametrize(("mos_below", "out"), [(1.5, False), (4.49, True)])
def test_calls_that_sound_poor_take_a_trunk_out(mos_below, out):
    rule = QualityRule(mos_below, CallRule(of_last=1, share=1.0, hold=60.0))
    over = line(ScriptedDialer(a=ANSWERS, b=ANSWERS), poor_calls=rule)
    assert 1.5 < call(over).mos.value < 4.49
    assert (over.router.put_back_at(0) is not None) is out


TALK = 90.0
WORST = 2
"""Minutes reserved for that."""


def books(seconds=0.0, cancel_after=None, **scripts):
    """Place a call under caps; after so many seconds: (calls, minutes, still on the line)."""

    async def scene():
        counters = Counters()
        guard = Guard([NUMBER], HOSTS, Caps(calls_per_day=10), counters)
        over = Line(router(1, timeout=BRIEF), ["sip:a.example"], guard, ScriptedDialer(**scripts))
        placed = asyncio.ensure_future(over.call(NUMBER, TALK, np.random.default_rng(0)))
        if cancel_after is not None:
            await asyncio.sleep(cancel_after)
            placed.cancel()
        await asyncio.wait([placed])
        await asyncio.sleep(seconds)
        used = counters.used(time.time())
        counters.close()
        return used.day, used.minutes, used.at_once

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("script", "counted"),
    [
        (ANSWERS, (1, 1, 0)),
        ((100, 486), (1, 0, 0)),
        ((100, 180), (1, 0, 0)),
        ((100, "lost"), (1, 1, 0)),
        ((200, "lost"), (1, 1, 0)),
        (("late",), (1, 1, 0)),
        ("no slot", (0, 0, 0)),
    ],
)
def test_the_guard_is_told_what_a_call_came_to(script, counted):
    assert books(a=script) == counted


def test_a_call_without_any_response_is_settled_when_it_cannot_be_answered_any_more(monkeypatch):
    monkeypatch.setattr(settling, "TIMER_B", 1.0)
    monkeypatch.setattr(settling, "EARLY", 0.0)
    assert books(a=(), held=1.0) == (1, WORST, 1)
    assert books(a=(), held=1.0, seconds=1.2) == (1, 0, 0)
    # Freed before: somebody has answered it.
    assert books(a=(), held=0.1, seconds=0.3) == (1, WORST, 1)


def test_a_call_that_was_lost_is_on_the_line_until_it_is_known_to_be_over():
    assert books(a=(200, "lost"), held=0.2) == (1, WORST, 1)
    assert books(a=(200, "lost"), held=0.2, seconds=0.3) == (1, 1, 0)


def test_a_call_that_is_cancelled_is_hung_up_and_settled():
    assert books(a=(100, 180), cancel_after=BRIEF / 3, seconds=0.05) == (1, 0, 0)
    assert books(a=(200,), cancel_after=BRIEF / 3, seconds=0.05) == (1, 1, 0)
