"""The relay in front of a lab's carrier, between two plain sockets."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from callgen.lab import LabCarrier
from callgen.relay import Relay
from carriers.faults import Fault, Kind

SOON, LONG_ENOUGH = 5.0, 0.1
"""Seconds for a packet to come, and for one that does not."""


class Peer:
    """A UDP socket of one side."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.address = self.socket.getsockname()

    def send(self, data, to):
        self.socket.sendto(data, to)

    async def receive(self):
        async with asyncio.timeout(SOON):
            return await asyncio.get_running_loop().sock_recvfrom(self.socket, 65536)

    async def hears_nothing(self):
        try:
            async with asyncio.timeout(LONG_ENOUGH):
                await asyncio.get_running_loop().sock_recvfrom(self.socket, 65536)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def between(fault=None):
    """A relay with its address, a caller and a carrier."""
    caller, carrier = Peer(), Peer()
    relay = Relay(carrier.address)
    relay.fault = fault
    try:
        yield relay, relay.stand_in(carrier.address), caller, carrier
    finally:
        await relay.close()
        caller.socket.close()
        carrier.socket.close()


def message(start, contact, body="", to="<sip:+12025550100@127.0.0.1>"):
    head = [
        start,
        "Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK1",
        "From: <sip:callsim@127.0.0.1>;tag=a",
        f"To: {to}",
        "Call-ID: one",
        "CSeq: 1 INVITE",
        f"Contact: <sip:callsim@127.0.0.1:{contact};ob>",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def offer(port):
    lines = ["v=0", "c=IN IP4 127.0.0.1", f"m=audio {port} RTP/AVP 0", f"a=rtcp:{port + 1} IN IP4 127.0.0.1"]
    return "".join(line + "\r\n" for line in lines)


INVITE, OPTIONS = "INVITE sip:x@127.0.0.1 SIP/2.0", "OPTIONS sip:127.0.0.1 SIP/2.0"


def port_in(data, before):
    return int(data.decode().partition(before)[2].split()[0].partition(";")[0].strip(">"))


def test_each_side_sees_the_relay_in_signalling_and_media():
    async def scene():
        async with between() as (_, front, caller, carrier):
            voice, far_voice = Peer(), Peer()
            caller.send(message(INVITE, caller.address[1], offer(voice.address[1])), front)
            invite, back = await carrier.receive()
            assert back not in (front, caller.address)
            assert port_in(invite, "callsim@127.0.0.1:") == back[1]
            head, _, body = invite.partition(b"\r\n\r\n")
            assert port_in(head, "Content-Length: ") == len(body)
            carrier.send(message("SIP/2.0 200 OK", carrier.address[1], offer(far_voice.address[1])), back)
            answer, seen = await caller.receive()
            assert seen == front
            assert port_in(answer, "callsim@127.0.0.1:") == front[1]
            to_far = ("127.0.0.1", port_in(answer, "m=audio "))
            to_near = ("127.0.0.1", port_in(invite, "m=audio "))
            assert port_in(answer, "a=rtcp:") not in (to_far[1], far_voice.address[1] + 1)
            voice.send(b"hello", to_far)
            assert await far_voice.receive() == (b"hello", to_near)
            far_voice.send(b"echo", to_near)
            assert await voice.receive() == (b"echo", to_far)
            voice.socket.close()
            far_voice.socket.close()

    asyncio.run(scene())


def test_a_silent_carrier_loses_requests_responses_and_media():
    async def scene():
        async with between() as (relay, front, caller, carrier):
            voice, far_voice = Peer(), Peer()
            to_far = relay.stand_in(far_voice.address, media=True)
            caller.send(message(OPTIONS, caller.address[1]), front)
            _, back = await carrier.receive()
            relay.fault = Fault("silent", Kind.SILENT)
            voice.send(b"hello", to_far)
            for start in (INVITE, OPTIONS, "BYE sip:x SIP/2.0"):
                caller.send(message(start, caller.address[1]), front)
            carrier.send(message("SIP/2.0 200 OK", carrier.address[1]), back)
            assert await carrier.hears_nothing()
            assert await caller.hears_nothing()
            assert await far_voice.hears_nothing()
            relay.fault = None
            voice.send(b"again", to_far)
            assert (await far_voice.receive())[0] == b"again"
            voice.socket.close()
            far_voice.socket.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("kind", "start", "status"),
    [
        (Kind.REFUSES, INVITE, 503),
        (Kind.REFUSES, OPTIONS, None),
        (Kind.MAINTENANCE, INVITE, 503),
        (Kind.MAINTENANCE, OPTIONS, 503),
        (Kind.TRYING_ONLY, INVITE, 100),
        (Kind.TRYING_ONLY, OPTIONS, None),
    ],
)
def test_a_fault_answers_what_the_table_says_and_passes_on_the_rest(kind, start, status):
    async def scene():
        async with between(Fault("fault", kind)) as (_, front, caller, carrier):
            caller.send(message(start, caller.address[1]), front)
            if status is None:
                assert (await carrier.receive())[0].startswith(start.encode())
                return
            answer, seen = await caller.receive()
            lines = answer.decode().split("\r\n")
            assert seen == front
            assert lines[0].startswith(f"SIP/2.0 {status} ")
            request = message(start, caller.address[1]).decode().split("\r\n")
            assert [line for line in request[1:6] if line not in lines] == (
                [request[3]] if status > 100 else []
            )
            assert await carrier.hears_nothing()

    asyncio.run(scene())


def test_a_fault_of_calls_leaves_those_that_are_under_way():
    async def scene():
        async with between(Fault("refuses", Kind.REFUSES)) as (_, front, caller, carrier):
            known = "<sip:+12025550100@127.0.0.1>;tag=b"
            caller.send(message(INVITE, caller.address[1], to=known), front)
            assert (await carrier.receive())[0].startswith(b"INVITE")

    asyncio.run(scene())


@pytest.mark.parametrize("fault", [Fault("some", Kind.REFUSES, share=0.3), Fault("slow", Kind.SLOW)])
def test_the_lab_refuses_a_fault_that_it_cannot_play(fault):
    with pytest.raises(ValueError, match="the lab does not play"):
        asyncio.run(LabCarrier().play(fault))
