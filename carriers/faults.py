"""The one table of what each fault of a carrier does to calls, pings and media."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from carriers.laws import Law


class Kind(Enum):
    """Failure modes of a carrier or a trunk, mildest first: of several at once the last listed shows."""

    CAPACITY = "capacity"
    SLOW = "slow"
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


@dataclass(frozen=True)
class Effect:
    """A row of the table: what a fault of this kind does."""

    invite: Reply
    options: Reply
    drops_calls: bool
    """Whether calls in progress are lost when the fault begins."""


EFFECTS: dict[Kind | None, Effect] = {
    None: Effect(Reply.NORMAL, Reply.NORMAL, drops_calls=False),
    Kind.CAPACITY: Effect(Reply.NORMAL, Reply.NORMAL, drops_calls=False),
    Kind.SLOW: Effect(Reply.NORMAL, Reply.NORMAL, drops_calls=False),
    Kind.REFUSES: Effect(Reply.REFUSAL, Reply.NORMAL, drops_calls=False),
    Kind.MAINTENANCE: Effect(Reply.REFUSAL, Reply.REFUSAL, drops_calls=False),
    Kind.TRYING_ONLY: Effect(Reply.ONLY_100, Reply.NORMAL, drops_calls=False),
    Kind.SILENT: Effect(Reply.NOTHING, Reply.NOTHING, drops_calls=True),
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

    @property
    def effect(self) -> Effect:
        """What it does."""
        return EFFECTS[self.kind]
