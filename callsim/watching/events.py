"""What the watch loop tells its listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from callsim.live.probing import Leg, Probed
from callsim.plan.model import Plan
from results.store.entries import Entry, Why


@dataclass(frozen=True)
class ProbeDone:
    """The probe of one slot is over, with all its tries; instants are POSIX seconds."""

    id: str
    """The probe's: its tries share it."""
    leg: Leg
    due: float
    started: float
    ended: float
    probed: Probed
    entries: tuple[Entry, ...]
    """What is recorded of it: calls, attempts, traces, recordings; the last call is the one that counts."""


@dataclass(frozen=True)
class SlotMissed:
    """A slot went by without a probe."""

    leg: Leg
    due: float
    """POSIX seconds; of the first slot where it stands for several."""
    reason: Why
    count: int = 1
    """Slots that it stands for: more than 1 only after a very long sleep."""
    entries: tuple[Entry, ...] = ()
    """What was tried nevertheless, and says nothing of a carrier."""


@dataclass(frozen=True)
class PingDone:
    """An OPTIONS was answered, or not."""

    trunk: str
    carrier: str
    at: float
    """POSIX seconds, when it was sent."""
    status: int | None
    """None: no answer in time."""
    seconds: float | None
    """Until the answer; None without one."""


@dataclass(frozen=True)
class TrunkBelieved:
    """The router believes otherwise of a trunk from now on."""

    trunk: str
    carrier: str
    up: bool
    at: float


@dataclass(frozen=True)
class Reloaded:
    """The plan was read anew, at the start too."""

    ok: bool
    """False: it is refused, the one before goes on."""
    at: float
    why: str = ""
    """What is wrong with it; empty where nothing is."""
    plan: Plan | None = None
    """The plan that holds from now on; None where it is refused."""


@dataclass(frozen=True)
class KeeperChanged:
    """Records can, or cannot, be written where they belong."""

    state: str
    """`ok`, `spooling` or `dropping`, with since when and how many."""
    at: float


@dataclass(frozen=True)
class Ticked:
    """A second or so has gone by."""

    at: float


Event = ProbeDone | SlotMissed | PingDone | TrunkBelieved | Reloaded | KeeperChanged | Ticked
Listener = Callable[[Event], None]
"""Never blocks; what it raises is logged, counted, and goes no further."""
