"""How a call that was measured sounded, by the E-model."""

from __future__ import annotations

from dataclasses import dataclass

from callgen.messages import Rtp
from carriers.codecs import codec as codec_named
from carriers.codecs import coding_delay
from carriers.quality import Leg, rate

OWN_RX, FAR_RTCP, ESTIMATED, NONE = "own_rx", "far_rtcp", "estimated", "none"
MEASURED = "own RX + G.107"
ASSUMED = "own RX + G.107, estimated: no RTCP round trip, network delay taken as 0"


@dataclass(frozen=True)
class Mos:
    """A mean opinion score with its scale (ITU-T P.800.1) and what it was reckoned from."""

    value: float
    scale: str
    source: str


def mos_of(rtp: Rtp | None, codec: str | None) -> Mos | None:
    """Rate what we received, with the delay one way: half the round trip, our jitter buffer, the codec.

    A packet that came too late is as good as lost. Where RTCP never told a round trip the network is taken
    to have no delay, and the source says so. None: nothing was received, or the codec has no sourced figures
    for that.
    """
    if rtp is None or codec is None or not rtp.received:
        return None
    try:
        known = codec_named(codec)
    except KeyError:
        return None
    loss = min((rtp.lost + rtp.late) / (rtp.received + rtp.lost), 1.0)
    # Late packets alone have no known runs: taken as random.
    leg = Leg(known, loss, rtp.burst_ratio or 1.0)
    rated = rate([leg], (rtp.rtt or 0.0) / 2 + (rtp.buffer_delay or 0.0) + coding_delay(known, known.packet))
    if rated is None:
        return None
    return Mos(rated.mos, rated.scale, ASSUMED if rtp.rtt is None else MEASURED)


def sources_of(rtp: Rtp, mos: Mos | None) -> dict[str, str]:
    """Say where each figure is from: `own_rx`, `far_rtcp`, `estimated`, or `none` where it is not known."""

    def own(figure: float | None) -> str:
        return NONE if figure is None else OWN_RX

    return {
        "loss": own(rtp.loss_share),
        "burst_ratio": own(rtp.burst_ratio),
        "jitter": own(rtp.jitter),
        "rtt": NONE if rtp.rtt is None else FAR_RTCP,
        "mos": NONE if mos is None else ESTIMATED if rtp.rtt is None else OWN_RX,
    }
