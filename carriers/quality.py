"""How a call sounds, rated by the E-model: narrowband by ITU-T G.107 (06/2015), wideband by G.107.1.

Field names are the symbols of the Recommendations in lower case, units theirs too: dB, dBm0p or dB(A) for
levels, milliseconds for delays, percent for loss. Only `rate` speaks callsim's units. Numbers like (7-19)
are equations of G.107.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import exp, log2, log10, pow, sqrt

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
    no = _noise(x)
    ro = 15.0 - 1.5 * (x.slr + no)  # (7-2)
    ist = _sidetone(x)
    return Factors(
        ro,
        _too_loud(x, no) + ist + _quantization(x.qdu, ro),
        _talker_echo(x, no, ist) + _listener_echo(ro, x.wepl, x.tr) + _absolute_delay(x.ta, x.st, x.mt),
        effective(x.ie, x.bpl, x.ppl, x.burstr),
        x.a,
    )


def rating(x: Transmission) -> float:
    """Return the transmission rating R of G.107; 93.2 at the defaults, not bounded below."""
    return factors(x).r


def effective(ie: float, bpl: float, ppl: float, burstr: float = 1.0) -> float:
    """Return Ie,eff: the codec's impairment with `ppl` percent of packets lost (7-29)."""
    return ie + (95.0 - ie) * ppl / (ppl / burstr + bpl)


def mos_of(r: float) -> float:
    """Return the mean opinion score of a narrowband R, within 1 and 4.5 (Annex B).

    The cubic dips to 0.989 near R = 3.2, which no scale has: 1 is the least.
    """
    if r <= 0.0:
        return 1.0
    if r >= 100.0:
        return 4.5
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)


def _noise(x: Transmission) -> float:
    """Return No, the sum of all noise at the 0 dBr point (7-3 to 7-7)."""
    lstr = x.stmr + x.dr if x.lstr is None else x.lstr
    sent = x.ps - x.slr - x.ds - 100.0 + 0.004 * (x.ps - x.slr - x.rlr - x.ds - 14.0) ** 2
    heard = x.pr + 10.0 * log10(1.0 + 10.0 ** ((10.0 - lstr) / 10.0))
    received = x.rlr - 121.0 + heard + 0.008 * (heard - 35.0) ** 2
    powers = (10.0 ** (level / 10.0) for level in (x.nc, sent, received, x.nfor + x.rlr))
    return 10.0 * log10(sum(powers))


def _too_loud(x: Transmission, no: float) -> float:
    """Return Iolr, for too low an overall loudness rating (7-9, 7-10)."""
    share = (x.slr + x.rlr + 0.2 * (64.0 + no - x.rlr)) / 8.0
    return 20.0 * (_rounded(share, 8.0) - share)


def _sidetone(x: Transmission) -> float:
    """Return Ist, for a sidetone that is not at its best (7-11, 7-12)."""
    stmro = -10.0 * log10(10.0 ** (-x.stmr / 10.0) + exp(-x.t / 4.0) * 10.0 ** (-x.telr / 10.0))
    best, faint, loud = (stmro - 13.0) / 6.0, (stmro + 1.0) / 19.4, (stmro - 3.0) / 33.0
    return 12.0 * _rounded(best, 8.0) - 28.0 * _rounded(faint, 35.0) - 13.0 * _rounded(loud, 13.0) + 29.0


def _quantization(qdu: float, ro: float) -> float:
    """Return Iq, for quantizing distortion (7-13 to 7-17)."""
    q = 37.0 - 15.0 * log10(qdu)
    g = 1.07 + 0.258 * q + 0.0602 * q * q
    y = (ro - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0
    z = 46.0 / 30.0 - g / 40.0
    return 15.0 * log10(1.0 + 10.0**y + 10.0**z)


def _echo_loudness(telr: float, t: float) -> float:
    """Return TERV: the talker echo's loudness with what its delay makes of it (7-22)."""
    return telr - 40.0 * log10((1.0 + t / 10.0) / (1.0 + t / 150.0)) + 6.0 * exp(-0.3 * t * t)


def _talker_echo(x: Transmission, no: float, ist: float) -> float:
    """Return Idte (7-19 to 7-24); below 1 ms too, where G.107 would have it jump to 0 as sidetone."""
    terv = _echo_loudness(x.telr, x.t)
    if x.stmr < 9.0:  # a loud sidetone masks the echo
        terv += ist / 2.0
    roe = -1.5 * (no - x.rlr)
    idte = _annoyance(roe, 80.0 + 2.5 * (terv - 14.0), x.t)
    return sqrt(idte * idte + ist * ist) if x.stmr > 20.0 else idte


def _annoyance(roe: float, re: float, t: float) -> float:
    half = (roe - re) / 2.0
    return (half + sqrt(half * half + 100.0) - 1.0) * (1.0 - exp(-t))


def _listener_echo(ro: float, wepl: float, tr: float) -> float:
    """Return Idle (7-25, 7-26)."""
    half = (ro - 10.5 * (wepl + 7.0) * pow(tr + 1.0, -0.25)) / 2.0
    return half + sqrt(half * half + 169.0)


def _absolute_delay(ta: float, st: float = 1.0, mt: float = 100.0) -> float:
    """Return Idd, for delay that makes talking in turn hard (7-27, 7-28)."""
    if ta <= mt:
        return 0.0
    x, power = log2(ta / mt), 6.0 * st
    return 25.0 * (_rounded(x, power) - 3.0 * _rounded(x / 3.0, power) + 2.0)


def _rounded(x: float, power: float) -> float:
    """Return (1 + x^power)^(1 / power): 1 up to x = 1, x beyond, with the corner rounded off."""
    return pow(1.0 + pow(x, power), 1.0 / power)


@dataclass(frozen=True, slots=True)
class WidebandTransmission:
    """The parameters of G.107.1 (2019) with Corrigendum 1 (2020) that act, with its defaults.

    ValueError: a value for which the model has no meaning.
    """

    telr: float = 65.0
    wepl: float = 110.0
    t: float = 0.0
    ta: float = 0.0
    tr: float = 0.0
    ie: float = 0.0
    """Ie,WB."""
    bpl: float = 4.3
    """Bpl,WB."""
    ppl: float = 0.0
    a: float = 0.0

    def __post_init__(self) -> None:
        if min(self.t, self.ta, self.tr) < 0.0 or self.bpl <= 0.0 or not 0.0 <= self.ppl <= 100.0:
            raise ValueError(f"delays must be >= 0, bpl > 0, ppl within 0 and 100: {self}")


RO_WIDEBAND = 129.0
"""The rating of an unimpaired wideband connection (G.107.1, 7.2)."""


def wideband_rating(x: WidebandTransmission) -> float:
    """Return the rating R of G.107.1, of which 129 is the most.

    Roe is Ro,WB: G.107.1 (06/2019) made it of a noise that the wideband model does not define, and ITU-T
    G.1070 (06/2018), which has the same talker echo, prints 129.
    """
    terv = _echo_loudness(x.telr, x.t) + min(0.08 * x.t + 10.0, 18.0)
    echo = 0.0 if x.t < 1.0 else _annoyance(RO_WIDEBAND, 80.0 + 3.0 * (terv - 14.0), x.t)
    delay = echo + _listener_echo(RO_WIDEBAND, x.wepl, x.tr) + 1.29 * _absolute_delay(x.ta)
    return RO_WIDEBAND - delay - effective(x.ie, x.bpl, x.ppl) + x.a


def wideband_mos_of(r: float) -> float:
    """Return the mean opinion score of a wideband R, within 1 and 4.5 (G.107.1, Annex A)."""
    return mos_of(r / 1.29)


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of the call between two transcodings."""

    codec: Codec
    loss: float = 0.0
    """Share of packets lost, with those that come too late to be played."""
    burst_ratio: float = 1.0
    """Mean length of loss runs over that of random loss (G.107, 3.5)."""


@dataclass(frozen=True, slots=True)
class Rated:
    """A rating with the scale that it is on: figures of two scales must not be compared or averaged."""

    r: float
    mos: float
    scale: str
    """MOS-CQE (R of 93.2 at best) or MOS-CQEW (R of 129 at best), as ITU-T P.800.1 names them."""


def rate(legs: Sequence[Leg], delay: float, base: Transmission = DEFAULT) -> Rated | None:
    """Rate a call over `legs` with `delay` seconds from mouth to ear, one way.

    Echo takes the same path: T = Ta = delay, Tr = 2 Ta. The legs' impairments add up (G.107, 7.5; G.113).
    They and the delay stand in place of those of `base`; a wideband call takes TELR, WEPL, A from it.
    Bursty loss in wideband, of which G.107.1 does not tell, is reckoned as G.107 does. None: a codec has no
    sourced figure for that, or the legs are not all narrowband or all wideband. ValueError: no leg, a loss
    that is no share, a burst ratio or a delay that cannot be.
    """
    if not legs:
        raise ValueError("a call has one leg at least")
    wideband, impairment = legs[0].codec.wideband, 0.0
    for leg in legs:
        codec = leg.codec
        if not 0.0 <= leg.loss <= 1.0 or leg.burst_ratio <= 0.0:
            raise ValueError(f"loss must be within 0 and 1, the burst ratio above 0: {leg}")
        if codec.wideband is not wideband or codec.ie is None:
            return None
        if leg.loss == 0.0:
            impairment += codec.ie
        elif codec.bpl is None:
            return None
        else:
            impairment += effective(codec.ie, codec.bpl, 100.0 * leg.loss, leg.burst_ratio)
    r = _unimpaired(base, 1000.0 * delay, wideband) - impairment
    return Rated(r, wideband_mos_of(r), WIDEBAND) if wideband else Rated(r, mos_of(r), NARROWBAND)


@lru_cache(maxsize=1 << 14)
def _unimpaired(base: Transmission, ms: float, wideband: bool) -> float:
    """Return the rating of a call with `ms` of delay whose codecs impair nothing, and lose nothing."""
    if wideband:
        return wideband_rating(WidebandTransmission(base.telr, base.wepl, t=ms, ta=ms, tr=2.0 * ms, a=base.a))
    return rating(replace(base, t=ms, ta=ms, tr=2.0 * ms, ie=0.0, ppl=0.0))
