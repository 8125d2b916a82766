"""Answers that no SIP element should send, each with what a caller should make of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from callgen import sip

HOST = "127.0.0.1"
PORT = b"PORT"
"""Stands in an answer for the port of who sends it."""
RTP_PORT = 9
"""Discard: what is sent there goes nowhere."""
LONG = "x" * 60_000
SDP = (
    f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
    f"m=audio {RTP_PORT} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


@dataclass(frozen=True)
class Request:
    """A request that is to be answered, by whom."""

    message: sip.Message
    peer: tuple[str, int]
    port: int

    def answer(self, status: int = 200, *headers: tuple[str, str], body: str | None = None) -> bytes:
        """Make a good answer, in a dialog that begins with it."""
        contact = ("Contact", f"<sip:{HOST}:{self.port}>")
        if body is None:
            body = SDP if status == 200 and self.message.method == "INVITE" else ""
        return sip.response(self.message, status, self.peer, "far", [contact, *headers], body)

    def request(self, method: str) -> bytes:
        """Make a request of the far end that belongs to the call."""
        lines = [
            f"{method} sip:{self.peer[0]}:{self.peer[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{method}",
            f"From: {self.message.first('to')};tag=far",
            f"To: {self.message.first('from')}",
            f"Call-ID: {self.message.first('call-id')}",
            f"CSeq: 1 {method}",
            "Max-Forwards: 70",
        ]
        return sip.finished(lines, [], "")


Hostile = Callable[[Request], list[bytes]]


def answers(name: str, request: Request) -> list[bytes]:
    """Make the datagrams of an answer."""
    return [data.replace(PORT, str(request.port).encode()) for data in ANSWERS[name](request)]


def start(line: str) -> Hostile:
    """Give the 200 another first line."""
    return lambda request: [re.sub(rb"^[^\r]*", lambda _: line.encode("latin-1"), request.answer())]


def header(name: str, *lines: str, status: int = 200) -> Hostile:
    """Put other lines in the place of a header's, or none."""
    put = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
    pattern = re.compile(rf"^{name}:[^\r]*\r\n".encode(), re.MULTILINE)

    def made(request: Request) -> list[bytes]:
        data = request.answer(status)
        assert pattern.search(data)
        return [pattern.sub(lambda _: put, data)]

    return made


def added(name: str, value: str, status: int = 200, times: int = 1) -> Hostile:
    """Add a header, or many of it."""
    return lambda request: [request.answer(status, *[(name, value)] * times)]


def body(text: str) -> Hostile:
    """Give the 200 another body, with the right length."""
    return lambda request: [request.answer(body=text)]


def sdp(old: str, new: str) -> Hostile:
    """Change the session description of the 200."""
    assert old in SDP
    return body(SDP.replace(old, new))


def raw(*datagrams: bytes) -> Hostile:
    """Send just these."""
    return lambda _: list(datagrams)


def whole(change: Callable[[bytes], bytes]) -> Hostile:
    """Change the 200 as a whole."""
    return lambda request: [change(request.answer())]


AUDIO = f"m=audio {RTP_PORT} RTP/AVP 0\r\n"
ADDRESS = f"c=IN IP4 {HOST}\r\n"
DIGEST = 'Digest realm="r", nonce="n", algorithm=MD5'
NO_SIP: dict[str, Hostile] = {
    "nothing": raw(b""),
    "line ends": raw(b"\r\n\r\n\r\n\r\n"),
    "zeros": raw(b"\0" * 2000),
    "high bytes": raw(bytes(range(128, 256)) * 8),
    "STUN": raw(b"\x01\x01\x00\x00\x21\x12\xa4\x42" + b"a" * 12),
    "RTP": raw(b"\x80\x00\x00\x01" + b"\0" * 168),
    "HTTP": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "a status line alone": raw(b"SIP/2.0 200 OK\r\n\r\n"),
    "the largest datagram": raw(b"SIP/2.0 200 OK\r\nVia: " + b"a" * 65_000),
    "a tenth of it": whole(lambda data: data[: len(data) // 10]),
    "half of it": whole(lambda data: data[: len(data) // 2]),
    "a flood": raw(*[b"SIP/2.0 100 Trying\r\nVia: x\r\n\r\n"] * 100),
}
STATUS_LINES: dict[str, Hostile] = {
    "version 3": start("SIP/3.0 200 OK"),
    "no version": start("200 OK"),
    "small version": start("sip/2.0 200 OK"),
    "status 0": start("SIP/2.0 0 Zero"),
    "status 99": start("SIP/2.0 99 Low"),
    "status 299": start("SIP/2.0 299 Unheard of"),
    "status 700": start("SIP/2.0 700 High"),
    "status 999": start("SIP/2.0 999 Higher"),
    "status 2000": start("SIP/2.0 2000 Long"),
    "status -200": start("SIP/2.0 -200 Negative"),
    "status 200 + 2^32": start("SIP/2.0 4294967496 OK"),
    "status of letters": start("SIP/2.0 2OO OK"),
    "no status": start("SIP/2.0"),
    "no reason": start("SIP/2.0 200"),
    "a long reason": start("SIP/2.0 200 " + LONG[:3000]),
    "a reason of high bytes": start("SIP/2.0 200 \xff\xfe\xed\xa0\x80"),
    "a reason with a zero": start("SIP/2.0 200 O\0K"),
    "a reason of formats": start("SIP/2.0 200 %s%n%s%n%x"),
}
HEADERS: dict[str, Hostile] = {
    "no Via": header("Via"),
    "a broken Via": header("Via", "Via: SIP/2.0/UDP"),
    "another's Via": header("Via", "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKother"),
    "200 Vias": lambda request: [
        request.answer().replace(b"\r\nFrom", b"\r\n" + b"Via: SIP/2.0/UDP 127.0.0.1:9\r\n" * 200 + b"From")
    ],
    "no From": header("From"),
    "another From tag": header("From", "From: <sip:callsim@127.0.0.1>;tag=other"),
    "no To": header("To"),
    "no To tag": whole(lambda data: data.replace(b";tag=far", b"")),
    "an open quote in To": header("To", 'To: "open <sip:a@127.0.0.1>;tag=far'),
    "an open bracket in To": header("To", "To: <sip:a@127.0.0.1;tag=far"),
    "a long To tag": whole(lambda data: data.replace(b"tag=far", b"tag=" + b"f" * 3000)),
    "no Call-ID": header("Call-ID"),
    "another Call-ID": header("Call-ID", "Call-ID: other@127.0.0.1"),
    "no CSeq": header("CSeq"),
    "CSeq beyond 2^32": header("CSeq", "CSeq: 99999999999 INVITE"),
    "CSeq below 0": header("CSeq", "CSeq: -1 INVITE"),
    "CSeq of another method": header("CSeq", "CSeq: 1 BYE"),
    "CSeq without a method": header("CSeq", "CSeq: 1"),
    "no Contact": header("Contact"),
    "Contact *": header("Contact", "Contact: *"),
    "Contact of a telephone": header("Contact", "Contact: <tel:+12025550100>"),
    "Contact over TCP": header("Contact", f"Contact: <sip:{HOST}:9;transport=tcp>"),
    "Contact over TLS": header("Contact", f"Contact: <sip:{HOST}:9;transport=tls>"),
    "Contact over SCTP": header("Contact", f"Contact: <sip:{HOST}:9;transport=sctp>"),
    "Contact over nothing": header("Contact", f"Contact: <sip:{HOST}:9;transport=carrier-pigeon>"),
    "Contact of SIPS": header("Contact", f"Contact: <sips:{HOST}:9>"),
    "Contact at IPv6": header("Contact", "Contact: <sip:[::1]:9>"),
    "Contact of mail": header("Contact", "Contact: <mailto:a@b.invalid>"),
    "Contact without an end": header("Contact", "Contact: <sip:127.0.0.1:9"),
    "Contact at port 99999": header("Contact", "Contact: <sip:127.0.0.1:99999>"),
    "Contact of escapes": header("Contact", f"Contact: <sip:%00%ff%zz@{HOST}:PORT>"),
    "Content-Length -1": header("Content-Length", "Content-Length: -1"),
    "Content-Length too large": header("Content-Length", "Content-Length: 99999"),
    "Content-Length too small": header("Content-Length", "Content-Length: 5"),
    "Content-Length of letters": header("Content-Length", "Content-Length: many"),
    "Content-Length beyond 2^64": header("Content-Length", "Content-Length: 18446744073709551617"),
    "no Content-Length": header("Content-Length"),
    "a line without a colon": header("Contact", "Contact <sip:127.0.0.1:9>"),
    "a header without a name": header("Contact", ": value", "Contact: <sip:127.0.0.1:9>"),
    "one header of 3 kB": added("X-Long", LONG[:3000]),
    "one header of 60 kB": added("X-Long", LONG),
    "300 headers": added("X", "y", times=300),
    "3000 headers": added("X", "y", times=3000),
    "50 routes": added("Record-Route", f"<sip:{HOST}:PORT;lr>", times=50),
    "a route of a telephone": added("Record-Route", "<tel:+12025550100>"),
    "a route over TLS": added("Record-Route", f"<sip:{HOST}:9;transport=tls;lr>"),
    "a broken route": added("Record-Route", "<sip:127.0.0.1:9;lr"),
    "an extension that is required": added("Require", "no-such-thing"),
    "a session of 0 s": added("Session-Expires", "0;refresher=uac"),
    "a session beyond 2^32 s": added("Session-Expires", "99999999999;refresher=uas"),
    "a session of letters": added("Session-Expires", "soon"),
    "a broken Reason": added("Reason", 'Q.850;cause=;cause=99999999999;text="open', status=486),
    "a broken Retry-After": added("Retry-After", "(((((( -1 ;duration=", status=503),
    "a broken Warning": added("Warning", '399 "open', status=488),
    "lines that end in LF": whole(lambda data: data.replace(b"\r\n", b"\n")),
    "a zero in a header": added("X-Zero", "a\0b"),
    "everything folded": whole(lambda data: re.sub(rb"\r\n([A-Z][A-Za-z-]*):", rb"\r\n\1:\r\n ", data)),
}
SESSIONS: dict[str, Hostile] = {
    "no session": body(""),
    "a session of 60 kB": body(SDP + f"a=x:{LONG}\r\n"),
    "a session of high bytes": body("\udcff\udcfe".encode("utf-8", "surrogatepass").decode("latin-1") * 20),
    "v=0 alone": body("v=0\r\n"),
    "no media": body(SDP.replace(AUDIO, "")),
    "no address": body(SDP.replace(ADDRESS, "")),
    "port 0": sdp(f"audio {RTP_PORT}", "audio 0"),
    "port -1": sdp(f"audio {RTP_PORT}", "audio -1"),
    "port 99999": sdp(f"audio {RTP_PORT}", "audio 99999"),
    "500 media": body(SDP + AUDIO * 500),
    "video for audio": sdp("m=audio", "m=video"),
    "no formats": sdp("RTP/AVP 0", "RTP/AVP"),
    "format 999": sdp("RTP/AVP 0", "RTP/AVP 999"),
    "200 formats": sdp("RTP/AVP 0", "RTP/AVP " + " ".join(str(n % 128) for n in range(200))),
    "a format that was not offered": sdp("RTP/AVP 0\r\na=rtpmap:0 PCMU/8000", "RTP/AVP 18"),
    "a clock of 0": sdp("PCMU/8000", "PCMU/0"),
    "a clock beyond 2^32": sdp("PCMU/8000", "PCMU/99999999999"),
    "a packet of 0 ms": body(SDP + "a=ptime:0\r\n"),
    "a packet of 65535 ms": body(SDP + "a=ptime:65535\r\na=maxptime:65535\r\n"),
    "an address in letters": sdp(f"c=IN IP4 {HOST}", "c=IN IP4 not-an-address.invalid"),
    "an address of IPv6": sdp(f"c=IN IP4 {HOST}", "c=IN IP6 ::1"),
    "an address of nowhere": sdp(f"c=IN IP4 {HOST}", "c=IN IP4 0.0.0.0"),
    "a broken RTCP port": body(SDP + "a=rtcp:99999 IN IP4 x\r\n"),
    "a broken key": body(SDP + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short\r\n"),
    "a body of another kind": whole(lambda data: data.replace(b"application/sdp", b"text/html")),
    "a body of several parts": whole(
        lambda data: data.replace(b"application/sdp", b'multipart/mixed;boundary="b"')
    ),
}
DIALOGS: dict[str, Hostile] = {
    "a challenge without a scheme": added("WWW-Authenticate", "", status=401),
    "401 without a challenge": lambda request: [request.answer(401)],
    "100 challenges": added("Proxy-Authenticate", DIGEST, status=407, times=100),
    "a redirect to nowhere": lambda request: [sip.response(request.message, 302, request.peer, "far")],
    "100 redirects": added("Contact", f"<sip:{HOST}:9>", status=302, times=100),
    "422 without a Min-SE": lambda request: [request.answer(422)],
    "422 with a broken Min-SE": added("Min-SE", "99999999999", status=422),
    "ringing in 50 dialogs": lambda request: [
        request.answer(180).replace(b"tag=far", b"tag=far%d" % n) for n in range(50)
    ],
    "an answer from two phones": lambda request: [
        request.answer(),
        request.answer().replace(b"tag=far", b"tag=near"),
    ],
    "refused, then answered": lambda request: [request.answer(486), request.answer()],
    "answered, then refused": lambda request: [request.answer(), request.answer(486)],
    "answered 50 times": lambda request: [request.answer()] * 50,
    "early media in three kinds": lambda request: [
        request.answer(183, body=SDP),
        request.answer(183, body=SDP.replace("PCMU", "GSM").replace("AVP 0", "AVP 3")),
        request.answer(183, body="v=0\r\n"),
    ],
    "reliable, with a number of 0": lambda request: [
        request.answer(183, ("Require", "100rel"), ("RSeq", "0"))
    ],
    "reliable, with no number": lambda request: [request.answer(183, ("Require", "100rel"))],
    "its own INVITE": lambda request: [request.message.start.encode() + b"\r\n\r\n"],
    "a BYE before the answer": lambda request: [request.answer(180), request.request("BYE")],
    "a CANCEL of what is ours": lambda request: [request.answer(180), request.request("CANCEL")],
    "a method that is none": lambda request: [request.answer(180), request.request("EXPLODE")],
    "an ACK": lambda request: [request.answer(180), request.request("ACK")],
    "a PRACK": lambda request: [request.answer(180), request.request("PRACK")],
}


ANSWERS = NO_SIP | STATUS_LINES | HEADERS | SESSIONS | DIALOGS
FATAL = {"Contact of a telephone", "Contact of mail", "a route of a telephone"}
"""The library aborts where it cannot send its ACK."""
STATUSES = {
    "status 299": 299,
    "a broken Reason": 486,
    "a broken Warning": 488,
    "401 without a challenge": 401,
    "a redirect to nowhere": 302,
    "100 redirects": 302,
    "422 without a Min-SE": 422,
    "422 with a broken Min-SE": 422,
    "refused, then answered": 486,
}
"""Final responses that are read, other than 200."""
FORGIVEN = {
    *("small version", "status 299", "no reason", "a long reason", "a reason of high bytes"),
    *("a reason of formats",),
    *("another From tag", "no To tag", "a long To tag", "another Call-ID", "no Contact", "Contact *"),
    *("Contact over TCP", "Contact over TLS", "Contact over SCTP", "Contact over nothing"),
    *("Contact of SIPS", "Contact at IPv6", "Contact of escapes", "a route over TLS", "50 routes"),
    *("Content-Length too large", "Content-Length too small", "Content-Length beyond 2^64"),
    *("no Content-Length", "one header of 3 kB", "an extension that is required"),
    *("a session of 0 s", "a session beyond 2^32 s", "lines that end in LF", "everything folded"),
    *("a session of 60 kB", "200 formats", "a clock of 0", "a clock beyond 2^32", "a packet of 0 ms"),
    *("a packet of 65535 ms", "an address of nowhere", "a broken RTCP port", "a broken key"),
    *("an answer from two phones", "answered, then refused", "answered 50 times"),
}
"""Answers that the library takes, and talks."""
SPEECHLESS = (SESSIONS.keys() - FORGIVEN) | {"one header of 60 kB"}
"""Answers whose session it cannot use: it acknowledges them and hangs up."""
