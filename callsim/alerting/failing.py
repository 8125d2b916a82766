"""Channels of alerts that fail: an incident each, told over the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from callsim.alerting.couriers import Outcome
from callsim.alerting.episodes import Change, Episode
from callsim.alerting.grouping import Group, Item
from results.store.entries import Incident, new_id


class Failing:
    """Which channels fail since when; `keep` gets their incidents."""

    def __init__(self, keep: Callable[[Incident], None]) -> None:
        self._keep = keep
        self._episodes: dict[str, tuple[str, Episode]] = {}
        self._group = Group()

    def has(self, channel: str) -> bool:
        """Whether a channel fails."""
        return channel in self._episodes

    def forget(self, channel: str) -> None:
        """Know nothing of a channel any more; its incident stays open, for nobody saw its end."""
        self._episodes.pop(channel, None)

    def take(self, outcome: Outcome, plan: str, location: str, now: float) -> None:
        """Take that a channel fails, or works again."""
        channel = outcome.channel
        if outcome.what == "failing":
            episode = Episode(channel, outcome.at, outcome.at, probes=outcome.tries)
            episode.add(outcome.why, outcome.tries)
            self._episodes[channel] = (new_id(outcome.at), episode)
        elif channel not in self._episodes:
            return
        number, episode = self._episodes[channel]
        if outcome.what == "working":
            del self._episodes[channel]
            episode.ended_earliest = episode.ended_latest = outcome.at
        self._group.add(Change(episode, not episode.still), now, say_when_over=True)
        self._keep(
            Incident(
                id=number,
                location=location,
                plan=plan,
                kind="alert_failing",
                subject=channel,
                began_earliest=episode.began_latest,
                began_latest=episode.began_latest,
                ended_earliest=episode.ended_earliest,
                ended_latest=episode.ended_latest,
                probes=episode.probes,
                failed=episode.bad,
                cause=next(iter(episode.findings), None),
                revision=int(outcome.at * 1000) + (not episode.still),
            )
        )

    def items(self, now: float) -> list[Item]:
        """Give what is to be told now."""
        ready = bool(self._group.pending) and self._group.ready(now, quiet=False)
        return self._group.take(now) if ready else []

    def to_json(self) -> dict[str, Any]:
        """Write it; `restore` takes it up."""
        episodes = {channel: [number, asdict(one)] for channel, (number, one) in self._episodes.items()}
        return {"episodes": episodes, "group": self._group.to_json()}

    def restore(self, data: dict[str, Any]) -> None:
        """Go on with what `to_json` wrote; raises TypeError, KeyError, ValueError for anything else."""
        self._episodes = {
            channel: (number, Episode(**episode))
            for channel, (number, episode) in data.get("episodes", {}).items()
        }
        if "group" in data:
            self._group = Group.from_json(data["group"])
