"""What probes tell of a subject in a stretch, in figures that can be set beside each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from callsim.validating.legs import Matching
from callsim.validating.probing import Sums, added
from results.incidents import SERVICE
from results.probes import Series
from results.sight import Seen, Sight
from results.store.bins import MOS, PDD, percentile
from results.timeline import Floats

SHORTEST_OUTAGE = 1.0
"""Seconds; the middle of an outage's bounds is no less."""
FEWEST_CALLS = 10
"""With fewer calls that have one there is no delay and no MOS to compare."""


class Metric(Enum):
    """What is compared; the values are their names in JSON."""

    AVAILABILITY = "availability"
    OUTAGES = "outages"
    LENGTH = "outage_length"
    CONNECTED = "connect_share"
    PDD = "pdd_mean"
    PDD_P95 = "pdd_p95"
    MOS = "mos_mean"
    MOS_P5 = "mos_p5"


COLUMNS = tuple(metric for metric in Metric if metric is not Metric.LENGTH)
"""Figures of one stretch that are a number each; lengths are kept outage by outage."""
ADDITIVE = ("known", "down", "outages", "log_length", "lengths", "told", "connected", "seconds")
"""Sums that those of longer stretches are made of."""


@dataclass(frozen=True)
class Facts:
    """What probes told of a subject in a stretch."""

    known: float
    """Seconds of which something is known."""
    down: float
    """Of them down, midway between the shortest and the longest that outages can have been."""
    lengths: Floats
    """(n,) of each outage that began and ended in the stretch, midway between its bounds, in order."""
    outages: int
    """All that began in it."""
    sums: Sums | None
    """Of the calls that tell of it; None where no leg does by itself."""

    def value(self, metric: Metric) -> float:
        """Give a figure; NaN where there is nothing to tell it from."""
        sums, value = self.sums, math.nan
        match metric:
            case Metric.AVAILABILITY if self.known > 0.0:
                value = 1.0 - self.down / self.known
            case Metric.OUTAGES if self.known > 0.0:
                value = self.outages / self.known
            case Metric.LENGTH if len(self.lengths):
                value = float(np.exp(np.log(self.lengths).mean()))
            case Metric.CONNECTED if sums is not None and sums.told:
                value = sums.connected / sums.told
            case Metric.PDD | Metric.PDD_P95 if sums is not None:
                share = None if metric is Metric.PDD else 0.95
                value = _of_calls(PDD, sums.pdd, sums.pdd_total, share)
            case Metric.MOS | Metric.MOS_P5 if sums is not None:
                share = None if metric is Metric.MOS else 0.05
                value = _of_calls(MOS, sums.mos, sums.mos_total, share)
        return value

    def additive(self, seconds: float) -> tuple[float, ...]:
        """Give the sums of `ADDITIVE`, of a stretch of so many seconds."""
        sums = self.sums
        told, connected = (0, 0) if sums is None else (sums.told, sums.connected)
        logs = float(np.log(self.lengths).sum())
        return self.known, self.down, self.outages, logs, len(self.lengths), told, connected, seconds


def _of_calls(measure: str, bins: Floats, total: float, share: float | None) -> float:
    """Give the mean of what calls have, or the value below which a share of it lies; NaN of too few."""
    count = float(bins.sum())
    if count < FEWEST_CALLS:
        return math.nan
    if share is None:
        return total / count
    (at,) = np.nonzero(bins)
    counts = dict(zip(at.tolist(), bins[at].astype(int).tolist(), strict=True))
    found = percentile(measure, counts, share)
    return math.nan if found is None else found


def facts_of(
    seen: Seen, sums: Mapping[Series, Sums], matching: Matching, subjects: Sequence[str]
) -> dict[str, Facts]:
    """Put together what was seen of subjects, and what their calls came to."""
    found = {}
    for subject in subjects:
        places = matching.legs_of(subject)
        own = [one for series, one in sums.items() if (series.test, series.over) in places]
        sight = seen.whole[subject]
        lengths, began = _outages(sight)
        down = (
            sum(float((s.end - s.start).sum()) for s in (sight.down("shortest"), sight.down("longest"))) / 2.0
        )
        found[subject] = Facts(sight.known, down, lengths, began, added(own) if own else None)
    return found


def _outages(sight: Sight) -> tuple[Floats, int]:
    """Give the lengths of outages that lie in the time as a whole, and how many began in it."""
    if not sight.outages:
        return np.empty(0), 0
    middle = (sight.seconds("shortest") + sight.seconds("longest")) / 2.0
    began = np.array(
        [one.began_latest >= sight.since and np.isfinite(one.began_earliest) for one in sight.outages]
    )
    over = np.array([one.ended_latest <= sight.until for one in sight.outages])
    return np.maximum(middle[began & over], SHORTEST_OUTAGE), int(began.sum())


__all__ = ["ADDITIVE", "COLUMNS", "SERVICE", "Facts", "Metric", "facts_of"]
