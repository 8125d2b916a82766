"""What a call's RTP streams came to, by pjsua2's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from callgen.messages import Rtp

REPORTED_BY = 7.5
"""Seconds in which RTCP tells of a stream at least once: every 5 s, or half as much later (RFC 3550, 6.2)."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream; a re-INVITE can end it, and begin another."""

    rtp: Rtp
    loss_runs: int
    arrives: bool | None
    """Whether what we send arrives, as the far end's RTCP says; None where it leaves that open."""


def measured(stat: Any, packet: float, frames: int) -> Stream:  # noqa: ANN401 - pjsua2 has no types
    """Read pjsua2's `StreamStat` of a stream whose packets last `packet` seconds, and hold so many frames.

    Its `reorder` counts what is lost, not what is out of order; and what is lost is RFC 3550's difference
    (A.3), in which a duplicate makes up for a loss. The gaps in the sequence numbers tell both apart.
    """
    rtcp, buffer = stat.rtcp, stat.jbuf
    rx, tx, rtt = rtcp.rxStat, rtcp.txStat, rtcp.rttUsec
    periods = rx.lossPeriodUsec
    gaps = round(periods.mean * periods.n / 1e6 / packet)
    lost = min(gaps, rx.loss + rx.dup) if rx.dup else rx.loss
    due = rx.pkt - rx.dup + lost
    share = lost / due if due else None
    run = periods.mean / 1e6 / packet if periods.n and lost else None
    told = tx.updateCount > 0
    rtp = Rtp(
        sent=tx.pkt,
        received=rx.pkt - rx.dup,
        lost=lost,
        rtt=rtt.mean / 1e6 if rtt.n else None,
        # It discards the second of two as well.
        late=max(0, round(buffer.discard / frames) - rx.dup),
        duplicated=rx.dup,
        reordered=max(0, gaps - lost),
        loss_share=share,
        burst_ratio=None if run is None or share is None else max(run, 1.0) * (1 - share),
        jitter=rx.jitterUsec.mean / 1e6 if rx.jitterUsec.n else None,
        buffer_delay=buffer.avgDelayMsec / 1e3 if rx.pkt else None,
        far_lost=tx.loss if told else None,
        far_loss_share=tx.loss / tx.pkt if told and tx.pkt else None,
        far_jitter=tx.jitterUsec.mean / 1e6 if told and tx.jitterUsec.n else None,
    )
    return Stream(rtp, periods.n, _arrives(rtcp, packet))


def _arrives(rtcp: Any, packet: float) -> bool | None:  # noqa: ANN401 - pjsua2 has no types
    tx = rtcp.txStat
    if tx.updateCount:
        if tx.pkt and tx.loss >= tx.pkt:
            return False
        # Some report no loss where they heard nothing at all; but no jitter is never measured to be none.
        return True if tx.jitterUsec.mean > 0 else None
    # Who hears us says so in every report (RFC 3550, 6.4).
    return False if rtcp.peerSdes.cname and tx.pkt * packet >= REPORTED_BY else None


def together(streams: Sequence[Stream]) -> Rtp | None:
    """Add the streams of a call up; means are weighted by packets, or by losses. None without any."""
    if not streams:
        return None
    parts = [stream.rtp for stream in streams]
    if len(parts) == 1:
        return parts[0]
    received, lost = sum(p.received for p in parts), sum(p.lost for p in parts)
    sent, far_lost = sum(p.sent for p in parts), [p.far_lost for p in parts if p.far_lost is not None]
    runs = [stream.loss_runs for stream in streams]
    return Rtp(
        sent=sent,
        received=received,
        lost=lost,
        rtt=_mean([p.rtt for p in parts], [p.sent for p in parts]),
        late=sum(p.late for p in parts),
        duplicated=sum(p.duplicated for p in parts),
        reordered=sum(p.reordered for p in parts),
        loss_share=lost / (received + lost) if received + lost else None,
        burst_ratio=_mean([p.burst_ratio for p in parts], runs),
        jitter=_mean([p.jitter for p in parts], [p.received for p in parts]),
        buffer_delay=_mean([p.buffer_delay for p in parts], [p.received for p in parts]),
        far_lost=sum(far_lost) if far_lost else None,
        far_loss_share=_mean([p.far_loss_share for p in parts], [p.sent for p in parts]),
        far_jitter=_mean([p.far_jitter for p in parts], [p.sent for p in parts]),
    )


def _mean(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    known = [(v, w) for v, w in zip(values, weights, strict=True) if v is not None]
    weight = sum(w for _, w in known)
    return sum(v * w for v, w in known) / weight if weight else None
