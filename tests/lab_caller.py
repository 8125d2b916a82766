"""A lab's carrier in this process, with callers of plain sockets."""

from __future__ import annotations

import asyncio
import itertools
import re
import struct
from contextlib import asynccontextmanager

from callgen import sip
from callgen.lab import rtp
from callgen.lab.far_end import FarEnd, Settings
from callgen.lab.lab import conduct_of
from callgen.messages import Answers

HOST = "127.0.0.1"
ALMOST_SURE = 1 - 1e-4
SOON, LONG_ENOUGH = 10.0, 0.15
"""Seconds for a message to come, and for one that does not."""
EVENTS = 101
_NUMBERS = itertools.count(1)


class Datagrams(asyncio.DatagramProtocol):
    """A UDP socket, with what it receives and when."""

    def __init__(self):
        self.received = asyncio.Queue()

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, 0))
        self.port = self.transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_):
        self.transport.close()

    def datagram_received(self, data, addr):
        del addr
        self.received.put_nowait((asyncio.get_running_loop().time(), data))

    async def next(self):
        async with asyncio.timeout(SOON):
            return await self.received.get()

    def all(self):
        return [self.received.get_nowait() for _ in range(self.received.qsize())]


class Caller:
    """One call: SIP, RTP and RTCP sockets."""

    def __init__(self, port, codecs="0", packet_time=20):
        self.to = (HOST, port)
        self.codecs = codecs
        self.packet_time = packet_time
        self.id = next(_NUMBERS)
        self.sip, self.rtp, self.rtcp = Datagrams(), Datagrams(), Datagrams()
        self.to_tag = ""
        self.sent = 0

    async def __aenter__(self):
        for each in (self.sip, self.rtp, self.rtcp):
            await each.__aenter__()
        return self

    async def __aexit__(self, *_):
        for each in (self.sip, self.rtp, self.rtcp):
            await each.__aexit__()

    # ---- SIP

    def offer(self):
        return (
            f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {self.rtp.port} RTP/AVP {self.codecs} {EVENTS}\r\na=rtcp:{self.rtcp.port}\r\n"
            f"a=ptime:{self.packet_time}\r\n"
            f"a=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-15\r\n"
        )

    def request(self, method, number=1, body="", branch=None, headers=()):
        branch = branch or f"{method}{number}x{self.id}"
        lines = [
            f"{method} sip:+12025550100@{HOST} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{self.sip.port};rport;branch=z9hG4bK{branch}",
            f"From: <sip:caller@{HOST}>;tag=c{self.id}",
            f"To: <sip:+12025550100@{HOST}>{self.to_tag}",
            f"Call-ID: {self.id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:caller@{HOST}:{self.sip.port}>",
            "Record-Route: <sip:127.0.0.9;lr>",
        ]
        return sip.finished(lines, headers, body)

    def send(self, method, **more):
        self.sip.transport.sendto(self.request(method, **more), self.to)

    def invite(self):
        self.send("INVITE", body=self.offer())

    async def message(self):
        _, data = await self.sip.next()
        message = sip.parse(data)
        assert message is not None, data
        return message

    async def statuses(self):
        """Return the statuses up to the final one, which is acknowledged."""
        found = []
        while not found or found[-1] < 200:
            message = await self.message()
            found.append(message.status)
        self.to_tag = ";" + message.first("to").partition(">;")[2]
        branch = None if found[-1] < 300 else f"INVITE1x{self.id}"
        self.send("ACK", branch=branch)
        self.body = message.body
        if message.body:
            self.far_rtp = int(re.search(r"m=audio ([0-9]+)", message.body)[1])
            self.far_rtcp = int(re.search(r"a=rtcp:([0-9]+)", message.body)[1])
        return found

    async def call(self):
        self.invite()
        return await self.statuses()

    async def status_of(self, method, **more):
        self.send(method, **more)
        while (message := await self.message()).method != method:
            pass
        return message.status

    async def hears_nothing(self):
        await asyncio.sleep(LONG_ENOUGH)
        return not self.sip.all()

    # ---- media

    async def talk(self, packets, marks=()):
        """Send packets at their pace, numbered from 0; those in `marks` are not sent."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(packets):
            await asyncio.sleep(start + number * self.packet_time / 1000 - loop.time())
            if number not in marks:
                self.say(number.to_bytes(2) * 80)
            else:
                self.sent += 1

    def say(self, payload, kind=None, timestamp=None):
        kind = int(self.codecs.split()[0]) if kind is None else kind
        timestamp = self.sent * 8 * self.packet_time if timestamp is None else timestamp
        packet = rtp.Packet(kind, self.sent, timestamp, self.id, payload)
        self.rtp.transport.sendto(packet.encode(), (HOST, self.far_rtp))
        self.sent += 1

    def heard(self):
        """Return the RTP packets that have come, with their instants."""
        return [(at, rtp.decode(data)) for at, data in self.rtp.received._queue]

    async def report(self):
        """Send a sender report, and return how long the answer took, and its block."""
        now = asyncio.get_running_loop().time
        self.rtcp.all()
        start = now()
        self.rtcp.transport.sendto(
            rtp.report(self.id, 1e9 + start, 0, self.sent, 0, b""), (HOST, self.far_rtcp)
        )
        at, data = await self.rtcp.next()
        return at - start, block_of(data)


def block_of(data):
    """Read the report block of a compound packet: lost, highest, jitter, last report, delay; None without."""
    if not data[0] & 0x1F:
        return None
    fields = struct.unpack_from("!IIIIII", data, 28)
    return {
        "source": fields[0],
        "fraction": fields[1] >> 24,
        "lost": fields[1] & 0xFFFFFF,
        "highest": fields[2],
        "last_report": fields[4],
        "since": fields[5] / 65536,
    }


def runs(scene):
    asyncio.run(scene())


@asynccontextmanager
async def carrier(fault=None, answers=Answers(), channels=None):  # noqa: B008 - frozen
    """Run a carrier in this process."""
    far = FarEnd(Settings(HOST, 0, answers, channels, seed=1))
    await far.open()
    far.behave(conduct_of(fault))
    try:
        yield far
    finally:
        await far.shut()


def by_port(far, **more):
    return Caller(far.port, **more)
