"""SIP messages as text, for a far end that answers (RFC 3261)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
}
FOLDED = re.compile(r"\r\n[ \t]+")
BRANCH = re.compile(r";\s*branch\s*=\s*([^;,\s]+)", re.IGNORECASE)
TAG = re.compile(r";\s*tag\s*=\s*([^;,\s]+)", re.IGNORECASE)
RPORT = re.compile(r";\s*rport(?=\s*(?:[;,]|$))", re.IGNORECASE)
REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    302: "Moved Temporarily",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
}
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """A request, or a response with its status."""

    start: str
    headers: tuple[tuple[str, str], ...]
    """Names in small letters, compact ones written out, values as they came."""
    body: str

    @property
    def method(self) -> str:
        """Of a request; of a response that which it answers."""
        return self.first("cseq").split()[-1] if self.status else self.start.split(" ", 1)[0]

    @property
    def status(self) -> int:
        """Of a response; 0: a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    def first(self, name: str) -> str:
        """Return a header's first value; empty without one."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for key, value in self.headers if key == name]

    @property
    def branch(self) -> str:
        """What tells its transaction from others (RFC 3261, 17.2.3)."""
        found = BRANCH.search(self.first("via"))
        return found[1] if found else f"{self.first('call-id')} {self.first('cseq').split()[0]}"

    @property
    def to_tag(self) -> str | None:
        """None: it belongs to no dialog yet."""
        found = TAG.search(self.first("to"))
        return found[1] if found else None


def parse(data: bytes) -> Message | None:
    """Read a datagram; None for what is no SIP message, or lacks what every one has."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = FOLDED.sub(" ", head).split("\r\n")
    if not re.fullmatch(r"[A-Z]+ \S+ SIP/2\.0|SIP/2\.0 [1-6][0-9]{2}(?: .*)?", start):
        return None
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers.append((COMPACT.get(key, key), value.strip()))
    message = Message(start, tuple(headers), body)
    needed = [message.first(name) for name in ("via", "from", "to", "call-id")]
    return message if all(needed) and re.match(r"[0-9]+\s+\S", message.first("cseq")) else None


def response(
    request: Message, status: int, peer: tuple[str, int], tag: str, headers: Headers = (), body: str = ""
) -> bytes:
    """Answer a request that came from `peer` (RFC 3261, 8.2.6; RFC 3581 for what its Via asks)."""
    lines = [f"SIP/2.0 {status} {REASONS.get(status, 'Refused')}"]
    vias = request.all("via")
    vias[0] = RPORT.sub(f";received={peer[0]};rport={peer[1]}", vias[0], count=1)
    lines += [f"Via: {via}" for via in vias]
    if status < 300:
        lines += [f"Record-Route: {route}" for route in request.all("record-route")]
    to = request.first("to")
    lines += [
        f"From: {request.first('from')}",
        f"To: {to}" if request.to_tag or status == 100 else f"To: {to};tag={tag}",
        f"Call-ID: {request.first('call-id')}",
        f"CSeq: {request.first('cseq')}",
    ]
    return finished(lines, headers, body)


def finished(lines: Sequence[str], headers: Headers, body: str) -> bytes:
    """End a message: further headers, the type with the length of its body, the body."""
    more = [f"{name}: {value}" for name, value in headers]
    if body:
        more.append("Content-Type: application/sdp")
    return "\r\n".join([*lines, *more, f"Content-Length: {len(body.encode())}", "", body]).encode()
