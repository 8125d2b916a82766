"""What a far end that means no good, or knows no SIP, can do to a worker: end it at most."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import re
from dataclasses import dataclass, field

import pytest
from callgen_peers import HOST, SOON, Running, Scripted
from hostile_answers import ANSWERS, FATAL, FORGIVEN, SPEECHLESS, STATUSES, Request, answers

from callgen import sip
from callgen.messages import Ended, Freed, Lost, Ping, Pinged, Response

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
)

NAMES = list(ANSWERS)
WORKERS, SLOTS = 4, 4
GOOD = "good"
TALK = 0.1
AFTERWARDS = 0.05
"""Seconds until the far end gives an answer that can be read, too."""


class Far(asyncio.DatagramProtocol):
    """Answers a request as the user part of its URI says: with the hostile answer of that number, or well."""

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]
        self.seen = set()

    def uri(self, user):
        return f"sip:{user}@{HOST}:{self.port}"

    def datagram_received(self, data, peer):
        message = sip.parse(data)
        if message is None or message.status or message.method == "ACK":
            return
        request = Request(message, peer, self.port)
        if message.method not in {"INVITE", "OPTIONS"}:
            self.transport.sendto(request.answer(body=""), peer)
        elif message.branch not in self.seen:
            self.seen.add(message.branch)
            good = 503 if message.method == "INVITE" else 200
            user = re.search(r"sip:(\w+)@", message.start)[1]
            if user == GOOD:
                self.transport.sendto(request.answer(), peer)
                return
            for hostile in answers(NAMES[int(user)], request):
                self.transport.sendto(hostile, peer)
            asyncio.get_running_loop().call_later(
                AFTERWARDS, self.transport.sendto, request.answer(good), peer
            )


@dataclass
class Played:
    """What became of a call with a hostile answer, and of the next one in its slot."""

    responses: list[Response]
    end: Ended | Lost
    next: list[int] = field(default_factory=list)


async def freed(near, call):
    try:
        await near.wait(Freed, lambda message: message.call == call, 1.0)
    except TimeoutError:
        return False  # its BYE has no answer: the slot is held for 32 s
    return True


async def lane(near, far, names, played):
    """Play one after the other in one slot."""
    for name in names:
        call = near.place(far.uri(NAMES.index(name)), TALK)
        played[name] = Played([], await near.end(call))
        played[name].responses = near.responses(call)
        if not await freed(near, call):
            break
        well = near.place(far.uri(GOOD), TALK)
        await near.end(well)
        played[name].next = [response.status for response in near.responses(well)]
        await freed(near, well)


async def pinged(near, far, numbers, statuses):
    """Ask with one OPTIONS after the other."""
    for number in numbers:
        near.process.tell(Ping(number, far.uri(number)))
        answer = await near.wait(Pinged, lambda message, number=number: message.ping == number)
        statuses[NAMES[number]] = answer.status


async def play():
    loop = asyncio.get_running_loop()
    transport, far = await loop.create_datagram_endpoint(Far, local_addr=(HOST, 0))
    played, pings = {}, {}
    async with contextlib.AsyncExitStack() as stack:
        nears = [Running() for _ in range(WORKERS)]
        await asyncio.gather(*(stack.enter_async_context(near) for near in nears))
        names = iter([name for name in NAMES if name not in FATAL])
        await asyncio.gather(*(lane(near, far, names, played) for near in nears * SLOTS))
        numbers = iter(range(len(NAMES)))
        await asyncio.gather(*(pinged(near, far, numbers, pings) for near in nears))
    transport.close()
    return played, pings, [near.code for near in nears]


@pytest.fixture(scope="module")
def everything():
    return asyncio.run(play())


def test_no_answer_ends_a_worker(everything):
    assert everything[2] == [0] * WORKERS
    assert len(ANSWERS) >= 60


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FATAL])
def test_a_hostile_answer_to_an_invite_is_forgiven_or_ignored(everything, name):
    played = everything[0][name]
    assert isinstance(played.end, Ended)
    finals = [(r.status, r.local) for r in played.responses if r.status >= 200]
    if name in FORGIVEN:
        assert finals == [(STATUSES.get(name, 200), False)]
        assert played.end.hung_up_by == "us"
    elif name in SPEECHLESS:
        assert finals == [(200, False)]
        assert played.end.hung_up_by == "us", "for there is nothing to talk with"
        assert played.end.rtp is None
    elif name == "a BYE before the answer":
        assert finals == [(487, True)]
        assert played.end.hung_up_by is None
    else:
        assert finals == [(STATUSES.get(name, 503), False)]
        assert played.end.hung_up_by is None
    for text in (played.end.trace, *(response.reason for response in played.responses)):
        text.encode()
    assert len(played.end.trace) < 100_000
    assert 200 in played.next or played.next == [], "the next call in the slot, if it is free"


def test_nearly_every_slot_is_free_for_the_next_call(everything):
    held = {name for name, played in everything[0].items() if not played.next}
    # Where a BYE cannot go, the slot is held until its timer ends (RFC 3261, timer F).
    assert held <= {name for name in FORGIVEN if name.startswith(("Contact", "a route"))}


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_answer_to_an_options_is_read_or_ignored(everything, name):
    assert everything[1][name] == STATUSES.get(name, 200)


@pytest.mark.parametrize("name", sorted(FATAL))
def test_an_answer_that_ends_a_worker_is_known_and_its_successor_works(name):
    async def scene():
        transport, far = await asyncio.get_running_loop().create_datagram_endpoint(Far, local_addr=(HOST, 0))
        async with Running() as near:
            call = near.place(far.uri(NAMES.index(name)), TALK)
            async with asyncio.timeout(SOON):
                while near.died is None and not any(isinstance(m, Ended) for m in near.messages):
                    await asyncio.sleep(0.01)
            assert [r.status for r in near.responses(call)] in ([], [200])
        async with Running() as successor:
            call = successor.place(far.uri(GOOD), TALK)
            assert (await successor.end(call)).hung_up_by == "us"
        assert successor.code == 0
        transport.close()

    asyncio.run(scene())


# ---- within a call, and out of the blue


async def answered_call(near, peer, talk=30.0):
    call = near.place(peer.uri, talk)
    invite = await peer.receive("INVITE")
    peer.accept(invite)
    await peer.receive("ACK")
    return call, invite


@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("REFER", [("Refer-To", "<{other}>")], "", 603),
        ("REFER", [("Refer-To", "<{other}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>")], "", 603),
        ("REFER", [("Refer-To", "no URI")], "", 603),
        ("REFER", [], "", 400),
        ("INVITE", [], "v=0\r\n", 415),
        ("UPDATE", [], "v=0\r\n", 488),
        ("NOTIFY", [("Event", "refer"), ("Subscription-State", "active")], "", 500),
        ("SUBSCRIBE", [("Event", "refer")], "", 500),
        ("INFO", [("Content-Type", "application/dtmf-relay")], "", 500),
    ],
    ids=str,
)
def test_a_far_end_can_make_a_call_do_nothing(method, headers, body, status):
    async def scene():
        async with Scripted() as peer, Scripted() as other:
            async with Running() as near:
                call, invite = await answered_call(near, peer)
                headers_ = [(name, value.format(other=other.uri)) for name, value in headers]
                peer.request(method, invite, 1, body, headers_)
                assert (await peer.answered(method)).status == status
                peer.request("BYE", invite, 2)
                assert (await peer.answered("BYE")).status == 200
                assert (await near.end(call)).hung_up_by == "far"
            assert near.code == 0
            with pytest.raises(BlockingIOError):  # nobody else was called
                other.sip.recv(1)

    asyncio.run(scene())


def test_no_call_takes_the_place_of_another():
    async def scene():
        async with Scripted() as peer:
            async with Running() as near:
                call, invite = await answered_call(near, peer)
                tag = re.search(r"tag=([^;]+)", invite.first("from"))[1]
                replaces = f"{invite.first('call-id')};to-tag={tag};from-tag=far"
                changed = {"call-id": "another", "from": invite.first("from").split(";")[0]}
                headers = tuple((name, changed.get(name, value)) for name, value in invite.headers)
                new = sip.Message(invite.start, headers, "")
                peer.request("INVITE", new, 1, peer.sdp(), [("Replaces", replaces)])
                assert (await peer.answered("INVITE")).status == 603
                peer.request("BYE", invite, 2)
                assert (await near.end(call)).hung_up_by == "far"
            assert near.code == 0

    asyncio.run(scene())
