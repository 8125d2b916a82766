"""Calls of a worker that was killed are ended at the far end, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import time
from dataclasses import replace

import numpy as np
import pytest
from callgen_peers import Scripted as Peer

from callgen import sip
from callgen.dialer import Workers
from callgen.endpoint.dialogs import Dialogs
from callgen.guarding.caps import Caps
from callgen.guarding.counters import Counters
from callgen.guarding.guard import Guard, Method
from callgen.lab.lab import HOST
from callgen.measures.records import Outcome
from callgen.messages import Dialog, Endpoint, Lost, Ready, Response
from callgen.orphans import Orphan, end_calls
from callgen.placing import Line
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from carriers.routing import Router

real = pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not installed")

NUMBER = "+12025550100"
GUARD = Guard([NUMBER], [HOST])
SOON = 15.0
POLICY = RoutingPolicy(
    order=Order.PRIORITY,
    routes=(Route(0),),
    advance_on=frozenset({408, 503}),
    no_reply_timeout=20.0,
    progress_timeout=20.0,
    ring_timeout=20.0,
    max_attempts=1,
    trunks=(Trunk("boreal/1", 0),),
    carriers=(Carrier("boreal", (0,), None, None, 0.0, None),),
)


class Near:
    """One call of a worker that a test kills."""

    async def __aenter__(self):
        self.workers = await Workers(1, Endpoint(transports=("udp", "tcp"))).__aenter__()
        return self

    async def __aexit__(self, *_):
        await self.workers.__aexit__()

    async def call(self, uri):
        self.live = await self.workers.place(GUARD.invite(NUMBER, uri, trunk="boreal/1"), 60.0)

    async def hears(self, status):
        """Wait until the worker has told of a response."""
        async with asyncio.timeout(SOON):
            while not (isinstance(event := await self.live.event(), Response) and event.status == status):
                pass

    def kill(self):
        (pid,) = self.workers.pids
        os.kill(pid, signal.SIGKILL)

    async def is_killed(self):
        self.kill()
        return await self.is_lost()

    async def is_lost(self):
        async with asyncio.timeout(SOON):
            while not isinstance(event := await self.live.event(), Lost):
                pass
        return event.reason


def methods(to):
    """What came to a socket."""
    with contextlib.suppress(BlockingIOError):
        while True:
            yield to.recv(65536).split()[0]


def scene(play):
    async def with_both():
        async with Peer() as far, Near() as near:
            await near.call(f"sip:{HOST}:{far.port}")
            await play(far, near, await far.receive("INVITE"))

    asyncio.run(with_both())


# ---- over UDP


@real
def test_a_call_that_rings_is_cancelled():
    async def play(far, near, invite):
        far.answer(invite, 180)
        await near.hears(180)
        await near.is_killed()
        cancel = await far.receive("CANCEL")
        again = await far.receive("CANCEL")
        assert again == cancel, "until it is answered"
        assert cancel.first("via") == invite.first("via")
        assert cancel.first("cseq") == invite.first("cseq").replace("INVITE", "CANCEL")
        assert (cancel.start.split()[1], cancel.first("to")) == (invite.start.split()[1], invite.first("to"))
        far.answer(cancel, 200)
        far.answer(invite, 487)
        ack = await far.receive("ACK")
        assert (ack.branch, ack.to_tag) == (invite.branch, "far")
        assert await near.live.freed() is True

    scene(play)


@real
def test_a_call_that_was_answered_is_hung_up():
    routes = ["<sip:edge.example;lr>", f"<sip:{HOST};lr>"]

    async def play(far, near, invite):
        contact = ("Contact", f'"Far" <sip:desk@{HOST}:{far.port};ob>;expires=60')
        far.answer(invite, 200, [contact, *(("Record-Route", route) for route in routes)], far.sdp())
        await near.hears(200)
        await near.is_killed()
        bye = await far.receive("BYE")
        assert bye.start == f"BYE sip:desk@{HOST}:{far.port};ob SIP/2.0"
        number = int(invite.first("cseq").split()[0])
        assert bye.first("cseq") == f"{number + 1} BYE"
        assert bye.all("route") == routes[::-1]
        assert (bye.first("from"), bye.to_tag) == (invite.first("from"), "far")
        assert bye.branch != invite.branch
        far.answer(bye, 200)
        assert await near.live.freed() is True

    scene(play)


@real
def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up():
    async def play(far, near, invite):
        far.answer(invite, 180)
        await near.hears(180)
        await near.is_killed()
        far.answer(await far.receive("CANCEL"), 481)
        far.accept(invite)
        ack = await far.receive("ACK")
        assert ack.first("cseq") == invite.first("cseq").replace("INVITE", "ACK")
        assert ack.branch != invite.branch
        bye = await far.receive("BYE")
        far.accept(invite)
        await far.receive("ACK")
        far.answer(bye, 200)
        assert await near.live.freed() is True

    scene(play)


@real
def test_where_no_response_is_known_of_it_is_cancelled_too():
    async def play(far, near, invite):
        await near.is_killed()
        far.answer(await far.receive("CANCEL"), 200)
        far.answer(invite, 487)
        await far.receive("ACK")
        assert await near.live.freed() is True

    scene(play)


@real
def test_a_far_end_that_hangs_up_meanwhile_has_its_answer():
    async def play(far, near, invite):
        far.accept(invite)
        await near.hears(200)
        await near.is_killed()
        await far.receive("BYE")
        far.request("BYE", invite, 1)
        assert (await far.answered("BYE")).status == 200
        assert await near.live.freed() is True

    scene(play)


@real
def test_what_a_contact_says_leads_to_no_other_host():
    async def play(far, near, invite):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            elsewhere.bind(("127.0.0.2", 0))
            elsewhere.setblocking(False)
            contact = ("Contact", f"<sip:127.0.0.2:{elsewhere.getsockname()[1]}>")
            far.answer(invite, 200, [contact], far.sdp())
            await near.hears(200)
            await near.is_killed()
            far.answer(await far.receive("BYE"), 200)
            assert await near.live.freed() is True
            assert all(method == b"ACK" for method in methods(elsewhere)), "which was the worker's"

    scene(play)


@real
def test_a_call_that_was_refused_is_left_alone():
    async def play(far, near, invite):
        far.answer(invite, 486)
        await near.hears(486)
        await far.receive("ACK")
        near.kill()
        assert await near.live.freed() is True, "at once: nothing is left to end"

    scene(play)


@real
def test_the_guard_counts_the_call_until_it_is_over():
    counters = Counters()
    guard = Guard([NUMBER], [HOST], Caps(at_once=1), counters)

    async def play():
        async with Peer() as far, Workers() as workers:
            line = Line(Router(POLICY), [f"sip:{HOST}:{far.port}"], guard, workers)
            placed = asyncio.ensure_future(line.call(NUMBER, 60.0, np.random.default_rng(0)))
            invite = await far.receive("INVITE")
            (pid,) = workers.pids
            os.kill(pid, signal.SIGKILL)
            record = await placed
            assert record.outcome is Outcome.LOST_BY_TOOL
            far.answer(await far.receive("CANCEL"), 200)
            assert counters.used(time.time()).at_once == 1
            far.answer(invite, 487)
            await far.receive("ACK")
        await line.settled()

    asyncio.run(play())
    used = counters.used(time.time())
    assert (used.at_once, used.day, used.minutes) == (0, 1, 1), "it may have been answered"
    assert counters.left(time.time()) == []
    counters.close()


def of_a_call(head, sent=True, dialogs=None, told=None):
    """What a worker tells of a message of call 7."""
    told = [] if told is None else told
    dialogs = dialogs or Dialogs(told.append)
    with dialogs.placing(7):
        dialogs.watch(sent, f"UDP {HOST}:5060", head)
    return dialogs, told


def head(start, cseq, to="<sip:b@h>", more=""):
    return (
        f"{start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: {to}\r\n"
        f"Call-ID: x\r\nCSeq: {cseq}{more}"
    )


INVITE = head("INVITE sip:b@h SIP/2.0", "5 INVITE", more='\r\nAuthorization: Digest response="5ecret"')


def test_of_a_call_its_parent_learns_what_changes_and_no_secret():
    dialogs, told = of_a_call(INVITE)
    (first,) = told
    assert (first.call, first.transport, first.peer, first.cseq) == (7, "udp", (HOST, 5060), 5)
    assert "5ecret" not in str(first.invite)
    assert repr(first) == "Dialog(7, x)"
    for start, cseq, sent, to, changes in (
        ("SIP/2.0 180 Ringing", "5 INVITE", False, "<sip:b@h>;tag=2", ("answer",)),
        ("SIP/2.0 180 Ringing", "5 INVITE", False, "<sip:b@h>;tag=2", ()),
        ("SIP/2.0 200 OK", "4 INVITE", False, "<sip:b@h>;tag=2", ()),
        ("SIP/2.0 200 OK", "5 INVITE", False, "<sip:b@h>;tag=2", ("answer",)),
        ("SIP/2.0 500 No", f"{'9' * 5000} INVITE", False, "<sip:b@h>;tag=2", ()),
        ("SIP/2.0 200 OK", "5 INVITE", False, "<sip:b@h>;tag=3", ()),
        ("ACK sip:b@h SIP/2.0", "5 ACK", True, "<sip:b@h>;tag=2", ()),
        ("INVITE sip:b@h SIP/2.0", "6 INVITE", True, "<sip:b@h>;tag=2", ("cseq",)),
        ("SIP/2.0 491 Pending", "6 INVITE", False, "<sip:b@h>;tag=2", ()),
        ("BYE sip:b@h SIP/2.0", "7 BYE", True, "<sip:b@h>;tag=2", ("cseq",)),
        ("SIP/2.0 407 Who", "7 BYE", False, "<sip:b@h>;tag=2", ()),
        ("SIP/2.0 200 OK", "8 BYE", False, "<sip:b@h>;tag=2", ("over",)),
    ):
        before = told[-1]
        count = len(told)
        of_a_call(head(start, cseq, to), sent, dialogs)
        assert len(told) == count + bool(changes), start
        differ = [name for name in Dialog.__slots__ if getattr(before, name) != getattr(told[-1], name)]
        assert tuple(differ) == changes, start


def test_a_challenged_invite_begins_anew():
    dialogs, told = of_a_call(INVITE)
    of_a_call(head("SIP/2.0 407 Who", "5 INVITE", "<sip:b@h>;tag=2"), False, dialogs)
    assert told[-1].over
    of_a_call(head("INVITE sip:b@h SIP/2.0", "6 INVITE"), True, dialogs)
    assert (told[-1].over, told[-1].answer, told[-1].cseq) == (False, None, 6)
    dialogs.forget("x")
    of_a_call(head("SIP/2.0 200 OK", "6 INVITE"), False, dialogs)
    assert told[-1].answer is None


@pytest.mark.parametrize(("host", "spent"), [("127.0.0.2", True), (HOST, False)])
def test_only_where_a_permit_was_for_and_was_used(host, spent, monkeypatch):
    monkeypatch.setattr("callgen.orphans.PATIENCE", 0.2)
    monkeypatch.setattr("callgen.orphans.T1", 0.01)
    _, (dialog,) = of_a_call(INVITE)
    permit = Guard([NUMBER], [host]).invite(NUMBER, f"sip:{host}:5060")
    if spent:
        permit.spend(Method.INVITE)

    async def play():
        async with Peer() as far:
            moved = replace(dialog, peer=(HOST, far.port))
            assert await end_calls([Orphan(moved, permit)], Ready(HOST, 0), None) == [False]
            assert not list(methods(far.sip))

    asyncio.run(play())


# ---- over TCP


@real
def test_over_tcp_a_new_connection_is_made():
    async def play():
        heard: asyncio.Queue[tuple[sip.Message, asyncio.StreamWriter]] = asyncio.Queue()

        async def serve(reader, writer):
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    message = sip.parse(head.lstrip())
                    if message is not None:
                        await reader.readexactly(int(message.first("content-length")))
                        heard.put_nowait((message, writer))
            except (asyncio.IncompleteReadError, OSError):
                writer.close()

        async def receive(method):
            async with asyncio.timeout(SOON):
                while (got := await heard.get())[0].method != method:
                    pass
            return got

        def answer(request, writer, status):
            writer.write(sip.response(request, status, writer.get_extra_info("peername")[:2], "far"))

        server = await asyncio.start_server(serve, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        async with Near() as near:
            await near.call(f"sip:{HOST}:{port};transport=tcp")
            invite, writer = await receive("INVITE")
            answer(invite, writer, 180)
            await near.hears(180)
            await near.is_killed()
            cancel, other = await receive("CANCEL")
            assert cancel.branch == invite.branch
            answer(cancel, other, 200)
            answer(invite, other, 487)
            await receive("ACK")
            assert await near.live.freed() is True
        server.close()

    asyncio.run(play())


# ---- what kills a worker


@real
def test_an_answer_that_kills_the_worker_is_named_and_its_call_ended():
    async def play(far, near, invite):
        far.answer(invite, 200, [("Contact", "<mailto:a@b.invalid>")], far.sdp())
        reason = await near.is_lost()
        assert "while it handled an answer of boreal/1" in reason
        bye = await far.receive("BYE")
        assert bye.start.split()[1] == invite.start.split()[1], "for want of a better target"
        far.answer(bye, 200)
        assert await near.live.freed() is True

    scene(play)
