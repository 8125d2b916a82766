"""The called side with a real worker, which a scripted caller calls."""

import asyncio
import os
import signal
import socket

import pytest

from callgen.messages import Answers, Endpoint, Identity
from callsim.live.called_side import CalledSide
from callsim.live.errors import NotLiveError
from callsim.live.inbound import caller_of

OURS = "+12025550150"
ENDPOINT = Endpoint(answers=Answers(ring=0.0, plays="silence"))


class Caller:
    """Speaks just enough SIP for one call."""

    def __init__(self, uri: str) -> None:
        host, _, port = uri.removeprefix("sip:").partition(":")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(5.0)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect((host, int(port)))
        self.port = self.socket.getsockname()[1]
        self.tag = ""

    def send(self, method: str, sequence: int, body: str = "") -> None:
        to = f"<sip:{OURS}@127.0.0.1>" + self.tag
        lines = [
            f"{method} sip:{OURS}@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{method}{sequence}",
            "Max-Forwards: 70",
            "From: <sip:anonymous@anonymous.invalid>;tag=1",
            f"To: {to}",
            "Call-ID: called-side@127.0.0.1",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:127.0.0.1:{self.port}>",
            "P-Asserted-Identity: <sip:+12025550199@127.0.0.1>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.socket.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def final(self) -> int:
        """Read responses up to a final one, and note the tag of the other side."""
        while True:
            text = self.socket.recv(65535).decode()
            status = int(text.split()[1]) if text.startswith("SIP/2.0") else 0
            if status >= 200:
                self.tag = next(
                    f";tag={x.partition(';tag=')[2]}" for x in text.splitlines() if x.startswith("To")
                )
                return status

    def call(self) -> list[int]:
        """Call, acknowledge, hang up; the statuses of both."""
        media = "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        sdp = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{media}"
        self.send("INVITE", 1, sdp)
        answered = self.final()
        self.send("ACK", 1)
        self.send("BYE", 2)
        statuses = [answered, self.final()]
        self.socket.close()
        return statuses


def test_a_call_to_our_number_is_told_with_its_caller():
    async def run():
        async with CalledSide(ENDPOINT) as called:
            assert await asyncio.to_thread(Caller(called.uri).call) == [200, 200]
            return await called.call_to(OURS, 5.0)

    arrived = asyncio.run(run())
    assert arrived is not None
    assert OURS in arrived.incoming.to
    assert caller_of(arrived.incoming.pai or "") == "+12025550199"
    assert caller_of(arrived.incoming.from_) is None
    assert arrived.ended.hung_up_by == "far"


def test_a_call_to_another_number_is_not_ours():
    async def run():
        async with CalledSide(ENDPOINT) as called:
            assert await asyncio.to_thread(Caller(called.uri).call) == [200, 200]
            return await called.call_to("+12025550151", 0.5)

    assert asyncio.run(run()) is None


def test_a_worker_that_dies_is_told_instead_of_a_registration():
    identity = Identity("atlantic/1", "sip:127.0.0.1:9", register=True)

    async def run():
        endpoint = Endpoint(answers=Answers(), identities=(identity,))
        async with CalledSide(endpoint) as called:
            pid = called._process.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            return await called.registered()

    assert asyncio.run(run()) == "the worker that takes calls ended with -9"


def test_a_registration_that_is_refused_is_told():
    registrar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    registrar.settimeout(5.0)
    registrar.bind(("127.0.0.1", 0))
    uri = f"sip:127.0.0.1:{registrar.getsockname()[1]}"

    def refuse() -> None:
        request, sender = registrar.recvfrom(65535)
        kept = [
            x
            for x in request.decode().split("\r\n")
            if x.startswith(("Via", "From", "To", "Call-ID", "CSeq"))
        ]
        answer = ["SIP/2.0 403 Forbidden", *kept, "Content-Length: 0", "", ""]
        registrar.sendto("\r\n".join(answer).encode(), sender)
        registrar.close()

    async def run():
        identity = Identity("atlantic/1", uri, register=True)
        endpoint = Endpoint(answers=Answers(), identities=(identity,))
        refusing = asyncio.create_task(asyncio.to_thread(refuse))
        async with CalledSide(endpoint) as called:
            await refusing
            return await called.registered()

    assert asyncio.run(run()) == "the registration was answered 403 Forbidden"


def test_an_endpoint_that_does_not_answer_is_none():
    with pytest.raises(ValueError, match="answers"):
        CalledSide(Endpoint())


def test_a_worker_that_cannot_start_is_said():
    async def run():
        async with CalledSide(Endpoint(host="192.0.2.1", answers=Answers())):
            pass

    with pytest.raises(NotLiveError, match="the worker that takes calls ended with"):
        asyncio.run(run())
