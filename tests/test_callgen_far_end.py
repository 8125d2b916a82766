"""A lab's carrier, called by plain sockets: what it answers, well or in a fault."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from lab_caller import ALMOST_SURE, EVENTS, HOST, LONG_ENOUGH, by_port, carrier, runs
from scipy import stats

from callgen import sip
from callgen.lab import lab
from callgen.lab.impairment import LabFault
from callgen.lab.lab import conduct_of
from callgen.messages import Answers
from carriers.faults import EFFECTS, Kind

# ---- answering


def test_it_rings_answers_and_takes_the_callers_bye():
    async def scene():
        async with carrier(answers=Answers(ring=0.2)) as far, by_port(far) as caller:
            caller.invite()
            assert (await caller.message()).status == 100
            at = asyncio.get_running_loop().time()
            assert (await caller.message()).status == 180
            assert await caller.statuses() == [200]
            assert asyncio.get_running_loop().time() - at >= 0.19
            assert await caller.status_of("OPTIONS", number=2) == 200
            assert await caller.status_of("BYE", number=3) == 200
            assert await caller.status_of("BYE", number=4) == 481

    runs(scene)


def test_it_repeats_its_200_until_the_ack_and_answers_what_comes_twice():
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            caller.invite()
            while (await caller.message()).status != 200:
                pass
            caller.invite()
            assert (await caller.message()).status == 200, "not a second call"
            assert await caller.statuses() == [200], "which comes by itself"
            await asyncio.sleep(0.6)
            assert await caller.hears_nothing()

    runs(scene)


def test_it_hangs_up_after_its_time_along_the_callers_route():
    async def scene():
        async with carrier(answers=Answers(talk=0.2)) as far, by_port(far) as caller:
            assert (await caller.call())[-1] == 200
            bye = await caller.message()
            assert bye.start == f"BYE sip:caller@{HOST}:{caller.sip.port} SIP/2.0"
            assert (bye.first("route"), bye.first("call-id")) == ("<sip:127.0.0.9;lr>", str(caller.id))
            assert bye.first("reason").startswith("Q.850;cause=16")
            assert bye.first("from").endswith(caller.to_tag)
            caller.sip.transport.sendto(sip.response(bye, 200, caller.to, ""), caller.to)
            await asyncio.sleep(0.6)
            assert await caller.hears_nothing()

    runs(scene)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (Answers(status=486), [100, 180, 486]),
        (Answers(status=603, early=True), [100, 183, 603]),
    ],
)
def test_it_refuses_with_what_it_is_told(answers, expected):
    async def scene():
        async with carrier(answers=answers) as far, by_port(far) as caller:
            assert await caller.call() == expected

    runs(scene)


def test_early_media_come_before_the_answer():
    async def scene():
        async with (
            carrier(answers=Answers(ring=0.3, early=True, plays="tone")) as far,
            by_port(far) as caller,
        ):
            caller.invite()
            while (message := await caller.message()).status != 183:
                pass
            assert "m=audio" in message.body
            await caller.rtp.next()
            assert (await caller.statuses()) == [200]

    runs(scene)


def test_a_call_can_be_cancelled_while_it_rings():
    async def scene():
        async with carrier(answers=Answers(ring=60.0)) as far, by_port(far) as caller:
            caller.invite()
            while (await caller.message()).status != 180:
                pass
            caller.send("CANCEL", branch=f"INVITE1x{caller.id}")
            ends = {(m.method, m.status) for m in (await caller.message(), await caller.message())}
            assert ends == {("CANCEL", 200), ("INVITE", 487)}

    runs(scene)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 488),
        ("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 0\r\n", 488),
        ("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio\r\n", 488),
        ("v=0\r\nc=IN IP6 ::1\r\nm=audio 4000 RTP/AVP 0\r\n", 488),
        ("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\n", 200),
    ],
)
def test_an_offer_is_taken_or_not(body, status):
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            caller.send("INVITE", body=body)
            while (message := await caller.message()).status < 200:
                pass
            assert message.status == status
            if "video" in body:
                assert "m=video 0 RTP/AVP 96" in message.body

    runs(scene)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00" * 2000,
        b"INVITE\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nVia: \xff\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: x\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"BYE sip:x SIP/2.0\r\nVia: x\r\nFrom: a\r\nTo: b;tag=1\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n",
    ],
)
def test_nonsense_does_it_no_harm(data):
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            caller.sip.transport.sendto(data, caller.to)
            await asyncio.sleep(0.01)
            caller.sip.all()
            assert (await caller.call())[-1] == 200
            for port in (caller.far_rtp, caller.far_rtcp):
                caller.rtp.transport.sendto(data, (HOST, port))
                caller.rtp.transport.sendto(b"\x9f\xc8" + data, (HOST, port))
            assert await caller.status_of("BYE", number=2) == 200

    runs(scene)


def test_a_reinvite_moves_the_media():
    async def scene():
        async with carrier() as far, by_port(far) as caller, by_port(far) as other:
            await caller.call()
            caller.send("INVITE", number=2, body=other.offer())
            assert (await caller.message()).status == 200
            other.rtp.all()
            await other.rtp.next()

    runs(scene)


# ---- media


def test_an_echo_comes_back_in_order_with_silence_for_what_was_lost():
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            await caller.call()
            await caller.talk(12, marks={5})
            await asyncio.sleep(0.15)
            packets = [packet for _, packet in caller.heard()]
            assert np.all(np.diff([p.sequence for p in packets]) == 1)
            assert np.all(np.diff([p.timestamp for p in packets]) == 160)
            said = [int.from_bytes(p.payload[:2]) for p in packets if p.payload != b"\xff" * 160]
            assert said == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
            first = next(n for n, p in enumerate(packets) if p.payload[:2] == b"\0\0")
            assert packets[first + 5].payload == b"\xff" * 160

    runs(scene)


def test_digits_come_back():
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            await caller.call()
            for duration in (160, 320, 480):
                caller.say(bytes([7, 10]) + duration.to_bytes(2), EVENTS, timestamp=8000)
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.15)
            events = [packet for _, packet in caller.heard() if packet.payload_type == EVENTS]
            assert [p.payload[0] for p in events] == [7, 7, 7]
            assert len({p.timestamp for p in events}) == 1, "one digit"

    runs(scene)


@pytest.mark.parametrize(("codecs", "kind"), [("0", 0), ("9 8 0", 8)])
def test_a_tone_is_played_in_a_codec_that_both_have(codecs, kind):
    async def scene():
        answers = Answers(plays="tone")
        async with carrier(answers=answers) as far, by_port(far, codecs=codecs) as caller:
            await caller.call()
            await asyncio.sleep(0.2)
            packets = [packet for _, packet in caller.heard()]
            assert len(packets) >= 5
            assert {p.payload_type for p in packets} == {kind}
            assert len({p.payload for p in packets}) > 3

    runs(scene)


def test_its_reports_tell_what_it_received_and_the_round_trip():
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            await caller.call()
            assert (await caller.report())[1] is None, "it has received nothing"
            await caller.talk(10, marks={3, 4})
            await asyncio.sleep(0.02)
            _, block = await caller.report()
            assert (block["source"], block["lost"], block["highest"]) == (caller.id, 2, 9)
            assert block["fraction"] == 2 * 256 // 10
            assert block["last_report"] != 0
            assert block["since"] < 0.1

    runs(scene)


# ---- faults of signalling

FAULTS = [
    (LabFault("silent"), [], None),
    (LabFault("trying_only"), [100], 200),
    (LabFault("refuses", status=486), [486], 200),
    (LabFault("refuses", share=0.0), [100, 180, 200], 200),
    (LabFault("maintenance"), [503], 503),
    (LabFault("capacity", channels=0), [503], 200),
    (LabFault("one_way"), [100, 180, 200], 200),
]


@pytest.mark.parametrize(("fault", "invite", "options"), FAULTS)
def test_a_fault_answers_what_the_table_says(fault, invite, options):
    async def scene():
        async with carrier(fault) as far, by_port(far) as caller:
            caller.invite()
            await asyncio.sleep(LONG_ENOUGH)
            assert [sip.parse(data).status for _, data in caller.sip.all()] == invite
            caller.send("OPTIONS", number=2)
            await asyncio.sleep(LONG_ENOUGH / 3)
            found = [sip.parse(data) for _, data in caller.sip.all()]
            statuses = [message.status for message in found if message.method == "OPTIONS"]
            assert statuses == ([] if options is None else [options])

    runs(scene)


def test_every_kind_of_fault_has_its_row_in_the_table():
    assert set(lab.ROWS.values()) == set(EFFECTS) - {Kind.CONGESTION}


def test_what_was_said_100_to_can_be_cancelled():
    async def scene():
        async with carrier(LabFault("trying_only")) as far, by_port(far) as caller:
            caller.invite()
            assert (await caller.message()).status == 100
            caller.send("CANCEL", branch=f"INVITE1x{caller.id}")
            ends = {(m.method, m.status) for m in (await caller.message(), await caller.message())}
            assert ends == {("CANCEL", 200), ("INVITE", 487)}

    runs(scene)


def test_a_share_of_the_calls_is_refused():
    async def scene():
        fault = LabFault("refuses", share=0.3)
        async with carrier(fault) as far:
            refused = 0
            async with by_port(far) as caller:
                for _ in range(200):
                    caller.id += 10_000
                    caller.to_tag = ""
                    refused += (await caller.call())[-1] == 503
                    caller.sip.all()
        low, high = stats.binomtest(refused, 200).proportion_ci(ALMOST_SURE)
        assert low <= 0.3 <= high

    runs(scene)


def test_a_slow_carrier_rings_late():
    async def scene():
        async with carrier(LabFault("slow", post_dial_delay=(0.4,))) as far, by_port(far) as caller:
            start = asyncio.get_running_loop().time()
            caller.invite()
            assert (await caller.message()).status == 100
            assert asyncio.get_running_loop().time() - start < 0.4
            assert (await caller.message()).status == 180
            assert asyncio.get_running_loop().time() - start >= 0.4

    runs(scene)


def test_calls_beyond_its_channels_are_refused_until_one_ends():
    async def scene():
        async with carrier(channels=1) as far, by_port(far) as first, by_port(far) as second:
            assert (await first.call())[-1] == 200
            assert (await second.call())[-1] == 503
            await first.status_of("BYE", number=2)
            second.id += 10_000
            second.to_tag = ""
            assert (await second.call())[-1] == 200

    runs(scene)


def test_a_silent_carrier_loses_the_calls_in_progress_for_good():
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            await caller.call()
            await caller.rtp.next()
            far.behave(conduct_of(LabFault("silent")))
            await asyncio.sleep(0.02)
            caller.rtp.all()
            caller.send("BYE", number=2)
            assert await caller.hears_nothing()
            assert not caller.rtp.all()
            far.behave(conduct_of(None))
            assert await caller.status_of("BYE", number=3) == 481

    runs(scene)


def test_a_fault_of_setup_leaves_the_calls_in_progress():
    async def scene():
        async with carrier() as far, by_port(far) as caller:
            await caller.call()
            far.behave(conduct_of(LabFault("maintenance")))
            caller.rtp.all()
            await caller.rtp.next()
            assert await caller.status_of("BYE", number=2) == 200

    runs(scene)


def test_a_far_end_that_hangs_up():
    async def scene():
        async with carrier(LabFault("hang_up", after=0.2)) as far, by_port(far) as caller:
            await caller.call()
            start = asyncio.get_running_loop().time()
            assert (await caller.message()).method == "BYE"
            assert asyncio.get_running_loop().time() - start == pytest.approx(0.2, abs=0.1)

    runs(scene)
