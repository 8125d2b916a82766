"""How a call sounds, rated by the E-model: narrowband by ITU-T G.107 (06/2015), wideband by G.107.1.

Field names are the symbols of the Recommendations in lower case, units theirs too: dB, dBm0p or dB(A) for
levels, milliseconds for delays, percent for loss. Only `rate` speaks callsim's units. Numbers like (7-19)
are equations of G.107.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import exp, log2, log10, sqrt

from carriers.codecs import Codec

NARROWBAND = "MOS-CQE"
WIDEBAND = "MOS-CQEW"


@dataclass(frozen=True, slots=True)
class Transmission:
    """The parameters of G.107, Table 2, with its defaults.

    ValueError: a value for which the model has no meaning.
    """

    slr: float = 8.0
    """Send loudness rating."""
    rlr: float = 2.0
    """Receive loudness rating."""
    stmr: float = 15.0
    """Sidetone masking rating."""
    lstr: float | None = None
    """Listener sidetone rating; None: STMR + Dr."""
    ds: float = 3.0
    """D-value of the telephone, send side."""
    dr: float = 3.0
    """D-value of the telephone, receive side."""
    telr: float = 65.0
    """Talker echo loudness rating."""
    wepl: float = 110.0
    """Weighted echo path loss."""
    t: float = 0.0
    """Mean one-way delay of the echo path."""
    ta: float = 0.0
    """Absolute delay in echo-free connections."""
    tr: float = 0.0
    """Round-trip delay in a 4-wire loop."""
    qdu: float = 1.0
    """Number of quantization distortion units."""
    ie: float = 0.0
    """Equipment impairment factor."""
    bpl: float = 4.3
    """Packet-loss robustness factor."""
    ppl: float = 0.0
    """Packet-loss probability."""
    burstr: float = 1.0
    """Burst ratio."""
    nc: float = -70.0
    """Circuit noise at the 0 dBr point."""
    nfor: float = -64.0
    """Noise floor at the receive side."""
    ps: float = 35.0
    """Room noise at the send side."""
    pr: float = 35.0
    """Room noise at the receive side."""
    st: float = 1.0
    """Delay sensitivity of the users, sT."""
    mt: float = 100.0
    """Least delay that they perceive, mT."""
    a: float = 0.0
    """Advantage factor."""

    def __post_init__(self) -> None:
        if min(self.t, self.ta, self.tr, self.stmr, self.telr) < 0.0:
            raise ValueError(f"delays, stmr, telr must be >= 0: {self}")
        if min(self.qdu, self.bpl, self.burstr, self.st, self.mt) <= 0.0:
            raise ValueError(f"qdu, bpl, burstr, st, mt must be > 0: {self}")
        if not 0.0 <= self.ppl <= 100.0:
            raise ValueError(f"ppl must be within 0 and 100: {self}")


DEFAULT = Transmission()


@dataclass(frozen=True, slots=True)
class Factors:
    """What the rating R is made of (7-1)."""

    ro: float
    """Basic signal-to-noise ratio."""
    simultaneous: float
    """Is: loudness, sidetone, quantization."""
    delay: float
    """Id: talker echo, listener echo, absolute delay."""
    equipment: float
    """Ie,eff: codec with packet loss."""
    advantage: float

    @property
    def r(self) -> float:
        """The rating."""
        return self.ro - self.simultaneous - self.delay - self.equipment + self.advantage


def factors(x: Transmission) -> Factors:
    """Return the parts of the rating, each on the scale of R."""
    no, ro, loudness_and_quantization = _levels(
        x.slr, x.rlr, x.stmr + x.dr if x.lstr is None else x.lstr, x.ds, x.qdu, x.nc, x.nfor, x.ps, x.pr
    )
    ist = _sidetone(x)
    delay = _talker_echo(x, no, ist) + _listener_echo(ro, x.wepl, x.tr) + _absolute_delay(x.ta, x.st, x.mt)
    return Factors(
        ro, loudness_and_quantization + ist, delay, effective(x.ie, x.bpl, x.ppl, x.burstr), x.advantage_
    )
