"""Downtime of a scope as a contract counts it: measure, clock, minimum, exclusions, claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.ledger import Ledger
from results.stretches import Stretches, clusters, inside, union
from results.timeline import Floats
from results.weekly import Index, cut, tally
from sla.assessment import Customer, Downtime
from sla.cells import NOTHING, highest, weighted_before
from sla.error_rate import Minutes
from sla.exclusions import Conditions, Sorted, sort_rows
from sla.outage_rows import Rows, by_error_rate, clocked, note_untold, rows_of, unusable
from sla.terms import Measured, Terms
from sla.windows import zone_around

_ROUNDING = 1e-4
"""Seconds below which lengths are taken as equal; the record has milliseconds."""


class Found(NamedTuple):
    """Outages, sorted by begin: (o,) each."""

    begin: Floats
    end: Floats
    length: Floats
    """Seconds that count."""
    affected: Floats
    """Largest share of the users that it hit."""
    notified: Floats
    """When the customer was told; NaN: never."""


@dataclass(frozen=True)
class Cells:
    """Stretches of downtime (c,), sorted and disjoint, within which nothing changes."""

    start: Floats
    end: Floats
    weights: NDArray[np.float64]
    """(k, c) what counts of it by what may excuse it: 1 or a share of the users; -inf: nothing."""
    outage: Index
    affected: Floats
    notified: Floats
    ticket: Floats
    """1 where a ticket was opened, else 0."""

    @property
    def covers(self) -> NDArray[np.bool_]:
        """(k, c) whether there is downtime of each kind."""
        return np.asarray(self.weights > NOTHING)

    def at(self, which: Index, start: Floats, end: Floats) -> Cells:
        """Take cells, put at other times."""
        others = self.affected[which], self.notified[which], self.ticket[which]
        return Cells(start, end, self.weights[:, which], self.outage[which], *others)


@dataclass(frozen=True)
class Counted:
    """Downtime of one scope; `counted`, `eligible` and `claimed` are (c,) weights of the cells."""

    cells: Cells
    gross: Stretches
    counted: Floats
    eligible: Floats
    claimed: Floats
    reason: Index
    """(c,) indexes `reasons` where a cell is excluded."""
    reasons: tuple[str, ...]
    refused: tuple[str, ...]
    notes: tuple[str, ...]
    unusable: str | None
    """Why the contract's clock or measure cannot act on the record; then nothing is known of downtime."""

    def before(self, weight: Floats, t: Floats) -> Floats:
        """Weighted seconds before each instant, POSIX seconds."""
        return weighted_before(self.cells.start, self.cells.end, weight, t)

    def where(self, weight: Floats) -> Stretches:
        """Stretches of the cells that have a weight."""
        return union(self.cells.start[weight > 0], self.cells.end[weight > 0])

    def outages(self, weight: Floats) -> Found:
        """Outages of the cells that have a weight."""
        (cell,) = np.nonzero(weight > 0)
        start, end = self.cells.start[cell], self.cells.end[cell]
        _, first, outage = np.unique(self.cells.outage[cell], return_index=True, return_inverse=True)
        last, affected, told = (np.full(len(first), NOTHING) for _ in range(3))
        np.maximum.at(last, outage, end)
        np.maximum.at(affected, outage, self.cells.affected[cell])
        np.maximum.at(told, outage, -self.cells.notified[cell])
        length = tally(outage, end - start, len(first))
        begin, notified = start[first], np.where(np.isinf(told), np.nan, -told)
        order = np.argsort(begin, kind="stable")
        return Found(begin[order], last[order], length[order], affected[order], notified[order])

    def told(self) -> Downtime:
        """Tell it as the record of an assessment."""
        found = self.outages(self.eligible)
        (cell,) = np.nonzero(self.counted > self.eligible)
        start, end, reason = self.cells.start[cell], self.cells.end[cell], self.reason[cell]
        new = np.ones(len(cell), dtype=bool)
        new[1:] = (start[1:] > end[:-1]) | (reason[1:] != reason[:-1])
        last = np.roll(new, -1)
        return Downtime(
            gross=self.gross,
            counted=self.where(self.counted),
            eligible=self.where(self.eligible),
            claimed=self.where(self.claimed),
            excluded=Stretches(start[new], end[last]),
            excluded_reason=tuple(self.reasons[index] for index in reason[new].tolist()),
            refused=self.refused,
            begin=found.begin,
            length=found.length,
        )


def count_downtime(terms: Terms, ledger: Ledger, customer: Customer, scope: str) -> Counted:
    """Apply the terms to the outages of a scope; instants are POSIX seconds."""
    measured, notes = terms.measured, dict[str, None]()
    rows = rows_of(ledger, customer, scope)
    gross = union(rows.start, rows.end)
    why = unusable(measured, ledger, scope)
    minutes: Minutes | None = None
    if why is None:
        note_untold(terms, ledger, notes)
        rows = clocked(rows, measured, ledger, notes)
        if measured.by == "error_rate":
            rows, minutes = by_error_rate(rows, terms, ledger, scope, notes)
        _note_missing(terms, ledger, customer, notes)
    else:
        rows = rows.only(np.zeros(len(rows.of), dtype=bool))
    kinds = sort_rows(
        terms.excludes,
        rows.table.cause_sets,
        rows.table.causes[rows.of],
        rows.start,
        rows.column("notice_given"),
    )
    zone = zone_around(measured.timezone, ledger.start, ledger.end)
    conditions = Conditions(terms.excludes, kinds.alternatives, zone)
    cells = _with_minimum(_cells(rows, kinds, conditions, minutes, measured), measured)
    if conditions.has_quota:
        start, end, of = cut(
            cells.start, cells.end, np.unique(conditions.quota_cuts(cells.start, cells.end, cells.covers))
        )
        cells = cells.at(of, start, end)
    excluded = conditions.excluded(cells.start, cells.end, cells.covers)
    eligible = np.maximum(np.where(excluded, NOTHING, cells.weights).max(axis=0), 0.0)
    return Counted(
        cells=cells,
        gross=gross,
        counted=cells.weights.max(axis=0),
        eligible=eligible,
        claimed=_claimed(cells, eligible, terms, ledger, customer),
        reason=np.argmax(excluded, axis=0),
        reasons=tuple(conditions.reason(ways) for ways in kinds.alternatives),
        refused=(*kinds.refused, *conditions.refused),
        notes=tuple(notes),
        unusable=why,
    )


def _note_missing(terms: Terms, ledger: Ledger, customer: Customer, notes: dict[str, None]) -> None:
    """Say which conditions cannot be told from the record."""
    known = ledger.known
    if terms.measured.by == "user_minutes" and not (
        "affected_users" in known and (ledger.users or customer.users)
    ):
        notes["User-minutes: the record does not say how many of the users were hit; all are taken."] = None
    if "notice_given" not in known and any(exclusion.notice is not None for exclusion in terms.excludes):
        notes[
            "Exclusions that need a notice: the record has no notice_given, so that they exclude nothing."
        ] = None
    if terms.claims.ticket and "ticket_opened" not in known:
        notes[
            "Claims that need a ticket: the record has no ticket_opened; every outage is taken as claimable."
        ] = None


def _cells(
    rows: Rows, kinds: Sorted, conditions: Conditions, minutes: Minutes | None, measured: Measured
) -> Cells:
    """Cut rows into cells, within the minutes that are down."""
    candidates = rows.only(kinds.key > 0)
    cuts = [rows.start, rows.end, conditions.cuts(union(candidates.start, candidates.end))]
    if minutes is not None:
        cuts += [minutes.down.start, minutes.down.end]
    edges = np.unique(np.concatenate(cuts))
    first, last, size = np.searchsorted(edges, rows.start), np.searchsorted(edges, rows.end), len(edges)
    weight = rows.affected if measured.by == "user_minutes" else np.ones(len(rows.of))

    def most(values: Floats, which: Index | slice = slice(None)) -> Floats:
        return highest(first[which], last[which], values[which], size)

    weights = np.stack([most(weight, np.flatnonzero(kinds.key == k)) for k in range(len(kinds.alternatives))])
    notice = rows.column("notice_given")
    told = -most(np.where(np.isnan(notice), NOTHING, -notice))
    ticket = np.maximum(most(~np.isnan(rows.column("ticket_opened")) * 1.0), 0.0)
    affected = most(rows.affected)
    if minutes is None:
        outage = most(rows.group.astype(np.float64))
    else:
        down = inside(minutes.down, edges)
        covered = (weights > NOTHING).any(axis=0)
        if measured.clock.from_ == "fault":
            # A minute that no row of the record explains is nobody else's matter.
            weights[0] = np.where(down & ~covered, 1.0, weights[0])
            affected = np.where(covered, affected, 1.0)
        weights = np.where(down, weights, NOTHING)
        outage = np.zeros(size)
    (real,) = np.nonzero(weights.max(axis=0) > 0)
    start, end = edges[real], edges[np.minimum(real + 1, size - 1)]
    number = clusters(start, end) if minutes is not None else outage[real].astype(np.intp)
    return Cells(start, end, weights[:, real], number, affected[real], told[real], ticket[real])


def _with_minimum(cells: Cells, measured: Measured) -> Cells:
    """Leave out what is shorter than the minimum, or what of each outage comes before it is reached."""
    if not measured.min_outage or not measured.continuous or not len(cells.start):
        return cells
    seconds = cells.end - cells.start
    total = np.bincount(cells.outage, seconds)
    (kept,) = np.nonzero(total[cells.outage] >= measured.min_outage - _ROUNDING)
    start, end = cells.start[kept], cells.end[kept]
    if measured.counts == "excess":
        order = np.argsort(cells.outage[kept], kind="stable")
        outage, seconds = cells.outage[kept][order], seconds[kept][order]
        before = np.cumsum(seconds) - seconds
        before -= before[np.searchsorted(outage, outage)]
        start = start.copy()
        start[order] += np.clip(measured.min_outage - before, 0.0, seconds)
        real = end - start > _ROUNDING
        kept, start, end = kept[real], start[real], end[real]
    return cells.at(kept, start, end)


def _claimed(cells: Cells, eligible: Floats, terms: Terms, ledger: Ledger, customer: Customer) -> Floats:
    """Weights of what can be claimed: of an outage with a ticket, by a customer who has paid."""
    if terms.claims.good_standing and not customer.good_standing:
        return np.zeros(len(eligible))
    if not terms.claims.ticket or "ticket_opened" not in ledger.known or not len(eligible):
        return eligible
    ticket = np.zeros(int(cells.outage.max()) + 1)
    np.maximum.at(ticket, cells.outage, cells.ticket)
    return np.asarray(eligible * ticket[cells.outage])
