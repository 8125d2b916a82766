"""Which changes go into one message, at what time.

A first change waits a moment for others, that all trunks of a carrier come in one message. After a message
there is none for some minutes, and what comes meanwhile goes into the next; but a failure that has come to be
one of all subjects does not wait. A subject alone causes no more than two messages in an hour, its failure
with its recovery; when it flaps, the rest is summed up in the next one. In quiet hours nothing is sent; what
is still so at their end is told then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from callsim.alerting.episodes import Change, Episode

WAIT = 10.0
"""Seconds that a first change waits for others."""
GAP = 300.0
"""Seconds between two messages of a group."""
HOUR = 3600.0
CAUSED = 2
"""Messages that a subject may cause in an hour."""


@dataclass
class Item:
    """What there is to tell of a subject: episodes that began, or ended, since it was last told."""

    episode: Episode
    """The last one."""
    began: int = 0
    ended: int = 0
    closes: bool = False
    """Whether the first thing to tell is the end of an episode that was told."""


@dataclass
class Group:
    """Changes on their way into messages; `say_when_over` is whether ends are told by themselves."""

    pending: dict[str, Item] = field(default_factory=dict)
    since: float = 0.0
    """When the first of them came."""
    last: float | None = None
    """When there was a message."""
    told: dict[str, list[float]] = field(default_factory=dict)
    """Subjects with the times of messages that had them, of the last hour."""
    open: list[str] = field(default_factory=list)
    """Subjects of episodes that were told, and go on."""
    hushed: bool = False
    """Whether something was held back for quiet hours."""

    def add(self, change: Change, now: float, *, say_when_over: bool) -> None:
        """Take a change."""
        subject = change.episode.subject
        item = self.pending.get(subject)
        known = subject in self.open
        if change.over and known:
            self.open.remove(subject)
        if item is None:
            if change.over and not (known and say_when_over):
                return
            if not self.pending:
                self.since = now
            item = self.pending[subject] = Item(change.episode, closes=change.over)
        item.episode = change.episode
        item.began += not change.over
        item.ended += change.over

    def ready(self, now: float, *, quiet: bool, all_bad: bool = False) -> bool:
        """Whether there is a message to send; `all_bad`: every subject there is fails."""
        if quiet:
            self.hushed = self.hushed or bool(self.pending)
            return False
        if self.hushed:
            self.hushed = False
            self.pending = {
                subject: item for subject, item in self.pending.items() if item.closes or item.episode.still
            }
        self._put_back(now)
        if not self.pending or now < self.since + WAIT:
            return False
        widens = all_bad and any(
            item.episode.still and subject not in self.open for subject, item in self.pending.items()
        )
        if self.last is not None and now < self.last + (WAIT if widens else GAP):
            return False
        self.told = {
            subject: recent
            for subject, times in self.told.items()
            if (recent := [at for at in times if at > now - HOUR])
        }
        return any(len(self.told.get(subject, ())) < CAUSED for subject in self.pending)

    def take(self, now: float) -> list[Item]:
        """Give everything there is to tell, which from now on is told."""
        items = list(self.pending.values())
        for subject, item in self.pending.items():
            self.told[subject] = [*self.told.get(subject, ()), now][-CAUSED:]
            if item.episode.still and subject not in self.open:
                self.open.append(subject)
        self.pending = {}
        self.last = now
        return items

    def _put_back(self, now: float) -> None:
        """Follow a clock that was put back, lest we wait until it has caught up."""
        self.since = min(self.since, now)
        if self.last is not None:
            self.last = min(self.last, now)
        self.told = {subject: [min(at, now) for at in times] for subject, times in self.told.items()}

    def to_json(self) -> dict[str, Any]:
        """Write it; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Group:
        """Read what `to_json` wrote; raises TypeError or KeyError for anything else."""
        pending = {
            subject: Item(**{**item, "episode": Episode(**item["episode"])})
            for subject, item in data.pop("pending").items()
        }
        return cls(**data, pending=pending)
