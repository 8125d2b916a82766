"""Sends the alerts of a plan as a listener of the watch loop."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from callsim.alerting.alarm import Alarm, key_of
from callsim.alerting.channels import Channel, channels_of, named
from callsim.alerting.couriers import DELAYS, Courier, Outcome
from callsim.alerting.failing import Failing
from callsim.alerting.memory import Memory, read
from callsim.alerting.messages import Message, Writer
from callsim.errors import CallsimError
from callsim.metrics.budget import Budget, Past
from callsim.plan import Plan
from callsim.watching.events import Event, ProbeDone, Reloaded, SlotMissed, Ticked
from carriers.calendars import Zone
from results.store.entries import Call, Incident

if TYPE_CHECKING:
    from callsim.metrics.listening import Metrics

LOG = logging.getLogger(__name__)
LOOK_EVERY = 15.0
"""Seconds between two looks at the error budget."""

Channels = Callable[[Plan, Path], Mapping[str, Channel]]


class Alerts:
    """A listener that tells people what a plan's `alerts` ask for; it never waits for a channel.

    Secrets are looked for in `folder`; what was told is kept in the file `state`, in memory without one.
    `keep` gets the incidents of channels that fail. Instants are POSIX seconds. Raises SecretError and
    ChannelError where a channel cannot be had.
    """

    def __init__(
        self,
        plan: Plan,
        location: str,
        *,
        folder: Path,
        state: Path | None,
        keep: Callable[[Incident], None],
        at: float,
        metrics: Metrics | None = None,
        channels: Channels = channels_of,
        delays: tuple[float, ...] = DELAYS,
    ) -> None:
        self._location = location
        self._folder = folder
        self._metrics = metrics
        self._channels = channels
        self._delays = delays
        self._now = at
        self._looked = at - LOOK_EVERY
        self._alarms: dict[str, Alarm] = {}
        self._couriers: dict[str, Courier] = {}
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._outbox: dict[tuple[str, str], Message] = {}
        self._failing = Failing(keep)
        self._budget: Budget | None = None
        self._dirty = False
        made = channels(plan, folder)
        self._memory = Memory(state)
        before = read(state) if state is not None else {}
        self._taken(lambda: self._failing.restore(before.get("failing", {})))
        self._use(plan, made)
        self._taken(lambda: self._take_up(before))

    def __call__(self, event: Event) -> None:
        """Take what happened, and send what is to be told of it."""
        if not isinstance(event, ProbeDone | SlotMissed | Reloaded | Ticked):
            return
        match event:
            case Ticked(at) | Reloaded(_, at):
                self._now = at
            case ProbeDone():
                self._now = event.ended
        if isinstance(event, Reloaded) and event.plan is not None:
            self._reload(event.plan)
        self._account(event)
        if isinstance(event, ProbeDone | SlotMissed):
            for alarm in self._alarms.values():
                alarm.see(event, self._now)
            self._dirty = True
        self._drain()
        self._tell()

    def restore(self, past: Iterable[Past]) -> None:
        """Take up the error budget where it was (see `callsim.metrics.history.past_of`)."""
        if self._budget is not None:
            self._budget.restore(past)

    def close(self, timeout: float) -> None:
        """Let messages on their way arrive for some seconds at most; the rest is sent at the next start."""
        until = time.monotonic() + timeout
        self._memory.settle(timeout)
        for courier in self._couriers.values():
            courier.close(max(until - time.monotonic(), 0.0))
        self._drain()
        self._save()
        self._memory.close(max(until - time.monotonic(), 1.0))

    # ---- what comes

    def _account(self, event: Event) -> None:
        """Bring the error budget up to date, and look at it now and then."""
        budget = self._budget
        if budget is None:
            return
        match event:
            case SlotMissed(leg, due):
                budget.see((leg.test.name, leg.over), due, None)
            case ProbeDone():
                for entry in event.entries:
                    if isinstance(entry, Call) and entry.last:
                        budget.see((entry.test, entry.over), entry.ended_at, entry.passed)
            case Ticked(at):
                budget.advance(at)
        if not 0.0 <= self._now - self._looked < LOOK_EVERY:
            self._looked = self._now
            for alarm in self._alarms.values():
                if alarm.alert.when == "budget_burning":
                    alarm.look(budget, self._now)

    def _drain(self) -> None:
        """Take what the couriers say."""
        while True:
            try:
                outcome = self._outcomes.get_nowait()
            except Empty:
                return
            self._dirty = True
            match outcome.what:
                case "delivered" | "given_up":
                    self._outbox.pop((outcome.channel, outcome.message), None)
                    if outcome.what == "given_up":
                        LOG.warning("alert given up: %s: %s", outcome.channel, outcome.why)
                    if self._metrics is not None:
                        self._metrics.delivered(outcome.channel, outcome.what == "delivered")
                case "failing" | "working" if outcome.channel in self._couriers:
                    LOG.warning("alerts to %s: %s %s", outcome.channel, outcome.what, outcome.why)
                    self._failing.take(outcome, self._plan.name, self._location, self._now)
                    if self._metrics is not None:
                        self._metrics.channel_up(outcome.channel, outcome.what == "working")

    # ---- what goes

    def _tell(self) -> None:
        released: list[Callable[[], None]] = []
        for alarm in self._alarms.values():
            if items := alarm.take(self._now, partial(self._quiet, alarm)):
                message = self._writer.write(alarm.alert.when, items, self._now)
                released += self._send(message, named(alarm.alert))
        if items := self._failing.items(self._now):
            message = self._writer.write("alert_failing", items, self._now)
            released += self._send(message, [name for name in self._couriers if not self._failing.has(name)])
        if self._dirty or released:
            self._save(released)

    def _send(self, message: Message, names: Iterable[str]) -> list[Callable[[], None]]:
        """Put a message into the outbox; what is given back sends it, when it is written that it will be."""
        couriers = [self._couriers[name] for name in names if name in self._couriers]
        if not couriers:
            LOG.warning("nobody can be told: %s", message.title)
        for courier in couriers:
            self._outbox[courier.channel.name, message.id] = message
        return [partial(courier.put, message) for courier in couriers]

    def _quiet(self, alarm: Alarm) -> bool:
        hours = alarm.alert.quiet
        return hours is not None and self._zone.is_open(hours, self._now - self._zone.origin)

    # ---- the plan

    def _reload(self, plan: Plan) -> None:
        try:
            made = self._channels(plan, self._folder)
        except CallsimError as error:
            LOG.warning("alerts go where they went before: %s", error)
            made = {name: courier.channel for name, courier in self._couriers.items()}
        self._use(plan, made)

    def _use(self, plan: Plan, channels: Mapping[str, Channel]) -> None:
        self._plan = plan
        self._writer = Writer(plan, self._location)
        today = dt.datetime.fromtimestamp(self._now, dt.UTC).date()
        self._zone = Zone(today - dt.timedelta(days=2), plan.timezone, years=50)
        alarms: dict[str, Alarm] = {}
        for alert in plan.alerts:
            key = key_of(alert)
            alarms[key] = self._alarms.get(key) or Alarm(alert)
            alarms[key].use(alert, plan, self._now)
        self._alarms = alarms
        for name in self._couriers.keys() - channels.keys():
            self._stop(name)
        for name, channel in channels.items():
            if name in self._couriers:
                self._couriers[name].channel = channel  # its secret may be another one
            else:
                self._start(channel)
        if plan.sla is None or not any(alert.when == "budget_burning" for alert in plan.alerts):
            self._budget = None
        elif self._budget is None:
            self._budget = Budget(plan, self._now)
        else:
            self._budget.use(plan, self._now)

    def _start(self, channel: Channel) -> None:
        failing = self._failing.has(channel.name)
        self._couriers[channel.name] = Courier(
            channel, self._outcomes.put, lambda: self._now, failing=failing, delays=self._delays
        )
        if self._metrics is not None:
            self._metrics.channel_up(channel.name, not failing)

    def _stop(self, name: str) -> None:
        """Forget a channel that the plan no longer has, with what waits for it."""
        self._couriers.pop(name).close(0.0)
        self._failing.forget(name)
        self._outbox = {key: message for key, message in self._outbox.items() if key[0] != name}
        if self._metrics is not None:
            self._metrics.channel_gone(name)

    # ---- what outlives the process

    def _save(self, released: Iterable[Callable[[], None]] = ()) -> None:
        self._dirty = False
        state = {
            "alarms": {key: alarm.to_json() for key, alarm in self._alarms.items()},
            "failing": self._failing.to_json(),
            "outbox": [[channel, message.to_json()] for (channel, _), message in self._outbox.items()],
        }
        self._memory.keep(state, list(released))

    def _take_up(self, before: dict[str, Any]) -> None:
        """Go on with what was written."""
        for key, alarm in before.get("alarms", {}).items():
            if key in self._alarms:
                self._alarms[key].restore(alarm)
                self._alarms[key].use(self._alarms[key].alert, self._plan, self._now)
        for channel, data in before.get("outbox", ()):
            if channel in self._couriers:
                message = Message.from_json(data)
                self._outbox[channel, message.id] = message
                self._couriers[channel].put(message)

    @staticmethod
    def _taken(take: Callable[[], None]) -> None:
        """Take up as much as can be read of what was written."""
        try:
            take()
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            LOG.warning("the state of alerts cannot be read, some may be told again: %s", error)
