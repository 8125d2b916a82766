"""Promises at risk as a person reads them."""

from __future__ import annotations

import textwrap

from callsim import figures
from callsim.agreements.at_risk import Promises, Row, nines, untargeted
from callsim.report import QUANTITIES, SHARES, columns, target_of
from results.estimates import Estimate
from sla.objectives import Objective

NOISE = "the simulation's noise; the MTBFs and repair times are assumptions"


def terminal(promises: Promises, width: int = 80) -> str:
    """Return the answer first: what is printed, what can be signed; then a table over risks for each."""
    parts = [textwrap.wrap(answer(promises), width)]
    if promises.partial is not None:
        parts[0] = [f"PARTIAL: {promises.partial}; the intervals are those of the years so far.", *parts[0]]
    kinds: dict[tuple[str, Objective], list[Row]] = {}
    for row in promises.rows:
        kinds.setdefault((row.agreement, untargeted(row.objective)), []).append(row)
    several = len({row.agreement for row in promises.rows}) > 1
    parts += [_table(rows, width, several) for rows in kinds.values()]
    parts += [
        textwrap.wrap(f"{_name(u.objective.name)} of {u.agreement}: not assessed, because {u.why}", width)
        for u in promises.unassessed
    ]
    parts.append(textwrap.wrap(_footer(promises), width))
    return "\n\n".join("\n".join(part) for part in parts)


def answer(promises: Promises) -> str:
    """Return the sentence that a manager needs."""
    name, mean = promises.scenario, promises.average.value or 0.0
    many = nines(mean)
    if many == 99:
        printed = "no outage at all was simulated, so a marketing page would print anything"
    else:
        printed = (
            f"the average is {figures.percent(promises.average)}, so a marketing page would print "
            f"{figures.plain_percent(round(1 - 10.0**-many, many))}"
        )
    signed = _signed(promises)
    return f"{name}: {printed}; {signed}" if signed else f"{name}: {printed}."


def _signed(promises: Promises) -> str:
    rows = (r for r in promises.rows if r.objective.name == "availability" and r.window == "month")
    row = next(rows, None)
    if row is None:
        return ""
    middle = min(range(len(row.risks)), key=lambda n: abs(row.risks[n] - 0.01))
    target = row.targets[middle]
    if target is None or target.value is None:
        return ""
    if target.low is None and target.lower is None:
        return f"for a month at a risk of {figures.plain_percent(row.risks[middle])} more years have to tell."
    return (
        f"what one can sign for a month, at a risk of {figures.plain_percent(row.risks[middle])}, is "
        f"{figures.percent(target)}."
    )


def _table(rows: list[Row], width: int, several: bool) -> list[str]:
    """Set the targets of one objective: a line for each risk, a column for each kind of window."""
    cells = [("at risk", *(f"a {row.window}" for row in rows))]
    for number, risk in enumerate(rows[0].risks):
        values = [_value(row, row.targets[number]) for row in rows]
        cells.append((figures.plain_percent(risk), *(value for value, _ in values)))
        if any(interval for _, interval in values):
            cells.append(("", *(interval for _, interval in values)))
    objective = rows[0].objective
    priority = getattr(objective, "priority", None)
    title = " ".join(part for part in (priority, _name(objective.name)) if part)
    if several:
        title += f" of {rows[0].agreement}"
    return [f"{title[0].upper()}{title[1:]}", *columns(cells, width)]


def _value(row: Row, target: Estimate | None) -> tuple[str, str]:
    if target is None:
        return "unbounded", ""
    text = target_of(row.objective, target)
    value, _, interval = text.partition(" (")
    unit = value.partition(" ")[2]
    return value, f"({interval.replace(f' {unit})', ')')}" if interval else ""


def _name(objective: str) -> str:
    return objective if objective in SHARES and objective not in QUANTITIES else QUANTITIES[objective]


def _footer(promises: Promises) -> str:
    draws, covered, answers = promises.draws, NOISE, ""
    if draws is not None:
        covered = "the simulation's noise"
        answers = f" It answers for what is not known of the parameters, too, drawn {draws} times."
    confidence = figures.plain_percent(promises.average.confidence)
    return (
        f"{promises.years:,} years, seed {promises.seed}. Each target is broken in at "
        f"most the share of windows at its left.{answers} The {confidence} intervals cover {covered}."
    )
