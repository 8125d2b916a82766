"""RTP packets with the reports on their reception (RFC 3550)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

HEADER = struct.Struct("!BBHII")
SENDER = struct.Struct("!BBHIIIIII")
BLOCK = struct.Struct("!IIIIII")
SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION = 200, 201, 202
NTP_EPOCH = 2208988800
"""Seconds from 1900 to 1970."""


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet."""

    payload_type: int
    sequence: int
    """16 bits."""
    timestamp: int
    """32 bits, in samples."""
    source: int
    """SSRC."""
    payload: bytes
    marker: bool = False

    def encode(self) -> bytes:
        """Write it as it goes over the wire."""
        kind = self.payload_type | self.marker << 7
        head = HEADER.pack(
            0x80, kind, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.source & 0xFFFFFFFF
        )
        return head + self.payload


def decode(data: bytes) -> Packet | None:
    """Read a packet; None for what is none."""
    if len(data) < HEADER.size or data[0] >> 6 != 2:
        return None
    first, kind, sequence, timestamp, source = HEADER.unpack_from(data)
    start = HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if start > end:
        return None
    return Packet(kind & 0x7F, sequence, timestamp, source, data[start:end], bool(kind & 0x80))


@dataclass(slots=True)
class Reception:
    """What arrived of one source (RFC 3550, 6.4.1, A.1, A.3, A.8)."""

    source: int
    clock_rate: int
    """Samples of timestamps in a second."""
    received: int = 0
    first: int = 0
    """Sequence number of the first packet, without the wrap at 16 bits, like the next."""
    highest: int = 0
    jitter: float = 0.0
    """Interarrival jitter in samples, as smoothed by RFC 3550."""
    _transit: float | None = None
    _told: tuple[int, int] = field(default=(0, 0))

    def hear(self, packet: Packet, now: float) -> int:
        """Count a packet that arrives at `now` (s), and return its sequence number without the wrap."""
        if not self.received:
            self.first = self.highest = packet.sequence
        step = (packet.sequence - self.highest + 0x8000) % 0x10000 - 0x8000
        number = self.highest + step
        self.highest = max(self.highest, number)
        self.received += 1
        transit = now * self.clock_rate - packet.timestamp
        if self._transit is not None:
            self.jitter += (abs(transit - self._transit) - self.jitter) / 16.0
        self._transit = transit
        return number

    @property
    def expected(self) -> int:
        """Packets that were due, by their numbers."""
        return self.highest - self.first + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets that were due and did not come; negative where some came twice."""
        return self.expected - self.received

    def block(self, sent_at: int, delay: float) -> bytes:
        """Write a report block; empty where nothing has come since the last.

        `sent_at` is the middle of the NTP time of the source's last report (0: there was none), which came
        `delay` seconds ago.
        """
        due, came = self.expected - self._told[0], self.received - self._told[1]
        if not came:
            return b""
        self._told = (self.expected, self.received)
        fraction = max(due - came, 0) * 256 // due if due > 0 else 0
        lost = min(max(self.lost, -0x800000), 0x7FFFFF) & 0xFFFFFF
        since = int(delay * 65536) if sent_at else 0
        return BLOCK.pack(
            self.source,
            min(fraction, 255) << 24 | lost,
            self.highest & 0xFFFFFFFF,
            int(self.jitter),
            sent_at,
            since & 0xFFFFFFFF,
        )


def report(source: int, wall: float, timestamp: int, packets: int, octets: int, block: bytes) -> bytes:
    """Write a compound packet: sender report, at most one report block, CNAME (RFC 3550, 6.4.1, 6.5).

    `wall` is POSIX time in seconds, `timestamp` the same instant in samples of our stream.
    """
    seconds = int(wall) + NTP_EPOCH
    words = 6 + len(block) // 4
    sender = SENDER.pack(
        0x80 | bool(block),
        SENDER_REPORT,
        words,
        source,
        seconds & 0xFFFFFFFF,
        int(wall % 1.0 * 2**32),
        timestamp & 0xFFFFFFFF,
        packets & 0xFFFFFFFF,
        octets & 0xFFFFFFFF,
    )
    name = b"\x01\x03lab"
    name += b"\0" * (4 - len(name) % 4)
    described = struct.pack("!BBHI", 0x81, DESCRIPTION, 1 + len(name) // 4, source) + name
    return sender + block + described


def sent_at(data: bytes) -> int | None:
    """Return the middle 32 bits of the NTP time in a sender report; None for any other packet."""
    if len(data) < SENDER.size or data[0] >> 6 != 2 or data[1] != SENDER_REPORT:
        return None
    return int.from_bytes(data[10:14], "big")
