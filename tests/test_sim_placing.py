"""Calls that are really placed: over which trunk they come and go, what they meet, who tries again."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sim_tables import (
    CLOSED,
    MINUTE,
    SILENT,
    THIRD,
    calling,
    carrier,
    failing_carrier,
    group,
    platform,
    routed,
    switchover,
    traffic,
    unit,
)

from carriers.calendars import HOUR
from carriers.codecs import CODECS
from carriers.erlang import erlang_b
from carriers.faults import Fault, Kind
from carriers.health import CallRule, QualityRule
from carriers.laws import Fixed
from carriers.path import AccessLink, JitterBuffer, Transit
from sim import place_calls
from sim.tables import Devices, Forwarding, Mobile, Numbers, Segment, Standby, Tables, Voice

ONE_WAY = Fault("one_way_audio", Kind.ONE_WAY_AUDIO, cause="x/one_way_audio")
POOR = Fault("poor_audio", Kind.POOR_AUDIO, transit=Transit(0.2, 1.0, 0.0, 0.0), cause="x/poor_audio")
CONGESTION = Fault("congestion", Kind.CONGESTION, data=9e5, cause="access/congestion")
FAULTS = (SILENT, THIRD, CLOSED, ONE_WAY, POOR, CONGESTION)
SILENT_, THIRD_, CLOSED_, ONE_WAY_, POOR_, CONGESTION_ = range(6)
G711 = CODECS["G.711_with_PLC"]


def tables(
    *carriers, units=(), rate=360.0, inbound=0.0, numbers=(), redial=None, policy=None, **more
) -> Tables:
    """Carriers of one week, with calls of 3 minutes."""
    offered = replace(traffic(rate), inbound=inbound)
    if redial is not None:
        offered = replace(offered, redial_share=redial[0], redial_after=Fixed(redial[1]))
    policy = routed(*(carriers or (carrier("x"), carrier("y"))), **(policy or {}))
    return calling(policy, list(units), FAULTS, traffic=offered, numbers=numbers, **more)


def placed(spec: Tables, hours: float = 4.0, **more):
    return place_calls(spec, 0, hours * HOUR, 1, **more).calls


def main(home=0, share=1.0, forwards=None) -> Numbers:
    return Numbers("main", home, share, forwards)


def likely(count: int, of: int, share: float) -> bool:
    """Whether a count is within 4 standard deviations of its mean."""
    low, high = stats.binom.ppf([3e-5, 1 - 3e-5], of, share)
    return bool(low <= count <= high)


# ---- calls to us


def test_calls_to_us_come_over_the_carrier_of_their_numbers():
    numbers = (main(share=0.75), Numbers("other", 1, 0.25))
    calls = placed(tables(inbound=0.4, numbers=numbers), 10.0)
    assert calls.connected.all()
    assert likely(int(calls.inbound.sum()), len(calls), 0.4)
    assert likely(int((calls.carrier[calls.inbound] == 1).sum()), int(calls.inbound.sum()), 0.25)
    assert (calls.carrier[~calls.inbound] == 0).all()
    assert (calls.delay[calls.inbound] == 0.0).all()


def test_numbers_are_forwarded_a_while_after_their_carrier_fails():
    """x vanishes from 1:00 to 2:00; 15 minutes later its numbers are at y, and then at x again."""
    units = [failing_carrier("x", SILENT_, HOUR)]
    numbers = (main(forwards=Forwarding(1, 15 * MINUTE, 1.0)),)
    calls = placed(tables(units=units, inbound=1.0, numbers=numbers))
    at = calls.offered
    lost, moved = (at > HOUR) & (at < 1.25 * HOUR), (at > 1.25 * HOUR) & (at < 2 * HOUR)
    assert lost.sum() > 50
    assert (calls.carrier[lost] == -1).all()
    assert (calls.status[lost] == 0).all()
    assert (calls.carrier[moved] == 1).all()
    assert (calls.carrier[~lost & ~moved] == 0).all()


def test_numbers_without_forwarding_are_out_of_reach():
    calls = placed(tables(units=[failing_carrier("x", SILENT_, HOUR)], inbound=1.0, numbers=(main(),)))
    assert (calls.connected == ((calls.offered < HOUR) | (calls.offered > 2 * HOUR))).all()


def test_a_carrier_that_refuses_a_share_delivers_the_rest():
    units = [failing_carrier("x", THIRD_, 0.0, repair=100 * HOUR)]
    calls = placed(tables(units=units, inbound=1.0, numbers=(main(),)), 20.0)
    assert likely(int(calls.connected.sum()), len(calls), 0.7)


def test_the_second_trunk_delivers_what_the_first_does_not():
    units = [failing_carrier("x/1", SILENT_, HOUR)]
    calls = placed(tables(carrier("x", trunks=2), units=units, inbound=1.0, numbers=(main(),)))
    during = (calls.offered > HOUR) & (calls.offered < 2 * HOUR)
    assert (calls.trunk == np.where(during, 1, 0)).all()


def test_calls_to_us_share_the_channels_and_are_not_hunted_on():
    """20 erlangs, half of them to us, on 20 channels: all find them busy with the chance of Erlang B."""
    spec = tables(carrier("x", channels=20), carrier("y"), rate=400.0, inbound=0.5, numbers=(main(),))
    calls = placed(replace(spec, warm_up=HOUR), 400.0)
    busy = float(erlang_b(20.0, 20))
    ours = calls.carrier[~calls.inbound]
    assert calls.connected[~calls.inbound].all()
    # Calls that follow each other find the same channels busy: four times the binomial variance is ample.
    for found in ((ours == 1).mean(), calls.blocked[calls.inbound].mean()):
        assert abs(found - busy) < 4 * 2 * (busy / (len(calls) / 2)) ** 0.5
    assert set(calls.status[calls.inbound & ~calls.connected].tolist()) == {503}


def test_the_limit_of_calls_per_second_is_for_our_attempts():
    spec = tables(carrier("x", calls_per_second=1.0), rate=3600.0, inbound=0.5, numbers=(main(),))
    calls = placed(spec, 1.0)
    assert calls.connected[calls.inbound].all()
    assert calls.blocked[~calls.inbound].any()


def test_phones_that_have_not_registered_anew_are_not_reached():
    """The standby takes over at 1:00; its phones come back evenly within the next 10 minutes."""
    units = [unit("a", HOUR), unit("b")]
    spec = platform(units, group(0, 1, standby=Standby.HOT, switchover=switchover(0.0)))
    policy = routed(carrier("x"))
    spec = replace(
        spec,
        carriers=policy.carriers,
        routing=policy,
        traffic=replace(traffic(3600.0), inbound=1.0),
        numbers=(main(),),
        devices=Devices(0, 10 * MINUTE, kept_within_site=False),
    )
    calls = placed(spec, 2.0)
    after = (calls.offered > HOUR) & (calls.offered < HOUR + 10 * MINUTE)
    assert set(calls.status[~calls.connected].tolist()) == {480}
    assert calls.connected[~after].all()
    assert likely(int((~calls.connected).sum()), int(after.sum()), 0.5)


# ---- how they sound


def voice(*segments: Segment, mobile: Mobile | None = None) -> Voice:
    return Voice(G711, G711.packet, JitterBuffer(), segments, mobile, poor_below=3.6)


def test_one_way_audio_is_known_without_a_codec():
    calls = placed(tables(units=[failing_carrier("x", ONE_WAY_, HOUR)]))
    during = (calls.offered > HOUR) & (calls.offered < 2 * HOUR)
    assert (calls.one_way == during).all()
    assert (calls.heard[~during] == -1).all()
    assert np.isnan(calls.mos).all()


def test_a_share_of_the_far_ends_is_mobile():
    mobile = Mobile(0.3, Transit(0.02), CODECS["GSM-EFR"])
    calls = placed(tables(voice=voice(mobile=mobile)), 20.0)
    worse, better = np.unique(calls.mos)
    assert worse < better
    assert likely(int((calls.mos == worse).sum()), len(calls), 0.3)


def test_the_more_calls_are_up_the_worse_they_sound_on_a_narrow_link():
    """18 erlangs of 94.4 kbit/s (with its frame) on 1.5 Mbit/s: beyond 15 calls the link is full."""
    link = Segment("access", Transit(), AccessLink(1.5e6))
    calls = placed(tables(voice=voice(link)))
    up = np.asarray(
        [((calls.set_up <= at) & (calls.set_up + calls.talk > at)).sum() for at in calls.set_up[:400]]
    )
    mos = calls.mos[:400]
    assert (mos[up > 20] < 3.0).all()
    assert (mos[up < 12] > 4.0).all()


def test_a_call_keeps_the_sound_of_its_set_up():
    link = Segment("access", Transit(), AccessLink(4e6, data=1e6))
    units = [replace(failing_carrier("access", CONGESTION_, HOUR, takes=()), segment=0)]
    calls = placed(tables(units=units, voice=voice(link)))
    during = (calls.set_up > HOUR) & (calls.set_up < 2 * HOUR)
    known = ~np.isnan(calls.mos)
    assert known.all()
    assert calls.mos[during].mean() < calls.mos[~during].mean()
    over = (calls.set_up < HOUR) & (calls.set_up + calls.talk > HOUR)
    assert over.any()
    assert calls.mos[over].min() >= calls.mos[~during].min()


def test_poor_calls_take_a_trunk_out_at_their_ends():
    """x sounds poor from 1:00 on: ten calls of 3 minutes later it is out for 20 minutes."""
    rule = {"poor_calls": QualityRule(3.4, CallRule(10, 1.0, 20 * MINUTE))}
    units = [failing_carrier("x", POOR_, HOUR, repair=3 * HOUR)]
    calls = placed(tables(units=units, voice=voice(), policy=rule), 3.0)
    away = calls.set_up[calls.carrier == 1]
    poor = calls.set_up[(calls.carrier == 0) & (calls.mos < 3.4)]
    # The tenth poor call is the tenth to end, 3 minutes after it began.
    out = np.sort(poor)[9] + 3 * MINUTE
    assert away.min() >= out
    first = away[away < out + 20 * MINUTE + 1.0]
    own = calls.set_up[calls.carrier == 0]
    assert not ((own > out) & (own < out + 20 * MINUTE)).any()
    assert len(first) > 80


# ---- who tries again


def test_callers_try_again_until_they_get_through():
    """The only carrier refuses from 1:00 to 2:00; everybody redials a minute later, each time."""
    units = [failing_carrier("x", CLOSED_, HOUR)]
    calls = placed(tables(carrier("x"), units=units, redial=(1.0, 60.0)))
    again = calls.redial > 0
    before = calls.previous[again]
    assert again.sum() > 1000
    assert (calls.redial[again] == calls.redial[before] + 1).all()
    assert not calls.connected[before].any()
    np.testing.assert_allclose(calls.offered[again], calls.set_up[before] + 60.0)
    assert len(np.unique(before)) == again.sum()
    assert calls.connected.sum() == (~again).sum()
    assert (calls.previous[~again] == -1).all()


def test_a_share_tries_again_each_time():
    units = [failing_carrier("x", CLOSED_, 0.0, repair=100 * HOUR)]
    calls = placed(tables(carrier("x"), units=units, redial=(0.6, 20.0)), 20.0)
    # A few still wait at the end.
    assert likely(int((calls.redial > 0).sum()), len(calls) - 3, 0.6)
    assert calls.redial.max() > 5


def test_callers_of_our_numbers_try_again_too():
    units = [failing_carrier("x", SILENT_, HOUR)]
    calls = placed(tables(units=units, inbound=1.0, numbers=(main(),), redial=(1.0, 60.0)))
    assert calls.inbound.all()
    assert calls.connected.sum() == (calls.redial == 0).sum()


@pytest.mark.parametrize("more", [{"redials": False}, {}])
def test_without_redials_every_call_is_a_first_attempt(more):
    units = [failing_carrier("x", CLOSED_, HOUR)]
    redial = (1.0, 60.0) if more else None
    calls = placed(tables(carrier("x"), units=units, redial=redial), **more)
    assert (~calls.connected).sum() > 100
    assert (calls.redial == 0).all()


# ---- what ends them


def test_a_silent_trunk_drops_the_calls_in_progress():
    calls = placed(tables(units=[failing_carrier("x", SILENT_, HOUR)]))
    ends = calls.set_up + calls.talk
    assert (calls.dropped == ((calls.set_up < HOUR) & (calls.set_up > HOUR - 180.0))).all()
    np.testing.assert_allclose(ends[calls.dropped], HOUR)
    np.testing.assert_allclose(calls.talk[calls.connected & ~calls.dropped & (ends < 4 * HOUR)], 180.0)


def test_calls_still_up_at_the_end_have_no_length():
    calls = placed(tables(), 1.0)
    np.testing.assert_array_equal(np.isnan(calls.talk), calls.set_up + 180.0 >= HOUR)
