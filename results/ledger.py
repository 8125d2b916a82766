"""What happened to a service over a stretch of time, in the one form that agreements are judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum, IntEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from results.timeline import Condition, Floats, Ints

CORE_VOICE = "core_voice"
"""The scope of calls themselves, which is what a simulation knows."""


class Blame(Enum):
    """Whose matter a cause is, as contracts tell causes apart."""

    PROVIDER = "provider"
    MAINTENANCE = "maintenance"
    """Planned work of the provider's."""
    EMERGENCY_MAINTENANCE = "emergency_maintenance"
    CARRIER = "carrier"
    """A carrier beneath the provider."""
    THIRD_PARTY = "third_party"
    CUSTOMER = "customer"
    ACCESS = "access"
    """The customer's internet or access line."""
    EQUIPMENT = "equipment"
    """The customer's own devices."""
    CAPACITY = "capacity"
    """Channels or licences used up."""
    ATTACK = "attack"
    FORCE_MAJEURE = "force_majeure"
    SUSPENDED = "suspended"
    """An account that is not paid."""


@dataclass(frozen=True)
class Cause:
    """Something that took part in an outage: whose matter it is, and what it was."""

    blame: Blame
    detail: str = ""

    def __str__(self) -> str:
        """Write it as an outage file has it: `carrier:atlantic/silent`."""
        return f"{self.blame.value}:{self.detail}" if self.detail else self.blame.value


@dataclass(frozen=True)
class OutageTable:
    """Stretches of outage, columnar, sorted by start; they may overlap, and start <= end.

    Times are POSIX seconds, to the millisecond; NaN is what is not known or did not happen. A stretch has one
    set of causes; where causes change, an outage is several stretches with the same `outage` number, so that
    its length is that of all of them together.
    """

    start: Floats
    end: Floats
    """inf: still open when the record ended."""
    outage: Ints
    causes: Ints
    """Indexes `cause_sets`."""
    cause_sets: tuple[tuple[Cause, ...], ...]
    scope: Ints
    """Indexes `scopes`; -1: all of the service."""
    scopes: tuple[str, ...]
    failing: Floats
    """Share of the calls that fail meanwhile; NaN: not known, taken as all."""
    affected_users: Floats
    """How many; NaN: not known, taken as all."""
    detected: Floats
    ticket_opened: Floats
    ticket_closed: Floats
    notice_given: Floats
    """When the customer was told: before planned work, or after an outage began."""
    restored: Floats
    """When service was back, where the record tells it apart from `end`."""

    def __len__(self) -> int:
        """Count the stretches."""
        return len(self.start)

    def rows(self, which: NDArray[np.bool_]) -> OutageTable:
        """Keep these stretches, with the causes that they have."""
        used, causes = np.unique(self.causes[which], return_inverse=True)
        return replace(
            _kept(self, which),
            causes=causes.astype(np.int32),
            cause_sets=tuple(self.cause_sets[index] for index in used.tolist()),
        )


class Kind(IntEnum):
    """What a customer may ask for, or is owed, with a time to answer."""

    TICKET = 0
    CHANGE = 1
    """A move, add or change (MAC)."""
    DEFECT = 2
    """A fault of the software."""
    EXCHANGE = 3
    """A device to be replaced."""


@dataclass(frozen=True)
class Requests:
    """What was asked for and when it was answered, columnar, sorted by `opened`; POSIX s, NaN: never."""

    kind: Ints
    priority: Ints
    """Indexes `priorities`; -1: none."""
    priorities: tuple[str, ...]
    opened: Floats
    responded: Floats
    resolved: Floats
    waiting: Floats
    """Seconds in which the customer was waited for before it was resolved."""
    kinds: tuple[Kind, ...]
    """Kinds that the record covers: none of a kind that it covers means that none was opened."""

    def __len__(self) -> int:
        """Count the requests."""
        return len(self.opened)

    def rows(self, which: NDArray[np.bool_]) -> Requests:
        """Keep these requests."""
        return _kept(self, which)


@dataclass(frozen=True)
class CallVolumes:
    """How many calls were offered, and how they fared: stretches of conditions, as in a `Timeline`.

    POSIX seconds; outside the stretches (sorted, disjoint) the condition is 0. Calls are offered at
    `calls_per_hour[h]` in hour h of the local week (168 values, Monday 00:00 first). Counts that a contract
    wants by the minute are drawn from these with `seed`, so that a ledger always gives the same.
    """

    timezone: str
    calls_per_hour: Floats
    start: Floats
    end: Floats
    condition: Ints
    conditions: tuple[Condition, ...]
    seed: tuple[int, ...]
    blames: Mapping[str, Blame] = field(default_factory=dict)
    """Whose matter each name is that a branch has for what spoils its calls; the provider's, if not here."""

    def everywhere(self, start: float, end: float) -> tuple[Floats, Floats, NDArray[np.intp]]:
        """Fill [start, end) with stretches, the nominal ones too: their starts, ends, conditions."""
        condition = np.zeros(2 * len(self.start) + 1, dtype=np.intp)
        condition[1::2] = self.condition
        begins, ends = np.empty(len(condition)), np.empty(len(condition))
        begins[0], begins[1::2], begins[2::2] = start, self.start, self.end
        ends[-1], ends[1::2], ends[:-1:2] = end, self.end, self.start
        begins, ends = np.maximum(begins, start), np.minimum(ends, end)
        real = begins < ends
        return begins[real], ends[real], condition[real]

    def between(self, start: float, end: float) -> CallVolumes:
        """Cut to [start, end), with the conditions that there are in it."""
        which = (self.end > start) & (self.start < end)
        used, condition = np.unique(np.append(0, self.condition[which]), return_inverse=True)
        return replace(
            self,
            start=np.maximum(self.start[which], start),
            end=np.minimum(self.end[which], end),
            condition=condition[1:].astype(np.int32),
            conditions=tuple(self.conditions[index] for index in used.tolist()),
        )


@dataclass(frozen=True)
class Ledger:
    """What is known of a service over [start, end) in POSIX seconds; None is what the record lacks."""

    start: float
    end: float
    outages: OutageTable
    scopes: frozenset[str]
    """Scopes that it covers: no outage in a scope that it covers means that there was none."""
    known: frozenset[str]
    """Optional columns of `outages` that the record has at all, such as `ticket_opened`."""
    users: float | None = None
    requests: Requests | None = None
    calls: CallVolumes | None = None
    notifies: bool = True
    """Whether `notice_given` tells of all outages; else it tells of planned work alone."""

    def __post_init__(self) -> None:
        """Refuse a stretch that has no length."""
        if not self.start < self.end:
            raise ValueError(f"start(={self.start}) must be before end(={self.end})")

    def between(self, start: float, end: float) -> Ledger:
        """Cut to [start, end) within it: outages that lie in it at least in part, requests opened in it.

        An outage that crosses a bound keeps its length, as its clock, its minimum and its count need it.
        Raises ValueError outside of the record.
        """
        if not self.start <= start < end <= self.end:
            raise ValueError(f"[{start}, {end}) must lie in the record, [{self.start}, {self.end})")
        table, requests = self.outages, self.requests
        touches = (table.end >= start) & (table.start < end)
        opened = None if requests is None else (requests.opened >= start) & (requests.opened < end)
        return replace(
            self,
            start=start,
            end=end,
            outages=table.rows(np.isin(table.outage, table.outage[touches])),
            requests=None if requests is None or opened is None else requests.rows(opened),
            calls=None if self.calls is None else self.calls.between(start, end),
        )


OPTIONAL = (
    *("failing", "affected_users", "detected", "ticket_opened", "ticket_closed"),
    *("notice_given", "restored"),
)
"""Columns of an `OutageTable` that a record may lack."""


Columns = TypeVar("Columns", OutageTable, Requests)


def _kept(table: Columns, which: NDArray[np.bool_]) -> Columns:
    """Keep these rows of every column."""
    columns = {column.name: getattr(table, column.name) for column in fields(table)}
    arrays: dict[str, Any] = {
        name: column[which] for name, column in columns.items() if isinstance(column, np.ndarray)
    }
    return replace(table, **arrays)


def outage_table(
    start: Sequence[float] | Floats,
    end: Sequence[float] | Floats,
    causes: Sequence[tuple[Cause, ...]],
    outage: Sequence[int] | Ints | None = None,
    scope: Sequence[str | None] | None = None,
    **optional: Sequence[float] | Floats,
) -> OutageTable:
    """Make a table from rows in any order; each row is an outage of its own unless `outage` says more.

    `optional` has columns named in OPTIONAL. Raises ValueError for lengths that differ, or an end before
    its start.
    """
    causes = list(causes)
    begins, ends = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    rows = len(begins)
    numbers = np.arange(rows) if outage is None else np.asarray(outage)
    sizes = {"end": len(ends), "causes": len(causes), "outage": len(numbers)}
    for name, size in (sizes | {name: len(column) for name, column in optional.items()}).items():
        if size != rows:
            raise ValueError(f"{name}(={size} rows) must have {rows} rows, as start has")
    if (ends < begins).any():
        raise ValueError("an outage must not end before it starts")
    order = np.argsort(begins, kind="stable")
    # Few of the sets are distinct objects, and to hash one is slow.
    objects = {id(some): some for some in causes}
    sets = {some: number for number, some in enumerate(dict.fromkeys(objects.values()))}
    which = {key: sets[some] for key, some in objects.items()}
    names = [None] * rows if scope is None else list(scope)
    scopes = sorted({name for name in names if name is not None})
    missing = np.full(rows, np.nan)
    columns = {name: np.asarray(optional.get(name, missing), dtype=np.float64)[order] for name in OPTIONAL}
    return OutageTable(
        start=begins[order],
        end=ends[order],
        outage=numbers[order].astype(np.int32),
        causes=np.array([which[id(some)] for some in causes], dtype=np.int32)[order],
        cause_sets=tuple(sets),
        scope=np.array([-1 if n is None else scopes.index(n) for n in names], dtype=np.int32)[order],
        scopes=tuple(scopes),
        **columns,
    )
