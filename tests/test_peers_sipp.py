"""Calls to SIPp, which is not ours: outcomes, causes and times as its own log has them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import re
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from callgen_peers import HOST, NUMBER, SOON, Running
from foreign_peers import bound, free_port

from callgen.messages import Audio, Endpoint, HangUp, Identity, Secret, Sent

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("pjsua2") is None,
        reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
    ),
    pytest.mark.skipif(
        shutil.which("sipp") is None,
        reason="SIPp is not installed: it is in Debian's package sip-tester",
    ),
]
SCENARIOS = Path(__file__).parent / "peers"
LOGGED = re.compile(
    r"^-{20,} (\S+ \S+)\nUDP message (sent|received) [\[(]\d+ ?(?:bytes)?[\])].*?\n\n(\S+ \S+)", re.MULTILINE
)
MEDIAN, P95 = 0.020, 0.100
"""Seconds that our instants may differ from SIPp's, on a machine that has other things to do."""


class Sipp:
    """A SIPp that plays a scenario for so many calls, and ends."""

    def __init__(self, scenario: str, log: Path, status: str = "", calls: int = 1) -> None:
        self._log = log / f"{scenario}.log"
        self._calls = calls
        self._options = ["-sn", scenario]
        if scenario != "uas":
            file = log / f"{scenario}.xml"
            # SIPp takes no keyword for a status.
            file.write_text((SCENARIOS / file.name).read_text().replace("STATUS", status))
            self._options = ["-sf", str(file)]

    async def __aenter__(self):
        port = free_port()
        common = f"-i {HOST} -p {port} -m {self._calls} -nostdin -rtp_echo -timeout 30 -trace_msg"
        self._process = await asyncio.create_subprocess_exec(
            "sipp",
            *self._options,
            *common.split(),
            *("-message_file", str(self._log)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._log.parent,
        )
        await bound(port, self._process)
        self.uri = f"sip:{NUMBER}@{HOST}:{port}"
        return self

    async def __aexit__(self, *_):
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def succeeded(self):
        """Whether all its calls went as its scenario has them."""
        async with asyncio.timeout(SOON):
            return await self._process.wait() == 0

    def text(self):
        return self._log.read_text().replace("\r", "")

    def log(self):
        """Messages with their instants: (seconds, sent or received, first two words)."""
        found = LOGGED.findall(self.text())
        return [(datetime.fromisoformat(at).timestamp(), way, start) for at, way, start in found]


def play(scene, settings=Endpoint()):  # noqa: B008 - frozen
    async def with_worker():
        async with Running(settings) as near:
            await scene(near)
        assert near.code == 0

    asyncio.run(with_worker())


def statuses(near, call):
    return [response.status for response in near.responses(call)]


def test_the_scenario_that_sipp_has_built_in_echoes(tmp_path):
    async def scene(near):
        async with Sipp("uas", tmp_path) as far:
            ended = await near.call(far.uri, 1.5, audio=Audio(hear="echo"))
            assert statuses(near, 1) == [180, 200]
            assert (ended.hung_up_by, ended.codec, ended.heard.two_way) == ("us", "PCMU", True)
            assert ended.heard.echo_delay <= 0.3
            assert ended.rtp.received == pytest.approx(ended.rtp.sent, abs=15)
            assert ended.rtp.lost == 0

    play(scene)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (302, "Moved Temporarily"),
        (404, "Not Found"),
        (480, "Temporarily Unavailable"),
        (486, "Busy Here"),
        (503, "Service Unavailable"),
        (603, "Decline"),
    ],
)
def test_a_refusal_is_read_and_a_redirect_not_followed(tmp_path, status, reason):
    async def scene(near):
        async with Sipp("refuse", tmp_path, f"{status} {reason}") as far:
            ended = await near.call(far.uri)
            assert statuses(near, 1) == [100, 180, status]
            final = near.responses(1)[-1]
            assert (final.reason, final.q850, final.local) == (reason, 17, False)
            assert final.contact == (f"<sip:elsewhere@{HOST}:9>" if status == 302 else None)
            assert (ended.hung_up_by, ended.rtp) == (None, None)
            assert await far.succeeded()

    play(scene)


def test_media_before_the_answer_are_heard(tmp_path):
    async def scene(near):
        async with Sipp("early_media", tmp_path) as far:
            ended = await near.call(far.uri, 0.6)
            assert [(r.status, r.early_media) for r in near.responses(1)] == [
                (100, False),
                (183, True),
                (200, False),
            ]
            assert ended.heard.two_way
            assert ended.rtp.received >= 40, "0.7 s before the answer, and 0.6 after it"
            assert await far.succeeded()

    play(scene)


@pytest.mark.parametrize(("scenario", "rings"), [("no_answer", [100, 180]), ("late_answer", [100, 180])])
def test_a_call_that_is_cancelled_ends_once_and_for_all(tmp_path, scenario, rings):
    async def scene(near):
        async with Sipp(scenario, tmp_path) as far:
            call = near.place(far.uri)
            async with asyncio.timeout(SOON):
                while statuses(near, call) != rings:
                    await asyncio.sleep(0.01)
            near.process.tell(HangUp(call))
            ended = await near.end(call)
            assert (ended.hung_up_by, statuses(near, call)) == ("us", rings)
            assert await far.succeeded(), "CANCEL, and ACK, and for a late answer BYE"

    play(scene)


def test_a_password_that_is_asked_for_is_given(tmp_path):
    async def scene(near):
        async with Sipp("digest", tmp_path) as far:
            ended = await near.call(far.uri, 0.3, identity="atlantic")
            assert (statuses(near, 1), ended.hung_up_by) == ([200], "us")
            assert await far.succeeded()
            (line,) = re.findall("^Proxy-Authorization: Digest (.*)", far.text(), re.MULTILINE)
            given = dict(re.findall(r'(\w+)="?([^",]*)"?', line))
            words = [f"alice:{given['realm']}:s3cret-words", f"INVITE:{given['uri']}"]
            secret, asked = (hashlib.md5(word.encode()).hexdigest() for word in words)
            # RFC 2617, 3.2.2.1, without qop
            expected = hashlib.md5(f"{secret}:{given['nonce']}:{asked}".encode()).hexdigest()
            assert given["response"] == expected

    identity = Identity("atlantic", f"sip:{HOST}", Secret("alice"), Secret("s3cret-words"))
    play(scene, Endpoint(identities=(identity,)))


def test_the_far_end_hangs_up_with_a_cause(tmp_path):
    async def scene(near):
        async with Sipp("far_bye", tmp_path) as far:
            ended = await near.call(far.uri, 30.0)
            assert (statuses(near, 1), ended.hung_up_by, ended.q850) == ([100, 200], "far", 31)
            assert await far.succeeded()

    play(scene)


def test_the_far_end_asks_for_other_media(tmp_path):
    async def scene(near):
        async with Sipp("reinvite", tmp_path) as far:
            ended = await near.call(far.uri, 1.0)
            assert (statuses(near, 1), ended.hung_up_by) == ([100, 200], "us")
            assert ended.heard.two_way
            assert ended.rtp.lost == 0
            assert await far.succeeded()

    play(scene)


@pytest.mark.parametrize("scenario", ["garbage", "silence"])
def test_what_is_no_response_is_none(tmp_path, scenario):
    async def scene(near):
        async with Sipp(scenario, tmp_path) as far:
            call = near.place(far.uri)
            await asyncio.sleep(0.4)
            near.process.tell(HangUp(call))
            ended = await near.end(call)
            assert (statuses(near, call), ended.hung_up_by, ended.rtp) == ([], "us", None)
            assert ("HTTP/1.1 200 OK" in far.text()) == (scenario == "garbage")

    play(scene)


CALLS = 8


def test_times_are_those_that_sipp_has_logged(tmp_path):
    async def scene(near):
        differences = []
        async with contextlib.AsyncExitStack() as stack:
            answering = await stack.enter_async_context(Sipp("answer", tmp_path, calls=CALLS))
            refusing = await stack.enter_async_context(Sipp("refuse", tmp_path, "486 Busy Here", calls=CALLS))
            for _ in range(CALLS):
                calls = [near.place(answering.uri, 0.1), near.place(refusing.uri, 0.1)]
                for call in calls:
                    await near.end(call)
            assert await answering.succeeded()
            assert await refusing.succeeded()
        for far, own, expected in ((answering, 1, [100, 180, 200]), (refusing, 2, [100, 180, 486])):
            log = far.log()
            invites = [at for at, way, start in log if way == "received" and start.startswith("INVITE")]
            assert len(invites) == CALLS, "none was sent again"
            for n, began in enumerate(invites):
                call = 2 * n + own
                (sent,) = [m.at for m in near.messages if isinstance(m, Sent) and m.call == call]
                assert statuses(near, call) == expected
                until = invites[n + 1] if n + 1 < CALLS else float("inf")
                for response in near.responses(call):
                    theirs = next(
                        at
                        for at, way, start in log
                        if began <= at < until and way == "sent" and start == f"SIP/2.0 {response.status}"
                    )
                    differences.append(abs((response.at - sent) - (theirs - began)))
        assert len(differences) == 6 * CALLS
        assert np.median(differences) <= MEDIAN
        assert np.quantile(differences, 0.95) <= P95

    play(scene)
