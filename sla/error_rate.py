"""Minutes in which too many calls fail, from the numbers of calls that a contract counts in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from carriers.calendars import HOUR, WEEK, Zone
from results.ledger import CallVolumes
from results.stretches import Stretches
from results.timeline import HOURS_PER_WEEK, Floats
from results.weekly import Index, tally
from sla.assessment import Flags
from sla.cells import union
from sla.small_samples import Chances, chances, most_connecting
from sla.terms import Measured
from sla.windows import zone_around

_RARE = 0.02
"""Where a stretch is down with less chance than this, only those that are down are drawn."""
_LONGEST = 50.0
"""Largest hazard of a stretch; exp(-50) is no chance."""
_NEVER = 1e-12
"""So few failing calls are not expected to happen; then a stretch is not drawn at all."""
_DOWN, _UP, _QUIET = 1, 0, -1


@dataclass(frozen=True)
class Grid:
    """Stretches of equal length, numbered from 0, aligned to the local clock as it is at the start."""

    origin: float
    step: float

    @classmethod
    def of(cls, measured: Measured, start: float, end: float) -> Grid:
        """Lay the grid of an error rate over [start, end)."""
        assert measured.over is not None
        zone = zone_around(measured.timezone, start, end)
        local = round(zone.local(start - zone.origin), 3)
        return cls(start - local % measured.over, measured.over)

    def floor(self, t: Floats) -> Floats:
        """Start of the stretch that an instant is in."""
        return np.asarray(self.origin + np.floor((t - self.origin) / self.step) * self.step)

    def ceil(self, t: Floats) -> Floats:
        """End of the stretch that an instant is in; an instant between two stays what it is."""
        return np.asarray(self.origin + np.ceil((t - self.origin) / self.step) * self.step)


@dataclass(frozen=True)
class Minutes:
    """What the counts say."""

    down: Stretches
    carried: Stretches
    """Runs of those with too few calls, which are down because the stretch before was."""


@dataclass(frozen=True)
class _Laws:
    """Chances of whole stretches by condition and hour of the week, (k, 168)."""

    down: Floats
    quiet: Floats

    @property
    def most(self) -> Floats:
        """(k,) greatest chance to be down."""
        return np.asarray(self.down.max(axis=1))


def down_minutes(measured: Measured, calls: CallVolumes, start: float, end: float) -> Minutes:
    """Draw which stretches of [start, end) in POSIX seconds are down; the same for the same `calls`.

    Failing and connecting calls are Poisson counts at the rates of their condition. What a whole stretch of
    one condition shows depends on those alone, so that its state is drawn from its chances; where the
    condition changes within, both counts are. A stretch with too few attempts is as the one before it.
    """
    rng = np.random.default_rng(calls.seed)
    grid = Grid.of(measured, start, end)
    zone = zone_around(calls.timezone, start, end)
    laws = _laws(measured, calls)
    begin, finish, condition = _runs(calls, start, end)
    first = np.ceil((begin - grid.origin) / grid.step).astype(np.int64)
    last = np.maximum(np.floor((finish - grid.origin) / grid.step).astype(np.int64), first)
    dense = (condition > 0) & (laws.most[condition] > _RARE)
    cell, state = _drawn(first[dense], last[dense], condition[dense], grid, zone, laws, rng)
    rare = _rare(first[~dense], last[~dense], condition[~dense], grid, zone, laws, rng)
    mixed, mixed_state = _mixed(measured, calls, (begin, finish, condition), grid, zone, rng)
    known = np.concatenate((cell, rare, mixed))
    states = np.concatenate((state, np.full(len(rare), _DOWN), mixed_state))
    order = np.argsort(known, kind="stable")
    known, states = known[order], states[order]
    lasts = _carry(known, grid, zone, laws, rng)
    down, until = _played(known, states, lasts, int(np.ceil((end - grid.origin) / grid.step)))
    at, last_cell = known[down].astype(np.float64), until[down].astype(np.float64)
    runs = union(at, last_cell)
    if measured.partial == "dropped":
        runs = _without_partial(runs, mixed)
    quiet = union(at + (states[down] != _QUIET), last_cell)
    return Minutes(_in_time(runs, grid, start, end), _in_time(quiet, grid, start, end))


def _in_time(cells: Stretches, grid: Grid, start: float, end: float) -> Stretches:
    begins, ends = (np.clip(grid.origin + at * grid.step, start, end) for at in (cells.start, cells.end))
    return Stretches(begins[begins < ends], ends[begins < ends])


def _runs(calls: CallVolumes, start: float, end: float) -> tuple[Floats, Floats, Index]:
    """Return starts, ends and conditions that fill [start, end)."""
    inside = (calls.end > start) & (calls.start < end)
    begins, ends = np.maximum(calls.start[inside], start), np.minimum(calls.end[inside], end)
    gap_start, gap_end = np.append(start, ends), np.append(begins, end)
    real = gap_start < gap_end
    begin = np.concatenate((begins, gap_start[real]))
    order = np.argsort(begin, kind="stable")
    condition = np.concatenate((calls.condition[inside], np.zeros(real.sum(), dtype=np.int32)))
    return begin[order], np.concatenate((ends, gap_end[real]))[order], condition[order].astype(np.intp)


def _laws(measured: Measured, calls: CallVolumes) -> _Laws:
    assert measured.over is not None
    assert measured.down_above is not None
    offered = tuple((np.asarray(calls.calls_per_hour) / HOUR * measured.over).tolist())
    rows = [
        _condition_law(offered, condition.failing.tobytes(), measured.down_above, measured.at_least)
        for condition in calls.conditions
    ]
    return _Laws(np.stack([row.down for row in rows]), np.stack([row.quiet for row in rows]))


@lru_cache(maxsize=4096)
def _condition_law(offered: Sequence[float], failing: bytes, down_above: float, at_least: int) -> Chances:
    share, expected = np.frombuffer(failing), np.asarray(offered)
    return chances(expected * share, expected * (1 - share), down_above, at_least)


def _hours(cell: Index, grid: Grid, zone: Zone) -> Index:
    """Hour of the local week in which each stretch begins."""
    local = zone.local_array(np.asarray(grid.origin + cell * grid.step - zone.origin, dtype=np.float64))
    return (np.asarray(np.round(local, 3) % WEEK) // HOUR).astype(np.intp)


def _drawn(
    first: Index, last: Index, condition: Index, grid: Grid, zone: Zone, laws: _Laws, rng: np.random.Generator
) -> tuple[Index, Index]:
    """Draw the state of every stretch from `first` to before `last`."""
    many = last - first
    run = np.repeat(np.arange(len(first)), many)
    cell = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(many) - many, many)
    hour = _hours(cell, grid, zone)
    drawn = rng.random(len(cell))
    down, quiet = laws.down[condition[run], hour], laws.quiet[condition[run], hour]
    return cell, np.where(drawn < down, _DOWN, np.where(drawn < down + quiet, _QUIET, _UP))


def _rare(
    first: Index, last: Index, condition: Index, grid: Grid, zone: Zone, laws: _Laws, rng: np.random.Generator
) -> Index:
    """Draw only the stretches that are down: candidates at the highest chance of the week, then thinned."""
    most = laws.most[condition]
    # A stretch is a candidate if a Poisson process of this intensity has a point in it.
    hazard = -np.log1p(-np.minimum(most, 1 - np.exp(-_LONGEST)))
    reach = np.cumsum((last - first) * hazard)
    if not len(reach) or reach[-1] == 0:
        return np.empty(0, dtype=np.int64)
    points = np.sort(rng.random(rng.poisson(reach[-1]))) * reach[-1]
    run = np.minimum(np.searchsorted(reach, points, side="right"), len(reach) - 1)
    within = (points - (reach[run] - (last - first)[run] * hazard[run])) / hazard[run]
    cell, at = np.unique(
        first[run] + np.clip(within.astype(np.int64), 0, (last - first)[run] - 1), return_index=True
    )
    run = run[at]
    chance = laws.down[condition[run], _hours(cell, grid, zone)]
    return np.asarray(cell[rng.random(len(cell)) * most[run] < chance])


def _mixed(
    measured: Measured,
    calls: CallVolumes,
    runs: tuple[Floats, Floats, Index],
    grid: Grid,
    zone: Zone,
    rng: np.random.Generator,
) -> tuple[Index, Index]:
    """Draw the counts of the stretches within which the condition changes, and tell their states."""
    assert measured.down_above is not None
    begin, finish, condition = runs
    head = np.minimum(grid.ceil(begin), finish)
    tail = np.maximum(grid.floor(finish), head)
    start, end = np.concatenate((begin, tail)), np.concatenate((head, finish))
    which = np.concatenate((condition, condition))
    real = start < end
    start, end, which = start[real], end[real], which[real]
    number = np.floor((start - grid.origin) / grid.step).astype(np.int64)
    cell, at = np.unique(number, return_inverse=True)
    hour = _hours(cell, grid, zone)[at]
    offered = np.asarray(calls.calls_per_hour)[hour] / HOUR * (end - start)
    failing = offered * np.stack([row.failing for row in calls.conditions])[which, hour]
    expected, attempts = tally(at, failing, len(cell)), tally(at, offered, len(cell))
    chosen = expected > _NEVER
    cell, expected, attempts = cell[chosen], expected[chosen], attempts[chosen]
    failed, connected = rng.poisson(expected), rng.poisson(np.maximum(attempts - expected, 0.0))
    down = (failed > 0) & (connected <= most_connecting(failed.astype(np.float64), measured.down_above))
    quiet = failed + connected < measured.at_least
    return cell, np.where(quiet, _QUIET, np.where(down, _DOWN, _UP))


def _carry(known: Index, grid: Grid, zone: Zone, laws: _Laws, rng: np.random.Generator) -> Floats:
    """Draw how many stretches in a row after each are too quiet to tell, as far as they are not `known`.

    They are those of the nominal condition, or of one that is about as good.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        stays = np.minimum(laws.quiet[0] / (1 - laws.down[0]), 1.0)
        hazard = np.minimum(-np.log(np.nan_to_num(stays)), _LONGEST) / grid.step
    reach = np.concatenate(([0.0], np.cumsum(hazard * HOUR)))
    # The chance that a stretch is decided by the end of each hour of the week, and all weeks alike.
    after = np.asarray(grid.origin + (known + 1) * grid.step - zone.origin, dtype=np.float64)
    within: Floats = np.round(zone.local_array(after), 3) % WEEK
    hour = (within // HOUR).astype(np.intp)
    wanted = rng.exponential(size=len(known)) + reach[hour] + hazard[hour] * (within - hour * HOUR)
    if reach[-1] == 0:
        return np.full(len(known), np.inf)
    weeks = np.floor(wanted / reach[-1])
    rest = wanted - weeks * reach[-1]
    then = np.clip(np.searchsorted(reach, rest, side="right") - 1, 0, HOURS_PER_WEEK - 1)
    until = weeks * WEEK + then * HOUR + (rest - reach[then]) / np.where(hazard[then] > 0, hazard[then], 1.0)
    return np.asarray(np.maximum(np.floor((until - within) / grid.step + 1e-9), 0.0))


def _played(known: Index, state: Index, lasts: Floats, cells: int) -> tuple[Flags, Index]:
    """Let quiet stretches be as the one before; return which known ones are down, and until which cell."""
    if not len(known):
        return np.empty(0, dtype=bool), known
    following = np.append(known[1:], cells)
    gap = following - known - 1
    linked = np.zeros(len(known), dtype=bool)
    linked[1:] = (lasts >= gap)[:-1]
    decided = (state != _QUIET) | ~linked
    last = np.maximum.accumulate(np.where(decided, np.arange(len(known)), 0))
    return np.asarray(state[last] == _DOWN), known + 1 + np.minimum(lasts, gap).astype(np.int64)


def _without_partial(runs: Stretches, mixed: Index) -> Stretches:
    """Take the stretches at both ends of each run off that are down only in part."""
    start = runs.start + np.isin(runs.start, mixed)
    end = runs.end - np.isin(runs.end - 1, mixed)
    return Stretches(start[start < end], end[start < end])
