"""The media of one call at a lab's carrier."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from callgen.lab.far_sound import QUIET, frames
from callgen.lab.impairment import Impairment, LabFault
from callgen.lab.rtp import Packet, Reception, decode, report, sent_at
from callgen.lab.sdp import PACKET_TIMES, Address, Codec, Offer

DEPTH = 2
"""Packets that the playout buffer of an echo holds at first."""
DEEPEST = 10
FIRST_REPORT, REPORT_EVERY = 2.5, 5.0
"""Seconds to the first report, and from one to the next (RFC 3550, 6.2)."""


@dataclass(slots=True)
class Path:
    """One way of a call's packets."""

    blocked: bool = False
    impairment: Impairment | None = None


def paths(fault: LabFault | None, rng: np.random.Generator) -> tuple[Path, Path]:
    """Return what a fault does to a call's packets: to the callee, to the caller."""
    kind = fault.kind if fault else None
    ways = (Path(), Path())
    for path, way in zip(ways, ("to_callee", "to_caller"), strict=True):
        path.blocked = kind == "no_audio" or (fault is not None and kind == "one_way" and fault.way == way)
        if fault is not None and kind == "impaired":
            path.impairment = Impairment(fault, rng)
    return ways


class _Port(asyncio.DatagramProtocol):
    """A socket for RTP or RTCP."""

    def __init__(self, host: str, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self.number: int = self._socket.getsockname()[1]
        # What comes in before the loop listens waits in the socket.
        self._listening = asyncio.ensure_future(
            asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=self._socket)
        )

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take a packet; from where it came says nothing, as the offer tells where to send."""
        del addr
        self._heard(data)

    def send(self, data: bytes, to: Address) -> None:
        """Send; what cannot be sent is lost, as with UDP."""
        with contextlib.suppress(OSError):
            self._socket.sendto(data, to)

    async def close(self) -> None:
        transport, _ = await self._listening
        transport.close()


@dataclass(slots=True)
class _Playout:
    """Puts what a caller says in order, to be sent back at a pace of our own."""

    step: int
    """Samples in a packet."""
    source: int | None = None
    waiting: dict[int, Packet] = field(default_factory=dict)
    next: int = 0
    """Number of the packet that is played next."""
    offset: int = 0
    """What our timestamps are more than the caller's."""

    def put(self, number: int, packet: Packet, timestamp: int) -> None:
        """Take a packet by its number; `timestamp` is that of ours which goes out next."""
        if packet.source != self.source or not -DEEPEST <= number - self.next < 5 * DEEPEST:
            self.source, self.next = packet.source, number - DEPTH
            self.offset = timestamp + DEPTH * self.step - packet.timestamp
            self.waiting.clear()
        elif number < self.next and len(self.waiting) < DEEPEST:
            # It is too late, so that the buffer has to be deeper.
            self.next -= 1
            self.offset += self.step
        if number >= self.next:
            self.waiting[number] = packet

    def take(self) -> Packet | None:
        """Give what is due; None where it has not come."""
        if self.source is None:
            return None
        self.next += 1
        return self.waiting.pop(self.next - 1, None)


class Stream:
    """Media with a caller: sends 50 packets a second or so, and reports on what it receives (RFC 3550).

    `echo` sends back what it hears, in the same codec, some 40 ms later, with silence for what was lost.
    """

    def __init__(
        self,
        host: str,
        offer: Offer,
        codec: Codec,
        plays: str,
        ways: tuple[Path, Path],
        rng: np.random.Generator,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._to_rtp, self._to_rtcp = offer.rtp, offer.rtcp
        self._codec = codec
        self._packet_time = offer.packet_time or PACKET_TIMES.get(codec.name, 0.020)
        self._step = round(self._packet_time * codec.clock_rate)
        self.ways = ways
        self._source, self._timestamp, self._sequence = (int(n) for n in rng.integers(1, 2**16, 3))
        self._sent = self._octets = 0
        self._reception: Reception | None = None
        self._playout = _Playout(self._step)
        self._quiet = QUIET.get(codec.name)
        self._sound: Iterator[bytes] | None = None
        if plays != "echo":
            self._sound = itertools.cycle(frames(plays, codec.name))
        self._last_report: tuple[int, float] = (0, 0.0)
        self._rtp = _Port(host, lambda data: self._through(0, data, self._hear))
        self._rtcp = _Port(host, lambda data: self._through(0, data, self._hear_report))
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._due = self._loop.time()
        self.closed = False

    @property
    def ports(self) -> tuple[int, int]:
        """RTP, RTCP."""
        return self._rtp.number, self._rtcp.number

    def start(self) -> None:
        """Begin to send."""
        if not self._timers:
            self._due = self._loop.time()
            self._timers["report"] = self._loop.call_later(FIRST_REPORT, self._report_again)
            self._tick()

    def redirect(self, offer: Offer) -> None:
        """Send to where a new offer says from now on."""
        self._to_rtp, self._to_rtcp = offer.rtp, offer.rtcp

    async def close(self) -> None:
        """Fall silent."""
        self.closed = True
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.gather(self._rtp.close(), self._rtcp.close())

    def _through(self, way: int, data: bytes, then: Callable[[bytes], None]) -> None:
        """Let a packet meet what the path has for it."""
        path = self.ways[way]
        if self.closed or path.blocked:
            return
        if path.impairment is None:
            then(data)
            return
        at = path.impairment.arrives(self._loop.time())
        if at is not None:
            self._loop.call_at(at, then, data)

    def _hear(self, data: bytes) -> None:
        packet = decode(data)
        if packet is None or self.closed:
            return
        if self._reception is None or self._reception.source != packet.source:
            self._reception = Reception(packet.source, self._codec.clock_rate)
        number = self._reception.hear(packet, self._loop.time())
        if self._sound is None:
            self._playout.put(number, packet, self._timestamp)

    def _hear_report(self, data: bytes) -> None:
        told = sent_at(data)
        if told is not None and not self.closed:
            self._last_report = (told, self._loop.time())
            # At once, so that a caller learns its round trip by its first report.
            self._report()

    def _tick(self) -> None:
        """Send what is due."""
        self._due += self._packet_time
        self._timers["tick"] = self._loop.call_at(self._due, self._tick)
        echoed = self._playout.take() if self._sound is None else None
        payload = echoed.payload if echoed else next(self._sound) if self._sound else self._quiet
        if echoed:
            self._timestamp = echoed.timestamp + self._playout.offset
        if payload is not None:
            kind, marker = (echoed.payload_type, echoed.marker) if echoed else (self._codec.number, False)
            packet = Packet(kind, self._sequence, self._timestamp, self._source, payload, marker)
            self._sequence += 1
            self._sent += 1
            self._octets += len(payload)
            self._through(1, packet.encode(), self._send)
        self._timestamp += self._step

    def _send(self, data: bytes) -> None:
        if not self.closed:
            self._rtp.send(data, self._to_rtp)

    def _report_again(self) -> None:
        self._timers["report"] = self._loop.call_later(REPORT_EVERY, self._report_again)
        self._report()

    def _report(self) -> None:
        told, heard_at = self._last_report
        block = self._reception.block(told, self._loop.time() - heard_at) if self._reception else b""
        data = report(self._source, time.time(), self._timestamp, self._sent, self._octets, block)
        self._through(1, data, self._send_report)

    def _send_report(self, data: bytes) -> None:
        if not self.closed:
            self._rtcp.send(data, self._to_rtcp)
