"""One call at a lab's carrier, from its INVITE to its end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol

from callgen import sip
from callgen.lab import sdp
from callgen.lab.far_media import Path, Stream
from callgen.lab.far_sound import QUIET
from callgen.messages import Answers
from callgen.repeating import Repeated
from callgen.sip import Message

Address = tuple[str, int]

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, UPDATE, INFO"
"""Methods of a lab's carrier."""


class House(Protocol):
    """What a call needs of its carrier."""

    host: str
    port: int

    def respond(self, request: Message, data: bytes, to: Address) -> None:
        """Send a response, and again when the request comes again."""

    def send(self, data: bytes, to: Address) -> None:
        """Send anything else."""

    def media(self, offer: sdp.Offer, codec: sdp.Codec, plays: str) -> Stream:
        """Open the media of a call."""

    def close(self, stream: Stream) -> None:
        """Close them."""

    def over(self, call: FarCall) -> None:
        """Forget a call that is over."""


class FarCall:
    """Rings, answers or refuses, talks, hangs up."""

    def __init__(self, house: House, invite: Message, peer: Address, answers: Answers, delay: float) -> None:
        self._house = house
        self._invite = invite
        self._peer = peer
        self._answers = answers
        self._loop = asyncio.get_running_loop()
        self._tag = secrets.token_hex(4)
        self._stream: Stream | None = None
        self._session = ""
        self._timers: list[asyncio.TimerHandle] = []
        self._repeated: Repeated | None = None
        self._answered = False
        self._hung_up = False
        self.key = invite.first("call-id")
        self.branch = invite.branch
        self._respond(100)
        self._later(delay, self._ring)

    # ---- setting up

    def _respond(self, status: int, body: str = "") -> None:
        self._send_response(self._invite, status, body)

    def _send_response(self, request: Message, status: int, body: str = "") -> None:
        contact = [("Contact", f"<sip:{self._house.host}:{self._house.port}>")] if status < 300 else []
        allow = [("Allow", ALLOW)] if 200 <= status < 300 else []
        data = sip.response(request, status, self._peer, self._tag, contact + allow, body)
        self._house.respond(request, data, self._peer)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, what))

    def _ring(self) -> None:
        if self._answers.status == 200 or self._answers.early:
            try:
                refusal = None if self._open() else 488
            except OSError:
                refusal = 503  # no socket is left for its media
            if refusal is not None:
                self._refuse(refusal)
                return
        if self._answers.early:
            self._respond(183, self._session)
            self._start()
        else:
            self._respond(180)
        self._later(self._answers.ring, self._answer)

    def _open(self) -> bool:
        """Open media for the offer; False where there is none that can be met."""
        offer = sdp.read(self._invite.body)
        plays = self._answers.plays
        wanted = [c for c in offer.codecs if plays == "echo" or c.name in QUIET] if offer else []
        if offer is None or not wanted:
            return False
        self._stream = self._house.media(offer, wanted[0], plays)
        self._session = sdp.answer(offer, wanted[0], self._house.host, *self._stream.ports)
        return True

    def _start(self) -> None:
        if self._stream is not None:
            self._stream.start()

    def _answer(self) -> None:
        if self._answers.status != 200:
            self._refuse(self._answers.status)
            return
        self._answered = True
        self._start()
        self._repeated = Repeated(lambda: self._respond(200, self._session), self.hang_up)
        if self._answers.talk is not None:
            self._later(self._answers.talk, self.hang_up)

    def _refuse(self, status: int) -> None:
        self._repeated = Repeated(lambda: self._respond(status), self.end)

    # ---- what the caller asks

    def ack(self) -> None:
        """Our final response has come."""
        if self._repeated is not None and not self._hung_up:
            self._repeated.stop()
        if not self._answered and self._repeated is not None:
            self.end()

    def cancel(self) -> None:
        """The caller gives up before our final response."""
        if self._repeated is None:
            for timer in self._timers:
                timer.cancel()
            self._refuse(487)

    def again(self, request: Message) -> None:
        """Answer an offer within the call, or a refresh of it (re-INVITE, UPDATE)."""
        offer = sdp.read(request.body) if request.body else None
        if request.body and offer is None:
            self._send_response(request, 488)
            return
        if offer is not None and self._stream is not None:
            self._stream.redirect(offer)
        self._send_response(request, 200, self._session if offer or request.method == "INVITE" else "")

    def divert(self, ways: tuple[Path, Path]) -> None:
        """Let its packets take other paths."""
        if self._stream is not None:
            self._stream.ways = ways

    # ---- its end

    def hang_up(self) -> None:
        """Send BYE, as a callee who hangs up (Q.850 cause 16)."""
        if self._hung_up or not self._answered:
            return
        if self._repeated is not None:
            self._repeated.stop()
        self._hung_up = True
        contact = self._invite.first("contact").strip()
        start, _, rest = contact.partition("<")
        target = rest.partition(">")[0] if rest else start.partition(";")[0]
        routes = [f"Route: {route}" for route in self._invite.all("record-route")]
        here = f"{self._house.host}:{self._house.port}"
        lines = [
            f"BYE {target or f'sip:{self._peer[0]}:{self._peer[1]}'} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            *routes,
            f"From: {self._invite.first('to')};tag={self._tag}",
            f"To: {self._invite.first('from')}",
            f"Call-ID: {self.key}",
            "CSeq: 1 BYE",
            'Reason: Q.850;cause=16;text="Normal call clearing"',
        ]
        data = sip.finished(lines, (), "")
        self._quiet()
        self._repeated = Repeated(lambda: self._house.send(data, self._peer), self.end)

    def bye(self, request: Message) -> None:
        """The caller hangs up."""
        self._send_response(request, 200)
        self.end()

    def hung_up(self) -> None:
        """Our BYE has been answered."""
        if self._hung_up:
            self.end()

    def _quiet(self) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._stream is not None:
            self._house.close(self._stream)
            self._stream = None

    def end(self) -> None:
        """Forget it."""
        self._quiet()
        if self._repeated is not None:
            self._repeated.stop()
        self._house.over(self)
