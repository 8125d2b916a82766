"""Customers with segments of their own: whose faults they hear, and whose matter these are."""

import numpy as np
import pytest
from ledger_plays import SEED, play

from callsim.agreements.reckoner import reckoner_of
from callsim.build import build
from callsim.ledgers.own_path import with_own_path
from results.ledger import Blame
from sim.voice import Hearing
from sla.assess import assess
from sla.assessment import Customer
from sla.reckoning import Agreement, merge_reckonings
from sla.terms import Terms

YEARS = 20
SCENARIO = """\
name: clinic
starts: 2026-01-01
timezone: Europe/London
traffic: {busy_hour_calls: 600, hold_time: 3m, codec: G.711_with_PLC, profile: office_hours}
service: {failing: [not_connected, poor_audio]}
path:
  lan: {jitter: 2ms, failures: [{mode: noise, loss: 8%, mtbf: 30d, repair: 2h}]}
  internet: {loss: 0.05%, failures: [{mode: detour, loss: 9%, mtbf: 20d, repair: 9h}]}
carriers:
  - name: atlantic
    trunks: ["sip:a.example"]
    quality: {loss: 0.1%, delay: 35ms}
    failures:
      - {mode: silent, mtbf: 60d, repair: 1h}
      - {mode: poor_audio, loss: 5%, jitter: 45ms, mtbf: 30d, repair: 5h}
      - {mode: one_way_audio, mtbf: 60d, repair: 2h}
routing: {order: priority, routes: [atlantic]}
customers:
  - {name: plain}
  - name: acme
    path:
      lan:
        jitter: 3ms
        failures:
          - {mode: interference, loss: 7%, mtbf: 5d, repair: 9h}
          - {mode: storm, loss: 15%, mtbf: 20d, repair: 6h}
  - name: far
    busy_hour_calls: 60
    path: {access: {bandwidth: 2Mbit/s, data: 4Mbit/s}}
sla: {objectives: [{name: poor_calls, mos_below: 3.6, at_most: 1%}]}
"""
LAN, INTERNET = 0, 1


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return play(tmp_path_factory.mktemp("own"), SCENARIO, years=YEARS)


@pytest.fixture(scope="module")
def tables(played):
    return build(played.scenario)


def own(played, tables, name):
    return with_own_path(tables, played.plan, played.ledger, name, played.stretch.incidents)


def at(calls, t):
    """Condition at an instant."""
    row = np.searchsorted(calls.start, t, side="right") - 1
    return calls.conditions[calls.condition[row] if row >= 0 and t < calls.end[row] else 0]


def present(played, tables, t):
    """Causes of the faults at an instant since the stream's start."""
    incidents = played.stretch.incidents
    now = (incidents.start <= t) & (t < incidents.end)
    pairs = zip(incidents.unit[now].tolist(), incidents.mode[now].tolist(), strict=True)
    return {tables.units[unit].modes[mode].cause for unit, mode in pairs}


def test_calls_meet_the_customers_own_faults_in_place_of_the_scenarios(played, tables):
    calls, hearing = own(played, tables, "acme").calls, Hearing(tables)
    faults = {fault.cause: fault for fault in tables.faults}
    rng = np.random.default_rng(2)
    starts = rng.choice(played.stretch.incidents.start, 400)
    seen = set()
    for t in np.concatenate((starts + 1.0, rng.uniform(0, played.stretch.timeline.length, 200))).tolist():
        causes = present(played, tables, t)
        if t < 0:
            continue
        # A unit has one failure at a time, so that each segment shows one fault at most.
        (lan,) = [faults[c] for c in causes if c.startswith("acme/lan")] or [None]
        internet = faults.get("internet/detour") if "internet/detour" in causes else None
        before = at(played.ledger.calls, played.ledger.start + t)
        found = at(calls, played.ledger.start + t)
        assert (found.lost == before.lost).all()
        expected = {}
        for fault, share in {(b.carrier_fault, b.share.tobytes()) for b in before.branches}:
            mixture = hearing.own(0, 0, faults.get(fault), (lan, internet))
            expected |= {heard: np.frombuffer(share) * chance for chance, heard in mixture}
        assert {b.heard for b in found.branches} == set(expected)
        for branch in found.branches:
            assert branch.share == pytest.approx(expected[branch.heard])
        poor = sum(b.share[10] for b in found.branches if b.heard.spoilt_by)
        assert found.failing[10] == pytest.approx(found.lost[10] + poor)
        seen |= causes
    assert seen == set(faults)


def test_pieces_are_in_order_and_disjoint(played, tables):
    calls = own(played, tables, "acme").calls
    assert (calls.start < calls.end).all()
    assert (calls.end[:-1] <= calls.start[1:]).all()
    assert calls.start[0] >= played.ledger.start
    assert calls.end[-1] <= played.ledger.end


def test_who_has_no_path_of_their_own_hears_what_all_hear(played, tables):
    assert own(played, tables, "plain") is played.ledger


def test_a_segment_that_is_poor_without_a_fault_is_whose_it_is(played, tables):
    calls = own(played, tables, "far").calls
    assert {b.heard.spoilt_by for b in calls.conditions[0].branches} == {"access"}
    assert calls.blames["access"] is Blame.ACCESS
    assert calls.blames["lan"] is Blame.PROVIDER
    assert own(played, tables, "acme").calls.blames["lan"] is Blame.CUSTOMER


def terms(**parts):
    return Terms.model_validate(
        {"objectives": [{"name": "poor_calls", "mos_below": 3.6, "at_most": "1%"}], **parts}
    )


def shares(played, tables, *customers, excludes=()):
    """Poor shares of the months as these customers hear them."""
    agreed = [Agreement(terms(excludes=list(excludes)), Customer(name)) for name in customers]
    reckoner = reckoner_of(played.scenario, tables, agreed)
    return [found.actual[0] for found in reckoner(played.stretch, SEED)]


def test_customers_of_one_agreement_are_judged_by_what_each_hears(played, tables):
    plain, acme = shares(played, tables, "plain", "acme")
    (alone,) = shares(played, tables, "acme")
    assert acme.tolist() == alone.tolist()
    # Interference and storms take a good 7 % and 1 % of the time, noise a quarter of a percent.
    assert np.mean(acme - plain) == pytest.approx(0.08, abs=0.02)


def reckoned(played, tables, agreed_terms, *customers):
    agreed = [Agreement(agreed_terms, Customer(name)) for name in customers]
    return reckoner_of(played.scenario, tables, agreed)(played.stretch, SEED)


BY_MINUTE = {"by": "error_rate", "over": "1m", "down_above": "5%", "at_least": "10 attempts"}


def test_what_is_not_about_sound_is_worked_out_once_for_all(played, tables):
    objectives = [
        {"name": "availability", "at_least": "99.9%"},
        {"name": "ner", "at_least": "99%"},
        {"name": "poor_calls", "mos_below": 3.6, "at_most": "1%"},
    ]
    agreed = terms(objectives=objectives, measured={**BY_MINUTE, "failing": ["not_connected"]})
    plain, acme = reckoned(played, tables, agreed, "plain", "acme")
    (alone,) = reckoned(played, tables, agreed, "acme")
    assert [acme.actual[n] is plain.actual[n] for n in range(3)] == [True, True, False]
    for of_both, of_one in zip(acme.actual, alone.actual, strict=True):
        np.testing.assert_allclose(of_both, of_one, rtol=1e-9)
    # A fault of the carrier's makes some months differ from others.
    assert len(np.unique(acme.actual[0])) > YEARS
    plain, acme = merge_reckonings([(plain, acme), (plain, acme)])
    assert [acme.actual[n] is plain.actual[n] for n in range(3)] == [True, True, False]
    assert acme.actual[2].tolist() == [*alone.actual[2], *alone.actual[2]]


def test_where_poor_calls_count_as_failing_availability_is_what_each_hears(played, tables):
    agreed = terms(
        objectives=[{"name": "availability", "at_least": "99.9%"}],
        measured={**BY_MINUTE, "failing": ["not_connected", "poor_audio"]},
    )
    plain, acme = reckoned(played, tables, agreed, "plain", "acme")
    (alone,) = reckoned(played, tables, agreed, "acme")
    assert acme.actual[0].tolist() == alone.actual[0].tolist()
    # Interference and storms take a good 8 % of the time.
    assert np.mean(plain.actual[0] - acme.actual[0]) == pytest.approx(0.08, abs=0.02)


def test_what_their_own_network_spoils_is_not_the_providers_matter(played, tables):
    (acme,) = shares(played, tables, "acme")
    (left,) = shares(played, tables, "acme", excludes=[{"cause": "customer"}])
    calls = own(played, tables, "acme").calls
    poor = {b.heard.spoilt_by for c in calls.conditions for b in c.branches}
    assert {"acme/lan/interference", "acme/lan/storm", "internet/detour"} <= poor
    assert np.mean(left) < np.mean(acme) - 0.05
    # What is left are the calls that the internet and the carrier spoil.
    others = [{"cause": cause} for cause in ("customer", "carrier", "third_party")]
    (nothing,) = shares(played, tables, "acme", excludes=others)
    assert nothing.max() == 0
    up = assess(
        terms(excludes=[{"cause": "customer"}], excluded_time="counts_as_up"), own(played, tables, "acme")
    )
    assert (up.judged[0].actual <= left + 1e-12).all()
