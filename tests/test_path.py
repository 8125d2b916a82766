"""Segments, the jitter buffer, the access link: what must hold at every boundary."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from carriers.codecs import codec, coding_delay
from carriers.path import CLEAR, DATA_PACKET, AccessLink, JitterBuffer, Transit, call_bandwidth, joined
from carriers.quality import Leg, rate

PCMU = codec("PCMU")
CALL = 87_200.0
"""Bit/s of a G.711 call in packets of 20 ms: 160 octets, 40 of IP, UDP, RTP, 18 of Ethernet."""

transits = st.builds(
    Transit,
    loss=st.floats(0, 0.9),
    burst_ratio=st.floats(0.5, 10),
    jitter=st.floats(0, 0.2),
    delay=st.floats(0, 1),
)


def same(one: Transit, other: Transit):
    assert one.loss == pytest.approx(other.loss, rel=1e-9, abs=1e-12)
    assert one.jitter == pytest.approx(other.jitter)
    assert one.delay == pytest.approx(other.delay)
    assert one.burst_ratio == pytest.approx(other.burst_ratio, rel=1e-6)


def test_segments_add_up():
    whole = joined([Transit(0.01, 1.0, 0.003, 0.02), Transit(0.02, 4.0, 0.004, 0.03)])
    assert whole.loss == pytest.approx(1 - 0.99 * 0.98)
    assert whole.jitter == pytest.approx(0.005)
    assert whole.delay == pytest.approx(0.05)
    lost = -math.log(0.99), -math.log(0.98)
    assert whole.burst_ratio == pytest.approx((lost[0] + 4 * lost[1]) / sum(lost))
    assert joined([]) == CLEAR


@given(transits, transits, transits)
def test_grouping_and_order_make_no_difference(a, b, c):
    same(joined([a, joined([b, c])]), joined([joined([a, b]), c]))
    same(joined([a, b, c]), joined([c, a, b]))


@given(transits)
def test_a_clear_segment_changes_nothing(a):
    assume(a.loss == 0 or a.loss > 1e-12)
    whole = joined([CLEAR, a, CLEAR])
    if a.loss:
        same(whole, a)
    assert whole.loss == pytest.approx(a.loss)


@given(transits)
def test_a_dead_segment_kills_the_path(a):
    whole = joined([a, Transit(loss=1.0, burst_ratio=3.0)])
    assert whole.loss == 1
    assert 0.5 <= whole.burst_ratio <= 10


buffers = st.builds(
    JitterBuffer, nominal=st.floats(0, 0.1), maximum=st.floats(0.1, 0.5), late=st.floats(1e-4, 0.1)
)


@given(buffers, st.one_of(st.just(0.0), st.floats(1e-9, 1)), st.floats(0, 1))
def test_more_jitter_never_helps(buffer, jitter, more):
    assert buffer.nominal <= buffer.depth(jitter) <= buffer.depth(jitter + more) <= buffer.maximum
    assert 0 <= buffer.late_share(jitter) <= buffer.late_share(jitter + more) + 1e-12 <= 1


def test_the_buffer_loses_the_share_that_it_aims_at_until_it_is_full():
    buffer = JitterBuffer(nominal=0.04, maximum=0.2, late=0.005)
    assert buffer.late_share(0.0) == 0
    assert (buffer.depth(0.001), buffer.late_share(0.001)) == (0.04, pytest.approx(math.exp(-40)))
    assert buffer.depth(0.02) == pytest.approx(0.02 * math.log(200))
    assert buffer.late_share(0.02) == pytest.approx(0.005)
    assert (buffer.depth(0.1), buffer.late_share(0.1)) == (0.2, pytest.approx(math.exp(-2)))


@pytest.mark.parametrize(("name", "packet", "expected"), [("PCMU", 0.02, CALL), ("G729", 0.02, 31_200)])
def test_bandwidth_of_a_call(name, packet, expected):
    assert call_bandwidth(codec(name), packet) == pytest.approx(expected)


def test_longer_packets_take_less():
    assert call_bandwidth(PCMU, 0.03) == pytest.approx(64_000 + 58 * 8 / 0.03)


links = st.builds(
    lambda bandwidth, data, reserved, buffer: AccessLink(bandwidth, data * bandwidth, reserved, buffer),
    st.floats(2e5, 1e9),
    st.one_of(st.just(0.0), st.floats(0.001, 3)),
    st.one_of(st.none(), st.just(0.0), st.just(1.0), st.floats(0, 1)),
    st.floats(0.08, 0.5),
)


@given(links, st.sampled_from(["PCMU", "G729", "iLBC"]), st.floats(0, 2e9))
def test_every_link_stays_within_bounds(link, name, more):
    calls = np.linspace(0, 3 * link.bandwidth / CALL, 50).reshape(5, 10)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        loss, jitter, delay = link.transit(calls, codec(name), 0.02, more)
    assert loss.shape == jitter.shape == delay.shape == calls.shape
    assert ((loss >= 0) & (loss <= 1)).all()
    assert ((jitter >= 0) & (delay >= 0)).all()
    assert (jitter + delay <= link.buffer * (1 + 1e-9)).all()


@given(links, st.floats(0.01, 1))
def test_more_calls_never_help(link, step):
    calls = np.arange(0, 2 * link.bandwidth / CALL + 2, step * link.bandwidth / CALL / 10)
    loss, jitter, delay = link.transit(calls, PCMU, 0.02)
    assert (np.diff(loss) >= -1e-6).all()
    assert (np.diff(jitter + delay) >= -1e-9).all()


@given(links, st.floats(0, 1), st.floats(0, 1))
def test_more_data_never_helps(link, share, more):
    calls = np.linspace(0, 2 * link.bandwidth / CALL, 20)
    before = link.transit(calls, PCMU, 0.02, share * link.bandwidth)
    after = link.transit(calls, PCMU, 0.02, (share + more) * link.bandwidth)
    assert (after[0] >= before[0] - 1e-6).all()
    # A full queue of long packets has a little more room left than one of short packets.
    packet = DATA_PACKET * 8 / link.bandwidth / max(1e-9, 1 - (link.reserved or 0))
    assert (after[1] + after[2] >= before[1] + before[2] - packet).all()


def test_an_idle_link_does_nothing():
    for reserved in (None, 0.0, 0.5, 1.0):
        for figure in AccessLink(1e6, reserved=reserved).transit(np.zeros(2), PCMU, 0.02):
            assert figure == pytest.approx(0, abs=1e-9)


def test_waits_below_saturation_are_those_of_an_m_d_1_queue():
    link = AccessLink(1e8, 5e7, buffer=10.0)
    _, jitter, delay = link.transit(0.0, PCMU, 0.02)
    packet = DATA_PACKET * 8 / 1e8
    assert float(jitter + delay) == pytest.approx(0.5 / (2 * 0.5) * packet)
    assert float(delay) == pytest.approx(0, abs=1e-12)


def test_what_exceeds_the_link_is_lost():
    link = AccessLink(1e7, 2e6)
    calls = np.array([80.0, 110.0, 150.0])
    loss, jitter, delay = link.transit(calls, PCMU, 0.02)
    load = (calls * CALL + 2e6) / 1e7
    assert loss[0] < 1e-3
    assert loss[1:] == pytest.approx(1 - 1 / load[1:], rel=1e-3)
    assert (jitter + delay)[1:] == pytest.approx(0.1, rel=0.05)
    assert link.transit(80.0, PCMU, 0.02, more_data=3e6)[0] > 0.1


def test_calls_are_safe_up_to_the_reserved_share():
    link = AccessLink(1e7, 5e7, reserved=0.5)
    full = math.floor(5e6 / CALL)
    loss, jitter, delay = link.transit(np.array([1.0, full, full + 1, 2 * full]), PCMU, 0.02)
    assert (loss[:2] == 0).all()
    assert (delay[:2] == 0).all()
    assert jitter[:2] == pytest.approx(DATA_PACKET * 8 / 1e7 / 2)
    assert 0 < loss[2] < 0.02
    # Half of the voice and five times as much data share the other half: what of it is beyond gets 1 in 11.
    assert loss[3] == pytest.approx(0.5 * (1 - 1 / 11), abs=0.01)


def test_qos_never_harms_calls_within_its_share():
    calls = np.arange(0, 50)
    plain = AccessLink(1e7, 6e6).transit(calls, PCMU, 0.02)
    kept = AccessLink(1e7, 6e6, reserved=0.5).transit(calls, PCMU, 0.02)
    assert (kept[0] <= plain[0]).all()
    assert (kept[1] + kept[2] <= plain[1] + plain[2] + 1e-12).all()


def test_opinion_falls_as_calls_fill_a_link():
    """Also around saturation, where jitter turns into delay."""
    for link in (
        AccessLink(2e6, 1.2e6),
        AccessLink(1e7, 2e6),
        AccessLink(1e8, 3e7),
        AccessLink(1e7, 9e6, 0.5),
    ):
        calls = np.arange(0, 1.3 * link.bandwidth / CALL, max(1, link.bandwidth / 2e7))
        opinions = [heard(*each) for each in zip(*link.transit(calls, PCMU, 0.02), strict=True)]
        assert (np.diff(opinions) <= 1e-9).all()
        assert opinions[0] > 4.3
        assert opinions[-1] < 2.6


def heard(loss, jitter, delay):
    buffer, path = JitterBuffer(), joined([Transit(0.001, 1, 0.002, 0.03), Transit(loss, 1, jitter, delay)])
    lost = 1 - (1 - path.loss) * (1 - buffer.late_share(path.jitter))
    return rate([Leg(PCMU, lost)], path.delay + buffer.depth(path.jitter) + coding_delay(PCMU, 0.02)).mos


@pytest.mark.parametrize("load", [0.8, 0.95, 1.0, 1.1])
def test_the_queue_is_close_to_a_played_one(load):
    """Poisson packets of one size at a queue that takes what need not wait longer than 20 of them."""
    draws = np.random.default_rng(107).exponential(1 / load, 400_000).tolist()
    work, waited, lost = 0.0, [], []
    for gap in draws:
        work = max(0.0, work - gap)
        lost.append(work > 20)
        if work <= 20:
            waited.append(work)
            work += 1
    packet = DATA_PACKET * 8 / 1e7
    loss, jitter, delay = AccessLink(1e7, load * 1e7, buffer=20 * packet).transit(0.0, PCMU, 0.02)
    # The batches' own error, and what Brownian motion misses: half a packet of wait, a packet in the buffer.
    assert abs((jitter + delay) / packet - np.mean(waited)) < 4 * batch_error(waited) + 0.5
    assert abs(loss - np.mean(lost)) < 4 * batch_error(lost) + 0.15 * np.mean(lost)


def batch_error(values):
    means = [np.mean(batch) for batch in np.array_split(np.asarray(values, float), 20)]
    return np.std(means, ddof=1) / math.sqrt(20)
