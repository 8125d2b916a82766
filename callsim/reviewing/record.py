"""What probes tell of each objective, window by window."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from callsim.agreements.accounts import oriented
from callsim.agreements.sla_judging import holder
from callsim.ledgers.from_probes import measured_of
from results.sight import Sight
from results.timeline import Floats
from sla.assess import assess
from sla.assessment import Assessment, Flags, Judged, Windows
from sla.judging import worse
from sla.objectives import Objective
from sla.terms import Terms

SEEN = 0.5
"""A window is told of where at least this share of it was seen."""
OUTAGES = "its windows are single outages, which probes know within bounds only"
CARRIERS = "the terms exclude carriers' faults, and probes of trunks see nothing else"


@dataclass(frozen=True)
class Counts:
    """Windows by what is known of them."""

    kept: int
    broken: int
    unclear: int
    """It depends on how long outages were, or on what nobody saw."""

    @property
    def windows(self) -> int:
        """All of them."""
        return self.kept + self.broken + self.unclear


@dataclass(frozen=True)
class Record:
    """One objective in w windows."""

    objective: Objective
    labels: tuple[str, ...]
    shortest: Floats
    """(w,) What each window measured if outages were as short as they must have been."""
    longest: Floats
    """... as long as they can have been, and whenever nothing is known."""
    kept: Flags
    """(w,) For certain."""
    broken: Flags
    """(w,) For certain."""
    seen: Flags
    """(w,) Whether enough of it was seen."""
    why_not: str | None = None
    """Why probes cannot judge it; then it has no windows."""

    @property
    def counted(self) -> Flags:
        """(w,) Windows that tell: seen, or broken by what was seen."""
        return np.asarray(self.seen | self.broken)

    def counts(self) -> Counts:
        """Count the windows that tell, by the objective's own target."""
        return self._counts(self.kept, self.broken)

    def counts_at(self, target: float) -> Counts:
        """Count them by another target."""
        missed = [worse(actual, target, self.objective) for actual in (self.shortest, self.longest)]
        return self._counts(~missed[0] & ~missed[1], missed[0] & missed[1])

    def keepable(self, risk: float) -> float | None:
        """Return the best target that at most this share of the windows that tell broke for certain."""
        if not self.counted.any() or self.objective.consecutive > 1:
            return None
        values, sign = oriented(self.shortest[self.counted], self.objective)
        return float(sign * np.sort(values)[int(risk * len(values) * (1 + 1e-12))])

    def _counts(self, kept: Flags, broken: Flags) -> Counts:
        told = self.counted
        sure, lost = int((kept & told).sum()), int((broken & told).sum())
        return Counts(sure, lost, int(told.sum()) - sure - lost)


def records_of(terms: Terms, sight: Sight) -> list[Record]:
    """Judge what was seen of a subject, an objective each."""
    plain = terms.model_copy(update={"credits": (), "bonus": (), "chronic": None})
    measured = measured_of(sight)
    made = [assess(plain, ledger, holder(terms)) for ledger in (measured.shortest, measured.longest)]
    apart = any(exclusion.cause == "carrier" for exclusion in terms.excludes)
    return [_record(terms, sight, made, number, apart) for number in range(len(terms.objectives))]


def unseen(objective: Objective, why: str) -> Record:
    """Make the record of what probes cannot judge."""
    none, no = np.empty(0), np.empty(0, dtype=np.bool_)
    return Record(objective, (), none, none, no, no, no, why)


def _record(terms: Terms, sight: Sight, made: Sequence[Assessment], number: int, apart: bool) -> Record:
    shortest, longest = (one.judged[number] for one in made)
    objective = terms.objectives[number]
    why = shortest.not_assessed or longest.not_assessed
    if why is None and shortest.windows.kind == "event":
        why = OUTAGES
    if why is None and apart:
        why = CARRIERS
    if why is not None:
        return unseen(objective, why)
    windows = shortest.windows
    some = _apart(windows)
    unknown = sight.unknown.before(windows.end) - sight.unknown.before(windows.start)
    seen = unknown <= (1.0 - SEEN) * (windows.end - windows.start)
    return Record(
        objective,
        tuple(_label(windows, int(n), terms) for n in some),
        shortest.actual[some],
        longest.actual[some],
        _both(shortest, longest)[some],
        (~shortest.met & ~longest.met)[some],
        np.asarray(seen)[some],
    )


def _both(shortest: Judged, longest: Judged) -> Flags:
    return np.asarray(shortest.met & longest.met)


def _apart(windows: Windows) -> list[int]:
    """Choose windows that do not overlap, from the last one backward."""
    chosen: list[int] = []
    begin = np.inf
    for number in reversed(range(len(windows))):
        if windows.end[number] <= begin:
            chosen.append(number)
            begin = windows.start[number]
    return chosen[::-1]


def _label(windows: Windows, number: int, terms: Terms) -> str:
    zone = ZoneInfo(terms.measured.timezone)
    start = dt.datetime.fromtimestamp(windows.start[number], zone)
    if windows.kind == "year":
        return f"{start:%Y}"
    if windows.kind == "quarter":
        return f"{start.year}-Q{(start.month + 2) // 3}"
    return f"{start:%Y-%m}" if windows.kind == "month" else f"{start:%Y-%m-%d}"
