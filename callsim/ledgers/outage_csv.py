"""Outages as CSV, the record that people keep by hand."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from callsim.errors import Problem, ScenarioError
from callsim.records import timestamps
from carriers.calendars import Zone
from carriers.units import NUMBER, parse_share
from documents.values import NAME
from documents.words import nearest, show
from results.ledger import CORE_VOICE, Blame, Cause, Ledger, outage_table
from results.timeline import Floats

T = TypeVar("T")

HEADER = (
    *("start", "end", "cause", "scope", "failing_calls", "affected_users"),
    *("ticket_opened", "ticket_closed", "notice_given", "restored"),
)
NEEDED = ("start", "end")
TIMES = ("start", "end", "ticket_opened", "ticket_closed", "notice_given", "restored")
NAMED = {"failing_calls": "failing"}
"""Columns that a ledger calls by another name."""
JOINT = " + "
"""Between the causes of one outage."""
BLAMES = {blame.value: blame for blame in Blame}
_COUNT = re.compile(NUMBER)
ORDERED = {"end": "start", "ticket_closed": "ticket_opened", "restored": "start"}
"""Instants that are not before another one."""


def read_outages(
    path: Path | str,
    span: tuple[float, float] | None = None,
    timezone: str = "UTC",
    covers: Collection[str] = (CORE_VOICE,),
) -> tuple[Ledger, list[str]]:
    """Read a record of outages, with warnings about it.

    The record is of `span` (POSIX seconds), else of the calendar months of `timezone` that hold all its rows;
    of the scopes in `covers` and those that it names. Raises ScenarioError with everything that is wrong.
    """
    sheet = _read(path)
    columns = {
        name: np.round(sheet.numbers(name, _time) * 1000.0) / 1000.0 for name in TIMES if name in sheet.cells
    }
    for name, parse in (("failing_calls", _share), ("affected_users", _count)):
        if name in sheet.cells:
            columns[name] = sheet.numbers(name, parse)
    provider: tuple[Cause, ...] = (Cause(Blame.PROVIDER),)
    causes = sheet.values("cause", _causes, provider)
    scopes = sheet.values("scope", _scope, None)
    _check(sheet, columns)
    if not len(sheet) and span is None and not sheet.problems:
        why = "no outages, so nothing says of which time it is; give a month, or a start and an end"
        sheet.problems.append(Problem(sheet.file, None, "", why))
    if sheet.problems:
        raise ScenarioError(sheet.problems)
    start, end = columns.pop("start"), columns.pop("end")
    end[np.isnan(end)] = np.inf
    optional: dict[str, Any] = {NAMED.get(name, name): column for name, column in columns.items()}
    begins, ends = _months(start, end, timezone) if span is None else span
    outside = int(np.count_nonzero((start >= ends) | (end < begins)))
    if outside:
        sheet.warnings.append(f"{outside} of {len(sheet)} outages lie outside of the time that is judged")
    ledger = Ledger(
        start=begins,
        end=ends,
        outages=outage_table(start, end, causes, scope=scopes, **optional),
        scopes=frozenset(covers) | frozenset(scope for scope in scopes if scope is not None),
        known=frozenset(optional),
    )
    return ledger, sheet.warnings


def _check(sheet: _Sheet, columns: dict[str, Floats]) -> None:
    """Look for outages without a start, and for times in the wrong order."""
    empty = [row for row, cell in enumerate(sheet.cells.get("start", ())) if not cell]
    sheet.wrong("start", empty, "empty; an outage has a start, like 2026-10-01T12:00:00+02:00")
    for later, sooner in ORDERED.items():
        if later in columns and sooner in columns:
            early = np.flatnonzero(columns[later] < columns[sooner]).tolist()
            sheet.wrong(later, early, f"before `{sooner}`; write it no sooner")


def outages_text(ledger: Ledger, timezone: str = "UTC") -> str:
    """Write the outages of a ledger as `read_outages` reads them, with times in local time.

    A row is a stretch with one set of causes: where causes change, an outage is several rows that touch.
    """
    table = ledger.outages
    zone = _zone_of(ledger, timezone)
    known = [name for name in HEADER[4:] if NAMED.get(name, name) in ledger.known]
    cells: dict[str, Sequence[str]] = {
        "start": _written(zone, table.start),
        "end": _written(zone, table.end),
        "cause": [JOINT.join(map(str, table.cause_sets[number])) for number in table.causes.tolist()],
        "scope": ["" if number < 0 else table.scopes[number] for number in table.scope.tolist()],
    }
    for name in known:
        column: Floats = getattr(table, NAMED.get(name, name))
        if name in TIMES:
            cells[name] = _written(zone, column)
        else:
            places = 2 if name == "failing_calls" else 0
            mark = "%" if name == "failing_calls" else ""
            cells[name] = [_decimal(x, places) + mark if np.isfinite(x) else "" for x in column.tolist()]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(cells)
    writer.writerows(zip(*cells.values(), strict=True))
    return out.getvalue()


# ---- the sheet


@dataclass
class _Sheet:
    """Cells by column, with what is wrong with them."""

    file: str
    lines: list[int] = field(default_factory=list)
    """Line of each row."""
    cells: dict[str, Sequence[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def wrong(self, column: str, rows: Iterable[int], message: str) -> None:
        """Say what is wrong in these rows."""
        self.problems += [Problem(self.file, self.lines[row], column, message) for row in rows]

    def numbers(self, name: str, parse: Callable[[str], float]) -> Floats:
        """Read a column of numbers; empty cells, and those that are wrong, are NaN."""
        return np.array(self.values(name, parse, math.nan), dtype=np.float64)

    def values(self, name: str, parse: Callable[[str], T], empty: T) -> list[T]:
        """Read a column; empty cells, those that are wrong, and a column that is not there are `empty`."""
        cells = self.cells.get(name)
        if cells is None:
            return [empty] * len(self)
        try:
            return [parse(cell) if cell else empty for cell in cells]
        except ValueError:
            return list(self._checked(name, cells, parse, empty))

    def _checked(self, name: str, cells: Sequence[str], parse: Callable[[str], T], empty: T) -> Iterator[T]:
        """Read a column with something wrong in it, cell by cell."""
        for row, cell in enumerate(cells):
            value = empty
            if cell:
                try:
                    value = parse(cell)
                except ValueError as error:
                    self.wrong(name, [row], str(error))
            yield value


def _read(path: Path | str) -> _Sheet:
    sheet = _Sheet(str(path))
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [cell.strip() for cell in next(rows, [])]
        if _header(sheet, header):
            _rows(sheet, header, rows)
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeError:
        raise _unreadable(path, "is not UTF-8 text; save it as such") from None
    except csv.Error as error:
        raise _unreadable(path, f"is not CSV: {error}") from None
    return sheet


def _unreadable(path: Path | str, message: str) -> ScenarioError:
    return ScenarioError([Problem(str(path), None, "", message)])


def _header(sheet: _Sheet, header: list[str]) -> bool:
    """Check the names of the columns; returns whether rows can be read."""
    if not any(header) or (len(header) == 1 and ";" in header[0]):
        what = "separated by ';', not by commas" if any(header) else "empty"
        sheet.problems.append(Problem(sheet.file, 1, "", f"{what}; the first line is {','.join(HEADER)}"))
        return False
    for number, name in enumerate(header):
        message = None
        if name not in HEADER:
            guess = nearest(name, HEADER)
            right = f"did you mean '{guess}'?" if guess else f"known here: {', '.join(HEADER)}"
            message = f"unknown column; {right}"
        elif name in header[:number]:
            message = "stands here twice; delete one"
        if message is not None:
            sheet.problems.append(Problem(sheet.file, 1, name, message))
    missing = [name for name in NEEDED if name not in header]
    sheet.problems += [Problem(sheet.file, 1, name, "missing; every record has it") for name in missing]
    return not missing


def _rows(sheet: _Sheet, header: list[str], rows: Any) -> None:  # noqa: ANN401 - csv's type has no name
    """Read the rows into columns; what stands there twice is kept once."""
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        cells = tuple(map(str.strip, row))
        if not any(cells):
            continue
        if len(cells) != len(header):
            message = f"{len(cells)} cells; the first line has {len(header)}"
            sheet.problems.append(Problem(sheet.file, rows.line_num, "", message))
        elif seen.setdefault(cells, rows.line_num) != rows.line_num:
            sheet.warnings.append(f"line {rows.line_num}: the same as line {seen[cells]}; it counts once")
    sheet.lines = list(seen.values())
    columns: Iterable[tuple[str, ...]] = zip(*seen, strict=True) if seen else [()] * len(header)
    sheet.cells = {name: column for name, column in zip(header, columns, strict=True) if name in HEADER}


# ---- its cells


def _time(cell: str) -> float:
    """POSIX seconds."""
    try:
        when = dt.datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"{show(cell)} is not a time; write one like 2026-10-01T12:00:00Z") from None
    if when.tzinfo is None:
        local = when.isoformat()
        raise ValueError(
            f"{show(cell)} has no zone; write {local}Z for UTC, or its offset, like {local}+02:00"
        )
    if not 1970 <= when.year <= 9500:
        raise ValueError(f"{show(cell)} is too far off; write a year from 1970 to 9500")
    return when.timestamp()


@lru_cache(maxsize=1024)
def _share(cell: str) -> float:
    return parse_share(cell)


def _count(cell: str) -> float:
    if _COUNT.fullmatch(cell) is None:
        raise ValueError(f"{show(cell)} is not a number of users; write one like 120")
    return float(cell)


@lru_cache(maxsize=1024)
def _causes(cell: str) -> tuple[Cause, ...]:
    causes = []
    for part in cell.split(JOINT):
        blame, _, detail = part.partition(":")
        if blame not in BLAMES:
            guess = nearest(blame, BLAMES)
            right = f"did you mean '{guess}'?" if guess else f"write one of {', '.join(BLAMES)}"
            raise ValueError(f"{show(blame)} is no class of causes; {right}")
        causes.append(Cause(BLAMES[blame], detail))
    return tuple(causes)


@lru_cache(maxsize=1024)
def _scope(cell: str) -> str | None:
    if re.fullmatch(NAME, cell) is None:
        raise ValueError(f"{show(cell)} is not a scope; a scope is a name, like {CORE_VOICE}")
    return cell


# ---- times


def _months(start: Floats, end: Floats, timezone: str) -> tuple[float, float]:
    """Return bounds of the calendar months that hold all these outages."""
    zone = ZoneInfo(timezone)
    last = float(max(start.max(), end[np.isfinite(end)].max(initial=-math.inf)))
    first, begin = _month(float(start.min()), zone), _month(last, zone)
    # An outage that ends with a month does not lie in the next one.
    if begin.timestamp() == last and not (start == last).any():
        return first.timestamp(), last
    following = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return first.timestamp(), following.timestamp()


def _month(t: float, zone: ZoneInfo) -> dt.datetime:
    """Local start of the month of an instant."""
    there = dt.datetime.fromtimestamp(t, zone)
    return dt.datetime(there.year, there.month, 1, tzinfo=zone)


def _written(zone: Zone, t: Floats) -> list[str]:
    return timestamps(zone, t - zone.origin)


def _zone_of(ledger: Ledger, timezone: str) -> Zone:
    """Local time over all that a ledger tells."""
    times = np.concatenate([ledger.outages.start, ledger.outages.end, [ledger.start, ledger.end]])
    first, last = (
        _month(float(t), ZoneInfo(timezone)) for t in (times.min(), times[np.isfinite(times)].max())
    )
    return Zone(first.date(), timezone, last.year - first.year + 2)


def _decimal(value: float, places: int) -> str:
    """Write a number times 10 to the power of `places`, with exactly the digits that it has."""
    return f"{Decimal(repr(value)).scaleb(places).normalize():f}"
