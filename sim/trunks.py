"""The carriers' trunks as they are beside what the router believes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from carriers.faults import Fault, Kind
from carriers.path import CLEAR
from carriers.routing import Router
from sim.conditions import Watch
from sim.detection import Pings, WatchedCalls, ping_status
from sim.draws import Randomness
from sim.recorder import Incident
from sim.tables import Tables

if TYPE_CHECKING:
    import simpy

SEVERITY = {kind: n for n, kind in enumerate(Kind)}


def severity(fault: Fault) -> tuple[float, ...]:
    """Order faults by their kind, then by what they leave."""
    delay = fault.post_dial_delay.mean if fault.post_dial_delay else 0.0
    heard = fault.transit or CLEAR
    ears = (heard.loss, heard.jitter, heard.delay, fault.data)
    return SEVERITY[fault.kind], fault.share, -fault.channels_left, delay, *ears


class Trunks:
    """Faults that are active on each trunk, the worst of which shows, and the router's view.

    `codes` is the state as `Conditions` keys it.
    """

    def __init__(
        self,
        env: simpy.Environment,
        tables: Tables,
        router: Router,
        random: Randomness,
        learnt: Callable[[int], None],
    ) -> None:
        policy = tables.routing
        assert policy is not None  # the stream makes trunks only for a policy
        self._faults = tables.faults
        # By a fault's index; the last is for -1, which is none.
        self._ping_status = [ping_status(fault) for fault in (*tables.faults, None)]
        self._drops_calls = [fault.effect.drops_calls for fault in tables.faults] + [False]
        self.policy = policy
        self.router = router
        count = len(policy.trunks)
        self._health = [router.health(trunk) for trunk in range(count)]
        self._active: list[list[tuple[int, Incident]]] = [[] for _ in range(count)]
        self._last: list[Incident | None] = [None] * count
        self._shown: list[int] = [-1] * count
        self.codes: list[int] = [1] * count
        self.dirty = False
        self._drains = [0] * count
        """Pieces of planned work under way."""
        self._pings = [Pings(env, router, policy, t, learnt) for t in range(count)] if policy.health else []
        self._watched: list[WatchedCalls | None] = []
        """As in `State.watches`: those of failing calls, then those of poor ones."""
        for poor, rule in ((False, policy.failing_calls), (True, policy.poor_calls)):
            self._watched += [
                WatchedCalls(env, tables.zone, router, policy, t, random, learnt, poor=poor) if rule else None
                for t in range(count)
            ]
        self.watching: tuple[Watch | None, ...] = ()

    def fault(self, trunk: int) -> Fault | None:
        """Fault that a trunk shows."""
        shown = self._shown[trunk]
        return self._faults[shown] if shown >= 0 else None

    def code_of_fault(self, trunk: int) -> int:
        """Index of the fault that a trunk shows; -1: none."""
        return self._shown[trunk]

    def watch_real_calls(self) -> None:
        """Leave the rules on calls to calls that are really placed."""
        self._watched = []

    def show(self, trunk: int, fault: int, incident: Incident, now: float) -> bool:
        """Add a fault; True when calls in progress on the trunk are lost by it."""
        before = self._shown[trunk]
        self._active[trunk].append((fault, incident))
        self._last[trunk] = incident
        self._look(trunk, now)
        return self._drops_calls[fault] and not self._drops_calls[before]

    def clear(self, trunk: int, incident: Incident, now: float) -> None:
        """Remove the fault that an incident brought."""
        self._active[trunk] = [pair for pair in self._active[trunk] if pair[1] is not incident]
        self._last[trunk] = incident
        self._look(trunk, now)

    def _look(self, trunk: int, now: float) -> None:
        active = self._active[trunk]
        if len(active) > 1:
            shown = max((f for f, _ in active), key=lambda f: (severity(self._faults[f]), f))
        else:
            shown = active[0][0] if active else -1
        if shown != self._shown[trunk]:
            self._shown[trunk] = shown
            status = self._ping_status[shown]
            if self._pings and status != self._pings[trunk].status:
                self._pings[trunk].answer_is(status, now)
            self.refresh(trunk, now)

    def drain(self, trunks: tuple[int, ...], out: bool, now: float) -> None:
        """Take trunks out of the routing for planned work, or put them back."""
        for trunk in trunks:
            self._drains[trunk] += 1 if out else -1
            self.router.drain(trunk, self._drains[trunk] > 0)
            self.refresh(trunk, now)

    def drained(self, trunk: int) -> bool:
        """Whether a trunk is out of the routing for planned work."""
        return self._drains[trunk] > 0

    def refresh(self, trunk: int, now: float) -> None:
        """Bring the code of a trunk up to date."""
        code = 2 * (self._shown[trunk] + 1) + self._health[trunk].up(now)
        if code != self.codes[trunk]:
            self.codes[trunk] = code
            self.dirty = True

    def last_incident(self, trunk: int) -> Incident | None:
        """Incident that last touched a trunk; of those under way, the one that shows."""
        for fault, incident in self._active[trunk]:
            if fault == self._shown[trunk]:
                return incident
        return self._last[trunk]

    def watch(self, watches: tuple[Watch | None, ...], now: float) -> None:
        """Watch the calls that the present state of the service makes fail."""
        self.watching = watches
        for number, calls in enumerate(self._watched):
            if calls is not None:
                watch = watches[number] if watches else None
                if watch is not calls.watched:
                    calls.watch(watch, now)
