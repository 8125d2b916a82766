"""Far ends over TCP and TLS that no SIP element should be like, each a conversation on one connection."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hostile_answers import SDP

from callgen import sip

HOST = "127.0.0.1"
LONGEST = 20.0
"""Seconds after which a conversation that says nothing ends."""
HEAD_END = b"\r\n\r\n"


@dataclass
class Talk:
    """One connection, with what came over it so far."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int
    transport: str

    async def request(self) -> sip.Message:
        """Read the next message."""
        head = await self.reader.readuntil(HEAD_END)
        length = re.search(rb"^Content-Length[ \t]*:[ \t]*([0-9]+)", head, re.MULTILINE | re.IGNORECASE)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        message = sip.parse(head + body)
        assert message is not None, head
        return message

    def answer(self, request: sip.Message, status: int = 200, *headers: tuple[str, str]) -> bytes:
        """Make a good answer."""
        contact = ("Contact", f"<sip:{HOST}:{self.port};transport={self.transport}>")
        body = SDP if status == 200 and request.method == "INVITE" else ""
        return sip.response(request, status, (HOST, self.port), "far", [contact, *headers], body)

    async def send(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send parts one by one."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(pause)

    async def go_on(self) -> None:
        """Answer what comes as a good far end does: INVITE by 486, others by 200."""
        while True:
            request = await self.request()
            if not request.status and request.method != "ACK":
                await self.send(self.answer(request, 486 if request.method == "INVITE" else 200))

    async def be_silent(self) -> None:
        """Read, and say nothing."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """Close with an RST."""
        taken = self.writer.get_extra_info("socket")
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Conversation = Callable[[Talk], Awaitable[None]]
Made = Callable[[Talk, sip.Message], list[bytes]]


def after_invite(made: Made, *, pause: float = 0.0, then: str = "go_on") -> Conversation:
    """Read the INVITE, send what is made of it, and go on, be silent, close or reset."""

    async def conversation(talk: Talk) -> None:
        await talk.send(*made(talk, await talk.request()), pause=pause)
        if then == "reset":
            talk.reset()
        elif then != "close":
            await getattr(talk, then)()

    return conversation


def changed(pattern: bytes, by: bytes, **more: str) -> Conversation:
    """Answer with a 200 in which something is replaced, then with a 486."""

    def made(talk: Talk, invite: sip.Message) -> list[bytes]:
        good = talk.answer(invite)
        found = re.compile(pattern, re.MULTILINE)
        assert found.search(good)
        return [found.sub(lambda _: by, good), talk.answer(invite, 486)]

    return after_invite(made, pause=0.05, **more)


def before(rubbish: bytes) -> Conversation:
    """Send rubbish before a good answer."""
    return after_invite(lambda talk, invite: [rubbish, talk.answer(invite)], pause=0.05)


def cut(share: float, then: str) -> Conversation:
    """Send a part of a 200, and no more."""

    def made(talk: Talk, invite: sip.Message) -> list[bytes]:
        good = talk.answer(invite)
        return [good[: round(len(good) * share)]]

    return after_invite(made, then=then)


def pieces(size: int) -> Conversation:
    """Send a good answer in pieces."""

    def made(talk: Talk, invite: sip.Message) -> list[bytes]:
        good = talk.answer(invite)
        return [good[at : at + size] for at in range(0, len(good), size)]

    return after_invite(made)


async def at_once_closed(talk: Talk) -> None:
    """Close before anything is read."""


async def at_once_reset(talk: Talk) -> None:
    """Reset before anything is read."""
    talk.reset()


async def unread(talk: Talk) -> None:
    """Read nothing, and say nothing."""
    await asyncio.sleep(LONGEST)


async def speaks_first(talk: Talk) -> None:
    """Greet as another service does, then answer well."""
    await talk.send(b"220 mail.example ESMTP\r\n")
    invite = await talk.request()
    await talk.send(talk.answer(invite))
    await talk.go_on()


async def drips(talk: Talk) -> None:
    """Send a good answer so slowly that it never ends."""
    good = talk.answer(await talk.request())
    await talk.send(*(good[n : n + 1] for n in range(len(good))), pause=0.2)


async def floods(talk: Talk) -> None:
    """Send requests without an end, faster than anybody answers."""
    invite = await talk.request()
    lines = [
        f"OPTIONS sip:x@{HOST} SIP/2.0", f"Via: SIP/2.0/TCP {HOST}:{talk.port};branch=z9hG4bKNUMBER",
        "From: <sip:a@b>;tag=a", "To: <sip:c@d>", "Call-ID: NUMBER", "CSeq: 1 OPTIONS", "Max-Forwards: 70",
    ]  # fmt: skip
    options = sip.finished(lines, [], "")
    await talk.send(b"".join(options.replace(b"NUMBER", b"%d" % n) for n in range(300)))
    await talk.send(talk.answer(invite))
    await talk.be_silent()


def merged(talk: Talk, invite: sip.Message) -> list[bytes]:
    """All answers in one piece."""
    return [b"".join(talk.answer(invite, status) for status in (100, 180, 200))]


LENGTH = rb"^Content-Length:[^\r]*\r\n"
STREAMS: dict[str, Conversation] = {
    "an answer as it should be": after_invite(lambda talk, invite: [talk.answer(invite)]),
    "byte by byte": pieces(1),
    "in pieces of 7 bytes": pieces(7),
    "three answers in one piece": after_invite(merged),
    "line ends before": before(b"\r\n\r\n" * 20),
    "binary rubbish before": before(bytes(range(128, 256)) * 20),
    "text rubbish before": before(b"no sip at all\r\n\r\n"),
    "HTTP before": before(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "a TLS record before": before(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64),
    "a greeting of another service": speaks_first,
    "no Content-Length": changed(LENGTH, b""),
    "Content-Length far too large": changed(LENGTH, b"Content-Length: 99999999\r\n"),
    "Content-Length beyond 2^64": changed(LENGTH, b"Content-Length: 18446744073709551617\r\n"),
    "Content-Length -1": changed(LENGTH, b"Content-Length: -1\r\n"),
    "Content-Length of letters": changed(LENGTH, b"Content-Length: many\r\n"),
    "Content-Length too small": changed(LENGTH, b"Content-Length: 9\r\n"),
    "two Content-Lengths": changed(LENGTH, b"Content-Length: 0\r\nContent-Length: 150\r\n"),
    "a header of 1 MB": changed(LENGTH, b"X-Long: " + b"x" * 1_000_000 + b"\r\nContent-Length: 0\r\n"),
    "a header without an end": changed(LENGTH, b"X-Long: " + b"x" * 1_000_000, then="be_silent"),
    "a start without an end": after_invite(lambda *_: [b"SIP/2.0 200 " + b"O" * 1_000_000], then="be_silent"),
    "1 MB of line ends": before(b"\r\n" * 500_000),
    "half a message, then silence": cut(0.5, "be_silent"),
    "a head, then silence": cut(0.75, "be_silent"),
    "half a message, then closed": cut(0.5, "close"),
    "half a message, then reset": cut(0.5, "reset"),
    "closed when asked": after_invite(lambda *_: [], then="close"),
    "reset when asked": after_invite(lambda *_: [], then="reset"),
    "closed at once": at_once_closed,
    "reset at once": at_once_reset,
    "never read": unread,
    "silence": after_invite(lambda *_: [], then="be_silent"),
    "a drip": drips,
    "a flood of requests": floods,
    "closed while it rings": after_invite(lambda talk, invite: [talk.answer(invite, 180)], then="close"),
    "closed when answered": after_invite(lambda talk, invite: [talk.answer(invite)], then="close"),
}


# ---- over TLS


async def after_the_handshake(talk: Talk) -> None:
    """Close once the connection is up."""


RECORDS: dict[str, bytes] = {
    "plain SIP": b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "half a record": b"\x16\x03\x03\x40\x00" + b"\x02" * 100,
    "zeros": b"\0" * 3000,
    "a record of 64 kB": b"\x16\x03\x03\xff\xff" + b"\x02" * 65535,
    "data before the handshake": b"\x17\x03\x03\x00\x10" + b"x" * 16,
}
"""What is sent to a ClientHello."""


def to_hello(data: bytes, then: str) -> Conversation:
    """Answer the beginning of a handshake, then be silent, close or reset."""

    async def conversation(talk: Talk) -> None:
        await talk.reader.read(100)
        await talk.send(data)
        if then == "be_silent":
            await talk.be_silent()
        elif then == "reset":
            talk.reset()

    return conversation


HANDSHAKES: dict[str, Conversation] = {
    **{f"{name} for a handshake": to_hello(data, "be_silent") for name, data in RECORDS.items()},
    "silence for a handshake": to_hello(b"", "be_silent"),
    "closed in the handshake": to_hello(b"", "close"),
    "reset in the handshake": to_hello(b"", "reset"),
    "closed before the handshake": at_once_closed,
    "closed in half a record": to_hello(RECORDS["half a record"], "close"),
}
"""Far ends that speak no TLS, or not to its end."""
ANSWERED = {
    *("an answer as it should be", "byte by byte", "in pieces of 7 bytes", "three answers in one piece"),
    *("line ends before", "text rubbish before", "HTTP before", "1 MB of line ends", "a flood of requests"),
    *("Content-Length too small", "two Content-Lengths", "closed when answered"),
}
BUSY = {
    *("no Content-Length", "Content-Length beyond 2^64", "Content-Length -1", "Content-Length of letters"),
}
"""What is passed over, so that the next message is read."""
CLOSED = {
    *("half a message, then closed", "half a message, then reset", "closed when asked", "reset when asked"),
    *("closed at once", "reset at once", "closed while it rings", "closed in the handshake"),
    *("reset in the handshake", "closed before the handshake", "closed in half a record"),
    *("closed after the handshake", "nothing older than TLS 1.3"),
}
"""Connections that end: a transport error at once, not a timeout."""
NO_TLS = {
    "plain SIP for a handshake": "the far end speaks no TLS here",
    "an alert for a handshake": "sslv3 alert handshake failure",
    "zeros for a handshake": "the far end speaks no TLS here",
    "data before the handshake for a handshake": "the far end speaks no TLS here",
    "a record of 64 kB for a handshake": "packet length too long",
}
