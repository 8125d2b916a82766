"""What calls over the wire are measured to be: worker against worker, or against a scripted peer."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import re
import subprocess
import wave
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from callgen_peers import HOST, NUMBER, SOON, Running, Scripted, media_of, pair

from callgen import sip
from callgen.lab.rtp import Packet, decode
from callgen.messages import (
    Alive,
    Answers,
    Audio,
    Beat,
    Endpoint,
    Identity,
    Incoming,
    Lost,
    Ping,
    Pinged,
    Registered,
    Secret,
    Tls,
)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
)

ECHO = Endpoint(answers=Answers())
PASSWORD = "s3cret-words"


def trunk(uri, **more):
    return Identity("atlantic", uri, Secret("alice"), Secret(PASSWORD), **more)


@dataclass(frozen=True)
class Lab:
    """A caller, and a far end that echoes, for most tests, since they take a second to start."""

    runner: asyncio.Runner
    near: Running
    far: Running

    def run(self, scene: Callable[[Running, Running], Coroutine[None, None, None]]) -> None:
        self.runner.run(scene(self.near, self.far))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        opened = pair(ECHO)
        far, near = runner.run(opened.__aenter__())
        yield Lab(runner, near, far)
        runner.run(opened.__aexit__(None, None, None))


# ---- what is heard


def test_an_echo_is_measured_with_its_digits_and_kept(lab, tmp_path: Path):
    async def scene(near, far):
        ended = await near.call(
            far.uri(), 2.5, audio=Audio(hear="echo", dtmf="12#", record=str(tmp_path / "call"))
        )
        heard = ended.heard
        assert (ended.hung_up_by, ended.codec, heard.dtmf, heard.two_way) == ("us", "PCMU", "12#", True)
        assert not heard.false_answer
        # Two jitter buffers and two bridges of 20 ms, on a machine that may be busy.
        assert 0.02 <= heard.echo_delay <= 0.2
        assert heard.silence_share <= 0.3
        assert heard.level_dbov == pytest.approx(-17.0, abs=0.5)
        assert 0.0 <= heard.first_sound <= 0.5
        assert ended.rtp.jitter is not None
        assert ended.rtp.rtt is None or ended.rtp.rtt > 0
        assert 0 < ended.post_bye_delay < 1.0
        for path in ended.recordings:
            with wave.open(path) as file:
                assert 1.5 <= file.getnframes() / file.getframerate() <= 3.5
        assert len(ended.recordings) == 2
        incoming = await far.wait(Incoming)
        assert NUMBER in incoming.to
        assert incoming.pai is None

    lab.run(scene)


@pytest.mark.parametrize(("plays", "level"), [("tone", -17.0), ("speech", -28.0), ("silence", None)], ids=str)
def test_what_a_far_end_plays_is_heard(plays, level):
    async def scene():
        async with pair(Endpoint(answers=Answers(plays=plays))) as (far, near):
            heard = (await near.call(far.uri(), 1.5, audio=Audio(play="silence"))).heard
            if level is None:
                assert (heard.level_dbov, heard.silence_share, heard.first_sound) == (None, 1.0, None)
                assert (heard.two_way, heard.false_answer) == (False, True)
            else:
                assert heard.level_dbov == pytest.approx(level, abs=4.0)
                assert not heard.false_answer
            assert heard.echo_delay is None

    asyncio.run(scene())


def test_a_wav_file_is_played_and_found_again(tmp_path: Path):
    path = tmp_path / "words.wav"
    rng = np.random.default_rng(5)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        sound = np.convolve(rng.standard_normal(16000), np.ones(8) / 8, "same")
        file.writeframes((sound / np.abs(sound).max() * 9000).astype("<i2").tobytes())

    async def scene():
        async with pair(Endpoint(answers=Answers(plays=str(path)))) as (far, near):
            found, other, none = await asyncio.gather(
                near.call(far.uri(), 3.0, audio=Audio("silence", str(path))),
                near.call(far.uri(), 3.0, audio=Audio("speech")),
                near.call(far.uri(), 1.0, audio=Audio(str(tmp_path / "none.wav"))),
            )
            assert found.heard.likeness > 0.5, "a busy machine cuts pieces out"
            assert (other.heard.likeness, other.heard.echo_delay) == (None, None)
            assert isinstance(none, Lost)
            assert "none.wav cannot be read" in none.reason

    asyncio.run(scene())


def test_an_echo_from_afar_takes_so_much_longer(lab):
    async def echo(peer, after):
        loop = asyncio.get_running_loop()
        while True:
            data, where = await loop.sock_recvfrom(peer.rtp, 2048)
            loop.call_later(after, peer.rtp.sendto, data, where)

    async def delay(near, after):
        async with Scripted() as peer:
            call = near.place(peer.uri, 2.0, audio=Audio(hear="echo"))
            peer.accept(await peer.receive("INVITE"))
            echoing = asyncio.ensure_future(echo(peer, after))
            peer.answer(await peer.receive("BYE"), 200)
            ended = await near.end(call)
            echoing.cancel()
            await asyncio.sleep(after)
            assert ended.heard.two_way
            return ended.heard.echo_delay - after

    async def scene(near, far):
        for over in await asyncio.gather(delay(near, 0.1), delay(near, 0.4)):
            # What the wire does not take is frames and the jitter buffer, and what a busy machine skips.
            assert -0.05 <= over <= 0.15

    lab.run(scene)


def test_loss_is_counted_with_its_bursts(lab):
    gone, twice, late = {20, 21, 22, 40, 41, 42, 43, 44}, {30, 50}, {60: 61, 61: 60}

    async def scene(near, far):
        async with Scripted() as peer:
            call = near.place(peer.uri, 1.8)
            invite = await peer.receive("INVITE")
            peer.accept(invite)
            await peer.receive("ACK")
            for number in (late.get(n, n) for n in range(70)):
                packet = Packet(0, number, number * 160, 7, b"\xff" * 160).encode()
                for _ in range((number not in gone) + (number in twice)):
                    peer.rtp.sendto(packet, media_of(invite))
                await asyncio.sleep(0.02)
            peer.answer(await peer.receive("BYE"), 200)
            rtp = (await near.end(call)).rtp
            assert (rtp.lost, rtp.duplicated, rtp.reordered) == (8, 2, 1)
            share = 8 / (rtp.received + 8)
            assert rtp.loss_share == pytest.approx(share)
            assert rtp.burst_ratio == pytest.approx(3.0 * (1 - share)), (
                "runs of 3 and 5, and one that closed again"
            )
            assert (rtp.far_lost, rtp.far_loss_share, rtp.rtt) == (None, None, None)

    lab.run(scene)


def test_no_packet_after_an_answer_is_a_false_one(lab):
    async def scene(near, far):
        async with Scripted() as peer:
            call = near.place(peer.uri, 1.5)
            peer.accept(await peer.receive("INVITE"))
            bye = await peer.receive("BYE")
            ended = await near.end(call)
            peer.answer(bye, 200)
            assert (ended.heard.false_answer, ended.heard.two_way) == (True, False)
            assert (ended.rtp.received, ended.rtp.loss_share, ended.rtp.jitter) == (0, None, None)
            assert ended.rtp.buffer_delay is None
            assert ended.post_bye_delay is None, "nobody answers the BYE"

    lab.run(scene)


# ---- transports, codecs, encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, chain = folder / "key.pem", folder / "chain.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", f"subjectAltName=IP:{HOST}", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return Tls(str(chain), True, str(chain), str(key))


def test_calls_go_over_tcp_and_tls_alike_with_srtp_where_asked_for(certificate):
    every = Endpoint(transports=("udp", "tcp", "tls"), tls=certificate)

    async def scene():
        secured = Identity("secured", f"sip:{HOST}", srtp="required")
        near_end = replace(every, identities=(secured,))
        async with pair(replace(every, answers=Answers()), near_end) as (far, near):
            calls = [near.call(far.uri(name), 0.8, identity=None) for name in ("tcp", "tls")]
            calls.append(near.call(far.uri("tls"), 0.8, identity="secured"))
            tcp, tls, srtp = await asyncio.gather(*calls)
            for ended, name in ((tcp, "TCP"), (tls, "TLS"), (srtp, "TLS")):
                assert ended.heard is not None, ended
                assert ended.heard.two_way
                assert f"sent to {name} {HOST}:" in ended.trace
            assert "RTP/SAVP" not in tls.trace
            assert "RTP/SAVP 0" in srtp.trace
            assert len(re.findall(r"inline:\*\*\*", srtp.trace)) == len(re.findall("inline:", srtp.trace)) > 1

    asyncio.run(scene())


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate):
    wary = Endpoint(transports=("tls",), tls=Tls(ca_file="/dev/null"))

    async def scene():
        async with (
            Running(Endpoint(transports=("tls",), tls=certificate, answers=Answers())) as far,
            Running(wary) as near,
        ):
            ended = await near.call(far.uri("tls"), 0.5)
            assert ended.heard is None
            (response,) = near.responses(1)
            assert (response.status, response.local) == (503, True)

    asyncio.run(scene())


def test_srtp_that_is_required_fails_where_there_is_none():
    async def scene():
        identity = Identity("secured", f"sip:{HOST}", srtp="required")
        async with Running(Endpoint(identities=(identity,))) as near, Scripted() as peer:
            call = near.place(peer.uri, 1.0, identity="secured")
            peer.accept(await peer.receive("INVITE"))
            peer.answer(await peer.receive("BYE"), 200)
            assert (await near.end(call)).rtp is None

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (Endpoint("::1"), "pjsua2's wheel has no IPv6"),
        (Endpoint(transports=("sctp",)), "there is no transport 'sctp'; there are udp, tcp and tls"),
        (Endpoint(codecs=("AMR",)), "there is no codec AMR; there are PCMU,"),
    ],
    ids=["IPv6", "transport", "codec"],
)
def test_what_the_wheel_cannot_do_is_said_at_the_start(settings, reason, capfd):
    async def scene():
        with pytest.raises(AssertionError, match="the worker ended with 1"):
            await Running(settings).__aenter__()

    asyncio.run(scene())
    assert reason in capfd.readouterr().err


def test_each_call_has_its_codecs():
    async def scene():
        far_end = Endpoint(answers=Answers(), codecs=("PCMU", "PCMA", "G722"))
        async with pair(far_end) as (far, near):
            wanted = [("PCMA",), ("G722", "PCMU"), None]
            calls = [near.call(far.uri(), 0.8, codecs=codecs) for codecs in wanted]
            calls.append(near.call(far.uri(), codecs=("Opus",)))
            *ended, lost = await asyncio.gather(*calls)
            assert [e.codec for e in ended] == ["PCMA", "G722", "PCMU"]
            assert all(e.heard.echo_delay is not None for e in ended)
            assert "there is no codec Opus; there are PCMU, PCMA, G722, " in lost.reason

    asyncio.run(scene())


def test_rtp_uses_the_ports_it_is_given():
    async def scene():
        async with pair(ECHO, Endpoint(rtp_ports=(31200, 40))) as (far, near):
            ended = await near.call(far.uri(), 0.3)
            assert 31200 <= int(re.search(r"m=audio (\d+)", ended.trace)[1]) < 31240

    asyncio.run(scene())


# ---- identities


def digest(message, header):
    """Whether the digest in a request is that of our password (RFC 2617)."""
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', message.first(header)))

    def md5(*parts):
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    asked = md5(message.method, given["uri"])
    return given["username"] == "alice" and given["response"] in {
        md5(md5("alice", given["realm"], PASSWORD), given["nonce"], asked),
        md5(
            md5("alice", given["realm"], PASSWORD),
            given["nonce"],
            "00000001",
            given.get("cnonce", ""),
            "auth",
            asked,
        ),
    }


CHALLENGE = 'Digest realm="here", nonce="abc", algorithm=MD5, qop="auth"'


def test_a_trunk_registers_with_its_password_and_takes_it_back():
    async def scene():
        async with Scripted() as peer:
            identity = trunk(f"sip:{HOST}:{peer.port}", register=True)
            starting = Running(Endpoint(identities=(identity,)))
            started = asyncio.ensure_future(starting.__aenter__())
            peer.answer(await peer.receive("REGISTER"), 401, [("WWW-Authenticate", CHALLENGE)])
            request = await peer.receive("REGISTER", lambda message: message.first("authorization"))
            assert digest(request, "authorization")
            assert "<sip:alice@" in request.first("to")
            contact = request.first("contact")
            peer.answer(request, 200, [("Contact", f"{contact};expires=300")])
            near = await started
            assert (await near.wait(Registered)).status == 200
            assert PASSWORD not in repr(near.messages)
            line = Path(f"/proc/{near.process.pid}/cmdline")
            assert not line.exists() or PASSWORD not in line.read_text()
            closing = asyncio.ensure_future(starting.__aexit__())
            last = await peer.receive("REGISTER", lambda message: message.first("expires") == "0")
            peer.answer(last, 200)
            await closing
            assert starting.code == 0

    asyncio.run(scene())


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_is_met_and_leaves_no_credentials_in_the_trace(status):
    ask, give = {
        401: ("WWW-Authenticate", "authorization"),
        407: ("Proxy-Authenticate", "proxy-authorization"),
    }[status]

    async def scene():
        async with Scripted() as peer:
            identity = trunk(f"sip:{HOST}:{peer.port}", caller_id="+12025550199")
            async with Running(Endpoint(identities=(identity,))) as near:
                call = near.place(peer.uri, 0.3, identity="atlantic", headers=(("X-Test", "7"),))
                first = await peer.receive("INVITE")
                assert first.first("p-asserted-identity") == f"<sip:+12025550199@{HOST}>"
                assert first.first("from").startswith(f"<sip:+12025550199@{HOST}>")
                assert first.first("x-test") == "7"
                peer.answer(first, status, [(ask, CHALLENGE)])
                second = await peer.receive("INVITE", lambda message: message.first(give))
                assert digest(second, give)
                peer.accept(second)
                peer.answer(await peer.receive("BYE"), 200)
                ended = await near.end(call)
                assert [r.status for r in near.responses(call) if r.status > 100] == [200]
                assert re.search(rf"{give}: \*\*\*\n", ended.trace, re.IGNORECASE)
                assert "response=" not in ended.trace
                # Nobody takes the password: then the challenge is the answer.
                call = near.place(peer.uri, 0.3, identity="atlantic")
                for _ in range(4):
                    fresh = f'Digest realm="here", nonce="{_}", algorithm=MD5'
                    peer.answer(await peer.receive("INVITE"), status, [(ask, fresh)])
                    await peer.receive("ACK")
                assert (await near.end(call)).hung_up_by is None
                assert [(r.status, r.local) for r in near.responses(call)] == [(status, False)]

    asyncio.run(scene())


def test_the_caller_id_can_be_in_from_alone_and_timers_be_asked_for():
    async def scene():
        async with Scripted() as peer:
            identity = Identity(
                "boreal",
                f"sip:{HOST}:{peer.port}",
                caller_id="+12025550198",
                caller_id_by="from",
                session_timer=120.0,
            )
            async with Running(Endpoint(identities=(identity,))) as near:
                near.place(peer.uri, identity="boreal")
                invite = await peer.receive("INVITE")
                assert invite.first("from").startswith(f"<sip:+12025550198@{HOST}>")
                assert invite.first("p-asserted-identity") == ""
                assert invite.first("session-expires").startswith("120")
                peer.answer(invite, 404)
                bad = await near.call(peer.uri, headers=(("X-Test", "a\r\nEvil: b"),))
                assert "line break" in bad.reason
                assert "no identity 'austral'" in (await near.call(peer.uri, identity="austral")).reason

    asyncio.run(scene())


# ---- what far ends do


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (302, [("Contact", "<sip:elsewhere@127.0.0.1:9>")], ("<sip:elsewhere@127.0.0.1:9>", None)),
        (486, [("Reason", 'SIP;cause=486, Q.850 ;text="busy";cause=17')], (None, 17)),
        (404, [("Reason", "Q.850;cause=1")], (None, 1)),
        (503, [], (None, None)),
    ],
)
def test_a_refusal_is_told_with_its_contact_and_cause(lab, status, headers, told):
    async def scene(near, far):
        async with Scripted() as peer:
            call = near.place(peer.uri)
            peer.answer(await peer.receive("INVITE"), status, headers)
            ended = await near.end(call)
            (response,) = near.responses(call)
            assert (response.status, response.contact, response.q850) == (status, *told)
            assert not response.local
            assert (ended.q850, ended.heard, ended.rtp) == (told[1], None, None)
            assert ended.trace.count("INVITE sip:") == 1, "a redirect is not followed"

    lab.run(scene)


def test_an_answer_that_is_no_utf_8_is_read_all_the_same(lab):
    async def scene(near, far):
        async with Scripted() as peer:
            call = near.place(peer.uri)
            invite = await peer.receive("INVITE")
            answer = sip.response(
                invite, 486, peer.peer, "far", [("Reason", "Q.850;cause=17"), ("X-Test", "?")]
            )
            peer.sip.sendto(
                answer.replace(b"Busy Here", b"\xff\xfe busy").replace(b"?", b"\xed\xa0\x80"), peer.peer
            )
            ended = await near.end(call)
            (response,) = near.responses(call)
            assert (response.status, response.q850) == (486, 17)
            for text in (response.reason, ended.trace):
                assert "busy" in text
                text.encode()

    lab.run(scene)


def test_a_far_end_refuses_after_ringing_or_sounds_before_it_answers():
    async def scene():
        async with pair(Endpoint(answers=Answers(ring=0.3, status=480))) as (far, near):
            call = near.place(far.uri())
            await near.end(call)
            assert [r.status for r in near.responses(call)] == [100, 180, 480]
        async with pair(Endpoint(answers=Answers(ring=0.6, early=True))) as (far, near):
            call = near.place(far.uri(), 0.8)
            ended = await near.end(call)
            assert [(r.status, r.early_media) for r in near.responses(call)][1:] == [
                (183, True),
                (200, False),
            ]
            assert ended.heard.first_sound <= 0.1, "it has been heard all along"

    asyncio.run(scene())


def test_media_may_move_and_the_far_end_may_hang_up(lab):
    async def scene(near, far):
        async with Scripted() as peer, Scripted() as other:
            call = near.place(peer.uri, 30.0)
            invite = await peer.receive("INVITE")
            peer.accept(invite)
            await peer.receive("ACK")
            await asyncio.sleep(0.5)
            peer.request("INVITE", invite, 1, peer.sdp(other.rtp.getsockname()[1]))
            assert (await peer.answered("INVITE")).status == 200
            peer.request("ACK", invite, 1)
            data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(other.rtp, 2048), SOON)
            assert decode(data).payload_type == 0
            await asyncio.sleep(0.5)
            peer.request("BYE", invite, 2, headers=[("Reason", "Q.850;cause=31")])
            assert (await peer.answered("BYE")).status == 200
            ended = await near.end(call)
            assert (ended.hung_up_by, ended.q850) == ("far", 31)
            assert ended.rtp.sent >= 40, "both streams count"

    lab.run(scene)


def test_a_worker_shows_that_it_lives_and_times_its_pings(lab):
    async def scene(near, far):
        async with Scripted() as peer:
            near.process.tell(Beat())
            assert (await near.wait(Alive)).at > 0
            near.process.tell(Ping(1, peer.uri))
            request = await peer.receive("OPTIONS")
            await asyncio.sleep(0.2)
            peer.answer(request, 200)
            pinged = await near.wait(Pinged)
            assert pinged.status == 200
            assert 0.2 <= pinged.rtt < 2.0

    lab.run(scene)
