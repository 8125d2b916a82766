"""The one table of what each fault of a carrier does to calls, pings and media."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from carriers.laws import Law
from carriers.path import Transit


class Kind(Enum):
    """Failure modes of a carrier, a trunk or a segment, mildest first: of several at once the last shows."""

    POOR_AUDIO = "poor_audio"
    CONGESTION = "congestion"
    """Data on an access link besides what it usually has."""
    CAPACITY = "capacity"
    SLOW = "slow"
    ONE_WAY_AUDIO = "one_way_audio"
    REFUSES = "refuses"
    MAINTENANCE = "maintenance"
    TRYING_ONLY = "trying_only"
    SILENT = "silent"


class Reply(Enum):
    """What comes back for a request."""

    NORMAL = "normal"
    NOTHING = "nothing"
    ONLY_100 = "a 100, then nothing"
    REFUSAL = "the fault's status"


class Media(Enum):
    """What becomes of the speech of calls that connect."""

    GOOD = "good"
    POOR = "the fault's loss, jitter and delay besides the usual"
    ONE_WAY = "one side hears nothing"


@dataclass(frozen=True)
class Effect:
    """A row of the table: what a fault of this kind does."""

    invite: Reply
    options: Reply
    inbound: Reply
    """What calls meet that the carrier has for us; a refusal has the fault's share."""
    drops_calls: bool
    """Whether calls in progress are lost when the fault begins."""
    media: Media = Media.GOOD


_NORMAL = Effect(Reply.NORMAL, Reply.NORMAL, Reply.NORMAL, drops_calls=False)

EFFECTS: dict[Kind | None, Effect] = {
    None: _NORMAL,
    Kind.POOR_AUDIO: replace(_NORMAL, media=Media.POOR),
    Kind.CONGESTION: replace(_NORMAL, media=Media.POOR),
    Kind.CAPACITY: _NORMAL,
    Kind.SLOW: _NORMAL,
    Kind.ONE_WAY_AUDIO: replace(_NORMAL, media=Media.ONE_WAY),
    Kind.REFUSES: Effect(Reply.REFUSAL, Reply.NORMAL, Reply.REFUSAL, drops_calls=False),
    Kind.MAINTENANCE: Effect(Reply.REFUSAL, Reply.REFUSAL, Reply.NOTHING, drops_calls=False),
    Kind.TRYING_ONLY: Effect(Reply.ONLY_100, Reply.NORMAL, Reply.NOTHING, drops_calls=False),
    Kind.SILENT: Effect(Reply.NOTHING, Reply.NOTHING, Reply.NOTHING, drops_calls=True),
}
"""A refusal of OPTIONS is an answer that is not 2xx; whether it counts is the health rule's business."""


@dataclass(frozen=True)
class Fault:
    """A fault with its figures."""

    name: str
    kind: Kind
    status: int = 503
    share: float = 1.0
    """Share of the INVITEs that meet a refusal."""
    channels_left: float = 1.0
    """Share of the channels that is left."""
    post_dial_delay: Law | None = None
    """What replaces the carrier's own delay."""
    transit: Transit | None = None
    """What calls meet besides the usual (poor_audio)."""
    data: float = 0.0
    """Data besides the usual on an access link, in bit/s (congestion)."""
    cause: str = ""
    """Name in cause sets: `atlantic/poor_audio`, `access/congestion`."""

    @property
    def effect(self) -> Effect:
        """What it does."""
        return EFFECTS[self.kind]
