"""What pjsua2's figures of RTP are read as, and how those of several streams go together."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from callgen.endpoint.streams import measured, together


def moments(n=0, mean=0):
    return SimpleNamespace(n=n, mean=mean)


def stat(*, rx=(), tx=(), rtt=None, cname="", discard=0, delay=40):
    """Figures as pjsua2 gives them: microseconds, and everything 0 that never came."""
    known = {
        "pkt": 0,
        "loss": 0,
        "dup": 0,
        "updateCount": 0,
        "lossPeriodUsec": moments(),
        "jitterUsec": moments(),
    }
    rtcp = SimpleNamespace(
        rxStat=SimpleNamespace(**(known | dict(rx))),
        txStat=SimpleNamespace(**(known | dict(tx))),
        rttUsec=rtt or moments(),
        peerSdes=SimpleNamespace(cname=cname),
    )
    return SimpleNamespace(rtcp=rtcp, jbuf=SimpleNamespace(discard=discard, avgDelayMsec=delay))


def test_what_never_came_is_unknown_and_not_0():
    rtp = measured(stat(tx={"pkt": 100}), 0.02, 2).rtp
    unknown = [rtp.rtt, rtp.loss_share, rtp.burst_ratio, rtp.jitter, rtp.buffer_delay]
    assert unknown == [None] * 5
    assert (rtp.far_lost, rtp.far_loss_share, rtp.far_jitter) == (None, None, None)


def test_figures_have_the_units_that_they_are_said_to_have():
    rx = {"pkt": 90, "loss": 10, "lossPeriodUsec": moments(2, 100_000), "jitterUsec": moments(90, 3_000)}
    tx = {"pkt": 100, "loss": 4, "updateCount": 2, "jitterUsec": moments(2, 2_000)}
    rtp = measured(stat(rx=rx, tx=tx, rtt=moments(2, 80_000), discard=6), 0.02, 2).rtp
    assert (rtp.received, rtp.lost, rtp.late, rtp.duplicated, rtp.reordered) == (90, 10, 3, 0, 0)
    assert rtp.loss_share == pytest.approx(0.1)
    assert rtp.burst_ratio == pytest.approx(5 * 0.9)
    assert (rtp.jitter, rtp.rtt, rtp.buffer_delay) == (0.003, 0.08, 0.04)
    assert (rtp.far_lost, rtp.far_loss_share, rtp.far_jitter) == (4, 0.04, 0.002)


def test_a_duplicate_does_not_hide_a_loss():
    # 8 of 70 are lost and 2 come twice: RFC 3550's difference says 6.
    rx = {"pkt": 64, "loss": 6, "dup": 2, "lossPeriodUsec": moments(2, 80_000)}
    rtp = measured(stat(rx=rx, discard=4), 0.02, 2).rtp
    assert (rtp.received, rtp.lost, rtp.duplicated, rtp.late) == (62, 8, 2, 0)


def test_a_gap_that_closes_again_is_no_loss():
    rx = {"pkt": 50, "lossPeriodUsec": moments(2, 20_000)}
    rtp = measured(stat(rx=rx), 0.02, 2).rtp
    assert (rtp.lost, rtp.reordered, rtp.burst_ratio) == (0, 2, None)


@pytest.mark.parametrize(
    ("tx", "cname", "arrives"),
    [
        ({"pkt": 400, "updateCount": 1, "jitterUsec": moments(1, 125)}, "far", True),
        ({"pkt": 400, "updateCount": 1}, "far", None),
        ({"pkt": 400, "updateCount": 1, "loss": 400}, "far", False),
        ({"pkt": 400}, "far", False),
        ({"pkt": 300}, "far", None),
        ({"pkt": 400}, "", None),
    ],
    ids=["heard", "nothing said", "all lost", "reports without us", "too soon", "no reports"],
)
def test_rtcp_says_whether_what_is_sent_arrives(tx, cname, arrives):
    assert measured(stat(tx=tx, cname=cname), 0.02, 2).arrives is arrives


def test_streams_are_added_up():
    assert together([]) is None
    one = {"pkt": 100, "loss": 0, "jitterUsec": moments(100, 1_000)}
    two = {"pkt": 270, "loss": 30, "lossPeriodUsec": moments(10, 60_000), "jitterUsec": moments(270, 3_000)}
    streams = [measured(stat(rx=rx, tx={"pkt": rx["pkt"]}), 0.02, 2) for rx in (one, two)]
    both = together(streams)
    assert together(streams[:1]) == streams[0].rtp
    assert (both.sent, both.received, both.lost, both.far_lost, both.rtt) == (370, 370, 30, None, None)
    assert both.loss_share == pytest.approx(30 / 400)
    assert both.burst_ratio == pytest.approx(3 * 0.9)
    assert both.jitter == pytest.approx((100 * 1e-3 + 270 * 3e-3) / 370)
