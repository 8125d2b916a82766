"""What an alert says, for people to read, for programs to parse."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from callsim.alerting.episodes import Episode
from callsim.alerting.grouping import Item
from callsim.figures import exact_duration
from callsim.plan import Plan
from results.store.entries import SERVICE, new_id

FORMAT = 1
SHOWN = 20
"""Subjects that a text has lines for; JSON has them all."""
NAMED = 3
"""Subjects that a title names one by one."""
SAYS = {
    "trunk_failing": ("failing", "works again", "probes failed"),
    "poor_audio": ("poor audio", "sounds good again", "probes sounded poor"),
    "prober_blind": ("not probed", "is probed again", "slots went by without a probe"),
    "budget_burning": ("error budget is burning", "error budget no longer burns", ""),
    "alert_failing": ("alerts do not get through", "alerts get through again", "tries failed"),
}
"""Of each kind: what is so, what is so when it is over, what was counted."""


@dataclass(frozen=True)
class Message:
    """One message as it is sent, which says nothing that is secret."""

    id: str
    at: float
    """POSIX seconds."""
    plan: str
    location: str
    kind: str
    """What the alert is for, `alert_failing`, or `test`."""
    state: str
    """`began`, `over`, or `both` where it has some of each."""
    title: str
    text: str
    subjects: Sequence[Mapping[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Write it as programs get it; instants are POSIX seconds, durations seconds."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        """Read what `to_json` wrote; raises TypeError for anything else."""
        return cls(**{key: value for key, value in data.items() if key != "format"})


@dataclass(frozen=True)
class Writer:
    """Writes messages about a plan."""

    plan: Plan
    location: str

    def write(self, kind: str, items: Sequence[Item], at: float) -> Message:
        """Write a message about some subjects at a time."""
        still = [item.episode.subject for item in items if item.episode.still]
        over = [item.episode.subject for item in items if not item.episode.still]
        begins, ends, _ = SAYS[kind]
        if kind == "budget_burning":
            parts = [begins] * bool(still) + [ends] * bool(over)
        else:
            parts = [f"{self._named(still)}: {begins}"] if still else []
            parts += [f"{self._named(over)}: {ends}"] if over else []
        lines = [self._line(kind, item) for item in items[:SHOWN]]
        if len(items) > SHOWN:
            lines.append(f"and {len(items) - SHOWN} more")
        return Message(
            new_id(at),
            at,
            self.plan.name,
            self.location,
            kind,
            "both" if still and over else "began" if still else "over",
            f"{self.plan.name} at {self.location}: {'; '.join(parts)}",
            "\n".join(lines),
            [self._subject(item) for item in items],
        )

    def test(self, at: float) -> Message:
        """Write a message that says of itself that it is a test."""
        return Message(
            new_id(at),
            at,
            self.plan.name,
            self.location,
            "test",
            "began",
            f"TEST: {self.plan.name} at {self.location}",
            f"This is a test of the alerts of {self.plan.name}, sent at {self._time(at)}. Nothing is wrong.",
        )

    # ---- words

    def _named(self, subjects: Sequence[str]) -> str:
        """Name trunks together: all of them, all of a carrier, or one by one."""
        names = self.plan.trunk_names()
        if len(names) > 1 and set(names) <= set(subjects):
            return f"all {len(names)} trunks"
        shown = list(subjects)
        for carrier in dict.fromkeys(trunk.carrier for trunk in self.plan.trunks):
            own = [names[n] for n in self.plan.trunks_of(carrier)]
            if len(own) > 1 and set(own) <= set(shown):
                place = shown.index(own[0])
                shown = [name for name in shown if name not in own]
                shown.insert(min(place, len(shown)), f"all {len(own)} trunks of {carrier}")
        if len(shown) > NAMED:
            shown[NAMED:] = [f"{len(shown) - NAMED} more"]
        return ", ".join(shown)

    def _line(self, kind: str, item: Item) -> str:
        episode = item.episode
        begins, ends, counted = SAYS[kind]
        name = "" if kind == "budget_burning" else f"{episode.subject}: "
        times = f", {item.began} times since it was last told" if item.began > 1 else ""
        found = ", ".join(f"{count} x {what}" for what, count in episode.findings.items() if what)
        parts = [f"{name}{begins if episode.still else episode.note or ends}{times}"]
        if kind == "budget_burning":
            parts += list(episode.findings)[-1:] if episode.still else []
            parts.append(self._when(episode))
        else:
            parts.append(self._when(episode))
            parts.append(f"{episode.bad} of {episode.probes} {counted}" + f" ({found})" * bool(found))
        repair = self._repair(episode.subject)
        if episode.still and kind == "trunk_failing" and repair is not None:
            parts.append(f"usually repaired within {exact_duration(repair)}")
        return "; ".join(parts)

    def _when(self, episode: Episode) -> str:
        began = self._between(episode.began_earliest, episode.began_latest)
        if episode.ended_latest is None:
            return f"since {began}"
        return f"from {began} to {self._between(episode.ended_earliest, episode.ended_latest)}"

    def _between(self, earliest: float | None, latest: float) -> str:
        """Write an instant that is known within bounds."""
        if earliest is None:
            return f"{self._time(latest)} or before"
        if latest - earliest < 1.0:
            return self._time(latest)
        first, last = self._local(earliest), self._local(latest)
        same_day = first.date() == last.date()
        return f"{first:%Y-%m-%d %H:%M:%S}..{last:{'%H:%M:%S %Z' if same_day else '%Y-%m-%d %H:%M:%S %Z'}}"

    def _time(self, at: float) -> str:
        return f"{self._local(at):%Y-%m-%d %H:%M:%S %Z}"

    def _local(self, at: float) -> dt.datetime:
        return dt.datetime.fromtimestamp(at, ZoneInfo(self.plan.timezone))

    def _repair(self, subject: str) -> float | None:
        trunks = self.plan.trunks_of(subject)
        return self.plan.trunks[trunks[0]].repair if trunks else None

    def _subject(self, item: Item) -> dict[str, Any]:
        episode = item.episode
        return {
            "subject": episode.subject,
            "still": episode.still,
            "began": item.began,
            "ended": item.ended,
            "since": {"earliest": episode.began_earliest, "latest": episode.began_latest},
            "until": None
            if episode.still
            else {"earliest": episode.ended_earliest, "latest": episode.ended_latest},
            "probes": episode.probes,
            "bad": episode.bad,
            "findings": episode.findings,
            "expected_repair_s": None if episode.subject == SERVICE else self._repair(episode.subject),
        }
