"""Entries as a prober would write them, and the stores that they are tried on."""

from __future__ import annotations

from results.store.entries import (
    Attempt,
    Call,
    Document,
    GuardUse,
    Heartbeat,
    Incident,
    Missed,
    Ping,
    Recording,
    Run,
    Trace,
    new_id,
)

T0 = 1_792_800_000.0
"""A midnight, UTC."""
HOUR, DAY = 3600.0, 86400.0
PLAN, NUMBER = "production", "+12025550100"
TRACE = f"""INVITE sip:{NUMBER}@192.0.2.1:5060 SIP/2.0
From: "2025550199" <sip:+12025550199@example.com>;tag=1
To: <sip:{NUMBER};user=phone@192.0.2.1>
Contact: <sip:192.0.2.7:5060>
Call-ID: 17@example.com
"""


def call(at, *, over="atlantic/1", passed=True, location="berlin", **more):
    """A call that started at a time."""
    id_ = new_id(at)
    values = {
        "id": id_,
        "probe": id_,
        "location": location,
        "plan": PLAN,
        "test": "echo",
        "over": over,
        "trunk": over,
        "carrier": "atlantic",
        "number": NUMBER,
        "due_at": at,
        "started_at": at,
        "ended_at": at + 14.0,
        "outcome": "answered" if passed else "timeout",
        "sip_status": 200 if passed else 408,
        "passed": passed,
        "pdd_s": 1.25 if passed else None,
        "mos": 4.21 if passed else None,
        "checks": [{"expect": "status", "wanted": "200", "found": "200", "kept": True}],
        "record": {"to": NUMBER, "rtp": {"jitter_ms": 2.5}},
    }
    return Call(**{**values, **more})


def one_of_each(at=T0):
    """One entry of each kind."""
    placed = call(at, passed=False)
    document = Document.of("plan", PLAN, f'name: {PLAN}\ntests: [{{to: "{NUMBER}"}}]\n')
    return [
        placed,
        Attempt(id=new_id(at), call=placed.id, no=1, trunk="atlantic/1", carrier="atlantic", sip_status=408),
        Trace(id=placed.id, sip=TRACE),
        Recording(id=new_id(at), call=placed.id, direction="heard", path="/nowhere/1.wav", sha256="0" * 64),
        Ping(
            id=new_id(at),
            location="berlin",
            plan=PLAN,
            trunk="atlantic/1",
            carrier="atlantic",
            at=at,
            status=200,
            seconds=0.02,
        ),
        missed(at),
        incident(at),
        GuardUse(
            id=new_id(at),
            location="berlin",
            plan=PLAN,
            day="2026-10-24",
            trunk="atlantic/1",
            at=at,
            calls=3,
            minutes=3,
            spend=0.05,
            refused=0,
        ),
        document,
        Run(
            id=new_id(at),
            name="five-nines",
            document=document.id,
            seed=2**62,
            version="0.1.0",
            at=at,
            years=200.0,
            result={"availability": {"gross": 0.99999}},
        ),
        Heartbeat(location="berlin", plan=PLAN, at=at, started_at=at, version="0.1.0"),
    ]


def missed(at, **more):
    """A slot without a probe."""
    values = {
        "id": new_id(at),
        "location": "berlin",
        "plan": PLAN,
        "test": "echo",
        "over": "atlantic/1",
        "trunk": "atlantic/1",
        "carrier": "atlantic",
        "due_at": at,
        "reason": "asleep",
    }
    return Missed(**{**values, **more})


def incident(at, **more):
    """An outage of a trunk."""
    values = {
        "id": new_id(at),
        "location": "berlin",
        "plan": PLAN,
        "kind": "outage",
        "subject": "atlantic/1",
        "began_earliest": at - 60.0,
        "began_latest": at,
        "detail": {"seen": f"no answer from {NUMBER}"},
    }
    return Incident(**{**values, **more})
