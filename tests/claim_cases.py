"""Stores with a month of probes to claim on."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace

import reading_cases

from results.store.entries import Call, Document, Heartbeat, Trace

OCTOBER = (dt.date(2026, 10, 1), dt.date(2026, 11, 1))
MONTH = dt.datetime(2026, 9, 30, 22, tzinfo=dt.UTC).timestamp()
"""Its beginning in Berlin."""
END = dt.datetime(2026, 10, 31, 23, tzinfo=dt.UTC).timestamp()
NOW = dt.datetime(2026, 11, 5, 12, tzinfo=dt.UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0
HOSTILE = "<script>alert(1)</script>\u202e =HYPERLINK(1)"
PLAN = """
name: night
timezone: Europe/Berlin
trunks:
  - {carrier: atlantic, uri: "sip:127.0.0.1:5070", cost_per_minute: 0.01}
  - {carrier: boreal, uri: "sip:127.0.0.1:5071", cost_per_minute: 0.02}
tests:
  - {name: echo, to: "+12025550100", over: [atlantic, boreal], every: 10m, talk: 12s}
guard: {allow: ["+1202555"], country: US, at_once: 2, calls_per_day: 9999}
"""
TERMS = """
name: ours
provider: Atlantic Ltd.
measured: {timezone: Europe/Berlin, measured_by: customer}
excludes: [{cause: maintenance, notice: 7d}]
objectives: [{name: availability, at_least: 99.9%}]
credits: [{objective: availability, tiers: [{below: 99.9%, credit: 10%}, {below: 99%, credit: 25%}]}]
claims: {automatic: false, within: 30d, evidence: customer}
"""
TRACE = """--- 0.000 s, sent to udp 127.0.0.1:5070
INVITE sip:+12025550100@127.0.0.1:5070 SIP/2.0
Call-ID: {call_id}
Authorization: Digest username="me", response="5ecre7"
"""


def at(day, hour, minute=0):
    """An instant of October in Berlin, POSIX seconds."""
    zone = dt.timezone(dt.timedelta(hours=2 if day < 25 else 1))
    return dt.datetime(2026, 10, day, hour, minute, tzinfo=zone).timestamp()


def call(over, when, passed, location="berlin", **more):
    key = key_of(when, over, location)
    said = {
        "id": key,
        "probe": key,
        "reason": "OK" if passed else HOSTILE,
        "pdd_s": 1.2 if passed else None,
        "clock_offset_s": 0.002,
        "record": {"call_id": f"{key[:12]}@{location}.example"},
    }
    return reading_cases.call(over, when, passed, location, **(said | more))


def key_of(when, *parts):
    """An id that is the same in every process."""
    return f"{int(when * 1000):012x}{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:20]}"


def probed(over, begin, end, faults=(), location="berlin", every=600.0, **more):
    """Probes of a trunk that fails during `faults`, with traces of the failures and a sign of life."""
    made = []
    when = begin
    while when < end - 20.0:
        passed = not any(a <= when < b for a, b in faults)
        one = call(over, when, passed, location, **({} if passed else more))
        made.append(one)
        if not passed:
            made.append(Trace(id=one.id, sip=TRACE.format(call_id=one.record["call_id"])))
        when += every
    return [*made, Heartbeat(location=location, plan="night", at=end, started_at=begin, version="1")]


def gaps(entries, spans):
    """Leave out the probes of some times."""
    return [e for e in entries if not (isinstance(e, Call) and any(a <= e.started_at < b for a, b in spans))]


def missed(over, due, reason="guard", count=1):
    return replace(reading_cases.missed(over, due, reason, count=count), id=key_of(due, over, reason))


def plan_document(text=PLAN):
    return Document.of("plan", "night", text)
