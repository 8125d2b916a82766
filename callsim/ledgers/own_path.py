"""Calls of a customer who has segments of their own, rated anew over these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from callsim.ledgers.plan import LedgerPlan
from results.ledger import Blame, CallVolumes, Ledger
from results.stretches import Stretches, inside, union
from results.timeline import Branch, Condition, Floats, Incidents, Ints
from results.weekly import cut
from sim import Tables
from sim.tables import untimed
from sim.trunks import severity
from sim.voice import Hearing
from sla.failing import failing_share

Shown = tuple[int, ...]
"""Index of the fault that each segment shows; -1: none."""
_BLAMES = {"access": Blame.ACCESS, "internet": Blame.THIRD_PARTY}
"""Whose matter a customer's own segments are that are not the customer's."""


def with_own_path(
    tables: Tables, plan: LedgerPlan, ledger: Ledger, customer: str, incidents: Incidents
) -> Ledger:
    """Give the ledger in which calls sound as over a customer's own segments; others' ledgers as they are.

    Outages stay those of the service, the stream of which `incidents` are.
    """
    if ledger.calls is None or all(path.customer != customer for path in tables.own_paths):
        return ledger
    rater = _raters(untimed(tables))[customer]
    calls = rater.calls(ledger.calls, ledger.start, ledger.end, rater.faults(plan, incidents))
    return replace(ledger, calls=calls)


@lru_cache(maxsize=4)
def _raters(tables: Tables) -> dict[str, _Rater]:
    hearing = Hearing(tables)
    return {path.customer: _Rater(tables, hearing, number) for number, path in enumerate(tables.own_paths)}


class _Rater:
    """Rates calls over the segments of one customer; what a condition becomes is worked out once."""

    def __init__(self, tables: Tables, hearing: Hearing, customer: int) -> None:
        self._tables = tables
        self._hearing = hearing
        self._customer = customer
        self._segments = tables.own_paths[customer].segments
        self._shared = tables.voice.segments if tables.voice is not None else ()
        self._own = [self._is_own(number) for number in range(len(self._segments))]
        self._modes = sorted(self._failures(), key=lambda mode: (severity(tables.faults[mode[1]]), mode[1]))
        self._carriers = {carrier.name: number for number, carrier in enumerate(tables.carriers)}
        self._faults = {fault.cause: fault for fault in tables.faults if fault.cause}
        self._rated = lru_cache(maxsize=200)(self._rate)

    def faults(self, plan: LedgerPlan, incidents: Incidents) -> list[Stretches]:
        """Tell when each of the segments' failures lasted, in POSIX seconds, in the order of `_modes`."""
        found = []
        for _, _, unit, mode in self._modes:
            mine = (incidents.unit == unit) & (incidents.mode == mode)
            found.append(union(plan.posix(incidents.start[mine]), plan.posix(incidents.end[mine])))
        return found

    def calls(self, calls: CallVolumes, start: float, end: float, faults: list[Stretches]) -> CallVolumes:
        """Cut the rows of a record where the segments' faults change, and rate the calls of each piece."""
        at, shown = self._shown(faults, start, end)
        states: dict[Shown, int] = {(-1,) * len(self._segments): 0}
        state = np.asarray([states.setdefault(tuple(row), len(states)) for row in [*states, *shown.tolist()]])
        known = tuple(states)
        begins, ends, condition = calls.everywhere(start, end)
        begins, ends, of = cut(begins, ends, at)
        # Both the nominal condition and the state without faults are number 0, and so are they together.
        both = condition[of] * len(states) + state[np.searchsorted(at, begins, side="right")]
        used = np.zeros(len(calls.conditions) * len(states), dtype=bool)
        used[0], used[both] = True, True
        number = (np.cumsum(used) - 1)[both]
        conditions = (
            self._rated(calls.conditions[pair // len(states)], known[pair % len(states)])
            for pair in np.flatnonzero(used).tolist()
        )
        return replace(
            calls,
            start=begins[number > 0],
            end=ends[number > 0],
            condition=number[number > 0].astype(np.int32),
            conditions=tuple(conditions),
            blames={**calls.blames, **self._blames()},
        )

    def _shown(self, faults: list[Stretches], start: float, end: float) -> tuple[Floats, Ints]:
        """Tell what the segments show from each instant on: (n,) and (n, segments); the worst fault shows."""
        edges = [times for lasted in faults for times in (lasted.start, lasted.end)]
        at = np.unique(np.clip(np.concatenate([[start], *edges]), start, end))
        shown = np.full((len(at), len(self._segments)), -1, dtype=np.int32)
        for (segment, fault, _, _), lasted in zip(self._modes, faults, strict=True):
            shown[inside(lasted, at), segment] = fault
        return at, shown

    def _is_own(self, number: int) -> bool:
        """Whether a segment is not the scenario's, but one of the customer's in its place."""
        fails = any(u.customer == self._customer and u.segment == number for u in self._tables.units)
        return fails or self._segments[number] not in self._shared

    def _failures(self) -> Iterator[tuple[int, int, int, int]]:
        """Give segment, fault, unit and mode of what may spoil the customer's calls."""
        names = [segment.name for segment in self._segments]
        for number, unit in enumerate(self._tables.units):
            segment = unit.segment
            if segment is None or unit.customer not in (None, self._customer):
                continue
            if unit.customer is None:
                segment = names.index(self._shared[segment].name)
                if self._own[segment]:
                    continue
            for mode, spec in enumerate(unit.modes):
                if spec.fault is not None:
                    yield segment, spec.fault, number, mode

    def _blames(self) -> dict[str, Blame]:
        """Whose matter the customer's own segments are where they are poor without a fault."""
        own = (segment for segment, own in zip(self._segments, self._own, strict=True) if own)
        return {segment.name: _BLAMES.get(segment.name, Blame.CUSTOMER) for segment in own}

    def _rate(self, condition: Condition, shown: Shown) -> Condition:
        """Rate the calls of a condition while the segments show these faults."""
        rated = replace(condition, branches=tuple(self._branches(condition, shown)))
        return replace(rated, failing=failing_share(rated, self._tables.failing))

    def _branches(self, condition: Condition, shown: Shown) -> Iterator[Branch]:
        """Give the ways in which calls connect, each as the customer hears it."""
        faults = tuple(None if fault < 0 else self._tables.faults[fault] for fault in shown)
        ways: dict[tuple[object, ...], list[Branch]] = {}
        for b in condition.branches:
            way = (b.carrier, b.attempts, b.offset, b.delay, b.limit, b.inbound, b.carrier_fault)
            ways.setdefault(way, []).append(b)
        for alike in ways.values():
            one, share = alike[0], np.sum([branch.share for branch in alike], axis=0)
            fault, carrier = self._faults.get(one.carrier_fault), self._carriers[one.carrier]
            mixture = self._hearing.own(self._customer, carrier, fault, faults)
            for part, heard in zip(share * mixture.chance, mixture.heard, strict=True):
                yield Branch(
                    one.carrier, one.attempts, one.offset, one.delay, one.limit, part,
                    one.inbound, heard, one.carrier_fault,
                )  # fmt: skip
