"""Whether real calls fared as predicted: every difference with a test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import stats

from callsim.drill.outcomes import Account, Course, Fate, courses
from callsim.drill.stretch import Episode
from callsim.exits import Exit
from results.estimates import Estimate, share
from sim import Tables

WITHIN = 0.1
"""Seconds by which times may differ on average, unless told otherwise: what the lab and our workers need."""
FEWEST = 50
"""Calls with which a drill says something."""
FEWEST_TIMES = 3
RESAMPLES = 4000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Counted:
    """Pairs in which something did happen or not, simulated beside real."""

    name: str
    pairs: int
    simulated: int
    real: int
    only_simulated: int
    only_real: int
    p: float
    """By McNemar's exact test: chance of so uneven a split of the pairs that differ."""
    adjusted: float = 1.0
    """By Holm, over all that is tested."""

    @property
    def differs(self) -> bool:
        """Whether the difference is systematic."""
        return self.adjusted < 1.0 - CONFIDENCE


@dataclass(frozen=True)
class Timed:
    """Figures that both sides have: times in seconds, or MOS."""

    name: str
    pairs: int
    simulated: float | None
    """Their mean."""
    real: float | None
    difference: float | None
    """Mean of real less simulated."""
    low: float | None
    """With `high` its interval, by the bootstrap over pairs; None: too few."""
    high: float | None
    p: float
    """Of Student's test that the mean is further than allowed from nothing."""
    adjusted: float = 1.0

    @property
    def apart(self) -> float:
        """By how much the two differ at least, as the interval has it."""
        return 0.0 if self.low is None or self.high is None else max(self.low, -self.high, 0.0)

    @property
    def differs(self) -> bool:
        """Whether the difference is systematic."""
        return self.adjusted < 1.0 - CONFIDENCE


@dataclass(frozen=True)
class Pair:
    """One call on both sides."""

    episode: int
    number: int
    simulated: Fate
    real: Fate

    @property
    def same(self) -> bool:
        """Whether it connected or not, and over which trunk, as predicted."""
        return self.simulated.trunk == self.real.trunk


@dataclass(frozen=True)
class Drill:
    """Episodes, what was predicted of them, what became of them."""

    tables: Tables
    episodes: Sequence[Episode]
    predicted: Sequence[Account]
    real: Sequence[Account]
    within: float = WITHIN
    """Seconds by which times may differ on average."""

    @cached_property
    def pairs(self) -> list[Pair]:
        """Give the calls of which both sides tell."""
        return [
            Pair(episode, number, simulated, real)
            for episode, (one, other) in enumerate(zip(self.predicted, self.real, strict=True))
            for number, (simulated, real) in enumerate(zip(one.fates, other.fates, strict=True))
            if not real.lost_by_tool
        ]

    @property
    def lost_by_tool(self) -> int:
        """Count the calls that our own processes lost."""
        return sum(fate.lost_by_tool for account in self.real for fate in account.fates)

    @property
    def as_predicted(self) -> Estimate:
        """Share of the calls that connected or not, and over which trunk, as predicted."""
        return share(sum(pair.same for pair in self.pairs), len(self.pairs), CONFIDENCE)

    @cached_property
    def faults(self) -> list[tuple[str, Course, Course]]:
        """Say of each fault its cause, and how it went, simulated and real."""
        found = []
        for episode, one, other in zip(self.episodes, self.predicted, self.real, strict=True):
            both = zip(episode.faults, courses(episode, one), courses(episode, other), strict=True)
            found += [(self.tables.faults[f.fault].cause, simulated, real) for f, simulated, real in both]
        return found

    # ---- tests

    @cached_property
    def tests(self) -> list[Counted | Timed]:
        """Compare everything, with the levels of the tests adjusted for their number (Holm 1979)."""
        found: list[Counted | Timed] = [*self._counts(), *self._times()]
        order = sorted(range(len(found)), key=lambda n: found[n].p)
        worst = 0.0
        for rank, n in enumerate(order):
            worst = max(worst, min(1.0, (len(found) - rank) * found[n].p))
            found[n] = replace(found[n], adjusted=worst)
        return found

    def _counts(self) -> Iterator[Counted]:
        calls = [(pair.simulated, pair.real) for pair in self.pairs]
        yield counted("connected", [(a.trunk is not None, b.trunk is not None) for a, b in calls])
        for carrier in self.tables.carriers:
            own = set(carrier.trunks)
            yield counted(f"carried by {carrier.name}", [(a.trunk in own, b.trunk in own) for a, b in calls])
        yield counted("more than one attempt", [(a.attempts > 1, b.attempts > 1) for a, b in calls])
        yield counted("dropped", [(a.dropped, b.dropped) for a, b in calls])
        alike = [(a, b) for a, b in calls if a.trunk is not None and a.trunk == b.trunk and not b.dropped]
        one_way = [(a.one_way, b.one_way) for a, b in alike if b.one_way is not None]
        yield counted("one-way audio", [(bool(a), bool(b)) for a, b in one_way])
        poor = self.tables.routing.poor_calls if self.tables.routing else None
        if poor is not None:
            level = poor.mos_below
            mos = [(a.mos, b.mos) for a, b in alike if a.mos is not None and b.mos is not None]
            yield counted(f"MOS below {level:g}", [(a < level, b < level) for a, b in mos])
        yield counted(
            "faults detected", [(a.detected is not None, b.detected is not None) for _, a, b in self.faults]
        )

    @cached_property
    def told(self) -> list[Timed]:
        """Compare what is told and not judged: MOS, of calls that should sound well, and of the others.

        A call of some seconds scatters, and its jitter buffer is not yet what that of the model is.
        """
        poor = self.tables.routing.poor_calls if self.tables.routing else None
        level = poor.mos_below if poor is not None else math.inf
        both = [
            (p.simulated.mos, p.real.mos)
            for p in self.pairs
            if p.same and p.simulated.mos is not None and p.real.mos is not None
        ]
        return [
            timed("MOS, good calls", [(a, b) for a, b in both if a >= level or poor is None]),
            timed("MOS, poor calls", [(a, b) for a, b in both if a < level and poor is not None]),
        ]

    def _times(self) -> Iterator[Timed]:
        delays = [
            (p.simulated.delay, p.real.delay)
            for p in self.pairs
            if p.same and p.simulated.attempts == p.real.attempts
        ]
        yield timed("post-dial delay", delays, self.within)
        for name, of in TIMES.items():
            yield timed(name, [(of(a), of(b)) for _, a, b in self.faults], self.within)

    # ---- the answer

    @property
    def verdict(self) -> Exit:
        """0 as predicted, 1 a systematic difference, 3 too few calls, or faults, to say."""
        if any(test.differs for test in self.tests):
            return Exit.BREACHED
        return Exit.INCONCLUSIVE if len(self.pairs) < FEWEST or self.unsure else Exit.MET

    @property
    def unsure(self) -> list[Timed]:
        """Give the times that look different, of too few faults for a test to say so."""
        times = [test for test in self.tests if isinstance(test, Timed) and not test.differs]
        return [time for time in times if time.apart > self.within]

    def nearest_change(self, pair: Pair) -> float:
        """Seconds from an INVITE of a call, or its ringing, to the nearest change of a fault or of a belief.

        INVITEs are sent when the call is placed and whenever one before may have timed out.
        """
        policy = self.tables.routing
        assert policy is not None  # the tables of a lab have one
        accounts = (self.predicted[pair.episode], self.real[pair.episode])
        changes = [belief.at for account in accounts for belief in account.beliefs]
        changes += [at for account in accounts for fault in account.faults for at in fault]
        most = max(pair.simulated.attempts, pair.real.attempts)
        instants = [fate.at + fate.delay for fate in (pair.simulated, pair.real) if fate.delay is not None]
        instants += [
            pair.simulated.at + silent * policy.no_reply_timeout + trying * policy.progress_timeout
            for silent in range(most + 1)
            for trying in range(most + 1 - silent)
        ]
        return min((abs(at - instant) for at in changes for instant in instants), default=math.inf)


TIMES: dict[str, Callable[[Course], float | None]] = {
    "time to detect": lambda course: course.detected,
    "time to fail over": lambda course: course.failed_over,
    "time to recover": lambda course: course.recovered,
}


def counted(name: str, pairs: Sequence[tuple[bool, bool]]) -> Counted:
    """Compare pairs of (simulated, real) by McNemar's exact test."""
    only_simulated = sum(a and not b for a, b in pairs)
    only_real = sum(b and not a for a, b in pairs)
    apart = only_simulated + only_real
    p = float(stats.binomtest(only_real, apart, 0.5).pvalue) if apart else 1.0
    simulated, real = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    return Counted(name, len(pairs), simulated, real, only_simulated, only_real, p)


def timed(name: str, pairs: Sequence[tuple[float | None, float | None]], within: float = WITHIN) -> Timed:
    """Compare pairs of (simulated, real) where both are known; the resamples are the same every time."""
    both = np.asarray([(a, b) for a, b in pairs if a is not None and b is not None]).reshape(-1, 2)
    if not len(both):
        return Timed(name, 0, None, None, None, None, None, 1.0)
    apart = both[:, 1] - both[:, 0]
    simulated, real, mean = float(both[:, 0].mean()), float(both[:, 1].mean()), float(apart.mean())
    if len(apart) < FEWEST_TIMES:
        return Timed(name, len(apart), simulated, real, mean, None, None, 1.0)
    rng = np.random.default_rng(0)
    means = apart[rng.integers(0, len(apart), (RESAMPLES, len(apart)))].mean(axis=1)
    low, high = np.quantile(means, [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0]).tolist()
    error = float(apart.std(ddof=1)) / math.sqrt(len(apart))
    beyond = abs(mean) - within
    p = float(stats.t.sf(beyond / error, len(apart) - 1)) if error > 0.0 else float(beyond <= 0.0)
    return Timed(name, len(apart), simulated, real, mean, low, high, p)
