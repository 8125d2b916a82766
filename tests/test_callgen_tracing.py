"""The SIP trace of a call: whole, in order, and without secrets."""

from __future__ import annotations

import pytest

from callgen import sip
from callgen.endpoint import tracing
from callgen.endpoint.tracing import Traces, blanked, q850


def message(start, call_id="a", cseq="1 INVITE", more=""):
    head = f"{start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
    return f"{head}Call-ID: {call_id}\r\nCSeq: {cseq}\r\n{more}Content-Length: 0\r\n\r\n"


def logged(text, way="TX", peer="UDP 192.0.2.1:5060"):
    to = "to" if way == "TX" else "from"
    return f"{way} {len(text)} bytes Request msg INVITE/cseq=1 (tdta0x55) {to} {peer}:\n{text}\n--end msg--"


def test_a_trace_has_each_message_with_its_time_and_peer():
    traces = Traces()
    traces.log("Call 0: initializing media..", 9.0)
    traces.log(logged(message("INVITE sip:b@h SIP/2.0")), 10.0)
    traces.log(logged(message("INVITE sip:c@h SIP/2.0", "b")), 10.5)
    traces.log(logged(message("SIP/2.0 100 Trying"), "RX"), 10.25)
    assert traces.began("a") == 10.0
    first, second = traces.take("a").split("\n--- ")
    assert first.startswith("--- 0.000 s, sent to UDP 192.0.2.1:5060\nINVITE sip:b@h SIP/2.0\nVia: ")
    assert second.startswith("0.250 s, received from UDP 192.0.2.1:5060\nSIP/2.0 100 Trying\n")
    assert "end msg" not in second
    assert (traces.take("a"), traces.began("a")) == (None, None)
    assert "sip:c@h" in traces.take("b")


def test_a_bye_is_answered_by_a_final_response_of_the_far_end():
    traces = Traces()
    for at, (text, way) in enumerate(
        [
            (message("SIP/2.0 200 OK"), "RX"),
            (message("BYE sip:b@h SIP/2.0", cseq="2 BYE"), "TX"),
            (message("SIP/2.0 100 Trying", cseq="2 BYE"), "RX"),
            (message("SIP/2.0 200 OK", cseq="7 BYE"), "TX"),
        ]
    ):
        traces.log(logged(text, way), float(at))
        assert traces.bye_answered("a") is None
    traces.log(logged(message("SIP/2.0 481 Gone", cseq="2 BYE"), "RX"), 9.0)
    assert traces.bye_answered("a") == 9.0


def test_what_belongs_to_no_call_is_not_kept():
    traces = Traces()
    traces.log(logged(message("OPTIONS sip:b@h SIP/2.0", cseq="1 OPTIONS")), 0.0)
    traces.log(logged(message("REGISTER sip:h SIP/2.0", cseq="1 REGISTER")), 0.0)
    traces.log(logged("garbage"), 0.0)
    assert traces.take("a") is None


def test_a_flood_is_kept_within_bounds():
    traces = Traces()
    for number in range(3 * tracing.CALLS):
        traces.log(logged(message("INVITE sip:b@h SIP/2.0", f"call{number}")), 0.0)
    assert traces.take("call0") is None
    last = f"call{3 * tracing.CALLS - 1}"
    for _ in range(3 * tracing.MESSAGES):
        traces.log(logged(message("SIP/2.0 180 Ringing", last), "RX"), 1.0)
    traces.log(logged(message("BYE sip:b@h SIP/2.0", last, "2 BYE")), 2.0)
    first, *_, end = kept = traces.take(last).split("\n--- ")
    assert len(kept) == tracing.MESSAGES
    assert "INVITE sip:b@h" in first
    assert "BYE sip:b@h" in end


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            'Via: x\nAuthorization: Digest username="alice",\n response="5ecret"\nTo: y',
            "Via: x\nAuthorization: ***\nTo: y",
        ),
        ('proxy-authorization : Digest response="5ecret"', "proxy-authorization : ***"),
        ("INVITE sip:alice:5ecret@h SIP/2.0", "INVITE sip:alice:***@h SIP/2.0"),
        (
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ecret+/=|2^31",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^31",
        ),
        ('WWW-Authenticate: Digest nonce="n"', 'WWW-Authenticate: Digest nonce="n"'),
        ("Contact: <sip:a@h:5060>, <sip:b@h>", "Contact: <sip:a@h:5060>, <sip:b@h>"),
    ],
)
def test_secrets_are_blanked_and_nothing_else(text, left):
    assert blanked(text) == left


@pytest.mark.parametrize(
    ("reasons", "cause"),
    [
        (["Q.850;cause=16"], 16),
        (['Q.850 ; text="Normal, or not" ; cause = 31'], 31),
        (["SIP;cause=200", "q.850;cause=17"], 17),
        (['SIP;cause=480;text="x", Q.850;cause=19'], 19),
        (["SIP;cause=200"], None),
        (["Q.850;cause=99999"], None),
        ([], None),
    ],
)
def test_the_cause_of_q850_is_found(reasons, cause):
    lines = "".join(f"Reason: {reason}\r\n" for reason in reasons)
    assert q850(sip.parse(message("BYE sip:b@h SIP/2.0", more=lines).encode())) == cause
    assert q850(None) is None
