"""A call over several trunks, and the pings beside it, with a dialer that follows a script."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from callgen_scripts import ANSWERS, BRIEF, HOSTS, NUMBER, RTP, ScriptedDialer, call, line, router
from hypothesis import given, settings
from hypothesis import strategies as st

from callgen.guarding.guard import Guard
from callgen.measures.records import Outcome, outcome_of
from callgen.pings import keep_pinging
from callgen.placing import Line
from carriers.health import CallRule, HealthRule
from carriers.policy import Order


def test_a_call_that_is_answered_is_measured():
    record = call(line(ScriptedDialer(a=ANSWERS)))
    assert (record.outcome, record.status, record.trunk) == (Outcome.ANSWERED, 200, "a/1")
    (attempt,) = record.attempts
    instants = [attempt.sent, attempt.trying, attempt.ringing, attempt.final, attempt.ended]
    assert instants == sorted(instants)
    assert record.pdd == attempt.ringing - attempt.sent
    assert record.talk == attempt.ended - attempt.final
    assert (attempt.rtp, attempt.hung_up_by) == (RTP, "us")


def test_an_answer_without_ringing_is_what_the_caller_hears_first():
    record = call(line(ScriptedDialer(a=(200, "end"))))
    assert record.pdd == record.attempts[0].final - record.attempts[0].sent


@pytest.mark.parametrize(
    ("script", "outcome", "status"),
    [
        ((486,), Outcome.BUSY, 486),
        ((180, 600), Outcome.BUSY, 600),
        ((404,), Outcome.REJECTED, 404),
        ((302,), Outcome.REJECTED, 302),
        ((603,), Outcome.REJECTED, 603),
        ((180, 503), Outcome.FAILED, 503),
        ((100, 180), Outcome.NO_ANSWER, 408),
    ],
)
def test_what_is_not_tried_elsewhere_ends_the_call(script, outcome, status):
    dialer = ScriptedDialer(a=script, b=ANSWERS)
    record = call(line(dialer, timeout=BRIEF))
    assert (record.outcome, record.status, len(record.attempts)) == (outcome, status, 1)
    assert record.pdd is None
    assert record.talk == 0.0


@pytest.mark.parametrize(("script", "status"), [((503,), 503), ((100, 500), 500), ((), 408), ((100,), 408)])
def test_a_call_advances_to_the_next_trunk(script, status):
    dialer = ScriptedDialer(a=script, b=ANSWERS)
    record = call(line(dialer, timeout=BRIEF))
    assert dialer.placed == [f"sip:{NUMBER}@a.example", f"sip:{NUMBER}@b.example"]
    assert [attempt.status for attempt in record.attempts] == [status, 200]
    assert (record.outcome, record.trunk) == (Outcome.ANSWERED, "b/1")
    assert [given_up.hung_up for given_up in dialer.calls] == [status == 408, False]
    if status == 408:
        assert record.pdd >= BRIEF


def test_when_every_trunk_fails_the_last_status_is_told():
    record = call(line(ScriptedDialer(a=(), b=(503,)), timeout=BRIEF))
    assert (record.outcome, record.status, record.trunk) == (Outcome.FAILED, 503, None)
    assert call(line(ScriptedDialer(a=(503,), b=()), timeout=BRIEF)).outcome is Outcome.TIMEOUT


FINAL = st.sampled_from([200, 302, 404, 408, 486, 500, 503, 600, 603])
SCRIPT = st.tuples(st.sampled_from([(), (100,), (100, 180), (183,)]), FINAL)


@settings(deadline=None)
@given(st.lists(SCRIPT, min_size=3, max_size=3))
def test_any_answers_take_the_call_the_way_of_the_simulators_setup(scripts):
    answers = [(*provisional, final) for provisional, final in scripts]
    setup = router(3).set_up(0.0)
    while setup.attempt is not None:
        trunk = setup.attempt
        for status in answers[trunk]:
            setup = setup.receive(status, 0.0)
    dialer = ScriptedDialer(**{name: (*script, "end") for name, script in zip("abc", answers, strict=True)})
    record = call(line(dialer, trunks=3))
    tried = [(f"{'abc'[trunk]}/1", status) for trunk, status in setup.tried]
    assert [(attempt.trunk, attempt.status) for attempt in record.attempts] == tried
    assert (record.status, record.outcome) == (setup.status, outcome_of(setup))


def test_no_trunk_that_is_believed_up_is_no_attempt():
    over = line(ScriptedDialer())
    for trunk in range(2):
        over.router.drain(trunk, out=True)
    record = call(over)
    assert (record.outcome, record.status, record.attempts) == (Outcome.FAILED, 503, ())


@pytest.mark.parametrize(("a", "attempts"), [("no slot", 0), ((100, "lost"), 1), ((200, "lost"), 1)])
def test_what_the_tool_loses_is_no_failure_of_a_carrier(a, attempts):
    rule = CallRule(of_last=1, share=1.0, hold=60.0)
    over = line(ScriptedDialer(a=a, b=ANSWERS), failing_calls=rule)
    record = call(over)
    assert (record.outcome, record.status, len(record.attempts)) == (Outcome.LOST_BY_TOOL, None, attempts)
    assert over.router.put_back_at(0) is None


def test_failing_calls_take_a_trunk_out():
    rule = CallRule(of_last=2, share=1.0, hold=60.0)
    over = line(ScriptedDialer(a=(503,), b=ANSWERS), failing_calls=rule)
    assert [len(call(over).attempts) for _ in range(3)] == [2, 2, 1]


@pytest.mark.parametrize("script", [(486,), (100, 180)])
def test_what_is_the_callees_business_does_not(script):
    rule = CallRule(of_last=1, share=1.0, hold=60.0)
    over = line(ScriptedDialer(a=script), failing_calls=rule, timeout=BRIEF)
    call(over)
    assert over.router.put_back_at(0) is None


def test_the_guard_refuses_before_anything_is_sent():
    dialer = ScriptedDialer(a=ANSWERS)
    over = Line(router(), ["sip:a.example"] * 2, Guard(["+1"], HOSTS), dialer)
    record = asyncio.run(over.call("+1911", 1.0, np.random.default_rng(0)))
    assert (record.outcome, record.attempts, dialer.placed) == (Outcome.REFUSED_BY_GUARD, (), [])
    assert "emergency" in record.reason


def test_a_trunk_that_is_not_allowed_is_not_the_next_one_either():
    dialer = ScriptedDialer(a=(503,), b=ANSWERS)
    record = call(line(dialer, hosts=["a.example"]))
    assert (record.outcome, len(record.attempts), len(dialer.placed)) == (Outcome.REFUSED_BY_GUARD, 1, 1)


def test_weights_draw_the_first_trunk():
    dialer = ScriptedDialer(a=ANSWERS, b=ANSWERS, c=ANSWERS)
    over = line(dialer, trunks=3, order=Order.WEIGHTED, weights=[3.0, 1.0, 0.0])

    async def calls():
        rng = np.random.default_rng(1)
        return Counter([(await over.call(NUMBER, 1.0, rng)).trunk for _ in range(400)])

    drawn = asyncio.run(calls())
    assert drawn["c/1"] == 0
    assert abs(drawn["a/1"] - 300) < 4 * (400 * 0.75 * 0.25) ** 0.5


# ---- pings

EVERY = 0.05
HEALTH = HealthRule(ping_every=EVERY, ping_timeout=EVERY / 2, down_after=2, up_after=2)


def ping_until(over, stop):
    """Ping until the news that a test waits for; give all the news."""

    async def scene():
        news, enough = [], asyncio.Event()

        def learnt(trunk, up, now):
            news.append((trunk, up))
            if stop(news):
                enough.set()

        pinging = asyncio.ensure_future(keep_pinging(over, learnt))
        async with asyncio.timeout(10.0):
            await enough.wait()
        pinging.cancel()
        await asyncio.wait([pinging])
        return news

    return asyncio.run(scene())


@pytest.mark.parametrize("answer", [None, 503])
def test_pings_without_a_good_answer_take_a_trunk_out_and_good_ones_bring_it_back(answer):
    dialer = ScriptedDialer()
    dialer.ping_answers["a"] = answer
    over = line(dialer, health=HEALTH)

    def stop(news):
        if len(news) == 1:
            dialer.ping_answers["a"] = 200
        return len(news) == 2

    assert ping_until(over, stop) == [(0, False), (0, True)]
    assert dialer.pings["b"] >= 4


def test_a_ping_that_the_tool_loses_says_nothing():
    dialer = ScriptedDialer()
    dialer.ping_answers.update(a="lost", b=None)
    assert ping_until(line(dialer, health=HEALTH), bool) == [(1, False)]
    assert dialer.pings["a"] >= 2


def test_without_a_health_rule_there_are_no_pings():
    dialer = ScriptedDialer()
    asyncio.run(keep_pinging(line(dialer)))
    assert not dialer.pings


@pytest.mark.parametrize(
    ("script", "outcome", "reason"),
    [
        ((100, 180), Outcome.LOST_BY_TOOL, "interrupted before it was answered"),
        ((100, 180, 200), Outcome.ANSWERED, "interrupted"),
    ],
)
def test_a_call_that_is_cancelled_is_hung_up_and_has_its_record(script, outcome, reason):
    kept = []

    async def scene():
        over = replace(line(ScriptedDialer(a=script)), keep=kept.append)
        placed = asyncio.ensure_future(over.call(NUMBER, 60.0, np.random.default_rng(0)))
        await asyncio.sleep(BRIEF)
        placed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placed

    asyncio.run(scene())
    (record,) = kept
    assert (record.outcome, record.reason) == (outcome, reason)
    assert record.attempts[-1].ended is not None, "it was hung up"


def test_every_call_is_kept_whatever_becomes_of_it():
    kept = []
    scripts = [ANSWERS, (486,), "no slot", (100, "lost")]
    records = [call(replace(line(ScriptedDialer(a=script)), keep=kept.append)) for script in scripts]
    assert kept == records
