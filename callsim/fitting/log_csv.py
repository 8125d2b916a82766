"""Logs of incidents and outages as CSV, whoever wrote them, by the names of their columns."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from callsim.errors import Problem, ScenarioError
from callsim.fitting.local_times import LocalTimes
from callsim.fitting.observed import ALL, Observed, some, untouched
from callsim.study import STREAM_YEARS
from documents.words import nearest
from results.fitting.spells import Record, exact
from results.ledger import Blame
from results.stretches import union

Span = tuple[dt.date, dt.date]
COLUMNS: dict[str, tuple[str, ...]] = {
    "begin": ("begin", "start", "began", "from"),
    "end": ("end", "ended", "until", "restored"),
    "begin_earliest": ("began_earliest", "begin_earliest", "start_earliest"),
    "begin_latest": ("began_latest", "begin_latest", "start_latest"),
    "end_earliest": ("ended_earliest", "end_earliest"),
    "end_latest": ("ended_latest", "end_latest"),
    "cause": ("cause", "causes", "subject"),
    "unit": ("unit",),
    "mode": ("mode",),
    "kind": ("kind",),
    "location": ("location",),
    "stream": ("stream",),
    "offset": ("start_s",),
}
"""What is read, and what its column may be called; others are passed over."""
PLANNED = ("planned change", "maintenance")
"""What a planned cause is, or ends in."""
RESOLUTIONS = (3600.0, 60.0, 1.0)
OPEN = "an incident that is still open has an empty cell"


@dataclass(frozen=True)
class _Row:
    line: int
    subject: str
    thing: tuple[str, str]
    """Stream and unit: what fails in several ways, one at a time."""
    begin: tuple[float, float]
    end: tuple[float, float]
    planned: bool

    @property
    def known(self) -> bool:
        """Whether both ends are instants, and not bounds of them."""
        return self.begin[0] == self.begin[1] and self.end[0] == self.end[1]


def read_log(path: Path, span: Span | None, timezone: str) -> Observed:
    """Read a log; raises ScenarioError with everything that is wrong.

    It is of `span`, days of `timezone`; else of what the run says that left it; else of the calendar months
    that hold its rows, which is told as an assumption.
    """
    clock = LocalTimes(ZoneInfo(timezone))
    try:
        raw = path.read_bytes()
        rows, origin = _rows(str(path), raw.decode("utf-8-sig"), clock)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ScenarioError([Problem(str(path), None, "", f"cannot be read: {why}")]) from None
    except UnicodeError:
        raise ScenarioError([Problem(str(path), None, "", "is not UTF-8 text; save it as such")]) from None
    except csv.Error as error:
        raise ScenarioError([Problem(str(path), None, "", f"is not CSV: {error}")]) from None
    stretches, said = _stretches(path, rows, span, clock.zone, origin)
    warnings = clock.warnings()
    outside = sum(not _touches(row, stretches[row.thing[0]]) for row in rows)
    if outside:
        lie = "lies" if outside == 1 else "lie"
        warnings.append(f"{outside} of {some(len(rows), 'row')} {lie} outside of the stretch")
    overlapping = sum(map(_overlapping, _by_cause(row for row in rows if not row.planned)))
    if overlapping:
        which = "overlaps an earlier one" if overlapping == 1 else "overlap earlier ones"
        warnings.append(
            f"{some(overlapping, 'row')} {which} of the same unit and cause: merged, as one outage"
        )
    planned = sum(row.planned for row in rows)
    if planned:
        have = "has" if planned == 1 else "have"
        warnings.append(f"{some(planned, 'row')} of planned work {have} no law; meanwhile nothing operates")
    first = next(iter(stretches.values()))
    return Observed(
        str(path),
        hashlib.sha256(raw).hexdigest(),
        *first,
        said,
        _records(rows, stretches),
        _resolution(rows),
        tuple(warnings),
    )


# ---- rows


def _rows(file: str, text: str, clock: LocalTimes) -> tuple[list[_Row], float | None]:
    """Give the rows, and the instant at which the streams of a run begin."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [cell.strip().lower() for cell in next(reader, [])]
    where = {
        what: header.index(name)
        for what, names in COLUMNS.items()
        for name in reversed(names)
        if name in header
    }
    problems = _header(file, header, where)
    rows: dict[_Row, None] = {}
    origin = None
    for cells in [] if problems else reader:
        if not any(cell.strip() for cell in cells):
            continue
        line = reader.line_num
        if len(cells) != len(header):
            message = f"{some(len(cells), 'cell')}; the first line has {len(header)}"
            problems.append(Problem(file, line, "", message))
            continue
        found = {what: cells[n].strip() for what, n in where.items()}
        if found.get("kind", "outage") not in ("outage", ""):
            continue
        row = _row(file, line, found, clock, problems)
        if row is None:
            continue
        rows[row] = None
        if origin is None and found.get("offset") and found.get("stream"):
            origin = row.begin[0] - float(found["offset"])
    if problems:
        raise ScenarioError(problems)
    listed = sorted(rows, key=lambda row: row.begin[1])
    streams = {row.thing[0] for row in listed}
    # What all locations saw together stands beside what each saw, without a location.
    if "location" in where and "stream" not in where and "" in streams:
        listed = [row for row in listed if not row.thing[0]]
    problems = [problem for alike in _by_cause(listed) for problem in _endless(file, alike)]
    if problems:
        raise ScenarioError(problems)
    return listed, origin


def _by_cause(rows: Iterable[_Row]) -> Iterable[list[_Row]]:
    """Part rows by what failed and how, each in the order of time."""
    parts: dict[tuple[tuple[str, str], str], list[_Row]] = {}
    for row in rows:
        parts.setdefault((row.thing, row.subject), []).append(row)
    return parts.values()


def _endless(file: str, rows: Sequence[_Row]) -> Iterator[Problem]:
    """Find rows without an end that others come after: they would swallow these."""
    for row in rows:
        later = sum(other.begin[1] > row.begin[1] for other in rows) if math.isinf(row.end[1]) else 0
        if later:
            begin = "begins" if later == 1 else "begin"
            message = (
                f"{row.subject} has no end, yet {some(later, 'row')} of it {begin} later; "
                "give its end, or leave it out"
            )
            yield Problem(file, row.line, "", message)


def _overlapping(rows: Sequence[_Row]) -> int:
    """Count rows that begin before an earlier one ends; those with bounds are not merged."""
    if not all(row.known for row in rows):
        return 0
    ends = accumulate((row.end[1] for row in rows), max)
    return sum(row.begin[1] < end for row, end in zip(rows[1:], ends, strict=False))


def _header(file: str, header: Sequence[str], where: Mapping[str, int]) -> list[Problem]:
    if not any(header) or (len(header) == 1 and ";" in header[0]):
        what = "separated by ';', not by commas" if any(header) else "empty"
        return [Problem(file, 1, "", f"{what}; the first line is like begin,end,cause")]
    problems = []
    for what in ("begin", "end"):
        if what not in where and f"{what}_latest" not in where:
            guess = next((near for name in COLUMNS[what] if (near := nearest(name, header))), None)
            meant = f"; is '{guess}' it? call it {what}" if guess else ""
            known = " or ".join(COLUMNS[what])
            problems.append(Problem(file, 1, what, f"missing; a log has a column {known}{meant}"))
    return problems


def _row(
    file: str, line: int, found: Mapping[str, str], clock: LocalTimes, problems: list[Problem]
) -> _Row | None:
    times: dict[str, float] = {}
    wrong = len(problems)
    for what in ("begin", "begin_earliest", "begin_latest", "end", "end_earliest", "end_latest"):
        if found.get(what):
            try:
                times[what] = clock.read(found[what], line)
            except ValueError as error:
                problems.append(Problem(file, line, what, str(error)))
    if len(problems) > wrong:
        return None
    begin, end = times.get("begin"), times.get("end")
    if begin is None:
        begin = times.get("begin_latest")
        earliest = times.get("begin_earliest", -math.inf)
    else:
        earliest = times.get("begin_earliest", begin)
    if begin is None:
        problems.append(Problem(file, line, "begin", "empty; an incident has a begin"))
        return None
    latest = times.get("begin_latest", begin)
    end_latest = times.get("end_latest", end if end is not None else math.inf)
    end_earliest = times.get("end_earliest", end if end is not None else end_latest)
    if end_latest < latest or earliest > latest or end_earliest > end_latest:
        problems.append(Problem(file, line, "end", f"before its begin; {OPEN}"))
        return None
    if math.isinf(end_latest):
        end_earliest = math.inf if "end_earliest" not in times else end_earliest
    subject, planned = _subject(found)
    unit = found.get("unit") or subject.partition("/")[0]
    stream = found.get("stream") or found.get("location") or ""
    return _Row(line, subject, (stream, unit), (earliest, latest), (end_earliest, end_latest), planned)


def _subject(found: Mapping[str, str]) -> tuple[str, bool]:
    """Give what failed, and whether it was planned."""
    cause = found.get("cause", "")
    parts = []
    planned = False
    for part in cause.split(" + "):
        blame, colon, detail = part.partition(":")
        known = blame in {one.value for one in Blame}
        planned |= known and blame.startswith("planned")
        parts.append(detail if known and colon else part)
    name = " + ".join(part for part in parts if part)
    if not name:
        name = "/".join(part for part in (found.get("unit", ""), found.get("mode", "")) if part)
    elif found.get("mode") and "/" not in name:
        name = f"{name}/{found['mode']}"
    return name or ALL, planned or name == PLANNED[0] or name.rpartition("/")[2] == PLANNED[1]


def _resolution(rows: Sequence[_Row]) -> float:
    """Give to how many seconds the times were written down."""
    times = np.array([t for row in rows for t in (*row.begin, *row.end)])
    times = times[np.isfinite(times)]
    return next((step for step in RESOLUTIONS if len(times) and (times % step == 0).all()), 0.001)


# ---- the stretch


def _stretches(
    path: Path, rows: Sequence[_Row], span: Span | None, zone: ZoneInfo, origin: float | None
) -> tuple[dict[str, tuple[float, float]], str]:
    """Give begin and end of what each stream is about, with where that is known from."""
    streams = list(dict.fromkeys(row.thing[0] for row in rows)) or [""]
    if span is not None:
        begin, end = (dt.datetime.combine(day, dt.time(), zone).timestamp() for day in span)
        each = f" of each of {len(streams)} streams" if len(streams) > 1 and origin is not None else ""
        return dict.fromkeys(streams, (begin, end)), f"{span[0]} to {span[1]}{each}, as asked for"
    if not rows:
        why = "no rows, so nothing says of which time it is; give --from and --to"
        raise ScenarioError([Problem(str(path), None, "", why)])
    years = _years_beside(path) if origin is not None else None
    if years is not None and origin is not None:
        left = {name: min(STREAM_YEARS, years - STREAM_YEARS * int(name)) for name in streams}
        ends = {name: (origin, _years_on(origin, many)) for name, many in left.items()}
        return ends, f"{some(sum(left.values()), 'simulated year')}, as result.json beside it says"
    last = max(max(row.begin[1], row.end[1] if math.isfinite(row.end[1]) else 0.0) for row in rows)
    first = dt.datetime.fromtimestamp(rows[0].begin[1], zone).date().replace(day=1)
    final = dt.datetime.fromtimestamp(last, zone).date().replace(day=1)
    final = (final + dt.timedelta(days=32)).replace(day=1)
    begin, end = (dt.datetime.combine(day, dt.time(), zone).timestamp() for day in (first, final))
    said = f"{first} to {final}, ASSUMED: the calendar months that hold its rows (--from, --to say better)"
    return dict.fromkeys(streams, (begin, end)), said


def _years_beside(path: Path) -> int | None:
    """Read how many years a run simulated, from the file that it left beside its incidents."""
    try:
        years = json.loads((path.parent / "result.json").read_text(encoding="utf-8")).get("years")
    except (OSError, ValueError, AttributeError):
        return None
    return years if isinstance(years, int) else None


def _years_on(origin: float, years: int) -> float:
    there = dt.datetime.fromtimestamp(round(origin), dt.UTC)
    return there.replace(year=there.year + years).timestamp()


def _touches(row: _Row, stretch: tuple[float, float]) -> bool:
    return row.begin[1] < stretch[1] and row.end[1] > stretch[0]


# ---- records


def _records(
    rows: Sequence[_Row], stretches: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[Record, ...]]:
    subjects = list(dict.fromkeys(row.subject for row in rows if not row.planned)) or [ALL] * (not rows)
    by_thing: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        by_thing.setdefault(row.thing, []).append(row)
    units = {
        subject: list(dict.fromkeys(row.thing[1] for row in rows if row.subject == subject))
        for subject in subjects
    }
    return {
        subject: tuple(
            _record(subject, by_thing.get((stream, unit), []), stretch)
            for stream, stretch in stretches.items()
            for unit in units[subject] or [""]
        )
        for subject in sorted(subjects)
    }


def _record(subject: str, rows: Sequence[_Row], stretch: tuple[float, float]) -> Record:
    own = [row for row in rows if row.subject == subject and not row.planned]
    others = [row for row in rows if row.subject != subject or row.planned]
    paused = union(*(np.array(list(column)) for column in (_begins(others), _ends(others, stretch[1]))))
    if not own and not others:
        return untouched(*stretch)
    if all(row.known for row in own):
        return exact(*stretch, np.array(list(_begins(own))), np.array([row.end[1] for row in own]), paused)
    return Record(
        *stretch,
        np.array([row.begin[0] for row in own]),
        np.array([row.begin[1] for row in own]),
        np.array([row.end[0] for row in own]),
        np.array([row.end[1] for row in own]),
        paused=paused,
    )


def _begins(rows: Sequence[_Row]) -> Iterator[float]:
    return (row.begin[1] for row in rows)


def _ends(rows: Sequence[_Row], until: float) -> Iterator[float]:
    return (min(row.end[1], until) for row in rows)
