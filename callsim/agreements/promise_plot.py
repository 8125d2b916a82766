"""A plot of what can be promised at which risk, with what a promise costs beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from callsim.agreements.at_risk import Promises, Row, credit_by_target
from callsim.figures import plain_percent
from callsim.plots import BLUE, GREEN, GREY, ORANGE, STYLES
from results.quantiles import lowest_kept
from results.timeline import Floats
from sla.remedies import CreditRule

SIZE = (10.0, 4.5)
POINTS = 60
SIGNED = 0.01
"""Risk at which a promise is marked."""
FEWEST_BROKEN = 5
"""A curve begins at the risk that so many windows break."""
LEVELS = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99995, 0.99999, 0.999995, 0.999999)


def promise_plot(name: str, promises: Promises, rule: CreditRule | None, average: float | None) -> Axes:
    """Plot availability promises against risk; where `rule` pays, the mean credit against the target too."""
    rows = [row for row in promises.rows if row.objective.name == "availability"]
    figure = Figure(figsize=SIZE, layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, 2 if rule is not None else 1, squeeze=False)[0])
    _risks(panels[0], rows, average)
    if rule is not None:
        monthly = next(row for row in rows if row.window == "month")
        _credits(panels[1], monthly, rule)
    figure.suptitle(f"{name}: what can be promised", fontsize=11)
    return panels[0]


def _risks(ax: Axes, rows: list[Row], average: float | None) -> None:
    for row, colour, style in zip(rows, (BLUE, ORANGE, GREEN), STYLES, strict=False):
        values = _values(row)
        least = FEWEST_BROKEN / max(len(values), 1)
        if least >= 0.5:
            continue
        risks = np.geomspace(least, 0.5, POINTS)
        targets = np.array([lowest_kept(values, risk).value for risk in risks])
        below = targets < 1.0
        ax.plot(100 * risks[below], 1 - targets[below], style, color=colour, label=f"a {row.window}")
    if average is not None and average < 1.0:
        ax.axhline(1 - average, color=GREY, linewidth=1)
        ax.text(
            *(0.01, 1 - average, "the average"),
            transform=ax.get_yaxis_transform(),
            va="top",
            fontsize=8,
            color=GREY,
        )
    monthly = next((_values(row) for row in rows if row.window == "month"), None)
    if monthly is not None and len(monthly) * SIGNED >= FEWEST_BROKEN:
        target = lowest_kept(monthly, SIGNED).value or 0.0
        ax.plot(100 * SIGNED, 1 - target, "o", color=BLUE)
        text = f"{plain_percent(float(f'{target:.6g}'))} a month"
        ax.annotate(text, (100 * SIGNED, 1 - target), xytext=(8, -12), textcoords="offset points", fontsize=8)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_xlabel("windows that break it (%)")
    _availability_axis(ax, "y")
    ax.set_ylabel("promised availability (%)")
    ax.legend(title="promised for", fontsize=8, title_fontsize=8)
    ax.grid(alpha=0.3)


def _credits(ax: Axes, row: Row, rule: CreditRule) -> None:
    values = _values(row)
    broken = 1 - values[values < 1.0]
    high = float(np.quantile(broken, 0.9)) if len(broken) else 1e-3
    down = np.geomspace(min(1e-6, high / 10), high, POINTS)
    ax.plot(down, 100 * credit_by_target(rule, values, 1 - down), color=BLUE)
    _availability_axis(ax, "x")
    ax.set_xlabel("promised availability, a month (%)")
    ax.set_ylabel("mean credit (% of the fee)")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)


def _availability_axis(ax: Axes, which: str) -> None:
    """Set an axis of unavailabilities, on the logarithm, best at the top or right."""
    axis = ax.yaxis if which == "y" else ax.xaxis
    (ax.set_yscale if which == "y" else ax.set_xscale)("log")
    (ax.invert_yaxis if which == "y" else ax.invert_xaxis)()
    axis.set_major_locator(FixedLocator([1 - level for level in LEVELS]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * (1 - x):.6g}"))
    if which == "x":
        ax.tick_params(axis="x", labelrotation=45)


def _values(row: Row) -> Floats:
    """Return what each window measured, 1 where nothing was."""
    return np.where(np.isnan(row.actual), 1.0, row.actual)
