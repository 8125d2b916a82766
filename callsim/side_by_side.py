"""Comparisons and sweeps as a person reads them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from callsim import figures
from callsim.comparison import Comparison, clear_of_zero
from callsim.report import columns, table
from callsim.result import Result
from results.estimates import Estimate

Rows = list[tuple[str, ...]]


def _points(estimate: Estimate) -> str:
    return f"{figures.change(estimate.scaled(100.0))} points"


SHOWN: tuple[tuple[str, str, Callable[[Estimate], str], Callable[[Estimate], str]], ...] = (
    ("downtime_min_per_year", "Downtime, min a year", figures.number, figures.change),
    ("outages_per_year", "Outages a year", figures.number, figures.change),
    ("availability", "Availability", figures.percent, _points),
    ("dpm", "Failed calls per million", figures.number, figures.change),
    ("blocked_per_million", "Blocked calls per million", figures.number, figures.change),
    ("mos", "MOS, mean", figures.number, figures.change),
    ("poor_share", "Poor calls", figures.percent, _points),
)
"""Quantity, heading, how its value is written, how its difference is."""
OF_CALLS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("blocked_per_million", "blocked/M", figures.significant),
    ("mos", "MOS", "{:.2f}".format),
    ("poor_share", "poor", lambda share: f"{figures.significant(100 * share)} %"),
)
"""What a sweep tells besides, without intervals, where some scenario has it."""
RARE = ("blocked_per_million",)
"""Shown only where some scenario has any."""


def comparison(compared: Comparison, width: int = 80) -> str:
    """Return what `callsim compare` prints."""
    parts = [_notes(compared, width)]
    parts += [columns(rows, width) for rows in _tables(compared)]
    parts.append(textwrap.wrap(_footer(compared), width))
    return "\n\n".join("\n".join(part) for part in parts if part)


def sweep(compared: Comparison, paths: Sequence[str], width: int = 80) -> str:
    """Return what `callsim sweep` prints: a row per value, or combination of values, of the paths."""
    head = ", ".join(path.rpartition(".")[2] for path in paths)
    more_of = [row for row in OF_CALLS if any(_value(result, row[0]) for result in compared.results)]
    names = (heading for _, heading, _ in more_of)
    rows: Rows = [(head, "downtime, min a year", "change from the first", *names, "verdict")]
    for n, (name, result) in enumerate(zip(compared.names, compared.results, strict=True)):
        more = _change(compared.differences[n - 1], "downtime_min_per_year", figures.change) if n else ""
        found = ((write, _value(result, quantity)) for quantity, _, write in more_of)
        others = ("" if value is None else write(value) for write, value in found)
        rows.append((name, figures.number(result.downtime_min_per_year), more, *others, _verdict(result)))
    parts = [_notes(compared, width), columns(rows, width), textwrap.wrap(_footer(compared), width)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def html(compared: Comparison) -> str:
    """Return what a notebook shows."""
    tables = "".join(table(rows[0], rows[1:]) for rows in _tables(compared))
    return f"{''.join(f'<p>{n}</p>' for n in _notes(compared, 10_000))}{tables}<p>{_footer(compared)}</p>"


def _tables(compared: Comparison) -> list[Rows]:
    first = compared.names[0]
    rows: Rows = [("Scenario", "verdict")]
    rows += [(name, _verdict(result)) for name, result in zip(compared.names, compared.results, strict=True)]
    tables = [rows]
    for quantity, heading, write, write_change in SHOWN:
        if quantity in RARE and not any(_value(result, quantity) for result in compared.results):
            continue
        rows = [(heading, "", f"change from {first}")]
        for n, (name, result) in enumerate(zip(compared.names, compared.results, strict=True)):
            estimate = result.estimates().get(quantity)
            if estimate is not None:
                more = _change(compared.differences[n - 1], quantity, write_change) if n else ""
                rows.append((f"  {name}", write(estimate), more))
        if len(rows) > 1:
            tables.append(rows)
    return tables


def _value(result: Result, quantity: str) -> float | None:
    estimate = result.estimates().get(quantity)
    return None if estimate is None else estimate.value


def _change(difference: dict[str, Estimate], quantity: str, write: Callable[[Estimate], str]) -> str:
    if quantity not in difference:
        return ""
    estimate = difference[quantity]
    return f"{write(estimate)}{' *' if clear_of_zero(estimate) else ''}"


def _verdict(result: Result) -> str:
    return "no objective" if result.verdict is None else result.verdict.value


def _notes(compared: Comparison, width: int) -> list[str]:
    return textwrap.wrap(f"PARTIAL: {compared.partial}.", width) if compared.partial is not None else []


def _footer(compared: Comparison) -> str:
    first = compared.results[0]
    confidence = figures.plain_percent(first.availability.confidence)
    return (
        f"{first.study.years:,} years each, with the same random numbers (seed {first.study.seed}). "
        f"* = the {confidence} interval of the paired difference is clear of zero. "
        "The intervals cover the simulation's noise; the MTBFs and repair times are assumptions."
    )
