"""One row of each of the store's tables."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Direction = Literal["outbound", "inbound"]
Why = Literal["asleep", "slots_full", "guard", "late", "stopped", "own_network", "not_resolved"]
"""Why a slot went by without a probe."""
IncidentKind = Literal["outage", "poor_audio", "blind", "alert_failing", "plan_refused"]
DocumentKind = Literal["plan", "scenario", "carriers"]
SERVICE = "service"
"""Subject of an incident of all trunks."""


def new_id(at: float) -> str:
    """Make an entry's id for a POSIX time: 12 hex digits of milliseconds, 20 drawn by the system."""
    return f"{int(at * 1000):012x}{secrets.token_hex(10)}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Base of all kinds."""

    TABLE: ClassVar[str]
    """Name of its table."""


@dataclass(frozen=True, kw_only=True)
class Call(Entry):
    """A probe's call; times are POSIX seconds, durations seconds, None is what is not known."""

    TABLE: ClassVar = "calls"

    id: str
    probe: str
    """Id of the slot's first try; the same for all its tries."""
    attempt_no: int = 1
    """Which try of the slot, from 1."""
    last: bool = True
    """Whether it is the try that counts."""
    location: str
    plan: str
    test: str
    over: str
    """Leg: a trunk's name, `route`, or `boreal/1 to atlantic/1`."""
    trunk: str | None
    """Who carried it, or was asked last."""
    carrier: str | None
    direction: Direction = "outbound"
    number: str
    """E.164, or `hashed:` with its keyed hash."""
    due_at: float | None
    """Time of its slot; None where it had none."""
    started_at: float
    ended_at: float
    outcome: str
    sip_status: int | None
    q850: int | None = None
    reason: str | None = None
    passed: bool | None
    """None where it says nothing of the carrier: refused by the guard, lost by the tool."""
    checks: Sequence[Mapping[str, Any]] = ()
    pdd_s: float | None = None
    setup_s: float | None = None
    talk_s: float | None = None
    hung_up_by: str | None = None
    codec: str | None = None
    mos: float | None = None
    mos_source: str | None = None
    loss_share: float | None = None
    jitter_ms: float | None = None
    rtt_ms: float | None = None
    two_way: bool | None = None
    cost: float | None = None
    clock_offset_s: float | None = None
    """How far the prober's clock was ahead."""
    record: Mapping[str, Any] | None = None
    """The rest of what is known."""


@dataclass(frozen=True, kw_only=True)
class Attempt(Entry):
    """One INVITE of a call."""

    TABLE: ClassVar = "attempts"

    id: str
    call: str
    no: int
    """From 1."""
    trunk: str
    carrier: str | None
    sip_status: int | None
    reason: str | None = None
    pdd_s: float | None = None
    seconds: float | None = None
    q850: int | None = None
    sip_call_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ping(Entry):
    """An OPTIONS request; `status` and `seconds` are None where nothing came."""

    TABLE: ClassVar = "pings"

    id: str
    location: str
    plan: str
    trunk: str
    carrier: str | None
    at: float
    status: int | None
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Missed(Entry):
    """A slot without a probe, or `count` of them from `due_at` on."""

    TABLE: ClassVar = "missed"

    id: str
    location: str
    plan: str
    test: str
    over: str
    trunk: str | None
    carrier: str | None
    due_at: float
    reason: Why
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Incident(Entry):
    """Something that was wrong, as it is known so far: of one id the highest `revision` holds."""

    TABLE: ClassVar = "incidents"

    id: str
    location: str
    plan: str
    kind: IncidentKind
    subject: str
    """A leg, trunk, carrier or `service`."""
    began_earliest: float | None
    """None where it was so already at the first probe."""
    began_latest: float
    ended_earliest: float | None = None
    """None while it goes on."""
    ended_latest: float | None = None
    probes: int = 0
    failed: int = 0
    cause: str | None = None
    detail: Mapping[str, Any] | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True)
class Trace(Entry):
    """SIP messages of a call; `id` is the call's."""

    TABLE: ClassVar = "traces"

    id: str
    sip: str


@dataclass(frozen=True, kw_only=True)
class Recording(Entry):
    """A WAV file of one direction of a call."""

    TABLE: ClassVar = "recordings"

    id: str
    call: str
    direction: Literal["sent", "heard"]
    path: str
    """Absolute, on the prober's machine."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class GuardUse(Entry):
    """What calls over a trunk have used of a day's caps; of one day and trunk the latest `at` holds."""

    TABLE: ClassVar = "guard_use"

    id: str
    location: str
    plan: str
    day: str
    """YYYY-MM-DD, UTC."""
    trunk: str
    at: float
    """When it was counted."""
    calls: int
    minutes: int
    spend: float
    refused: int


@dataclass(frozen=True, kw_only=True)
class Document(Entry):
    """A plan, scenario or carrier file as it was used; `id` is the SHA-256 of its text."""

    TABLE: ClassVar = "documents"

    id: str
    kind: DocumentKind
    name: str
    text: str

    @classmethod
    def of(cls, kind: DocumentKind, name: str, text: str) -> Document:
        """Make one, with its id."""
        return cls(id=hashlib.sha256(text.encode()).hexdigest(), kind=kind, name=name, text=text)


@dataclass(frozen=True, kw_only=True)
class Run(Entry):
    """A run of the simulator."""

    TABLE: ClassVar = "runs"

    id: str
    name: str
    document: str
    """Id of its scenario's document."""
    seed: int
    version: str
    at: float
    years: float
    result: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Heartbeat(Entry):
    """A sign of life of a prober; of one location and plan the latest `at` holds."""

    TABLE: ClassVar = "heartbeats"

    location: str
    plan: str
    at: float
    started_at: float
    version: str
    clock_offset_s: float | None = None


KINDS: tuple[type[Entry], ...] = (
    Call,
    Attempt,
    Ping,
    Missed,
    Incident,
    Trace,
    Recording,
    GuardUse,
    Document,
    Run,
    Heartbeat,
)
