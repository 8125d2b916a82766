"""The way from a fault to its repair: notice, respond, spare, crew, travel, repair."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from carriers.laws import Fixed
from results.timeline import Stage
from sim import tables
from sim.clock import Timer, after
from sim.draws import Draw, Randomness
from sim.recorder import Incident

if TYPE_CHECKING:
    import simpy

ZERO = Fixed(0.0)
URGENT = 0
"""`Incident.priority` of what has the service down."""


class Store:
    """Spare parts: each one taken is ordered again, and arrives after the replacement time."""

    def __init__(self, env: simpy.Environment, spec: tables.Spare, random: Randomness) -> None:
        self._env = env
        self._stock = spec.stock
        self._replacement = random.law(spec.replacement, f"spare/{spec.name}")
        self._waiting: list[Callable[[], None]] = []

    def take(self, ready: Callable[[], None]) -> None:
        """Call `ready` as soon as a part is there; orders are filled in the order they came."""
        after(self._env, self._replacement(), self._arrive)
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
    """People who repair, one incident each at a time: urgent incidents first, then first come first served.

    Out of hours an urgent incident calls somebody out (or gets him at the next opening, if that is sooner);
    any other waits for the opening. A repair that has begun is finished.
    """

    def __init__(
        self,
        env: simpy.Environment,
        zone: tables.Zone,
        spec: tables.Crew,
        random: Randomness,
        start: Callable[[Incident], None],
    ) -> None:
        self._env = env
        self._zone = zone
        self._hours = spec.hours
        self._call_out = random.law(spec.call_out, f"crew/{spec.name}/call_out")
        self.travel = None if spec.travel == ZERO else random.law(spec.travel, f"crew/{spec.name}/travel")
        self._start = start
        self._free = spec.size
        self._queue: list[Incident] = []
        self._opening: Timer | None = None

    def request(self, incident: Incident) -> None:
        """Queue an incident."""
        self._queue.append(incident)
        self.dispatch()

    def release(self) -> None:
        """Give somebody back after a repair."""
        self._free += 1
        self.dispatch()

    def dispatch(self) -> None:
        """Send whoever is free to whatever may be begun now."""
        while self._free and self._queue:
            incident = min(self._queue, key=lambda i: i.priority)
            now = self._env.now
            if self._hours.always or self._zone.is_open(self._hours, now):
                self._queue.remove(incident)
                self._free -= 1
                self._start(incident)
                continue
            opening = self._zone.next_open(self._hours, now)
            if incident.priority == URGENT:
                self._queue.remove(incident)
                self._free -= 1
                wait = min(opening - now, self._call_out())
                after(self._env, wait, lambda _, called=incident: self._start(called))
                continue
            if self._opening is None and opening < float("inf"):
                self._opening = after(self._env, opening - now, self._open)
            return

    def _open(self, _: Timer) -> None:
        self._opening = None
        self.dispatch()


class Repairs:
    """Brings every incident to its end."""

    def __init__(
        self,
        env: simpy.Environment,
        spec: tables.Tables,
        random: Randomness,
        restored: Callable[[Incident], None],
        is_urgent: Callable[[Incident], bool],
    ) -> None:
        self._env = env
        self._zone = spec.zone
        self._restored = restored
        self._on_over = self._over
        self._is_urgent = is_urgent
        self._modes = [[mode.repair for mode in unit.modes] for unit in spec.units]
        self._times: list[list[Draw]] = [
            [random.law(mode.repair.time, f"{unit.name}/{mode.name}/repair") for mode in unit.modes]
            for unit in spec.units
        ]
        self._support = spec.support
        self._crews = [Crew(env, spec.zone, crew, random, self._travel) for crew in spec.crews]
        self._stores = [Store(env, spare, random) for spare in spec.spares]
        self._unhurried: dict[int, Incident] = {}
        """Incidents that wait for support or a crew without being urgent."""
        if spec.support is not None:
            self._levels = (spec.support.service_down, spec.support.redundancy_lost)
            self._notice = [random.law(p.notice, f"support/{n}/notice") for n, p in enumerate(self._levels)]
            self._respond = [random.law(p.respond, f"support/{n}/respond") for n, p in enumerate(self._levels)]

    def begin(self, incident: Incident) -> None:
        """Start the way to repair."""
        repair = self._modes[incident.unit][incident.mode]
        if not repair.staged:
            after(self._env, self._times[incident.unit][incident.mode](), self._on_over, incident)
        elif self._support is None:
            self._spare(incident)
        else:
            incident.priority = 0 if self._is_urgent(incident) else 1
            if incident.priority:
                self._unhurried[incident.index] = incident
            incident.enter(Stage.NOTICE, self._env.now)
            self._wait_for_notice(incident)

    def _over(self, timer: Timer) -> None:
        self._restored(timer.value)

    def escalate(self) -> None:
        """Make incidents urgent whose service has failed meanwhile; no wait gets longer by it."""
        for incident in [i for i in self._unhurried.values() if self._is_urgent(i)]:
            del self._unhurried[incident.index]
            incident.priority = URGENT
            if incident.stages[-1][0] == Stage.NOTICE:
                self._wait_for_notice(incident)
            elif incident.stages[-1][0] == Stage.RESPOND:
                self._wait_for_response(incident)
            crew = self._modes[incident.unit][incident.mode].crew
            if crew is not None:
                self._crews[crew].dispatch()

    def _wait_for_notice(self, incident: Incident) -> None:
        self._sooner(incident, self._env.now + self._notice[incident.priority](), self._noticed)

    def _noticed(self, incident: Incident) -> None:
        incident.ticket = None
        incident.enter(Stage.RESPOND, self._env.now)
        self._wait_for_response(incident)

    def _wait_for_response(self, incident: Incident) -> None:
        hours = self._levels[incident.priority].hours
        due = self._zone.add_open_time(hours, self._env.now, self._respond[incident.priority]())
        self._sooner(incident, due, self._spare)

    def _sooner(self, incident: Incident, due: float, then: Callable[[Incident], None]) -> None:
        """Go on at `due`, unless what the incident waits for already comes sooner."""
        ticket = incident.ticket
        if isinstance(ticket, tuple) and ticket[0] <= due:
            return
        mine = (due,)
        incident.ticket = mine
        if due < float("inf"):
            after(
                self._env,
                due - self._env.now,
                lambda _: then(incident) if incident.ticket is mine else None,
            )

    def _spare(self, incident: Incident) -> None:
        # The part comes before the crew: nobody stands at the rack for days while it is on its way.
        incident.ticket = None
        repair = self._modes[incident.unit][incident.mode]
        if repair.spare is None:
            self._crew(incident)
        else:
            incident.enter(Stage.SPARE, self._env.now)
            self._stores[repair.spare].take(lambda: self._crew(incident))

    def _crew(self, incident: Incident) -> None:
        repair = self._modes[incident.unit][incident.mode]
        if repair.crew is None:
            self._work(incident)
        else:
            incident.enter(Stage.CREW, self._env.now)
            self._crews[repair.crew].request(incident)

    def _travel(self, incident: Incident) -> None:
        crew = self._modes[incident.unit][incident.mode].crew
        assert crew is not None  # noqa: S101 - only a crew calls this
        travel = self._crews[crew].travel
        if travel is None:
            self._work(incident)
        else:
            incident.enter(Stage.TRAVEL, self._env.now)
            after(self._env, travel(), lambda _: self._work(incident))

    def _work(self, incident: Incident) -> None:
        self._unhurried.pop(incident.index, None)
        incident.enter(Stage.REPAIR, self._env.now)
        after(self._env, self._times[incident.unit][incident.mode](), lambda _: self._done(incident))

    def _done(self, incident: Incident) -> None:
        crew = self._modes[incident.unit][incident.mode].crew
        self._restored(incident)
        if crew is not None:
            self._crews[crew].release()
