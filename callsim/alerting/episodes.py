"""When something has been bad so often that it is to be told, since when, until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_FINDINGS = 8
"""Different findings of an episode that are counted apart."""


@dataclass(frozen=True)
class Seen:
    """What became of a slot, as one kind of alert sees it; instants are POSIX seconds."""

    test: str
    subject: str
    """The leg: a trunk, `route`, or `boreal/1 to atlantic/1`."""
    due: float
    started: float
    ended: float
    bad: bool
    finding: str = ""
    """What was bad, like `503 Service Unavailable`."""
    count: int = 1
    """Slots that it stands for."""


@dataclass
class Episode:
    """A time of something bad; it began, and ended, between an earliest and a latest instant."""

    subject: str
    began_latest: float
    """End of the first bad probe."""
    began_earliest: float | None = None
    """Start of the last good probe before it; None where there was none."""
    ended_earliest: float | None = None
    """Start of the last bad probe; None while it goes on."""
    ended_latest: float | None = None
    """End of the first good probe after it."""
    probes: int = 0
    bad: int = 0
    findings: dict[str, int] = field(default_factory=dict)
    """What was found, with how often."""
    note: str = ""
    """What else there is to say of its end."""

    @property
    def still(self) -> bool:
        """Whether it goes on."""
        return self.ended_latest is None

    def add(self, finding: str, count: int) -> None:
        """Count a bad probe."""
        self.bad += count
        known = finding if finding in self.findings or len(self.findings) < MOST_FINDINGS else "other"
        if known:
            self.findings[known] = self.findings.get(known, 0) + count


@dataclass(frozen=True)
class Change:
    """An episode began, grew worse, or is over."""

    episode: Episode
    over: bool


@dataclass
class _Bad:
    """A bad probe that may come to belong to an episode."""

    test: str
    due: float
    ended: float
    finding: str
    count: int
    good_before: float | None
    seen_before: int


@dataclass
class Tracker:
    """One subject: it is in an episode from `after` bad slots within `within` seconds on.

    The slots' due times are compared. The episode is over when each test that was bad is good again; bad
    slots of an episode count for no other.
    """

    subject: str
    bads: list[_Bad] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    """Tests whose last result is bad."""
    last_good: float | None = None
    """Start of its last good probe."""
    last_bad: float | None = None
    seen: int = 0
    episode: Episode | None = None

    def see(self, seen: Seen, after: int, within: float) -> Change | None:
        """Take a result; gives the episode that begins, or is over, with it."""
        before = self.seen
        self.seen += seen.count
        if self.episode is not None:
            self.episode.probes += seen.count
        if not seen.bad:
            return self._good(seen)
        self.last_bad = seen.started
        if seen.test not in self.failing:
            self.failing.append(seen.test)
        if self.episode is not None:
            self.episode.add(seen.finding, seen.count)
            return None
        self.bads = [bad for bad in self.bads if bad.due >= seen.due - within]
        self.bads.append(
            _Bad(
                seen.test,
                seen.due,
                seen.ended,
                seen.finding,
                seen.count,
                self.last_good,
                before,
            )
        )
        return self.open() if sum(bad.count for bad in self.bads) >= after else None

    def open(self) -> Change | None:
        """Begin an episode with the bad slots so far, where the last result of a test is bad."""
        if self.episode is not None or not self.failing:
            return None
        first = self.bads[0]
        self.episode = Episode(
            self.subject, first.ended, first.good_before, probes=self.seen - first.seen_before
        )
        for bad in self.bads:
            self.episode.add(bad.finding, bad.count)
        self.bads = []
        return Change(self.episode, over=False)

    def keep(self, tests: Iterable[str], now: float) -> Change | None:
        """Go on with these tests only; gives the episode that is over without the others."""
        kept = [test for test in self.failing if test in tests]
        gone = len(kept) < len(self.failing)
        self.failing = kept
        self.bads = [bad for bad in self.bads if bad.test in tests]
        return self._close(now, "no longer in the plan") if gone and not kept else None

    def _good(self, seen: Seen) -> Change | None:
        self.last_good = seen.started
        if seen.test in self.failing:
            self.failing.remove(seen.test)
        return None if self.failing else self._close(seen.ended)

    def _close(self, at: float, note: str = "") -> Change | None:
        if self.episode is None:
            return None
        episode, self.episode = self.episode, None
        episode.ended_earliest, episode.ended_latest, episode.note = self.last_bad, at, note
        return Change(episode, over=True)

    def to_json(self) -> dict[str, Any]:
        """Write it; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tracker:
        """Read what `to_json` wrote; raises TypeError or KeyError for anything else."""
        episode = data.pop("episode")
        bads = [_Bad(**bad) for bad in data.pop("bads")]
        return cls(**data, bads=bads, episode=Episode(**episode) if episode else None)
