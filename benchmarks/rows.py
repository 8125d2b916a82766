"""Rows of measurements, each against its target."""

from __future__ import annotations

import gc
import os
import platform
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIVE_NINES = ROOT / "scenarios" / "five-nines.yaml"
ROUNDS = 5
"""Of every comparison, in turns, so that what slows the machine down slows both sides."""


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    what: str
    measured: str
    target: str
    held: bool

    def __str__(self) -> str:
        return f"| {self.what} | {self.measured} | {self.target} | {'yes' if self.held else '**no**'} |"


Rows = Iterator[Row]


def in_turns(
    *sides: Callable[[], float],
    rounds: int = ROUNDS,
    of: Callable[[list[float]], float] = statistics.median,
) -> list[float]:
    """Measure A B A B ...; return the median of each, or what `of` makes of them."""
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, values in zip(sides, found, strict=True):
            gc.collect()  # what one side leaves behind is not for the other to clear away
            values.append(side())
    return [of(values) for values in found]


def table(rows: Rows, note: str) -> str:
    """Set rows in a Markdown table, and print each as it comes."""
    lines = ["| What | Measured | Target | Held |", "|---|---|---|---|"]
    print("\n".join(lines))
    for row in rows:
        lines.append(str(row))
        print(row, flush=True)
    print(f"\n{note}\n")
    return "\n".join([*lines, "", note])


def machine(times: float) -> str:
    """Say under which conditions the figures came about."""
    busy = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    scale = "" if times == 1 else f", {times:g} times the usual size"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores{busy}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}{scale}."
    )


def replaced(text: str, part: str, new: str) -> str:
    """Return a text with what stands between the marks of a part replaced."""
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->"
    before, mark, rest = text.partition(begin)
    _, end_mark, after = rest.partition(end)
    if not mark or not end_mark:
        raise ValueError(f"part(={part}) has no place between {begin.strip()} and {end}")
    return f"{before}{begin}{new}\n{end_mark}{after}"
