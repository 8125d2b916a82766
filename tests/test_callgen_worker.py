"""Real calls on loopback: what is measured, and what a worker's end costs."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from callgen.dialer import SLOTS, LostByToolError, Workers
from callgen.guarding.guard import Guard
from callgen.lab.lab import HOST, LabCarrier
from callgen.measures.records import CallRecord, Outcome
from callgen.messages import Answers, Endpoint, Freed, Lost, Place
from callgen.placing import Line
from callgen.process import Process
from carriers.faults import Fault, Kind
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from carriers.routing import Router

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
)

NUMBER = "+12025550100"
GUARD = Guard([NUMBER], [HOST])
SOON = 10.0
SLACK = 2.0
"""Seconds that a busy machine may be late."""


def line(workers: Workers, *uris: str, no_reply_timeout: float = 5.0) -> Line:
    count = range(len(uris))
    policy = RoutingPolicy(
        order=Order.PRIORITY,
        routes=tuple(Route(n) for n in count),
        advance_on=frozenset({408, 503}),
        no_reply_timeout=no_reply_timeout,
        progress_timeout=1.0,
        ring_timeout=1.0,
        max_attempts=len(uris),
        trunks=tuple(Trunk(f"{n}/1", n) for n in count),
        carriers=tuple(Carrier(str(n), (n,), None, None, 0.0, None) for n in count),
    )
    return Line(Router(policy), uris, GUARD, workers)


def call(over: Line, talk: float = 0.3) -> Awaitable[CallRecord]:
    return over.call(NUMBER, talk, np.random.default_rng(0))


@dataclass(frozen=True)
class Lab:
    """One lab for most tests, since it takes a second or two to start."""

    runner: asyncio.Runner
    workers: Workers
    carrier: LabCarrier

    def run(self, scene: Callable[[Workers, LabCarrier], Coroutine[None, None, None]]) -> None:
        async def with_a_good_carrier() -> None:
            await self.carrier.play(None)
            await scene(self.workers, self.carrier)

        self.runner.run(with_a_good_carrier())


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        opened = Lab(runner, Workers(2), LabCarrier(answers=Answers(ring=0.3, talk=1.2)))
        started = (opened.workers.__aenter__(), opened.carrier.__aenter__())
        runner.run(all_of(*started))
        yield opened
        runner.run(all_of(opened.workers.__aexit__(), opened.carrier.__aexit__()))


async def all_of(*awaited: Awaitable[object]) -> None:
    await asyncio.gather(*awaited)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not true():
            await asyncio.sleep(0.01)


class Far:
    """A far end of one's own making: a socket."""

    def __enter__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.uri = f"sip:{HOST}:{self.socket.getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self.socket.close()

    async def receive(self, method):
        """Wait for a request, others aside."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SOON):
            while True:
                data, self.peer = await loop.sock_recvfrom(self.socket, 65536)
                if data.startswith(method.encode()):
                    return data.decode()

    def answer(self, request, status):
        kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):.*$", request.replace("\r", ""), re.MULTILINE)
        head = [f"SIP/2.0 {status} Whatever", *(k + ";tag=far" * k.startswith("To") for k in kept)]
        body = ""
        if status == 200 and request.startswith("INVITE"):
            head += [f"Contact: <{self.uri}>", "Content-Type: application/sdp"]
            body = (
                f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
            )
        text = "\r\n".join([*head, f"Content-Length: {len(body)}", "", body])
        self.socket.sendto(text.encode(), self.peer)


# ---- one call, measured


def test_an_answered_call_is_measured(lab):
    async def scene(workers, carrier):
        record = await call(line(workers, carrier.uri), talk=0.8)
        assert (record.outcome, record.status, record.reason) == (Outcome.ANSWERED, 200, "OK")
        (attempt,) = record.attempts
        instants = [attempt.sent, attempt.trying, attempt.ringing, attempt.final, attempt.ended]
        assert instants == sorted(instants)
        assert 0.25 <= attempt.final - attempt.ringing < SLACK
        assert 0.8 <= record.talk < 0.8 + SLACK
        assert attempt.hung_up_by == "us"
        # A packet every 20 ms, both ways; the first ones may wait for the media to start.
        assert 20 <= attempt.rtp.sent <= 50 * (record.talk + 0.2)
        assert attempt.rtp.received == pytest.approx(attempt.rtp.sent, abs=10)
        assert attempt.rtp.lost == 0

    lab.run(scene)


def test_the_far_end_can_hang_up(lab):
    async def scene(workers, carrier):
        record = await call(line(workers, carrier.uri), talk=60.0)
        assert (record.outcome, record.attempts[0].hung_up_by) == (Outcome.ANSWERED, "far")
        assert 1.1 <= record.talk < 1.2 + SLACK

    lab.run(scene)


def test_a_refusal_is_told_with_its_status(lab):
    async def scene(workers, carrier):
        await carrier.play(Fault("refuses", Kind.REFUSES, status=486))
        record = await call(line(workers, carrier.uri))
        assert (record.outcome, record.status) == (Outcome.BUSY, 486)
        assert record.attempts[0].rtp is None

    lab.run(scene)


def test_a_100_and_nothing_more_is_cancelled(lab):
    async def scene(workers, carrier):
        await carrier.play(Fault("trying", Kind.TRYING_ONLY))
        record = await call(line(workers, carrier.uri))
        assert (record.outcome, record.status) == (Outcome.TIMEOUT, 408)
        assert record.reason == "no answer in time (cancel)"
        assert record.attempts[0].trying is not None

    lab.run(scene)


def test_a_late_answer_to_an_abandoned_call_is_acknowledged_and_hung_up():
    async def scene():
        with Far() as far:
            async with Workers() as workers:
                placed = asyncio.ensure_future(call(line(workers, far.uri, no_reply_timeout=0.2)))
                invite = await far.receive("INVITE")
                assert (await placed).outcome is Outcome.TIMEOUT
                assert workers.free_slots == SLOTS - 1, "until Timer B"
                far.answer(invite, 200)
                await far.receive("ACK")
                far.answer(await far.receive("BYE"), 200)
                await until(lambda: workers.free_slots == SLOTS)

    asyncio.run(scene())


def test_options_have_their_status_or_none(lab):
    async def scene(workers, carrier):
        assert await workers.ping(GUARD.ping(carrier.uri), SOON) == 200
        await carrier.play(Fault("works", Kind.MAINTENANCE, status=500))
        assert await workers.ping(GUARD.ping(carrier.uri), SOON) == 500
        await carrier.play(Fault("silent", Kind.SILENT))
        assert await workers.ping(GUARD.ping(carrier.uri), 0.1) is None

    lab.run(scene)


# ---- many calls, and the end of workers


def test_four_calls_at_once_and_then_the_tool_is_the_limit(lab):
    async def scene(_, carrier):
        async with Workers() as workers:
            over = line(workers, carrier.uri)
            records = await asyncio.gather(*(call(over, talk=0.5) for _ in range(SLOTS + 1)))
            outcomes = sorted(record.outcome.value for record in records)
            assert outcomes == ["answered"] * SLOTS + ["lost_by_tool"]
            await until(lambda: workers.free_slots == SLOTS)
            records = await asyncio.gather(*(call(over, talk=0.1) for _ in range(SLOTS)))
            assert {record.outcome for record in records} == {Outcome.ANSWERED}

    lab.run(scene)


@pytest.mark.parametrize(("calls", "uri"), [(1, "no URI"), (SLOTS + 1, "sip:{}@{}:9")])
def test_what_the_library_refuses_is_lost_by_the_tool(calls, uri):
    async def scene():
        heard = asyncio.Queue()
        worker = Process("callgen.endpoint.worker", Endpoint(HOST), heard.put_nowait, lambda code: None)
        for number in range(calls):
            worker.tell(Place(number, uri.format(NUMBER, HOST), 1.0))
        async with asyncio.timeout(SOON):
            while not isinstance(message := await heard.get(), Lost):
                pass
            assert message.call == calls - 1
            assert await heard.get() == Freed(calls - 1)
        assert await worker.close() == 0

    asyncio.run(scene())


def test_a_worker_that_dies_costs_its_calls_and_is_replaced():
    async def scene():
        with Far() as far:
            async with Workers() as workers:
                placed = asyncio.ensure_future(call(line(workers, far.uri)))
                await far.receive("INVITE")
                ping = asyncio.ensure_future(workers.ping(GUARD.ping(far.uri), SOON))
                await far.receive("OPTIONS")
                (pid,) = workers.pids
                os.kill(pid, signal.SIGKILL)
                record = await placed
                assert (record.outcome, record.status) == (Outcome.LOST_BY_TOOL, None)
                with pytest.raises(LostByToolError):
                    await ping
                await until(lambda: workers.free_slots == SLOTS)
                assert workers.pids != [pid]
                with Far() as other:
                    again = asyncio.ensure_future(call(line(workers, other.uri)))
                    other.answer(await other.receive("INVITE"), 404)
                    assert (await again).status == 404

    asyncio.run(scene())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"SIP/2.0 999999999999 \xff\r\nVia: SIP/2.0/UDP x\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"\x00" * 60_000,
        b"SIP/2.0 180 " + b"x" * 50_000 + b"\r\n\r\n",
    ],
    ids=["empty", "keep-alive", "bare", "garbage", "negative", "zeros", "long"],
)
def test_garbage_from_the_far_end_is_no_answer(answer, one_for_all):
    with Far() as far:
        record = one_for_all(far, answer)
    assert (record.outcome, record.status) == (Outcome.TIMEOUT, 408)


@pytest.fixture(scope="module")
def one_for_all():
    """Workers that get all the garbage and have to live through it: two, for the slots that silence holds."""
    with asyncio.Runner() as runner:
        workers = Workers(2)
        runner.run(workers.__aenter__())
        pids = workers.pids

        async def scene(far, answer):
            placed = asyncio.ensure_future(call(line(workers, far.uri, no_reply_timeout=0.2)))
            await far.receive("INVITE")
            far.socket.sendto(answer, far.peer)
            return await placed

        yield lambda far, answer: runner.run(scene(far, answer))
        assert workers.pids == pids
        runner.run(workers.__aexit__())


def test_what_the_guard_refuses_leaves_the_wire_silent():
    async def scene():
        with Far() as far:
            async with Workers() as workers:
                for number in ("+1911", "+12025550101"):
                    record = await line(workers, far.uri).call(number, 1.0, np.random.default_rng(0))
                    assert record.outcome is Outcome.REFUSED_BY_GUARD
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await asyncio.get_running_loop().sock_recvfrom(far.socket, 65536)

    asyncio.run(scene())


ORPHANS = """
import asyncio, os, signal
from callgen.dialer import Workers
from callgen.lab.lab import LabCarrier

async def main():
    async with LabCarrier() as carrier, Workers() as workers:
        print(*carrier.pids, *workers.pids, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_no_process_outlives_one_that_was_killed(tmp_path: Path):
    script = tmp_path / "killed.py"
    script.write_text(ORPHANS)
    # Whoever lives holds the other end of this pipe, so that it ends with the last of the processes.
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=30.0, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert len(done.stdout.split()) == 2
