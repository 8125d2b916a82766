"""Records of probes made of simulated faults, call by call, without what `validate` is made of."""

from __future__ import annotations

import numpy as np

from callsim.build import build
from callsim.live.probing import legs_of
from callsim.watching.slots import schedules
from results.store.entries import Call, Heartbeat, new_id
from sim import simulate

SCENARIO = """
name: two
starts: 2026-01-01
timezone: Europe/Berlin
traffic: {busy_hour_calls: 300, hold_time: 3m, profile: office_hours}
carriers:
  - name: atlantic
    trunks: ["sip:a.example"]
    channels: 60
    post_dial_delay: {median: 1.6s, p95: 3.4s}
    failures:
      - {mode: silent, mtbf: 4d, repair: {median: 40m, p95: 2h}}
  - name: boreal
    trunks: ["sip:b.example"]
    post_dial_delay: {median: 2.1s, p95: 3.6s}
    failures:
      - {mode: silent, mtbf: 6d, repair: {median: 30m, p95: 2h}}
routing: {order: priority, routes: [atlantic, boreal], no_reply_timeout: 4s, progress_timeout: 20s}
simulation: {years: 10, seed: 1}
"""
PLAN = """
name: night
trunks:
  - {carrier: atlantic, uri: "sip:127.0.0.1:5070"}
  - {carrier: boreal, uri: "sip:127.0.0.1:5071"}
routing: {order: priority, routes: [atlantic, boreal], no_reply_timeout: 4s, progress_timeout: 20s}
tests:
  - {name: echo, to: "+12025550100", over: [atlantic, boreal], every: 10m, jitter: 1m, talk: 12s}
guard: {allow: ["+1202555"], country: US, at_once: 2, calls_per_day: 9999}
"""
BEGIN = 1_780_000_000.0
DAY = 86400.0


def recorded(scenario, plan, days, seed, late=0.0):
    """Calls of a plan over one simulated stretch; every post-dial delay is `late` seconds longer."""
    tables = build(scenario)
    (replication,) = simulate(tables, [(0, 2 + int(days / 365))], seed)
    incidents, rng = replication.incidents, np.random.default_rng(seed)
    origin = BEGIN - 7 * DAY
    down = {}
    for unit, start, end in zip(
        incidents.unit, incidents.start + origin, incidents.end + origin, strict=True
    ):
        for trunk in tables.units[unit].takes_trunks:
            down.setdefault(tables.routing.trunks[trunk].name, []).append((start, end))
    delays = {carrier.name: carrier.post_dial_delay for carrier in tables.carriers}
    legs = legs_of(plan, plan.tests)
    calls = []
    for leg, schedule in zip(legs, schedules(plan, legs), strict=True):
        faults = np.array(sorted(down.get(leg.over, [])) or [(0.0, 0.0)])
        law = delays[leg.over.partition("/")[0]]
        for due in schedule.between(BEGIN, BEGIN + days * DAY):
            row = np.searchsorted(faults[:, 0], due, side="right") - 1
            fails = row >= 0 and due < faults[row, 1]
            pdd = None if fails else float(law.sample(rng, 1)[0]) + late
            calls.append(_call(plan, leg, due, pdd))
    calls.sort(key=lambda one: one.started_at)
    last = calls[-1].ended_at
    return [*calls, Heartbeat(location="berlin", plan=plan.name, at=last, started_at=BEGIN, version="1")]


def _call(plan, leg, due, pdd):
    key = new_id(due)
    return Call(
        id=key,
        probe=key,
        location="berlin",
        plan=plan.name,
        test=leg.test.name,
        over=leg.over,
        trunk=leg.over,
        carrier=leg.over.partition("/")[0],
        number=leg.test.to,
        due_at=due,
        started_at=due,
        ended_at=due + (4.0 if pdd is None else pdd + leg.test.talk),
        outcome="failed" if pdd is None else "answered",
        sip_status=408 if pdd is None else 200,
        passed=pdd is not None,
        pdd_s=pdd,
    )
