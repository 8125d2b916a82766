"""Codecs: how their impairment, loss robustness, bit rate, framing are known, and from where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Codec:
    """A speech codec; figures without a source are None."""

    name: str
    ie: float | None
    bpl: float | None
    bit_rate: float
    """Bit/s."""
    frame: float
    """Seconds."""
    lookahead: float
    """Seconds."""
    packet: float = 0.020
    """Usual seconds of speech in a packet."""
    wideband: bool = False
    source: str = ""


CODECS = {
    "G.711_with_PLC": Codec("G.711_with_PLC", 0, 25.1, 64000, 0.000125, 0.0, source="ITU-T G.113 (2007)"),
}
