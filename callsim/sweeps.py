"""The plot of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from callsim import figures
from callsim.comparison import Comparison
from callsim.plots import BLUE, GREEN, MARKERS, ORANGE, PURPLE, SKY, VERMILION, new_axes
from carriers.units import parse_duration, parse_share

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
MOST_TICKS = 10
WIDE = 30.0
"""A ratio of values from which on they are shown on the logarithm."""


def sweep_plot(
    compared: Comparison,
    paths: Sequence[str],
    combinations: Sequence[tuple[str, ...]],
    ax: Axes | None = None,
) -> Axes:
    """Plot downtime over the values of the first path, a line for each combination of the others."""
    ax = ax or new_axes()
    values = [_numeric(combination[0]) for combination in combinations]
    numbers = [value for value in values if value is not None]
    is_numeric = len(numbers) == len(values)
    ticks = list(dict.fromkeys(combination[0] for combination in combinations))
    places = numbers if is_numeric else [float(ticks.index(c[0])) for c in combinations]
    for n, rest in enumerate(dict.fromkeys(combination[1:] for combination in combinations)):
        own = [i for i, combination in enumerate(combinations) if combination[1:] == rest]
        found = [(places[i], compared.results[i].downtime_min_per_year) for i in own]
        x = [place for place, estimate in found if estimate.value is not None]
        estimates = [(e.value, e.low, e.high) for _, e in found if e.value is not None]
        y = [value for value, _, _ in estimates]
        errors = np.asarray(
            [(v - (v if low is None else low), (high or v) - v) for v, low, high in estimates]
        )
        label = ", ".join(f"{p} = {v}" for p, v in zip(paths[1:], rest, strict=True)) or None
        line = "-" if is_numeric else ""
        colour = COLOURS[n % len(COLOURS)]
        ax.errorbar(
            x,
            y,
            np.maximum(errors, 0.0).T,
            fmt=f"{MARKERS[n % len(MARKERS)]}{line}",
            color=colour,
            capsize=3,
            label=label,
        )
    distinct = sorted(set(places))
    if not is_numeric or len(distinct) <= MOST_TICKS:
        ax.set_xticks(
            distinct,
            [next(c[0] for c, p in zip(combinations, places, strict=True) if p == d) for d in distinct],
        )
    if paths[1:]:
        ax.legend(fontsize=8)
    means = [result.downtime_min_per_year.value or 0.0 for result in compared.results]
    if min(means) > 0 and max(means) > WIDE * min(means):
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    ax.set_xlabel(paths[0])
    ax.set_ylabel("downtime (min a year)")
    confidence = figures.plain_percent(compared.results[0].availability.confidence)
    ax.set_title(f"{compared.results[0].scenario.name}: downtime with {confidence} intervals", fontsize=11)
    return ax


def _numeric(text: str) -> float | None:
    """Return the number that a value of a scenario stands for, None where it is none."""
    for parse in (float, parse_share, parse_duration):
        try:
            return parse(text)
        except ValueError:
            continue
    return None
