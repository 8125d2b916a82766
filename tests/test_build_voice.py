"""Voice, inbound calls, devices: from a scenario to the tables that a simulation plays."""

import jsonschema
import pytest

from callsim.build import build
from callsim.ledgers.causes import blames_of
from callsim.scenario.load import load_scenario, scenario_hash
from callsim.scenario.schema import json_schema
from callsim.scenario.tree import parse
from carriers.codecs import CODECS
from carriers.faults import Kind
from carriers.health import CallRule, QualityRule
from carriers.laws import Lognormal
from carriers.path import CLEAR, AccessLink, JitterBuffer, Transit
from results.ledger import Blame
from sim.tables import Devices, Forwarding, Mobile, Numbers, Segment

PLAIN = """\
name: plain
starts: 2026-01-01
traffic: {busy_hour_calls: 600, hold_time: 3m}
carriers:
  - {name: atlantic, trunks: ["sip:a.example", "sip:b.example"]}
  - {name: boreal, trunks: ["sip:c.example"]}
routing: {order: priority, routes: [atlantic, boreal]}
"""

FULL = """\
name: full
starts: 2026-01-01
traffic:
  busy_hour_calls: 1800
  hold_time: 3m
  profile: office_hours
  inbound: 40%
  codec: G.711_with_PLC
  packet: 30ms
  redial: {share: 60%, after: {median: 20s, p95: 2m}}
service: {failing: [not_connected, one_way_audio, poor_audio], poor_below: 3.5}
path:
  lan:
    loss: 0.02%
    jitter: 2ms
    failures: [{mode: interference, loss: 4%, burst_ratio: 3, jitter: 30ms, mtbf: 60d, repair: 40m}]
  endpoint: {delay: 5ms}
  platform: {delay: 2ms, failures: [{mode: overload, jitter: 40ms, mtbf: 1y, repair: 1h}]}
  access:
    bandwidth: 100Mbit/s
    data: 40Mbit/s
    reserved: 30%
    buffer: 90ms
    delay: 6ms
    failures:
      - {mode: congestion, data: 90Mbit/s, mtbf: 45d, repair: 1h, blame: customer}
      - {mode: flapping, data: 10Mbit/s, loss: 2%, mtbf: 45d, repair: 1h}
      - {mode: rain, loss: 3%, mtbf: 45d, repair: 1h}
  internet: {loss: 0.05%, failures: [{mode: detour, delay: 80ms, mtbf: 90d, repair: 3h}]}
  mobile: {share: 30%, loss: 0.4%, delay: 60ms, codec: GSM-EFR}
  jitter_buffer: {nominal: 50ms, maximum: 180ms, late: 1%}
platform:
  sites: [{name: east, failures: [{mode: power, mtbf: 4y, repair: 2h}]}]
  groups:
    - {name: media, units: 2, need: 1}
    - {name: sbc, units: {east: 2}, need: 1, standby: hot}
  devices: {registered_at: sbc, every: 2m, kept: within_site}
carriers:
  - name: atlantic
    trunks: ["sip:a.example", "sip:b.example"]
    quality: {loss: 0.1%, burst_ratio: 1.5, jitter: 4ms, delay: 35ms}
    failures:
      - {mode: silent, mtbf: 70d, repair: 14m}
      - {mode: poor_audio, loss: 9%, burst_ratio: 2, jitter: 45ms, delay: 50ms, mtbf: 30d, repair: 18m}
      - {mode: maintenance, every: 30d, window: "Tue 01:00-05:00", lasts: 45m}
  - name: boreal
    trunks: ["sip:c.example"]
    failures: [{mode: one_way_audio, name: deaf, trunk: 1, mtbf: 120d, repair: 40m}]
shared_risks:
  - {name: building, mode: one_way_audio, takes: [atlantic, boreal], mtbf: 3y, repair: 50m}
numbers:
  - {block: main, home: atlantic, share: 75%, forwards: {to: boreal, after: 15m, success: 90%}}
  - {block: branch, home: boreal, share: 25%}
routing:
  order: priority
  routes: [atlantic, boreal]
  poor_calls: {mos_below: 3.4, of_last: 20, share: 60%, for: 10m}
sla: {objectives: [{name: availability, at_least: 99.9%, risk: 1%}]}
customers:
  - {name: initech}
  - name: acme
    busy_hour_calls: 60
    path:
      access: {bandwidth: 10Mbit/s, failures: [{mode: backup, data: 9Mbit/s, mtbf: 7d, repair: 1h}]}
      lan: {loss: 1%, failures: [{mode: interference, loss: 5%, mtbf: 30d, repair: 1h}]}
  - {name: globex, path: {internet: {loss: 2%, failures: [{mode: leak, loss: 9%, mtbf: 9d, repair: 1h}]}}}
"""


def read(folder, text):
    """The scenario with this text."""
    file = folder / "scenario.yaml"
    file.write_text(text)
    return load_scenario(file)


@pytest.fixture
def full(tmp_path):
    return read(tmp_path, FULL)


@pytest.fixture
def tables(full):
    return build(full)


def test_calls_to_us_have_homes(tables):
    assert tables.traffic.inbound == 0.4
    assert tables.numbers == (
        Numbers("main", 0, 0.75, Forwarding(1, 900.0, 0.9)),
        Numbers("branch", 1, 0.25),
    )
    assert tables.devices == Devices(group=1, every=120.0, kept_within_site=True)


def test_numbers_are_overridden_by_their_block(tmp_path):
    (tmp_path / "scenario.yaml").write_text(FULL)
    scenario = load_scenario(tmp_path / "scenario.yaml", ["numbers.branch.home=atlantic"])
    assert [block.home for block in scenario.numbers] == ["atlantic", "atlantic"]


def test_callers_redial(tables):
    assert (tables.traffic.redial_share, tables.traffic.redial_after) == (0.6, Lognormal(20.0, 120.0))


def test_written_thirds_are_a_whole(tmp_path):
    third = "{{block: {}, home: atlantic, share: 33.33333333%}}"
    blocks = ", ".join(third.format(name) for name in "abc")
    text = PLAIN.replace("3m}", "3m, inbound: 40%}") + f"numbers: [{blocks}]\n"
    assert sum(block.share for block in build(read(tmp_path, text)).numbers) == pytest.approx(1.0, abs=1e-15)


def test_speech_crosses_the_segments_in_their_order(tables):
    voice = tables.voice
    assert (voice.codec, voice.packet, voice.poor_below) == (CODECS["G.711_with_PLC"], 0.03, 3.5)
    assert voice.buffer == JitterBuffer(0.05, 0.18, 0.01)
    assert voice.mobile == Mobile(0.3, Transit(0.004, delay=0.06), CODECS["GSM-EFR"])
    assert voice.segments == (
        Segment("endpoint", Transit(delay=0.005)),
        Segment("lan", Transit(0.0002, jitter=0.002)),
        Segment("access", Transit(delay=0.006), AccessLink(1e8, 4e7, 0.3, 0.09)),
        Segment("internet", Transit(0.0005)),
        Segment("platform", Transit(delay=0.002)),
    )
    assert [carrier.quality for carrier in tables.carriers] == [Transit(0.001, 1.5, 0.004, 0.035), CLEAR]
    assert tables.failing == {"not_connected", "one_way_audio", "poor_audio"}
    assert tables.routing.poor_calls == QualityRule(3.4, CallRule(20, 0.6, 600.0))


def test_a_codec_alone_has_a_path_with_nothing_on_it(tmp_path):
    voice = build(read(tmp_path, PLAIN.replace("3m}", "3m, codec: G.723.1}"))).voice
    assert (voice.codec, voice.packet, voice.poor_below) == (CODECS["G.723.1"], CODECS["G.723.1"].packet, 3.6)
    assert (voice.segments, voice.mobile, voice.buffer) == ((), None, JitterBuffer())


def test_a_codec_may_go_by_the_name_it_has_in_sdp(tmp_path):
    called = [
        read(tmp_path, PLAIN.replace("3m}", f"3m, codec: {name}}}")) for name in ("pcmu", "G.711_with_PLC")
    ]
    assert build(called[0]).voice.codec == CODECS["G.711_with_PLC"]
    assert scenario_hash(called[0]) == scenario_hash(called[1])


def test_customers_have_their_own_segments_among_those_of_all(tables):
    acme, globex = tables.own_paths
    shared = tables.voice.segments
    lan = Segment("lan", Transit(0.01))
    access = Segment("access", CLEAR, AccessLink(1e7))
    assert (acme.customer, acme.segments) == ("acme", (shared[0], lan, access, *shared[3:]))
    assert max(acme.calls_per_hour) == 60.0
    internet = Segment("internet", Transit(0.02))
    assert (globex.customer, globex.segments) == ("globex", (*shared[:3], internet, shared[4]))
    # Their access link is everybody's.
    assert globex.calls_per_hour == tables.traffic.calls_per_hour


def test_segments_that_fail_are_units_after_all_others(tables):
    segments = [unit for unit in tables.units if unit.segment is not None]
    assert tables.units[-len(segments) :] == tuple(segments)
    assert [(unit.name, unit.segment, unit.customer) for unit in segments] == [
        ("lan", 1, None),
        ("access", 2, None),
        ("internet", 3, None),
        ("platform", 4, None),
        ("acme/lan", 1, 0),
        ("acme/access", 2, 0),
        ("globex/internet", 3, 1),
    ]


def test_a_segment_fails_with_data_or_with_what_packets_meet(tables):
    faults = [tables.faults[mode.fault] for unit in tables.units[-7:] for mode in unit.modes]
    assert [(fault.name, fault.kind, fault.transit, fault.data) for fault in faults] == [
        ("interference", Kind.POOR_AUDIO, Transit(0.04, 3.0, 0.03), 0.0),
        ("congestion", Kind.CONGESTION, None, 9e7),
        ("flapping", Kind.CONGESTION, Transit(0.02), 1e7),
        ("rain", Kind.POOR_AUDIO, Transit(0.03), 0.0),
        ("detour", Kind.POOR_AUDIO, Transit(delay=0.08), 0.0),
        ("overload", Kind.POOR_AUDIO, Transit(jitter=0.04), 0.0),
        ("interference", Kind.POOR_AUDIO, Transit(0.05), 0.0),
        ("backup", Kind.CONGESTION, None, 9e6),
        ("leak", Kind.POOR_AUDIO, Transit(0.09), 0.0),
    ]


def test_every_fault_knows_the_cause_that_it_is(tables):
    shown = {mode.fault: mode.cause for unit in tables.units for mode in unit.modes if mode.fault is not None}
    shown |= {unit.calendar.fault: unit.calendar.cause for unit in tables.units if unit.calendar}
    assert [fault.cause for fault in tables.faults] == [shown[n] for n in range(len(tables.faults))]
    assert tables.faults[1].cause == "atlantic/poor_audio"
    assert tables.faults[1].transit == Transit(0.09, 2.0, 0.045, 0.05)
    assert (tables.faults[3].cause, tables.faults[3].kind) == ("boreal/deaf", Kind.ONE_WAY_AUDIO)
    assert (tables.faults[4].cause, tables.faults[4].kind) == ("building/one_way_audio", Kind.ONE_WAY_AUDIO)


def test_every_cause_is_somebodys_matter(full, tables):
    blames = blames_of(full)
    causes = {mode.cause for unit in tables.units for mode in unit.modes}
    assert causes <= set(blames)
    usual = {"mobile", *(name for name, _ in full.path.segments)}
    assert blames["mobile"] is blames["internet"] is Blame.THIRD_PARTY
    assert blames["lan"] is Blame.PROVIDER
    found = {c: blame for c, blame in blames.items() if c not in usual and blame is not Blame.CARRIER}
    assert found == {
        "east/power": Blame.PROVIDER,
        "atlantic/maintenance": Blame.MAINTENANCE,
        "lan/interference": Blame.PROVIDER,
        "access/congestion": Blame.CUSTOMER,
        "access/flapping": Blame.ACCESS,
        "access/rain": Blame.ACCESS,
        "internet/detour": Blame.THIRD_PARTY,
        "platform/overload": Blame.PROVIDER,
        "acme/access/backup": Blame.ACCESS,
        "acme/lan/interference": Blame.CUSTOMER,
        "globex/internet/leak": Blame.THIRD_PARTY,
    }


def test_without_any_of_it_the_tables_say_nothing_of_it(tmp_path):
    plain = read(tmp_path, PLAIN)
    tables = build(plain)
    assert (tables.voice, tables.devices, tables.numbers, tables.own_paths) == (None, None, (), ())
    assert (tables.traffic.inbound, tables.traffic.redial_after) == (0.0, None)
    assert (tables.failing, tables.routing.poor_calls) == ({"not_connected"}, None)
    assert {carrier.quality for carrier in tables.carriers} == {CLEAR}


def test_the_hash_of_a_scenario_is_that_of_before_there_was_voice(tmp_path):
    # What was stored under it is still found.
    assert scenario_hash(read(tmp_path, PLAIN)) == "28c48fe70ad66ba3"


def test_the_schema_takes_the_whole_of_it():
    jsonschema.Draft202012Validator(json_schema()).validate(parse(FULL).data)
