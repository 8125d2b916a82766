"""Plots of a result, each on axes of one's own or on a new figure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from callsim import figures
from callsim.records import SINCE_THURSDAY
from callsim.report import cause_name, promised
from results.timeline import Floats

if TYPE_CHECKING:
    from callsim.result import Result
    from callsim.study import Stretch

BLUE, ORANGE, VERMILION, GREEN, SKY, PURPLE, GREY = (
    *("#0072B2", "#E69F00", "#D55E00", "#009E73", "#56B4E9", "#CC79A7"),
    "#999999",
)
"""Okabe and Ito's colours, which colour-blind people can tell apart."""
STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v")
SIZE = (8.0, 4.5)
DPI = 150
MOST_CAUSES = 8
BINS_A_DECADE = 6
BAD = 0.95
"""A typical bad year: so many of the years have no more downtime."""
LABELLED = 3
FLOOR = 1e-5
"""Percent of calls below which nothing is drawn."""
YEAR = 365.25 * 86400.0
YEARLY = {"month": 12, "quarter": 4, "year": 1}
"""Windows of each kind in a year."""
TICKS = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 86_400.0, 864_000.0, 8_640_000.0)
"""Lengths of time that are round to people, in seconds."""
FINE_TICKS = (
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0),
    *(3600.0, 7200.0, 18_000.0, 36_000.0, 86_400.0, 172_800.0, 432_000.0, 864_000.0, 1_728_000.0),
    *(4_320_000.0, 8_640_000.0),
)
"""As many more, where a few decades are shown."""
FEWEST_TICKS = 3


def new_axes() -> Axes:
    """Make a figure that no global state knows of, with one pair of axes."""
    return Figure(figsize=SIZE, layout="constrained").subplots()


class Plots:
    """What a result looks like."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def save(self, folder: Path) -> None:
        """Write every plot that there is something to see in, as PNG and SVG; raises OSError."""
        save(self.downtime(), folder / "downtime")
        if self._result.causes:
            save(self.causes(), folder / "causes")
            save(self.stages(), folder / "stages")
        if self._result.study.kept:
            save(self.year(), folder / "year")
        if self._result.mos is not None:
            save(self.mos(), folder / "mos")

    def downtime(self, ax: Axes | None = None) -> Axes:
        """Plot how downtime spreads over the years, with what the objectives allow."""
        ax = ax or new_axes()
        summary = self._result.study.summary
        whole = summary.year_seconds > 0.99 * YEAR
        down = summary.downtime[whole]
        limits = self._limits()
        strictest = min((seconds for _, seconds in limits), default=math.inf)
        some = down[down > 0]
        edges = _edges(some)
        weight = 100.0 / max(len(down), 1)
        kept, broken = some[some <= strictest], some[some > strictest]
        parts = [
            (part, colour, label)
            for part, colour, label in (
                (kept, BLUE, "years that keep them all" if limits else "years"),
                (broken, VERMILION, "years that break the strictest"),
            )
            if len(part)
        ]
        if parts:
            values, colours, labels = zip(*parts, strict=True)
            weights = [np.full(len(part), weight) for part in values]
            ax.hist(
                values,
                edges.tolist(),
                weights=weights,
                stacked=True,
                color=colours,
                label=labels,
                edgecolor="white",
                lw=0.5,
            )
        ax.set_xscale("log")
        time_axis(ax.xaxis, edges[0], edges[-1])
        none = len(down) - len(some)
        if none:
            step = edges[1] / edges[0]
            at = edges[0] / step**1.5
            ax.bar(at, none * weight, at * (math.sqrt(step) - 1 / math.sqrt(step)), color=GREEN)
            _note(ax, "no\ndowntime", (at, none * weight), (0, 3), ha="center")
            ax.margins(y=0.15)
        for (text, seconds), style in zip(limits, STYLES, strict=False):
            ax.axvline(seconds, color="black", ls=style, label=text)
        if limits:
            ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
        ax.set_xlabel("downtime in a year")
        ax.set_ylabel("share of years (%)")
        title = f"{self._result.scenario.name}: downtime per year"
        if len(down):
            middle, bad = np.quantile(down, [0.5, BAD])
            title += f", median {figures.plain_duration(middle)}, p95 {figures.plain_duration(bad)}"
        ax.set_title(title, fontsize=11)
        return ax

    def _limits(self) -> list[tuple[str, float]]:
        """Return what the objectives allow of downtime in a year, in seconds."""
        limits = []
        for judgement in self._result.objectives:
            objective = judgement.objective
            times = YEARLY.get(judgement.window)
            if times is None:
                continue
            if objective.name == "availability":
                seconds = (1 - objective.target) * YEAR
            elif objective.name == "downtime":
                seconds = objective.target * times
            else:
                continue
            text = f"{promised(objective)} a {judgement.window}{f', {times} times' if times > 1 else ''}"
            limits.append((f"{text}:\nallows {figures.plain_duration(seconds)}", seconds))
        return limits

    def causes(self, ax: Axes | None = None) -> Axes:
        """Plot downtime by what failed together."""
        ax = ax or new_axes()
        result = self._result
        total = (result.downtime_min_per_year.value or 0.0) * 60.0
        shown, rest = result.causes[:MOST_CAUSES], result.causes[MOST_CAUSES:]
        rows = [(cause_name(c), c.downtime_share, c.outages_per_year) for c in shown]
        if rest:
            others = sum(c.downtime_share for c in rest), sum(c.outages_per_year for c in rest)
            rows.append((f"{len(rest)} more", *others))
        names = ["\n".join(textwrap.wrap(name, 34)) for name, _, _ in rows]
        colours = [BLUE] * len(shown) + [GREY] * bool(rest)
        bars = ax.barh(names, [100 * share for _, share, _ in rows], color=colours)
        texts = [
            f"{figures.plain_duration(share * total)} a year, {figures.significant(outages)} outages a year"
            for _, share, outages in rows
        ]
        ax.bar_label(bars, texts, padding=4, fontsize=8)
        _room_for_labels(ax, [100 * share for _, share, _ in rows])
        ax.invert_yaxis()
        ax.tick_params(axis="y", labelsize=8)
        ax.set_xlabel("share of the downtime (%)")
        ax.set_title(f"{result.scenario.name}: causes of downtime", fontsize=11)
        return ax

    def stages(self, ax: Axes | None = None) -> Axes:
        """Plot what an outage waits for, on average."""
        ax = ax or new_axes()
        stages = [(name, 60.0 * minutes) for name, minutes in self._result.mttr_stages_min.items() if minutes]
        unit, size = figures.scale(max((seconds for _, seconds in stages), default=0.0))
        lengths = [seconds / size for _, seconds in stages]
        bars = ax.barh([name for name, _ in stages], lengths, height=0.5, color=SKY)
        total = sum(seconds for _, seconds in stages)
        texts = [f"{figures.plain_duration(s)}, {100 * s / total:.0f} %" for _, s in stages]
        ax.bar_label(bars, texts, padding=4, fontsize=9)
        _room_for_labels(ax, lengths)
        ax.set_ylim(max(len(stages), 3) - 0.5, -0.5)
        ax.set_xlabel(f"mean time of an outage ({unit})")
        mttr = figures.duration(self._result.mttr_min.scaled(60.0))
        ax.set_title(f"{self._result.scenario.name}: MTTR by stage, {mttr} in all", fontsize=11)
        return ax

    def mos(self, ax: Axes | None = None) -> Axes:
        """Plot how many calls sound worse than what; raises ValueError where no call has a MOS."""
        ax = ax or new_axes()
        voice = self._result.mos
        if voice is None:
            raise ValueError("no call has a MOS; set traffic.codec to a codec whose figures are known")
        sounds = [
            (s, row.calls) for s, row in self._result.study.summary.sounds.items() if s.scale == voice.scale
        ]
        total = sum(calls for _, calls in sounds)
        curves = [("all calls", [(sound.mos, calls) for sound, calls in sounds], BLUE, "-")]
        styles = zip((VERMILION, ORANGE, PURPLE, GREEN), STYLES, strict=True)
        for (cause, share), (colour, style) in zip(voice.poor_by_cause, styles, strict=False):
            own = [(sound.mos, calls) for sound, calls in sounds if sound.spoilt_by == cause]
            label = f"{textwrap.shorten(cause, 34)}: {figures.significant(100 * share)} % of the poor"
            curves.append((label, own, colour, style))
        for label, scored, colour, line in curves:
            scores, worse = _below(scored, total)
            ax.step([scores[0], *scores], [FLOOR, *worse], line, where="post", color=colour, label=label)
        lowest = min(sound.mos for sound, _ in sounds)
        left = min(lowest, voice.poor_below) - 0.05
        ax.axvspan(
            left, voice.poor_below, color=GREY, alpha=0.2, lw=0, label=f"poor: below {voice.poor_below:g}"
        )
        ax.set_xlim(left, max(sound.mos for sound, _ in sounds) + 0.05)
        ax.set_yscale("log")
        smallest = min(share for _, scored, *_ in curves for share in _below(scored, total)[1])
        ax.set_ylim(max(smallest / 2, FLOOR), 150.0)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: figures.significant(share, 1)))
        ax.set_xlabel(f"MOS ({voice.scale})")
        ax.set_ylabel("share of calls that sound so or worse (%)")
        ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.12), ncols=2, frameon=False)
        poor = figures.percent(voice.poor_share)
        ax.set_title(
            f"{self._result.scenario.name}: MOS {figures.mos(voice.mean)} on average, {poor} poor",
            fontsize=11,
        )
        return ax

    def year(self, ax: Axes | None = None) -> Axes:
        """Plot the outages of one typical bad year among those kept; raises ValueError where none is."""
        ax = ax or new_axes()
        found = bad_year(self._result)
        if found is None:
            raise ValueError("no year was kept whole; set simulation.keep_years")
        stretch, begin, end = found
        zone = self._result.study.tables.zone
        outages = stretch.outages
        (inside,) = np.nonzero((outages.end > begin) & (outages.start < end))
        # Local time as plain dates: matplotlib knows no zones without a date for each.
        local = zone.local_array(np.asarray([begin, end - 1.0])) + SINCE_THURSDAY
        first, last = local / 86400.0
        ax.set_xlim(first, last)
        lengths = outages.seconds[inside]
        starts = (zone.local_array(np.maximum(outages.start[inside], begin)) + SINCE_THURSDAY) / 86400.0
        texts = _outage_causes(stretch, inside)
        ax.set_yscale("log")
        floor, top = _limits_of(lengths)
        time_axis(ax.yaxis, floor, top)
        styles = zip((BLUE, ORANGE, GREEN, PURPLE, VERMILION), MARKERS, strict=True)
        named = sorted(set(texts), key=lambda text: -sum(lengths[np.asarray(texts) == text]))
        first_other = named[len(MARKERS)] if len(named) > len(MARKERS) else None
        for text, (colour, marker) in zip(named, [*styles, *[(GREY, "x")] * len(named)], strict=False):
            own = np.asarray(texts) == text
            ax.vlines(starts[own], floor, lengths[own], color=colour, lw=1.2)
            label = textwrap.shorten(text, 60) if marker != "x" else "others" if text == first_other else "_"
            ax.plot(starts[own], lengths[own], marker, color=colour, label=label)
        for index in np.argsort(-lengths)[:LABELLED]:
            text = figures.plain_duration(float(lengths[index]))
            _note(ax, text, (float(starts[index]), float(lengths[index])), (5, 4))
        _impaired(ax, stretch, begin, end, self._result)
        locator = AutoDateLocator(minticks=6, maxticks=13)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        ax.set_ylabel("length of the outage")
        if ax.get_legend_handles_labels()[1]:
            ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.1), ncols=2, frameon=False)
        total = float(np.diff(outages.down_before(np.asarray([begin, end])))[0])
        ax.set_title(
            f"{self._result.scenario.name}: a bad year ({100 * BAD:.0f} % are no worse), "
            f"{len(inside)} outages, {figures.plain_duration(total)} down",
            fontsize=11,
        )
        return ax


def _below(sounds: Sequence[tuple[float, float]], total: float) -> tuple[list[float], list[float]]:
    """Return MOS, rising, and the share of all calls in percent that sound so or worse, from (MOS, calls)."""
    rows = sorted(sounds)
    return [mos for mos, _ in rows], (100.0 * np.cumsum([calls for _, calls in rows]) / total).tolist()


def save(ax: Axes, path: Path) -> None:
    """Write the figure of some axes as `path.png` and `path.svg`, the same bytes for the same plot."""
    figure = ax.figure
    if not isinstance(figure, Figure):
        raise TypeError(f"ax.figure(={figure}) must be a whole figure")
    with mpl.rc_context({"svg.hashsalt": "callsim", "svg.fonttype": "none"}):
        figure.savefig(path.with_suffix(".png"), dpi=DPI)
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def _edges(values: Floats) -> Floats:
    """Return bounds of bins, evenly spaced on the logarithm, around positive values."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (1.0, 60.0)
    first = math.floor(math.log10(low) * BINS_A_DECADE)
    last = max(math.ceil(math.log10(high) * BINS_A_DECADE), first + 4)
    return np.asarray(10.0 ** (np.arange(first, last + 1) / BINS_A_DECADE))


def _limits_of(lengths: Floats) -> tuple[float, float]:
    if not len(lengths):
        return 1.0, 60.0
    return float(lengths.min()) / 2, float(lengths.max()) * 2


def time_axis(axis: Axis, low: float, high: float) -> None:
    """Mark round lengths of time."""
    ticks = [tick for tick in TICKS if low <= tick <= high]
    if len(ticks) < FEWEST_TICKS:
        ticks = [tick for tick in FINE_TICKS if low <= tick <= high]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda seconds, _: _tick(seconds)))
    axis.set_minor_locator(NullLocator())


def _tick(seconds: float) -> str:
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _note(
    ax: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    ha: Literal["left", "center"] = "left",
) -> None:
    ax.annotate(text, at, offset, textcoords="offset points", fontsize=8, ha=ha)


def _room_for_labels(ax: Axes, lengths: list[float]) -> None:
    ax.set_xlim(0, max(lengths, default=1.0) * 1.6)


def bad_year(result: Result) -> tuple[Stretch, float, float] | None:
    """Return the kept year at the `BAD` quantile of downtime: its stretch, begin and end."""
    years = []
    for stretch in result.study.kept:
        bounds = result.study.tables.zone.year_starts(stretch.years)
        down = np.diff(stretch.outages.down_before(bounds))
        years += [(float(down[n]), stretch, *bounds[n : n + 2].tolist()) for n in range(stretch.years)]
    if not years:
        return None
    years.sort(key=lambda year: year[0])
    _, stretch, begin, end = years[math.ceil(BAD * len(years)) - 1]
    return stretch, begin, end


def _outage_causes(stretch: Stretch, which: np.ndarray) -> list[str]:
    sets = stretch.timeline.cause_sets
    outages = stretch.outages
    first = np.searchsorted(outages.piece_outage, which)
    return [" + ".join(sets[outages.piece_causes[piece]]) or "no failure" for piece in first]


def _impaired(ax: Axes, stretch: Stretch, begin: float, end: float, result: Result) -> None:
    """Mark along the bottom when the service was not as it should be, and not down."""
    timeline = stretch.timeline
    down = stretch.outages.down_before(timeline.end) - stretch.outages.down_before(timeline.start)
    rows = (timeline.end > begin) & (timeline.start < end) & (timeline.condition > 0) & (down == 0)
    zone = result.study.tables.zone
    start = (zone.local_array(timeline.start[rows]) + SINCE_THURSDAY) / 86400.0
    days = (timeline.end[rows] - timeline.start[rows]) / 86400.0
    if not len(start):
        return
    spans = list(zip(start.tolist(), days.tolist(), strict=True))
    ax.broken_barh(
        spans,
        (0.0, 0.03),
        transform=ax.get_xaxis_transform(),
        color=GREY,
        lw=0.6,
        ec=GREY,
        label="impaired, not down",
    )
