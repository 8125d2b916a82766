"""A validation as text and as JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from callsim import figures
from callsim.fitting.observed import LEAST_SEEN
from callsim.plan.model import Plan
from callsim.validating.facts import Metric
from callsim.validating.judging import MOS_LOWER, MTBF, MTTR, SHOWS, Compared, Judged, Reference
from callsim.validating.measuring import Measured
from carriers.calendars import DAY
from results.agreement import Agreement
from results.estimates import Estimate

FORMAT = 1
MONTH = 30.0 * DAY
MOST_NAMES = 3
"""Subjects that are named where figures are listed; of more the first."""
MOST_ROWS = 16
"""With more the consistent ones are named in one sentence."""
NAMES = {
    Metric.AVAILABILITY: "availability",
    Metric.OUTAGES: "outages, 30 d",
    Metric.LENGTH: "outage length",
    Metric.CONNECTED: "connected",
    Metric.PDD: "PDD, mean",
    Metric.PDD_P95: "PDD, p95",
    Metric.MOS: "MOS, mean",
    Metric.MOS_P5: "MOS, p5",
}
SPOKEN = {
    Metric.AVAILABILITY: "availability",
    Metric.OUTAGES: "the rate of outages",
    Metric.LENGTH: "the length of outages",
    Metric.CONNECTED: "the share of calls that connect",
    Metric.PDD: "mean post-dial delay",
    Metric.PDD_P95: "the 95 % point of post-dial delay",
    Metric.MOS: "mean MOS",
    Metric.MOS_P5: "the 5 % point of MOS",
}
SURE = ((0.001, "all but certain"), (0.01, "very sure"), (1.0, "fairly sure"))
ORDER = (Agreement.INCONSISTENT, Agreement.TOO_FEW, Agreement.CONSISTENT)


@dataclass(frozen=True)
class Validation:
    """A scenario beside a record."""

    scenario: str
    scenario_hash: str
    plan: Plan
    measured: Measured
    reference: Reference
    judged: Judged
    notes: tuple[str, ...]


def verdict_line(found: Validation, width: int) -> str:
    """Say in a sentence or two what it comes to."""
    return textwrap.fill(_verdict(found), width)


def terminal(found: Validation, width: int) -> str:
    """Say it all, the answer first."""
    paragraphs = [verdict_line(found, width), "\n".join(_table(found, width))]
    paragraphs += [textwrap.fill(text, width) for text in _below(found)]
    return "\n\n".join(part for part in paragraphs if part)


def to_json(found: Validation) -> dict[str, Any]:
    """Return it as JSON; durations are seconds or days as their keys say, null is what is not known."""
    judged, pattern = found.judged, found.measured.pattern
    return {
        "format": FORMAT,
        "scenario": found.scenario,
        "scenario_hash": found.scenario_hash,
        "plan": found.plan.name,
        "since": pattern.since,
        "until": pattern.until,
        "seed": found.reference.seed,
        "stretches": len(found.reference.null.values),
        "verdict": judged.verdict.value.replace(" ", "_"),
        "confidence": 1.0 - judged.alpha,
        "find": judged.factor,
        "days_to_find": {kind: _days(seconds) for kind, seconds in judged.asked.items()},
        "figures": [_row_json(row) for row in judged.compared],
        "notes": list(found.notes),
    }


def _row_json(row: Compared) -> dict[str, Any]:
    middle, low, high = row.predicted or (None, None, None)
    least, most = row.interval or (None, None)
    return {
        "subject": row.subject,
        "figure": row.metric.value,
        "unit": _unit(row.metric),
        "verdict": row.verdict.value.replace(" ", "_"),
        "predicted": {"median": middle, "low": low, "high": high},
        "measured": {"value": row.measured, "low": least, "high": most},
        "count": row.count,
        "worth": row.worth,
        "p": None if row.place is None else row.place.p,
        "p_adjusted": row.adjusted,
        "direction": None if row.place is None else "higher" if row.place.above else "lower",
        "has_days": row.has / DAY,
        "needs_days": None if row.needs is None else _days(row.needs),
    }


def _days(seconds: float) -> float | None:
    return seconds / DAY if math.isfinite(seconds) else None


def _unit(metric: Metric) -> str:
    match metric:
        case Metric.AVAILABILITY | Metric.CONNECTED:
            return "share"
        case Metric.OUTAGES:
            return "per second"
        case Metric.MOS | Metric.MOS_P5:
            return "MOS"
    return "s"


# ---- the answer


def _verdict(found: Validation) -> str:
    judged = found.judged
    span = figures.plain_duration(found.measured.pattern.length)
    name, plan = found.scenario, found.plan.name
    match judged.verdict:
        case Agreement.INCONSISTENT:
            told = [_told(row) for row in _sorted(judged) if row.verdict is Agreement.INCONSISTENT]
            more = f", and {len(told) - 2} more" if len(told) > 2 else ""
            return f"INCONSISTENT: {name} is not what {plan} measured in {span}. {'; '.join(told[:2])}{more}."
        case Agreement.CONSISTENT:
            return (
                f"CONSISTENT: in {span} {plan} measured what {name} predicts, and {_departures(judged)} "
                "would have shown."
            )
    return f"TOO FEW DATA: in {span} {plan} measured nothing that contradicts {name}. {_asked(judged)}"


def _told(row: Compared) -> str:
    assert row.place is not None  # it is inconsistent
    assert row.adjusted is not None
    assert row.measured is not None
    assert row.predicted is not None
    sure = next(word for limit, word in SURE if row.adjusted <= limit)
    there = "higher" if row.place.above else "lower"
    value = _figure(row.metric, row.measured)
    predicted = _figure(row.metric, row.predicted[0], row.predicted[1:])
    what = f"{SPOKEN[row.metric].capitalize()} of {row.subject} is {there}"
    return f"{what}: {value}, predicted {predicted} ({sure}, p {_p(row.adjusted)})"


def _departures(judged: Judged) -> str:
    times = _times(judged.factor)
    return f"repairs {times} as long or failures {times} as often"


def _times(factor: float) -> str:
    return "twice" if factor == 2.0 else f"{factor:g} times"


def _asked(judged: Judged) -> str:
    """Say which of the figures with too few data needs the least, as its row has it."""
    few = [row for row in judged.compared if row.verdict is Agreement.TOO_FEW]
    known = [row for row in few if row.needs is not None and math.isfinite(row.needs)]
    if not known:
        return "None of the figures without enough would have it in a hundred years." if few else ""
    least = min(known, key=lambda row: row.needs or 0.0)
    found = " or ".join(_findable(judged, least.metric))
    return (
        f"{SPOKEN[least.metric].capitalize()} of {least.subject} needs the least, "
        f"{figures.plain_duration(least.needs or 0.0)} of such probing: then {found} would show with 90 %."
    )


def _findable(judged: Judged, metric: Metric) -> list[str]:
    """Name what a figure has to show for its data to be enough."""
    times = _times(judged.factor)
    kinds = {MTTR: f"repairs {times} as long", MTBF: f"failures {times} as often"}
    if metric in SHOWS:
        return [kinds[kind] for kind in SHOWS[metric]]
    if metric in (Metric.MOS, Metric.MOS_P5):
        return [f"a MOS lower by {MOS_LOWER:g}"]
    return [f"delays {times} as long"]


def _p(p: float) -> str:
    return figures.significant(p, 1) if p >= 0.0001 else "< 0.0001"


# ---- the table


def _sorted(judged: Judged) -> list[Compared]:
    rows = [row for row in judged.compared if row.verdict in ORDER]
    return sorted(
        rows, key=lambda row: (ORDER.index(row.verdict), 1.0 if row.adjusted is None else row.adjusted)
    )


def _table(found: Validation, width: int) -> list[str]:
    rows = _sorted(found.judged)
    if len(rows) > MOST_ROWS:
        rows = [row for row in rows if row.verdict is not Agreement.CONSISTENT]
    lines: list[tuple[str, ...]] = [("", "predicted", "measured", "")]
    for subject in found.reference.matching.subjects:
        mine = [row for row in found.judged.compared if row in rows and row.subject == subject]
        if mine:
            lines.append((subject, "", "", ""))
            lines += [(f"  {NAMES[row.metric]}", *_cells(row), _says(row)) for row in mine]
    widths = [max(len(line[n]) for line in lines) for n in range(3)]
    return [
        "  ".join(c.ljust(n) for c, n in zip(line, (*widths, 0), strict=True)).rstrip()[:width]
        for line in lines
    ]


def _cells(row: Compared) -> tuple[str, str]:
    assert row.predicted is not None  # else it is no row
    idle = _is_idle(row)
    predicted = _figure(row.metric, row.predicted[0], None if idle else row.predicted[1:])
    if row.measured is None:
        return predicted, "none"
    return predicted, _figure(row.metric, row.measured, None if idle else row.interval)


def _is_idle(row: Compared) -> bool:
    """Whether the ranges of a row say nothing: too few data, of less than a day."""
    return row.verdict is Agreement.TOO_FEW and row.metric in SHOWS and row.has < LEAST_SEEN


def _says(row: Compared) -> str:
    match row.verdict:
        case Agreement.INCONSISTENT:
            assert row.place is not None  # it was tested
            assert row.adjusted is not None
            return f"{'HIGHER' if row.place.above else 'LOWER'}, p {_p(row.adjusted)}"
        case Agreement.TOO_FEW:
            needs = math.inf if row.needs is None else row.needs
            return f"needs {figures.plain_duration(needs)}" if math.isfinite(needs) else "never enough"
    return str(row.verdict.value)


def _figure(metric: Metric, value: float, ends: tuple[float, float] | None = None) -> str:
    """Write a figure with its range, units once."""
    low, high = ends if ends is not None else (None, None)
    made = Estimate(value, low, high, 0.95, 0)
    match metric:
        case Metric.AVAILABILITY | Metric.CONNECTED:
            return _once(figures.percent(made), " %")
        case Metric.OUTAGES:
            return figures.number(made.scaled(MONTH))
        case Metric.MOS | Metric.MOS_P5:
            return figures.mos(made)
    text = figures.duration(made)
    unit = text.split(" (")[0].rpartition(" ")[2]
    return _once(text, f" {unit}")


def _once(text: str, unit: str) -> str:
    return text.replace(f"{unit})", ")")


# ---- below it


def _below(found: Validation) -> Iterator[str]:
    judged = found.judged
    rows = _sorted(judged)
    if len(rows) > MOST_ROWS:
        fine = _grouped(found, Agreement.CONSISTENT)
        if fine:
            yield f"Consistent besides: {fine}."
    told = list(_worth(found))
    if told:
        yield f"Probes of one outage fail together: {'; '.join(told)}."
    for verdict in (Agreement.NOT_PREDICTED, Agreement.NOT_MEASURED):
        names = _grouped(found, verdict)
        if names:
            yield f"{verdict.value.capitalize()}: {names}."
    if judged.verdict is Agreement.INCONSISTENT and (asked := _asked(judged)):
        yield asked
    count, ranges = len(found.reference.null.values), figures.plain_percent(round(1.0 - judged.alpha, 6))
    idle = ", and not given of less than a day" if any(map(_is_idle, judged.compared)) else ""
    yield (
        f"Ranges are {ranges}{idle}; of what is predicted, in {count:,} simulated stretches probed at the "
        f"same instants. p is adjusted for all figures (Holm). 'needs': so much probing to find "
        f"{_departures(judged)}, with 90 %."
    )
    yield from found.notes


def _grouped(found: Validation, verdict: Agreement) -> str:
    """List the figures with a verdict, those of the same subjects together."""
    of: dict[Metric, list[str]] = {}
    for row in found.judged.compared:
        if row.verdict is verdict:
            of.setdefault(row.metric, []).append(row.subject)
    groups: dict[tuple[str, ...], list[str]] = {}
    for metric, subjects in of.items():
        groups.setdefault(tuple(subjects), []).append(NAMES[metric].replace(",", ""))
    return "; ".join(f"{_subjects(found, names)}: {', '.join(own)}" for names, own in groups.items())


def _subjects(found: Validation, names: tuple[str, ...]) -> str:
    """Name subjects: all of them, or the first few."""
    if 1 < len(names) == len(found.reference.matching.subjects):
        return "all"
    more = len(names) - MOST_NAMES
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:MOST_NAMES])} and {more} more"


def _worth(found: Validation) -> Iterator[str]:
    for row in found.judged.compared:
        if row.metric is Metric.CONNECTED and row.worth is not None:
            verb = "is" if row.count == 1 else "are"
            yield f"{row.count:,.0f} of {row.subject} {verb} worth {row.worth:,.0f}"
