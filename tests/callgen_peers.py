"""Both ends of calls on loopback: a worker by itself, and a scripted peer for what no worker does."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from callgen import sip
from callgen.messages import Ended, Endpoint, FromWorker, Lost, Place, Ready, Response
from callgen.process import Process

HOST = "127.0.0.1"
NUMBER = "+12025550100"
SOON = 15.0


class Running:
    """A worker, its messages, and its exit code when it has ended."""

    def __init__(self, settings: Endpoint = Endpoint()) -> None:  # noqa: B008 - frozen
        self.settings = settings
        self.messages: list[FromWorker] = []
        self.died = None
        self._calls = 0

    async def __aenter__(self):
        self.process = Process("callgen.endpoint.worker", self.settings, self._heard, self._ended)
        self.ready = await self.wait(Ready)
        return self

    async def __aexit__(self, *_):
        self.code = await self.process.close()

    def _heard(self, message):
        self.messages.append(message)

    def _ended(self, code):
        self.died = code

    async def wait(self, kind, true=lambda message: True, seconds=SOON):
        async with asyncio.timeout(seconds):
            while True:
                for message in self.messages:
                    if isinstance(message, kind) and true(message):
                        return message
                assert self.died is None, f"the worker ended with {self.died}"
                await asyncio.sleep(0.01)

    def uri(self, transport="udp"):
        port = dict(self.ready.ports)[transport]
        host = f"[{self.ready.host}]" if ":" in self.ready.host else self.ready.host
        return f"sip:{NUMBER}@{host}:{port};transport={transport}"

    def place(self, uri, talk=0.5, **more):
        self._calls += 1
        self.process.tell(Place(self._calls, uri, talk, **more))
        return self._calls

    async def end(self, call):
        return await self.wait((Ended, Lost), lambda message: message.call == call)

    async def call(self, uri, talk=0.5, **more):
        return await self.end(self.place(uri, talk, **more))

    def responses(self, call):
        return [m for m in self.messages if isinstance(m, Response) and m.call == call]


class Scripted:
    """A SIP peer over UDP that does what a test tells it, with a socket for RTP and one for RTCP."""

    async def __aenter__(self):
        self._loop = asyncio.get_running_loop()
        self.sip, self.rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for one in (self.sip, self.rtp):
            one.bind((HOST, 0))
            one.setblocking(False)
        self.port = self.sip.getsockname()[1]
        self.uri = f"sip:{NUMBER}@{HOST}:{self.port}"
        return self

    async def __aexit__(self, *_):
        self.sip.close()
        self.rtp.close()

    async def receive(self, method, true=lambda message: True):
        """Wait for a request with this method, others aside."""
        return await self._message(lambda m: not m.status and m.method == method and true(m))

    async def answered(self, method):
        """Wait for the final response to a request of ours."""
        return await self._message(lambda m: m.status >= 200 and m.method == method)

    async def _message(self, wanted):
        async with asyncio.timeout(SOON):
            while True:
                data, self.peer = await self._loop.sock_recvfrom(self.sip, 65536)
                message = sip.parse(data)
                if message is not None and wanted(message):
                    return message

    def answer(self, request, status, headers=(), body=""):
        self.sip.sendto(sip.response(request, status, self.peer, "far", headers, body), self.peer)

    def accept(self, invite):
        contact = ("Contact", f"<sip:{HOST}:{self.port}>")
        self.answer(invite, 200, [contact], self.sdp())

    def sdp(self, port=None):
        port = port or self.rtp.getsockname()[1]
        return (
            f"v=0\r\no=- 1 {port} IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )

    def request(self, method, invite, number, body="", headers=()):
        """Send a request within the dialog that an INVITE of the worker began."""
        lines = [
            f"{method} {invite.first('contact').strip('<>')} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{method}{number}",
            f"From: {invite.first('to')};tag=far",
            f"To: {invite.first('from')}",
            f"Call-ID: {invite.first('call-id')}",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
            f"Contact: <sip:{HOST}:{self.port}>",
        ]
        self.sip.sendto(sip.finished(lines, headers, body), self.peer)


def media_of(message):
    """Where a message's SDP wants RTP."""
    port = next(line for line in message.body.splitlines() if line.startswith("m=audio")).split()[1]
    return HOST, int(port)


@contextlib.asynccontextmanager
async def pair(far: Endpoint, near: Endpoint = Endpoint()):  # noqa: B008 - frozen
    """A far end and a caller, both workers."""
    async with Running(far) as answering, Running(near) as calling:
        yield answering, calling
    assert (answering.code, calling.code) == (0, 0)
