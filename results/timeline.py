"""The record of a stretch of service: when it was not nominal, in which condition, and because of what."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carriers.laws import Law

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

HOURS_PER_WEEK = 168


class Stage(IntEnum):
    """What an incident waits for; the names are those of `mttr_stages_min`."""

    NOTICE = 0
    RESPOND = 1
    CREW = 2
    TRAVEL = 3
    SPARE = 4
    REPAIR = 5
    SWITCHOVER = 6
    REROUTING = 7


class ClosedBy(IntEnum):
    """Which kind of event ended a stretch."""

    REPAIR = 0
    SWITCHOVER = 1
    REROUTING = 2
    """The router changed its mind about a trunk, or learnt that a trunk is back."""
    OPEN = 3
    """Nothing yet: the record ends here (censored)."""


class Heard(NamedTuple):
    """How a call sounds, the worse direction of the two."""

    mos: float | None
    """Estimated conversational quality by the E-model; None: nothing is known to rate it by."""
    scale: str
    """`MOS-CQE` (narrowband, ITU-T G.107) or `MOS-CQEW` (wideband, G.107.1); empty where `mos` is None."""
    loss: float
    """Share of the packets that are not played, late ones too."""
    jitter: float
    """Seconds, before the jitter buffer."""
    delay: float
    """Seconds from mouth to ear."""
    one_way: bool = False
    """One side hears nothing; then there is no MOS."""
    spoilt_by: str = ""
    """Of a poor call: the fault, segment or codec without which it would sound best."""


@dataclass(frozen=True)
class Branch:
    """One way a call can connect: over whom, how much later than its last attempt, and how often.

    `share` has 168 values (Monday 00:00 local time first): the chance that a call offered in that
    hour of the week connects in this way. Its post-dial delay is `offset` seconds of failed attempts
    plus a draw of `delay`, given that the draw is below `limit` seconds (the progress timeout).
    """

    carrier: str
    attempts: int
    offset: float
    delay: Law | None
    limit: float
    share: Floats
    inbound: bool = False
    """A call to us; its post-dial delay is not ours, so `offset`, `delay` and `limit` mean nothing."""
    heard: Heard | None = None
    """None: the scenario has no codec."""
    carrier_fault: str = ""
    """Cause name of the fault that the trunk showed; empty: none."""


@dataclass(frozen=True, eq=False)
class Condition:
    """How calls fare while nothing changes: a mixture of branches, for each hour of the week."""

    label: str
    failing: Floats
    """(168,) chance that an offered call is a failing one by the scenario's `service` rule.

    1.0 or 0.0 where the scenario has no carriers.
    """
    branches: tuple[Branch, ...] = ()
    unconnected: Floats | None = None
    """(168,) chance that an offered call does not connect; None: as `failing`."""
    blocked: Floats | None = None
    """(168,) chance that it does not for want of a channel; None: never."""
    directions: tuple[Floats, Floats] | None = None
    """`failing` of calls from us and of calls to us; None: there are none to us."""

    @property
    def lost(self) -> Floats:
        """(168,) chance that an offered call does not connect."""
        return self.failing if self.unconnected is None else self.unconnected


@dataclass(frozen=True)
class Incidents:
    """Every fault of a stream, columnar, in order of start; times in seconds since the stream's start.

    `stages` holds the instants at which a stage began, flat: incident i owns the rows
    `stage_first[i]:stage_first[i + 1]` of `stage_kind` and `stage_start`, and each stage lasts until the
    next one's start or the incident's end. An incident still open at the end of the record has end = inf.
    """

    unit: Ints
    mode: Ints
    start: Floats
    end: Floats
    stage_first: Ints
    stage_kind: Ints
    stage_start: Floats

    def __len__(self) -> int:
        """Count the incidents."""
        return len(self.start)


@dataclass(frozen=True)
class Timeline:
    """Contiguous record over [0, length) seconds; without a row the condition is 0, the nominal one.

    Rows are sorted, do not overlap, and have start < end. Columns of equal length, one row each:
    `condition` indexes `conditions`; `causes` indexes `cause_sets` (tuples of cause names, sorted);
    `opener` and `closer` are rows of the incidents table (-1: none); `closed_by` is a `ClosedBy`.
    When `conditions[0]` itself changes class by the hour, rows of condition 0 are present too.
    Dropped calls: `drop_at` seconds, `drop_calls` expected (or counted) calls in progress lost.
    """

    length: float
    start: Floats
    end: Floats
    condition: Ints
    causes: Ints
    opener: Ints
    closer: Ints
    closed_by: Ints
    conditions: tuple[Condition, ...]
    cause_sets: tuple[tuple[str, ...], ...]
    drop_at: Floats = field(default_factory=lambda: np.empty(0))
    drop_calls: Floats = field(default_factory=lambda: np.empty(0))
