"""Draws the time of a claim as SVG: a row for each day, with what was down, not seen or excluded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from callsim.claiming.claim import Claim
from callsim.reading.looking import DAY
from results.stretches import Stretches, union

LEFT, WIDTH, RIGHT, TOP = 62.0, 640.0, 58.0, 16.0
ALL_ROWS = 360.0
"""Height of all rows, where they are not taller than `TALLEST` each."""
TALLEST = 12.0
NARROWEST = 1.6
"""Width at which a mark can still be seen."""
HOURS = range(0, 25, 3)
KINDS = (
    ("up", "seen and up"),
    ("future", "still to come"),
    ("unknown", "not seen"),
    ("possible", "down at the longest"),
    ("certain", "down for certain"),
    ("excluded", "excluded"),
    ("claimed", "claimed"),
)
"""Classes of marks, those below first, with what the key calls them."""


@dataclass(frozen=True)
class _Row:
    label: str
    start: float
    end: float
    y: float
    height: float

    @property
    def unit(self) -> float:
        """Width of a second; a day of 25 hours has the same width as any other."""
        return WIDTH / max(DAY, self.end - self.start)

    def x(self, at: float) -> float:
        return LEFT + (min(max(at, self.start), self.end) - self.start) * self.unit


def picture(claim: Claim) -> str:
    """Return SVG; it holds numbers and dates alone, nothing that anybody wrote."""
    question = claim.question
    rows = _rows(question.since, question.until, question.zone)
    bottom = rows[-1].y + rows[-1].height
    height = bottom + 26.0
    parts = [
        f'<svg class="month" viewBox="0 0 {LEFT + WIDTH + RIGHT:.0f} {height:.0f}" role="img" '
        'aria-label="Days as rows, hours from left to right: what was down, not seen or excluded">',
        '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="5" height="5" class="paper"/>'
        '<line x1="0" y1="0" x2="0" y2="5" class="ink"/></pattern></defs>',
    ]
    every = max(1, round(len(rows) / 31))
    for hour in HOURS:
        x = LEFT + WIDTH * hour / 24
        parts.append(f'<text x="{x:.1f}" y="11" class="hour">{hour:02d}</text>')
    for number, row in enumerate(rows):
        parts.append(_rect("up", row, row.start, row.end))
        if number % every == 0:
            parts.append(
                f'<text x="{LEFT - 5:.0f}" y="{row.y + row.height - 2:.1f}" class="day">{row.label}</text>'
            )
    for kind, stretches in _layers(claim):
        parts += [_mark(kind, row, start, end) for row, start, end in _cut(stretches, rows)]
    parts += _numbers(claim, rows)
    parts += _key(bottom + 17.0)
    return "\n".join([*parts, "</svg>"])


def _rows(since: float, until: float, zone: ZoneInfo) -> list[_Row]:
    first = dt.datetime.fromtimestamp(since, zone).date()
    days = [first]
    while _midnight(days[-1] + dt.timedelta(days=1), zone) < until:
        days.append(days[-1] + dt.timedelta(days=1))
    height = min(TALLEST, ALL_ROWS / len(days))
    return [
        _Row(
            f"{day:%a} {day:%d}" if len(days) <= 31 else f"{day:%m-%d}",
            _midnight(day, zone),
            _midnight(day + dt.timedelta(days=1), zone),
            TOP + n * height,
            height - min(1.5, height / 4),
        )
        for n, day in enumerate(days)
    ]


def _midnight(day: dt.date, zone: ZoneInfo) -> float:
    return dt.datetime.combine(day, dt.time(), zone).timestamp()


def _layers(claim: Claim) -> Iterator[tuple[str, Stretches]]:
    question, downtime, sight = claim.question, claim.shortest.downtime, claim.sight
    if not question.over:
        yield "future", union(np.array([question.seen_until]), np.array([question.until]))
    yield "unknown", sight.unknown
    yield "possible", sight.down("longest")
    yield "certain", downtime.gross
    yield "excluded", downtime.excluded
    yield "claimed", downtime.claimed


def _cut(stretches: Stretches, rows: Sequence[_Row]) -> Iterator[tuple[_Row, float, float]]:
    """Cut stretches at the ends of rows."""
    for start, end in zip(stretches.start.tolist(), stretches.end.tolist(), strict=True):
        for row in rows:
            if start < row.end and end > row.start:
                yield row, max(start, row.start), min(end, row.end)


def _mark(kind: str, row: _Row, start: float, end: float) -> str:
    return _rect(kind, row, start, end, 0.0 if kind in ("future", "unknown") else NARROWEST)


def _rect(kind: str, row: _Row, start: float, end: float, narrowest: float = 0.0) -> str:
    x = row.x(start)
    width = max(row.x(end) - x, narrowest)
    return f'<rect class="{kind}" x="{x:.2f}" y="{row.y:.2f}" width="{width:.2f}" height="{row.height:.2f}"/>'


def _numbers(claim: Claim, rows: Sequence[_Row]) -> Iterator[str]:
    """Write at the end of each row which outages begin in it."""
    for row in rows:
        own = [one.number for one in claim.outages if row.start <= one.start < row.end]
        if own:
            text = ", ".join(map(str, own[:4])) + (" ..." if len(own) > 4 else "")
            y = row.y + row.height - 2
            yield f'<text x="{LEFT + WIDTH + 5:.0f}" y="{y:.1f}" class="number">{text}</text>'


def _key(y: float) -> Iterator[str]:
    x = LEFT
    for kind, text in KINDS:
        yield f'<rect class="{kind}" x="{x:.0f}" y="{y - 8:.1f}" width="14" height="9"/>'
        yield f'<text x="{x + 18:.0f}" y="{y:.1f}" class="key">{text}</text>'
        x += 30 + 5.6 * len(text)
