"""Exact solutions of the oracles' models as continuous-time Markov chains, independent of the simulator.

Time is in hours. A model is a start state plus a function that lists (rate, next state) pairs, with a
function that says in which states the service is down. Run as a script it prints every model's exact
value, how long a simulation takes to estimate it, and how much the repairer's discipline matters.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from math import prod
from typing import TypeVar

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

State = TypeVar("State", bound=Hashable)

LAM, MU = 1 / 4380, 1 / 8
HOURS_PER_YEAR = 8766.0
"""Of the Julian year of 365.25 days."""
MINUTES_PER_ORACLE_YEAR = 60 * 8760
"""The oracles' figures in minutes a year are for 8,760 hours."""


@dataclass(frozen=True)
class Solution:
    """What a chain says about the time that a service is down."""

    unavailability: float
    """Long-run share of time."""
    variance: float
    """Variance of the downtime in a long run, over the run's length; hours."""
    outages_per_hour: float

    def years(self, half_width: float) -> float:
        """Length of a run whose 95 % interval has this half-width, as a share of the unavailability."""
        return self.variance * (1.96 / (half_width * self.unavailability)) ** 2 / HOURS_PER_YEAR


def solve(
    start: State, moves: Callable[[State], Iterable[tuple[float, State]]], down: Callable[[State], bool]
) -> Solution:
    """Solve the balance equations over all states that can be reached from `start`.

    The variance is 2 pi (f g) with f = down - U and g the solution of Poisson's equation Q g = -f.
    """
    index = {start: 0}
    states = [start]
    sources, targets, rates = [], [], []
    for here, state in enumerate(states):  # `states` grows meanwhile
        for rate, following in moves(state):
            if rate > 0 and following != state:
                if following not in index:
                    index[following] = len(states)
                    states.append(following)
                sources += [here, here]
                targets += [index[following], here]
                rates += [rate, -rate]
    n = len(states)
    generator = csc_matrix((rates, (sources, targets)), shape=(n, n))
    # The start state's equation follows from the others; its weight (or g) is set to one (or zero) instead.
    inner = splu(generator[1:, 1:].tocsc())
    weights = np.concatenate([[1.0], -inner.solve(generator[0, 1:].toarray().ravel(), trans="T")])
    pi = weights / weights.sum()
    is_down = np.array([down(state) for state in states])
    unavailability = float(pi[is_down].sum())
    centred = is_down - unavailability
    g = np.concatenate([[0.0], -inner.solve(centred[1:])])
    into_down = np.asarray(generator[:, is_down].sum(axis=1)).ravel()
    return Solution(unavailability, float(2 * pi @ (centred * g)), float((pi * into_down)[~is_down].sum()))


def in_series(parts: list[Solution]) -> Solution:
    """Independent parts that all have to work; the variance is that of rare outages, which add up."""
    up = prod(1 - part.unavailability for part in parts)
    return Solution(
        1 - up,
        sum(part.variance for part in parts),
        sum(part.outages_per_hour * up / (1 - part.unavailability) for part in parts),
    )


def k_out_of_n(need: int, units: int, crews: int, lam: float = LAM, mu: float = MU) -> Solution:
    """A load-shared group with exponential laws."""

    def moves(failed: int):
        yield (units - failed) * lam, failed + 1
        yield min(failed, crews) * mu, failed - 1

    return solve(0, moves, lambda failed: units - failed < need)


def pairs_with_one_crew(pairs: int, down_first: bool = False) -> Solution:
    """1-out-of-2 pairs in series and a single crew, first come first served.

    `down_first`: pairs that have lost both units are served before the others, without pre-emption.
    """

    def relabelled(queue: tuple[int, ...]) -> tuple[int, ...]:
        """Pairs are alike: number them by their first place in the queue."""
        seen: dict[int, int] = {}
        return tuple(seen.setdefault(pair, len(seen)) for pair in queue)

    def moves(queue: tuple[int, ...]):
        touched = len(set(queue))
        for pair in range(touched):
            if queue.count(pair) == 1:
                yield LAM, (*queue, pair)
        yield 2 * LAM * (pairs - touched), (*queue, touched)
        if queue:
            waiting = queue[1:]
            if down_first:
                waiting = tuple(sorted(waiting, key=lambda pair: waiting.count(pair) < 2))
            yield MU, relabelled(waiting)

    return solve((), moves, lambda queue: len(set(queue)) < len(queue))


def active_standby(coverage: float, as_simulated: bool = False, stages: int = 1) -> Solution:
    """An active unit, a standby that ages alike, one crew; a failover takes 30 s, an uncovered one 10 min.

    In the exact model repair starts when the failover is over, and nothing fails meanwhile. `as_simulated`:
    repair starts at once, both can fail meanwhile, and a unit that is back before the failover is over serves
    at once. A failover has an Erlang law of `stages` stages (1: exponential, many: nearly fixed).
    """
    duration = {"covered": 30 / 3600, "uncovered": 10 / 60}

    def moves(state: tuple[int, str, int]):
        failed, failover, left = state
        if failover:
            rate = stages / duration[failover]
            yield rate, ((failed, failover, left - 1) if left > 1 else (failed, "", 0))
            if as_simulated:
                yield LAM, (2, "", 0)
                yield MU, (0, "", 0)
            return
        if failed == 0:
            yield LAM * coverage, (1, "covered", stages)
            yield LAM * (1 - coverage), (1, "uncovered", stages)
        yield LAM, (min(failed + 1, 2), "", 0)  # of the standby, or of the last unit
        if failed:
            yield MU, (failed - 1, "", 0)

    return solve((0, "", 0), moves, lambda state: state[0] == 2 or bool(state[1]))


PARTS = ("left", "right", "left_switch", "right_switch", "backbone")
FAILS = dict(zip(PARTS, (1 / 500, 1 / 500, 1 / 4000, 1 / 4000, 1 / 5000), strict=True))
REPAIRS = dict(zip(PARTS, (2.0, 2.0, 0.25, 0.25, 0.125), strict=True))
INSPECTIONS = 10.0


def premium(stations: int, failed: Callable[[str], int]) -> bool:
    """Whether at least `stations` workstations are connected."""
    left, right = stations - failed("left"), stations - failed("right")
    left_switch, right_switch, backbone = (not failed(part) for part in PARTS[2:])
    return (
        (left >= stations and left_switch)
        or (right >= stations and right_switch)
        or (left + right >= stations and left_switch and right_switch and backbone)
    )


def cluster_racing(stations: int) -> Solution:
    """Solve the workstation cluster as QComp writes it: inspections of the failed types race."""
    count = [stations, stations, 1, 1, 1]

    def changed(failed: tuple[int, ...], i: int, by: int) -> tuple[int, ...]:
        return (*failed[:i], failed[i] + by, *failed[i + 1 :])

    def moves(state: tuple[tuple[int, ...], int]):
        failed, served = state
        for i, part in enumerate(PARTS):
            if failed[i] < count[i]:
                yield (count[i] - failed[i]) * FAILS[part], (changed(failed, i, +1), served)
            if served == -1 and failed[i]:
                yield INSPECTIONS, (failed, i)
        if served != -1:
            yield REPAIRS[PARTS[served]], (changed(failed, served, -1), -1)

    return solve(
        ((0,) * 5, -1), moves, lambda state: not premium(stations, lambda part: state[0][PARTS.index(part)])
    )


def cluster_queueing(stations: int, discipline: str = "first come") -> Solution:
    """Solve the workstation cluster with a repairer who takes one job, inspects it, then repairs it.

    No job in hand is given up. `discipline` of those that wait: "first come", "last come", "down first" (the
    first whose repair restores the service, while it is down), "quickest" or "slowest" (by mean repair).
    """
    count = dict(zip(PARTS, (stations, stations, 1, 1, 1), strict=True))

    def ordered(waiting: tuple[str, ...]) -> tuple[str, ...]:
        if discipline == "last come":
            return waiting[-1:] + waiting[:-1]
        if discipline in ("quickest", "slowest"):
            sign = -1 if discipline == "quickest" else 1
            return tuple(sorted(waiting, key=lambda part: sign * REPAIRS[part]))
        if discipline == "down first" and not premium(stations, waiting.count):
            for i, part in enumerate(waiting):
                others = waiting[:i] + waiting[i + 1 :]
                if premium(stations, others.count):
                    return (part, *others)
        return waiting

    def moves(state: tuple[tuple[str, ...], bool]):
        jobs, inspected = state
        for part in PARTS:
            yield (count[part] - jobs.count(part)) * FAILS[part], ((*jobs, part), inspected)
        if jobs and inspected:
            yield REPAIRS[jobs[0]], (ordered(jobs[1:]), False)
        elif jobs:
            yield INSPECTIONS, (jobs, True)

    return solve(((), False), moves, lambda state: not premium(stations, state[0].count))


def disk_clusters(redundancy: int) -> Solution:
    """6 clusters of R + 2 disks, 2 types of R controllers, 2 of R processors, each down once R units are."""

    def group(units: int, fails: float) -> Solution:
        def moves(state: tuple[int, int]):
            quick, slow = state  # in repair at rate 1, at rate .5
            working = units - quick - slow
            yield working * fails / 2, (quick + 1, slow)
            yield working * fails / 2, (quick, slow + 1)
            yield quick * 1.0, (quick - 1, slow)
            yield slow * 0.5, (quick, slow - 1)

        return solve((0, 0), moves, lambda state: sum(state) >= redundancy)

    disks = group(redundancy + 2, 2 / (redundancy * 150))
    others = group(redundancy, 2 / (redundancy * 50))
    return in_series([disks] * 6 + [others] * 4)


SOLUTIONS: dict[str, Callable[[], Solution]] = {
    "one-unit": lambda: k_out_of_n(1, 1, 1, 1 / 2000, 1 / 2),
    "five-pairs-own-crews": lambda: in_series([k_out_of_n(1, 2, 2)] * 5),
    "five-pairs-one-crew": lambda: pairs_with_one_crew(5),
    "one-out-of-two-one-crew": lambda: k_out_of_n(1, 2, 1),
    "one-out-of-two-two-crews": lambda: k_out_of_n(1, 2, 2),
    "two-out-of-three-one-crew": lambda: k_out_of_n(2, 3, 1),
    "active-standby-covered": lambda: active_standby(1.0),
    "active-standby-uncovered": lambda: active_standby(0.95),
    "workstation-cluster": lambda: cluster_racing(2),
    "disk-clusters-r2": lambda: disk_clusters(2),
    "disk-clusters-r3": lambda: disk_clusters(3),
}
"""The chain behind each file of tests/oracles."""


def main() -> None:
    for name, solution in SOLUTIONS.items():
        s = solution()
        minutes = s.unavailability * MINUTES_PER_ORACLE_YEAR
        print(f"{name:26} U {s.unavailability:.10e} = {minutes:.4f} min/year, ", end="")
        print(f"{s.outages_per_hour * HOURS_PER_YEAR:.5f} outages/year; ", end="")
        print(f"half-width 16 % in {s.years(0.16):,.0f} years, 5 % in {s.years(0.05):,.0f}")

    print("\nDiscipline of the only crew: difference in U")
    first = pairs_with_one_crew(5).unavailability
    print(
        f"five pairs, down first: {pairs_with_one_crew(5, down_first=True).unavailability / first - 1:+.4%}"
    )
    racing = cluster_racing(2).unavailability
    print(f"cluster, inspections racing: A = {1 - racing:.16f}")
    for discipline in ("first come", "down first", "last come", "quickest", "slowest"):
        u = cluster_queueing(2, discipline).unavailability
        print(f"cluster, {discipline}: A = {1 - u:.16f}, U {u / racing - 1:+.4%}")

    print("\nActive and standby: min/year of 8760 h")
    for coverage in (1.0, 0.95):
        for as_simulated in (False, True):
            for stages in (1, 50):
                u = active_standby(coverage, as_simulated, stages).unavailability
                print(f"coverage {coverage}, as simulated {as_simulated}, {stages} stages: ", end="")
                print(f"{u * MINUTES_PER_ORACLE_YEAR:.5f}")


if __name__ == "__main__":
    main()
