"""The way from a fault to its repair: notice, respond, spare, crew, travel, repair."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from carriers.calendars import Zone
from carriers.laws import Fixed
from results.timeline import Stage
from sim import tables
from sim.clock import VALUE
from sim.draws import Draw, Randomness
from sim.recorder import Incident

if TYPE_CHECKING:
    from sim.clock import Clock, Timer

ZERO = Fixed(0.0)
URGENT, UNHURRIED = 0, 1
"""Priorities: the service is down; redundancy is lost."""


class Case:
    """An incident on its way through the stages."""

    __slots__ = ("due", "incident", "priority", "repair", "time")

    def __init__(self, incident: Incident, repair: tables.Repair, time: Draw) -> None:
        self.incident = incident
        self.repair = repair
        self.time = time
        self.priority = URGENT
        self.due = math.inf
        """When what it waits for comes; a timer with another due is void."""


class Store:
    """Spare parts: each one taken is ordered again, and arrives after the replacement time."""

    def __init__(self, env: Clock, spec: tables.Spare, random: Randomness) -> None:
        self._env = env
        self._stock = spec.stock
        self._replacement = random.law(spec.replacement, f"spare/{spec.name}")
        self._waiting: list[Callable[[], None]] = []

    def take(self, ready: Callable[[], None]) -> None:
        """Call `ready` as soon as a part is there; orders are filled in the order they came."""
        self._env.after(self._replacement(), self._arrive)
        if self._stock:
            self._stock -= 1
            ready()
        else:
            self._waiting.append(ready)

    def _arrive(self, _: Timer) -> None:
        if self._waiting:
            self._waiting.pop(0)()
        else:
            self._stock += 1


class Crew:
    """People who repair, one case each at a time: urgent ones first, then first come first served.

    Out of hours an urgent case calls somebody out, if the crew can be called out (or gets him at the next
    opening, if that is sooner); any other waits for the opening. A repair that has begun is finished.
    """

    def __init__(
        self,
        env: Clock,
        zone: Zone,
        spec: tables.Crew,
        random: Randomness,
        start: Callable[[Case], None],
    ) -> None:
        self._env = env
        self._zone = zone
        self._hours = spec.hours
        name = f"crew/{spec.name}/call_out"
        self._call_out = None if spec.call_out is None else random.law(spec.call_out, name)
        self.travel = None if spec.travel == ZERO else random.law(spec.travel, f"crew/{spec.name}/travel")
        self._start = start
        self._free = spec.size
        self._queue: list[Case] = []
        self._opening: Timer | None = None

    def request(self, case: Case) -> None:
        """Queue a case."""
        self._queue.append(case)
        self.dispatch()

    def release(self) -> None:
        """Give somebody back after a repair."""
        self._free += 1
        self.dispatch()

    def dispatch(self) -> None:
        """Send whoever is free to whatever may be begun now."""
        while self._free and self._queue:
            case = (
                min(self._queue, key=lambda case: case.priority) if len(self._queue) > 1 else self._queue[0]
            )
            now = self._env.now
            if self._hours.always or self._zone.is_open(self._hours, now):
                self._send(case)
                self._start(case)
                continue
            opening = self._zone.next_open(self._hours, now)
            if case.priority == URGENT and self._call_out is not None:
                self._send(case)
                self._env.after(min(opening - now, self._call_out()), self._arrived, case)
                continue
            if self._opening is None and opening < math.inf:
                self._opening = self._env.after(opening - now, self._open)
            return

    def _send(self, case: Case) -> None:
        self._queue.remove(case)
        self._free -= 1

    def _arrived(self, timer: Timer) -> None:
        self._start(timer[VALUE])

    def _open(self, _: Timer) -> None:
        self._opening = None
        self.dispatch()


class Repairs:
    """Brings every incident to its end."""

    def __init__(
        self,
        env: Clock,
        spec: tables.Tables,
        random: Randomness,
        restored: Callable[[Incident], None],
        is_urgent: Callable[[Incident], bool],
    ) -> None:
        self._env = env
        self._zone = spec.zone
        self._restored = restored
        self._is_urgent = is_urgent
        self._on_over = self._over
        self._plans: list[list[tuple[tables.Repair, Draw]]] = [
            [
                (mode.repair, random.law(mode.repair.time, f"{unit.name}/{mode.name}/repair"))
                for mode in unit.modes
            ]
            for unit in spec.units
        ]
        self._crews = [Crew(env, spec.zone, crew, random, self._travel) for crew in spec.crews]
        self._stores = [Store(env, spare, random) for spare in spec.spares]
        self._unhurried: dict[int, Case] = {}
        """Cases that wait for support or a crew without being urgent."""
        self._levels: tuple[tables.Priority, ...] = ()
        if spec.support is not None:
            self._levels = (spec.support.service_down, spec.support.redundancy_lost)
        self._notice = [random.law(p.notice, f"support/{n}/notice") for n, p in enumerate(self._levels)]
        self._respond = [random.law(p.respond, f"support/{n}/respond") for n, p in enumerate(self._levels)]

    def begin(self, incident: Incident) -> None:
        """Start the way to repair."""
        repair, time = self._plans[incident.unit][incident.mode]
        if not repair.staged:
            self._env.after(time(), self._on_over, incident)
            return
        case = Case(incident, repair, time)
        if not self._levels:
            self._spare(case)
            return
        if not self._is_urgent(incident):
            case.priority = UNHURRIED
            self._unhurried[incident.index] = case
        incident.enter(Stage.NOTICE, self._env.now)
        self._wait_for_notice(case)

    def escalate(self) -> None:
        """Make cases urgent whose service has failed meanwhile; no wait gets longer by it."""
        for case in [case for case in self._unhurried.values() if self._is_urgent(case.incident)]:
            stages = case.incident.stages
            del self._unhurried[case.incident.index]
            case.priority = URGENT
            if stages and stages[-1][0] == Stage.NOTICE:
                self._wait_for_notice(case)
            elif stages and stages[-1][0] == Stage.RESPOND:
                self._wait_for_response(case)
            if case.repair.crew is not None:
                self._crews[case.repair.crew].dispatch()

    def _over(self, timer: Timer) -> None:
        self._restored(timer[VALUE])

    def _wait_for_notice(self, case: Case) -> None:
        self._sooner(case, self._env.now + self._notice[case.priority](), self._noticed)

    def _noticed(self, case: Case) -> None:
        case.due = math.inf
        case.incident.enter(Stage.RESPOND, self._env.now)
        self._wait_for_response(case)

    def _wait_for_response(self, case: Case) -> None:
        hours = self._levels[case.priority].hours
        due = self._zone.add_open_time(hours, self._env.now, self._respond[case.priority]())
        self._sooner(case, due, self._spare)

    def _sooner(self, case: Case, due: float, then: Callable[[Case], None]) -> None:
        """Go on at `due`, unless what the case waits for already comes sooner."""
        if due < case.due:
            case.due = due
            self._env.after(due - self._env.now, lambda _: then(case) if case.due == due else None)

    def _spare(self, case: Case) -> None:
        # The part comes before the crew: nobody stands at the rack for days while it is on its way.
        case.due = math.inf
        if case.repair.spare is None:
            self._crew(case)
        else:
            case.incident.enter(Stage.SPARE, self._env.now)
            self._stores[case.repair.spare].take(lambda: self._crew(case))

    def _crew(self, case: Case) -> None:
        if case.repair.crew is None:
            self._work(case)
        else:
            case.incident.enter(Stage.CREW, self._env.now)
            self._crews[case.repair.crew].request(case)

    def _travel(self, case: Case) -> None:
        assert case.repair.crew is not None  # only a crew calls this
        travel = self._crews[case.repair.crew].travel
        if travel is None:
            self._work(case)
        else:
            case.incident.enter(Stage.TRAVEL, self._env.now)
            self._env.after(travel(), self._there, case)

    def _there(self, timer: Timer) -> None:
        self._work(timer[VALUE])

    def _work(self, case: Case) -> None:
        self._unhurried.pop(case.incident.index, None)
        case.incident.enter(Stage.REPAIR, self._env.now)
        self._env.after(case.time(), self._done, case)

    def _done(self, timer: Timer) -> None:
        case: Case = timer[VALUE]
        self._restored(case.incident)
        if case.repair.crew is not None:
            self._crews[case.repair.crew].release()
