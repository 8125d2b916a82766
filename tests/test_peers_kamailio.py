"""Calls through Kamailio as a failover proxy between a caller and its carriers."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from callgen_peers import HOST, NUMBER, SOON, Running, Scripted
from foreign_peers import bound, free_port

from callgen.messages import Answers, Endpoint, HangUp, Sent

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("pjsua2") is None,
        reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
    ),
    pytest.mark.skipif(
        shutil.which("kamailio") is None,
        reason="Kamailio is not installed: it is in Debian's package kamailio",
    ),
]
CONFIGURATION = Path(__file__).parent / "peers" / "failover.cfg"
NEXT_AFTER = 1.0
"""Its fr_timer, seconds; its clock ticks every 1/16 s and waits up to a tick more."""
SLACK = 2.0


@contextlib.asynccontextmanager
async def proxy(*ports, failed_pings=100):
    """Run it for carriers at these ports, the first one preferred; gives its SIP URI.

    It takes a carrier out after so many pings without an answer, at one a second.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        carriers, config = Path(folder) / "carriers", Path(folder) / "kamailio.cfg"
        ranks = zip(ports, range(len(ports), 0, -1), strict=True)
        carriers.write_text("".join(f"1 sip:{HOST}:{far} 0 {rank}\n" for far, rank in ranks))
        text = CONFIGURATION.read_text()
        for word, value in {"PROXY": port, "LIST": carriers, "FAILED_PINGS": failed_pings}.items():
            text = text.replace(word, str(value))
        config.write_text(text)
        process = await asyncio.create_subprocess_exec(
            *("kamailio", "-f", str(config), "-DD", "-E", "-m", "16", "-M", "4", "-Y", folder),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            await bound(port, process)
            yield f"sip:{NUMBER}@{HOST}:{port}"
        finally:
            # A SIGTERM is sometimes lost between its processes, which then wait for each other.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def waiting(peer):
    """Give a datagram that has come, or None."""
    try:
        return peer.sip.recv(65536)
    except BlockingIOError:
        return None


def statuses(near, call):
    return [response.status for response in near.responses(call)]


def test_a_dead_carrier_costs_the_timer_and_the_second_answers():
    async def scene():
        answers = Endpoint(answers=Answers())
        async with (
            Scripted() as dead,
            Running(answers) as second,
            Running() as near,
            proxy(dead.port, second.ready.port) as uri,
        ):
            call = near.place(uri, 0.5)
            ended = await near.end(call)
            assert statuses(near, call) == [100, 180, 200]
            assert (ended.hung_up_by, ended.rtp.lost) == ("us", 0)
            assert ended.heard.two_way
            assert 0 < ended.post_bye_delay < SLACK
            (sent,) = [m.at for m in near.messages if isinstance(m, Sent)]
            waited = near.responses(call)[-1].at - sent
            assert 0.9 * NEXT_AFTER <= waited <= NEXT_AFTER + SLACK
            invite = await dead.receive("INVITE")
            assert invite.first("call-id") == ended.call_id
        assert (second.code, near.code) == (0, 0)

    asyncio.run(scene())


@pytest.mark.parametrize(("status", "expected"), [(503, [100, 180, 200]), (486, [100, 486])])
def test_it_goes_on_after_503_and_not_after_486(status, expected):
    async def scene():
        async with (
            Running(Endpoint(answers=Answers())) as second,
            Scripted() as first,
            Running() as near,
            proxy(first.port, second.ready.port) as uri,
        ):
            call = near.place(uri, 0.3)
            first.answer(await first.receive("INVITE"), status)
            ended = await near.end(call)
            assert statuses(near, call) == expected
            assert ended.hung_up_by == ("us" if status == 503 else None)

    asyncio.run(scene())


def test_nobody_left_is_408_and_a_call_can_be_cancelled():
    async def scene():
        async with (
            Scripted() as one,
            Scripted() as other,
            Running() as near,
            proxy(one.port, other.port) as uri,
        ):
            call = near.place(uri)
            await near.end(call)
            assert statuses(near, call) == [100, 408]
            assert not near.responses(call)[-1].local
        async with Scripted() as one, Running() as near, proxy(one.port) as uri:
            call = near.place(uri)
            invite = await one.receive("INVITE")
            one.answer(invite, 180)
            async with asyncio.timeout(SOON):
                while 180 not in statuses(near, call):
                    await asyncio.sleep(0.01)
            near.process.tell(HangUp(call))
            one.answer(await one.receive("CANCEL"), 200)
            one.answer(invite, 487)
            ended = await near.end(call)
            assert (ended.hung_up_by, statuses(near, call)) == ("us", [100, 180])

    asyncio.run(scene())


def test_its_pings_find_the_dead_carrier_and_our_far_end_alive():
    async def scene():
        async with Scripted() as dead, Running(Endpoint(answers=Answers())) as second, Running() as near:
            async with proxy(dead.port, second.ready.port, failed_pings=1) as uri:
                first = (await dead.receive("OPTIONS")).first("call-id")
                await dead.receive("OPTIONS", lambda message: message.first("call-id") != first)
                await asyncio.sleep(NEXT_AFTER)
                call = near.place(uri, 0.3)
                assert (await near.end(call)).hung_up_by == "us"
                assert statuses(near, call) == [100, 180, 200]
            while (data := waiting(dead)) is not None:
                assert not data.startswith(b"INVITE")

    asyncio.run(scene())
