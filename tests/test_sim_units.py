"""What fails, when, and what takes over: clocks, groups, switchovers, latent faults, sites."""

from dataclasses import replace

import pytest
from sim_tables import (
    DAY,
    HOUR,
    MINUTE,
    Lives,
    Standby,
    Unit,
    calling,
    carrier,
    group,
    mode,
    platform,
    play,
    routed,
    rows,
    spans,
    staged,
    support,
    switchover,
    unit,
)

from carriers.faults import Fault, Kind
from results.timeline import ClosedBy
from sim.tables import Works

APART = {"site": 0}, {"site": 1}


def starts(run, number):
    """Starts of the incidents of one unit."""
    return run.incidents.start[run.incidents.unit == number].tolist()


# ---- clocks


def test_lives_run_from_repair_to_failure():
    tables = platform([unit("a", DAY, 2 * DAY, repair=HOUR)], group(0))
    assert spans(play(tables)) == [(DAY, DAY + HOUR), (3 * DAY + HOUR, 3 * DAY + 2 * HOUR)]


def test_the_clock_of_one_mode_stands_still_during_the_repair_of_another():
    both = Unit("a", (mode("a/hardware", DAY, repair=5 * HOUR), mode("a/software", 2 * DAY, repair=HOUR)))
    assert spans(play(platform([both], group(0)))) == [
        (DAY, DAY + 5 * HOUR),
        (2 * DAY + 5 * HOUR, 2 * DAY + 6 * HOUR),
    ]


def test_a_unit_may_fail_at_the_instant_at_which_its_site_does():
    """What is left of its life is then nothing, but for a rounding that must not turn time back."""
    begins, life = 1_000_000.5, 100 / 3
    assert life < (begins + life) - begins
    units = [
        unit("a", begins - 0.5, life, repair=0.5),
        unit("site", begins + life, repair=1.0, takes_units=(0,)),
    ]
    run = play(platform(units, group(0)))
    assert starts(run, 0) == [begins - 0.5, begins + life + 1.0]


def test_a_unit_without_its_site_does_not_age():
    units = [unit("a", 2 * DAY, site=0), unit("site", DAY, repair=6 * HOUR, takes_units=(0,))]
    run = play(platform(units, group(0)))
    assert spans(run) == [(DAY, DAY + 6 * HOUR), (2 * DAY + 6 * HOUR, 2 * DAY + 7 * HOUR)]
    assert [causes for *_, causes in rows(run)] == [("site/fault",), ("a/fault",)]


def test_a_unit_that_failed_before_its_site_is_back_when_both_are_repaired():
    units = [
        unit("a", DAY, 10 * DAY, repair=2 * HOUR),
        unit("site", DAY + HOUR, repair=3 * HOUR, takes_units=(0,)),
    ]
    run = play(platform(units, group(0)))
    assert rows(run) == [
        (DAY, DAY + HOUR, "platform down", ("a/fault",)),
        (DAY + HOUR, DAY + 2 * HOUR, "platform down", ("a/fault", "site/fault")),
        (DAY + 2 * HOUR, DAY + 4 * HOUR, "platform down", ("site/fault",)),
        (11 * DAY + 4 * HOUR, 11 * DAY + 6 * HOUR, "platform down", ("a/fault",)),
    ]


# ---- k out of n


@pytest.mark.parametrize(("need", "down"), [(1, []), (2, [(2 * DAY, 3 * DAY)]), (3, [(DAY, 4 * DAY)])])
def test_a_group_works_while_enough_units_do(need, down):
    """One unit is out from day 1 to 3, another from day 2 to 4."""
    units = [unit("a", DAY, repair=2 * DAY), unit("b", 2 * DAY, repair=2 * DAY), unit("c")]
    run = play(platform(units, group(0, 1, 2, need=need)))
    merged = [(spans(run)[0][0], spans(run)[-1][1])] if down else []
    assert merged == down


def test_a_common_cause_is_one_incident_and_one_repair_for_the_whole_group():
    units = [
        Unit("a", (mode("a/push", DAY, repair=HOUR, common_cause=1.0),)),
        unit("b", DAY - HOUR, repair=4 * HOUR),
        unit("c"),
    ]
    run = play(platform(units, group(0, 1, 2)))
    assert rows(run) == [(DAY, DAY + HOUR, "platform down", ("a/push", "b/fault"))]
    assert len(run.incidents) == 2


def test_the_record_tells_what_opened_and_what_closed_an_outage():
    units = [unit("a", DAY, repair=5 * HOUR), unit("b", DAY + HOUR, repair=HOUR)]
    line = play(platform(units, group(0, 1))).timeline
    assert (line.opener.tolist(), line.closer.tolist()) == ([1], [1])
    assert line.closed_by.tolist() == [ClosedBy.REPAIR]


def test_what_is_down_at_the_end_is_censored():
    run = play(platform([unit("a", 364 * DAY, repair=30 * DAY)], group(0)))
    assert spans(run) == [(364 * DAY, 365 * DAY)]
    assert run.timeline.closed_by.tolist() == [ClosedBy.OPEN]
    assert run.timeline.closer.tolist() == [-1]
    assert run.incidents.end.tolist() == [float("inf")]


def test_what_is_down_at_the_start_is_cut_there():
    """The warm-up is simulated and not recorded; the incident keeps its own start."""
    run = play(platform([unit("a", 9.5 * DAY, repair=DAY)], group(0), warm_up=10 * DAY))
    assert spans(run) == [(0.0, DAY / 2)]
    assert run.incidents.start.tolist() == [-DAY / 2]


# ---- switchover


def pair(first, second, **more):
    """One serves, one stands by; within a site it takes 10 s to switch, between sites 90 s."""
    spec = {"standby": Standby.HOT, "switchover": switchover(10.0, 90.0)} | more
    return platform([first, second], group(0, 1, **spec))


@pytest.mark.parametrize(("other", "seconds"), [(0, 10.0), (1, 90.0)])
def test_a_switchover_takes_its_time_by_distance(other, seconds):
    run = play(pair(unit("a", DAY, site=0), unit("b", site=other)))
    assert rows(run) == [(DAY, DAY + seconds, "platform down", ("a/fault",))]
    assert run.timeline.closed_by.tolist() == [ClosedBy.SWITCHOVER]


def test_a_switchover_prefers_the_same_site():
    units = [unit("a", DAY, site=0), unit("b", site=1), unit("c", site=0)]
    tables = platform(units, group(0, 1, 2, standby=Standby.HOT, switchover=switchover(10.0, 90.0)))
    assert spans(play(tables)) == [(DAY, DAY + 10.0)]


def test_an_uncovered_switchover_takes_the_other_time_instead_of_its_own():
    uncovered = switchover(10.0, success=0.0, otherwise=12 * MINUTE)
    assert spans(play(pair(unit("a", DAY), unit("b"), switchover=uncovered))) == [(DAY, DAY + 12 * MINUTE)]


def test_without_a_switchover_the_standby_takes_over_at_once():
    assert spans(play(pair(unit("a", DAY), unit("b"), switchover=None))) == []


def test_nobody_is_switched_back():
    """After the first failure the second unit serves: its own failure is the one that is felt."""
    run = play(pair(unit("a", DAY, DAY, repair=HOUR), unit("b", 3 * DAY, repair=HOUR)))
    assert spans(run) == [(DAY, DAY + 10.0), (3 * DAY, 3 * DAY + 10.0)]


def test_the_failure_of_a_standby_is_not_felt():
    assert spans(play(pair(unit("a"), unit("b", DAY)))) == []


def test_a_unit_that_comes_back_while_too_few_serve_serves_at_once():
    slow = switchover(30 * MINUTE)
    run = play(pair(unit("a", DAY, repair=5 * MINUTE), unit("b"), switchover=slow))
    assert spans(run) == [(DAY, DAY + 5 * MINUTE)]
    assert run.timeline.closed_by.tolist() == [ClosedBy.REPAIR]


def test_a_standby_that_fails_while_it_is_switched_to_is_followed_by_the_next():
    units = [unit("a", DAY), unit("b", DAY + 6.0), unit("c")]
    tables = platform(units, group(0, 1, 2, standby=Standby.HOT, switchover=switchover(10.0)))
    assert [(rows(play(tables))[0][0], rows(play(tables))[-1][1])] == [(DAY, DAY + 16.0)]


def test_a_site_takes_the_serving_unit_and_its_neighbour_at_once():
    """The switchover goes to the other site, and takes the time for that."""
    units = [unit("a", site=0), unit("b", site=0), unit("c", site=1), unit("east", DAY, takes_units=(0, 1))]
    tables = platform(units, group(0, 1, 2, standby=Standby.HOT, switchover=switchover(10.0, 90.0)))
    assert rows(play(tables)) == [(DAY, DAY + 90.0, "platform down", ("east/fault",))]


# ---- standing by


def test_a_hot_standby_ages_as_if_it_served():
    assert starts(play(pair(unit("a"), unit("b", DAY))), 1) == [DAY]


def test_a_cold_standby_does_not_age():
    """The second unit starts to age when the first fails, on day 5."""
    run = play(pair(unit("a", 5 * DAY, repair=100 * DAY), unit("b", DAY), standby=Standby.COLD))
    assert starts(run, 1) == [6 * DAY + 10.0]


def test_a_warm_standby_fails_at_its_own_rate():
    spare = Unit("b", (mode("b/fault", DAY, standby_mtbf=Lives((3 * DAY,))),))
    run = play(pair(unit("a", 10 * DAY, repair=100 * DAY), spare, standby=Standby.WARM))
    assert starts(run, 1) == [3 * DAY, 11 * DAY + 10.0]


def test_units_without_failures_of_their_own_may_stand_by_cold():
    units = [Unit("a", ()), Unit("b", ()), unit("site", DAY, takes_units=(0,))]
    tables = platform(units, group(0, 1, standby=Standby.COLD, switchover=switchover(10.0)))
    assert spans(play(tables)) == [(DAY, DAY + 10.0)]


def latent(first, **more):
    """A standby whose fault on day 3 nobody notices; its repair takes 2 h."""
    hidden = Unit("b", (mode("b/fault", repair=2 * HOUR, latent=True, standby_mtbf=Lives((3 * DAY,))),))
    return pair(first, hidden, standby=Standby.COLD, **more)


def test_a_latent_fault_is_found_when_the_standby_is_called_on():
    run = play(latent(unit("a", 10 * DAY, repair=5 * HOUR)))
    assert starts(run, 1) == [10 * DAY + 10.0]
    assert rows(run) == [
        (10 * DAY, 10 * DAY + 10.0, "platform down", ("a/fault",)),
        (10 * DAY + 10.0, 10 * DAY + 10.0 + 2 * HOUR, "platform down", ("a/fault", "b/fault")),
    ]


def test_a_latent_fault_that_nothing_calls_on_stays_hidden():
    assert len(play(latent(unit("a"))).incidents) == 0


def test_a_test_finds_a_latent_fault_within_its_interval():
    found = [starts(play(latent(unit("a"), test_every=7 * DAY), stream=n), 1)[0] for n in range(20)]
    assert all(3 * DAY < at <= 10 * DAY for at in found)
    assert max(found) - min(found) > 3 * DAY


def test_tests_come_at_regular_instants():
    """A fault that was found otherwise leaves no test behind that comes at another time."""
    hidden = Unit("b", (mode("b/fault", latent=True, standby_mtbf=Lives((DAY, *(2 * DAY,) * 20))),))
    run = play(pair(unit("a"), hidden, standby=Standby.COLD, test_every=7 * DAY))
    found = starts(run, 1)
    assert len(found) == 21
    assert {round((at - found[0]) / DAY, 6) % 7 for at in found} == {0.0}


def test_a_restart_finds_a_latent_fault():
    hidden = Unit("b", (mode("b/fault", latent=True, standby_mtbf=Lives((3 * DAY,))),))
    units = [unit("a"), hidden, unit("site", 5 * DAY, repair=HOUR, takes_units=(1,))]
    tables = platform(units, group(0, 1, standby=Standby.COLD, switchover=switchover(10.0)))
    assert starts(play(tables), 1) == [5 * DAY + HOUR]


# ---- reliability block diagram


def diagram(works, *lives):
    """Three groups of one unit each, out for 2 h from these instants on."""
    units = [unit(name, life, repair=2 * HOUR) for name, life in zip("abc", lives, strict=True)]
    return platform(units, group(0), group(1), group(2), works=works)


EITHER = Works(2, parts=(Works(1, groups=(0, 1)), Works(1, groups=(2,))))
"""(a or b) and c."""


def test_a_diagram_is_down_for_want_of_both_branches():
    run = play(diagram(EITHER, DAY, DAY + HOUR, 9 * DAY))
    assert rows(run) == [
        (DAY + HOUR, DAY + 2 * HOUR, "platform down", ("a/fault", "b/fault")),
        (9 * DAY, 9 * DAY + 2 * HOUR, "platform down", ("c/fault",)),
    ]


def test_causes_leave_out_what_makes_no_difference():
    """Though a is out too, b would carry on: c alone is to blame."""
    run = play(diagram(EITHER, DAY, 9 * DAY, DAY + HOUR))
    assert {causes for *_, causes in rows(run)} == {("c/fault",)}


def test_units_are_counted_over_groups():
    run = play(diagram(Works(2, units_of=(0, 1, 2)), DAY, DAY + HOUR, 9 * DAY))
    assert rows(run) == [(DAY + HOUR, DAY + 2 * HOUR, "platform down", ("a/fault", "b/fault"))]


def test_a_switchover_under_way_does_not_make_a_fault_urgent_in_a_diagram():
    """A technician comes at night only when the service is down for want of units."""
    night = support((0.0, 0.0, "always"), (0.0, 0.0, "Tue 09:00-10:00"))
    units = [unit("a", HOUR, repair=staged(HOUR)), unit("b"), unit("c")]
    spare = group(0, 1, standby=Standby.HOT, switchover=switchover(30.0))
    tables = platform(units, spare, group(2), works=Works(2, groups=(0, 1)), support=night)
    assert play(tables).incidents.end.tolist() == [DAY + 10 * HOUR]


# ---- shared risks


def test_a_shared_risk_takes_units_and_trunks_at_once():
    risk = Unit("room", (mode("room/silent", DAY, fault=0),), takes_units=(0,), takes_trunks=(0,))
    tables = calling(routed(carrier("x")), [unit("a"), risk], (Fault("silent", Kind.SILENT),))
    tables = replace(tables, units=(replace(tables.units[0], group=0), risk), groups=(group(0),))
    assert rows(play(tables)) == [(DAY, DAY + HOUR, "platform down", ("room/silent",))]
