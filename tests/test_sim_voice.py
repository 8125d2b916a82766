"""How calls sound in each state, who is blamed, trunks that are taken out for it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sim_tables import (
    HOUR,
    SILENT,
    calling,
    carrier,
    failing_carrier,
    play,
    routed,
    rows,
    traffic,
    unit,
)

from carriers.codecs import CODECS, coding_delay
from carriers.faults import Fault, Kind
from carriers.health import CallRule, QualityRule
from carriers.path import AccessLink, JitterBuffer, Transit, call_bandwidth
from carriers.quality import Leg, rate
from sim.conditions import Conditions
from sim.tables import Mobile, OwnPath, Segment, Voice
from sim.voice import Hearing

PLAIN = CODECS["G.711_with_PLC"]
POOR = Fault("poor_audio", Kind.POOR_AUDIO, transit=Transit(0.09, 2.0, 0.045, 0.0), cause="x/poor_audio")
ONE_WAY = Fault("one_way_audio", Kind.ONE_WAY_AUDIO, cause="x/one_way_audio")
NOISE = Fault("noise", Kind.POOR_AUDIO, transit=Transit(0.30, 1.0, 0.0, 0.0), cause="lan/noise")
FAULTS = (POOR, ONE_WAY, NOISE, SILENT)
POOR_, ONE_WAY_, NOISE_, SILENT_ = range(4)
LAN = Segment("lan", Transit(0.001, 1.0, 0.002, 0.001))


def voice(*segments, codec=PLAIN, mobile=None, poor_below=3.6):
    return Voice(codec, 0.020, JitterBuffer(), segments, mobile, poor_below)


def tables(*, policy=None, **more):
    spec = {"faults": FAULTS, "voice": voice(LAN)} | more
    return calling(policy or routed(carrier("x"), carrier("y")), **spec)


def heard(found, *codes):
    """(share on Monday at midnight, how it sounds) of the calls that connect."""
    state = Conditions(found).look((1, *codes))[1]
    return [(float(b.share[0]), b.heard) for b in state.condition.branches]


def mean(values):
    return sum(share * h.mos for share, h in values) / sum(share for share, _ in values)


# ---- one call


def test_a_path_is_rated_as_its_parts_add_up():
    quality = Transit(0.01, 1.0, 0.004, 0.035)
    found = tables(policy=routed(carrier("x", quality=quality)))
    ((share, sound),) = heard(found, 1, 0)
    jitter = float(np.hypot(0.004, 0.002))
    buffer = JitterBuffer()
    late = buffer.late_share(jitter)
    kept = 0.99 * 0.999 * (1 - late)
    delay = 0.036 + buffer.depth(jitter) + coding_delay(PLAIN, 0.020)
    assert share == 1.0
    assert (sound.loss, sound.jitter, sound.delay) == pytest.approx((1 - kept, jitter, delay))
    assert sound.mos == pytest.approx(rate([Leg(PLAIN, 1 - kept)], delay).mos, abs=1e-9)
    assert (sound.scale, sound.spoilt_by, sound.one_way) == ("MOS-CQE", "", False)


@pytest.mark.parametrize(
    ("codes", "culprit"),
    [
        ((2 * POOR_ + 3, 1, 0), "x/poor_audio"),
        ((1, 1, NOISE_ + 1), "lan/noise"),
        ((2 * POOR_ + 3, 1, NOISE_ + 1), "lan/noise"),
    ],
)
def test_a_poor_call_is_blamed_on_what_spoils_it_most(codes, culprit):
    ((_, sound),) = heard(tables(), *codes)
    assert sound.mos < 3.6
    assert sound.spoilt_by == culprit


def test_a_codec_can_be_the_reason():
    ((_, sound),) = heard(tables(voice=voice(codec=CODECS["G.723.1"])), 1, 1)
    assert CODECS["G.723.1"].ie is not None
    ((_, poorer),) = heard(tables(voice=voice(codec=CODECS["G.723.1"], poor_below=sound.mos + 0.01)), 1, 1)
    assert poorer.spoilt_by == "codec G.723.1"


def test_one_way_audio_has_no_mos_and_fails_where_the_service_says_so():
    for failing, lost in ((frozenset({"not_connected"}), 0.0), (frozenset({"one_way_audio"}), 1.0)):
        found = tables(failing=failing)
        state = Conditions(found).look((1, 2 * ONE_WAY_ + 3, 1, 0))[1]
        (branch,) = state.condition.branches
        assert (branch.heard.one_way, branch.heard.mos) == (True, None)
        assert branch.carrier_fault == "x/one_way_audio"
        assert float(state.condition.failing[0]) == lost
        assert float(state.condition.lost[0]) == 0.0


def test_poor_audio_fails_where_the_service_says_so():
    found = tables(failing=frozenset({"not_connected", "poor_audio"}))
    state = Conditions(found).look((1, 2 * POOR_ + 3, 1, 0))[1]
    assert (float(state.condition.failing[0]), float(state.condition.lost[0])) == (1.0, 0.0)
    assert state.down


def test_one_way_audio_is_known_without_a_codec():
    found = tables(voice=None, failing=frozenset({"not_connected", "one_way_audio"}))
    assert float(Conditions(found).look((1, 2 * ONE_WAY_ + 3, 1))[1].condition.failing[0]) == 1.0


def test_a_codec_without_figures_has_no_mos():
    unknown = replace(PLAIN, name="unknown", ie=None, bpl=None)
    ((_, sound),) = heard(tables(voice=voice(LAN, codec=unknown)), 1, 1, 0)
    assert (sound.mos, sound.scale) == (None, "")
    assert sound.delay > 0.0


# ---- mixtures


def test_a_share_of_the_calls_ends_at_a_mobile():
    mobile = Mobile(0.3, Transit(0.01, 1.0, 0.0, 0.060), CODECS["GSM-EFR"])
    found = heard(tables(voice=voice(mobile=mobile)), 1, 1)
    assert [share for share, _ in found] == pytest.approx([0.3, 0.7])
    (_, far), (_, near) = found
    assert far.delay > near.delay + 0.060
    delay = near.delay + 0.060 + coding_delay(CODECS["GSM-EFR"], CODECS["GSM-EFR"].packet)
    assert far.mos == pytest.approx(rate([Leg(PLAIN), Leg(CODECS["GSM-EFR"], 0.01)], delay).mos, abs=1e-9)


def test_calls_on_a_link_sound_as_many_as_there_are():
    per_call = call_bandwidth(PLAIN, 0.020)
    link = AccessLink(bandwidth=22.5 * per_call)
    found = tables(voice=voice(Segment("access", Transit(), link)))
    sounds = heard(found, 1, 1, 0)
    assert sum(share for share, _ in sounds) == pytest.approx(1.0)
    # 18 erlangs (`traffic()`), and 22 fit: a call among 23 or more loses packets.
    crowded = float(stats.poisson.sf(21, 18.0))
    assert sum(share for share, h in sounds if h.loss > 0.01) == pytest.approx(crowded, abs=0.03)
    exact = [link.transit(np.array([n + 1.0]), PLAIN, 0.020) for n in range(60)]
    loss = sum(stats.poisson.pmf(n, 18.0) * float(parts[0][0]) for n, parts in enumerate(exact))
    assert sum(share * h.loss for share, h in sounds) == pytest.approx(loss, abs=2e-4)
    reserved = replace(link, reserved=1.0, bandwidth=60 * per_call, data=30 * per_call)
    safe = heard(tables(voice=voice(Segment("access", Transit(), reserved))), 1, 1, 0)
    assert mean(safe) > mean(sounds)
    assert sum(share * h.loss for share, h in safe) < 1e-6


def test_more_data_on_a_link_is_its_own_cause():
    link = AccessLink(bandwidth=3e6, data=0.2e6)
    congestion = Fault("congestion", Kind.CONGESTION, data=3e6, cause="access/congestion")
    found = tables(voice=voice(Segment("access", Transit(), link)), faults=(*FAULTS, congestion))
    congested = heard(found, 1, 1, len(FAULTS) + 1)
    assert {h.spoilt_by for _, h in congested} == {"access/congestion"}
    assert mean(congested) < 2 < 4 < mean(heard(found, 1, 1, 0))


def test_a_customers_own_segments_stand_in_place_of_the_paths():
    own = (Segment("lan", Transit(0.05)),)
    found = tables(own_paths=(OwnPath("acme", own, (60.0,) * 168),))
    hearing = Hearing(found)
    ((chance, sound),) = hearing.own(0, 0, None, (None,))
    ((_, usual),) = hearing.mixture(0, None, (None,))
    assert chance.min() == 1.0
    assert sound.loss == pytest.approx(0.05, abs=1e-3)
    assert sound.mos < usual.mos
    ((_, noisy),) = hearing.own(0, 0, None, (NOISE,))
    assert noisy.spoilt_by == "lan/noise"


# ---- in time


def test_a_fault_of_a_segment_shows_for_as_long_as_it_lasts():
    noise = replace(unit("lan", 1000.0), segment=0)
    noise = replace(noise, modes=(replace(noise.modes[0], fault=NOISE_, cause="lan/noise"),))
    run = play(tables(units=[noise]))
    assert [(start, end, label) for start, end, label, _ in rows(run)] == [
        (1000.0, 1000.0 + HOUR, "lan noise")
    ]
    own = replace(noise, customer=0)
    paths = (OwnPath("acme", (LAN,), (60.0,) * 168),)
    assert rows(play(tables(units=[own], own_paths=paths))) == []


def test_a_trunk_is_taken_out_for_calls_that_sound_poor():
    rule = QualityRule(3.4, CallRule(of_last=10, share=0.5, hold=600.0))
    policy = routed(carrier("x"), carrier("y"), poor_calls=rule)
    found = tables(policy=policy, units=[failing_carrier("x", POOR_, 1000.0)], traffic=traffic(3600.0, 30.0))
    poor = [(s, e) for s, e, label, _ in rows(play(found)) if label == "x/1 poor_audio, believed up"]
    out = [(s, e) for s, e, label, _ in rows(play(found)) if label == "x/1 poor_audio, believed down"]
    # Five calls at one a second, and their 30 seconds: then out for ten minutes, and again, for an hour.
    assert poor[0][0] == 1000.0
    lengths = np.array([end - start for start, end in poor])
    assert np.all((lengths > 30.0) & (lengths < 30.0 + 20.0))
    assert len(out) == 6
    assert [end - start for start, end in out[:-1]] == pytest.approx([600.0] * 5, abs=1e-3)


def test_one_way_audio_takes_a_trunk_out_as_poor_calls_do():
    rule = QualityRule(3.4, CallRule(of_last=10, share=0.5, hold=600.0))
    policy = routed(carrier("x"), carrier("y"), poor_calls=rule)
    for fault, taken in ((ONE_WAY_, True), (None, False)):
        units = [] if fault is None else [failing_carrier("x", fault, 1000.0)]
        run = play(tables(policy=policy, units=units, traffic=traffic(3600.0, 30.0)))
        assert any("believed down" in label for _, _, label, _ in rows(run)) == taken
