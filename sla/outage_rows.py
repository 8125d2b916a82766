"""Rows of a record as the contract's clock and measure cut them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from results.ledger import CORE_VOICE, Ledger, OutageTable
from results.stretches import Stretches, clusters, inside, union
from results.timeline import Floats
from results.weekly import Index
from sla.assessment import Customer, Flags
from sla.cells import NOTHING, groups
from sla.error_rate import Grid, Minutes, down_minutes
from sla.failing import by_rule, spoilers, untold
from sla.terms import Measured, Terms


@dataclass(frozen=True)
class Rows:
    """Stretches (n,) of the record, sorted by start; POSIX seconds."""

    table: OutageTable
    of: Index
    """Row of the table that each is of."""
    start: Floats
    end: Floats
    affected: Floats
    """Share of the users that were hit."""

    def only(self, which: Flags | Index) -> Rows:
        """Keep these, in the order given."""
        return Rows(self.table, self.of[which], self.start[which], self.end[which], self.affected[which])

    def at(self, start: Floats, end: Floats) -> Rows:
        """Put them at other times, without those that have no length."""
        moved = Rows(self.table, self.of, start, end, self.affected)
        order = np.argsort(start, kind="stable")
        return moved.only(order[start[order] < end[order]])

    def column(self, name: str) -> Floats:
        """Values of a column of the table."""
        return np.asarray(getattr(self.table, name)[self.of])

    @property
    def group(self) -> Index:
        """Outage that each is of: rows that share a number, touch or overlap are of one."""
        return groups(clusters(self.start, self.end), self.table.outage[self.of])


def rows_of(ledger: Ledger, customer: Customer, scope: str) -> Rows:
    """Take the rows that hit a scope; those still open end with the record."""
    table = ledger.outages
    here = table.scope == -1
    if scope in table.scopes:
        here |= table.scope == table.scopes.index(scope)
    (of,) = np.nonzero(here)
    start, end = table.start[of], table.end[of]
    affected = np.ones(len(of))
    if users := ledger.users or customer.users:
        affected = np.minimum(np.nan_to_num(table.affected_users[of] / users, nan=1.0), 1.0)
    return Rows(table, of, start, np.where(np.isinf(end), np.maximum(start, ledger.end), end), affected)


def unusable(measured: Measured, ledger: Ledger, scope: str) -> str | None:
    """Say why a record tells nothing of a scope's downtime, if so."""
    if scope not in ledger.scopes:
        return f"the record does not cover {scope}"
    clock = measured.clock
    for column in (clock.from_, clock.to):
        if column not in ("fault", "restored") and column not in ledger.known:
            return f"the clock needs {column}, which the record does not have"
    if clock.from_ == "notice_given" and not ledger.notifies:
        return "the clock starts with notice_given, which the record has for planned work alone"
    return None


def note_untold(terms: Terms, ledger: Ledger, notes: dict[str, None]) -> None:
    """Say which failing calls of the terms cannot be told from the record."""
    by_calls = terms.measured.by in ("error_rate", "call_success")
    if by_calls and (unknown := untold(ledger.calls, terms.measured.failing)):
        notes[f"Calls with {' or '.join(unknown)}: the record does not tell them from good ones."] = None


def clocked(rows: Rows, measured: Measured, ledger: Ledger, notes: dict[str, None]) -> Rows:
    """Start and stop the contract's clock."""
    clock = measured.clock
    start, end = rows.start, rows.end
    until = np.full(len(start), np.nan)
    if "restored" in ledger.known:
        until = rows.column("restored")
    if clock.to == "ticket_closed":
        closed = rows.column("ticket_closed")
        until = np.where(np.isnan(closed), until, closed)
        if np.isnan(closed).any():
            notes["The clock runs until the ticket is closed: where none is, until the service is back."] = (
                None
            )
    if not np.isnan(until).all():
        end = np.where(np.isnan(until), end, np.where(_is_last(rows, until), until, np.minimum(end, until)))
    if clock.from_ != "fault":
        since = rows.column(clock.from_)
        if np.isnan(since).any():
            notes[f"The clock starts with {clock.from_}: outages without it do not count."] = None
        start = np.where(np.isnan(since), np.inf, np.maximum(start, since))
    return rows.at(start, end)


def _is_last(rows: Rows, until: Floats) -> Flags:
    """Whether a row is the one with which its outage ends, so that it lasts until the clock stops."""
    _, part = np.unique(np.stack([rows.group, until]), axis=1, return_inverse=True)
    latest = np.full(len(rows.of), NOTHING)
    np.maximum.at(latest, part.ravel(), rows.end)
    return np.asarray(rows.end == latest[part.ravel()])


def by_error_rate(
    rows: Rows, terms: Terms, ledger: Ledger, scope: str, notes: dict[str, None]
) -> tuple[Rows, Minutes]:
    """Find the minutes that are down by the error rate, and give the rows whole minutes."""
    measured = terms.measured
    assert measured.down_above is not None
    grid = Grid.of(measured)
    if measured.clock.to == "ticket_closed":
        notes["The clock until ticket_closed: minutes in which calls connect are not down."] = None
    if ledger.calls is not None and scope == CORE_VOICE:
        calls = by_rule(ledger.calls, measured.failing, spoilers(terms.excludes, ledger.calls))
        minutes = down_minutes(measured, calls, ledger.start, ledger.end)
        start, end = rows.start, grid.ceil(rows.end)
        start = np.where(start == rows.column("start"), grid.floor(start), start)
        carried = minutes.carried
        if len(carried.start):
            run = np.searchsorted(carried.start, end, side="right") - 1
            end = np.where(inside(carried, end), carried.end[run], end)
        return rows.at(start, end), minutes
    notes[
        "Counts of attempts: the record has none, so that an outage is down for as long as its share of "
        "failing calls is above the limit (all of them, where it is not known)."
    ] = None
    rows = rows.only(np.nan_to_num(rows.column("failing"), nan=1.0) > measured.down_above)
    down = union(rows.start, rows.end)
    if measured.partial == "dropped":
        start, end = grid.ceil(down.start), grid.floor(down.end)
        down = Stretches(start[start < end], end[start < end])
    return rows, Minutes(down, Stretches(np.empty(0), np.empty(0)))
