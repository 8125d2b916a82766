"""What a person, or a journal, reads while a plan is watched."""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from callsim.live.probing import Leg, Try
from callsim.plan.model import Plan
from callsim.watching.events import (
    Event,
    KeeperChanged,
    ProbeDone,
    Reloaded,
    SlotMissed,
    Ticked,
    TrunkBelieved,
)
from callsim.watching.lanes import Key, Lane, key_of

Say = Callable[[str], None]
REASONS = {
    "asleep": "the machine slept, or its clock jumped",
    "slots_full": "as many calls were on the line as the guard allows",
    "guard": "refused by the guard",
    "late": "the probe before was still going on",
    "stopped": "nobody was watching",
    "own_network": "our own network did not work",
    "not_resolved": "its name could not be resolved",
}
"""Why slots went by, in words."""


@dataclass
class _State:
    """How a leg has done lately."""

    failed: int = 0
    """Probes that have failed in a row."""
    since: float = 0.0
    """When it began to be as it is."""
    last: ProbeDone | None = None


@dataclass(eq=False)
class Shown:
    """A listener that says one line of each failure, recovery, miss and reload, and counts."""

    plan: Plan
    say: Say
    states: dict[Key, _State] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    """PASSED, FAILED, REFUSED, NOT TESTED, MISSED."""
    _gone: dict[tuple[Key, str], tuple[float, float, int]] = field(default_factory=dict)
    """Slots that went by since the last tick: the first, the last, how many."""

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        match event:
            case ProbeDone():
                self._probed(event)
            case SlotMissed():
                self.counts["MISSED"] += event.count
                key = key_of(event.leg), event.reason
                first, _, count = self._gone.get(key, (event.due, event.due, 0))
                self._gone[key] = first, event.due, count + event.count
            case TrunkBelieved():
                self._line(event.at, f"{event.trunk} is believed {'up again' if event.up else 'down'}")
            case Reloaded(ok=False):
                self._line(event.at, f"REFUSED the plan as it is now, the one before goes on: {event.why}")
            case Reloaded() if event.plan is not None and event.plan is not self.plan:
                self.plan = event.plan
                self._line(event.at, "RELOADED the plan")
            case KeeperChanged():
                self._line(event.at, f"records: {event.state}")
            case Ticked(at):
                self.flush(at)

    def flush(self, at: float) -> None:
        """Tell of the slots that went by."""
        for ((test, over), reason), (first, last, count) in self._gone.items():
            many = f"{count:,} slots of " if count > 1 else ""
            span = f", from {self.time(first)} to {self.time(last)}" if count > 1 else ""
            self._line(at, f"MISSED {many}{test} over {over}{span}: {REASONS[reason]}")
        self._gone.clear()

    def time(self, at: float) -> str:
        """Write an instant as the plan's local time."""
        return f"{dt.datetime.fromtimestamp(at, ZoneInfo(self.plan.timezone)):%Y-%m-%d %H:%M:%S}"

    def _probed(self, event: ProbeDone) -> None:
        probed, state = event.probed, self.states.setdefault(key_of(event.leg), _State())
        self.counts[probed.verdict] += 1
        name = f"{event.leg.test.name} over {event.leg.over}"
        if not probed.tested:
            self._line(event.ended, f"{probed.verdict} {name}: {probed.counted.call['reason']}")
            return
        if state.last is None or state.last.probed.passed is not probed.passed:
            before, state.since = state.since, event.started
            if probed.passed and state.failed:
                probes = f"{state.failed} failed probe{'s' if state.failed > 1 else ''}"
                self._line(event.ended, f"RECOVERED {name}, after {probes} since {self.time(before)}")
        state.failed = 0 if probed.passed else state.failed + 1
        state.last = event
        if not probed.passed:
            tries = f" ({len(probed.tries)} tries)" if len(probed.tries) > 1 else ""
            self._line(event.ended, f"FAILED {name}{tries}: {broken(probed.counted)}")

    def _line(self, at: float, text: str) -> None:
        self.say(f"{self.time(at)} {text}")


def broken(one: Try) -> str:
    """Say what a try did not keep."""
    found = [
        f"{check.name}: wanted {check.wanted}, found {check.found}" for check in one.checks if not check.kept
    ]
    return "; ".join(found)


HEAD = ("Test", "Over", "Last", "Since", "PDD", "MOS", "Next")


def rows(lanes: Sequence[Lane], shown: Shown, now: float) -> Iterator[tuple[str, ...]]:
    """Give a row of each leg: its last result, since when, how it sounded, how long until the next."""
    for lane in lanes:
        state = shown.states.get(lane.key, _State())
        call = state.last.probed.counted.call if state.last else {}
        pdd, mos = call.get("pdd_s"), call.get("mos")
        yield (
            lane.leg.test.name,
            lane.leg.over,
            state.last.probed.verdict if state.last else "none yet",
            age(now - state.since) if state.last else "",
            "" if pdd is None else f"{pdd:.2f} s",
            "" if not mos else f"{mos['value']:.2f}",
            "now" if lane.busy else "never" if math.isinf(lane.due) else f"in {age(lane.due - now)}",
        )


def age(seconds: float) -> str:
    """Write a time span in at most two units: `3 s`, `12 min`, `4 h 05 min`, `2 d 07 h`."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


class Journal(logging.Handler):
    """Says what modules log, as lines among the others."""

    def __init__(self, say: Say) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say one record, with its traceback if it has one."""
        self._say(f"{record.levelname}: {self.format(record)}")


def pace_of(legs: Sequence[Leg]) -> float:
    """Give the probes an hour of legs, while their hours are open."""
    return sum(3600.0 / leg.test.every for leg in legs if leg.test.every is not None)
