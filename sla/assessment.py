"""What an agreement's terms make of a ledger: the record of one assessment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from results.stretches import Stretches
from results.timeline import Floats
from sla.objectives import Objective
from sla.remedies import Base
from sla.terms import Terms

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Customer:
    """Who holds the terms, as far as they matter to them."""

    name: str = "customer"
    fee: float | None = None
    """A month's amount of the terms' own base, in their currency; None: credits are shares only."""
    fees: Mapping[Base, float] = field(default_factory=dict)
    """A month's amount of other bases."""
    users: float | None = None
    has: frozenset[str] = frozenset()
    """What `requires` asks for, like geo_redundant."""
    good_standing: bool = True


@dataclass(frozen=True)
class Windows:
    """Stretches that a promise is kept or broken in, (w,) POSIX seconds each, sorted by start."""

    kind: str
    """`month`, `billing_cycle`, `quarter`, `year`, `fixed`, `rolling` or `event`."""
    start: Floats
    end: Floats

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.start)


@dataclass(frozen=True)
class Downtime:
    """Downtime as the contract counts it."""

    gross: Stretches
    """Everything that the record calls an outage in the scope of the terms."""
    counted: Stretches
    """What the contract's measure, clock and minimum make of it."""
    eligible: Stretches
    """... after exclusions."""
    claimed: Stretches
    """... of outages that can be claimed."""
    excluded: Stretches
    excluded_reason: tuple[str, ...]
    """One for each excluded stretch (n,): which exclusion, and that its conditions are met."""
    refused: tuple[str, ...]
    """What might have been excluded and is not, with the condition that is not met, one line each kind."""
    begin: Floats
    """(o,) starts of the eligible outages, each once; an outage that is cut by exclusions is one."""
    length: Floats
    """(o,) their eligible seconds."""


@dataclass(frozen=True)
class Availability:
    """Three availabilities of each window, (w,) shares; NaN where excluded time leaves nothing of it.

    NaN too where the record does not tell; weighted by users or calls where the terms measure by these.
    """

    windows: Windows
    """Those of `Credits`, in the same order."""
    gross: Floats
    eligible: Floats
    claimed: Floats
    downtime: Floats
    """(w,) eligible seconds."""


@dataclass(frozen=True)
class Judged:
    """One objective over its windows."""

    objective: Objective
    windows: Windows
    actual: Floats
    """(w,) measured value in the objective's own unit; NaN: nothing to measure, which keeps it."""
    met: Flags
    """(w,)"""
    not_assessed: str | None = None
    """Why it could not be judged on this record; then it has no windows."""


@dataclass(frozen=True)
class Credits:
    """What is due for each window of the terms, (w,) each; amounts are in the terms' currency.

    Shares are of one month's amount of the terms' base; amounts are NaN without a fee.
    """

    windows: Windows
    """Windows of the terms; calendar months where these are rolling ones or events.

    An objective's window belongs where it ends; of rolling windows the worst that ends in a month counts.
    """
    by_rule: Floats
    """(r, w) shares by rule of `terms.credits`, before stacking and caps."""
    due: Floats
    """Share after stacking, caps and the minimum: what a customer who claims is owed."""
    bonus: Floats
    """Share that the customer owes for what was exceeded."""
    amount: Floats
    """`due` in money."""
    chronic: Flags
    """Whether the chronic rule is fulfilled in this window."""
    claim_by: Floats
    """POSIX seconds by which it has to be claimed; NaN: no claim needed, or nothing due."""


@dataclass(frozen=True)
class Assessment:
    """Everything that the terms make of a ledger for one customer."""

    terms: Terms
    customer: Customer
    downtime: Downtime
    availability: Availability
    judged: tuple[Judged, ...]
    """One for each of `terms.objectives`, in their order."""
    credits: Credits
    not_assessed: tuple[str, ...]
    """Terms that cannot act on this record, one sentence each: what, because of what."""
