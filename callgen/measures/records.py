"""What is known of a real call when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from callgen.measures.rates import StatusClass, class_of
from callgen.measures.rating import Mos, mos_of, sources_of
from callgen.messages import Heard, Rtp
from carriers.routing import CallSetup
from carriers.routing import Outcome as End


class Outcome(Enum):
    """How a call came out, as a caller would say."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    FAILED = "failed"
    TIMEOUT = "timeout"
    REFUSED_BY_GUARD = "refused_by_guard"
    LOST_BY_TOOL = "lost_by_tool"
    """Our own process died, or had no slot; it says nothing about a carrier."""


_OUTCOMES = {
    StatusClass.ANSWERED: Outcome.ANSWERED,
    StatusClass.BUSY: Outcome.BUSY,
    StatusClass.NOT_AVAILABLE: Outcome.NO_ANSWER,
    StatusClass.TIMEOUT: Outcome.TIMEOUT,
    StatusClass.OUT_OF_SERVICE: Outcome.FAILED,
    StatusClass.FAILED: Outcome.FAILED,
}


@dataclass(frozen=True)
class Attempt:
    """One INVITE; instants in seconds of the monotonic clock, None for what did not happen."""

    trunk: str
    sent: float
    trying: float | None = None
    """The 100."""
    ringing: float | None = None
    """The first of 101 to 199."""
    final: float | None = None
    """The final response; a timeout of ours is none."""
    ended: float | None = None
    """BYE, sent or received, or the end of the setup."""
    status: int | None = None
    """The final status; a local 408 or 503 for a timeout or a transport error; None: lost by the tool."""
    reason: str | None = None
    hung_up_by: str | None = None
    """`us`, `far`; None where the setup failed."""
    rtp: Rtp | None = None
    heard: Heard | None = None
    call_id: str | None = None
    q850: int | None = None
    """Cause of ITU-T Q.850 that the far end gave."""
    codec: str | None = None
    early_media: bool = False
    """Whether a provisional response had SDP."""
    contact: str | None = None
    """Where a 3xx would have sent us."""
    trace: str | None = None
    """Its SIP messages."""
    recordings: tuple[str, ...] = ()
    post_bye_delay: float | None = None
    """Seconds from our BYE to its 200."""
    target: str | None = None
    """SIP URI of the address that DNS gave for it; None: it went where the trunk's URI says."""

    @property
    def answered(self) -> bool:
        """Whether its final response was a 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def progressed(self) -> float | None:
        """When the caller first heard something: ringing, or the answer (RFC 6076, 4.3.1)."""
        return self.ringing if self.ringing is not None or not self.answered else self.final

    def to_json(self) -> dict[str, Any]:
        """Write it as a call's record has it; durations in seconds."""
        return {
            "trunk": self.trunk,
            "target": self.target,
            "sip_status": self.status,
            "reason": self.reason,
            "pdd_s": _between(self.sent, self.progressed),
            "seconds": _between(self.sent, self.ended),
        }


@dataclass(frozen=True)
class CallRecord:
    """A call with all its attempts, in order; what was measured is the last one's."""

    number: str
    outcome: Outcome
    status: int | None
    """Last final status; None where nothing was sent."""
    reason: str | None
    attempts: tuple[Attempt, ...]
    started_at: float
    """POSIX time."""
    caller_id: str | None = None
    """As whom the last attempt called, in E.164."""

    @property
    def _last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def trunk(self) -> str | None:
        """Who carried it; None where nobody did."""
        return self.attempts[-1].trunk if self.outcome is Outcome.ANSWERED else None

    @property
    def pdd(self) -> float | None:
        """Post-dial delay of a call that was answered: from its first INVITE to ringing, in seconds."""
        if self.outcome is not Outcome.ANSWERED:
            return None
        return _between(self.attempts[0].sent, self.attempts[-1].progressed)

    @property
    def setup(self) -> float | None:
        """Seconds from its first INVITE to the 200; None where it was not answered."""
        if self.outcome is not Outcome.ANSWERED:
            return None
        return _between(self.attempts[0].sent, self.attempts[-1].final)

    @property
    def talk(self) -> float:
        """Seconds from the answer to the BYE; 0 where there was no answer."""
        last = self._last
        if last is None or not last.answered or last.final is None or last.ended is None:
            return 0.0
        return last.ended - last.final

    @property
    def rtp(self) -> Rtp | None:
        """Packets of the call; None where no media flowed."""
        return self._last.rtp if self._last else None

    @property
    def heard(self) -> Heard | None:
        """What the ear found; None where it was not answered."""
        return self._last.heard if self._last else None

    @cached_property
    def mos(self) -> Mos | None:
        """How it sounded; None where that is not known."""
        return mos_of(self.rtp, self._last.codec) if self._last and self._last.answered else None

    @property
    def trace(self) -> str | None:
        """SIP messages of all its attempts, each under its trunk's name."""
        traces = [f"=== {n}. {a.trunk}\n{a.trace}" for n, a in enumerate(self.attempts, 1) if a.trace]
        return "\n".join(traces) or None

    def to_json(self) -> dict[str, Any]:
        """Write it; keys end in their unit, null is what is not known."""
        last, rtp, heard, mos = self._last, self.rtp, self.heard, self.mos
        return {
            "call_id": last.call_id if last else None,
            "to": self.number,
            "outcome": self.outcome.value,
            "class": None if self.status is None else class_of(self.status).value,
            "started_at": self.started_at,
            "sip_status": self.status,
            "q850_cause": last.q850 if last else None,
            "reason": self.reason,
            "attempts": [attempt.to_json() for attempt in self.attempts],
            "pdd_s": self.pdd,
            "setup_s": self.setup,
            "talk_s": self.talk,
            "hung_up_by": last.hung_up_by if last else None,
            "codec": last.codec if last else None,
            "rtp": None if rtp is None else _rtp_json(rtp),
            "audio": None if heard is None else _audio_json(heard),
            "mos": None if mos is None else {"value": mos.value, "scale": mos.scale, "source": mos.source},
            "sources": None if rtp is None else sources_of(rtp, mos),
            "trace": self.trace,
        }


def outcome_of(setup: CallSetup) -> Outcome:
    """Name the outcome of a setup that is over."""
    if setup.outcome is End.NO_ANSWER:
        return Outcome.NO_ANSWER
    assert setup.status is not None  # it is over
    return _OUTCOMES.get(class_of(setup.status), Outcome.REJECTED)


def _rtp_json(rtp: Rtp) -> dict[str, Any]:
    return {
        "sent": rtp.sent,
        "received": rtp.received,
        "lost": rtp.lost,
        "late": rtp.late,
        "duplicated": rtp.duplicated,
        "loss_share": rtp.loss_share,
        "burst_ratio": rtp.burst_ratio,
        "jitter_ms": _ms(rtp.jitter),
        "rtt_ms": _ms(rtp.rtt),
    }


def _audio_json(heard: Heard) -> dict[str, Any]:
    return {
        "two_way": heard.two_way,
        "silence_share": heard.silence_share,
        "echo_delay_ms": _ms(heard.echo_delay),
        "dtmf_heard": heard.dtmf,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000.0


def _between(start: float, end: float | None) -> float | None:
    return None if end is None else end - start
