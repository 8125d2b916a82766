"""Yardstick: the five-nines scenario, stripped, as one would write it by hand in plain SimPy.

It has no router, pings, calls, records, local time or incidents that change priority: service is down while
fewer units of a group work than needed, during a failover, or with every carrier out.
"""

from __future__ import annotations

import math
import random
import sys
import time

import simpy

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WEEK, YEAR = 7 * DAY, 365.25 * DAY
THURSDAY = 3 * DAY
"""Seconds from Monday 00:00 to the start, on 2026-01-01."""


def human(median: float, p95: float) -> tuple[float, float]:
    """Parameters of the lognormal law with these quantiles."""
    return math.log(median), math.log(p95 / median) / 1.6448536269514722


RESTART = {"sbc": human(4 * MINUTE, 15 * MINUTE), "media": human(3 * MINUTE, 12 * MINUTE)}
EXCHANGE = {"sbc": human(2 * HOUR, 5 * HOUR), "media": human(90 * MINUTE, 4 * HOUR)}
HARDWARE = {"sbc": 90_000 * HOUR, "media": 60_000 * HOUR}
SOFTWARE = {"sbc": 120 * DAY, "media": 60 * DAY}
UNITS = {"sbc": {"east": 2, "west": 2}, "media": {"east": 3, "west": 3}}
NEED = {"sbc": 1, "media": 3}
STOCK = {"sbc": 1, "media": 2}
TRAVEL = human(40 * MINUTE, 2 * HOUR)
PRIORITIES = {
    "P1": (human(MINUTE, 5 * MINUTE), human(4 * MINUTE, 12 * MINUTE)),
    "P3": (human(5 * MINUTE, 30 * MINUTE), human(2 * HOUR, 9 * HOUR)),
}
OUTAGES = (  # carriers taken, MTBF, repair
    ((0,), 70 * DAY, human(14 * MINUTE, 95 * MINUTE)),
    ((0,), 200 * DAY, human(20 * MINUTE, 2 * HOUR)),
    ((), 21 * DAY, human(6 * MINUTE, 40 * MINUTE)),  # refuses 30 %, and the calls go on to the next carrier
    ((1,), 90 * DAY, human(22 * MINUTE, 3 * HOUR)),
    ((2,), 45 * DAY, human(30 * MINUTE, 5 * HOUR)),
    ((0, 1), 3 * YEAR, human(50 * MINUTE, 6 * HOUR)),
)


def wait_until(now: float, opens: float) -> float:
    """Seconds until the week's next instant `opens` seconds after Monday 00:00."""
    return (opens - now - THURSDAY) % WEEK


def wait_for_office(now: float, opens: float, closes: float) -> tuple[float, float]:
    """Seconds until office hours (0 inside them), and what is left of that day's hours then."""
    week = (now + THURSDAY) % WEEK
    day, second = divmod(week, DAY)
    if day < 5 and second < closes:
        return max(opens - second, 0.0), closes - max(second, opens)
    return ((DAY - second) if day < 4 else (WEEK - week)) + opens, closes - opens


class Service:
    """What is up, and the processes that change it."""

    def __init__(self, env: simpy.Environment, rng: random.Random) -> None:
        self.env, self.rng = env, rng
        self.groups, self.sites = [], []
        for group, places in UNITS.items():
            for site, count in places.items():
                self.groups += [group] * count
                self.sites += [site] * count
        self.faults = [0] * len(self.groups)
        self.working = {group: self.groups.count(group) for group in UNITS}
        self.active: int | None = 0
        self.failovers = 0
        self.carrier_faults = [0, 0, 0]
        self.crew = simpy.Resource(env)
        self.spares = {group: simpy.Container(env, init=stock) for group, stock in STOCK.items()}
        self.is_down = False
        self.down_since = self.downtime = 0.0

    def start(self) -> None:
        """Begin every process."""
        process = self.env.process
        for site in ("east", "west"):
            process(self.power(site))
        for unit, group in enumerate(self.groups):
            process(self.hardware(unit, group))
            process(self.software(unit, group))
        for taken, mtbf, repair in OUTAGES:
            process(self.carrier_outage(taken, mtbf, repair))
        process(self.maintenance())
        process(self.upgrade())

    def judge(self) -> None:
        """Note whether the service has gone down or come back."""
        down = (
            self.failovers > 0
            or self.working["sbc"] < NEED["sbc"]
            or self.working["media"] < NEED["media"]
            or all(self.carrier_faults)
        )
        if down and not self.is_down:
            self.down_since = self.env.now
        elif self.is_down and not down:
            self.downtime += self.env.now - self.down_since
        self.is_down = down

    def take(self, units: list[int], planned: bool = False) -> None:
        """Put units out of service for one more reason; planned work moves the calls beforehand."""
        for unit in units:
            self.faults[unit] += 1
            if self.faults[unit] == 1:
                self.working[self.groups[unit]] -= 1
        if self.active in units:
            self.active = self.standby_for(self.active)
            if self.active is not None and not planned:
                self.failovers += 1
                self.env.process(self.failover(self.sites[self.active] == self.sites[units[0]]))
        self.judge()

    def give_back(self, units: list[int]) -> None:
        """Undo one `take`."""
        for unit in units:
            self.faults[unit] -= 1
            if self.faults[unit] == 0:
                self.working[self.groups[unit]] += 1
                if self.active is None and self.groups[unit] == "sbc":
                    self.active = unit
        self.judge()

    def standby_for(self, lost: int) -> int | None:
        """Choose the controller that takes over, on the same site if possible."""
        ready = [unit for unit, group in enumerate(self.groups) if group == "sbc" and not self.faults[unit]]
        nearby = [unit for unit in ready if self.sites[unit] == self.sites[lost]]
        return next(iter(nearby or ready), None)

    def failover(self, within_site: bool):
        """Keep the service down until a standby controller has taken over."""
        covered = 8.0 if within_site else 90.0
        yield self.env.timeout(covered if self.rng.random() < 0.995 else 12 * MINUTE)
        self.failovers -= 1
        self.judge()

    def power(self, site: str):
        """Fail a site, with all that stands on it."""
        units = [unit for unit, place in enumerate(self.sites) if place == site]
        repair = human(50 * MINUTE, 6 * HOUR)
        while True:
            yield self.env.timeout(self.rng.expovariate(1 / (4 * YEAR)))
            self.take(units)
            yield self.env.timeout(self.rng.lognormvariate(*repair))
            self.give_back(units)

    def software(self, unit: int, group: str):
        """Crash and restart a unit, sometimes its whole group."""
        alone, together = [unit], [other for other, name in enumerate(self.groups) if name == group]
        rate, restart = 1 / SOFTWARE[group], RESTART[group]
        while True:
            yield self.env.timeout(self.rng.expovariate(rate))
            units = together if self.rng.random() < 0.01 else alone
            self.take(units)
            yield self.env.timeout(self.rng.lognormvariate(*restart))
            self.give_back(units)

    def hardware(self, unit: int, group: str):
        """Break a unit; notice, respond, spare, crew, travel, exchange."""
        env, draw = self.env, self.rng.lognormvariate
        while True:
            yield env.timeout(self.rng.expovariate(1 / HARDWARE[group]))
            self.take([unit])
            urgent = self.is_down
            notice, respond = PRIORITIES["P1" if urgent else "P3"]
            yield env.timeout(draw(*notice))
            work = draw(*respond)
            if not urgent:  # only office hours count
                waits, left = wait_for_office(env.now, 9 * HOUR, 17 * HOUR)
                while work > left:
                    yield env.timeout(waits + left)
                    work -= left
                    waits, left = wait_for_office(env.now, 9 * HOUR, 17 * HOUR)
                work += waits
            yield env.timeout(work)
            yield self.spares[group].get(1)
            env.process(self.order(group))
            with self.crew.request() as crew:
                yield crew
                waits, _ = wait_for_office(env.now, 8 * HOUR, 18 * HOUR)
                yield env.timeout(min(waits, 90 * MINUTE) if urgent else waits)
                yield env.timeout(draw(*TRAVEL))
                yield env.timeout(draw(*EXCHANGE[group]))
            self.give_back([unit])

    def order(self, group: str):
        """Replace a spare."""
        yield self.env.timeout(3 * DAY)
        yield self.spares[group].put(1)

    def carrier_outage(self, taken: tuple[int, ...], mtbf: float, repair: tuple[float, float]):
        """Fail carriers, or none of note."""
        while True:
            yield self.env.timeout(self.rng.expovariate(1 / mtbf))
            self.carriers(taken, +1)
            yield self.env.timeout(self.rng.lognormvariate(*repair))
            self.carriers(taken, -1)

    def carriers(self, taken: tuple[int, ...], by: int) -> None:
        """Add or remove a fault of each carrier."""
        for carrier in taken:
            self.carrier_faults[carrier] += by
        self.judge()

    def maintenance(self):
        """Take the first carrier out for its planned work."""
        while True:
            yield self.env.timeout(30 * DAY)
            yield self.env.timeout(wait_until(self.env.now, DAY + HOUR))
            self.carriers((0,), +1)
            yield self.env.timeout(45 * MINUTE)
            self.carriers((0,), -1)

    def upgrade(self):
        """Upgrade the controllers, one at a time."""
        while True:
            yield self.env.timeout(60 * DAY)
            yield self.env.timeout(wait_until(self.env.now, 6 * DAY + 2 * HOUR))
            for unit in (unit for unit, group in enumerate(self.groups) if group == "sbc"):
                self.take([unit], planned=True)
                wrong = self.rng.random() < 0.02
                yield self.env.timeout(25 * MINUTE + wrong * 20 * MINUTE)
                self.give_back([unit])


def main(years: float = 2000, seed: int = 1) -> tuple[float, float]:
    """Simulate `years`; return the years a CPU second and the minutes of downtime a year."""
    env = simpy.Environment()
    service = Service(env, random.Random(seed))
    service.start()
    began = time.process_time()
    env.run(until=years * YEAR)
    took = time.process_time() - began
    if service.is_down:
        service.downtime += env.now - service.down_since
    return years / took, service.downtime / MINUTE / years


if __name__ == "__main__":
    speed, downtime = main(*(int(argument) for argument in sys.argv[1:]))
    print(f"{speed:,.0f} years a CPU second, down {downtime:.2f} min a year")
