"""What may become of a probe's call in one state of what it crosses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from callsim.plan.model import Expect
from carriers.laws import Law
from results.store.bins import PDD, RATIO, SHORTEST, bin_of
from results.timeline import HOURS_PER_WEEK, Floats, Heard

Flags = NDArray[np.bool_]
PARTS = 4
"""Parts of a bin of the store in which delays are told here."""
BINS = bin_of(PDD, 600.0) + 1
"""Bins of post-dial delay; what is longer is in the last."""
EDGES = SHORTEST * RATIO ** (np.arange(BINS * PARTS + 1, dtype=np.float64) / PARTS)
MIDDLES = (EDGES[1:] + EDGES[:-1]) / 2.0
AT_ONCE = 0.1
"""Seconds after which a refusal is there."""
RARE = 1e-9
"""What is rarer in every hour is left out."""


@dataclass(frozen=True)
class Outcome:
    """One way in which a call may go."""

    chance: Floats
    """(168,) by hour of the week."""
    connects: bool
    passes: bool
    """Whether it keeps what its test expects."""
    lasts: float
    """Seconds until it is over, besides the post-dial delay."""
    delays: Floats | None = None
    """Chance of each part of the post-dial delay, summing to 1; None: there is none to tell."""
    mos: float = math.nan


def judged(expect: Expect, heard: Heard | None) -> bool:
    """Whether a call that sounds so keeps what does not hang on its delay.

    What the scenario says nothing of is taken as kept.
    """
    if heard is None:
        return True
    if heard.one_way:
        asked = (
            expect.two_way_audio,
            expect.mos_at_least,
            expect.mos_lqo_at_least,
            expect.echo_within,
            expect.dtmf,
        )
        return all(one is None or one is False for one in asked)
    if expect.mos_at_least is not None and heard.mos is not None and heard.mos < expect.mos_at_least:
        return False
    rated = heard.mos is not None
    if rated and expect.loss_at_most is not None and heard.loss > expect.loss_at_most:
        return False
    return not (rated and expect.jitter_at_most is not None and heard.jitter > expect.jitter_at_most)


def connected(
    expect: Expect, chance: Floats, heard: Heard | None, delay: tuple[float, Law | None, float], talk: float
) -> list[Outcome]:
    """Give the outcomes of a call that connects: in time for its test, and too late for it.

    `delay` is seconds of earlier attempts, the law of the last one's delay, and the limit that it is below.
    """
    offset, law, limit = delay
    good = judged(expect, heard)
    mos = math.nan if heard is None or heard.mos is None else heard.mos
    asked = [x for x in (expect.ringing_within, expect.answered_within) if x is not None]
    within = min(asked, default=math.inf)
    if law is None:
        return [Outcome(chance, True, good and offset <= within, talk + offset, None, mos)]
    edges = np.minimum(EDGES - offset, limit)
    below = law.cdf(edges) / max(float(law.cdf(np.asarray(min(limit, 1e9)))), 1e-300)
    below[0], below[-1] = 0.0, 1.0
    masses = np.diff(below)
    in_time = EDGES[1:] <= within
    found = []
    for part, passes in ((in_time, good), (~in_time, False)):
        share = float(masses[part].sum())
        if share > 0.0:
            delays = np.where(part, masses, 0.0) / share
            found.append(Outcome(chance * share, True, passes, talk, delays, mos))
    return found


class Fare:
    """All outcomes of a state; their chances sum to 1 in each hour of the week."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self.outcomes = [one for one in outcomes if one.chance.max() > RARE]
        chance = np.stack([one.chance for one in self.outcomes])
        chance = chance / chance.sum(axis=0)
        self._chance = chance
        passes = np.array([one.passes for one in self.outcomes])
        self.fails: Floats = chance[~passes].sum(axis=0)
        """(168,) chance that it does not keep what its test expects."""
        self._above = np.cumsum(chance, axis=0)
        self._failing_above = np.cumsum(np.where(passes[:, None], 0.0, chance), axis=0)
        self._below = [None if one.delays is None else np.cumsum(one.delays) for one in self.outcomes]
        self._passes, self._connects = passes, np.array([one.connects for one in self.outcomes])
        self._mos = np.array([one.mos for one in self.outcomes])
        self._lasts = np.array([one.lasts for one in self.outcomes])

    def draw(self, hours: NDArray[np.intp], rng: np.random.Generator, *, failing: bool = False) -> Drawn:
        """Draw what becomes of calls in these hours of the week, (n,); `failing`: given that they fail."""
        above = self._failing_above if failing else self._above
        u = rng.random(len(hours)) * above[-1, hours]
        which = np.minimum((u >= above[:, hours]).sum(axis=0), len(self.outcomes) - 1)
        pdd = np.full(len(hours), np.nan)
        for number in np.unique(which).tolist():
            below = self._below[number]
            if below is not None:
                (mine,) = np.nonzero(which == number)
                at = np.minimum(np.searchsorted(below, rng.random(len(mine)) * below[-1]), len(MIDDLES) - 1)
                pdd[mine] = EDGES[at] + rng.random(len(mine)) * (EDGES[at + 1] - EDGES[at])
        lasts = self._lasts[which] + np.nan_to_num(pdd)
        return Drawn(self._passes[which], self._connects[which], pdd, self._mos[which], lasts)

    def steady(self, weights: Floats) -> Steady:
        """Sum up what calls that pass look like, where `weights` (168,) says how many each hour has."""
        whole = float(weights.sum()) or 1.0
        share = (self._chance * weights).sum(axis=1) * self._passes / whole
        share = share / (share.sum() or 1.0)
        delays = np.zeros(BINS * PARTS)
        for one, part in zip(self.outcomes, share, strict=True):
            if one.delays is not None:
                delays += part * one.delays
        binned = delays.reshape(BINS, PARTS)
        chance = binned.sum(axis=1)
        (at,) = np.nonzero(chance > 0.0)
        means = (binned * MIDDLES.reshape(BINS, PARTS)).sum(axis=1)[at] / chance[at]
        rated = ~np.isnan(self._mos) & (share > 0.0)
        return Steady(at, chance[at], means, self._mos[rated], share[rated])

    @cached_property
    def good_lasts(self) -> float:
        """Seconds that a call which passes takes on average."""
        found = [
            one.lasts + (0.0 if one.delays is None else float((one.delays * MIDDLES).sum()))
            for one in self.outcomes
            if one.passes
        ]
        return float(np.mean(found)) if found else 0.0


@dataclass(frozen=True)
class Drawn:
    """What became of calls, (n,) each."""

    passes: Flags
    connects: Flags
    pdd: Floats
    """Seconds; NaN where there is none."""
    mos: Floats
    """NaN where there is none."""
    lasts: Floats
    """Seconds."""

    def put(self, at: NDArray[np.intp], other: Drawn) -> None:
        """Take others in place of those at some positions."""
        for name in ("passes", "connects", "pdd", "mos", "lasts"):
            getattr(self, name)[at] = getattr(other, name)


@dataclass(frozen=True)
class Steady:
    """Delays and MOS of calls that pass where nothing is wrong, in bins that have any."""

    bins: NDArray[np.intp]
    """Of post-dial delay, as the store counts them."""
    delay_chance: Floats
    """Summing to 1, or none where delays are not predicted."""
    delay_mean: Floats
    """Seconds."""
    mos: Floats
    """Values that occur."""
    mos_chance: Floats


def week(value: float = 0.0) -> Floats:
    """Give the same value for each hour of the week."""
    return np.full(HOURS_PER_WEEK, value)


def sure(lasts: Sequence[tuple[Floats, float]]) -> list[Outcome]:
    """Give outcomes of calls that do not connect: their chance, and the seconds that they take."""
    return [Outcome(chance, False, False, seconds) for chance, seconds in lasts]
