"""Stores with probes in them."""

from __future__ import annotations

import datetime as dt

from results.store.entries import Call, Heartbeat, Missed, new_id

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC).timestamp()
DAY = 86400.0
PLAN = """
name: night
trunks:
  - {carrier: atlantic, uri: "sip:127.0.0.1:5070", cost_per_minute: 0.01}
  - {carrier: boreal, uri: "sip:127.0.0.1:5071", cost_per_minute: 0.02}
tests:
  - {name: echo, to: "+12025550100", over: [atlantic, boreal], every: 10m, talk: 12s}
guard: {allow: ["+1202555"], country: US, at_once: 2, calls_per_day: 9999}
"""
SLA = "sla: {availability: 99.5%}\n"
ONE_TRUNK = PLAN.replace(
    '  - {carrier: boreal, uri: "sip:127.0.0.1:5071", cost_per_minute: 0.02}\n', ""
).replace("[atlantic, boreal]", "[atlantic]")


def call(over, at, passed, location="berlin", **more):
    key = new_id(at)
    known = {
        "id": key,
        "probe": key,
        "location": location,
        "plan": "night",
        "test": "echo",
        "over": over,
        "trunk": over,
        "carrier": over.partition("/")[0],
        "number": "+12025550100",
        "due_at": at,
        "started_at": at,
        "ended_at": at + (13.0 if passed else 2.0),
        "outcome": "answered" if passed else "failed",
        "sip_status": 200 if passed else 503,
        "passed": passed,
        "mos": 4.2 if passed else None,
    }
    return Call(**(known | more))


def probed(over, begin, end, faults=(), location="berlin", every=600.0):
    """Probes of a trunk that fails during `faults`, with the prober's last sign of life."""
    made = []
    at = begin
    while at < end - 20.0:
        made.append(call(over, at, not any(a <= at < b for a, b in faults), location))
        at += every
    return [*made, Heartbeat(location=location, plan="night", at=end, started_at=begin, version="1")]


def missed(over, due, reason="guard", location="berlin", count=1):
    return Missed(
        id=new_id(due),
        location=location,
        plan="night",
        test="echo",
        over=over,
        trunk=over,
        carrier=over.partition("/")[0],
        due_at=due,
        reason=reason,
        count=count,
    )


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path
