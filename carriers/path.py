"""What packets meet on their way from mouth to ear: segments that add up, a link's queue, a jitter buffer.

Shares are of 1, times in seconds. Over segments delay adds, loss is 1 - prod(1 - p), jitter adds by root sum
of squares (as if the segments' delay variations were independent), and the burst ratio of the whole is
the mean of the segments' weighted by their loss. Those are assumptions of callsim, stated with each result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

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


def joined(parts: Iterable[Transit]) -> Transit:
    """Add segments up by the rules above."""
    kept, squares, delay, lost, weighted = 1.0, 0.0, 0.0, 0.0, 0.0
    for part in parts:
        kept *= 1.0 - part.loss
        squares += part.jitter * part.jitter
        delay += part.delay
        lost += part.loss
        weighted += part.loss * part.burst_ratio
    return Transit(1.0 - kept, weighted / lost if lost else 1.0, math.sqrt(squares), delay)


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
    """A link that calls share with data; rates in bit/s.

    Without QoS voice waits its turn: below saturation as in an M/D/1 queue of data packets, at most as long
    as the queue holds (`buffer` seconds of traffic); above it the queue is full and the excess is lost, of
    voice and data alike. With QoS calls have `reserved` of the bandwidth to themselves: up to it nothing is
    lost and one data packet at most is waited for; beyond it they share what data leaves them no room in.
    """

    bandwidth: float
    data: float = 0.0
    """Data traffic in the direction that has less room."""
    reserved: float | None = None
    """Share of the bandwidth that QoS keeps for voice; None: no QoS."""
    buffer: float = 0.100

    def transit(self, calls: Floats, codec: Codec, packet: float, more_data: float = 0.0) -> list[Floats]:
        """Return loss, jitter and delay, each of the shape of `calls`, for so many calls at once."""
        per_call = call_bandwidth(codec, packet)
        voice, data = np.asarray(calls, dtype=np.float64) * per_call, self.data + more_data
        one_packet = DATA_PACKET * 8 / self.bandwidth
        if self.reserved is not None:
            room = self.reserved * self.bandwidth
            safe = voice <= room
            # Beyond its share voice finds the queue as data does.
            beyond = np.maximum(voice - room, 0.0)
            open_load = (beyond + data) / max(self.bandwidth - room, 1e-9)
            lost = np.where(safe, 0.0, _excess(open_load) * beyond / np.maximum(voice, 1e-9))
            waits = np.where(safe, one_packet / 2 * min(data / self.bandwidth, 1.0), self._wait(open_load))
            return [lost, waits, np.zeros_like(waits)]
        load = (voice + data) / self.bandwidth
        waits = self._wait(load)
        full = load >= 1.0
        # A full queue is a delay that stays; one that comes and goes is jitter.
        return [_excess(load), np.where(full, 0.0, waits), np.where(full, waits, 0.0)]

    def _wait(self, load: Floats) -> Floats:
        one_packet = DATA_PACKET * 8 / self.bandwidth
        below = np.minimum(load, 1.0 - 1e-9)
        return np.where(
            load < 1.0, np.minimum(below / (2.0 * (1.0 - below)) * one_packet, self.buffer), self.buffer
        )


def _excess(load: Floats) -> Floats:
    """Share of what is offered that a saturated link loses."""
    return np.where(load > 1.0, 1.0 - 1.0 / np.maximum(load, 1.0), 0.0)


def call_bandwidth(codec: Codec, packet: float) -> float:
    """Return bit/s of a call each way: the codec's octets and the headers of a packet every `packet` s."""
    return codec.bit_rate + (HEADERS + LINK_HEADERS) * 8 / packet
