"""Calls that were placed, as a person reads them on a terminal."""

from __future__ import annotations

import textwrap

from callsim import figures
from callsim.beside import Beside
from callsim.placed import Placed, Redials
from callsim.report import columns

NOTES = (
    "Expected: the evaluated mode, over the same faults and the same beliefs of the router. A margin "
    "covers the play of calls only, from how far days lie from what is expected of them. A call sounds "
    "to its end as its path does at its set-up. Blocking needs time to build up after a carrier is lost, "
    "which the evaluated mode leaves out; after long outages of channels the two may be apart by that."
)


def placed(result: Placed, width: int = 80, quiet: bool = False) -> str:
    """Say what was counted call by call, beside what the evaluated mode expects of the same faults."""
    rows = result.beside()
    stretch = figures.plain_duration(result.horizon_s)
    head = (
        f"{result.offered:,} calls in {result.repetitions} x {stretch}: {result.failed:,} did not connect, "
        f"{result.dropped:,} were dropped; {_verdict(result, rows)}."
    )
    if result.partial:
        head += f" Partial: {result.partial}."
    lines = textwrap.wrap(head, width)
    if quiet:
        return "\n".join(lines)
    again = result.again
    if again is not None:
        lines += ["", *textwrap.wrap(_cost(again), width)]
    cells = [("first attempts" if again else "", "expected", "counted", "margin", "")]
    for row in rows:
        margin = "" if row.margin is None else f"±{row.margin:.2g}"
        says = {True: "agrees", False: "APART", None: ""}[row.agrees]
        cells.append((row.name, f"{row.expected:.6g}", f"{row.counted:.6g}", margin, says))
    rate = result.offered / result.wall_s if result.wall_s else 0.0
    last = f"seed {result.seed}, {result.wall_s:.1f} s ({rate:,.0f} calls a second)."
    return "\n".join([*lines, "", *columns(cells, width), "", *textwrap.wrap(f"{NOTES} {last}", width)])


def _verdict(result: Placed, rows: list[Beside]) -> str:
    if result.redials:
        return "callers try again, which the expected figures leave out"
    apart = [row.name for row in rows if row.agrees is False]
    return f"apart in {', '.join(apart)}" if apart else "as expected within the margins of the play"


def _cost(again: Redials) -> str:
    first, wanted = 100 * again.first_connected, 100 * again.expected
    return (
        f"{again.calls:,} of the calls are redials. Of the first attempts {first:.3f} % connected, where "
        f"{wanted:.3f} % are expected without redials: the difference, {first - wanted:+.3f} points, is what "
        f"their load costs. In the end {100 * again.callers_through:.3f} % of the callers got through. "
        "--no-redials sets the two modes side by side."
    )
