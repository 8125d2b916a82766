"""What is known of a real call when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from callgen.messages import Rtp
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

    @property
    def answered(self) -> bool:
        """Whether its final response was a 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def progressed(self) -> float | None:
        """When the caller first heard something: ringing, or the answer (RFC 6076, 4.3.1)."""
        return self.ringing if self.ringing is not None or not self.answered else self.final


@dataclass(frozen=True)
class CallRecord:
    """A call with all its attempts, in order."""

    number: str
    outcome: Outcome
    status: int | None
    """Last final status; None where nothing was sent."""
    reason: str | None
    attempts: tuple[Attempt, ...]

    @property
    def trunk(self) -> str | None:
        """Who carried it; None where nobody did."""
        return self.attempts[-1].trunk if self.outcome is Outcome.ANSWERED else None

    @property
    def pdd(self) -> float | None:
        """Post-dial delay of a call that was answered: from its first INVITE to ringing, in seconds."""
        heard = self.attempts[-1].progressed if self.outcome is Outcome.ANSWERED else None
        return None if heard is None else heard - self.attempts[0].sent

    @property
    def talk(self) -> float:
        """Seconds from the answer to the BYE; 0 where there was no answer."""
        last = self.attempts[-1] if self.attempts else None
        if last is None or not last.answered or last.final is None or last.ended is None:
            return 0.0
        return last.ended - last.final


def outcome_of(setup: CallSetup) -> Outcome:
    """Name the outcome of a setup that is over."""
    named = {End.CONNECTED: Outcome.ANSWERED, End.NO_ANSWER: Outcome.NO_ANSWER}
    if setup.outcome in named:
        return named[setup.outcome]
    status = setup.status or 0
    if status in {486, 600}:
        return Outcome.BUSY
    if status == 408:
        return Outcome.TIMEOUT
    return Outcome.FAILED if 500 <= status < 600 else Outcome.REJECTED
