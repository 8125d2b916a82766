"""The process of a lab's carrier: takes hundreds of calls over UDP, as well as it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Literal

import numpy as np

from callgen import sip
from callgen.lab import sdp
from callgen.lab.far_call import ALLOW, FarCall
from callgen.lab.far_media import Stream, paths
from callgen.lab.impairment import LabFault
from callgen.messages import Answers, Playing, Ready, Stop
from callgen.repeating import PATIENCE
from callgen.sip import Message

Address = tuple[str, int]
Reply = Literal["normal", "nothing", "trying", "refusal"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a carrier is started as."""

    host: str
    port: int
    """0: any that is free."""
    answers: Answers
    channels: int | None
    """Calls at once, beyond which it refuses with 503; None: any number."""
    seed: int
    post_dial_delay: float = 0.0
    """Seconds from INVITE to ringing."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How to behave from now on; what it says of a fault is what `carriers.faults.EFFECTS` has."""

    fault: LabFault | None = None
    invite: Reply = "normal"
    options: Reply = "normal"
    deaf: bool = False
    """Nothing comes in or goes out, and the calls in progress are lost."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot listen."""

    reason: str


def run(pipe: Connection, settings: Settings) -> None:
    """Take calls until `Stop`, or until the other end of the pipe is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    asyncio.run(_take_calls(pipe, settings))


async def _take_calls(pipe: Connection, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    commands: asyncio.Queue[Conduct | Stop] = asyncio.Queue()

    def listen() -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                loop.call_soon_threadsafe(commands.put_nowait, pipe.recv())
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(commands.put_nowait, Stop())

    threading.Thread(target=listen, daemon=True).start()
    try:
        far = FarEnd(settings)
    except OSError as error:
        pipe.send(Failed(f"{settings.host}:{settings.port}: {(error.strerror or str(error)).lower()}"))
        return
    await far.open()
    pipe.send(Ready(far.host, far.port))
    while isinstance(command := await commands.get(), Conduct):
        far.behave(command)
        with contextlib.suppress(OSError):  # nobody is left to be told
            pipe.send(Playing(loop.time()))
    await far.shut()


class FarEnd(asyncio.DatagramProtocol):
    """A user agent server with one UDP socket, which forgets a transaction 32 s after its last response."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rng = self._luck = np.random.default_rng(settings.seed)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((settings.host, settings.port))
        except OSError:
            self._socket.close()
            raise
        self.host, self.port = self._socket.getsockname()
        self._transport: asyncio.DatagramTransport | None = None
        self._conduct = Conduct()
        self._calls: dict[str, FarCall] = {}
        self._responses: dict[tuple[str, str], tuple[bytes, asyncio.TimerHandle]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    @property
    def calls(self) -> int:
        """How many calls are up, being set up or being ended."""
        return len(self._calls)

    async def open(self) -> None:
        """Begin to listen."""
        self._transport, _ = await self._loop.create_datagram_endpoint(lambda: self, sock=self._socket)

    async def shut(self) -> None:
        """Drop the calls, and close every socket."""
        self._drop_calls()
        await asyncio.gather(*self._closing)
        for _, timer in self._responses.values():
            timer.cancel()
        if self._transport is not None:
            self._transport.close()

    def behave(self, conduct: Conduct) -> None:
        """Play a fault, or none."""
        self._conduct = conduct
        seed = None if conduct.fault is None else conduct.fault.seed
        self._luck = self._rng if seed is None else np.random.default_rng(seed)
        if conduct.deaf:
            self._drop_calls()
        for call in self._calls.values():
            call.divert(paths(conduct.fault, self._rng))

    def _drop_calls(self) -> None:
        for call in list(self._calls.values()):
            call.end()

    # ---- what its calls need

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram; what cannot be sent is lost, as with UDP."""
        if not self._conduct.deaf:
            with contextlib.suppress(OSError):
                self._socket.sendto(data, to)

    def respond(self, request: Message, data: bytes, to: Address) -> None:
        """Send a response, and again when the request comes again (RFC 3261, 17.2)."""
        key = (request.branch, request.method)
        if key in self._responses:
            self._responses[key][1].cancel()
        forget = self._loop.call_later(PATIENCE, self._responses.pop, key, None)
        self._responses[key] = (data, forget)
        self.send(data, to)

    def media(self, offer: sdp.Offer, codec: sdp.Codec, plays: str) -> Stream:
        """Open the media of a call."""
        return Stream(self.host, offer, codec, plays, paths(self._conduct.fault, self._rng), self._rng)

    def close(self, stream: Stream) -> None:
        """Close them."""
        task = asyncio.ensure_future(stream.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def over(self, call: FarCall) -> None:
        """Forget a call that is over."""
        self._calls.pop(call.key, None)

    # ---- what comes in

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take a message; what is none is dropped."""
        message = None if self._conduct.deaf else sip.parse(data)
        if message is None:
            return
        call = self._calls.get(message.first("call-id"))
        if message.status:
            if call is not None and message.method == "BYE" and message.status >= 200:
                call.hung_up()
        elif message.method == "ACK":
            if call is not None:
                call.ack()
        elif (known := self._responses.get((message.branch, message.method))) is not None:
            self.send(known[0], addr)
        elif message.to_tag is None:
            self._outside(message, addr, call)
        elif call is None:
            self._reply(message, 481, addr)
        else:
            self._inside(message, addr, call)

    def _reply(self, request: Message, status: int, to: Address, *headers: tuple[str, str]) -> None:
        self.respond(request, sip.response(request, status, to, "lab", headers), to)

    def _inside(self, request: Message, peer: Address, call: FarCall) -> None:
        if request.method == "BYE":
            call.bye(request)
        elif request.method in {"INVITE", "UPDATE"}:
            call.again(request)
        elif request.method in {"OPTIONS", "INFO"}:
            self._reply(request, 200, peer, ("Allow", ALLOW))
        else:
            self._reply(request, 405, peer, ("Allow", ALLOW))

    def _outside(self, request: Message, peer: Address, call: FarCall | None) -> None:
        if request.method == "INVITE":
            if call is None:
                self._invite(request, peer)
            else:
                self._reply(request, 482, peer)
        elif request.method == "CANCEL":
            self._cancel(request, peer, call)
        elif request.method in {"OPTIONS", "REGISTER"}:
            self._about_itself(request, peer)
        else:
            self._reply(request, 405, peer, ("Allow", ALLOW))

    def _about_itself(self, request: Message, peer: Address) -> None:
        if self._conduct.options == "nothing":
            return
        if self._conduct.options == "refusal" and self._conduct.fault is not None:
            self._reply(request, self._conduct.fault.status, peer)
        elif request.method == "REGISTER":
            bound = [("Contact", contact) for contact in request.all("contact")]
            self._reply(request, 200, peer, *bound, ("Expires", request.first("expires") or "300"))
        else:
            self._reply(request, 200, peer, ("Allow", ALLOW), ("Accept", "application/sdp"))

    def _invite(self, request: Message, peer: Address) -> None:
        conduct, fault = self._conduct, self._conduct.fault
        if conduct.invite == "nothing":
            return
        if conduct.invite == "trying":
            self._reply(request, 100, peer)
            return
        if fault is not None and conduct.invite == "refusal" and self._luck.random() < fault.share:
            self._reply(request, fault.status, peer)
            return
        limit = self._settings.channels
        if fault is not None and fault.kind == "capacity":
            limit = fault.channels if limit is None else min(limit, fault.channels)
        if limit is not None and len(self._calls) >= limit:
            self._reply(request, fault.status if fault else 503, peer)
            return
        call = FarCall(self, request, peer, self._answers(), self._delay())
        self._calls[call.key] = call

    def _answers(self) -> Answers:
        fault, answers = self._conduct.fault, self._settings.answers
        if fault is None or fault.kind != "hang_up":
            return answers
        talk = fault.after if answers.talk is None else min(answers.talk, fault.after)
        return Answers(answers.ring, talk, answers.status, answers.early, answers.plays)

    def _delay(self) -> float:
        fault = self._conduct.fault
        if fault is None or fault.kind != "slow":
            return self._settings.post_dial_delay
        return float(self._rng.choice(fault.post_dial_delay))

    def _cancel(self, request: Message, peer: Address, call: FarCall | None) -> None:
        """End a call that is being set up (RFC 3261, 9.2)."""
        if call is not None and call.branch == request.branch:
            self._reply(request, 200, peer)
            call.cancel()
        elif (request.branch, "INVITE") in self._responses:
            # What stands in front of a carrier that is stuck can still end what it has said 100 to.
            self._reply(request, 200, peer)
            ended = [(key, value) for key, value in request.headers if key != "cseq"]
            number = request.first("cseq").split()[0]
            invite = Message("INVITE * SIP/2.0", (*ended, ("cseq", f"{number} INVITE")), "")
            self._reply(invite, 487, peer)
        else:
            self._reply(request, 481, peer)
