"""Lays what people know of outages, such as tickets, over what probes saw of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from callsim.errors import Problem, ScenarioError
from callsim.ledgers.outage_csv import NAMED, read_outages
from results.ledger import Blame, Cause, Ledger, OutageTable, outage_table
from results.timeline import Floats

EARLIEST, LATEST = ("ticket_opened",), ("ticket_closed", "affected_users")
"""Columns of whole outages: of several rows the least, or the greatest, holds."""
NOTICE = "notice_given"
TAKEN = (*EARLIEST, *LATEST, NOTICE)
SEEN = ("restored", "failing_calls")
"""Columns that say what the probes say."""
PLAIN = Cause(Blame.PROVIDER)
"""What a row without a cause is read as."""
Span = tuple[float, float]


@dataclass(frozen=True)
class Known:
    """What a file tells of outages besides the probes."""

    file: Path
    ledger: Ledger
    unmatched: tuple[Span, ...]
    """Rows that touch no outage that the probes saw, from when to when."""
    warnings: tuple[str, ...]


def read_known(path: Path, between: Span, timezone: str, outages: Sequence[Span]) -> Known:
    """Read a file in the form of an outage record; `outages` are as long as they can have been."""
    ledger, warnings = read_outages(path, between, timezone)
    idle = [name for name in SEEN if NAMED.get(name, name) in ledger.known]
    if idle:
        why = "does nothing here, since the probes tell it; leave it out"
        raise ScenarioError(Problem(str(path), 1, name, why) for name in idle)
    rows = zip(ledger.outages.start.tolist(), ledger.outages.end.tolist(), strict=True)
    unmatched = [row for row in rows if not any(_touch(row, outage) for outage in outages)]
    return Known(path, ledger, tuple(unmatched), tuple(warnings))


def with_known(ledger: Ledger, known: Known, outages: Sequence[Span]) -> Ledger:
    """Give measured outages the causes, notices and tickets of the rows that touch them.

    A cause and a notice hold for the time of their row, so that an outage is cut there; tickets and affected
    users for all of an outage. `outages` has the times of those with numbers 0, 1, ... as long as they can
    have been.
    """
    table, notes = ledger.outages, known.ledger.outages
    names = [name for name in TAKEN if name in known.ledger.known]
    pieces = [piece for row in range(len(table)) for piece in _pieces(table, row, notes)]
    columns: dict[str, Any] = {name: [] for name in (*names, "detected")}
    causes = []
    for row, begin, end in pieces:
        number = int(table.outage[row])
        whole = outages[number] if number < len(outages) else (float(table.start[row]), float(table.end[row]))
        here, of_it = _rows(notes, (begin, end)), _rows(notes, whole)
        causes.append(_causes(notes, here) or table.cause_sets[table.causes[row]])
        columns["detected"].append(float(table.detected[row]))
        for name in names:
            values = getattr(notes, name)[here if name == NOTICE else of_it]
            columns[name].append(_one(values, latest=name in LATEST))
    made = outage_table(
        [begin for _, begin, _ in pieces],
        [end for *_, end in pieces],
        causes,
        outage=[int(table.outage[row]) for row, *_ in pieces],
        **columns,
    )
    return replace(ledger, outages=made, known=ledger.known | frozenset(names))


def _pieces(table: OutageTable, row: int, notes: OutageTable) -> Iterator[tuple[int, float, float]]:
    """Cut a stretch where a row of the file begins or ends."""
    start, end = float(table.start[row]), float(table.end[row])
    cuts = {float(t) for t in (*notes.start, *notes.end) if start < t < end}
    edges = [start, *sorted(cuts), end]
    yield from ((row, begin, until) for begin, until in pairwise(edges))


def _rows(notes: OutageTable, span: Span) -> Sequence[int]:
    rows = zip(notes.start.tolist(), notes.end.tolist(), strict=True)
    return [n for n, row in enumerate(rows) if _touch(row, span)]


def _touch(one: Span, other: Span) -> bool:
    return one[0] < other[1] and one[1] > other[0]


def _causes(notes: OutageTable, rows: Sequence[int]) -> tuple[Cause, ...]:
    found = (cause for row in rows for cause in notes.cause_sets[notes.causes[row]])
    return tuple(dict.fromkeys(cause for cause in found if cause != PLAIN))


def _one(values: Floats, *, latest: bool) -> float:
    told = values[~np.isnan(values)]
    if not len(told):
        return float("nan")
    return float(told.max() if latest else told.min())
