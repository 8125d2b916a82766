"""Minutes in which too many calls fail, from the numbers of calls that a contract counts in each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from carriers.calendars import HOUR, WEEK, Zone
from results.ledger import CallVolumes
from results.stretches import Stretches, union
from results.timeline import HOURS_PER_WEEK, Floats
from results.weekly import Index, tally
from sla.assessment import Flags
from sla.small_samples import Chances, at_most, chances, most_connecting, poisson
from sla.terms import Measured
from sla.uniforms import Purpose, Uniforms
from sla.windows import zone_around

_RARE = 0.02
"""Where a stretch is down with less chance than this, only those that are down are drawn."""
_LONGEST = 30.0
"""Largest hazard of a stretch; exp(-30) is no chance."""
_NEVER = 1e-10
"""So small a chance does not come true: with it, one minute in 20,000 years would be down."""
_DOWN, _UP, _QUIET = 1, 0, -1
_FIRST_DAY = dt.date(2000, 1, 1)
_LEVELS = 128
"""Blocks of all levels, which are from -64 to 63, have numbers of their own."""
_MOST_POINTS = 256
"""So many points are in no block of stretches."""


@dataclass(frozen=True)
class Grid:
    """Stretches of equal length, numbered on from local midnight of 1 January 2000."""

    origin: float
    step: float

    @classmethod
    def of(cls, measured: Measured) -> Grid:
        """Lay the grid of an error rate, the same for all records."""
        assert measured.over is not None
        return cls(Zone(_FIRST_DAY, measured.timezone, 0).origin, measured.over)

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
class _Runs:
    """Stretches of a record, (n,) each, sorted and disjoint, within which the condition does not change."""

    start: Floats
    end: Floats
    condition: Index


@dataclass(frozen=True)
class _Cells:
    """The same as numbers of whole stretches of the grid, without those that have none."""

    first: Index
    last: Index
    """The first that is not in it."""
    condition: Index

    def only(self, which: Flags) -> _Cells:
        """Keep these."""
        return _Cells(self.first[which], self.last[which], self.condition[which])


@dataclass(frozen=True)
class _Laws:
    """Chances of whole stretches by condition and hour of the week, (k, 168)."""

    down: Floats
    quiet: Floats

    @property
    def most(self) -> Floats:
        """(k,) greatest chance to be down."""
        return np.asarray(self.down.max(axis=1))


@dataclass(frozen=True)
class _Lots:
    """What states are drawn with."""

    grid: Grid
    zone: Zone
    laws: _Laws
    uniforms: Uniforms

    def hours(self, cell: Index) -> Index:
        """Hour of the local week in which each stretch begins."""
        return (self.within_week(cell) // HOUR).astype(np.intp)

    def within_week(self, cell: Index) -> Floats:
        """Seconds of the local week before each stretch."""
        begins = np.asarray(self.grid.origin + cell * self.grid.step - self.zone.origin, dtype=np.float64)
        return np.asarray(np.round(self.zone.local_array(begins), 3) % WEEK)


def down_minutes(measured: Measured, calls: CallVolumes, start: float, end: float) -> Minutes:
    """Draw which stretches of [start, end) in POSIX seconds are down; the same for the same `calls`.

    Failing and connecting calls are Poisson counts at the rates of their condition. What a whole stretch of
    one condition shows depends on those alone, so that its state is drawn from its chances; where the
    condition changes within, both counts are. A stretch with too few attempts is as the one before it.

    What is cut out of a record between two stretches gives the same as the whole record, but for those with
    too few attempts whose last one before with enough is outside.
    """
    grid = Grid.of(measured)
    laws = _laws(measured, calls)
    lots = _Lots(grid, zone_around(calls.timezone, start, end), laws, Uniforms(calls.seed))
    runs = _runs(calls, laws, start, end)
    cells = _whole(runs, grid)
    dense = (cells.condition > 0) & (laws.most > _RARE)[cells.condition]
    cell, state = _drawn(cells.only(dense), lots)
    rare = _rare(cells.only(~dense), lots)
    mixed, mixed_state = _mixed(measured, calls, runs, (start, end), lots)
    known = np.concatenate((cell, rare, mixed))
    states = np.concatenate((state, np.full(len(rare), _DOWN), mixed_state))
    order = np.argsort(known, kind="stable")
    known, states = known[order], states[order]
    down, until = _played(known, states, int(np.ceil((end - grid.origin) / grid.step)), lots)
    at, last = known[down].astype(np.float64), until[down].astype(np.float64)
    found = union(at, last)
    if measured.partial == "dropped":
        found = _without_partial(found, mixed)
    carried = union(at + (states[down] != _QUIET), last)
    return Minutes(_in_time(found, grid, start, end), _in_time(carried, grid, start, end))


def _in_time(cells: Stretches, grid: Grid, start: float, end: float) -> Stretches:
    begins, ends = (np.clip(grid.origin + at * grid.step, start, end) for at in (cells.start, cells.end))
    return Stretches(begins[begins < ends], ends[begins < ends])


def _runs(calls: CallVolumes, laws: _Laws, start: float, end: float) -> _Runs:
    """Return where in [start, end) a stretch may be down; the nominal condition only if it may be then."""
    fails = laws.most > _NEVER
    inside = (calls.end > start) & (calls.start < end) & (fails[0] | fails[calls.condition])
    begins, ends = np.maximum(calls.start[inside], start), np.minimum(calls.end[inside], end)
    conditions = calls.condition[inside].astype(np.intp)
    if not fails[0]:
        return _Runs(begins, ends, conditions)
    begin, finish = np.empty(2 * len(begins) + 1), np.empty(2 * len(begins) + 1)
    condition = np.zeros(len(begin), dtype=np.intp)
    begin[0], begin[1::2], begin[2::2] = start, begins, ends
    finish[-1], finish[1::2], finish[:-1:2] = end, ends, begins
    condition[1::2] = conditions
    real = begin < finish
    return _Runs(begin[real], finish[real], condition[real])


def _whole(runs: _Runs, grid: Grid) -> _Cells:
    first = np.ceil((runs.start - grid.origin) / grid.step).astype(np.int64)
    last = np.floor((runs.end - grid.origin) / grid.step).astype(np.int64)
    return _Cells(first, last, runs.condition).only(first < last)


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


def _numbered(first: Index, last: Index) -> tuple[Index, Index]:
    """Return the numbers from `first` to before `last` of each row, and the row of each."""
    many = last - first
    row = np.repeat(np.arange(len(first)), many)
    return first[row] + np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many), row


def _drawn(cells: _Cells, lots: _Lots) -> tuple[Index, Index]:
    """Draw the state of every stretch."""
    cell, run = _numbered(cells.first, cells.last)
    of = cells.condition[run], lots.hours(cell)
    drawn, down = lots.uniforms.at(Purpose.STATE, cell), lots.laws.down[of]
    return cell, np.where(drawn < down, _DOWN, np.where(drawn < down + lots.laws.quiet[of], _QUIET, _UP))


def _rare(cells: _Cells, lots: _Lots) -> Index:
    """Draw only the stretches that are down: those in which a Poisson process has a point.

    Its intensity is the hazard of a stretch; it is thinned from one of 2 ** -level, the highest hazard of
    the condition or up to twice that.
    """
    cells = cells.only(lots.laws.most[cells.condition] > _NEVER)
    hazard = -np.log1p(-np.minimum(lots.laws.down, 1 - np.exp(-_LONGEST)))
    level = np.floor(-np.log2(hazard.max(axis=1)[cells.condition])).astype(np.intp)
    found = [np.empty(0, dtype=np.int64)]
    for this in np.unique(level).tolist():
        mine = cells.only(level == this)
        cell, height = _points(mine, this, lots.uniforms)
        run = np.maximum(np.searchsorted(mine.first, cell, side="right") - 1, 0)
        inside = (mine.first[run] <= cell) & (cell < mine.last[run])
        cell, height, condition = cell[inside], height[inside], mine.condition[run[inside]]
        found.append(cell[height < hazard[condition, lots.hours(cell)]])
    return np.unique(np.concatenate(found))


def _points(cells: _Cells, level: int, uniforms: Uniforms) -> tuple[Index, Floats]:
    """Draw points of intensity 2 ** -level in and around the stretches: in which, and how high below that.

    They come by blocks of stretches, one in each on average, or more in blocks of a single stretch.
    """
    length = 1 << max(level, 0)
    block = np.unique(_numbered(cells.first // length, (cells.last - 1) // length + 1)[0])
    number = block * _LEVELS + level
    counts = at_most(np.arange(_MOST_POINTS, dtype=np.float64), np.array(length * 2.0**-level))
    many = np.searchsorted(counts, uniforms.at(Purpose.POINTS, number))
    nth, of = _numbered(np.zeros(len(block), dtype=np.int64), many)
    point = number[of] * _MOST_POINTS + nth
    place = np.floor(uniforms.at(Purpose.PLACE, point) * length).astype(np.int64)
    return block[of] * length + place, uniforms.at(Purpose.HEIGHT, point) * 2.0**-level


def _mixed(
    measured: Measured, calls: CallVolumes, runs: _Runs, span: tuple[float, float], lots: _Lots
) -> tuple[Index, Index]:
    """Draw the counts of the stretches within which the condition changes, and tell their states."""
    assert measured.down_above is not None
    grid = lots.grid
    head = np.minimum(grid.ceil(runs.start), runs.end)
    tail = np.maximum(grid.floor(runs.end), head)
    start, end = np.concatenate((runs.start, tail)), np.concatenate((head, runs.end))
    (real,) = np.nonzero(start < end)
    start, end, condition = start[real], end[real], np.tile(runs.condition, 2)[real]
    number = np.floor((start - grid.origin) / grid.step).astype(np.int64)
    cell, at = np.unique(number, return_inverse=True)
    hour = lots.hours(cell)
    rate = np.asarray(calls.calls_per_hour)[hour] / HOUR
    begins = grid.origin + cell * grid.step
    attempts = rate * (np.minimum(begins + grid.step, span[1]) - np.maximum(begins, span[0]))
    shares = np.stack([row.failing for row in calls.conditions])[condition, hour[at]]
    expected = rate * tally(at, shares * (end - start), len(cell))
    (chosen,) = np.nonzero(expected > _NEVER)
    cell, expected, attempts = cell[chosen], expected[chosen], attempts[chosen]
    failed = poisson(lots.uniforms.at(Purpose.FAILED, cell), expected)
    # The other count is needed only as far as it is at most something.
    drawn, others = lots.uniforms.at(Purpose.CONNECTED, cell), np.maximum(attempts - expected, 0.0)
    quiet = drawn < at_most(measured.at_least - 1 - failed, others)
    down = (failed > 0) & (drawn < at_most(most_connecting(failed, measured.down_above), others))
    return cell, np.where(quiet, _QUIET, np.where(down, _DOWN, _UP))


def _carry(known: Index, lots: _Lots) -> Floats:
    """Draw how many stretches in a row after each are too quiet to tell, as far as they are not known.

    They are those of the nominal condition, or of one that is about as good.
    """
    step, quiet, down = lots.grid.step, lots.laws.quiet[0], lots.laws.down[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        stays = np.minimum(quiet / (1 - down), 1.0)
        hazard = np.minimum(-np.log(np.nan_to_num(stays)), _LONGEST) / step
    reach = np.concatenate(([0.0], np.cumsum(hazard * HOUR)))
    if reach[-1] == 0:
        return np.full(len(known), np.inf)
    # The chance that a stretch is decided by the end of each hour of the week, and all weeks alike.
    within = lots.within_week(known + 1)
    hour = (within // HOUR).astype(np.intp)
    wanted = -np.log(lots.uniforms.at(Purpose.CARRY, known))
    wanted += reach[hour] + hazard[hour] * (within - hour * HOUR)
    weeks = np.floor(wanted / reach[-1])
    rest = wanted - weeks * reach[-1]
    then = np.clip(np.searchsorted(reach, rest, side="right") - 1, 0, HOURS_PER_WEEK - 1)
    until = weeks * WEEK + then * HOUR + (rest - reach[then]) / np.where(hazard[then] > 0, hazard[then], 1.0)
    return np.asarray(np.maximum(np.floor((until - within) / step + 1e-9), 0.0))


def _played(known: Index, state: Index, cells: int, lots: _Lots) -> tuple[Flags, Index]:
    """Let quiet stretches be as the one before; return which known ones are down, and until which cell."""
    if not len(known):
        return np.empty(0, dtype=bool), known
    gap = np.append(known[1:], cells) - known - 1
    lasts = np.zeros(len(known))
    (asked,) = np.nonzero((gap > 0) & (state != _UP))
    lasts[asked] = _carry(known[asked], lots)
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
