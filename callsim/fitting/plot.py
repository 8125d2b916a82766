"""Plots of fitted laws over what was observed without any."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from callsim import figures
from callsim.fitting.carrier_file import law_text
from callsim.fitting.pairs import Pair, Side
from callsim.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, time_axis
from results.fitting.fit import Fit

MOST = 4
"""Pairs that are drawn: those that are down most."""
HEIGHT = 2.8
LINE_HEIGHT = 0.9
"""Where there is a line of text and no curve."""
WIDTH = 13.0
"""Of two panels."""
POINTS = 300
LEAST_GAP = 0.1
"""Between labels of the axis, as a share of it."""
COLOURS = {
    "exponential": GREEN,
    "weibull": ORANGE,
    "lognormal": VERMILION,
    "gamma": PURPLE,
    "fixed": VERMILION,
}


def plot(pairs: Sequence[Pair], source: str) -> Axes:
    """Draw for each pair what share lasts longer, to failure and to repair; gives one of the axes."""

    def works(pair: Pair) -> float:
        availability = pair.availability
        return 1.0 if availability is None or availability.value is None else availability.value

    shown = sorted(pairs, key=works)[:MOST]
    heights = [
        HEIGHT if pair.lives.fitted.fits or pair.repairs.fitted.fits else LINE_HEIGHT for pair in shown
    ]
    panels = 2 if any(len(pair.repairs.fitted.spells) for pair in shown) else 1
    figure = Figure(figsize=(WIDTH / 2 * panels, sum(heights) + 0.5), layout="constrained")
    axes = figure.subplots(len(shown), panels, squeeze=False, height_ratios=heights)
    for pair, row in zip(shown, axes, strict=True):
        _draw(row[0], pair.lives, f"{pair.name}: operating time to failure", ("no failure", "MTBF"))
        if len(pair.repairs.fitted.spells):
            _draw(row[1], pair.repairs, f"{pair.name}: time to repair", ("no end seen", "MTTR"))
        elif panels == 2:
            row[1].remove()
    left = len(pairs) - len(shown)
    more = f" ({left} more {'is' if left == 1 else 'are'} not drawn)" if left else ""
    figure.suptitle(f"{source}{more}", fontsize=11)
    first: Axes = axes[0, 0]
    return first


def _draw(ax: Axes, side: Side, title: str, words: tuple[str, str]) -> None:
    """Draw one side; `words` say that nothing ended, and what is known to be at least so long then."""
    ax.set_title(title, fontsize=10)
    fitted, curve = side.fitted, side.curve
    if fitted.best is None:
        text, mean = words
        if fitted.mean.lower is not None:
            least = figures.plain_duration(fitted.mean.lower)
            confidence = figures.plain_percent(fitted.mean.confidence)
            watched = figures.plain_duration(fitted.spells.seconds)
            text = f"{text} in {watched}: {mean} at least {least} ({confidence})"
        ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center")
        ax.set_axis_off()
        return
    lengths = fitted.spells.middle[fitted.spells.middle > 0]
    low, high = float(lengths.min()) / 2.0, float(lengths.max()) * 2.0
    x = np.geomspace(low, high, POINTS)
    if len(curve.at):
        kept = np.isfinite(fitted.spells.within)
        whole = kept & np.isfinite(fitted.spells.high)
        at = np.concatenate(([low], curve.at, [fitted.spells.middle[kept].max()]))
        bottom, top, share = (
            100.0 * np.concatenate(([1.0], column, column[-1:]))
            for column in (curve.low, curve.high, curve.share)
        )
        label = f"Kaplan-Meier, 95 %\n({whole.sum()} of {len(kept)} seen whole)"
        ax.fill_between(at, bottom, top, step="post", color=BLUE, alpha=0.15, lw=0)
        ax.step(at, share, where="post", color=BLUE, lw=1.5, label=label)
    for number, fit in enumerate(fitted.fits):
        ax.plot(
            x,
            100.0 * (1.0 - fit.law.cdf(x)),
            color=COLOURS[fit.name],
            lw=1.8 if number == 0 else 0.8,
            ls="-" if number == 0 else ":",
            label=_label(fit, fitted.fits[0]),
        )
    ax.set_xscale("log")
    time_axis(ax.xaxis, low, high)
    _thin(ax, math.log(high / low) * LEAST_GAP)
    ax.set_xlim(low, high)
    ax.set_ylim(0, 102)
    ax.set_ylabel("share that lasts longer (%)", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.grid(color=GREY, alpha=0.2)
    ax.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def _thin(ax: Axes, gap: float) -> None:
    """Leave out marks whose labels would touch."""
    kept: list[float] = []
    for tick in ax.get_xticks().tolist():
        if not kept or math.log(tick / kept[-1]) >= gap:
            kept.append(tick)
    ax.xaxis.set_major_locator(FixedLocator(kept))


def _label(fit: Fit, best: Fit) -> str:
    if fit is best:
        return f"{fit.name}\n{law_text(fit.law)}"
    return f"{fit.name}, AIC +{fit.aic - best.aic:.1f}"
