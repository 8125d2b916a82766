"""What probes on a schedule can see, worked out before the first of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from carriers.calendars import ALWAYS, WEEK, WeeklyHours
from results.timeline import Floats

DAY = 86400.0
STEPS = 4000
"""Instants at which a law of time is worked out."""
WEEK_STEPS = 672
"""Instants of the week at which a failure may begin, where probes have hours: every 15 minutes."""


@dataclass(frozen=True)
class Beat:
    """A leg's schedule: a probe `every` s, each up to `jitter` s earlier or later, evenly spread.

    A slot fails if all of its tries do, from its first to its last `tries` s later; that is known `known` s
    after the last has begun.
    """

    every: float
    jitter: float = 0.0
    tries: float = 0.0
    known: float = 0.0
    hours: WeeklyHours = ALWAYS

    @property
    def open_share(self) -> float:
        """Share of the week in which it runs."""
        return sum(closes - opens for opens, closes in self.hours.spans) / WEEK

    @property
    def per_day(self) -> float:
        """Probes in a mean day."""
        return self.open_share * DAY / self.every

    def fewer(self, count: int, seconds: Floats) -> Floats:
        """Chance that fewer than `count` slots begin within so many open seconds from an instant at random.

        Of a stationary point process with mean distance c, and G(k) from a point to the k-th after it, it is
        (E[(G(k) - w)+] - E[(G(k-1) - w)+]) / c (Palm's inversion formula: Baccelli and Bremaud 2003, 1.2).
        """
        least = self._beyond(count, seconds) - (self._beyond(count - 1, seconds) if count > 1 else 0.0)
        return np.clip(least / self.every, 0.0, 1.0)

    def _beyond(self, count: int, seconds: Floats) -> Floats:
        """Mean of (G - w)+, where G is `count` cadences and the difference of two jitters (triangular)."""
        short = count * self.every - seconds
        if not self.jitter:
            return np.maximum(short, 0.0)
        width = 2.0 * self.jitter
        tail = np.clip(width - np.abs(short), 0.0, None) ** 3 / (6.0 * width**2)
        return np.maximum(short, 0.0) + tail


@dataclass(frozen=True)
class Law:
    """A law of time: `beyond` is the chance that it takes longer than each of `seconds`."""

    seconds: Floats
    beyond: Floats

    @cached_property
    def mean(self) -> float:
        """Mean in seconds."""
        return float(np.sum((self.beyond[1:] + self.beyond[:-1]) / 2.0 * np.diff(self.seconds)))

    def quantile(self, share: float) -> float:
        """Seconds within which it is over with a chance of `share`."""
        return float(np.interp(share, 1.0 - self.beyond, self.seconds))


def found_law(beats: Sequence[Beat]) -> Law:
    """Give how long an outage has to last to be found: with chance p, if as long as the p-quantile."""
    return _law(beats, 1, [beat.tries for beat in beats])


def noticed_law(beats: Sequence[Beat], count: int = 1) -> Law:
    """Give the time from the beginning of an outage that lasts until `count` probes have told of it."""
    return _law(beats, count, [beat.tries + beat.known for beat in beats])


def fits(beats: Sequence[Beat], count: int, within: float) -> bool:
    """Whether so many slots can fail within some seconds at all."""
    return sum(math.floor((within + 2.0 * beat.jitter) / beat.every) + 1 for beat in beats) >= count


def _law(beats: Sequence[Beat], count: int, later: Sequence[float]) -> Law:
    """Give the time until the `count`-th slot, of beats at random phases, each told of so much `later`."""
    always = all(beat.hours.always for beat in beats)
    longest = max(later) + (count + 1) * max(beat.every + 2.0 * beat.jitter for beat in beats)
    steps = STEPS if always else STEPS // 2
    until = longest if always else longest + WEEK
    seconds = np.linspace(0.0, until, steps + 1, dtype=np.float64)
    begins: Floats = np.arange(1 if always else WEEK_STEPS, dtype=np.float64) * (WEEK / WEEK_STEPS)
    # Chance of 0, 1, ... count - 1 slots so far, (count, instants, beginnings).
    so_far = np.zeros((count, len(seconds), len(begins)))
    so_far[0] = 1.0
    for beat, shift in zip(beats, later, strict=True):
        open_ = _open_seconds(beat.hours, begins, np.maximum(seconds - shift, 0.0))
        fewer = [np.zeros_like(open_), *(beat.fewer(k, open_) for k in range(1, count + 1))]
        exactly = [fewer[k + 1] - fewer[k] for k in range(count)]
        so_far = np.stack([sum(so_far[k - n] * exactly[n] for n in range(k + 1)) for k in range(count)])
    return Law(seconds, so_far.sum(axis=0).mean(axis=1))


def _open_seconds(hours: WeeklyHours, begins: Floats, window: Floats) -> Floats:
    """Open seconds within each window from each beginning in the week, (windows, beginnings)."""
    if hours.always:
        return np.repeat(window[:, None], len(begins), axis=1)
    opens, closes = np.reshape(hours.spans, (-1, 2)).T
    edges = np.unique(np.concatenate(([0.0, WEEK], opens, closes)))
    inner = ((opens <= edges[:-1, None]) & (edges[:-1, None] < closes)).any(axis=1)
    done = np.concatenate(([0.0], np.cumsum(np.diff(edges) * inner)))

    def before(t: Floats) -> Floats:
        return np.asarray(t // WEEK * done[-1] + np.interp(t % WEEK, edges, done))

    return before(begins + window[:, None]) - before(begins)


def probes_to_show(availability: float, confidence: float = 0.95) -> int:
    """Count the probes, none of which fails, that show an availability if each is independent.

    Clopper and Pearson's bound (1934) at zero failures: availability ** n <= 1 - confidence.
    """
    return math.ceil(math.log(1.0 - confidence) / math.log(availability))


def probes_with_outages(
    availability: float, spacing: float, mean_outage: float, confidence: float = 0.95
) -> int:
    """Count the probes, none of which fails, that show an availability if outages last.

    Probes come `spacing` s apart, outages last `mean_outage` s on average. Up and down alternate as a Markov
    chain: after an instant that is up, one that is s seconds later is up with 1 - u (1 - exp(-s (a + b))),
    where u is the unavailability and a + b the sum of both rates (Trivedi 2001, section 8.2). The chance of n
    good ones is availability times that to the n - 1.
    """
    down = 1.0 - availability
    both_rates = 1.0 / (mean_outage * availability)
    follows = down * -math.expm1(-spacing * both_rates)
    wanted = math.log((1.0 - confidence) / availability) / math.log1p(-follows)
    return 1 + math.ceil(wanted)


def days_to_show(
    availability: float, per_day: float, mean_outage: float | None = None, confidence: float = 0.95
) -> float:
    """Days without a failure that show an availability; `mean_outage` is what outages last, if they do."""
    if mean_outage is None:
        return probes_to_show(availability, confidence) / per_day
    return probes_with_outages(availability, DAY / per_day, mean_outage, confidence) / per_day


def unseen_share(probes: int, confidence: float = 0.95) -> float:
    """Share of a time that outages between its probes may take at most, where that many were good.

    The probes are spread evenly, each at random in its own part of the time, so that those of a share u all
    miss with at most (1 - u) ** n (by the inequality of the means), however the outages lie in it.
    """
    return 1.0 - float((1.0 - confidence) ** (1.0 / probes)) if probes else 1.0
