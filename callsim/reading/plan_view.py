"""What a plan can see, as a person reads it."""

from __future__ import annotations

import textwrap
from typing import Any

from callsim import figures
from callsim.exits import Exit
from callsim.reading.seeing import LEVELS, MONTH, Cost, Seeing, View
from callsim.report import columns
from results.visibility import DAY, Law

FORMAT = 1
NAMES = 26
"""Most characters of the names of a view."""


def terminal(seen: Seeing, wanted: float | None = None, width: int = 80) -> str:
    """Return it all on one screen; `wanted` asks for one availability."""
    parts = [_head(seen, width)]
    if seen.views:
        parts += [_times(seen, width), _days(seen, width), _fill(_resolution(seen), width)]
        parts.append(_fill(f"A month costs {_cost(seen.usual)}; at the worst {_cost(seen.worst)}.", width))
        parts.append(_fill(never(seen), width))
        if wanted is not None:
            parts.append(_fill(_answer(seen, wanted), width))
    return "\n\n".join("\n".join(part) for part in parts)


def brief(seen: Seeing) -> str:
    """Say in one clause what is seen."""
    least = seen.least
    if least is None:
        return "nothing by itself: no test has `every`"
    return (
        f"95 % of outages of {_time(least.found.quantile(0.95))}, half of those of "
        f"{_time(least.found.quantile(0.5))}; one probe stands for {_time(least.stands_for)}"
    )


def never(seen: Seeing) -> str:
    """Say what the plan is no proof of, with its own figures."""
    least = seen.least
    assert least is not None  # there is a view
    most = LEVELS[-1]
    return (
        f"It is no proof of what it cannot see: of outages of {_time(least.found.quantile(0.5))} it misses "
        f"half, and {figures.plain_percent(most)} it could not claim before "
        f"{_many_days(least.days(most, lasting=True))} without a failure."
    )


def can(seen: Seeing, wanted: float) -> Exit:
    """MET where a month without a failure shows it of all there is, else INCONCLUSIVE."""
    shown = bool(seen.views) and all(view.shows(wanted) for view in seen.views)
    return Exit.MET if shown else Exit.INCONCLUSIVE


def to_json(seen: Seeing, wanted: float | None) -> dict[str, Any]:
    """Return it all; durations are seconds."""
    levels = dict.fromkeys((*LEVELS, *([] if wanted is None else [wanted])))
    return {
        "format": FORMAT,
        "plan": seen.plan.name,
        "locations": seen.locations,
        "sees": [_view_json(view, levels) for view in seen.views],
        "cost_a_month": {
            name: {"calls": cost.calls, "minutes": cost.minutes, "spend": cost.spend}
            for name, cost in (("usual", seen.usual), ("worst", seen.worst))
        },
        "unscheduled": list(seen.unscheduled),
        "for": None
        if wanted is None
        else {"availability": wanted, "can_show_in_a_month": can(seen, wanted) is Exit.MET},
    }


def _view_json(view: View, levels: dict[float, None]) -> dict[str, Any]:
    alerted = view.alerted
    return {
        "what": list(view.names),
        "probes_per_day": view.per_day,
        "one_probe_stands_for_s": view.stands_for,
        "found_s": {"p50": view.found.quantile(0.5), "p95": view.found.quantile(0.95)},
        "noticed_s": {"mean": view.noticed.mean, "p95": view.noticed.quantile(0.95)},
        "alerted_s": None if alerted is None else {"mean": alerted.mean, "p95": alerted.quantile(0.95)},
        "mean_outage_s": view.mean_outage,
        "to_show": [
            {
                "availability": level,
                "probes": view.probes(level, lasting=False),
                "days": view.days(level, lasting=False),
                "probes_if_outages_last": view.probes(level, lasting=True),
                "days_if_outages_last": view.days(level, lasting=True),
            }
            for level in levels
        ],
    }


# ---- the parts of the screen


def _head(seen: Seeing, width: int) -> list[str]:
    places = "1 location" if seen.locations == 1 else f"{seen.locations} locations, all together"
    lines = _fill(f"What {seen.plan.name} can see, from {places}:", width)
    if seen.unscheduled:
        names = ", ".join(seen.unscheduled)
        lines += _fill(f"{names}: without `every`, so only when somebody runs `callsim probe`.", width)
    return lines


def _times(seen: Seeing, width: int) -> list[str]:
    rows: list[tuple[str, ...]] = [("", "probes", "outages found", "noticed", "told after")]
    rows.append(("What fails", "a day", "half    95 %", "mean, 95 %", "mean, 95 %"))
    for view in seen.views:
        half, most = (_time(view.found.quantile(share)) for share in (0.5, 0.95))
        row = (_names(view), figures.significant(view.per_day, 3), f"{half:<8}{most}", _law(view.noticed))
        rows.append((*row, _told(view)))
    return columns(rows, width)


def _told(view: View) -> str:
    if view.alert is None:
        return "nobody"
    if view.alerted is None:
        return f"never: {view.alert.after} do not fit"
    return _law(view.alerted)


def _days(seen: Seeing, width: int) -> list[str]:
    least = seen.least
    assert least is not None  # there is a view
    lasting = figures.plain_duration(least.mean_outage)
    rows: list[tuple[str, ...]] = [("To show at 95 %", "probes", "days", f"days if outages last {lasting}")]
    for level in LEVELS:
        each = [figures.significant(least.days(level, lasting=lasting), 3) for lasting in (False, True)]
        rows.append((figures.plain_percent(level), f"{least.probes(level, lasting=False):,}", *each))
    rest = "" if len(seen.views) == 1 and len(least.names) == 1 else f", of {_names(least)}"
    return [*columns(rows, width), *_fill(f"None of them may fail{rest}.", width)]


def _resolution(seen: Seeing) -> str:
    least = seen.least
    assert least is not None  # there is a view
    share = figures.significant(100.0 * least.stands_for / MONTH)
    return (
        f"In a month's availability one probe stands for {_time(least.stands_for)}, {share} % of 30 days: "
        "nothing finer can be told."
    )


def _cost(cost: Cost) -> str:
    calls, minutes = f"{cost.calls:,.0f} calls", f"{cost.minutes:,.0f} min"
    money = "no price for all" if cost.spend is None else f"{cost.spend:,.2f}"
    return f"{calls}, {minutes}, {money}"


def _answer(seen: Seeing, wanted: float) -> str:
    level = figures.plain_percent(wanted)
    if can(seen, wanted) is Exit.MET:
        return f"YES: a month without a failure shows {level}, of each of these by itself."
    least = seen.least
    assert least is not None  # there is a view
    budget, days = (1.0 - wanted) * MONTH, least.days(wanted, lasting=True)
    text = f"NO: {level} leaves {_time(budget)} a month, and takes {_many_days(days)} without a failure"
    if least.stands_for > budget:
        return f"{text}; one probe alone stands for {_time(least.stands_for)}."
    return f"{text}."


def _law(law: Law) -> str:
    return f"{_time(law.mean)}, {_time(law.quantile(0.95))}"


def _time(seconds: float) -> str:
    return figures.plain_duration(seconds)


def _many_days(days: float) -> str:
    return figures.plain_duration(days * DAY)


def _names(view: View) -> str:
    joined = ", ".join(view.names)
    if len(joined) <= NAMES:
        return joined
    return joined if len(view.names) == 1 else f"{view.names[0]} and {len(view.names) - 1} more"


def _fill(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width)
