"""A stream reduced to sums: exact integrals, whatever the rows are cut into."""

import datetime as dt
import math
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carriers.calendars import HOUR, Zone
from carriers.laws import Exponential, Fixed, Lognormal
from results.hearing import CallSums, Inbound, Path
from results.outages import DownRule, find_outages
from results.summary import CauseTotals, Summary, merge, summarise
from results.timeline import Branch, ClosedBy, Condition, Incidents, Stage, Timeline

ZONE = Zone(dt.date(2026, 1, 1), "Europe/London", years=4)
YEARS = 2
LENGTH = float(ZONE.year_starts(YEARS)[-1])
STEP = 300.0
ABOVE = 0.4
HOURS = np.arange(168)
RATES = 100.0 + 7.0 * HOURS
WAVE = 0.5 + 0.4 * np.sin(HOURS / 5)
FAST, SLOW = Lognormal(1.6, 3.4), Exponential(2.0)
CONDITIONS = (
    Condition("nominal", np.full(168, 0.001), (Branch("atlantic", 1, 0.0, FAST, 8.0, np.full(168, 0.999)),)),
    Condition(
        "overflow",
        WAVE / 2,
        (
            Branch("atlantic", 1, 0.0, FAST, 8.0, (1 - WAVE) / 2),
            Branch("boreal", 2, 4.0, SLOW, 8.0, np.full(168, 0.5)),
        ),
    ),
    Condition("lost", np.ones(168)),
)
CAUSES = ((), ("atlantic/silent",), ("atlantic/silent", "boreal/silent"))
UNITS = ("atlantic", "boreal", "sbc-1")
MODES = (("atlantic/silent", "atlantic/refuses"), ("boreal/silent",), ("sbc/software",))


def incidents_of(*rows: tuple[int, float, float]) -> Incidents:
    """Rows of (unit, start, end), all under repair from the start on."""
    start = np.array([row[1] for row in rows], dtype=np.float64)
    return Incidents(
        unit=np.array([row[0] for row in rows], dtype=np.int32),
        mode=np.zeros(len(rows), dtype=np.int32),
        start=start,
        end=np.array([row[2] for row in rows], dtype=np.float64),
        stage_first=np.arange(len(rows) + 1, dtype=np.int32),
        stage_kind=np.full(len(rows), Stage.REPAIR, dtype=np.int32),
        stage_start=start,
    )


def timeline_of(*rows: tuple[float, float, int, int], length: float = LENGTH, closer: int = -1) -> Timeline:
    """Rows of (start, end, condition, causes)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    nobody = np.full(len(table), closer, dtype=np.int32)
    condition, causes = table[:, 2].astype(np.int32), table[:, 3].astype(np.int32)
    closed_by = np.full(len(table), ClosedBy.REPAIR, dtype=np.int32)
    return Timeline(
        length, table[:, 0], table[:, 1], condition, causes, nobody, nobody, closed_by, CONDITIONS, CAUSES
    )


def summary_of(
    timeline: Timeline,
    incidents: Incidents | None = None,
    above: float = ABOVE,
    inbound: Inbound | None = None,
) -> Summary:
    incidents = incidents or incidents_of()
    return summarise(
        timeline,
        incidents,
        find_outages(timeline, incidents, ZONE, DownRule(above)),
        ZONE,
        calls_per_hour=RATES.tolist(),
        unit_names=UNITS,
        mode_causes=MODES,
        inbound=inbound,
    )


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Rows on whole steps of five minutes, some over weeks and some touching."""
    many = draw(st.integers(0, 8))
    edges = sorted(draw(st.sets(st.integers(0, int(LENGTH / STEP)), min_size=2 * many, max_size=2 * many)))
    spans = pairwise(edges) if draw(st.booleans()) else zip(edges[::2], edges[1::2], strict=True)
    kinds = st.integers(0, 2)
    return timeline_of(*((a * STEP, b * STEP, draw(kinds), draw(kinds)) for a, b in spans))


def assert_alike(a: Summary, b: Summary) -> None:
    for field in fields(Summary):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6, err_msg=field.name)
        elif isinstance(one, CallSums):
            for sums in fields(CallSums):
                np.testing.assert_allclose(
                    getattr(one, sums.name),
                    getattr(other, sums.name),
                    rtol=1e-6,
                    atol=1e-6,
                    err_msg=sums.name,
                )
        elif isinstance(one, dict):
            assert one.keys() == other.keys()
            for key in one:
                np.testing.assert_allclose(one[key], other[key], rtol=1e-9)
        else:
            assert one == other


@settings(deadline=None, max_examples=12)
@given(timelines())
def test_integrals_equal_sums_over_small_steps_across_clock_changes(timeline):
    summary = summary_of(timeline)
    step = np.arange(0.0, LENGTH, STEP)
    hour = ((ZONE.local_array(step) // HOUR) % 168).astype(int)
    condition = np.zeros(len(step), dtype=int)
    for start, end, kind in zip(timeline.start, timeline.end, timeline.condition, strict=True):
        condition[(step >= start) & (step < end)] = kind
    calls = RATES[hour] * STEP / HOUR
    failing = np.stack([c.failing for c in CONDITIONS])[condition, hour]
    year = np.searchsorted(ZONE.year_starts(YEARS), step, side="right") - 1
    down = (failing > ABOVE) * STEP
    np.testing.assert_allclose(summary.attempts, np.bincount(year, calls), rtol=1e-9)
    np.testing.assert_allclose(summary.failed, np.bincount(year, calls * failing), rtol=1e-9)
    np.testing.assert_allclose(summary.downtime, np.bincount(year, down), atol=1e-5)
    share = {
        "atlantic": [0.999 + 0 * HOURS, (1 - WAVE) / 2, 0 * HOURS],
        "boreal": [0 * HOURS, 0.5 + 0 * HOURS, 0 * HOURS],
    }
    for carrier, shares in share.items():
        expected = (calls * np.stack(shares)[condition, hour]).sum()
        np.testing.assert_allclose(summary.connected_by_carrier.get(carrier, 0.0), expected, rtol=1e-9)
    np.testing.assert_allclose(summary.failed.sum() + sum(summary.connected.values()), summary.attempts.sum())


@settings(deadline=None, max_examples=30)
@given(timelines(), st.data())
def test_splitting_a_row_changes_nothing(timeline, data):
    if not len(timeline.start):
        return
    row = data.draw(st.integers(0, len(timeline.start) - 1))
    at = data.draw(st.floats(timeline.start[row], timeline.end[row], exclude_min=True, exclude_max=True))
    names = ("start", "end", "condition", "causes", "opener", "closer", "closed_by")
    columns = {name: np.insert(getattr(timeline, name), row, getattr(timeline, name)[row]) for name in names}
    columns["end"][row] = columns["start"][row + 1] = at
    assert_alike(summary_of(replace(timeline, **columns)), summary_of(timeline))


@settings(deadline=None, max_examples=30)
@given(timelines())
def test_totals_agree_with_each_other(timeline):
    summary = summary_of(timeline)
    down = summary.downtime.sum()
    np.testing.assert_allclose(summary.stage_seconds.sum(), down, atol=1e-5)
    np.testing.assert_allclose(sum(totals.seconds for totals in summary.causes.values()), down, atol=1e-5)
    assert sum(totals.outages for totals in summary.causes.values()) == summary.outage_count
    assert summary.seconds == LENGTH


def test_merging_is_associative_and_adds():
    a, b, c = (
        summary_of(timeline_of((start, start + 5000.0, 2, 1)), incidents_of((0, start, start + 5000.0)))
        for start in (1e6, 2e6, 3e7)
    )
    left, right, flat = merge([merge([a, b]), c]), merge([a, merge([b, c])]), merge([a, b, c])
    assert_alike(left, right)
    assert_alike(left, flat)
    assert flat.outage_count == 3
    assert flat.seconds == 3 * LENGTH
    assert flat.downtime.tolist() == [5000, 0, 5000, 0, 5000, 0]
    assert flat.causes == {("atlantic/silent",): CauseTotals(15000.0, 3)}
    assert flat.unit_failures.tolist() == [3, 0, 0]


def test_merging_nothing_or_strangers_is_refused():
    one = summary_of(timeline_of())
    with pytest.raises(ValueError, match="at least one"):
        merge([])
    with pytest.raises(ValueError, match="same units"):
        merge([one, replace(one, unit_names=("other",))])


def test_an_outage_counts_where_it_starts_and_its_downtime_where_it_lies():
    year = float(ZONE.year_starts(1)[-1])
    summary = summary_of(timeline_of((year - 100, year + 300, 2, 1)))
    assert summary.outages.tolist() == [1, 0]
    assert summary.downtime.tolist() == [100, 300]
    assert summary.stage_seconds.sum(axis=1).tolist() == [400, 0]


def test_an_outage_before_the_record_is_not_counted_but_its_downtime_is():
    timeline = timeline_of((0.0, 100.0, 2, 1), (500.0, 600.0, 2, 2), (LENGTH - 50, LENGTH, 2, 1))
    summary = summary_of(timeline)
    assert summary.outages.tolist() == [1, 1]
    assert summary.downtime.tolist() == pytest.approx([200, 50])
    assert summary.lengths.tolist() == [100]
    assert summary.causes[CAUSES[1]] == (pytest.approx(150), 1)
    assert summary.causes[CAUSES[2]] == (100, 1)


def test_the_set_that_opened_an_outage_owns_it_and_each_set_owns_its_seconds():
    summary = summary_of(timeline_of((100.0, 200.0, 2, 1), (200.0, 500.0, 2, 2)))
    assert summary.causes == {CAUSES[1]: CauseTotals(100.0, 1), CAUSES[2]: CauseTotals(300.0, 0)}
    assert summary.fussell_vesely == [1.0, 0.75, 0.0]


def test_importance_compares_the_service_with_the_unit_failed_and_not():
    # Two modes of the first unit overlap: it is failed from 100 to 500; the service is down from 200 to 300.
    incidents = incidents_of((0, 100.0, 400.0), (0, 150.0, 500.0), (1, 5000.0, 6000.0), (0, 600.0, 700.0))
    summary = summary_of(timeline_of((200.0, 300.0, 2, 1)), incidents)
    assert summary.unit_failures.tolist() == [3, 1, 0]
    assert summary.unit_seconds.tolist() == [500, 1000, 0]
    assert summary.unit_joint_seconds.tolist() == [100, 0, 0]
    assert summary.birnbaum == [pytest.approx(0.2), pytest.approx(-100 / (LENGTH - 1000)), None]


def test_incidents_are_clipped_to_the_record():
    incidents = incidents_of((0, -500.0, 100.0), (1, LENGTH - 10, np.inf))
    summary = summary_of(timeline_of(), incidents)
    assert summary.unit_failures.tolist() == [0, 1, 0]
    assert summary.unit_seconds.tolist() == pytest.approx([100, 10, 0])
    assert summary.fussell_vesely == [None, None, None]


def test_a_record_that_ends_within_a_month_has_no_figures_for_it():
    months = ZONE.month_starts(2)
    length = float(months[14] + 1000)
    row = (length - 200, length - 100, 2, 1)
    summary = summary_of(timeline_of(row, length=length))
    assert summary.year_seconds.tolist() == pytest.approx([months[12], length - months[12]])
    assert summary.downtime.tolist() == pytest.approx([0, 100])


def test_calls_dropped_count_in_their_year():
    year = float(ZONE.year_starts(1)[-1])
    drops = {"drop_at": np.array([5.0, year, year + 7]), "drop_calls": np.array([2.0, 3.5, 4.0])}
    assert summary_of(replace(timeline_of(), **drops)).dropped.tolist() == [2, 7.5]


def test_without_traffic_there_are_no_calls():
    timeline = timeline_of((100.0, 200.0, 2, 1))
    found = find_outages(timeline, incidents_of(), ZONE, DownRule(ABOVE))
    summary = summarise(
        timeline, incidents_of(), found, ZONE, calls_per_hour=None, unit_names=UNITS, mode_causes=MODES
    )
    assert summary.attempts.tolist() == [0, 0]
    assert summary.connected == {}
    assert summary.delay_percentiles() is None
    assert summary.downtime.tolist() == [100, 0]


def with_paths(*paths: tuple[float, object, float, float]) -> Summary:
    connected = {
        Path("c", i, offset, law, limit): calls for i, (offset, law, limit, calls) in enumerate(paths)
    }
    return replace(summary_of(timeline_of()), connected=connected)


def test_post_dial_delay_of_one_law_is_its_quantile():
    shares = (0.5, 0.95, 0.99)
    plain = with_paths((4.0, Exponential(2.0), math.inf, 10.0)).delay_percentiles(shares)
    assert plain == pytest.approx([4 - 2 * math.log(1 - p) for p in shares])
    whole = 1 - math.exp(-3.0 / 2.0)
    cut = with_paths((4.0, Exponential(2.0), 3.0, 10.0)).delay_percentiles(shares)
    assert cut == pytest.approx([4 - 2 * math.log(1 - p * whole) for p in shares])


def test_post_dial_delay_of_a_mixture():
    summary = with_paths((0.0, Fixed(1.0), 8.0, 90.0), (4.0, Fixed(1.0), 8.0, 9.0), (8.0, SLOW, 6.0, 1.0))
    assert summary.delay_percentiles((0.5, 0.9, 0.95, 0.99)) == pytest.approx([1, 1, 5, 5])
    assert summary.delay_percentiles((1.0,)) == pytest.approx([14])


def test_post_dial_delay_is_unknown_where_a_carrier_has_no_law():
    assert with_paths((0.0, FAST, 8.0, 90.0), (0.0, None, 8.0, 1.0)).delay_percentiles() is None
