"""Calls to us: carriers that deliver them, forwarding, phones that register anew, shared channels."""

from dataclasses import replace

import numpy as np
import pytest
from sim_tables import (
    CLOSED,
    HOUR,
    MAINTENANCE,
    MINUTE,
    SILENT,
    THIRD,
    TRYING,
    calling,
    carrier,
    failing_carrier,
    group,
    play,
    routed,
    rows,
    switchover,
    traffic,
    unit,
)

from carriers.calendars import ALWAYS, DAY
from carriers.erlang import erlang_b
from carriers.faults import Fault, Kind
from carriers.laws import Fixed
from results.timeline import ClosedBy
from sim.conditions import REGISTERING, Conditions
from sim.tables import Calendar, Devices, Forwarding, Numbers, Standby, Unit

FAULTS = (SILENT, TRYING, THIRD, CLOSED, MAINTENANCE)
SILENT_, TRYING_, THIRD_, CLOSED_, MAINTENANCE_ = range(5)
HALF = replace(traffic(), inbound=0.5)
LIVES_AT_X = (Numbers("main", 0, 1.0, None),)


def two(**more):
    spec = {"faults": FAULTS, "traffic": HALF, "numbers": LIVES_AT_X} | more
    return calling(routed(carrier("x"), carrier("y")), **spec)


def fare(tables, *codes):
    conditions = Conditions(tables)
    return conditions.look((1, *codes))[1]


def directions(state):
    """Shares that fail of calls from us and of calls to us, on Monday at midnight."""
    return tuple(float(values[0]) for values in state.condition.directions)


@pytest.mark.parametrize(
    ("fault", "lost"),
    [(None, 0.0), (SILENT_, 1.0), (TRYING_, 1.0), (MAINTENANCE_, 1.0), (CLOSED_, 1.0), (THIRD_, 0.3)],
)
def test_calls_to_us_do_not_fail_over(fault, lost):
    code = 1 if fault is None else 2 * (fault + 1) + 1
    state = fare(two(), code, 1, 0)
    outbound, inbound = directions(state)
    assert outbound == pytest.approx(0.0)
    assert inbound == pytest.approx(lost)
    assert state.condition.failing[0] == pytest.approx(0.5 * lost)
    ways = {(b.carrier, b.inbound): float(b.share[0]) for b in state.condition.branches}
    assert ways.get(("x", True), 0.0) == pytest.approx(0.5 * (1 - lost))


def test_calls_come_over_the_carriers_other_trunk():
    tables = calling(routed(carrier("x", trunks=2)), faults=FAULTS, traffic=HALF, numbers=LIVES_AT_X)
    assert directions(fare(tables, 2 * SILENT_ + 3, 1, 0))[1] == 0.0
    assert directions(fare(tables, 2 * THIRD_ + 3, 2 * THIRD_ + 3, 0))[1] == pytest.approx(0.09)


def test_what_the_router_believes_is_no_matter_of_calls_to_us():
    assert directions(fare(two(), 0, 0, 0)) == (1.0, 0.0)


def test_forwarded_numbers_come_over_the_other_carrier():
    forwards = Forwarding(1, 600.0, 1.0)
    tables = two(numbers=(Numbers("main", 0, 0.75, forwards), Numbers("other", 0, 0.25)))
    down = 2 * SILENT_ + 3
    assert directions(fare(tables, down, 1, 0, 0))[1] == 1.0
    state = fare(tables, down, 1, 1, 0)
    assert directions(state)[1] == pytest.approx(0.25)
    assert [b.carrier for b in state.condition.branches if b.inbound] == ["y"]


@pytest.mark.parametrize(("success", "back"), [(1.0, 10 * MINUTE), (0.0, HOUR)])
def test_forwarding_begins_after_its_delay_if_it_works(success, back):
    numbers = (Numbers("main", 0, 1.0, Forwarding(1, 10 * MINUTE, success)),)
    run = play(two(numbers=numbers, units=[failing_carrier("x", SILENT_, 1000.0)]))
    down = [
        (start, end) for start, end, label, _ in rows(run)
        if label.startswith("x/1 silent") and "forwarded" not in label
    ]  # fmt: skip
    assert down[0][0] == 1000.0
    assert down[-1][1] == 1000.0 + back
    forwarded = [(start, end) for start, end, label, _ in rows(run) if "main forwarded" in label]
    assert bool(forwarded) == bool(success)
    if forwarded:
        assert (forwarded[0][0], forwarded[-1][1]) == (1000.0 + 10 * MINUTE, 1000.0 + HOUR)


def test_a_short_failure_is_never_forwarded():
    numbers = (Numbers("main", 0, 1.0, Forwarding(1, 10 * MINUTE, 1.0)),)
    carrier_x = failing_carrier("x", SILENT_, 1000.0, 200.0, repair=500.0)
    run = play(two(numbers=numbers, units=[carrier_x]))
    assert [label for _, _, label, _ in rows(run) if "forwarded" in label] == []


def test_the_home_carriers_fault_is_the_cause():
    run = play(two(units=[failing_carrier("x", SILENT_, 1000.0)]))
    assert {causes for *_, causes in rows(run)} == {("x/fault",)}


def test_calls_in_both_directions_take_the_carriers_channels():
    load = 18.0
    tables = calling(routed(carrier("x", channels=20)), traffic=HALF, numbers=LIVES_AT_X)
    state = fare(tables, 1, 0)
    blocked = float(erlang_b(load, 20))
    assert directions(state) == pytest.approx((blocked, blocked))
    assert state.condition.blocked[0] == pytest.approx(blocked)
    assert state.carried[0][0] == pytest.approx(load * (1 - blocked))


def test_calls_to_us_that_find_no_channel_go_nowhere_else():
    tables = calling(
        routed(carrier("x", channels=5), carrier("y", channels=None)), traffic=HALF, numbers=LIVES_AT_X
    )
    outbound, inbound = directions(fare(tables, 1, 1, 0))
    assert outbound == pytest.approx(0.0, abs=1e-9)
    assert inbound == pytest.approx(float(erlang_b(18.0, 5)))


def test_a_carrier_that_only_delivers_has_channels_too():
    tables = calling(
        routed(carrier("x", channels=5), carrier("y", channels=6)), traffic=HALF,
        numbers=(Numbers("main", 1, 1.0),),
    )  # fmt: skip
    # y is believed down, so that nothing is sent there.
    assert directions(fare(tables, 1, 0, 0))[1] == pytest.approx(float(erlang_b(9.0, 6)))


def test_numbers_are_moved_before_work_that_was_announced():
    work = Calendar("work", "x/work", 30 * DAY, ALWAYS, Fixed(HOUR), MAINTENANCE_, notice=DAY)
    for notice, delay in ((DAY, 0.0), (0.0, 600.0)):
        numbers = (Numbers("main", 0, 1.0, Forwarding(1, 600.0, 1.0)),)
        units = [Unit("x", (), takes_trunks=(0,), calendar=replace(work, notice=notice))]
        run = play(two(numbers=numbers, units=units))
        begun = [start for start, _, label, _ in rows(run) if "x/1 maintenance" in label]
        moved = [start for start, _, label, _ in rows(run) if "main forwarded" in label]
        assert moved[0] - begun[0] == pytest.approx(delay, abs=1e-6)


# ---- phones


def phones(units, *, kept=False, **more):
    tables = calling(
        routed(carrier("x")), units, traffic=HALF, numbers=LIVES_AT_X,
        groups=(group(*range(len(units)), standby=Standby.HOT, **more),),
        devices=Devices(0, 200.0, kept),
    )  # fmt: skip
    return replace(tables, units=tuple(replace(u, group=0) for u in tables.units))


def test_phones_come_back_evenly_within_the_registration_interval():
    run = play(phones([unit("a", 1000.0), unit("b")], switchover=switchover(10.0)))
    registering = [(s, e, label) for s, e, label, _ in rows(run) if "not registered" in label]
    assert len(registering) == REGISTERING
    starts, ends, labels = zip(*registering, strict=True)
    assert (starts[0], ends[-1]) == pytest.approx((1010.0, 1210.0))
    assert np.diff(starts) == pytest.approx(np.full(REGISTERING - 1, 200.0 / REGISTERING))
    assert labels[0] == "98 % of the phones not registered"
    conditions = {c.label: c for c in run.timeline.conditions}
    lost = [float(conditions[label].directions[1][0]) for label in labels]
    assert np.mean(lost) == pytest.approx(0.5)
    assert all(float(conditions[label].directions[0][0]) == 0.0 for label in labels)
    # Where it counts as down, it is because of the failover.
    assert {causes for s, _, label, causes in rows(run) if "not registered" in label} == {("a/fault",), ()}
    assert run.timeline.closed_by[-1] == ClosedBy.REROUTING


def test_units_of_one_site_may_know_each_others_phones():
    def registering(site, kept):
        units = [unit("a", 1000.0, site=0), unit("b", site=site)]
        run = play(phones(units, kept=kept, switchover=switchover(10.0, 10.0)))
        return any("not registered" in label for _, _, label, _ in rows(run))

    assert [registering(site, kept) for site, kept in [(0, True), (1, True), (0, False)]] == [
        False, True, True,
    ]  # fmt: skip


def test_phones_of_one_of_two_serving_units_are_half():
    units = [unit("a", 1000.0), unit("b"), unit("c")]
    run = play(phones(units, need=2, switchover=switchover(10.0)))
    labels = [label for _, _, label, _ in rows(run) if "not registered" in label]
    assert labels[0] == "49 % of the phones not registered"


def test_a_share_of_refused_deliveries_is_lost():
    fault = Fault("refuses", Kind.REFUSES, share=0.4)
    tables = calling(routed(carrier("x")), faults=(fault,), traffic=HALF, numbers=LIVES_AT_X)
    assert directions(fare(tables, 3, 0))[1] == pytest.approx(0.4)
