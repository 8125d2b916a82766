"""What each kind of alert makes of what the watch loop tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from callsim.alerting.episodes import Change, Episode, Seen
from callsim.metrics.budget import Budget
from callsim.metrics.names import WINDOWS
from callsim.plan.watching import Alert
from callsim.watching.events import Event, ProbeDone, SlotMissed
from results.store.entries import SERVICE, Call

LONGEST_FINDING = 120
BURNING = ((14.4, "1h", "5m"), (6.0, "6h", "30m"), (1.0, "3d", "6h"))
"""Burn rates that both windows have to be above (The Site Reliability Workbook, chapter 5, table 5-8)."""


def seen_by(alert: Alert, event: Event) -> Iterator[Seen]:
    """Give what an alert sees in an event: nothing where it says nothing either way."""
    if isinstance(event, SlotMissed):
        if alert.when == "prober_blind" and event.reason != "stopped":
            leg, due = event.leg, event.due
            yield Seen(leg.test.name, leg.over, due, due, due, True, event.reason, event.count)
    elif isinstance(event, ProbeDone):
        for entry in event.entries:
            if isinstance(entry, Call) and entry.last:
                yield from _of_call(alert, entry, event.due)


def _of_call(alert: Alert, call: Call, due: float) -> Iterator[Seen]:
    match alert.when:
        case "prober_blind":
            bad, finding = call.passed is None, call.outcome
        case "poor_audio" if call.mos is not None and alert.mos_below is not None:
            bad, finding = call.mos < alert.mos_below, f"MOS {call.mos:.1f}"
        case "trunk_failing" if call.passed is not None:
            bad, finding = not call.passed, _finding(call)
        case _:
            return
    started, ended = call.started_at, max(call.started_at, call.ended_at)
    yield Seen(call.test, call.over, due, started, ended, bad, finding if bad else "")


def _finding(call: Call) -> str:
    """Say why a call failed: its status, or what was expected of an answered one."""
    broken = [str(check["expect"]) for check in call.checks if not check["kept"]]
    if call.sip_status is None or not broken or broken[0] == "status":
        words = f"{call.sip_status or call.outcome} {call.reason or ''}"
    else:
        words = ", ".join(broken)
    # What a far end sends goes into mails and terminals.
    clean = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(clean.split())[:LONGEST_FINDING]


class Burning:
    """Whether the error budget burns too fast: the highest of `BURNING` that holds, told as it rises."""

    def __init__(self) -> None:
        self.factor = 0.0
        self.episode: Episode | None = None

    def look(self, budget: Budget, now: float) -> Change | None:
        """Give the episode that begins, grows worse, or is over at a time."""
        rates = {window: budget.burn_rate(WINDOWS[window]) for row in BURNING for window in row[1:]}
        if all(rate is None for rate in rates.values()):
            return None  # nothing is known: neither burning nor over
        factor, words = _burns(rates, budget.remaining)
        if self.episode is None:
            if not factor:
                return None
            self.episode = Episode(SERVICE, now, now)
        if not factor:
            episode, self.episode, self.factor = self.episode, None, 0.0
            episode.ended_earliest = episode.ended_latest = now
            return Change(episode, over=True)
        if factor <= self.factor:
            return None
        self.factor = factor
        self.episode.findings = {words: 1}
        return Change(self.episode, over=False)


def _burns(rates: Mapping[str, float | None], left: float) -> tuple[float, str]:
    """Give the highest factor that the budget burns at, in words too; 0 where it does not."""
    for factor, long, short in BURNING:
        over, now = rates[long] or 0.0, rates[short] or 0.0
        if min(over, now) > factor:
            return factor, (
                f"{over:.1f} times as fast as allowed over {long}, {now:.1f} times over {short}; "
                f"{100.0 * left:.0f} % of the month's budget is left"
            )
    return 0.0, ""
