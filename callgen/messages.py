"""What the processes of the live side tell each other over their pipes.

Instants are seconds of the machine's monotonic clock, which all its processes share; durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from callgen.sip import Message

CODECS = ("PCMU", "PCMA", "G722", "GSM", "iLBC", "speex", "L16")
"""What the wheel of pjsua2 can do: no Opus, G.729 or AMR."""


class Secret:
    """A text that no log, error, trace or process list may show; `reveal` is the one way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself, for the wire alone."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


# ---- to a worker


@dataclass(frozen=True, slots=True)
class Identity:
    """One trunk as a worker sees it: whom it speaks to there, and as whom."""

    trunk: str
    uri: str
    """The peer's SIP URI (`sip:host:port;transport=tls`); requests go there."""
    username: Secret | None = None
    password: Secret | None = None
    realm: str = "*"
    register: bool = False
    register_every: float = 300.0
    caller_id: str | None = None
    """E.164; None: no caller-ID is presented."""
    caller_id_by: str = "pai"
    """`pai`: From and P-Asserted-Identity (RFC 3325) both tell it; `from`: From alone."""
    srtp: str = "off"
    """`off`, `optional` or `required` (RFC 4568)."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with each INVITE."""
    target: str | None = None
    """SIP URI of the address that its REGISTER goes to; None: as its URI says."""
    session_timer: float | None = None
    """Session-Expires (RFC 4028), at least 90; None: only where the far end asks for one."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How far ends prove themselves over TLS, and with what we do."""

    ca_file: str | None = None
    verify: bool = True
    certificate: str | None = None
    """Our own chain, a PEM file; a far end that answers over TLS needs one."""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """How a far end takes calls: 180 at once, its final response after `ring`, and what is heard then."""

    ring: float = 0.0
    talk: float | None = None
    """Seconds from its 200 to its BYE; None: it leaves that to the caller."""
    status: int = 200
    """Its final response."""
    early: bool = False
    """Rings with a 183 and media instead of the 180."""
    plays: str = "echo"
    """`echo`, `tone`, `speech`, `silence` or the path of a WAV file."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a worker is started as: a caller, or with `answers` the far end of a lab."""

    host: str = "127.0.0.1"
    """IPv4 address that it binds to, empty for any; it takes free SIP ports. The wheel has no IPv6."""
    answers: Answers | None = None
    transports: tuple[str, ...] = ("udp",)
    """`udp`, `tcp`, `tls`; the first is the one that `Ready` tells of."""
    codecs: tuple[str, ...] = ("PCMU",)
    """Offered, in order, of `CODECS`."""
    rtp_ports: tuple[int, int] | None = None
    """First port, and how many; None: whatever is free."""
    identities: tuple[Identity, ...] = ()
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """What a call plays, and what it listens for."""

    play: str = "tone"
    """`tone`, `speech`, `silence` or the path of a WAV file."""
    hear: str = "anything"
    """`echo`, `anything`, `nothing` or the path of a WAV file."""
    dtmf: str | None = None
    """Digits to send once it is answered (RFC 4733)."""
    record: str | None = None
    """Path of the recordings without their ends: STEM-sent.wav, STEM-heard.wav."""


@dataclass(frozen=True, slots=True)
class Place:
    """Send an INVITE, and a BYE `talk` seconds after the answer."""

    call: int
    uri: str
    talk: float
    identity: str | None = None
    """The trunk whose identity it has; None: none."""
    audio: Audio = field(default_factory=Audio)
    codecs: tuple[str, ...] | None = None
    """Offered, in order; None: the endpoint's."""
    headers: tuple[tuple[str, str], ...] = ()
    trace: bool = True
    """Whether `Ended` brings its SIP trace."""
    target: str | None = None
    """SIP URI of the address that it goes to (RFC 3263); None: as `uri` says."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Give a call up: BYE, CANCEL, or nothing while there is no response (RFC 3261, 9.1)."""

    call: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Send an OPTIONS."""

    ping: int
    uri: str
    identity: str | None = None
    target: str | None = None
    """As in `Place`."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Ask for `Alive`: a worker that hangs does not answer."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Hang up, and end."""


# ---- from a worker


@dataclass(frozen=True, slots=True)
class Ready:
    """A process is at work, at this SIP address."""

    host: str
    port: int
    ports: tuple[tuple[str, int], ...] = ()
    """The port of each transport, in the order of the endpoint's."""


@dataclass(frozen=True, slots=True)
class Alive:
    """The answer to `Beat`."""

    at: float


@dataclass(frozen=True, slots=True)
class Sent:
    """The INVITE is on its way."""

    call: int
    at: float


@dataclass(frozen=True, slots=True, repr=False)
class Dialog:
    """What it takes to end a call at the far end; told before its INVITE goes out, and as it changes.

    Its messages have no body and no credentials.
    """

    call: int
    transport: str
    """`udp`, `tcp` or `tls`."""
    peer: tuple[str, int]
    """Address that the INVITE went to."""
    invite: Message
    cseq: int
    """Of our last request."""
    answer: Message | None = None
    """The last response to the INVITE."""
    over: bool = False
    """Nothing is left to end: it was refused, or a BYE has been answered or has come."""

    def __repr__(self) -> str:
        return f"Dialog({self.call}, {self.invite.first('call-id')})"

    @property
    def answered(self) -> bool:
        """Whether the INVITE has a 2xx."""
        return self.answer is not None and 200 <= self.answer.status < 300


@dataclass(frozen=True, slots=True)
class Response:
    """A response to the INVITE; none is told of after a hang-up."""

    call: int
    status: int
    reason: str
    at: float
    local: bool = False
    """Whether it is our own: a timeout (408) or a transport error (503)."""
    q850: int | None = None
    """Cause of ITU-T Q.850 in its Reason header (RFC 3326, 6432)."""
    contact: str | None = None
    """Where a 3xx sends us; it is not followed."""
    early_media: bool = False
    """A provisional response with SDP."""


@dataclass(frozen=True, slots=True)
class Rtp:
    """Packets of a call, both ways; `None` where a figure is not known, never 0."""

    sent: int
    received: int
    """Each once."""
    lost: int
    """On the way to us, by sequence numbers."""
    rtt: float | None = None
    """Mean round trip by RTCP; None where RTCP never told (calls under some 5 s)."""
    late: int = 0
    """Discarded by our jitter buffer because they came too late."""
    duplicated: int = 0
    reordered: int = 0
    """Came after a later one; from the gaps that closed again."""
    loss_share: float | None = None
    """Lost / (received + lost); None where nothing was due."""
    burst_ratio: float | None = None
    """Mean loss run x (1 - loss) (ITU-T G.107, 3.6); None where nothing was lost."""
    jitter: float | None = None
    """Mean interarrival jitter of what we receive (RFC 3550, 6.4.1)."""
    buffer_delay: float | None = None
    """Mean delay of our jitter buffer."""
    far_lost: int | None = None
    """Of what we sent, as the far end's RTCP says; None, with the next two, where none came."""
    far_loss_share: float | None = None
    far_jitter: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the ear of a call found."""

    two_way: bool | None
    """Whether sound came, and what we sent arrived; None where that cannot be known."""
    silence_share: float | None
    """Share of the time since the answer without sound; None where nobody listened."""
    echo_delay: float | None
    """Seconds from our tone to its return."""
    dtmf: str | None
    """Digits that came (RFC 4733); None where none were sent."""
    level_dbov: float | None
    """Mean level of what is not silence, in dB below overload (RFC 3550's dBov)."""
    first_sound: float | None
    """Seconds from the answer to the first sound."""
    false_answer: bool
    """Answered, and never any audio."""
    likeness: float | None = None
    """Best correlation, 0 to 1, with the WAV file that was to be heard; None where there was none."""


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
    heard: Heard | None = None
    """None where it was not answered."""
    codec: str | None = None
    q850: int | None = None
    """Cause of ITU-T Q.850 in the far end's BYE or final response."""
    trace: str | None = None
    """SIP messages of the call, with their times; credentials are blanked."""
    recordings: tuple[str, ...] = ()
    call_id: str | None = None
    post_bye_delay: float | None = None
    """Seconds from our BYE to its 200."""


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
    rtt: float | None = None
    """Seconds from request to response."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration has been answered; 2xx: it holds until told otherwise."""

    identity: str
    status: int
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call has come in; its number is negative."""

    call: int
    at: float
    to: str
    from_: str
    pai: str | None
    identity: str | None


# ---- from a lab


@dataclass(frozen=True, slots=True)
class Playing:
    """The fault that was last asked for is in force."""

    at: float


ToWorker = Place | HangUp | Ping | Beat | Stop
Event = Sent | Response | Ended | Lost
"""What happens to a call: `Ended` or `Lost` comes last."""
FromWorker = Ready | Alive | Dialog | Event | Freed | Pinged | Registered | Incoming
