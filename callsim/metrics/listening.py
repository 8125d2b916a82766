"""Keeps metrics up to date with what a watch loop tells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import get_args

from callgen.guarding.caps import Used
from callsim.live.probing import legs_of
from callsim.live.setup import caps_of
from callsim.metrics import names
from callsim.metrics.budget import Budget, Past
from callsim.metrics.guarding import guard_used
from callsim.metrics.registry import Registry
from callsim.plan import Plan
from callsim.watching.events import (
    Event,
    KeeperChanged,
    PingDone,
    ProbeDone,
    Reloaded,
    SlotMissed,
    Ticked,
    TrunkBelieved,
)
from results.store.entries import Attempt, Call, Why

LOOK_EVERY = 15.0
"""Seconds between two looks at the error budget, and at the guard's counters."""
OUTCOMES = ("delivered", "given_up")
NOBODY = "none"
"""Label of what has no carrier, or no status."""
OF_LEGS = (names.PROBE_SUCCESS, names.LAST_PROBE, names.LAST_MOS, names.PACKET_LOSS)


class Metrics:
    """A listener of the watch loop, with a registry that other threads can scrape at any time.

    `waiting` gives how many records wait for the store, and is called at each scrape. `used` gives what the
    guard has counted, and is called in the loop. Instants are POSIX seconds.
    """

    def __init__(
        self,
        plan: Plan,
        location: str,
        *,
        at: float,
        waiting: Callable[[], int] | None = None,
        used: Callable[[], Used] | None = None,
    ) -> None:
        self._shown = Registry()
        self.registry = self._shown.collectors
        self._location = location
        self._used = used
        self._looked = -math.inf
        self._legs: set[tuple[str, str]] = set()
        self._up: dict[str, bool] = {}
        self._budget: Budget | None = None
        if waiting is not None:
            self._shown.gauge(names.SPOOLED).set_function(waiting)
        self._shown.gauge(names.STORE_OK).set(1)
        for reason in get_args(Why):
            self._shown.count(names.MISSED, reason, by=0)
        self._reloaded(Reloaded(ok=True, at=at, plan=plan))

    def __call__(self, event: Event) -> None:
        """Take what happened."""
        match event:
            case ProbeDone():
                self._probed(event)
            case SlotMissed(leg, due, reason, count):
                self._shown.count(names.MISSED, reason, by=count)
                if self._budget is not None:
                    self._budget.see((leg.test.name, leg.over), due, None)
            case PingDone(trunk, carrier, _, _, seconds):
                if seconds is None:
                    self._shown.count(names.PINGS_UNANSWERED, carrier, trunk)
                self._shown.observe(names.PING, seconds, carrier, trunk)
            case TrunkBelieved(trunk, _, up, _):
                self._up[trunk] = up
                self._show_beliefs()
            case Reloaded():
                self._reloaded(event)
            case KeeperChanged(state, _):
                self._shown.gauge(names.STORE_OK).set(state.startswith("ok"))
            case Ticked(at):
                self._tick(at)

    def restore(self, past: Iterable[Past]) -> None:
        """Take up the error budget where it was (see `history.past_of`)."""
        if self._budget is not None:
            self._budget.restore(past)
            self._show_budget()

    def delivered(self, channel: str, ok: bool) -> None:
        """Count a message that went out over a channel of alerts, or was given up; from any thread."""
        self._shown.count(names.ALERTS, channel, OUTCOMES[not ok])

    def channel_up(self, channel: str, up: bool) -> None:
        """Say whether a channel of alerts works; from any thread."""
        for outcome in OUTCOMES:
            self._shown.count(names.ALERTS, channel, outcome, by=0)
        self._shown.gauge(names.CHANNEL_UP, channel).set(up)

    def channel_gone(self, channel: str) -> None:
        """Show a channel of alerts no longer."""
        self._shown.forget(names.CHANNEL_UP, channel)

    # ---- what happened

    def _probed(self, event: ProbeDone) -> None:
        for entry in event.entries:
            if isinstance(entry, Attempt):
                status = NOBODY if entry.sip_status is None else str(entry.sip_status)
                self._shown.count(names.CALLS, entry.carrier or NOBODY, status)
            elif isinstance(entry, Call):
                carrier = entry.carrier or NOBODY
                self._shown.observe(names.POST_DIAL_DELAY, entry.pdd_s, carrier)
                self._shown.observe(names.SETUP, entry.setup_s, carrier)
                self._shown.observe(names.MOS, entry.mos, carrier)
                if entry.last:
                    self._counted(entry)

    def _counted(self, call: Call) -> None:
        """Show the try of a slot that counts."""
        leg = (call.test, call.over)
        if call.passed is not None and leg in self._legs:
            for metric, value in (
                (names.PROBE_SUCCESS, call.passed),
                (names.LAST_PROBE, call.ended_at),
                (names.LAST_MOS, call.mos),
                (names.PACKET_LOSS, call.loss_share),
            ):
                if value is not None:
                    self._shown.gauge(metric, *leg, self._location).set(value)
        if self._budget is not None:
            self._budget.see(leg, call.ended_at, call.passed)

    def _tick(self, at: float) -> None:
        if 0.0 <= at - self._looked < LOOK_EVERY:
            return
        self._looked = at  # earlier than before when the clock was put back
        if self._budget is not None:
            self._budget.advance(at)
            self._show_budget()
        if self._used is not None:
            for cap, share in guard_used(self._used(), self._caps).items():
                self._shown.gauge(names.GUARD_USED, cap).set(share)

    # ---- the plan

    def _reloaded(self, event: Reloaded) -> None:
        self._shown.gauge(names.RELOAD_OK).set(event.ok)
        if event.ok:
            self._shown.gauge(names.RELOAD_AT).set(event.at)
        if event.plan is not None:
            self._use(event.plan, event.at)

    def _use(self, plan: Plan, at: float) -> None:
        """Take over a plan; what only the one before had is no longer shown."""
        from callsim import __version__  # noqa: PLC0415 - the package imports this module

        legs = {(leg.test.name, leg.over) for leg in legs_of(plan, plan.tests) if leg.test.every is not None}
        for gone in self._legs - legs:
            for metric in OF_LEGS:
                self._shown.forget(metric, *gone, self._location)
        self._legs = legs
        self._caps = caps_of(plan)
        self._looked = -math.inf
        for metric in (names.TRUNK_UP, names.CARRIER_UP, names.GUARD_USED, names.BUILD_INFO):
            self._shown.forget(metric)
        self._shown.gauge(names.BUILD_INFO, __version__, plan.name, self._location).set(1)
        trunks = zip(plan.trunk_names(), plan.trunks, strict=True)
        self._carriers = {name: trunk.carrier for name, trunk in trunks} if plan.routing else {}
        self._up = {name: self._up.get(name, True) for name in self._carriers}
        self._show_beliefs()
        if plan.sla is None:
            self._budget = None
        elif self._budget is None:
            self._budget = Budget(plan, at)
        else:
            self._budget.use(plan, at)
        self._show_budget()

    def _show_beliefs(self) -> None:
        for trunk, carrier in self._carriers.items():
            self._shown.count(names.PINGS_UNANSWERED, carrier, trunk, by=0)
            self._shown.gauge(names.TRUNK_UP, carrier, trunk).set(self._up[trunk])
        for carrier in set(self._carriers.values()):
            up = any(self._up[trunk] for trunk, of in self._carriers.items() if of == carrier)
            self._shown.gauge(names.CARRIER_UP, carrier).set(up)

    def _show_budget(self) -> None:
        """Show the error budget; nan where nothing is known, or promised."""
        budget = self._budget
        shown = self._shown
        shown.gauge(names.TARGET).set(budget.target if budget else math.nan)
        shown.gauge(names.BUDGET_REMAINING).set(budget.remaining if budget else math.nan)
        shown.gauge(names.AVAILABILITY, names.MONTH).set(_or_nan(budget.availability if budget else None))
        for window, seconds in names.WINDOWS.items():
            rate = budget.burn_rate(seconds) if budget else None
            shown.gauge(names.BURN_RATE, window).set(_or_nan(rate))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
