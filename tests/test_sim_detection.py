"""What the router learns of a failing trunk, when, and what callers lose until then."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sim_tables import (
    CLOSED,
    DAY,
    HOUR,
    MAINTENANCE,
    MINUTE,
    SILENT,
    THIRD,
    TRYING,
    Fixed,
    Mode,
    Repair,
    Standby,
    Unit,
    calling,
    carrier,
    failing_carrier,
    fare,
    group,
    platform,
    play,
    routed,
    rows,
    switchover,
    traffic,
    unit,
)

from carriers.health import CallRule, HealthRule, TrunkHealth
from carriers.laws import Exponential
from results.timeline import ClosedBy
from sim.draws import Randomness

EVERY, TIMEOUT, MISSES = 30.0, 2.0, 3
HEALTH = HealthRule(EVERY, TIMEOUT, MISSES, up_after=2)
UP, DOWN = "believed up", "believed down"


def failing(fault, repair, health=None, rule=None, often=None, **more):
    """Carrier x fails this way, again and again where `often` is the time between, y stands behind it."""
    policy = routed(carrier("x"), carrier("y"), health=health, failing_calls=rule)
    units = [failing_carrier("x", 0, DAY, repair=repair)]
    if often:
        mode = Mode("fault", "x/fault", Exponential(often), Repair(Fixed(repair)), fault=0)
        units = [Unit("x", (mode,), takes_trunks=(0,))]
    return calling(policy, units, (fault,), **more)


def told(run, label):
    """Starts and ends of the rows with this label."""
    found = [(start, end) for start, end, name, _ in rows(run) if name == label]
    return np.asarray(found).reshape(-1, 2)


# ---- pings


def test_a_silent_trunk_is_marked_down_after_misses_in_a_row_and_comes_back_after_successes():
    run = play(failing(SILENT, HOUR, HEALTH))
    assert [label for _, _, label, _ in rows(run)] == [
        f"x/1 silent, {UP}",
        f"x/1 silent, {DOWN}",
        f"x/1 good, {DOWN}",
    ]
    (_, detected, *_), (_, over, *_), (_, back, *_) = rows(run)
    assert (MISSES - 1) * EVERY + TIMEOUT <= detected - DAY <= MISSES * EVERY + TIMEOUT
    assert over == DAY + HOUR
    assert EVERY - TIMEOUT <= back - over <= 2 * EVERY
    assert run.timeline.closed_by.tolist() == [ClosedBy.REROUTING, ClosedBy.REPAIR, ClosedBy.REROUTING]


def test_detection_is_uniform_over_the_phase_of_the_pings():
    """For faults that last longer; the rule of the oracles."""
    found = told(play(failing(SILENT, HOUR, HEALTH, often=3 * DAY), years=5), f"x/1 silent, {UP}")
    delays = found[:, 1] - found[:, 0]
    low = (MISSES - 1) * EVERY + TIMEOUT
    assert len(delays) > 500
    assert stats.kstest((delays - low) / EVERY, "uniform").pvalue > 0.001


def test_a_fault_shorter_than_the_detection_is_never_noticed():
    run = play(failing(SILENT, (MISSES - 1) * EVERY, HEALTH, often=DAY))
    assert {label for _, _, label, _ in rows(run)} == {f"x/1 silent, {UP}"}


def test_a_fault_of_a_length_between_is_noticed_as_often_as_the_phase_has_it():
    """75 s hold a third miss for those phases that have it sent by then.

    Its timeout may end after the fault, unless it is sent again in between, 1.5 s after it was sent.
    """
    run = play(failing(SILENT, 75.0, HEALTH, often=DAY), years=4)
    noticed = len(told(run, f"x/1 good, {DOWN}"))
    low, high = stats.binomtest(noticed, len(run.incidents)).proportion_ci(0.999)
    assert low < (75.0 - 1.5 - (MISSES - 1) * EVERY) / EVERY < high


def test_a_trunk_stays_out_for_the_hold_down():
    held = replace(HEALTH, hold_down=10 * MINUTE)
    run = play(failing(SILENT, 3 * MINUTE, held))
    detected, back = rows(run)[0][1], rows(run)[-1][1]
    assert 10 * MINUTE <= back - detected <= 10 * MINUTE + EVERY


@pytest.mark.parametrize("fault", [CLOSED, TRYING])
def test_pings_do_not_see_what_happens_to_calls_only(fault):
    run = play(failing(fault, HOUR, HEALTH))
    assert rows(run) == [(DAY, DAY + HOUR, f"x/1 {fault.kind.value}, {UP}", ())]


@pytest.mark.parametrize(("counts", "labels"), [(True, 1), (False, 3)])
def test_whether_a_refused_ping_counts_as_an_answer_is_a_matter_of_the_rule(counts, labels):
    run = play(failing(MAINTENANCE, HOUR, replace(HEALTH, any_answer_counts=counts)))
    assert len(rows(run)) == labels


def test_a_refused_ping_is_known_at_once():
    found = told(play(failing(MAINTENANCE, HOUR, HEALTH, often=3 * DAY), years=3), f"x/1 maintenance, {UP}")
    delays = found[:, 1] - found[:, 0]
    assert delays.min() >= (MISSES - 1) * EVERY
    assert delays.max() <= MISSES * EVERY


def test_without_health_rules_calls_pay_for_the_whole_fault():
    assert [row[:2] for row in rows(play(failing(SILENT, HOUR)))] == [(DAY, DAY + HOUR)]


# ---- calls that fail

RULE = CallRule(of_last=20, share=0.6, hold=2 * MINUTE)
NEEDED = 12


def test_a_trunk_whose_every_call_fails_is_out_after_as_many_as_the_rule_needs():
    """Calls come at a rate of 0.1 a second; each is known to have failed 8 s after it was sent."""
    run = play(failing(TRYING, HOUR, rule=RULE, often=2 * DAY), years=4)
    first = told(run, f"x/1 trying_only, {UP}")
    begins = np.isin(first[:, 0], run.incidents.start)
    delays = (first[:, 1] - first[:, 0])[begins]
    mean, error = delays.mean(), NEEDED**0.5 / 0.1 / len(delays) ** 0.5
    assert abs(mean - (NEEDED / 0.1 + 8.0)) < 4 * error
    assert delays.std() == pytest.approx(NEEDED**0.5 / 0.1, rel=4 / (2 * len(delays)) ** 0.5)


def test_a_trunk_taken_out_by_its_calls_returns_after_the_hold():
    out = told(play(failing(TRYING, HOUR, rule=RULE)), f"x/1 trying_only, {DOWN}")
    whole = out[:-1, 1] - out[:-1, 0]
    assert len(whole) > 5
    assert whole == pytest.approx(RULE.hold, abs=1e-3)


def brute_force(rule, chance, trips, rng):
    """Mean number of calls from an empty window to a trip, call by call."""
    counts, window, since = [], [], 0
    while len(counts) < trips:
        window = [*window, rng.random() < chance][-rule.of_last :]
        since += 1
        if sum(window) >= rule.needed:
            counts.append(since)
            window, since = [], 0
    return np.asarray(counts)


def test_a_trunk_that_refuses_thirty_percent_is_taken_out_as_a_play_call_by_call_has_it():
    """3,600 calls an hour: the rule of 5 of the last 10 trips after some 20 calls."""
    rule = CallRule(of_last=10, share=0.5, hold=2 * MINUTE)
    calls = brute_force(rule, 0.3, 4000, np.random.default_rng(1))
    run = play(failing(THIRD, HOUR, rule=rule, often=5 * DAY, traffic=traffic(3600.0)), years=2)
    seen = told(run, f"x/1 refuses, {UP}")
    whole = ~np.isin(seen[:, 1], run.incidents.end)
    seconds = (seen[:, 1] - seen[:, 0])[whole]
    assert len(seconds) > 2000
    error = np.hypot(calls.std() / len(calls) ** 0.5, seconds.std() / len(seconds) ** 0.5)
    assert abs(seconds.mean() - calls.mean()) < 4 * error


def test_a_rule_that_hardly_ever_trips_is_not_watched():
    """12 of the last 20 at 30 % come once in thousands of calls; at 5 %, never."""
    watched = fare(failing(THIRD, HOUR, rule=RULE), 0, None)
    assert watched.watches[0] is not None
    assert fare(failing(replace(THIRD, share=0.05), HOUR, rule=RULE), 0, None).watches == ()


def test_no_calls_no_trip():
    """At night nobody calls: the trunk is taken out in the morning."""
    day = tuple(float(9 <= hour % 24 < 17) for hour in range(168))
    run = play(failing(TRYING, 20 * HOUR, rule=RULE, traffic=traffic(3600.0, weights=day)))
    first = rows(run)[0]
    assert first[0] == DAY
    assert DAY + 9 * HOUR < first[1] < DAY + 9 * HOUR + 2 * MINUTE


# ---- calls in progress


def drops(run):
    return list(zip(run.timeline.drop_at.tolist(), run.timeline.drop_calls.round(6).tolist(), strict=True))


def test_a_silent_carrier_loses_the_calls_that_it_carries():
    """360 calls of 3 minutes an hour: 18 at a time."""
    assert drops(play(failing(SILENT, HOUR))) == [(DAY, 18.0)]


@pytest.mark.parametrize("fault", [CLOSED, TRYING, MAINTENANCE])
def test_other_faults_leave_calls_in_progress(fault):
    assert drops(play(failing(fault, HOUR))) == []


def test_a_second_carrier_carries_calls_only_while_the_first_does_not():
    """y fails on day 1, idle; x an hour later; y again while x is out."""
    units = [
        failing_carrier("y", 0, DAY, 2 * HOUR, takes=(1,)),
        failing_carrier("x", 1, DAY + 2 * HOUR, repair=DAY),
    ]
    tables = calling(routed(carrier("x"), carrier("y")), units, (SILENT, CLOSED))
    assert drops(play(tables)) == [(DAY + 3 * HOUR, 18.0)]


def test_a_unit_takes_its_share_of_the_calls_with_it():
    """One of three load-sharing units, then one of the two that are left."""
    units = [unit("a", DAY, repair=DAY), unit("b", DAY + HOUR), unit("c")]
    tables = platform(units, group(0, 1, 2), traffic=traffic())
    assert drops(play(tables)) == [(DAY, 6.0), (DAY + HOUR, 9.0)]


@pytest.mark.parametrize(("first", "second", "lost"), [(DAY, 2 * DAY, [18.0, 18.0]), (None, DAY, [])])
def test_a_serving_unit_has_all_the_calls_and_a_standby_none(first, second, lost):
    units = [unit("a", *([first] if first else []), repair=DAY / 2), unit("b", second)]
    hot = group(0, 1, standby=Standby.HOT, switchover=switchover(10.0))
    assert [calls for _, calls in drops(play(platform(units, hot, traffic=traffic())))] == lost


def test_a_site_takes_half_of_the_units_and_half_of_the_calls():
    units = [unit(name) for name in "abcd"] + [unit("site", DAY, takes_units=(0, 1))]
    tables = platform(units, group(0, 1, 2, 3), traffic=traffic())
    assert drops(play(tables)) == [(DAY, 9.0)]


def test_calls_that_were_dropped_already_are_not_dropped_again():
    """The carrier turns silent while the platform is down."""
    units = [unit("a", DAY, repair=DAY), failing_carrier("x", 0, DAY + HOUR)]
    tables = calling(
        routed(carrier("x")), [replace(units[0], group=0), units[1]], (SILENT,), groups=(group(0),)
    )
    assert drops(play(tables)) == [(DAY, 18.0)]


# ---- coverage


def test_switchovers_work_by_themselves_as_often_as_their_coverage_says():
    covered = switchover(10.0, success=0.9, otherwise=600.0)
    mode = Mode("fault", "a/fault", Exponential(2 * DAY), Repair(Fixed(HOUR)))
    units = [Unit("a", (mode,)), Unit("b", (replace(mode, cause="b/fault"),))]
    tables = platform(units, group(0, 1, standby=Standby.HOT, switchover=covered))
    run = play(tables, years=8)
    seconds = (run.timeline.end - run.timeline.start).round(3)
    alone = np.isin(seconds, (10.0, 600.0))
    assert alone.mean() > 0.9
    low, high = stats.binomtest(int(np.sum(seconds == 10.0)), int(alone.sum())).proportion_ci(0.999)
    assert low < 0.9 < high


# ---- pings taken in together are pings taken in one by one


def ping_by_ping(rule, phase, faults, until):
    """(instant, belief) of each change of the router's belief, when every single ping is played."""
    health = TrunkHealth(rule, None)
    seen = []
    for k in range(int(until / rule.ping_every)):
        sent = phase + k * rule.ping_every
        for again in (0.0, 0.5, 1.5, rule.ping_timeout):
            known = sent + again
            fault = next((kind for start, end, kind in faults if start <= known < end), None)
            if fault is not SILENT:
                break
        answered = again < rule.ping_timeout
        seen.append((known, None if not answered else 503 if fault else 200))
    return [(known, health.up(known)) for known, status in sorted(seen) if health.observe_ping(status, known)]


SHORT = st.floats(5.0, 400.0)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(SHORT, SHORT, st.sampled_from([0, 1])), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([0.0, 100.0]),
    st.integers(0, 3),
)
def test_pings_taken_in_together_tell_the_same_as_one_by_one(faults, down_after, up_after, hold_down, stream):
    rule = HealthRule(EVERY, TIMEOUT, down_after, up_after, hold_down)
    modes, intervals, now = [], [], 0.0
    for gap, lasts, kind in faults:
        intervals.append((now + gap, now + gap + lasts, (SILENT, MAINTENANCE)[kind]))
        now += gap + lasts
    for n, (start, end, kind) in enumerate(intervals):
        shown = (SILENT, MAINTENANCE).index(kind)
        modes.append(failing_carrier(f"x{n}", shown, start, repair=end - start))
    run = play(calling(routed(carrier("x"), health=rule), modes, (SILENT, MAINTENANCE)), stream=stream)
    phase = Randomness(1, stream).uniform("pings/x/1/phase")() * EVERY
    expected = ping_by_ping(rule, phase, intervals, now + HOUR)
    downs = [(start, end) for start, end, label, _ in rows(run) if label.endswith(DOWN)]
    joined = []
    for start, end in downs:
        if joined and joined[-1][1] == start:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    assert np.ravel(joined) == pytest.approx([at for at, _ in expected], abs=1e-3)
