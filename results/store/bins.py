"""Bins in which the sums count post-dial delays and MOS, for their percentiles."""

from __future__ import annotations

import math
from collections.abc import Mapping

SHORTEST = 1e-3
"""Seconds; what is shorter is counted as that."""
RATIO = 1.05
"""Of a delay's bin, its end over its beginning: a percentile is right within 5 %."""
STEP = 0.05
"""Width of a bin of MOS."""
PDD, MOS = "pdd", "mos"


def bin_of(measure: str, value: float) -> int:
    """Number of the bin of a delay in seconds, or of a MOS."""
    if measure == PDD:
        return math.floor(math.log(max(value, SHORTEST) / SHORTEST) / math.log(RATIO))
    return math.floor(value / STEP)


def edge(measure: str, position: float) -> float:
    """Give the value where a bin begins; parts of a bin lie between."""
    return SHORTEST * RATIO**position if measure == PDD else position * STEP


def percentile(measure: str, counts: Mapping[int, int], share: float) -> float | None:
    """Give the value below which this share lies, as if evenly spread within a bin; None of none."""
    wanted = share * sum(counts.values())
    below = 0
    for number in sorted(counts):
        count = counts[number]
        if count and below + count >= wanted:
            return edge(measure, number + (wanted - below) / count)
        below += count
    return None
