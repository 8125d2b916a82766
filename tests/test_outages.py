"""The rule of what is down, held against docs/outages.md."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carriers.calendars import DAY, HOUR, Zone
from results.outages import DownRule, Outages, find_outages
from results.timeline import ClosedBy, Condition, Incidents, Stage, Timeline

LONDON = Zone(dt.date(2026, 1, 1), "Europe/London", years=3)
LENGTH = 365 * DAY
UP, DOWN = np.zeros(168), np.ones(168)
OFFICE = np.where((np.arange(168) % 24 >= 9) & (np.arange(168) % 24 < 17), 0.5, 0.01)
SUNDAYS = np.where(np.arange(168) >= 6 * 24, 1.0, 0.0)
CONDITIONS = tuple(
    Condition(label, failing)
    for label, failing in (
        ("nominal", UP),
        ("lost", DOWN),
        ("busy", OFFICE),
        ("sunday", SUNDAYS),
        ("mild", UP + 0.05),
    )
)
RULE = DownRule(above=0.05)
NO_INCIDENTS = Incidents(
    *(np.empty(0, dtype=np.int32),) * 2,
    *(np.empty(0),) * 2,
    np.zeros(1, np.int32),
    np.empty(0, np.int32),
    np.empty(0),
)


def incidents_of(*rows: tuple[float, list[tuple[Stage, float]], float]) -> Incidents:
    """Rows of (start, [(stage, its start), ...], end), all of unit 0."""
    stages = [stage for row in rows for stage in row[1]]
    return Incidents(
        unit=np.zeros(len(rows), dtype=np.int32),
        mode=np.zeros(len(rows), dtype=np.int32),
        start=np.array([row[0] for row in rows], dtype=np.float64),
        end=np.array([row[2] for row in rows], dtype=np.float64),
        stage_first=np.cumsum([0] + [len(row[1]) for row in rows]).astype(np.int32),
        stage_kind=np.array([kind for kind, _ in stages], dtype=np.int32),
        stage_start=np.array([start for _, start in stages], dtype=np.float64),
    )


def timeline_of(*rows: tuple[float, float, int, int, int, int, ClosedBy], length: float = LENGTH) -> Timeline:
    """Rows of (start, end, condition, causes, opener, closer, closed_by)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    return Timeline(
        length,
        table[:, 0],
        table[:, 1],
        *(table[:, column].astype(np.int32) for column in range(2, 7)),
        conditions=CONDITIONS,
        cause_sets=((), ("a/silent",), ("a/silent", "b/power")),
    )


def simple(*spans: tuple[float, float], length: float = LENGTH) -> Outages:
    rows = [(start, end, 1, 1, -1, -1, ClosedBy.REPAIR) for start, end in spans]
    return find_outages(timeline_of(*rows, length=length), NO_INCIDENTS, LONDON, RULE)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Timeline, Incidents]:
    """Any interleaving of rows and any incidents, in quarters of a second, over a year with clock changes."""
    count = draw(st.integers(0, 12))
    long = st.integers(1, 4 * 20 * 86400).map(lambda quarters: quarters / 4)
    gap = st.one_of(st.just(0.0), long)
    incidents = []
    for start in sorted(draw(st.lists(st.integers(-86400, 300 * 86400), max_size=6))):
        many = draw(st.integers(1, 3))
        parts = [draw(st.integers(1, 10 * 86400)) for _ in range(many)]
        begins = np.cumsum([start, *parts[:-1]])
        stages = [(Stage(draw(st.integers(0, 5))), float(begin)) for begin in begins]
        end = np.inf if draw(st.integers(0, 9)) == 0 else float(start + sum(parts))
        incidents.append((float(start), stages, end))
    incident = st.integers(-1, len(incidents) - 1)
    rows, now = [], 0.0
    for _ in range(count):
        start = now + draw(gap)
        end = min(start + draw(long), LENGTH)
        if start >= end:
            break
        what = (draw(st.integers(0, 4)), draw(st.integers(0, 2)), draw(incident), draw(incident))
        rows.append((start, end, *what, draw(st.sampled_from(ClosedBy))))
        now = end
    return timeline_of(*rows), incidents_of(*incidents)


def is_down(timeline: Timeline, t: float, rule: DownRule = RULE) -> bool:
    """The definition, told for one instant."""
    (row,) = np.nonzero((timeline.start <= t) & (t < timeline.end))
    condition = timeline.conditions[timeline.condition[row[0]] if len(row) else 0]
    return bool(len(row)) and bool(condition.failing[LONDON.hour_of_week(t)] > rule.above)


def split(timeline: Timeline, row: int, at: float) -> Timeline:
    columns = {}
    for name in ("start", "end", "condition", "causes", "opener", "closer", "closed_by"):
        columns[name] = np.insert(getattr(timeline, name), row, getattr(timeline, name)[row])
    columns["end"][row] = columns["start"][row + 1] = at
    return replace(timeline, **columns)


@settings(deadline=None, max_examples=60)
@given(streams(), st.lists(st.floats(0.0, LENGTH, exclude_max=True), max_size=20))
def test_an_instant_lies_in_an_outage_exactly_if_the_service_is_down_then(stream, instants):
    timeline, incidents = stream
    found = find_outages(timeline, incidents, LONDON, RULE)
    edges = np.concatenate((timeline.start, timeline.end, found.start, found.end))
    for t in [*instants, *edges, *(edges - 0.125)]:
        if 0 <= t < LENGTH:
            assert bool(((found.start <= t) & (t < found.end)).any()) == is_down(timeline, t)


@settings(deadline=None, max_examples=60)
@given(streams())
def test_outages_are_apart_and_their_pieces_fill_them(stream):
    found = find_outages(*stream, LONDON, RULE)
    assert (found.start < found.end).all()
    assert (found.end[:-1] < found.start[1:]).all()
    assert (found.piece_start < found.piece_end).all()
    assert (
        found.piece_start[np.searchsorted(found.piece_outage, np.arange(len(found)))].tolist()
        == found.start.tolist()
    )
    inner = np.diff(found.piece_outage) == 0
    assert (found.piece_end[:-1][inner] == found.piece_start[1:][inner]).all()
    np.testing.assert_allclose((found.piece_end - found.piece_start).sum(), found.seconds.sum())


@settings(deadline=None, max_examples=60)
@given(streams())
def test_stages_sum_to_the_length(stream):
    found = find_outages(*stream, LONDON, RULE)
    assert (found.stages >= 0).all()
    np.testing.assert_allclose(found.stages.sum(axis=1), found.seconds, rtol=1e-9, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(streams(), st.data())
def test_splitting_a_row_changes_nothing(stream, data):
    timeline, incidents = stream
    if not len(timeline.start):
        return
    row = data.draw(st.integers(0, len(timeline.start) - 1))
    at = data.draw(st.floats(timeline.start[row], timeline.end[row], exclude_min=True, exclude_max=True))
    whole = find_outages(timeline, incidents, LONDON, RULE)
    parts = find_outages(split(timeline, row, at), incidents, LONDON, RULE)
    for name in ("start", "end", "opener", "closer", "closed_by", "censored_start", "censored_end"):
        assert getattr(parts, name).tolist() == getattr(whole, name).tolist()
    np.testing.assert_allclose(parts.stages, whole.stages, rtol=1e-9, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(streams(), st.floats(0.0, 5 * DAY))
def test_a_minimum_length_takes_out_the_shorter_ones_and_nothing_else(stream, least):
    every = find_outages(*stream, LONDON, RULE)
    found = find_outages(*stream, LONDON, DownRule(RULE.above, min_outage=least))
    long = every.seconds >= least
    assert found.start.tolist() == every.start[long].tolist()
    assert found.end.tolist() == every.end[long].tolist()
    np.testing.assert_allclose(found.stages, every.stages[long])
    assert np.bincount(found.piece_outage).tolist() == np.bincount(every.piece_outage)[long].tolist()


@settings(deadline=None, max_examples=60)
@given(streams(), st.floats(0.0, LENGTH))
def test_downtime_before_an_instant(stream, t):
    found = find_outages(*stream, LONDON, RULE)
    expected = np.clip(t - found.start, 0.0, found.seconds).sum()
    np.testing.assert_allclose(found.down_before(np.array([t])), [expected], atol=1e-6)


def test_rows_that_touch_are_one_outage_and_rows_that_do_not_are_two():
    assert simple((100, 200), (200, 260)).seconds.tolist() == [160]
    assert simple((100, 200), (200.001, 260)).seconds.tolist() == pytest.approx([100, 59.999])


def test_at_the_threshold_the_service_is_up():
    timeline = timeline_of((100, 200, 4, 1, -1, -1, ClosedBy.REPAIR))
    assert len(find_outages(timeline, NO_INCIDENTS, LONDON, DownRule(0.05))) == 0
    assert len(find_outages(timeline, NO_INCIDENTS, LONDON, DownRule(0.0499))) == 1


def test_the_record_cuts_outages_at_both_ends():
    found = simple((0, 100), (500, 600), (900, 1000), length=1000)
    assert found.censored_start.tolist() == [True, False, False]
    assert found.censored_end.tolist() == [False, False, True]
    assert found.seconds.tolist() == [100, 100, 100]


def test_a_stream_without_rows_has_no_outage():
    found = simple()
    assert len(found) == 0
    assert found.stages.shape == (0, len(Stage))
    assert found.down_before(np.array([5.0])).tolist() == [0.0]


def test_an_outage_opens_and_closes_with_the_hour():
    # Thursday 2026-01-01 00:00 to Friday 12:00: down from nine to five, and from nine to noon.
    row = (0.0, 36 * HOUR, 2, 1, -1, -1, ClosedBy.REPAIR)
    found = find_outages(timeline_of(row), NO_INCIDENTS, LONDON, RULE)
    assert (found.start / HOUR).tolist() == [9, 33]
    assert (found.end / HOUR).tolist() == [17, 36]


def test_days_of_clock_changes_have_23_and_25_hours():
    zone_march, zone_october = (dt.date(2026, 3, 28), dt.date(2026, 10, 24))
    for start, hours in ((zone_march, 23), (zone_october, 25)):
        row = (0.0, 4 * DAY, 3, 1, -1, -1, ClosedBy.REPAIR)
        found = find_outages(timeline_of(row), NO_INCIDENTS, Zone(start, "Europe/London", years=2), RULE)
        assert (found.start / HOUR).tolist() == [24]
        assert (found.seconds / HOUR).tolist() == [hours]


def stages_of(closed_by: ClosedBy, closer: int, incidents: Incidents, opener: int = -1) -> dict[str, float]:
    """Stage seconds of one outage from 1000 to 1100, those that are not zero."""
    found = find_outages(timeline_of((1000, 1100, 1, 1, opener, closer, closed_by)), incidents, LONDON, RULE)
    return {Stage(i).name: seconds for i, seconds in enumerate(found.stages[0].tolist()) if seconds}


BEGUN_BEFORE = (900.0, [(Stage.NOTICE, 900.0), (Stage.RESPOND, 1010.0), (Stage.REPAIR, 1050.0)])
OVER_EARLY = (900.0, [(Stage.NOTICE, 900.0), (Stage.RESPOND, 1010.0)], 1020.0)
BEGUN_LATER = (1030.0, [(Stage.TRAVEL, 1030.0), (Stage.REPAIR, 1090.0)])


def test_a_repair_is_told_by_its_stages_within_the_outage():
    assert stages_of(ClosedBy.REPAIR, 0, incidents_of((*BEGUN_BEFORE, 1100.0))) == {
        "NOTICE": 10,
        "RESPOND": 40,
        "REPAIR": 50,
    }


def test_what_comes_after_the_repair_is_rerouting():
    expected = {"NOTICE": 10, "RESPOND": 40, "REPAIR": 20, "REROUTING": 30}
    assert stages_of(ClosedBy.REROUTING, 0, incidents_of((*BEGUN_BEFORE, 1070.0))) == expected
    assert stages_of(ClosedBy.REPAIR, 0, incidents_of((*BEGUN_BEFORE, 1070.0))) == expected


@pytest.mark.parametrize("end", [1100.0, 5000.0, np.inf])
def test_a_way_found_round_a_fault_is_rerouting_all_along(end):
    assert stages_of(ClosedBy.REROUTING, 0, incidents_of((*BEGUN_BEFORE, end))) == {"REROUTING": 100}


def test_a_switchover_is_a_switchover_since_the_fault():
    assert stages_of(ClosedBy.SWITCHOVER, 0, incidents_of((*BEGUN_BEFORE, 5000.0))) == {"SWITCHOVER": 100}
    assert stages_of(ClosedBy.SWITCHOVER, 1, incidents_of(OVER_EARLY, (*BEGUN_LATER, 5000.0)), 0) == {
        "NOTICE": 10,
        "RESPOND": 10,
        "REROUTING": 10,
        "SWITCHOVER": 70,
    }


def test_before_the_closer_begins_the_opener_tells():
    both = incidents_of((*BEGUN_BEFORE, 2000.0), (*BEGUN_LATER, 1100.0))
    assert stages_of(ClosedBy.REPAIR, 1, both, opener=0) == {
        "NOTICE": 10,
        "RESPOND": 20,
        "TRAVEL": 60,
        "REPAIR": 10,
    }
    assert stages_of(ClosedBy.REPAIR, 1, both) == {"REROUTING": 30, "TRAVEL": 60, "REPAIR": 10}


def test_an_open_outage_is_told_by_its_closer_or_else_its_opener():
    both = incidents_of((*BEGUN_BEFORE, np.inf))
    told = {"NOTICE": 10, "RESPOND": 40, "REPAIR": 50}
    assert stages_of(ClosedBy.OPEN, 0, both) == told
    assert stages_of(ClosedBy.OPEN, -1, both, opener=0) == told
    assert stages_of(ClosedBy.OPEN, -1, both) == {"REROUTING": 100}
