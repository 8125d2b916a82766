"""Incidents as they come: the same that the columns give, across restarts and new plans."""

import asyncio
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_cases import probes_of

from callsim.live.judging import Check
from callsim.live.probing import Probed, Try, legs_of
from callsim.plan.model import Plan
from callsim.reading.legs import reaches_of, series_of, subjects_in
from callsim.reading.own_network import own_network
from callsim.reading.tracking import UNWATCHED, IncidentTracker, cause_of, poor_below
from callsim.watching.events import PingDone, ProbeDone, Reloaded, SlotMissed, Ticked
from results.probes import misses_of
from results.sight import see
from results.store.entries import Missed

EVERY = 100.0
PLAN = {
    "name": "night",
    "trunks": [
        {"carrier": "atlantic", "uri": "sip:127.0.0.1:5070"},
        {"carrier": "atlantic", "uri": "sip:127.0.0.1:5071"},
        {"carrier": "boreal", "uri": "sip:127.0.0.1:5072"},
    ],
    "tests": [
        {"name": "echo", "to": "+12025550100", "over": ["atlantic", "boreal"], "every": "100s"},
        {"name": "other", "to": "+12025550100", "over": ["atlantic/1"], "every": "100s"},
    ],
    "guard": {"allow": ["+1202555"], "country": "US", "at_once": 2, "calls_per_day": 9999},
}
BELOW = {"when": "poor_audio", "mos_below": 3.6, "after": 1, "within": "1h", "command": ["true"]}
HERE = "berlin"
BOREAL = ("echo over boreal/1", "boreal/1", "boreal")


def plan_of(**changed):
    return Plan.model_validate({**PLAN, **changed})


def leg_of(plan, over, test="echo"):
    return next(leg for leg in legs_of(plan, plan.tests) if (leg.test.name, leg.over) == (test, over))


def done(leg, started, passed, lasts=5.0, mos=4.2):
    """The event of a probe; `passed` None says nothing."""
    outcome = {True: "answered", False: "failed", None: "lost_by_tool"}[passed]
    call = {
        "outcome": outcome,
        "sip_status": 200 if passed else 503,
        "reason": "Service Unavailable",
        "mos": {"value": mos} if mos and passed is not None else None,
    }
    checks = () if passed is None else (Check("status", "200", "as it is", passed),)
    one = Try(call, checks, started, started + lasts)
    return ProbeDone("id", leg, started, started, started + lasts, Probed(leg, (one,)), ())


def known(incidents):
    """What holds of each id in the end."""
    latest = {}
    for one in incidents:
        assert one.id not in latest or one.revision > latest[one.id].revision
        latest[one.id] = one
    return latest


def told(incidents):
    return sorted(
        (
            one.kind,
            one.subject,
            -math.inf if one.began_earliest is None else one.began_earliest,
            one.began_latest,
            one.detail["seen_at"],
            math.inf if one.ended_latest is None else one.ended_latest,
            one.probes,
            one.failed,
        )
        for one in incidents
    )


def of_episodes(episodes):
    return sorted(
        (
            *(one.kind, one.subject, one.began_earliest, one.began_latest),
            *(one.ended_earliest, one.ended_latest, one.probes, one.failed),
        )
        for one in episodes
    )


# Of each slot of each leg: good, bad, telling nothing, missed.
SCRIPTS = st.lists(
    st.tuples(*[st.sampled_from(["good", "good", "bad", "bad", None, "missed", "quiet"])] * 4), max_size=25
)


def events_of(plan, script):
    """The events of a script, as they come."""
    legs = list(series_of(plan, HERE).values())
    events = []
    for slot, marks in enumerate(script):
        for n, (leg, mark) in enumerate(zip(legs, marks, strict=True)):
            due = slot * EVERY + 13.0 * n
            if mark == "missed":
                events.append((due, SlotMissed(leg, due, "slots_full")))
            elif mark != "quiet":
                passed = None if mark is None else mark == "good"
                events.append((due + 5.0, done(leg, due, passed)))
        events.append((slot * EVERY + 60.0, Ticked(slot * EVERY + 60.0)))
    return [event for _, event in sorted(events, key=lambda row: row[0])]


def time_of(event):
    return next(getattr(event, name) for name in ("ended", "at", "due") if hasattr(event, name))


def columns_of(events):
    """What the store would give of events."""
    rows, missed = [], []
    for event in events:
        if isinstance(event, ProbeDone):
            series = (HERE, event.leg.test.name, event.leg.over)
            marks = {True: 1, False: 0}
            one = event.probed.counted
            rows.append((series, event.started, event.ended, marks[one.passed] if one.tested else -1))
        elif isinstance(event, SlotMissed):
            missed.append(((HERE, event.leg.test.name, event.leg.over), event.due, event.reason, 1))
    return rows, missed


def offline(plan, events, until):
    reaches = reaches_of(plan, [HERE])
    by_key = {tuple(series): series for series in reaches}
    rows, missed = columns_of(events)
    probes = probes_of([(by_key[key], *rest) for key, *rest in rows])
    misses = misses_of([(by_key[key], due, count) for key, due, _, count in missed])
    found = see(probes, misses, lambda legs: subjects_in(plan, legs), reaches, -1.0, until)
    return [one for sight in found.whole.values() for one in sight.outages] + list(found.blind[HERE])


@given(SCRIPTS)
@settings(max_examples=100, deadline=None)
def test_what_comes_one_by_one_is_what_the_columns_give(script):
    plan = plan_of()
    events, until = events_of(plan, script), len(script) * EVERY + 1000.0
    tracker = IncidentTracker(plan, HERE)
    changed = [one for event in [*events, Ticked(until)] for one in tracker.observe(event)]
    assert told(known(changed).values()) == of_episodes(offline(plan, events, until))


@given(SCRIPTS, st.integers(0, 100))
@settings(max_examples=100, deadline=None)
def test_a_restart_goes_on_with_the_same_incidents(script, cut):
    plan = plan_of()
    events = events_of(plan, script)
    cut = min(cut, len(events))
    whole, first = [], []
    tracker = IncidentTracker(plan, HERE)
    for number, event in enumerate(events):
        changed = tracker.observe(event)
        whole += changed
        first += changed if number < cut else []
    kept = known(first)
    second = IncidentTracker(plan, HERE, lambda *some: kept.update(known([*kept.values(), *some])))
    going_on = [one for one in kept.values() if one.ended_latest is None]
    now = time_of(events[cut - 1]) if cut else 0.0
    since = second.wanted_since(going_on, now)
    rows, missed = columns_of(events[:cut])
    by_key = {tuple(series): series for series in series_of(plan, HERE)}
    probes = probes_of([(by_key[key], *rest) for key, *rest in rows if rest[0] >= since])
    slots = [
        Missed(id="", location=HERE, plan="night", test=key[1], over=key[2], trunk=None, carrier=None,
               due_at=due, reason=why)
        for key, due, why, _ in missed if due >= since
    ]  # fmt: skip
    assert second.restore(probes, slots, list(kept.values()), now) == []
    for event in events[cut:]:
        second(event)
    assert told(kept.values()) == told(known(whole).values())


def test_what_the_store_lacks_is_handed_on_at_the_start():
    plan, kept = plan_of(), []
    rows, _ = columns_of([done(leg_of(plan, "boreal/1"), 100.0 * n, n < 3) for n in range(6)])
    (series,) = (one for one in series_of(plan, HERE) if one.over == "boreal/1")
    tracker = IncidentTracker(plan, HERE, lambda *some: kept.extend(some))
    tracker.restore(probes_of([(series, *rest) for _, *rest in rows]), [], [], 505.0)
    assert [(one.subject, one.failed, one.ended_latest) for one in kept] == [
        (name, 3, None) for name in ("echo over boreal/1", "boreal/1", "boreal")
    ]
    stale = replace(kept[0], id="f" * 32, subject="echo over cirrus/1")
    again = IncidentTracker(plan, HERE)
    (ended,) = again.restore(probes_of([(series, *rest) for _, *rest in rows]), [], [*kept, stale], 510.0)
    assert (ended.id, ended.ended_latest, ended.cause) == (stale.id, 510.0, UNWATCHED)
    assert ended.revision > stale.revision


def test_incidents_say_what_was_met():
    plan = plan_of()
    tracker = IncidentTracker(plan, HERE)
    leg = leg_of(plan, "boreal/1")
    tracker.observe(done(leg, 0.0, True))
    begun = tracker.observe(done(leg, 100.0, False))
    assert {one.subject: one.cause for one in begun} == dict.fromkeys(BOREAL, "503 Service Unavailable")
    assert {one.detail["level"] for one in begun} == {"leg", "trunk", "carrier"}
    ended = tracker.observe(done(leg, 200.0, True))
    assert [one.id for one in ended] == [one.id for one in begun]
    assert [
        (one.began_earliest, one.began_latest, one.ended_earliest, one.ended_latest) for one in ended
    ] == [(0, 105, 100, 205)] * 3


def test_the_check_that_is_broken_is_the_cause():
    leg = leg_of(plan_of(), "boreal/1")
    checks = (Check("status", "200", "", True), Check("mos_at_least", "at least 3.80", "2.10", False))
    call = {"outcome": "answered", "sip_status": 200, "reason": "OK", "mos": None}
    assert (
        cause_of(Probed(leg, (Try(call, checks, 0.0, 1.0),)))
        == "mos_at_least: wanted at least 3.80, found 2.10"
    )
    assert cause_of(Probed(leg, (Try(call, (), 0.0, 1.0),))) is None


def test_poor_audio_is_an_incident_of_its_own():
    plan = plan_of(alerts=[BELOW, {**BELOW, "mos_below": 3.0}])
    assert poor_below(plan) == 3.6
    assert poor_below(plan_of()) is None
    tracker = IncidentTracker(plan, HERE)
    leg = leg_of(plan, "boreal/1")
    heard = [4.2, 3.5, None, 3.1, 3.6]
    changed = [
        one for n, mos in enumerate(heard) for one in tracker.observe(done(leg, EVERY * n, True, mos=mos))
    ]
    (poor,) = known(changed).values()
    assert (poor.kind, poor.subject, poor.failed) == ("poor_audio", "echo over boreal/1", 2)
    assert (poor.began_earliest, poor.began_latest, poor.ended_earliest, poor.ended_latest) == (
        0,
        105,
        300,
        405,
    )
    silent = IncidentTracker(plan_of(), HERE)
    assert silent.observe(done(leg, 0.0, True, mos=1.0)) == []


def test_a_new_plan_takes_over_what_goes_on_and_ends_what_it_drops():
    plan = plan_of()
    tracker = IncidentTracker(plan, HERE)
    for over in ("boreal/1", "atlantic/1"):
        for n, passed in enumerate((True, False)):
            tracker.observe(done(leg_of(plan, over), EVERY * n, passed))
    changed = plan_of(tests=[{**PLAN["tests"][0], "over": ["atlantic"]}])
    left = tracker.observe(Reloaded(ok=True, at=150.0, plan=changed))
    assert {(one.subject, one.ended_latest, one.cause) for one in left} == {
        ("echo over boreal/1", 150.0, UNWATCHED)
    }
    assert tracker.observe(Reloaded(ok=False, at=160.0)) == []
    assert tracker.observe(done(leg_of(plan, "boreal/1"), 200.0, True)) == []
    ended = tracker.observe(done(leg_of(changed, "atlantic/1"), 200.0, True))
    assert {one.subject for one in ended} == {"echo over atlantic/1", "atlantic/1"}
    assert all(one.began_latest == 105 for one in ended)


def test_a_prober_that_sees_nothing_is_blind_until_it_sees():
    plan = plan_of()
    tracker = IncidentTracker(plan, HERE)
    leg = leg_of(plan, "boreal/1")
    tracker.observe(done(leg, 0.0, True))
    assert tracker.observe(SlotMissed(leg, 100.0, "own_network", 2)) == []
    assert tracker.observe(PingDone("boreal/1", "boreal", 200.0, 200, 0.1)) == []
    (blind,) = tracker.observe(Ticked(300.0))
    assert (blind.kind, blind.subject, blind.began_earliest, blind.failed) == ("blind", "service", 0, 2)
    (over,) = tracker.observe(done(leg, 400.0, False))[-1:]
    assert (over.id, over.ended_latest) == (blind.id, 405)


def test_own_network_asks_the_ports_that_the_plan_names():
    async def run():
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            both = plan_of(own_network=["127.0.0.1:1", f"127.0.0.1:{port}"])
            assert await own_network(both) is True
        assert await own_network(plan_of(own_network=["127.0.0.1:1", f"127.0.0.1:{port}"])) is False
        assert await own_network(plan_of()) is None

    asyncio.run(run())


def test_a_port_that_does_not_answer_in_time_is_none(monkeypatch):
    async def silent(host, port):
        assert (host, port) == ("2001:db8::1", 443)
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", silent)
    assert asyncio.run(own_network(plan_of(own_network=["[2001:db8::1]:443"]), timeout=0.01)) is False


@pytest.mark.parametrize("seed", range(3))
def test_long_records_agree_too(seed):
    plan, rng = plan_of(), np.random.default_rng(seed)
    marks = np.array(["good", "bad", None, "missed", "quiet"], dtype=object)
    script = []
    for _ in range(40):
        chances = rng.dirichlet([4, 2, 0.3, 0.5, 1])
        script += [tuple(row) for row in rng.choice(marks, (10, 4), p=chances)]
    events, until = events_of(plan, script), len(script) * EVERY + 1000.0
    tracker = IncidentTracker(plan, HERE)
    changed = [one for event in [*events, Ticked(until)] for one in tracker.observe(event)]
    assert told(known(changed).values()) == of_episodes(offline(plan, events, until))
