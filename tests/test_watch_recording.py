"""What the store is given of what the watch loop tells."""

import hashlib
from dataclasses import replace

import pytest
from watch_lab import BEGINS, NUMBER, Fault, WatchLab, plan_of

from callgen.guarding.counters import Counted
from callsim.live.judging import Check
from callsim.live.probing import Leg, Probed, Try, legs_of
from callsim.watching.events import PingDone, ProbeDone, Reloaded, SlotMissed, Ticked
from callsim.watching.recording import Books, Recorder
from callsim.watching.watcher import lost
from carriers.calendars import DAY, HOUR
from results.store.entries import (
    Attempt,
    Call,
    GuardUse,
    Heartbeat,
    Incident,
    Missed,
    Ping,
    Recording,
    Trace,
)

PLAN = plan_of(
    tests=[
        {
            "name": "each",
            "to": NUMBER,
            "over": ["atlantic"],
            "every": "5m",
            "again": {"after": "20s", "times": 1},
        }
    ]
)
(LEG,) = legs_of(PLAN, PLAN.tests)


def recorder(put=None, **more):
    kept = []
    made = Recorder(
        PLAN, "here", BEGINS, "1.0", lambda: 0.002, put or (lambda *some: kept.extend(some)), **more
    )
    return made, kept


def of(kind, entries):
    return [entry for entry in entries if isinstance(entry, kind)]


def test_a_failed_probe_is_kept_with_its_tries_and_traces():
    lab = WatchLab(PLAN, [Fault("atlantic", BEGINS, BEGINS + HOUR, kind="refuses")])
    lab.run(310.0)
    (done,) = lab.of(ProbeDone)
    first, last = of(Call, done.entries)
    assert (first.attempt_no, first.last, first.passed) == (1, False, False)
    assert (last.attempt_no, last.last, last.passed) == (2, True, False)
    assert first.id == first.probe == last.probe == done.id != last.id
    assert {(call.due_at, call.plan, call.location, call.test, call.over) for call in (first, last)} == {
        (BEGINS + 300.0, "fast", "here", "each", "atlantic/1")
    }
    assert (last.trunk, last.carrier, last.number, last.sip_status, last.cost) == (
        "atlantic/1", "atlantic", NUMBER, 503, 0.0)  # fmt: skip
    assert last.started_at == pytest.approx(first.ended_at + 20.0)
    assert last.checks[0]["kept"] is False
    assert [attempt.call for attempt in of(Attempt, done.entries)] == [first.id, last.id]
    assert [(trace.id, trace.sip) for trace in of(Trace, done.entries)] == [
        (first.id, "=== 1. atlantic/1\nINVITE"), (last.id, "=== 1. atlantic/1\nINVITE")]  # fmt: skip
    assert not {"trace", "to", "attempts"} & last.record.keys()


def test_a_probe_that_passed_is_kept_without_its_trace():
    lab = WatchLab(PLAN)
    lab.run(310.0)
    (done,) = lab.of(ProbeDone)
    (call,) = of(Call, done.entries)
    assert (call.passed, call.outcome, call.codec, call.two_way, call.cost) == (
        True,
        "answered",
        "PCMU",
        True,
        0.01,
    )
    assert (call.pdd_s, call.setup_s, call.talk_s) == pytest.approx((0.3, 1.0, 12.0))
    assert of(Trace, done.entries) == []


def test_the_call_that_counts_comes_last():
    failed = Try(
        lost(LEG, "no") | {"outcome": "failed"}, (Check("status", "200", "503", kept=False),), 1.0, 2.0
    )
    refused = Try(lost(LEG, "a cap") | {"outcome": "refused_by_guard"}, (), 3.0, 4.0)
    calls = of(
        Call, Books("here", lambda: None).entries(PLAN, "p", None, Probed(LEG, (failed, refused)), True)
    )
    assert [(call.attempt_no, call.last, call.passed) for call in calls] == [
        (2, False, None),
        (1, True, False),
    ]


def test_recordings_are_kept_with_their_checksums(tmp_path):
    audio = LEG.test.audio.model_copy(update={"record": True})
    leg = Leg(LEG.test.model_copy(update={"audio": audio}), LEG.over, LEG.trunk)
    probed = Probed(leg, (Try(lost(leg, "no"), (), BEGINS, BEGINS + 1.0),))
    (tmp_path / "p-1-heard.wav").write_bytes(b"RIFF")
    made = Books("here", lambda: None, tmp_path).entries(PLAN, "p", None, probed, True)
    (kept,) = of(Recording, made)
    assert (kept.direction, kept.path) == ("heard", str(tmp_path / "p-1-heard.wav"))
    assert kept.sha256 == hashlib.sha256(b"RIFF").hexdigest()


def test_slots_pings_and_signs_of_life_are_kept():
    note, kept = recorder()
    note(SlotMissed(LEG, BEGINS, "asleep", 3))
    note(PingDone("atlantic/1", "atlantic", BEGINS, None, None))
    for second in range(61):
        note(Ticked(BEGINS + second))
    missed, ping, *beats = [entry for entry in kept if not isinstance(entry, GuardUse)]
    assert isinstance(missed, Missed)
    assert (missed.reason, missed.count, missed.due_at, missed.trunk, missed.carrier) == (
        "asleep", 3, BEGINS, "atlantic/1", "atlantic")  # fmt: skip
    assert isinstance(ping, Ping)
    assert (ping.trunk, ping.status, ping.seconds) == ("atlantic/1", None, None)
    assert [beat.at - BEGINS for beat in beats] == [0.0, 30.0, 60.0]
    assert {(beat.started_at, beat.version, beat.clock_offset_s) for beat in of(Heartbeat, beats)} == {
        (BEGINS, "1.0", 0.002)
    }


def test_what_the_guard_let_through_is_counted_by_day_and_trunk():
    calls = [Counted("boreal/1", BEGINS, 2, 0.02), Counted("boreal/1", BEGINS, 1, 0.01)]
    asked = []

    def since(start):
        asked.append(start)
        return [call for call in calls if call.at > start]

    note, kept = recorder(calls_since=since)
    note(SlotMissed(LEG, BEGINS, "guard"))
    note(SlotMissed(LEG, BEGINS - DAY, "guard"))
    note(Ticked(BEGINS + 1.0))
    uses = of(GuardUse, kept)
    assert [(one.day, one.trunk, one.calls, one.minutes, one.refused) for one in uses] == [
        ("2027-01-15", "atlantic/1", 0, 0, 1), ("2027-01-15", "boreal/1", 2, 3, 0)]  # fmt: skip
    assert uses[1].spend == pytest.approx(0.03)
    midnight = BEGINS - BEGINS % DAY + DAY
    kept.clear()
    calls.append(Counted("boreal/1", midnight + 1.0, 1, 0.01))
    note(Ticked(midnight - 100.0))
    note(Ticked(midnight + 250.0))
    uses = [(one.day, one.trunk, one.calls, one.refused) for one in of(GuardUse, kept)]
    today, tomorrow = "2027-01-15", "2027-01-16"
    assert uses[-3:] == [(today, "atlantic/1", 0, 1), (today, "boreal/1", 2, 0), (tomorrow, "boreal/1", 1, 0)]
    assert set(asked) == {midnight - DAY, midnight}


def test_a_refused_plan_is_one_incident_until_a_good_one_comes():
    note, kept = recorder()
    note(Reloaded(ok=True, at=BEGINS, plan=PLAN))
    assert kept == []
    note(Reloaded(ok=False, at=BEGINS + 1.0, why="line 3"))
    note(Reloaded(ok=False, at=BEGINS + 2.0, why="line 4"))
    note(Reloaded(ok=True, at=BEGINS + 3.0, plan=PLAN))
    note(Reloaded(ok=True, at=BEGINS + 4.0, plan=PLAN))
    first, second, over = of(Incident, kept)
    assert {one.id for one in kept} == {first.id}
    assert [(one.kind, one.cause, one.ended_latest) for one in (first, second, over)] == [
        ("plan_refused", "line 3", None), ("plan_refused", "line 4", None),
        ("plan_refused", "line 4", BEGINS + 3.0)]  # fmt: skip
    assert first.revision < second.revision < over.revision


def test_an_inbound_leg_is_about_the_trunk_where_it_arrives():
    plan = plan_of(
        tests=[
            {
                "name": "in",
                "direction": "inbound",
                "to": NUMBER,
                "at": "atlantic",
                "from": "boreal",
                "every": "5m",
            }
        ]
    )
    (leg,) = legs_of(plan, plan.tests)
    note, kept = recorder()
    note = replace(note, plan=plan)
    note(SlotMissed(leg, BEGINS, "late"))
    assert [(one.over, one.trunk, one.carrier) for one in kept] == [
        ("boreal to atlantic", "atlantic/1", "atlantic")
    ]
