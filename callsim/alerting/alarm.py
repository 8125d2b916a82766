"""One alert of a plan: what it sees becomes episodes, these become messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from callsim.alerting.episodes import Episode, Tracker
from callsim.alerting.grouping import Group, Item
from callsim.alerting.senses import Burning, seen_by
from callsim.live.probing import legs_of
from callsim.metrics.budget import Budget
from callsim.plan import Plan
from callsim.plan.watching import Alert
from callsim.watching.events import Event


def key_of(alert: Alert) -> str:
    """Name an alert by what it watches and whom it tells: what is told survives other changes of a plan."""
    whom = [*map(str, alert.to or ()), *(alert.command or ())]
    return " ".join(map(str, (alert.when, alert.after, alert.within, alert.mos_below, *whom)))


class Alarm:
    """Decides what an alert tells when; owns no clock, sends nothing."""

    def __init__(self, alert: Alert) -> None:
        self.alert = alert
        self.trackers: dict[str, Tracker] = {}
        self.burning = Burning()
        self.group = Group()

    def see(self, event: Event, now: float) -> None:
        """Take what happened, at POSIX seconds."""
        alert = self.alert
        for seen in seen_by(alert, event):
            assert alert.after is not None  # the plan has them for what is counted
            assert alert.within is not None
            tracker = self.trackers.setdefault(seen.subject, Tracker(seen.subject))
            change = tracker.see(seen, alert.after, alert.within)
            if change is not None:
                self.group.add(change, now, say_when_over=alert.say_when_over)

    def look(self, budget: Budget, now: float) -> None:
        """Look at the error budget."""
        change = self.burning.look(budget, now)
        if change is not None:
            self.group.add(change, now, say_when_over=self.alert.say_when_over)

    def take(self, now: float, quiet: Callable[[], bool]) -> list[Item]:
        """Give what is to be told now: nothing for most of the time.

        With what has begun is told what else is bad, if not often enough for a message of its own: where all
        trunks fail at once, each comes to its last failure at another time.
        """
        if not self.group.pending:
            return []
        all_bad = len(self.trackers) > 1 and all(tracker.failing for tracker in self.trackers.values())
        quietly = self.alert.quiet is not None and quiet()
        if not self.group.ready(now, quiet=quietly, all_bad=all_bad):
            return []
        pending = self.group.pending
        others = [tracker for tracker in self.trackers.values() if tracker.subject not in pending]
        begins = any(item.episode.still for item in pending.values())
        for tracker in others if begins else ():
            if (change := tracker.open()) is not None:
                self.group.add(change, now, say_when_over=self.alert.say_when_over)
        return self.group.take(now)

    def use(self, alert: Alert, plan: Plan, now: float) -> None:
        """Go on with an alert of the same key, in another plan."""
        self.alert = alert
        legs: dict[str, set[str]] = {}
        for leg in legs_of(plan, plan.tests):
            legs.setdefault(leg.over, set()).add(leg.test.name)
        for subject, tracker in list(self.trackers.items()):
            change = tracker.keep(legs.get(subject, ()), now)
            if change is not None:
                self.group.add(change, now, say_when_over=alert.say_when_over)
            if subject not in legs:
                del self.trackers[subject]

    def to_json(self) -> dict[str, Any]:
        """Write what it knows; `restore` takes it up."""
        burning = self.burning.episode
        return {
            "trackers": [tracker.to_json() for tracker in self.trackers.values()],
            "burning": [self.burning.factor, asdict(burning) if burning else None],
            "group": self.group.to_json(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Go on with what `to_json` wrote; raises TypeError, KeyError, ValueError for anything else."""
        trackers = [Tracker.from_json(tracker) for tracker in data["trackers"]]
        factor, burning = data["burning"]
        self.group = Group.from_json(data["group"])
        self.trackers = {tracker.subject: tracker for tracker in trackers}
        self.burning.factor, self.burning.episode = factor, Episode(**burning) if burning else None
        current = [tracker.episode for tracker in trackers] + [self.burning.episode]
        for episode in current:
            if episode is not None and episode.subject in self.group.pending:
                self.group.pending[episode.subject].episode = episode
