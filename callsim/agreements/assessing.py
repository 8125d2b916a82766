"""An assessment of a real record, window by window, as JSON or as text that a lawyer can follow."""

from __future__ import annotations

import datetime as dt
import math
import textwrap
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from callsim import figures
from callsim.report import columns, promised, quantity
from results.timeline import Floats
from sla.assessment import Assessment, Judged
from sla.explaining import explain


def to_json(made: Assessment) -> list[dict[str, Any]]:
    """Return one object for each window, as the JSON contract has it."""
    return [_window_json(made, index) for index in range(len(made.availability.windows))]


def _window_json(made: Assessment, index: int) -> dict[str, Any]:
    windows, found = made.availability.windows, made.availability
    return {
        "window": window_label(made, index),
        "availability": {
            "gross": number(found.gross[index]),
            "eligible": number(found.eligible[index]),
            "claimed": number(found.claimed[index]),
        },
        "downtime_s": number(found.downtime[index]),
        "excluded": [
            {
                "start": _iso(made, start),
                "end": _iso(made, end),
                "reason": reason,
                "seconds": round(end - start, 3),
            }
            for start, end, reason in excluded_in(made, windows.start[index], windows.end[index])
        ],
        "objectives": [
            {
                "objective": judged.objective.name,
                "target": judged.objective.target,
                "actual": None if at is None else number(judged.actual[at]),
                "met": None if at is None else bool(judged.met[at]),
                "why": _why(judged, at),
                "credit_share": _credit_share(made, judged, index),
            }
            for judged, at in judged_in(made, index)
        ],
        "credit": {
            "share": number(made.credits.due[index]),
            "amount": number(made.credits.amount[index]),
            "currency": made.terms.currency,
            "steps": explain(made, index),
        },
        "not_assessed": list(made.not_assessed),
    }


def excluded_in(made: Assessment, start: float, end: float) -> list[tuple[float, float, str]]:
    """Return the excluded stretches of a window, clipped to it, with their reasons."""
    excluded = made.downtime.excluded
    rows = np.flatnonzero((excluded.start < end) & (excluded.end > start))
    return [
        (
            float(max(excluded.start[row], start)),
            float(min(excluded.end[row], end)),
            made.downtime.excluded_reason[row],
        )
        for row in rows
    ]


def judged_in(made: Assessment, index: int) -> list[tuple[Judged, int | None]]:
    """Return the objectives whose windows end in this one, each with its own window; None: not assessed."""
    windows = made.availability.windows
    start, end = windows.start[index], windows.end[index]
    found: list[tuple[Judged, int | None]] = []
    for judged in made.judged:
        if judged.not_assessed is not None:
            found.append((judged, None))
            continue
        own = np.flatnonzero((judged.windows.end > start) & (judged.windows.end <= end))
        found += [(judged, int(at)) for at in own]
    return found


def _why(judged: Judged, at: int | None) -> str:
    if at is None:
        return f"not assessed, because {judged.not_assessed}"
    actual, objective = judged.actual[at], judged.objective
    if math.isnan(actual):
        return "nothing to measure in this window, which keeps it"
    target = quantity(objective, objective.target)
    told = quantity(objective, float(f"{actual:.10g}"))
    if judged.met[at]:
        return f"{told} keeps {target}"
    return f"{told} breaks {target}"


def _credit_share(made: Assessment, judged: Judged, index: int) -> float | None:
    if judged.not_assessed is not None:
        return None
    rules = [n for n, rule in enumerate(made.terms.credits) if rule.objective == judged.objective.name]
    return number(made.credits.by_rule[rules, index].sum()) if rules else 0.0


def window_label(made: Assessment, index: int) -> str:
    """Name a window: `2026-10` for a calendar month, else its start and end."""
    windows = made.availability.windows
    zone = ZoneInfo(made.terms.measured.timezone)
    start, end = (dt.datetime.fromtimestamp(t, zone) for t in (windows.start[index], windows.end[index]))
    if windows.kind == "month" and start.day == 1 and end.day == 1:
        return f"{start:%Y-%m}"
    if windows.kind == "quarter":
        return f"{start.year}-Q{(start.month + 2) // 3}"
    if windows.kind == "year":
        return f"{start.year}"
    return f"{start.isoformat(timespec='seconds')}/{end.isoformat(timespec='seconds')}"


def _iso(made: Assessment, t: float) -> str:
    zone = ZoneInfo(made.terms.measured.timezone)
    return dt.datetime.fromtimestamp(t, zone).isoformat(timespec="milliseconds")


def number(value: float | np.floating[Any]) -> float | None:
    """Return a plain number for JSON; None where it is not finite."""
    return None if not math.isfinite(value) else float(value)


MOST_WINDOWS = 12
"""Windows that are told in full; of more there is a table."""


def terminal(made: Assessment, width: int = 80) -> str:
    """Return the whole assessment as text."""
    many = len(made.availability.windows)
    parts = [_summary(made, width)]
    if many > 1:
        parts.append(_table(made, width))
    told = range(many) if many <= MOST_WINDOWS else _with_credit(made)
    parts += [_window(made, index, width) for index in told]
    notes = [*made.downtime.refused, *(f"Not assessed: {text}" for text in made.not_assessed)]
    parts.append([line for note in notes for line in textwrap.wrap(note, width, subsequent_indent="  ")])
    return "\n\n".join("\n".join(part) for part in parts if part)


def _summary(made: Assessment, width: int) -> list[str]:
    credits = made.credits
    broken = int(np.count_nonzero(credits.due > 0))
    many = len(credits.windows)
    windows = "one window" if many == 1 else f"{many} windows"
    if not made.terms.credits:
        text = f"{made.terms.name}: {windows} judged; the terms promise no credit."
    elif not broken:
        text = f"{made.terms.name}: {windows} judged, no credit is due."
    else:
        due = _due(made, credits.due)
        text = f"{made.terms.name}: {windows} judged, credit is due in {broken}: {due} in all."
    return textwrap.wrap(text, width)


def _due(made: Assessment, shares: Floats) -> str:
    share = f"{figures.plain_percent(float(f'{shares.sum():.10g}'))} of a month's fee"
    fee = made.customer.fee
    if fee is None:
        return share
    return f"{np.nansum(made.credits.amount):,.2f} {made.terms.currency} ({share})"


def _with_credit(made: Assessment) -> list[int]:
    return [int(index) for index in np.flatnonzero(made.credits.due > 0)[:MOST_WINDOWS]]


def _table(made: Assessment, width: int) -> list[str]:
    found, credits = made.availability, made.credits
    rows: list[tuple[str, ...]] = [("Window", "gross", "eligible", "claimed", "down", "credit")]
    shown: list[int] = list(range(len(found.windows)))
    if len(shown) > 3 * MOST_WINDOWS:
        shown = [n for n in shown if found.downtime[n] > 0 or credits.due[n] > 0][: 3 * MOST_WINDOWS]
    for index in shown:
        shares = (found.gross[index], found.eligible[index], found.claimed[index])
        rows.append(
            (
                window_label(made, index),
                *(percent(share) for share in shares),
                figures.plain_duration(found.downtime[index]) if found.downtime[index] else "0",
                figures.plain_percent(float(f"{credits.due[index]:.6g}")) if credits.due[index] else "",
            )
        )
    left = len(found.windows) - len(shown)
    more = [f"{left} more windows have neither downtime nor a credit, or are left to --json."] if left else []
    return [*columns(rows, width), *more]


def percent(share: float) -> str:
    """Write an availability; NaN is none."""
    return "none" if math.isnan(share) else f"{100 * share:.5f} %"


def _window(made: Assessment, index: int, width: int) -> list[str]:
    found, windows = made.availability, made.availability.windows
    lines = [
        f"{window_label(made, index)}: gross {percent(found.gross[index])}, eligible "
        f"{percent(found.eligible[index])}, claimed {percent(found.claimed[index])}"
    ]
    for start, end, reason in excluded_in(made, windows.start[index], windows.end[index]):
        lines.append(
            f"  excluded {_clock(made, start)} to {_clock(made, end)} "
            f"({figures.exact_duration(round(end - start, 3))}): {reason}"
        )
    for judged, at in judged_in(made, index):
        state = "" if at is None else ("kept; " if judged.met[at] else "BROKEN; ")
        lines.append(f"  {promised(judged.objective)}: {state}{_why(judged, at)}")
    lines += [f"  {step}" for step in explain(made, index)]
    return [line for text in lines for line in textwrap.wrap(text, width, subsequent_indent="    ")]


def _clock(made: Assessment, t: float) -> str:
    zone = ZoneInfo(made.terms.measured.timezone)
    return f"{dt.datetime.fromtimestamp(t, zone):%Y-%m-%d %H:%M:%S}"
