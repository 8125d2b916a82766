"""Packets, offers and sounds of a lab's carrier, without sockets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_caller import HOST

from callgen.lab import rtp, sdp
from callgen.lab.far_sound import FRAME, QUIET, a_law, frames, mu_law


def test_a_sequence_that_wraps_loses_nothing():
    reception = rtp.Reception(source=1, clock_rate=8000)
    for number in (65534, 65535, 0, 2, 1, 3):
        reception.hear(rtp.Packet(0, number, number * 160, 1, b""), now=0.0)
    assert (reception.expected, reception.received, reception.lost) == (6, 6, 0)


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (bytes([0x80, 0, 0, 1]) + bytes(8) + b"speech", b"speech"),
        (bytes([0x81, 0, 0, 1]) + bytes(8) + bytes(4) + b"speech", b"speech"),
        (bytes([0x90, 0, 0, 1]) + bytes(8) + bytes([0, 0, 0, 1]) + bytes(4) + b"speech", b"speech"),
        (bytes([0xA0, 0, 0, 1]) + bytes(8) + b"speech\0\2", b"speech"),
        (bytes([0xA0, 0, 0, 1]) + bytes(8) + b"\xff", None),
        (bytes([0x40, 0, 0, 1]) + bytes(8) + b"speech", None),
        (b"\x80", None),
    ],
)
def test_rtp_headers_of_all_kinds_are_read(data, payload):
    packet = rtp.decode(data)
    assert (packet.payload if packet else None) == payload


def test_the_callers_order_of_codecs_holds():
    offer = sdp.read("c=IN IP4 127.0.0.1\r\nm=audio 4 RTP/AVP 9 96 0\r\na=rtpmap:96 iLBC/8000\r\n")
    assert [codec.name for codec in offer.codecs] == ["G722", "ILBC", "PCMU"]
    assert (offer.rtp, offer.rtcp) == ((HOST, 4), (HOST, 5))


PARTS = st.sampled_from(
    [
        *(
            "v=0",
            "c=IN IP4 127.0.0.1",
            "c=IN IP4 999.1.1.1",
            "m=audio 4000 RTP/AVP 0 x 99 101",
            "m=audio",
            "m=",
        ),
        *("m=audio 99999 RTP/AVP 0", "m=video 1 RTP/AVP 9", "a=rtcp:0", "a=rtcp:70000", "a=rtcp:5 IN IP4 .."),
        *("a=rtpmap:99 x/0", "a=rtpmap:99 x", "a=rtpmap:101 telephone-event/8000", "a=ptime:0", "a=ptime:30"),
    ]
)


@given(st.lists(PARTS, max_size=12))
def test_an_offer_that_is_read_can_be_met(lines):
    offer = sdp.read("\r\n".join(lines))
    if offer is not None:
        assert all(0 < port < 65536 for _, port in (offer.rtp, offer.rtcp))
        assert all(codec.clock_rate >= 1000 for codec in offer.codecs)
        if offer.codecs:
            answer = sdp.read(sdp.answer(offer, offer.codecs[0], HOST, 4000, 4001))
            assert (answer.codecs, answer.rtcp) == (offer.codecs[:1], (HOST, 4001))


@pytest.mark.parametrize(
    ("law", "codes"),
    [(mu_law, {0: 0xFF, 32767: 0x80, -32768: 0x00}), (a_law, {0: 0xD5, 32767: 0xAA, -32768: 0x2A})],
)
def test_g711_is_coded_as_its_tables_have_it(law, codes):
    assert list(law(np.array(list(codes), np.int32))) == list(codes.values())
    # Two zeros and 254 more steps, of which each is met on the way from end to end.
    every = law(np.arange(-32768, 32768, dtype=np.int32))
    assert len(set(every)) == 256
    assert (np.diff(every.astype(int)) != 0).sum() == 255


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_a_sound_is_cut_into_whole_packets(codec):
    assert frames("silence", codec) == (QUIET[codec],) * 50
    assert {len(packet) for packet in frames("tone", codec)} == {FRAME}
