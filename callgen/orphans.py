"""Ends at the far end the calls of a worker that died."""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from callgen import sip
from callgen.guarding.guard import Permit
from callgen.messages import Dialog, Ready, Tls
from callgen.repeating import PATIENCE, T1, Repeated
from callgen.sip import BRANCH, Message

Address = tuple[str, int]
URI = re.compile(r"(?:[^<>]*<)?(?P<uri>sips?:[^<>\s,]+)(?:>|\s|,|$)", re.IGNORECASE)
ROUTE = re.compile(r"<sips?:[^<>\s]+>", re.IGNORECASE)
PLACE = re.compile(r"sips?:(?:[^@]*@)?(?P<host>[^:;>]+):(?P<port>[0-9]{1,5})(?=[;>]|$)", re.IGNORECASE)
LARGEST = 65536
"""Bytes of a message that is read from a connection."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A call whose worker is dead, and the permit of its INVITE."""

    dialog: Dialog
    permit: Permit


async def end_calls(orphans: Sequence[Orphan], was: Ready, tls: Tls | None) -> list[bool]:
    """Send CANCEL, ACK and BYE for calls, and say which are known to be over.

    They go to the address of each INVITE, as its permit has it, and nowhere else. `was` is what the dead
    worker said of itself: answers over UDP come to its port, which is free again; over TCP and TLS a new
    connection is made. Takes no longer than 32 s (Timers B, F); cancelled, it leaves the rest to the far
    ends. A BYE that is challenged is not repeated: credentials were the worker's.
    """
    ends = [_End(orphan) for orphan in orphans]
    calls = {end.call_id: end for end in ends}

    def heard(data: bytes, source: Address) -> None:
        message = sip.parse(data)
        if message is not None and message.first("call-id") in calls:
            calls[message.first("call-id")].heard(message, source)

    over_udp = [end for end in ends if end.transport == "udp"]
    ways = [_over_stream(end, tls, heard) for end in ends if end.transport != "udp"]
    if over_udp:
        ways.append(_over_udp(over_udp, was, heard))
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*ways)
    return [end.over.is_set() for end in ends]


_Heard = Callable[[bytes, Address], None]
_Send = Callable[[bytes, Address], None]


class _Port(asyncio.DatagramProtocol):
    def __init__(self, heard: _Heard) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._heard(data, addr)


async def _over_udp(ends: Sequence[_End], was: Ready, heard: _Heard) -> None:
    loop = asyncio.get_running_loop()
    host = was.host or "0.0.0.0"
    port = dict(was.ports).get("udp", 0)
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: _Port(heard), local_addr=(host, port))
    except OSError:
        # Somebody has it by now; answers come here too, since our Via asks for that (RFC 3581).
        transport, _ = await loop.create_datagram_endpoint(lambda: _Port(heard), local_addr=(host, 0))
    try:
        for end in ends:
            end.begin(transport.sendto)
        await asyncio.gather(*(end.over.wait() for end in ends))
    finally:
        for end in ends:
            end.stop()
        transport.close()


async def _over_stream(end: _End, tls: Tls | None, heard: _Heard) -> None:
    """See one call to its end over TCP or TLS; where there is no connection the far end has to."""
    if not end.permit.ends_at(end.peer[0]):
        return
    with suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        context = _context(tls or Tls()) if end.transport == "tls" else None
        name = end.permit.host if context is not None else None
        reader, writer = await asyncio.open_connection(*end.peer, ssl=context, server_hostname=name)
        try:
            end.begin(lambda data, _: writer.write(data))
            while not end.over.is_set():
                head = await reader.readuntil(b"\r\n\r\n")
                message = sip.parse(head.lstrip())
                length = int(message.first("content-length") or 0) if message else 0
                if not 0 <= length <= LARGEST:
                    return
                await reader.readexactly(length)
                heard(head.lstrip(), end.peer)
        finally:
            end.stop()
            writer.close()


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _End:
    """The end of one call: CANCEL until the INVITE has a final response, ACK and BYE where that is a 2xx."""

    def __init__(self, orphan: Orphan) -> None:
        self._dialog = orphan.dialog
        self._invite = orphan.dialog.invite
        self._cseq = int(self._invite.first("cseq").split()[0])
        self.permit = orphan.permit
        self.peer = orphan.dialog.peer
        self.transport = orphan.dialog.transport
        self.call_id = self._invite.first("call-id")
        self.over = asyncio.Event()
        self._send: _Send | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._repeated: Repeated | None = None
        self._answered = False

    def begin(self, send: _Send) -> None:
        """Begin; without any response a little later, since a CANCEL must not overtake its INVITE."""
        self._send = send
        if self._dialog.answer is None:
            self._timer = asyncio.get_running_loop().call_later(T1, self._cancel)
        elif self._dialog.answered:
            self._hang_up(self._dialog.answer)
        else:
            self._cancel()

    def stop(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._repeated is not None:
            self._repeated.stop()

    def heard(self, message: Message, source: Address) -> None:
        """Take a message of the call."""
        if message.method == "BYE" and (not message.status or message.status >= 200):
            if not message.status:
                self._out(sip.response(message, 200, source, secrets.token_hex(4)), source)
            self._done()
        elif message.method == "INVITE" and message.status:
            self._told(message)
        elif message.method == "CANCEL" and message.status >= 200 and not self._answered:
            self.stop()  # the INVITE's own final response is to come

    def _told(self, response: Message) -> None:
        if response.status >= 300:
            self._out(self._beside("ACK", response), self.peer)
            self._done()
        elif response.status >= 200:
            self._hang_up(response)
        elif not self._answered:
            self._cancel()

    def _done(self) -> None:
        self.stop()
        self.over.set()

    # ---- what it sends

    def _out(self, data: bytes, to: Address) -> None:
        """Send to the permit's address, and to no other."""
        if self._send is not None and self.permit.ends_at(to[0]):
            with suppress(OSError):
                self._send(data, to)

    def _again(self, data: bytes) -> None:
        """Send until it is answered (Timer E); once where the transport is reliable."""
        self.stop()
        if self.transport == "udp":
            self._repeated = Repeated(lambda: self._out(data, self.peer), lambda: None)
        else:
            self._out(data, self.peer)

    def _cancel(self) -> None:
        self._again(self._beside("CANCEL", None))

    def _hang_up(self, answer: Message) -> None:
        """Acknowledge a 2xx each time that it comes, and send BYE (RFC 3261, 13.2.2.4 and 15.1.1)."""
        routes = ROUTE.findall(",".join(answer.all("record-route")))[::-1]
        contact = URI.match(answer.first("contact"))
        target = contact["uri"] if contact else self._target
        self._aim(routes[0] if routes else target)
        self._out(self._within("ACK", self._cseq, answer, target, routes), self.peer)
        if not self._answered:
            self._answered = True
            self._again(self._within("BYE", self._dialog.cseq + 1, answer, target, routes))

    def _aim(self, uri: str) -> None:
        """Send to the port that a URI names, though to no other host than the INVITE went to."""
        found = PLACE.search(uri)
        if self.transport == "udp" and found and found["host"] == self.peer[0]:
            self.peer = (self.peer[0], int(found["port"]))

    @property
    def _target(self) -> str:
        return self._invite.start.split(" ")[1]

    def _beside(self, method: str, response: Message | None) -> bytes:
        """Make a CANCEL, or the ACK of what is no 2xx, with the INVITE's branch (9.1, 17.1.1.3)."""
        via, routes = self._invite.first("via"), self._invite.all("route")
        return self._made(method, self._cseq, self._target, via, routes, response)

    def _within(self, method: str, cseq: int, answer: Message, target: str, routes: Sequence[str]) -> bytes:
        """Make a request of the dialog that a 2xx has begun (12.2.1.1)."""
        via = BRANCH.sub(f";branch=z9hG4bK{secrets.token_hex(8)}", self._invite.first("via"))
        return self._made(method, cseq, target, via, routes, answer)

    def _made(
        self, method: str, cseq: int, target: str, via: str, routes: Sequence[str], response: Message | None
    ) -> bytes:
        to = self._invite.first("to")
        tag = response.to_tag if response is not None else None
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: {via}",
            "Max-Forwards: 70",
            *(f"Route: {route}" for route in routes),
            f"From: {self._invite.first('from')}",
            f"To: {to};tag={tag}" if tag else f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
        ]
        return sip.finished(lines, (), "")
