"""One call of a worker's endpoint, from its INVITE to what was measured."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pjsua2 as pj

from callgen import sip
from callgen.endpoint.account import OK, Account, caller, guarded, header_vector
from callgen.endpoint.audio import Port
from callgen.endpoint.streams import Stream, measured, together
from callgen.endpoint.tracing import clean, q850
from callgen.messages import Answers, Audio, Ended, Heard, Lost, Place, Response, Sent

if TYPE_CHECKING:
    from callgen.endpoint.worker import Worker

RINGING, PROGRESS, MULTIPLE_CHOICES, BAD_REQUEST, DECLINE = 180, 183, 300, 400, 603
PLAINLY = {
    "End of file (PJ_EEOF)": "the far end has closed the connection",
    "EVP lib": "the far end has closed the connection",
    "Unknown error 503": "the far end has closed the connection",
    "unknown protocol": "the far end speaks no TLS here",
}
"""What the library says of connections that fail, in plain words; over TLS it is its OpenSSL that speaks."""
TERMINATED = 487, "Request Terminated"
BYE_WAIT = 2.0
"""Seconds that a BYE's answer is waited for before the call is told to be over."""
DTMF_AFTER = 0.5
"""Seconds from the answer to the first digit, for media may not flow at once, or to the last one's return."""
DIGIT = 0.25
"""Seconds for a digit with the pause after it, at most; nothing else is sent meanwhile."""


def _message(rdata: Any) -> sip.Message | None:  # noqa: ANN401 - pjsua2 has no types
    return sip.parse(clean(rdata.wholeMsg).encode())


class Call(pj.Call):  # type: ignore[misc]  # pjsua2 has no types
    """One call of an endpoint, either way; its number is negative where the far end calls."""

    def __init__(
        self, worker: Worker, account: Account, number: int, slot: int = pj.PJSUA_INVALID_ID
    ) -> None:
        super().__init__(account, slot)
        self.worker = worker
        self.account = account
        self.number = number
        self.told = False
        self._talk: float | None = None
        self._audio = Audio()
        self._answers: Answers | None = None
        self._port: Port | None = None
        self._call_id: str | None = None
        self._peer = ""
        """SIP URI that its INVITE goes to."""
        self._trace = False
        self._answer_at: float | None = None
        self._dial_at: float | None = None
        self._hang_up_at: float | None = None
        self._bye_at: float | None = None
        self._post_bye_delay: float | None = None
        self._ended_at: float | None = None
        self._hung_up_by: str | None = None
        self._final: int | None = None
        """Status of the final response, once it has been told of."""
        self._answered = False
        self._q850: int | None = None
        self._digits = ""
        self._echoed = 0
        self._codec: str | None = None
        self._packet = 0.02, 1
        self._streams: dict[tuple[int, int], Stream] = {}
        """By when they began, since one can be told of more than once (pjproject #2194)."""

    # ---- what is asked of it

    def place(self, place: Place) -> None:
        """Send the INVITE; what fails here is ours, since transport errors are told later."""
        self._talk, self._audio, self._trace = place.talk, place.audio, place.trace
        self._peer = place.target or place.uri
        try:
            param = pj.CallOpParam(True)
            headers = list(place.headers)
            if self.account.identity is not None:
                param.txOption.localUri, own = caller(self.account.identity)
                headers = own + headers
            param.txOption.headers = header_vector(headers)
            self._port = self.worker.ports.take(place.audio)
            self.worker.prefer(place.codecs or self.worker.settings.codecs)
            now = time.monotonic()
            with self.worker.dialogs.placing(self.number):
                self.makeCall(place.uri, param)
            self._call_id = self.getInfo().callIdString
            self.worker.dialogs.named(self.number, self._call_id)
            self.worker.tell(Sent(self.number, self.worker.traces.began(self._call_id) or now))
        except pj.Error as error:
            self.lose(error.reason)
        except (OSError, ValueError) as error:
            self.lose(str(error))

    def take(self, answers: Answers | None) -> None:
        """Take a call that came in as told; None: decline it."""
        self._call_id = self.getInfo().callIdString
        self._answers = answers
        if answers is None:
            self._answer(DECLINE)
            return
        self._talk, self._trace = answers.talk, True
        if answers.plays != "echo":
            self._audio = Audio(answers.plays)
            self._port = self.worker.ports.take(self._audio)
        self._answer(PROGRESS if answers.early else RINGING)
        self._answer_at = time.monotonic() + answers.ring

    def give_up(self) -> None:
        """Hang up, unless that has been done."""
        if self._ended_at is None and self._hung_up_by is None:
            self._hung_up_by = "us"
            if self._answered:
                self._bye_at = time.monotonic()
            self._stop_listening()
            self.hangup(pj.CallOpParam())

    def lose(self, reason: str) -> None:
        """Tell that the tool has lost it."""
        self._ended_at = time.monotonic()
        self.told = True
        self._release()
        self.worker.tell(Lost(self.number, reason, self._ended_at))

    def tick(self, now: float) -> None:
        """Do what is due: answer, dial digits, hang up, tell of the end."""
        if self._ended_at is not None:
            # Only now, because the media end after the call does.
            if not self.told and self._said_goodbye(now):
                self.told = True
                self._tell_end()
            return
        if self._answer_at is not None and now >= self._answer_at:
            self._answer_at = None
            assert self._answers is not None  # it was told when to answer
            self._answer(self._answers.status)
        if self._dial_at is not None and now >= self._dial_at:
            self._dial_at = None
            digits = self._audio.dtmf or ""
            self._dial(digits)
            if self._port is not None:
                self._port.ignore(DIGIT * len(digits) + DTMF_AFTER)
        if self._answers is not None and self._answers.plays == "echo" and self._echoed < len(self._digits):
            self._dial(self._digits[self._echoed :])
            self._echoed = len(self._digits)
        if self._hang_up_at is not None and now >= self._hang_up_at:
            self.give_up()

    def calm(self, until: float) -> bool:
        """Whether it is talked over, with nothing for us to do until then."""
        due = (self._answer_at, self._dial_at, self._hang_up_at)
        return self._answered and self._ended_at is None and all(at is None or at > until for at in due)

    def check(self) -> None:
        """End a call whose end was never told."""
        if self._ended_at is None:
            try:
                info = self.getInfo()
            except pj.Error:
                self.lose("the library has forgotten it")
                return
            if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                self._end(info.lastStatusCode, info.lastReason)

    def slot_free(self) -> bool:
        """Whether the library has forgotten the call; against a silent peer that takes 32 s (Timer B)."""
        if self._forgotten():
            self.worker.dialogs.forget(self._call_id or "")
            return True
        return False

    def _forgotten(self) -> bool:
        if self.getId() == pj.PJSUA_INVALID_ID:
            return True  # it never had one, and to ask for more would abort the process
        try:
            self.getInfo()
        except pj.Error:
            return True
        return False

    # ---- its end

    def _end(self, status: int, reason: str) -> None:
        if self._ended_at is not None:
            return
        self._ended_at = time.monotonic()
        if self._final is not None and self._final < MULTIPLE_CHOICES and self._hung_up_by is None:
            self._hung_up_by = "us"  # the library did: it found no codec in the answer, or its timer ran out
        elif self._final is None and self._hung_up_by != "us" and self.number >= 0:
            if self._hung_up_by == "far":
                # A BYE before the answer: the library gives the status of the BYE, which is no answer.
                (status, reason), self._hung_up_by = TERMINATED, None
            reason = self.worker.library.trouble_at(self._peer) or PLAINLY.get(reason, reason)
            self.worker.tell(Response(self.number, status, clean(reason), self._ended_at, local=True))

    def _said_goodbye(self, now: float) -> bool:
        """Whether our BYE, if there is one, has its answer or has waited for long enough."""
        if self._bye_at is None or self._call_id is None:
            return True
        answered = self.worker.traces.bye_answered(self._call_id)
        if answered is not None:
            self._post_bye_delay = answered - self._bye_at
        return answered is not None or now >= self._bye_at + BYE_WAIT

    def _tell_end(self) -> None:
        assert self._ended_at is not None  # it is over
        rtp = together(list(self._streams.values()))
        heard: Heard | None = None
        files: tuple[str, ...] = ()
        if self._port is not None:
            arrives = list(self._streams.values())[-1].arrives if self._streams else None
            heard, files = self._port.end(self._digits if self._audio.dtmf else None, arrives)
        self._release()
        trace = self.worker.traces.take(self._call_id) if self._call_id is not None else None
        self.worker.tell(
            Ended(
                self.number,
                self._ended_at if self._bye_at is None else self._bye_at,
                self._hung_up_by,
                rtp,
                heard if self._answered else None,
                self._codec,
                self._q850,
                trace if self._trace else None,
                files,
                self._call_id,
                self._post_bye_delay,
            )
        )

    def _stop_listening(self) -> None:
        if self._port is not None:
            self._port.stop()

    def _release(self) -> None:
        if self._port is not None:
            self.worker.ports.give_back(self._port)
            self._port = None

    # ---- what it does

    def _answer(self, status: int) -> None:
        answer = pj.CallOpParam(True)
        answer.statusCode = status
        self.answer(answer)

    def _dial(self, digits: str) -> None:
        # Where no telephone events were agreed on none come back, and that is the measurement.
        with contextlib.suppress(pj.Error):
            self.dialDtmf(digits)

    # ---- what the library tells

    @guarded
    def onCallTsxState(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """A transaction of the call has moved."""
        event = prm.e.body.tsxState
        tsx = event.tsx
        if event.type != pj.PJSIP_EVENT_RX_MSG:
            return
        now = time.monotonic()
        ours = tsx.role == pj.PJSIP_ROLE_UAC
        message = _message(event.src.rdata)
        if tsx.method == "INVITE" and ours and tsx.statusCode < MULTIPLE_CHOICES:
            self._hear(tsx.statusCode, tsx.statusText, message, now)
        elif tsx.method in {"BYE", "CANCEL"} and not ours:
            self._hung_up_by = self._hung_up_by or "far"
            self._stop_listening()
            self._q850 = q850(message) or self._q850

    def _hear(self, status: int, reason: str, message: sip.Message | None, now: float) -> None:
        """Tell of a response to the INVITE, unless there has been a final one or a hang-up."""
        if self._final is not None or self._hung_up_by is not None or self.number < 0:
            return
        if status >= OK:
            self._final = status
        self._q850 = q850(message)
        contact, early = None, False
        if message is not None and MULTIPLE_CHOICES <= status < BAD_REQUEST:
            contact = message.first("contact") or None
        elif message is not None and status < OK:
            early = message.first("content-type").startswith("application/sdp")
        response = Response(
            self.number, status, clean(reason), now, q850=self._q850, contact=contact, early_media=early
        )
        self.worker.tell(response)

    @guarded
    def onCallState(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """The call has begun, been answered or ended."""
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            event = prm.e
            if event.type == pj.PJSIP_EVENT_TSX_STATE:
                # Of the response that ends a setup this comes first. A 401 that is met is no end.
                tsx = event.body.tsxState
                if tsx.type == pj.PJSIP_EVENT_RX_MSG and tsx.tsx.method == "INVITE":
                    message = _message(tsx.src.rdata)
                    # The call's own status may be that of a BYE which the library has sent meanwhile.
                    self._hear(tsx.tsx.statusCode, tsx.tsx.statusText, message, time.monotonic())
            self._end(info.lastStatusCode, info.lastReason)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            now = time.monotonic()
            self._answered = True
            if self._port is not None:
                self._port.answered()
            if self._talk is not None:
                self._hang_up_at = now + self._talk
            if self._audio.dtmf:
                self._dial_at = now + DTMF_AFTER

    def onCallRedirected(self, prm: Any) -> int:  # noqa: ANN401, N802 - pjsua2 has no types
        """Follow no 3xx: it is a response like others, where to stop would make it a 487."""
        del prm
        return int(pj.PJSIP_REDIRECT_REJECT)

    @guarded
    def onCallTransferRequest(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """Decline a REFER: the library would call, unguarded, whom the far end names."""
        prm.statusCode = DECLINE

    @guarded
    def onCallReplaceRequest(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """Decline an INVITE that would take the call's place (RFC 3891): no guard has permitted it."""
        prm.statusCode = DECLINE

    @guarded
    def onCallMediaState(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """Media can flow; after a re-INVITE they may be others."""
        del prm
        info = self.getInfo()  # named, because its media live no longer than it does
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                stream = self.getStreamInfo(index)
                self._codec = stream.codecName
                codec = stream.audCodecParam
                frames = codec.setting.frmPerPkt
                if codec.info.frameLen and frames:
                    self._packet = codec.info.frameLen * frames / 1e3, frames
                audio = self.getAudioMedia(index)
                if self._port is not None:
                    self._port.attach(audio)
                else:
                    # Without a listener the jitter buffer discards, and its figures lie.
                    audio.startTransmit(self.worker.library.audDevManager().getPlaybackDevMedia())
                    audio.startTransmit(audio)

    @guarded
    def onDtmfDigit(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """A digit has come (RFC 4733)."""
        self._digits += prm.digit

    @guarded
    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """Final figures of a stream."""
        stat = self.getStreamStat(prm.streamIdx)  # named, as above
        start = stat.rtcp.start
        self._streams[start.sec, start.msec] = measured(stat, *self._packet)
