"""Objectives about how calls sound, as sums over the calls that connected."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from carriers.quality import WIDEBAND
from results.ledger import CallVolumes
from results.timeline import HOURS_PER_WEEK, Condition, Floats, Heard
from sla.failing import Names, spoilt_by
from sla.objectives import Jitter, Latency, MosAverage, PacketLoss, PoorCalls
from sla.remembered import remembered

Voice = MosAverage | PoorCalls | PacketLoss | Latency | Jitter
SOUND = {
    "mos": "voice quality (MOS)",
    "poor_calls": "voice quality (MOS)",
    "packet_loss": "packet loss",
    "latency": "latency",
    "jitter": "jitter",
}
"""What a record has to tell for each of them."""
_SOME = 1e-3
"""Fewer calls are none: sums are off by rounding."""


class Sums(NamedTuple):
    """What is added up over the offered calls, p columns: sums of a figure, numbers of calls."""

    shares: Floats
    """(conditions, 168, p) of an offered call."""
    left_out: slice
    """Columns in which calls of excluded time are not counted."""


def sums_of(objective: Voice, calls: CallVolumes, excused: Names, as_good: bool) -> Sums | None:
    """Prepare the sums of an objective; None where the record does not tell how calls sound.

    Calls that an `excused` cause spoils are left out; with `as_good` they are good ones where there is good
    and poor. One-way calls have no quality, so that they are left out too.
    """
    counts_good = as_good and isinstance(objective, PoorCalls)
    found = [_sums(condition, objective, excused, counts_good) for condition in calls.conditions]
    if not any(told for told, _ in found):
        return None
    shares = np.stack([sums for _, sums in found])
    return Sums(shares, slice(0, 1 if counts_good else shares.shape[2]))


@remembered
def _sums(condition: Condition, objective: Voice, excused: Names, counts_good: bool) -> tuple[bool, Floats]:
    """Add up a condition's ways to connect, (168, p), and say whether one tells how it sounds."""
    told, figures, kept = False, [], []
    for branch in condition.branches:
        found = _figures(objective, branch.heard)
        told |= found is not None
        if found is not None and spoilt_by(branch) in excused:
            found = (0.0, 1.0) if counts_good else None
        if found is not None:
            figures.append(found)
            kept.append(branch.share)
    if not kept:
        return told, np.zeros((HOURS_PER_WEEK, 4 if isinstance(objective, MosAverage) else 2))
    return told, np.einsum("bh,bp->hp", np.stack(kept), np.array(figures))


def measured_of(objective: Voice, sums: Floats) -> Floats:
    """Measured values of windows whose sums, (w, p), are given; NaN where no call tells.

    A mean MOS is that of the narrowband calls; of the wideband ones where there are no others.
    """
    found = _mean(sums[:, 0], sums[:, 1])
    if isinstance(objective, MosAverage):
        found = np.where(np.isnan(found), _mean(sums[:, 2], sums[:, 3]), found)
    return found


def _mean(total: Floats, calls: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(calls > _SOME, total / calls, np.nan)


def _figures(objective: Voice, heard: Heard | None) -> tuple[float, ...] | None:
    """Give what a call adds to the sums; None: it tells nothing."""
    if heard is None or heard.one_way:
        return None
    if isinstance(objective, MosAverage | PoorCalls):
        return None if heard.mos is None else _rating(objective, heard.mos, heard.scale)
    if isinstance(objective, PacketLoss):
        return heard.loss, 1.0
    if isinstance(objective, Jitter):
        return heard.jitter, 1.0
    return heard.delay * (2.0 if objective.direction == "round_trip" else 1.0), 1.0


def _rating(objective: MosAverage | PoorCalls, mos: float, scale: str) -> tuple[float, ...]:
    if isinstance(objective, PoorCalls):
        return float(mos < objective.mos_below), 1.0
    return (0.0, 0.0, mos, 1.0) if scale == WIDEBAND else (mos, 1.0, 0.0, 0.0)
