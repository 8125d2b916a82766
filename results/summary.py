"""What the statistics need of a stream, small enough to keep for a hundred thousand years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carriers.calendars import DAY, Zone
from carriers.laws import Law
from results.hearing import (
    Calls,
    CallSums,
    Inbound,
    Path,
    Rated,
    Sound,
    add_rated,
    joined,
    no_calls,
    sum_calls,
)
from results.outages import Outages
from results.timeline import Floats, Incidents, Stage, Timeline
from results.weekly import tally


class CauseTotals(NamedTuple):
    """What a cause set did: seconds of downtime under it, and outages that it opened."""

    seconds: float
    outages: int


@dataclass(frozen=True)
class Summary:
    """Streams reduced: y years (the last of a stream may be cut short), u units; sums are exact integrals.

    Downtime counts in the year it lies in; an outage, its whole length and its stages count where
    it starts. Of an outage that was open when the record began, the downtime counts, and the stages do in the
    first year, but it is none of `outages`. So `stage_seconds` and `downtime` have the same total.
    """

    year_seconds: Floats
    """(y,) length of each year, as far as the record goes."""
    downtime: Floats
    """(y,) seconds down."""
    outages: Floats
    """(y,) outages that began."""
    stage_seconds: Floats
    """(y, 8) seconds of the outages that began, by `Stage`."""
    calls: CallSums
    """(y,) what became of the calls offered; all zero without traffic."""
    busy_hour: CallSums
    """(1,) the same of the busy hour of all weeks together (see `busiest`)."""
    dropped: Floats
    """(y,) calls in progress that were lost."""
    lengths: NDArray[np.float32]
    """Seconds of every outage that the record holds from its beginning to its end."""
    causes: Mapping[tuple[str, ...], CauseTotals]
    unit_names: tuple[str, ...]
    unit_causes: tuple[tuple[str, ...], ...]
    unit_failures: Floats
    """(u,) incidents that began."""
    unit_seconds: Floats
    """(u,) seconds failed."""
    unit_joint_seconds: Floats
    """(u,) seconds failed while the service was down."""
    connected: Mapping[Path, float]
    """Calls that connected, by way."""
    sounds: Mapping[Sound, Rated]
    """Calls that connected and have a MOS, by how they sounded; empty without a codec."""

    @property
    def seconds(self) -> float:
        """Length of the record."""
        return float(self.year_seconds.sum())

    @property
    def attempts(self) -> Floats:
        """(y,) calls offered."""
        return self.calls.offered

    @property
    def failed(self) -> Floats:
        """(y,) offered calls that did not connect."""
        return self.calls.failed

    @property
    def outage_count(self) -> int:
        """Outages that began."""
        return int(self.outages.sum())

    @property
    def connected_by_carrier(self) -> dict[str, float]:
        """Calls that connected, both directions, by carrier in order of name."""
        calls: dict[str, float] = {}
        for path in sorted(self.connected, key=lambda path: path.carrier):
            calls[path.carrier] = calls.get(path.carrier, 0.0) + self.connected[path]
        return calls

    @property
    def birnbaum(self) -> list[float | None]:
        """Birnbaum importance: P(down | unit failed) - P(down | unit not failed); None if it never failed."""
        down, seconds = float(self.downtime.sum()), self.seconds
        return [
            joint / failed - (down - joint) / (seconds - failed) if 0 < failed < seconds else None
            for failed, joint in zip(
                self.unit_seconds.tolist(), self.unit_joint_seconds.tolist(), strict=True
            )
        ]

    @property
    def fussell_vesely(self) -> list[float | None]:
        """Fussell-Vesely importance: share of the downtime that has a cause of the unit; None without any."""
        down = sum(totals.seconds for totals in self.causes.values())
        return [
            sum(totals.seconds for causes, totals in self.causes.items() if not own.isdisjoint(causes)) / down
            if down
            else None
            for own in map(set, self.unit_causes)
        ]

    def delay_percentiles(self, shares: Sequence[float] = (0.5, 0.95, 0.99)) -> list[float] | None:
        """Post-dial delay in seconds that these shares of the connected calls from us do not exceed.

        Each way is its offset plus its law, given that the law stays below its limit; the distribution
        function of the mixture is inverted by bisection. None where nothing connected, or a way has no law.
        """
        by_law: dict[Law, list[tuple[float, float, float]]] = {}
        total_calls = 0.0
        for path, calls in self.connected.items():
            if path.inbound:
                continue
            total_calls += calls
            if path.delay is None:
                return None
            by_law.setdefault(path.delay, []).append((calls, path.offset, path.limit))
        if not by_law:
            return None
        ways = [(law, *np.transpose(rows)[:, :, None]) for law, rows in by_law.items()]
        wanted = np.asarray(shares) * total_calls

        def below(x: Floats) -> Floats:
            total = np.zeros_like(x)
            for law, calls, offset, limit in ways:
                total += (calls * law.cdf(np.minimum(x - offset, limit)) / law.cdf(limit)).sum(axis=0)
            return total

        low, high = np.zeros(len(shares)), np.ones(len(shares))
        while (short := below(high) < wanted).any():
            high[short] *= 2
        for _ in range(60):
            middle = (low + high) / 2
            short = below(middle) < wanted
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return [float(x) for x in high]


def summarise(
    timeline: Timeline,
    incidents: Incidents,
    outages: Outages,
    zone: Zone,
    *,
    calls_per_hour: Sequence[float] | None,
    unit_names: Sequence[str],
    mode_causes: Sequence[Sequence[str]],
    inbound: Inbound | None = None,
) -> Summary:
    """Reduce one stream, whose years and months are those of `zone`.

    `calls_per_hour` holds 168 values (None: no traffic), `mode_causes[u]` the cause names of unit u's modes.
    Without `inbound` all calls count as calls from us.
    """
    bounds = _year_starts(zone, int(-(-timeline.length // (365 * DAY))))
    years = int(np.searchsorted(bounds, timeline.length))
    bounds = np.minimum(bounds[: years + 1], timeline.length)
    began = ~outages.censored_start
    year = np.where(began, np.searchsorted(bounds, outages.start, side="right") - 1, 0)
    if calls_per_hour is None:
        calls = Calls(no_calls(years), no_calls(1), {}, {})
    else:
        calls = sum_calls(timeline, zone, bounds, calls_per_hour, inbound)
    failures, failed_seconds, joint = _units(incidents, outages, timeline.length, mode_causes)
    return Summary(
        year_seconds=np.diff(bounds),
        downtime=np.diff(outages.down_before(bounds)),
        outages=tally(year, began.astype(np.float64), years),
        stage_seconds=np.stack([tally(year, outages.stages[:, stage], years) for stage in Stage], axis=1),
        calls=calls.by_year,
        busy_hour=calls.busy_hour,
        dropped=np.histogram(timeline.drop_at, bounds, weights=timeline.drop_calls)[0],
        lengths=outages.seconds[began & ~outages.censored_end].astype(np.float32),
        causes=_causes(timeline, outages),
        unit_names=tuple(unit_names),
        unit_causes=tuple(tuple(causes) for causes in mode_causes),
        unit_failures=failures,
        unit_seconds=failed_seconds,
        unit_joint_seconds=joint,
        connected=calls.connected,
        sounds=calls.sounds,
    )


def merge(summaries: Sequence[Summary]) -> Summary:
    """Join streams of one scenario, in the order given (sums of floats depend on it in their last digits)."""
    if len({summary.unit_names for summary in summaries}) != 1:
        raise ValueError(f"summaries(={len(summaries)}) must be at least one, and all of the same units")
    causes: dict[tuple[str, ...], CauseTotals] = {}
    connected: dict[Path, float] = {}
    sounds: dict[Sound, Rated] = {}
    for summary in summaries:
        for names, (seconds, opened) in summary.causes.items():
            had = causes.get(names, CauseTotals(0.0, 0))
            causes[names] = CauseTotals(had.seconds + seconds, had.outages + opened)
        for path, calls in summary.connected.items():
            connected[path] = connected.get(path, 0.0) + calls
        for sound, rated in summary.sounds.items():
            add_rated(sounds, sound, rated)
    return Summary(
        **{name: np.concatenate([getattr(summary, name) for summary in summaries]) for name in _BY_YEAR},
        **{name: np.sum([getattr(summary, name) for summary in summaries], axis=0) for name in _BY_UNIT},
        causes=causes,
        unit_names=summaries[0].unit_names,
        unit_causes=summaries[0].unit_causes,
        calls=joined([summary.calls for summary in summaries]),
        busy_hour=joined([summary.busy_hour for summary in summaries]).total(),
        connected=connected,
        sounds=sounds,
    )


_BY_YEAR = ("year_seconds", "downtime", "outages", "stage_seconds", "dropped", "lengths")
_BY_UNIT = ("unit_failures", "unit_seconds", "unit_joint_seconds")


@lru_cache(maxsize=4)
def _year_starts(zone: Zone, years: int) -> Floats:
    return zone.year_starts(years)


def _causes(timeline: Timeline, outages: Outages) -> dict[tuple[str, ...], CauseTotals]:
    """Return seconds of downtime by cause set, and how many outages began under it."""
    sets = len(timeline.cause_sets)
    length = outages.piece_end - outages.piece_start
    seconds = tally(outages.piece_causes, length, sets)
    first = np.searchsorted(outages.piece_outage, np.flatnonzero(~outages.censored_start))
    opened = np.bincount(outages.piece_causes[first], minlength=sets)
    causes: dict[tuple[str, ...], CauseTotals] = {}
    for index in np.flatnonzero(seconds).tolist():
        causes[timeline.cause_sets[index]] = CauseTotals(float(seconds[index]), int(opened[index]))
    return causes


def _units(
    incidents: Incidents, outages: Outages, length: float, mode_causes: Sequence[Sequence[str]]
) -> tuple[Floats, Floats, Floats]:
    """Return for each unit its failures, the seconds it was out, and those with the service down.

    Planned work stands behind the modes of its unit: it takes the unit out, and is no failure.
    """
    units = len(mode_causes)
    modes = np.array([len(causes) for causes in mode_causes])
    began = (incidents.start >= 0) & (incidents.start < length) & (incidents.mode < modes[incidents.unit])
    failures = tally(incidents.unit, began.astype(np.float64), units)
    start, end = np.maximum(incidents.start, 0.0), np.minimum(incidents.end, length)
    (real,) = np.nonzero(start < end)
    order = real[np.lexsort((start[real], incidents.unit[real]))]
    if not len(order):
        return failures, np.zeros(units), np.zeros(units)
    start, end, unit = start[order], end[order], incidents.unit[order]
    # Modes of one unit may overlap: a stretch begins where all before it, of the same unit, are over.
    reach = np.maximum.accumulate(end + unit * length)
    first = np.flatnonzero(np.concatenate(([True], (start + unit * length)[1:] > reach[:-1])))
    start, end, unit = start[first], np.maximum.reduceat(end, first), unit[first]
    joint = outages.down_before(end) - outages.down_before(start)
    return failures, tally(unit, end - start, units), tally(unit, joint, units)
