"""A process in front of a lab's carrier that plays its faults."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection

from callgen.messages import Play, Playing, Ready, Stop, ToRelay
from carriers.faults import EFFECTS, Fault, Reply

Address = tuple[str, int]

IDLE = 60.0
"""Seconds without a packet after which a socket for media is closed."""
CONTACT = re.compile(
    rb"^(Contact\s*:[^\r\n]*?sips?:(?:[^@>\s]*@)?)([0-9.]+):([0-9]+)", re.IGNORECASE | re.MULTILINE
)
CONNECTION = re.compile(rb"^c=IN IP4 ([0-9.]+)", re.MULTILINE)
MEDIA = re.compile(rb"^(m=\w+ )([1-9][0-9]*)", re.MULTILINE)
RTCP = re.compile(rb"^a=rtcp:([0-9]+)(?: IN IP4 [0-9.]+)?", re.MULTILINE)
LENGTH = re.compile(rb"^(Content-Length\s*:\s*)[0-9]+", re.IGNORECASE | re.MULTILINE)
RETURNED = re.compile(rb"^(?:Via|v|From|f|To|t|Call-ID|i|CSeq)\s*:[^\r\n]*", re.IGNORECASE | re.MULTILINE)
REASONS = {100: "Trying", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a relay is started as."""

    carrier: Address
    """SIP address of the far end that it stands in front of."""


def run(pipe: Connection, settings: Settings) -> None:
    """Relay until `Stop`, or until the other end of the pipe is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    asyncio.run(_relay(pipe, settings))


async def _relay(pipe: Connection, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    commands: asyncio.Queue[ToRelay] = asyncio.Queue()

    def listen() -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                loop.call_soon_threadsafe(commands.put_nowait, pipe.recv())
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(commands.put_nowait, Stop())

    threading.Thread(target=listen, daemon=True).start()
    relay = Relay(settings.carrier)
    pipe.send(Ready(*relay.stand_in(settings.carrier)))
    while isinstance(command := await commands.get(), Play):
        relay.fault = command.fault
        with contextlib.suppress(OSError):  # nobody is left to be told
            pipe.send(Playing(loop.time()))
    await relay.close()


class _Socket(asyncio.DatagramProtocol):
    """The socket that stands for one endpoint: what comes in is for that endpoint."""

    def __init__(self, relay: Relay, stands_for: Address, media: bool) -> None:
        self._relay = relay
        self.stands_for = stands_for
        self.media = media
        self.used = asyncio.get_running_loop().time()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((stands_for[0], 0))
        # What comes in before the loop listens waits in the socket.
        self._listening = asyncio.ensure_future(
            asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=self.socket)
        )

    @property
    def address(self) -> Address:
        """Where it can be reached."""
        host, port = self.socket.getsockname()
        return host, port

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Pass on what a peer has sent."""
        self.used = asyncio.get_running_loop().time()
        self._relay.forward(self, data, addr)

    def send(self, data: bytes, to: Address) -> None:
        """Send as the endpoint that it stands for; what cannot be sent is lost, as with UDP."""
        with contextlib.suppress(OSError):
            self.socket.sendto(data, to)

    async def close(self) -> None:
        """Stop listening."""
        transport, _ = await self._listening
        transport.close()


class Relay:
    """Stands for each side towards the other, and loses or refuses what a fault does.

    Every endpoint has a socket that stands for it. What comes in at the socket of X from Y goes on to X, from
    the socket of Y; the addresses that Y's SIP tells of itself are exchanged for those of its sockets.
    """

    def __init__(self, carrier: Address) -> None:
        self._carrier = carrier
        self._sockets: dict[Address, _Socket] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.fault: Fault | None = None

    def stand_in(self, endpoint: Address, media: bool = False) -> Address:
        """Address of the socket that stands for an endpoint."""
        return self._socket(endpoint, media).address

    async def close(self) -> None:
        """Close every socket."""
        await asyncio.gather(*self._closing, *(open_.close() for open_ in self._sockets.values()))
        self._sockets.clear()

    def _socket(self, endpoint: Address, media: bool) -> _Socket:
        found = self._sockets.get(endpoint)
        if found is None:
            self._close_idle()
            found = self._sockets[endpoint] = _Socket(self, endpoint, media)
        return found

    def _close_idle(self) -> None:
        before = asyncio.get_running_loop().time() - IDLE
        for endpoint, idle in list(self._sockets.items()):
            if idle.media and idle.used < before:
                del self._sockets[endpoint]
                task = asyncio.ensure_future(idle.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    def forward(self, at: _Socket, data: bytes, sender: Address) -> None:
        """Pass a datagram on, lose it, or answer it in the carrier's place."""
        effect = EFFECTS[self.fault.kind if self.fault else None]
        if effect.drops_calls:
            return
        if not at.media:
            reply = Reply.NORMAL
            if at.stands_for == self._carrier:
                opening = {b"INVITE": effect.invite, b"OPTIONS": effect.options}
                reply = opening.get(_opening(data), Reply.NORMAL)
            if reply is not Reply.NORMAL:
                self._answer(at, reply, data, sender)
                return
            data = self._exchanged(data, sender)
        self._socket(sender, at.media).send(data, at.stands_for)

    def _answer(self, at: _Socket, reply: Reply, request: bytes, sender: Address) -> None:
        if reply is Reply.ONLY_100:
            at.send(_response(request, 100), sender)
        elif reply is Reply.REFUSAL and self.fault is not None:
            at.send(_response(request, self.fault.status), sender)

    def _exchanged(self, data: bytes, sender: Address) -> bytes:
        """Write the addresses of the sockets that stand for the sender into its message."""

        def own(found: re.Match[bytes]) -> bytes:
            host, port = self.stand_in(sender)
            return b"%s%s:%d" % (found[1], host.encode(), port)

        head, end, body = data.partition(b"\r\n\r\n")
        head = CONTACT.sub(own, head, count=1)
        connection = CONNECTION.search(body)
        if connection is not None:
            host = connection[1].decode()

            def port_of(port: bytes) -> int:
                return self.stand_in((host, int(port)), media=True)[1]

            body = MEDIA.sub(lambda m: b"%s%d" % (m[1], port_of(m[2])), body)
            body = RTCP.sub(lambda m: b"a=rtcp:%d" % port_of(m[1]), body)
            head = LENGTH.sub(lambda m: b"%s%d" % (m[1], len(body)), head)
        return head + end + body


def _opening(data: bytes) -> bytes:
    """Method of an INVITE or OPTIONS that belongs to no dialog yet; empty for anything else."""
    method, _, rest = data.partition(b" ")
    if method not in {b"INVITE", b"OPTIONS"}:
        return b""
    to = re.search(rb"^(?:To|t)\s*:([^\r\n]*)", rest, re.IGNORECASE | re.MULTILINE)
    return b"" if to is None or b";tag=" in to[1] else method


def _response(request: bytes, status: int) -> bytes:
    """Answer a request as a server without state does (RFC 3261, 8.2.6 and 8.2.7)."""
    head = request.partition(b"\r\n\r\n")[0]
    lines = [f"SIP/2.0 {status} {REASONS.get(status, 'Refused')}".encode()]
    for found in RETURNED.finditer(head):
        line = found[0].rstrip()
        tagged = status > 100 and line[:2].lower() in {b"to", b"t:"}
        lines.append(line + b";tag=lab" if tagged else line)
    return b"\r\n".join([*lines, b"Content-Length: 0", b"", b""])
