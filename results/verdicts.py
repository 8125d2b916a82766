"""Verdicts on promises, from the share of the windows that keep them."""

from __future__ import annotations

from enum import Enum

from results.estimates import Estimate, share


class Verdict(Enum):
    """What the windows of a run say about a promise."""

    MET = "MET"
    BREACHED = "BREACHED"
    INCONCLUSIVE = "INCONCLUSIVE"


def judge_share(kept: int, windows: int, risk: float, confidence: float = 0.95) -> tuple[Estimate, Verdict]:
    """Compare the share of windows kept with 1 - `risk`; INCONCLUSIVE where its interval straddles that.

    The interval is Clopper and Pearson's, for windows that are independent of each other.
    """
    met_share = share(kept, windows, confidence)
    return met_share, judge(met_share, risk)


def judge(met_share: Estimate, risk: float) -> Verdict:
    """Compare an estimate of the share of windows kept with 1 - `risk`."""
    if met_share.low is None or met_share.high is None:
        return Verdict.INCONCLUSIVE
    if met_share.low >= 1 - risk:
        return Verdict.MET
    return Verdict.BREACHED if met_share.high < 1 - risk else Verdict.INCONCLUSIVE
