"""Promises about windows of time, judged by the share of the windows that keep them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from results.estimates import Estimate, share
from results.summary import Summary
from results.timeline import Floats

ROUNDING = 1e-6
"""A window that misses its target by less than this share keeps it: months are held in single precision."""

Quantity = Literal["availability", "mttr", "mtbf", "downtime"]
Window = Literal["month", "year"]


class Verdict(Enum):
    """What the windows of a run say about a promise."""

    MET = "MET"
    BREACHED = "BREACHED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Objective:
    """A promise for each window, met if at most a share `risk` of the windows breaks it.

    `target` is a share of 1 for an availability at least as high; seconds for an MTTR or a downtime at most
    as long and for an MTBF at least as long. A window without outages has no MTTR, no MTBF, and keeps both.
    """

    name: Quantity
    target: float
    window: Window
    risk: float


@dataclass(frozen=True)
class Judgement:
    """An objective with the share of windows that keep it."""

    objective: Objective
    met_share: Estimate
    verdict: Verdict


def judge(objective: Objective, summary: Summary, confidence: float = 0.95) -> Judgement:
    """Judge by the whole months of the record, or by its years of twelve whole months."""
    kept = _kept(objective, summary)
    met_share, verdict = judge_share(int(kept.sum()), len(kept), objective.risk, confidence)
    return Judgement(objective, met_share, verdict)


def judge_share(kept: int, windows: int, risk: float, confidence: float = 0.95) -> tuple[Estimate, Verdict]:
    """Compare the share of windows kept with 1 - `risk`; INCONCLUSIVE where its interval straddles that.

    The interval is Clopper and Pearson's, for windows that are independent of each other.
    """
    met_share = share(kept, windows, confidence)
    if met_share.low is None or met_share.high is None:
        return met_share, Verdict.INCONCLUSIVE
    if met_share.low >= 1 - risk:
        return met_share, Verdict.MET
    return met_share, Verdict.BREACHED if met_share.high < 1 - risk else Verdict.INCONCLUSIVE


def _kept(objective: Objective, summary: Summary) -> NDArray[np.bool_]:
    """Return for each window whether it keeps the objective."""
    seconds, downtime, outages, lengths = (
        _windows(months, objective.window)
        for months in (
            summary.month_seconds,
            summary.month_downtime,
            summary.month_outages,
            summary.month_outage_seconds,
        )
    )
    target = objective.target
    if objective.name == "availability":
        return np.asarray(downtime <= (1 - target) * seconds * (1 + ROUNDING))
    if objective.name == "mttr":
        return np.asarray(lengths <= target * outages * (1 + ROUNDING))
    if objective.name == "mtbf":
        return np.asarray((outages == 0) | (seconds - downtime >= target * outages * (1 - ROUNDING)))
    return np.asarray(downtime <= target * (1 + ROUNDING))


def _windows(months: NDArray[np.float32], window: Window) -> Floats:
    """Return one sum for each window of which the record holds all."""
    values = months.astype(np.float64)
    values = values.sum(axis=1) if window == "year" else values.ravel()
    return np.asarray(values[np.isfinite(values)])
