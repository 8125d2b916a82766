"""Ratings: published values to their printed digits, and what must hold for any call."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carriers.codecs import CODECS, Codec, codec
from carriers.quality import (
    DEFAULT,
    NARROWBAND,
    WIDEBAND,
    Leg,
    Rated,
    Transmission,
    WidebandTransmission,
    effective,
    factors,
    mos_of,
    rate,
    rating,
    wideband_mos_of,
    wideband_rating,
)

PLC = codec("G.711_with_PLC")


def delayed(ms, **others):
    return Transmission(t=ms, ta=ms, tr=2 * ms, **others)


def test_the_default_connection():
    parts = factors(DEFAULT)
    assert round(parts.ro, 3) == 94.769
    assert round(parts.simultaneous, 3) == 1.414
    assert round(parts.r, 3) == round(rating(DEFAULT), 3) == 93.206
    assert round(mos_of(parts.r), 3) == 4.409


@pytest.mark.parametrize(("ms", "r", "mos"), [(100, 90.66, 4.355), (200, 85.80, 4.223), (300, 72.67, 3.719)])
def test_delay(ms, r, mos):
    assert round(rating(delayed(ms)), 2) == r
    rated = rate([Leg(PLC)], ms / 1000)
    assert (round(rated.r, 2), round(rated.mos, 3), rated.scale) == (r, mos, "MOS-CQE")


# As another open implementation of G.107 (06/2015) has them, with the parts of Id.
@pytest.mark.parametrize(
    ("ms", "delay", "r"),
    [(100, 2.691524, 90.663730), (150, 3.816122, 89.539132), (250, 14.178153, 79.177101)],
)
def test_parts_of_delay(ms, delay, r):
    parts = factors(delayed(ms))
    assert (round(parts.delay, 5), round(parts.r, 5)) == (round(delay, 5), round(r, 5))


@pytest.mark.parametrize("ms", [25, 50, 100, 150, 200, 250, 300])
def test_delay_by_the_known_straight_lines(ms):
    # Cole, Rosenbluth: Voice over IP performance monitoring, ACM CCR 31 (2001): Id in two straight lines.
    lines = 0.024 * ms + 0.11 * max(0.0, ms - 177.3)
    assert 93.2 - rating(delayed(ms)) == pytest.approx(lines, abs=0.3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("G.711_with_PLC", [93.21, 89.57, 86.20, 77.43, 66.14]),
        ("G.729A_with_VAD", [82.21, 78.01, 74.21, 64.71, 53.24]),
    ],
)
def test_random_loss(name, expected):
    rated = [rate([Leg(codec(name), percent / 100)], 0.0).r for percent in (0, 1, 2, 5, 10)]
    assert [round(r, 2) for r in rated] == expected


def test_a_worked_example():
    """G.729A with VAD, 2 % lost, 150 ms, as a university's lecture on the E-model works it out."""
    rated = rate([Leg(codec("G.729A_with_VAD"), 0.02)], 0.150)
    assert (round(rated.r, 1), round(rated.mos, 2)) == (70.5, 3.62)


def test_bursty_loss():
    assert round(rate([Leg(PLC, 0.05, 2.0)], 0.0).r, 3) == 75.996
    assert round(rating(Transmission(bpl=25.1, ppl=5, burstr=2)), 3) == 75.996
    assert effective(11, 19, 2) == pytest.approx(19)


@pytest.mark.parametrize(("r", "mos"), [(90, 4.339), (80, 4.024), (70, 3.597), (60, 3.100), (50, 2.575)])
def test_opinion_of_a_rating(r, mos):
    assert round(mos_of(r), 3) == mos
    assert round(wideband_mos_of(1.29 * r), 3) == mos


def test_opinion_stays_on_its_scale():
    assert mos_of(-50) == mos_of(0) == mos_of(3.2) == 1
    assert mos_of(100) == mos_of(150) == wideband_mos_of(129) == 4.5


def test_a_short_echo_does_not_jump():
    """Not monotone below some 5 ms: 93.21 at 0 ms, 93.26 at 0.9 ms."""
    ratings = [round(rating(Transmission(t=t, ta=t, tr=2 * t)), 2) for t in (0.0, 0.9)]
    assert ratings == [93.21, 93.26]


def test_sidetone_and_echo_together():
    """A sidetone under 9 dB masks the echo (7-23), one over 20 dB adds to it (7-24)."""
    loud, faint = (
        [factors(Transmission(stmr=stmr, t=50.0, telr=telr)).delay for stmr in (edge, beyond)]
        for edge, beyond, telr in ((9.0, 8.9999, 40.0), (20.0, 20.0001, 65.0))
    )
    assert loud[1] < loud[0] - 0.03
    assert faint[1] > faint[0] + 0.002


ACTING = Transmission(t=200, ta=200, tr=400, ie=5, ppl=2, qdu=2, telr=50, wepl=60)


@pytest.mark.parametrize("name", [field.name for field in fields(Transmission)])
def test_every_parameter_acts(name):
    value = getattr(ACTING, name)
    other = 12.0 if value is None else value + 1.5
    assert abs(rating(replace(ACTING, **{name: other})) - rating(ACTING)) > 1e-4


WIDE = WidebandTransmission(t=200, ta=200, tr=400, ie=5, ppl=2, telr=50, wepl=60)


@pytest.mark.parametrize("name", [field.name for field in fields(WidebandTransmission)])
def test_every_wideband_parameter_acts(name):
    changed = replace(WIDE, **{name: getattr(WIDE, name) + 1.5})
    assert abs(wideband_rating(changed) - wideband_rating(WIDE)) > 1e-4


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: -1} for name in ("t", "ta", "tr", "stmr", "telr")),
        *({name: 0} for name in ("qdu", "bpl", "burstr", "st", "mt")),
        {"ppl": -0.1},
        {"ppl": 100.1},
    ],
)
def test_values_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Transmission(**wrong)


@pytest.mark.parametrize("wrong", [{"t": -1}, {"ta": -1}, {"tr": -1}, {"bpl": 0}, {"ppl": 101}])
def test_wideband_values_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match="delays must"):
        WidebandTransmission(**wrong)


def test_the_default_wideband_connection():
    r = wideband_rating(WidebandTransmission())
    assert r == pytest.approx(128.846315, abs=1e-6)  # 129 but for the listener echo
    assert wideband_mos_of(r) == pytest.approx(4.499152, abs=1e-6)


def test_wideband_delay_is_the_narrowband_one_on_the_longer_scale():
    silent = {"t": 0.0, "tr": 0.0}
    narrow = rating(Transmission(ta=200)) - rating(Transmission(ta=0))
    wide = wideband_rating(WidebandTransmission(ta=200, **silent)) - 128.846315
    assert narrow == pytest.approx(-3.044414, abs=1e-6)
    assert wide == pytest.approx(-3.927294, abs=2e-6)


@pytest.mark.parametrize("below", [True, False])
def test_wideband_talker_echo(below):
    """K is 0.08 T + 10 up to 100 ms, 18 from there (G.107.1, 7-8 to 7-10)."""
    ms, k = (50.0, 14.0) if below else (150.0, 18.0)
    # What is left of the echo at a loudness rating of TERV + K, by hand: 40 lg 4.5 and 40 lg 8.
    terv = 30.0 + k - (26.1285 if below else 36.1236)
    half = (129 - (80 + 3 * (terv - 14))) / 2
    expected = half + (half**2 + 100) ** 0.5 - 1
    echo = 128.846315 - wideband_rating(WidebandTransmission(telr=30, t=ms))
    assert echo == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "mos"), [("AMR-WB_12.65", 4.34), ("AMR-WB_23.85", 4.42), ("AMR-WB_12.65_diotic", 4.18)]
)
def test_wideband_codecs_without_loss(name, mos):
    rated = rate([Leg(codec(name))], 0.0)
    # Published without the listener echo that is left by default, 0.15 of R.
    assert wideband_mos_of(rated.r + 0.153685) == pytest.approx(mos, abs=0.005)
    assert rated.scale == WIDEBAND == "MOS-CQEW"


def test_wideband_loss():
    lossy = rate([Leg(codec("AMR-WB_12.65_diotic"), 0.02)], 0.0)
    assert lossy.r == pytest.approx(128.846315 - (20 + 75 * 2 / 6.3), abs=1e-5)
    bursty = rate([Leg(codec("AMR-WB_12.65_diotic"), 0.02, 2.0)], 0.0)
    assert bursty.r == pytest.approx(128.846315 - (20 + 75 * 2 / 5.3), abs=1e-5)


def test_impairments_of_legs_add_up():
    one, other = Leg(PLC, 0.01), Leg(codec("GSM-EFR"), 0.02, 1.5)
    spoilt = [rate(legs, 0.1).r for legs in ([Leg(PLC)], [one], [other])]
    assert rate([one, other], 0.1).r == pytest.approx(spoilt[1] + spoilt[2] - spoilt[0])
    assert rate([other, one], 0.1).r == pytest.approx(rate([one, other], 0.1).r)


def test_the_base_counts():
    assert rate([Leg(PLC)], 0.1, Transmission(a=10)).r == pytest.approx(rate([Leg(PLC)], 0.1).r + 10)
    assert rate([Leg(PLC)], 0.1, Transmission(ps=60)).r < rate([Leg(PLC)], 0.1).r - 1
    wide = [Leg(codec("G.722"))]
    assert rate(wide, 0.1, Transmission(a=10)).r == pytest.approx(rate(wide, 0.1).r + 10)
    for echo in (Transmission(telr=30), Transmission(wepl=30)):
        assert rate(wide, 0.1, echo).r < rate(wide, 0.1).r - 1
    # The legs and the delay replace what the base says of them.
    assert rate([Leg(PLC)], 0.1, Transmission(ie=9, ppl=9, t=9, ta=9, tr=9)) == rate([Leg(PLC)], 0.1)


@pytest.mark.parametrize(
    "legs",
    [
        [Leg(codec("Opus"))],
        [Leg(codec("iLBC"), 0.01)],
        [Leg(codec("GSM-FR"), 0.01)],
        [Leg(codec("G.722"), 0.001)],
        [Leg(PLC), Leg(codec("G.722"))],
        [Leg(codec("G.722")), Leg(PLC)],
        [Leg(PLC), Leg(codec("AMR_12.2"))],
    ],
)
def test_no_rating_without_a_source(legs):
    assert rate(legs, 0.05) is None


def test_a_codec_without_bpl_is_rated_while_nothing_is_lost():
    rated = rate([Leg(codec("GSM-FR"))], 0.0)
    assert rated == Rated(pytest.approx(rating(DEFAULT) - 20), mos_of(rated.r), NARROWBAND)


@pytest.mark.parametrize(
    ("legs", "delay"),
    [([], 0), ([Leg(PLC, 1.1)], 0), ([Leg(PLC, -0.1)], 0), ([Leg(PLC, 0.1, 0.0)], 0), ([Leg(PLC)], -0.1)],
)
def test_calls_that_cannot_be(legs, delay):
    with pytest.raises(ValueError, match=r"leg|loss|delays"):
        rate(legs, delay)


LOSSY = [codec for codec in CODECS.values() if codec.ie is not None and codec.bpl is not None]
some_codec = st.sampled_from(LOSSY)
seconds = st.floats(0.005, 2.0)
ratios = st.floats(0.5, 8.0)


@given(some_codec, st.floats(0, 0.99), st.floats(0.001, 0.5), ratios, seconds)
def test_loss_never_helps(which: Codec, loss, more, ratio, delay):
    less = rate([Leg(which, loss, ratio)], delay)
    worse = rate([Leg(which, min(1.0, loss + more), ratio)], delay)
    assert worse.r < less.r
    assert 1 <= worse.mos <= less.mos <= 4.5 or less.r < 6.5 * 1.29


@given(some_codec, st.floats(0.001, 1), ratios, st.floats(0.01, 2), seconds)
def test_bursts_never_help(which: Codec, loss, ratio, more, delay):
    assert rate([Leg(which, loss, ratio + more)], delay).r < rate([Leg(which, loss, ratio)], delay).r


@given(some_codec, seconds, st.floats(0.001, 1.0))
def test_delay_never_helps_from_5_ms_on(which: Codec, delay, more):
    assert rate([Leg(which)], delay + more).r < rate([Leg(which)], delay).r


@given(st.floats(-100, 200), st.floats(0, 50))
def test_opinion_follows_the_rating(r, more):
    assert 1 <= mos_of(r) <= 4.5
    if r >= 6.5:
        assert mos_of(r + more) >= mos_of(r)
