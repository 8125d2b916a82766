"""Speech codecs: the figures that a call's bandwidth, delay, rating are reckoned from, each with its source.

Ie says how much a codec spoils speech that arrives whole, Bpl how well it bears random packet loss. Both come
from ITU-T G.113; a figure without such a source is None, and then calls get no MOS instead of another
codec's. Frame, look-ahead, bit rate are those of the codec's own standard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Codec:
    """A speech codec in one mode of operation."""

    name: str
    ie: float | None
    """Equipment impairment factor: Ie (G.107), or Ie,WB (G.107.1) if `wideband`."""
    bpl: float | None
    """Packet-loss robustness factor, for random loss in percent."""
    bit_rate: float
    """Bit/s while somebody speaks, without any header."""
    frame: float
    """Seconds of speech that are coded together; one sample where samples are coded one by one."""
    lookahead: float
    """Seconds that the coder waits for besides, filters included."""
    packet: float = 0.020
    """Usual seconds of speech in a packet."""
    wideband: bool = False
    source: str = ""
    """Where `ie` with `bpl` are from; empty where there is no figure."""
    rtp: tuple[str, ...] = ()
    """Encoding names in SDP that are taken to mean this codec."""

    def frames(self, packet: float) -> int:
        """Return how many frames a packet of so many seconds holds: whole ones, at least one."""
        # The tolerance is for quotients like 0.06 / 0.02, which is a little more than 3.
        return max(1, math.ceil(packet / self.frame - 1e-6))

    def octets(self, packet: float) -> int:
        """Return the octets of speech in a packet, rounded up."""
        return math.ceil(self.frames(packet) * self.frame * self.bit_rate / 8.0 - 1e-6)


def coding_delay(codec: Codec, packet: float) -> float:
    """Return seconds from speech to its decoding that coder, packet of `packet` seconds, decoder take.

    ITU-T G.114 (2003), Annex A: (N + 1) frames and the look-ahead, with N frames in a packet, if a packet is
    put on the line at once.
    """
    return (codec.frames(packet) + 1) * codec.frame + codec.lookahead


_SAMPLE = 1.0 / 8000.0
_NARROW = "G.113 (2007) Table I.1"
_LOSSY = "G.113 (2007) Tables I.1, I.4"
_HANDSET = "G.113 (2024) Table IV.1"
_HEADSET = "G.113 (2024) Tables IV.3, IV.4"

# What the names say is read at both ends: PCMU, PCMA, G729, G723 mean what a telephone does unless told
# otherwise, which is to conceal losses (G.711) or to detect pauses (RFC 4856: annexa, annexb are yes).
_ALL = (
    Codec("G.711", 0, 4.3, 64000, _SAMPLE, 0.0, source=_LOSSY),
    Codec("G.711_with_PLC", 0, 25.1, 64000, _SAMPLE, 0.0, source=_LOSSY, rtp=("PCMU", "PCMA")),
    Codec("G.722", 13, None, 64000, _SAMPLE, 0.0015, wideband=True, source=_HANDSET, rtp=("G722",)),
    Codec("G.723.1", 15, None, 6300, 0.030, 0.0075, 0.030, source=_NARROW),
    Codec("G.723.1_with_VAD", 15, 16.1, 6300, 0.030, 0.0075, 0.030, source=_LOSSY, rtp=("G723",)),
    Codec("G.726_32k", 7, None, 32000, _SAMPLE, 0.0, source=_NARROW, rtp=("G726-32",)),
    Codec("G.728", 7, None, 16000, 0.000625, 0.0, source=_NARROW, rtp=("G728",)),
    Codec("G.729", 10, None, 8000, 0.010, 0.005, source=_NARROW),
    Codec("G.729A_with_VAD", 11, 19, 8000, 0.010, 0.005, source=_LOSSY, rtp=("G729",)),
    Codec("GSM-FR", 20, None, 13000, 0.020, 0.0, source=_NARROW, rtp=("GSM",)),
    Codec("GSM-EFR", 5, 10, 12200, 0.020, 0.0, source=_LOSSY, rtp=("GSM-EFR",)),
    Codec("AMR_12.2", None, None, 12200, 0.020, 0.005, rtp=("AMR",)),
    Codec("AMR-WB_12.65", 13, None, 12650, 0.020, 0.005, wideband=True, source=_HANDSET),
    Codec("AMR-WB_12.65_diotic", 20, 4.3, 12650, 0.020, 0.005, wideband=True, source=_HEADSET),
    Codec("AMR-WB_23.85", 8, None, 23850, 0.020, 0.005, wideband=True, source=_HANDSET),
    Codec("AMR-WB_23.85_diotic", 10, 4.9, 23850, 0.020, 0.005, wideband=True, source=_HEADSET),
    Codec("iLBC", None, None, 400 / 0.030, 0.030, 0.010, 0.030, rtp=("iLBC",)),
    Codec("speex", None, None, 15000, 0.020, 0.010, rtp=("speex",)),
    Codec("L16", None, None, 128000, _SAMPLE, 0.0, rtp=("L16",)),
    Codec("Opus", None, None, 32000, 0.020, 0.0065, wideband=True, rtp=("opus",)),
)

CODECS: dict[str, Codec] = {codec.name: codec for codec in _ALL}
"""Every codec by its name."""

_BY_RTP = {name.lower(): codec for codec in _ALL for name in codec.rtp}


def codec(name: str) -> Codec:
    """Return the codec of that name, or else that which SDP calls so, in whatever case (RFC 4855).

    KeyError: there is no such codec. AMR-WB in SDP is none: its modes differ by a whole MOS, so say which.
    """
    try:
        return CODECS.get(name) or _BY_RTP[name.lower()]
    except KeyError:
        raise KeyError(f"no codec {name!r}; there are {', '.join(CODECS)}, {', '.join(_BY_RTP)}") from None
