"""What packets meet on their way from mouth to ear: segments that add up, a link's queue, a jitter buffer.

Shares are of 1, times in seconds. Over segments delay adds, loss is 1 - prod(1 - p), jitter adds by root sum
of squares (as if the segments' delay variations were independent), and the burst ratio of the whole is
the mean of the segments' weighted by -ln(1 - p). Those are assumptions of callsim, stated with each result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carriers.codecs import Codec

Floats = NDArray[np.float64]

HEADERS = 40
"""Octets of IPv4 (20), UDP (8) and RTP (12) on each packet (RFC 791, 768, 3550)."""
LINK_HEADERS = 18
"""Octets of an Ethernet frame around it: header and check sequence (IEEE 802.3)."""
DATA_PACKET = 1500 + LINK_HEADERS
"""Octets of the data packets that voice waits for."""


@dataclass(frozen=True, slots=True)
class Transit:
    """What a segment does to packets, each way."""

    loss: float = 0.0
    burst_ratio: float = 1.0
    """Mean length of loss runs over that of random loss (ITU-T G.107, 3.5); 1: random."""
    jitter: float = 0.0
    """Interarrival jitter as RFC 3550 has it: mean difference of the transit times of neighbours."""
    delay: float = 0.0
    """Least one-way delay, without what jitter adds."""


CLEAR = Transit()
"""Nothing lost, nothing delayed."""

_DEAD = 700.0
"""-ln(1 - p) that stands for a segment that loses everything."""


class Addends(NamedTuple):
    """What adds up of a segment by the rules above."""

    squares: float
    """Of the jitter."""
    delay: float
    lost: float
    """-ln(1 - p)."""
    weighted: float
    """The same times the burst ratio."""


def addends(part: Transit) -> Addends:
    """Return what adds up of a segment; a dead one outweighs all others, but not without end."""
    lost = -math.log1p(-part.loss) if part.loss < 1.0 else _DEAD
    return Addends(part.jitter * part.jitter, part.delay, lost, lost * part.burst_ratio)


def joined(parts: Iterable[Transit]) -> Transit:
    """Add segments up by the rules above; how they are grouped makes no difference."""
    return summed(map(addends, parts))


def summed(parts: Iterable[Addends]) -> Transit:
    """Do as `joined`, for segments that are added up again and again."""
    squares = delay = lost = weighted = 0.0
    for part in parts:
        squares += part[0]
        delay += part[1]
        lost += part[2]
        weighted += part[3]
    return Transit(-math.expm1(-lost), weighted / lost if lost else 1.0, math.sqrt(squares), delay)


@dataclass(frozen=True, slots=True)
class JitterBuffer:
    """An adaptive playout buffer at the receiver (RFC 3611, 4.7.7 has its terms).

    Delay variation is taken as exponential, whose RFC 3550 jitter is its mean: of packets that may wait d
    seconds a share exp(-d / jitter) is late, which is lost to the ear. The buffer is as deep as it takes for
    a share `late` of late packets, within `nominal` and `maximum`.
    """

    nominal: float = 0.040
    """Depth where there is little jitter."""
    maximum: float = 0.200
    late: float = 0.005
    """Share of late packets that it aims at."""

    def depth(self, jitter: float) -> float:
        """Return the delay that the buffer adds."""
        return min(max(-jitter * math.log(self.late), self.nominal), self.maximum)

    def late_share(self, jitter: float) -> float:
        """Return the share of packets that come too late to be played."""
        return math.exp(-self.depth(jitter) / jitter) if jitter > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class AccessLink:
    """A link that calls share with data; rates in bit/s, of whole frames.

    Without QoS voice waits in one queue with the data. With QoS calls have `reserved` of the bandwidth to
    themselves: up to it nothing is lost and no more than the data packet on the line is waited for. Of the
    voice beyond it, packets of all calls alike, the data's queue takes what it can.
    """

    bandwidth: float
    data: float = 0.0
    """Data traffic in the direction that has less room."""
    reserved: float | None = None
    """Share of the bandwidth that QoS keeps for voice; None: no QoS."""
    buffer: float = 0.100
    """Longest wait in the queue."""

    def transit(
        self, calls: Floats | float, codec: Codec, packet: float, more_data: float = 0.0
    ) -> tuple[Floats, Floats, Floats]:
        """Return loss, jitter, delay (as in `Transit`), each of the shape of `calls`, for so many at once.

        `packet` is in seconds of speech, `more_data` comes on top of the link's own.
        """
        voice = np.asarray(calls, np.float64) * (call_bandwidth(codec, packet) / self.bandwidth)
        data = (self.data + more_data) / self.bandwidth
        spoken = call_bandwidth(codec, packet) * packet / self.bandwidth
        other = DATA_PACKET * 8.0 / self.bandwidth
        if self.reserved is None:
            return _queue(voice + data, voice * spoken + data * other, self.buffer, packet)
        beyond = np.maximum(voice - self.reserved, 0.0)
        room = max(1.0 - self.reserved, 1e-9)
        loss, jitter, delay = _queue(
            (beyond + data) / room, (beyond * spoken + data * other) / room**2, self.buffer, packet
        )
        share = beyond / np.maximum(voice, 1e-9)
        # The data packet on the line is met with chance `data`, half sent on average.
        kept = min(min(data, 1.0) * other / 2.0, self.buffer)
        return share * loss, (1.0 - share) * kept + share * jitter, share * delay


def _queue(load: Floats, spread: Floats, buffer: float, apart: float) -> tuple[Floats, Floats, Floats]:
    """Return loss, jitter, delay in a queue that holds `buffer` seconds of traffic.

    `load` is the traffic over the capacity, `spread` the sum over its kinds of load times seconds to send a
    packet. The work that waits is taken as Brownian motion with drift load - 1 and variance `spread`,
    reflected at 0 and at `buffer` (Harrison, Brownian Motion and Stochastic Flow Systems, 1985), so the wait
    has a density in exp(-x wait / buffer) up to `buffer`, with x below. Far below saturation its mean is that
    of M/G/1 (Pollaczek-Khinchine; M/D/1 with packets of one size); far above it the queue is full and loss
    is the excess. Jitter is the mean difference of two waits, of packets `apart` seconds between which the
    motion gets no further than sqrt(2 spread apart / pi) on average. The rest of the mean wait is delay: a
    playout buffer follows it.
    """
    busy = np.maximum(spread, 1e-300)
    x = 2.0 * (1.0 - load) * buffer / busy
    x = np.where(x == 0.0, 1e-12, x)
    # Beyond 600 the exponentials overflow; within 0.001 the differences below lose their digits.
    excess = np.minimum(x, 600.0) / np.expm1(np.clip(x, -600.0, 600.0))
    loss = busy / (2.0 * buffer * np.maximum(load, 1e-300)) * excess
    x = np.where(np.abs(x) < 1e-3, 1e-3, x)
    near = np.clip(x, -600.0, 600.0)
    mean = 1.0 / x - 1.0 / np.expm1(near)
    independent = 1.0 / (x * np.tanh(near / 2.0)) - 0.5 / np.sinh(near / 2.0) ** 2
    jitter = np.clip(independent * buffer, 0.0, np.sqrt(2.0 / math.pi * spread * apart))
    return np.minimum(loss, 1.0), jitter, np.maximum(mean * buffer - jitter, 0.0)


def call_bandwidth(codec: Codec, packet: float) -> float:
    """Return bit/s of a call each way: the codec's octets and the headers, in a packet every `packet` s."""
    return (codec.octets(packet) + HEADERS + LINK_HEADERS) * 8.0 / (codec.frames(packet) * codec.frame)
