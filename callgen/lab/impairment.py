"""Faults of a lab's carrier, down to the fate of each packet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

LabKind = Literal[
    "silent",
    "trying_only",
    "refuses",
    "slow",
    "one_way",
    "no_audio",
    "impaired",
    "capacity",
    "hang_up",
    "crash",
    "maintenance",
]
Way = Literal["to_callee", "to_caller"]

SPACING = 0.020
"""Seconds from a packet to the next (RFC 3551, 4.2)."""
HELD = 1.5 * SPACING
"""Seconds that a packet is held back so that the next one overtakes it."""


@dataclass(frozen=True, slots=True)
class LabFault:
    """What goes wrong at a lab's carrier; a field that its kind does not read says nothing.

    Shares are of 1, times in seconds. Raises ValueError for figures that cannot be.
    """

    kind: LabKind
    status: int = 503
    """Of a refusal (`refuses`, `maintenance`, calls beyond `capacity`)."""
    share: float = 1.0
    """Share of the INVITEs that are refused (`refuses`)."""
    post_dial_delay: tuple[float, ...] = ()
    """Times from INVITE to ringing, one of which each call meets (`slow`)."""
    way: Way = "to_caller"
    """Where nothing arrives (`one_way`)."""
    loss: float = 0.0
    """Share of the packets that is lost each way, as with the next four (`impaired`)."""
    burst_ratio: float = 1.0
    """Mean length of loss runs over that of random loss (ITU-T G.107); 1: random."""
    jitter: float = 0.0
    """Interarrival jitter (RFC 3550)."""
    delay: float = 0.0
    """Least one-way delay, without what jitter adds."""
    reorder: float = 0.0
    """Share of the packets that the next one overtakes."""
    channels: int = 0
    """Calls at once; those beyond are refused (`capacity`)."""
    after: float = 0.0
    """Time from its 200 to its BYE, of calls that are answered from now on (`hang_up`)."""
    seed: int | None = None
    """Of the draws that say which INVITEs are refused, in order; None: the carrier's own."""

    def __post_init__(self) -> None:
        for name in ("share", "loss", "reorder"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}(={getattr(self, name)}) is a share, from 0 to 1")
        if not 300 <= self.status <= 699:
            raise ValueError(f"status(={self.status}) is no refusal; those are 300 to 699")
        times = {"jitter": self.jitter, "delay": self.delay, "after": self.after, "channels": self.channels}
        for name, value in times.items():
            if not (math.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name}(={value}) must be at least 0")
        if self.kind == "slow" and not self.post_dial_delay:
            raise ValueError("a slow carrier needs a post_dial_delay")
        least = max(self.loss, 1.0 - self.loss)
        if self.burst_ratio < least:
            raise ValueError(f"burst_ratio(={self.burst_ratio}) is at least {least:g} with so much loss")


class Impairment:
    """One way of a call's packets through an impaired path; owns no clock.

    Loss has two states (Gilbert): from received to lost with chance p = loss / burst_ratio, and back with
    q = (1 - loss) / burst_ratio. So a share p / (p + q) = loss is lost, in runs of 1 / q on average, which is
    burst_ratio times the 1 / (1 - loss) of random loss (ITU-T G.107: BurstR = 1 / (p + q)).

    What jitter adds to the delay is exponential, and a packet waits for the one before it, so that order is
    kept. The mean is such that neighbours `SPACING` apart differ by `jitter` on average (RFC 3550): within
    3 % up to 20 ms, 15 % less at 30 ms. Beyond 40 ms there is no such path that keeps the order.
    """

    def __init__(self, fault: LabFault, rng: np.random.Generator) -> None:
        self._rng = rng
        self._delay = fault.delay
        self._reorder = fault.reorder
        self._mean = _mean_wait(fault.jitter)
        self._to_lost = fault.loss / fault.burst_ratio
        self._to_received = (1.0 - fault.loss) / fault.burst_ratio
        self._lost = rng.random() < fault.loss
        self._last = -math.inf

    def arrives(self, now: float) -> float | None:
        """Return when a packet that is sent now arrives, on the same clock; None: it is lost."""
        lost = self._lost
        changes = self._to_received if lost else self._to_lost
        if self._rng.random() < changes:
            self._lost = not lost
        if lost:
            return None
        wait = self._rng.exponential(self._mean) if self._mean else 0.0
        at = max(now + self._delay + wait, self._last)
        if self._reorder and self._rng.random() < self._reorder:
            return at + HELD
        self._last = at
        return at


def _mean_wait(jitter: float) -> float:
    """Return the mean of the exponential wait whose neighbours differ by `jitter` on average.

    Neighbours of independent waits of mean m differ by m. Where the second would overtake the first, which
    has chance exp(-SPACING / m) / 2, it waits: m less on average. So jitter = m (1 - exp(-SPACING / m) / 2).
    """
    mean = jitter
    for _ in range(50 if jitter else 0):
        mean = jitter / (1.0 - math.exp(-SPACING / mean) / 2.0)
    return mean
