"""The carriers' trunks as they are beside what the router believes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from carriers.faults import Fault, Kind
from carriers.health import TrunkHealth
from carriers.path import CLEAR
from carriers.routing import Router
from sim.conditions import Watch
from sim.detection import Hours, Pings, WatchedCalls, ping_status
from sim.draws import Randomness
from sim.recorder import Incident
from sim.tables import Tables

if TYPE_CHECKING:
    from sim.clock import Clock

SEVERITY = {kind: n for n, kind in enumerate(Kind)}


def severity(fault: Fault) -> tuple[float, ...]:
    """Order faults by their kind, then by what they leave."""
    delay = fault.post_dial_delay.mean if fault.post_dial_delay else 0.0
    heard = fault.transit or CLEAR
    ears = (heard.loss, heard.jitter, heard.delay, fault.data)
    return SEVERITY[fault.kind], fault.share, -fault.channels_left, delay, *ears


class _Trunk:
    """One trunk as it is."""

    __slots__ = ("active", "code", "drains", "health", "last", "pings", "weight")

    def __init__(self, health: TrunkHealth, pings: Pings | None, weight: int) -> None:
        self.health = health
        """What the router believes of it."""
        self.pings = pings
        self.weight = weight
        """Of its code in `Trunks.number`."""
        self.active: list[tuple[int, Incident]] = []
        self.last: Incident | None = None
        """Incident that touched it last."""
        self.drains = 0
        """Pieces of planned work under way."""
        self.code = 1


class Trunks:
    """Faults that are active on each trunk, the worst of which shows, and the router's view."""

    def __init__(
        self,
        env: Clock,
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
        radix = 2 * (len(tables.faults) + 1)
        self._trunks = [
            _Trunk(
                router.health(trunk),
                Pings(env, router, policy, trunk, learnt) if policy.health else None,
                radix**trunk,
            )
            for trunk in range(count)
        ]
        self.shown = [-1] * count
        """Index of the fault that each shows; -1: none."""
        self.number = 0
        """The state of all that calls meet: its codes as digits, less what it is where all is nominal."""
        self.numbers = radix**count
        """More than two of `number` can lie apart."""
        self.dirty = False
        """Whether the state has changed since somebody looked."""
        self.moved = False
        """Whether a trunk has come to show another fault, or none, since somebody looked."""
        self._watched: list[WatchedCalls] = []
        """As in `State.watches`: those of failing calls, then those of poor ones."""
        self._lapsed: list[int] = []
        hours = Hours(env, tables.zone)
        rules = ((False, policy.failing_calls), (True, policy.poor_calls))
        all_watched = [(poor, trunk) for poor, rule in rules if rule is not None for trunk in range(count)]
        for place, (poor, trunk) in enumerate(all_watched):
            self._watched.append(
                WatchedCalls(
                    env, hours, router, policy, trunk, random, learnt,
                    poor=poor, place=place, lapsed=self._lapsed,
                )
            )  # fmt: skip
        self._nothing = (None,) * len(self._watched)
        self.watching: tuple[Watch | None, ...] = ()
        self._turns: dict[int, _Turns] = {}
        """By the id of what is watched; the states that say it stay."""
        self._turn = self._turns.setdefault(id(self.watching), {})

    @property
    def codes(self) -> list[int]:
        """The state as `Conditions` keys it."""
        return [trunk.code for trunk in self._trunks]

    def fault(self, trunk: int) -> Fault | None:
        """Fault that a trunk shows."""
        shown = self.shown[trunk]
        return self._faults[shown] if shown >= 0 else None

    def watch_real_calls(self) -> None:
        """Leave the rules on calls to calls that are really placed."""
        self._watched = []

    def show(self, trunks: tuple[int, ...], fault: int, incident: Incident, now: float) -> Sequence[int]:
        """Add a fault; return the trunks on which calls in progress are lost by it."""
        lost: Sequence[int] = ()
        if self._drops_calls[fault]:
            lost = [t for t in trunks if not self._drops_calls[self.shown[t]]]
        for number in trunks:
            trunk = self._trunks[number]
            trunk.active.append((fault, incident))
            trunk.last = incident
            self._look(number, now)
        return lost

    def clear(self, trunks: tuple[int, ...], incident: Incident, now: float) -> None:
        """Remove the fault that an incident brought."""
        for number in trunks:
            trunk = self._trunks[number]
            trunk.active = [pair for pair in trunk.active if pair[1] is not incident]
            trunk.last = incident
            self._look(number, now)

    def _look(self, number: int, now: float) -> None:
        trunk = self._trunks[number]
        active = trunk.active
        if len(active) > 1:
            shown = max((f for f, _ in active), key=lambda f: (severity(self._faults[f]), f))
        else:
            shown = active[0][0] if active else -1
        if shown != self.shown[number]:
            self.shown[number] = shown
            self.moved = True
            status = self._ping_status[shown]
            if trunk.pings is not None and status != trunk.pings.status:
                trunk.pings.answer_is(status, now)
            self.refresh(number, now)

    def drain(self, trunks: tuple[int, ...], out: bool, now: float) -> None:
        """Take trunks out of the routing for planned work, or put them back."""
        for number in trunks:
            trunk = self._trunks[number]
            trunk.drains += 1 if out else -1
            self.router.drain(number, trunk.drains > 0)
            self.refresh(number, now)

    def drained(self, trunk: int) -> bool:
        """Whether a trunk is out of the routing for planned work."""
        return self._trunks[trunk].drains > 0

    def refresh(self, number: int, now: float) -> None:
        """Bring the code of a trunk up to date."""
        trunk = self._trunks[number]
        code = 2 * self.shown[number] + (3 if now >= trunk.health.up_from else 2)
        if code != trunk.code:
            self.number += (code - trunk.code) * trunk.weight
            trunk.code = code
            self.dirty = True

    def last_incident(self, number: int) -> Incident | None:
        """Incident that last touched a trunk; of those under way, the one that shows."""
        trunk = self._trunks[number]
        for fault, incident in trunk.active:
            if fault == self.shown[number]:
                return incident
        return trunk.last

    def watch(self, watches: tuple[Watch | None, ...], now: float) -> None:
        """Watch the calls that the present state of the service makes fail."""
        others, turn = self._turn.get(id(watches)) or self._turn_to(watches)
        self.watching = watches
        self._turn = turn
        for calls, watch in others:
            calls.watch(watch, now)
        if self._lapsed:
            lapsed = self._lapsed.copy()
            self._lapsed.clear()
            for place in lapsed:
                calls, watch = self._watched[place], (watches or self._nothing)[place]
                if watch is not calls.watched:
                    calls.watch(watch, now)

    def _turn_to(self, watches: tuple[Watch | None, ...]) -> _Turn:
        """Find what is watched otherwise in another state than in this."""
        pairs = zip(self._watched, self.watching or self._nothing, watches or self._nothing, strict=False)
        others = [(calls, new) for calls, old, new in pairs if new is not old]
        turn = self._turn[id(watches)] = others, self._turns.setdefault(id(watches), {})
        return turn


_Turn = tuple[list[tuple[WatchedCalls, "Watch | None"]], "_Turns"]
"""What is watched otherwise from one state on to another, and the turns from there."""
_Turns = dict[int, _Turn]
"""By the id of what is watched then."""
