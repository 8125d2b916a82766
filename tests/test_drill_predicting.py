"""Stretches whose faults and calls are given, and what the simulator makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import callsim
from callsim.drill.outcomes import courses
from callsim.drill.predicting import predict
from callsim.drill.stretch import (
    LEAD,
    Episode,
    Incident,
    Setting,
    day_of,
    episodes_of,
    modes_of,
    simulated_years,
    typical,
    unplayed,
)
from callsim.drill.tables import CannotDrillError, lab_tables, paced
from carriers.faults import Fault, Kind
from carriers.laws import Fixed, Lognormal
from carriers.path import Transit
from carriers.policy import Order, Route
from sim import GivenCall, GivenFault, play_given

JOINT = Path(__file__).with_name("joint.yaml")
FIVE_NINES = Path(__file__).parent.parent / "scenarios" / "five-nines.yaml"
SILENT = 0


@pytest.fixture(scope="module")
def joint():
    """Two carriers with a trunk each; pings every second, down after three that wait 0.5 s in vain."""
    return lab_tables(callsim.load(JOINT), 1.0)[1]


@pytest.fixture(scope="module")
def five_nines():
    full, lab = lab_tables(callsim.load(FIVE_NINES), 10.0)
    return Setting(full, lab, 10.0, 2026)


@pytest.fixture(scope="module")
def years(five_nines):
    return simulated_years(five_nines.full, 2026)


def played(tables, calls, fault=None, *, faults=(), drained=()):
    given = tuple(GivenCall(at, 2.0) for at in calls)
    faults = faults or ((GivenFault(5.0, 12.0, SILENT, (0,)),) if fault is None else (fault,))
    return predict(tables, Episode("", faults, given, 30.0, (0.2, 0.2), drained, 1))


def test_calls_around_a_silent_fault(joint):
    account = played(joint, (1.0, 6.0, 9.0, 20.0))
    assert [(f.trunk, f.attempts, f.status) for f in account.fates] == [
        (0, 1, 200),
        (1, 2, 200),
        (1, 1, 200),
        (0, 1, 200),
    ]
    assert [f.delay for f in account.fates] == pytest.approx([0.0, 1.0, 0.0, 0.0])
    assert [(b.at, b.trunk, b.up) for b in account.beliefs] == [
        (pytest.approx(7.7), 0, False),
        (pytest.approx(13.2), 0, True),
    ]


def test_a_call_in_progress_is_dropped(joint):
    assert [fate.dropped for fate in played(joint, (1.0, 4.0)).fates] == [False, True]


def test_an_invite_that_met_silence_is_sent_again(joint):
    slow = replace(joint, routing=replace(joint.routing, no_reply_timeout=4.0))
    (early, late) = played(slow, (7.0, 10.6), GivenFault(5.0, 12.0, SILENT, (0,)), drained=(1,)).fates
    # 7.0 is believed up still; with nobody else it is sent at 7.5, 8.5, 10.5, all in vain.
    assert (early.trunk, early.status) == (None, 408)
    assert (late.trunk, late.status) == (None, 503)
    (call,) = played(slow, (10.6,), GivenFault(10.0, 12.0, SILENT, (0,))).fates
    # Sent again at 11.1 and at 12.1, when the carrier is there again.
    assert (call.trunk, call.attempts, call.delay) == (0, 1, pytest.approx(1.5))


def test_a_setup_is_lost_when_its_carrier_falls_silent(joint):
    rings_late = [replace(c, post_dial_delay=Fixed(2.0)) for c in joint.carriers]
    routing = replace(joint.routing, carriers=tuple(rings_late), progress_timeout=6.0)
    tables = replace(joint, carriers=tuple(rings_late), routing=routing)
    (before, lost) = played(tables, (2.5, 4.0)).fates
    assert (before.trunk, before.delay) == (0, pytest.approx(2.0))
    assert (lost.trunk, lost.attempts, lost.delay) == (1, 2, pytest.approx(6.0 + 2.0))


def test_refusals_are_those_of_the_seed(joint):
    tables = replace(joint, faults=(Fault("refuses", Kind.REFUSES, share=0.3),))
    calls = np.arange(5.5, 25.5)
    account = played(tables, calls, GivenFault(5.0, 26.0, 0, (0,), seed=7))
    refused = np.random.default_rng(7).random(len(calls)) < 0.3
    assert refused.any()
    assert [fate.trunk for fate in account.fates] == refused.astype(int).tolist()


def test_weighted_routes_are_drawn_as_a_line_of_real_calls_draws_them(joint):
    routes = (Route(0, 0.5), Route(1, 0.5))
    tables = replace(joint, routing=replace(joint.routing, order=Order.WEIGHTED, routes=routes))
    given = tuple(GivenCall(float(at), 0.5, seed=at) for at in range(1, 21))
    fates = predict(tables, Episode("", (), given, 30.0, (0.2, 0.2), (), 1)).fates
    choices = [int(np.random.default_rng(call.seed).choice(2, p=[0.5, 0.5])) for call in given]
    assert 0 < sum(choices) < 20
    assert [fate.trunk for fate in fates] == choices


def test_announced_work_takes_the_trunk_out_at_once(joint):
    tables = replace(joint, faults=(Fault("maintenance", Kind.MAINTENANCE),))
    account = played(tables, (5.1, 11.9, 15.0), GivenFault(5.0, 12.0, 0, (0,), announced=True))
    assert [(fate.trunk, fate.attempts) for fate in account.fates] == [(1, 1), (1, 1), (0, 1)]


def test_only_given_things_happen(joint):
    full, _ = lab_tables(callsim.load(JOINT), 1.0)
    with pytest.raises(ValueError, match="no units"):
        play_given(full, (), (), 10.0, (0.0, 0.0), 1)


def test_how_a_fault_went(joint):
    faults = (GivenFault(5.0, 12.0, SILENT, (0,)),)
    account = played(joint, (4.0, 6.0, 9.0, 20.0))
    episode = Episode("", faults, (), 30.0, (0.2, 0.2), (), 1)
    (course,) = courses(episode, account)
    assert course.detected == pytest.approx(2.7)
    assert course.failed_over == pytest.approx(2.0)
    assert course.recovered == pytest.approx(1.2)
    assert (course.lost, course.dropped) == (0, 1)
    (course,) = courses(episode, replace(account, beliefs=account.beliefs[:1]))
    assert (course.detected, course.recovered) == (pytest.approx(2.7), None)


# ---- tables of a lab


def test_health_timers_run_faster_and_those_of_sip_do_not(five_nines):
    before, after = five_nines.full.routing, five_nines.lab.routing
    assert (after.health.ping_every, after.health.hold_down) == (3.0, 12.0)
    assert after.health.ping_timeout == before.health.ping_timeout == 2.0
    assert (after.failing_calls.hold, after.poor_calls.calls.hold) == (12.0, 180.0)
    assert (after.no_reply_timeout, after.progress_timeout) == (4.0, 8.0)
    assert paced(before, 30.0).health.ping_timeout == 1.0  # never longer than the interval


def test_a_lab_has_carriers_that_ring_after_the_median(five_nines):
    atlantic = five_nines.lab.carriers[0]
    law = five_nines.full.carriers[0].post_dial_delay
    assert isinstance(law, Lognormal)
    assert atlantic.post_dial_delay.mean == pytest.approx(law.median, rel=0.02)
    assert five_nines.lab.routing.carriers == five_nines.lab.carriers
    assert not five_nines.lab.units


def test_without_carriers_there_is_nothing_to_drill():
    one_unit = Path(__file__).parent / "oracles" / "one-unit.yaml"
    with pytest.raises(CannotDrillError, match="needs `carriers`"):
        lab_tables(callsim.load(one_unit), 1.0)


# ---- choosing


def test_all_causes_of_the_carriers_are_known(five_nines):
    assert {mode.cause for mode in modes_of(five_nines.full).values()} == {
        "atlantic/silent",
        "atlantic/trying_only",
        "atlantic/refuses",
        "atlantic/poor_audio",
        "atlantic/maintenance",
        "boreal/silent",
        "boreal/one_way_audio",
        "cirrus/refuses",
        "docklands-meet-me-room/silent",
    }
    assert unplayed(five_nines.full) == {}
    capacity = Fault("capacity", Kind.CAPACITY, channels_left=0.5)
    faults = (capacity, *five_nines.full.faults[1:])
    assert list(unplayed(replace(five_nines.full, faults=faults))) == ["atlantic/silent"]


def test_a_typical_fault_is_the_median_one(years):
    lengths = [i.end - i.start for i in years.incidents if i.mode.cause == "atlantic/refuses"]
    (chosen,) = typical(years.incidents, "atlantic/refuses")
    assert chosen.end - chosen.start == pytest.approx(np.median(lengths), rel=0.01)


def test_bad_days_have_faults_that_calls_meet(years):
    usual, worst = day_of(years, 0.5), day_of(years, 1.0)
    assert any(i.mode.cause.startswith(("atlantic", "docklands")) for i in usual)
    assert sum(i.end - i.start for i in worst) > sum(i.end - i.start for i in usual)


def test_quiet_times_are_skipped_and_pings_are_not(five_nines, years):
    (long,) = episodes_of(five_nines, "x", typical(years.incidents, "docklands-meet-me-room/silent"), 1)
    (fault,) = long.faults
    health = five_nines.lab.routing.health
    detected = health.down_after * health.ping_every + health.ping_timeout
    assert LEAD <= fault.start <= LEAD + health.ping_every
    assert detected < fault.end - fault.start < 300.0 < long.length * 10
    assert long.length - fault.end > health.hold_down + health.up_after * health.ping_every
    assert len({call.at for call in long.calls}) == len(long.calls)
    assert all(call.at < long.length for call in long.calls)


def test_repetitions_differ_and_overlapping_faults_stay_together(five_nines, years):
    mode = {m.cause: m for m in modes_of(five_nines.full).values()}
    both = [
        Incident(mode["atlantic/silent"], 0.0, 900.0),
        Incident(mode["boreal/silent"], 300.0, 600.0),
        Incident(mode["atlantic/refuses"], 50_000.0, 50_300.0),
    ]
    found = episodes_of(five_nines, "day", both, 2)
    assert [len(episode.faults) for episode in found] == [2, 2, 1, 1]
    assert len({episode.ping_phase for episode in found}) == 4
    first, second = found[0].faults
    assert first.start < second.start < second.end < first.end
    assert found[0] == episodes_of(five_nines, "day", both, 2)[0]


def test_a_backup_carriers_fault_is_met_by_calls(five_nines, years):
    (episode,) = episodes_of(five_nines, "x", typical(years.incidents, "cirrus/refuses"), 1, meet=True)
    assert episode.drained == (0, 1, 2)
    account = predict(five_nines.lab, episode)
    assert any(fate.trunk is None for fate in account.fates)
    assert any(fate.trunk == 3 for fate in account.fates)


def test_a_call_sounds_as_it_did_over_all_its_time(joint):
    voice = lab_tables(callsim.load(FIVE_NINES), 10.0)[1].voice
    poor = Fault("poor", Kind.POOR_AUDIO, transit=Transit(loss=0.2))
    tables = replace(joint, voice=voice, faults=(poor, Fault("one way", Kind.ONE_WAY_AUDIO)))
    good, whole, half = played(tables, (1.0, 6.0, 4.0), GivenFault(5.0, 12.0, 0, (0,))).fates
    assert whole.mos < good.mos - 1.0
    assert half.mos == pytest.approx((good.mos + whole.mos) / 2)
    fates = played(tables, (1.0, 3.0, 4.0, 6.0, 11.0), GivenFault(4.1, 12.0, 1, (0,))).fates
    assert [fate.one_way for fate in fates] == [False, False, True, True, False]
