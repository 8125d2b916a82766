"""What the processes of the live side tell each other over their pipes.

Instants are seconds of the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Workers never see a fault, and what it imports would take most of the time that they need to start.
    from carriers.faults import Fault

# ---- to a worker


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a worker is started as: a caller, or with `answers` the far end of a lab."""

    host: str
    """Address that it binds to; it takes any free port."""
    answers: Answers | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """How a far end takes calls: 180 at once, 200 after `ring`, then it sends back what it hears."""

    ring: float = 0.0
    talk: float | None = None
    """Seconds from its 200 to its BYE; None: it leaves that to the caller."""


@dataclass(frozen=True, slots=True)
class Place:
    """Send an INVITE, and a BYE `talk` seconds after the answer."""

    call: int
    uri: str
    talk: float


@dataclass(frozen=True, slots=True)
class HangUp:
    """Give a call up: BYE, CANCEL, or nothing while there is no response (RFC 3261, 9.1)."""

    call: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Send an OPTIONS."""

    ping: int
    uri: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Hang up, and end."""


# ---- from a worker


@dataclass(frozen=True, slots=True)
class Ready:
    """A process is at work, at this SIP address."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Sent:
    """The INVITE is on its way."""

    call: int
    at: float


@dataclass(frozen=True, slots=True)
class Response:
    """A response to the INVITE; none is told of after a hang-up."""

    call: int
    status: int
    reason: str
    at: float
    local: bool = False
    """Whether it is our own: a timeout (408) or a transport error (503)."""


@dataclass(frozen=True, slots=True)
class Rtp:
    """Packets of a call; sent and received by us, lost on the way to us by its sequence numbers."""

    sent: int
    received: int
    lost: int
    rtt: float | None
    """Mean round trip by RTCP, in seconds; None where RTCP never told (calls under some 5 s)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A call is over."""

    call: int
    at: float
    """BYE sent or received, or the end of the setup."""
    hung_up_by: str | None
    """`us`, `far`, or None where the setup failed; `us` for a setup that was given up, too."""
    rtp: Rtp | None
    """None where no media flowed."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The tool has lost a call: what became of it is not known, and no carrier is to blame."""

    call: int
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Freed:
    """The slot of a call that is over can be used again."""

    call: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """How an OPTIONS ended."""

    ping: int
    status: int | None
    """Its final status; None: a timeout or a transport error."""
    at: float


# ---- to and from a relay


@dataclass(frozen=True, slots=True)
class Play:
    """Behave as under this fault from now on; None: as a good carrier."""

    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Playing:
    """The fault that was last asked for is in force."""

    at: float


ToWorker = Place | HangUp | Ping | Stop
Event = Sent | Response | Ended | Lost
"""What happens to a call: `Ended` or `Lost` comes last."""
FromWorker = Ready | Event | Freed | Pinged
ToRelay = Play | Stop
FromRelay = Ready | Playing
