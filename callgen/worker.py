"""A disposable process that owns one pjsua2 endpoint with up to four calls."""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import pjsua2 as pj

from callgen.messages import (
    Ended,
    Endpoint,
    Freed,
    FromWorker,
    HangUp,
    Lost,
    Ping,
    Pinged,
    Place,
    Ready,
    Response,
    Rtp,
    Sent,
    Stop,
)

TICK_MS = 5
"""Longest wait for SIP before commands and timers are looked at."""
CHECK_EVERY = 0.1
"""Seconds between looks at calls that may have ended without a word (pjproject #4992)."""
COLLECT_EVERY = 10.0
"""Seconds between collections of garbage, which must not happen in another thread."""
DRAIN = 0.3
"""Seconds that the last requests get for their answers."""
CODEC = "PCMU/8000"
RINGING, OK = 180, 200


def run(pipe: Connection, settings: Endpoint) -> None:
    """Serve the pipe until `Stop`, or until its other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    gc.disable()
    # PJLIB writes lines to stdout before its log can be turned off.
    with open(os.devnull, "w") as nothing:  # noqa: PTH123 - no path, a device
        os.dup2(nothing.fileno(), 1)
    worker = Worker(pipe, settings)
    try:
        worker.serve()
    except Exception as error:
        # Its calls are lost, which the parent learns from the pipe; an orderly end may hang in the library.
        sys.stderr.write(f"callsim worker: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(1)
    worker.close()


def guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Keep an exception's text, which pjsua2 swallows, without the traceback that would keep the call."""

    @functools.wraps(callback)
    def kept(self: Any, prm: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        try:
            callback(self, prm)
        except Exception as error:  # raised again by the worker's loop
            self.worker.broken = f"{callback.__qualname__}: {type(error).__name__}: {error}"

    return kept


class Worker:
    """The endpoint, its calls and its loop; all of it belongs to one thread."""

    def __init__(self, pipe: Connection, settings: Endpoint) -> None:
        self.pipe = pipe
        self.settings = settings
        self.broken: str | None = None
        self.calls: dict[int, Call] = {}
        self.pings: dict[int, tuple[int, Any]] = {}
        """By the token that comes back with an answer: the ping, and what keeps its token unique."""
        self.stopped = False
        self._check_at = self._collect_at = 0.0
        self.library = pj.Endpoint()
        self.library.libCreate()
        self.library.libInit(_configuration())
        self.library.audDevManager().setNullDev()
        host = settings.host
        transport = pj.TransportConfig()
        transport.port = 0
        transport.boundAddress = host
        number = self.library.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self.library.libStart()
        self.library.codecSetPriority(CODEC, 255)
        _, _, port = self.library.transportGetInfo(number).localName.rpartition(":")
        self.tone = _tone()
        self.account = Account(self)
        account = pj.AccountConfig()
        account.idUri = f"sip:callsim@{host}:{port}"
        account.mediaConfig.transportConfig.port = 0
        account.mediaConfig.transportConfig.boundAddress = host
        self.account.create(account)
        self.tell(Ready(host, int(port)))

    def tell(self, message: FromWorker) -> None:
        """Send to the parent; that it is gone is seen when the pipe is read."""
        try:
            self.pipe.send(message)
        except OSError:
            self.stopped = True

    def serve(self) -> None:
        """Handle SIP, commands and timers; raises RuntimeError for what a callback raised."""
        while not self.stopped:
            self.library.libHandleEvents(TICK_MS)
            now = time.monotonic()
            if now >= self._check_at:
                self._check_at = now + CHECK_EVERY
                for number in self.calls:
                    self.calls[number].check()
            self._sweep(now)
            self._obey()
            if self.broken is not None:
                raise RuntimeError(self.broken)
            if now >= self._collect_at:
                self._collect_at = now + COLLECT_EVERY
                gc.collect()

    def close(self) -> None:
        """Hang up, drain, drop every reference, destroy: in another order the library aborts."""
        for number in self.calls:
            self.calls[number].give_up()
        until = time.monotonic() + DRAIN
        while self.calls and time.monotonic() < until:
            self.library.libHandleEvents(TICK_MS)
            self._sweep(time.monotonic())
        self.calls.clear()
        del self.tone
        gc.collect()
        # The account outlives the library: pings without an answer still refer to it when they end.
        self.library.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG)
        self.pings.clear()

    def _sweep(self, now: float) -> None:
        """See to timers, tell of calls that have ended, and free slots."""
        # A Call that is destroyed hangs up whatever call has its slot by then. So no name keeps one alive,
        # and it goes when nobody has the slot.
        for number in self.calls:
            self.calls[number].tick(now)
        for number in [n for n in self.calls if self.calls[n].told and self.calls[n].slot_free()]:
            del self.calls[number]
            self.tell(Freed(number))

    def _obey(self) -> None:
        try:
            while not self.stopped and self.pipe.poll():
                match self.pipe.recv():
                    case Place(call, uri, talk):
                        self.calls[call] = Call(self, call, talk)
                        self.calls[call].place(uri)
                    case HangUp(call):
                        if call in self.calls:
                            self.calls[call].give_up()
                    case Ping(ping, uri):
                        self._ping(ping, uri)
                    case Stop():
                        self.stopped = True
        except (EOFError, OSError):
            self.stopped = True

    def _ping(self, ping: int, uri: str) -> None:
        request = pj.SendRequestParam()
        request.method = "OPTIONS"
        request.txOption.targetUri = uri
        request.userData = request.this
        self.pings[int(request.this)] = (ping, request)
        try:
            self.account.sendRequest(request)
        except pj.Error:
            self.pinged(int(request.this), None)

    def pinged(self, token: int, status: int | None) -> None:
        """Tell how an OPTIONS ended."""
        ping, _ = self.pings.pop(token)
        self.tell(Pinged(ping, status, time.monotonic()))


def _configuration() -> Any:  # noqa: ANN401
    settings = pj.EpConfig()
    settings.logConfig.level = settings.logConfig.consoleLevel = 0
    settings.uaConfig.threadCnt = 0
    settings.uaConfig.mainThreadOnly = True
    settings.uaConfig.userAgent = "callsim"
    settings.medConfig.noVad = True
    return settings


def _tone() -> Any:  # noqa: ANN401
    """Make what callers play: 1 kHz at -13 dBm0, for as long as it is listened to."""
    description = pj.ToneDesc()
    description.freq1, description.freq2 = 1000, 0
    description.on_msec, description.off_msec = 1000, 0
    description.volume = 10_000
    tone = pj.ToneGenerator()
    tone.createToneGenerator(8000)
    tones = pj.ToneDescVector()
    tones.append(description)
    tone.play(tones, True)
    return tone


class Account(pj.Account):  # type: ignore[misc]
    """The one identity of an endpoint."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self.worker = worker
        self._incoming = 0

    @guarded
    def onSendRequest(self, prm: Any) -> None:  # noqa: ANN401, N802
        """An OPTIONS has its answer, or will have none."""
        event = prm.e.body.tsxState
        token, status = int(prm.userData), event.tsx.statusCode
        if token in self.worker.pings and status >= OK:
            answered = event.type == pj.PJSIP_EVENT_RX_MSG
            self.worker.pinged(token, status if answered else None)

    @guarded
    def onIncomingCall(self, prm: Any) -> None:  # noqa: ANN401, N802
        """A call for the far end of a lab; a caller takes none."""
        self._incoming -= 1
        answers = self.worker.settings.answers
        call = Call(self.worker, self._incoming, answers.talk if answers else None, prm.callId)
        self.worker.calls[self._incoming] = call
        call.ring(answers.ring if answers else None)


class Call(pj.Call):  # type: ignore[misc]
    """One call of an endpoint, either way; its number is negative where the far end calls."""

    def __init__(
        self, worker: Worker, number: int, talk: float | None, slot: int = pj.PJSUA_INVALID_ID
    ) -> None:
        super().__init__(worker.account, slot)
        self.worker = worker
        self.number = number
        self.told = False
        self._talk = talk
        self._answer_at: float | None = None
        self._hang_up_at: float | None = None
        self._ended_at: float | None = None
        self._hung_up_by: str | None = None
        self._final = False
        self._rtp: Rtp | None = None

    def place(self, uri: str) -> None:
        """Send the INVITE; what fails here is ours, since transport errors are told later."""
        self.worker.tell(Sent(self.number, time.monotonic()))
        try:
            self.makeCall(uri, pj.CallOpParam(True))
        except pj.Error as error:
            self._lose(error.reason)

    def ring(self, seconds: float | None) -> None:
        """Let a call that came in ring for so long; None: decline it."""
        if seconds is None:
            self._answer(603)
            return
        self._answer(RINGING)
        self._answer_at = time.monotonic() + seconds

    def _answer(self, status: int) -> None:
        answer = pj.CallOpParam(True)
        answer.statusCode = status
        self.answer(answer)

    def tick(self, now: float) -> None:
        """Do what is due: answer, hang up, tell of the end."""
        if self._ended_at is not None:
            if not self.told:
                # Only now, because the media end after the call does.
                self.told = True
                self.worker.tell(Ended(self.number, self._ended_at, self._hung_up_by, self._rtp))
            return
        if self._answer_at is not None and now >= self._answer_at:
            self._answer_at = None
            self._answer(OK)
        if self._hang_up_at is not None and now >= self._hang_up_at:
            self.give_up()

    def give_up(self) -> None:
        """Hang up, unless that has been done."""
        if self._ended_at is None and self._hung_up_by is None:
            self._hung_up_by = "us"
            self.hangup(pj.CallOpParam())

    def check(self) -> None:
        """End a call whose end was never told."""
        if self._ended_at is None:
            try:
                info = self.getInfo()
            except pj.Error:
                self._lose("the library has forgotten it")
                return
            if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                self._end(info.lastStatusCode, info.lastReason)

    def slot_free(self) -> bool:
        """Whether the library has forgotten the call; against a silent peer that takes 32 s (Timer B)."""
        if self.getId() == pj.PJSUA_INVALID_ID:
            return True  # it never had one, and to ask for more would abort the process
        try:
            self.getInfo()
        except pj.Error:
            return True
        return False

    def _lose(self, reason: str) -> None:
        self._ended_at = time.monotonic()
        self.told = True
        self.worker.tell(Lost(self.number, reason, self._ended_at))

    def _end(self, status: int, reason: str) -> None:
        if self._ended_at is not None:
            return
        self._ended_at = time.monotonic()
        if not self._final and self._hung_up_by is None and self.number >= 0:
            self.worker.tell(Response(self.number, status, reason, self._ended_at, local=True))

    @guarded
    def onCallTsxState(self, prm: Any) -> None:  # noqa: ANN401, N802
        """A transaction of the call has moved."""
        event = prm.e.body.tsxState
        tsx = event.tsx
        received = event.type == pj.PJSIP_EVENT_RX_MSG
        if tsx.method == "INVITE" and tsx.role == pj.PJSIP_ROLE_UAC and received and not self._final:
            now = time.monotonic()
            self.worker.tell(Response(self.number, tsx.statusCode, tsx.statusText, now))
            self._final = tsx.statusCode >= OK
        elif tsx.method == "BYE" and tsx.role == pj.PJSIP_ROLE_UAS and received:
            self._hung_up_by = self._hung_up_by or "far"

    @guarded
    def onCallState(self, prm: Any) -> None:  # noqa: ANN401, N802
        """The call has begun, been answered or ended."""
        del prm
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._end(info.lastStatusCode, info.lastReason)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED and self._talk is not None:
            self._hang_up_at = time.monotonic() + self._talk

    @guarded
    def onCallMediaState(self, prm: Any) -> None:  # noqa: ANN401, N802
        """Media can flow: callers play a tone, the far end sends back what it hears."""
        del prm
        info = self.getInfo()  # named, because its media live no longer than it does
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(index)
                # Without a listener the jitter buffer discards, and its figures lie.
                audio.startTransmit(self.worker.library.audDevManager().getPlaybackDevMedia())
                (audio if self.number < 0 else self.worker.tone).startTransmit(audio)

    @guarded
    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: ANN401, N802
        """Final figures of a stream; this can come more than once (pjproject #2194)."""
        stat = self.getStreamStat(prm.streamIdx)  # named, as above
        rtcp, rtt = stat.rtcp, stat.rtcp.rttUsec
        self._rtp = Rtp(rtcp.txStat.pkt, rtcp.rxStat.pkt, rtcp.rxStat.loss, rtt.mean / 1e6 if rtt.n else None)
