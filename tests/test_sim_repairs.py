"""The way from a fault to its repair: notice, respond, spare, crew, travel, repair."""

import pytest
from sim_tables import (
    CLOSED,
    DAY,
    HOUR,
    MINUTE,
    SUMMER_TIME,
    Draws,
    Fixed,
    Standby,
    Unit,
    calling,
    carrier,
    crew,
    failing_carrier,
    group,
    mode,
    platform,
    play,
    routed,
    spans,
    staged,
    stages,
    support,
    switchover,
    unit,
)

from sim.tables import Spare

AT_ONCE = (0.0, 0.0, "always")
P1 = (MINUTE, 5 * MINUTE, "always")
P3 = (10 * MINUTE, 2 * HOUR, "Mon-Fri 09:00-17:00")


def one(at, repair, **more):
    """A service of a single unit, which fails at this instant."""
    return play(platform([unit("a", at, repair=repair)], group(0), **more))


def two(first, second, repair, other=None, **more):
    """Two units back each other up, and fail at these instants."""
    units = [unit("a", first, repair=repair), unit("b", second, repair=other or repair)]
    return play(platform(units, group(0, 1), **more))


# ---- the stages


def test_a_repair_that_is_not_staged_is_one_stage():
    assert stages(one(DAY, HOUR, support=support(P1, P3)), 0) == {"repair": HOUR}


def test_every_stage_in_its_order():
    run = one(
        DAY,
        staged(2 * HOUR, crew=0, spare=0),
        support=support(P1, P3),
        crews=(crew(hours="Wed 09:00-17:00", call_out=3 * HOUR, travel=40 * MINUTE),),
        spares=(Spare("part", 0, Fixed(HOUR)),),
    )
    assert stages(run, 0) == {
        "notice": MINUTE,
        "respond": 5 * MINUTE,
        "spare": HOUR,
        "crew": 3 * HOUR,
        "travel": 40 * MINUTE,
        "repair": 2 * HOUR,
    }
    assert spans(run) == [(DAY, DAY + 6 * HOUR + 46 * MINUTE)]


def test_stages_that_last_no_time_leave_no_trace():
    assert stages(one(DAY, staged(HOUR, crew=0), crews=(crew(),), support=support(AT_ONCE, P3)), 0) == {
        "repair": HOUR
    }


def test_without_support_somebody_works_on_it_at_once():
    run = one(DAY, staged(HOUR, crew=0), crews=(crew(travel=MINUTE),))
    assert stages(run, 0) == {"travel": MINUTE, "repair": HOUR}


# ---- the hours of support


@pytest.mark.parametrize(
    ("fails", "responded"),
    [
        (10 * HOUR, 12 * HOUR + 10 * MINUTE),  # Monday morning
        (16 * HOUR, DAY + 10 * HOUR + 10 * MINUTE),  # 50 minutes before closing, the rest in the morning
        (4 * DAY + 20 * HOUR, 7 * DAY + 11 * HOUR),  # Friday evening: noticed, and left until Monday
    ],
)
def test_the_response_counts_in_open_hours_only(fails, responded):
    run = two(fails, 300 * DAY, staged(HOUR), support=support(P1, P3))
    assert run.incidents.end[0] == pytest.approx(responded + HOUR)


def test_the_night_of_the_clock_change_is_an_hour_shorter():
    """From Saturday 20:00 to the opening on Sunday at 10:00 it is 13 hours."""
    saturday = SUMMER_TIME - 5 * HOUR
    hours = (0.0, HOUR, "Sun 10:00-12:00")
    run = one(saturday, staged(HOUR), support=support(hours, P3))
    assert stages(run, 0) == {"respond": 14 * HOUR, "repair": HOUR}


# ---- priority


def test_redundancy_lost_is_unhurried_and_service_down_is_urgent():
    run = two(
        DAY + 9 * HOUR,
        DAY + 9 * HOUR + MINUTE,
        staged(HOUR),
        other=staged(30 * MINUTE),
        support=support(P1, P3),
    )
    assert stages(run, 1) == {"notice": MINUTE, "respond": 5 * MINUTE, "repair": 30 * MINUTE}


def test_an_unhurried_incident_becomes_urgent_when_its_service_fails():
    """Its notice has come already: from the second failure on it takes the urgent response."""
    run = two(DAY, DAY + HOUR, staged(HOUR), support=support(P1, P3))
    assert stages(run, 0) == {"notice": 10 * MINUTE, "respond": 55 * MINUTE, "repair": HOUR}


def test_no_wait_gets_longer_when_an_incident_becomes_urgent():
    """A response that is due in 2 minutes does not start over."""
    run = two(10 * HOUR, 12 * HOUR + 8 * MINUTE, staged(HOUR), support=support(P1, P3))
    assert stages(run, 0) == {"notice": 10 * MINUTE, "respond": 2 * HOUR, "repair": HOUR}


def test_a_notice_is_hastened_too():
    run = two(DAY, DAY + 2 * MINUTE, staged(HOUR), support=support(P1, P3))
    assert stages(run, 0) == {"notice": 3 * MINUTE, "respond": 5 * MINUTE, "repair": HOUR}


def test_a_switchover_that_works_leaves_the_incident_unhurried():
    """The service is back in 30 s, before anybody has noticed: what is lost is redundancy."""
    units = [unit("a", DAY, repair=staged(HOUR)), unit("b")]
    tables = platform(
        units, group(0, 1, standby=Standby.HOT, switchover=switchover(30.0)), support=support(P1, P3)
    )
    assert stages(play(tables), 0)["notice"] == P3[0]


def test_a_carrier_becomes_urgent_when_no_other_is_left():
    """Carrier x is repaired by our own people; carrier y fails half an hour later."""
    own = Unit("x", (mode("x/fault", DAY, repair=staged(HOUR), fault=0),), takes_trunks=(0,))
    other = failing_carrier("y", 0, DAY + 30 * MINUTE, takes=(1,), repair=DAY)
    tables = calling(routed(carrier("x"), carrier("y")), [own, other], (CLOSED,), support=support(P1, P3))
    assert stages(play(tables), 0) == {"notice": 10 * MINUTE, "respond": 25 * MINUTE, "repair": HOUR}


# ---- the crew


def test_a_crew_of_one_takes_the_second_case_after_the_first():
    run = two(DAY, DAY + HOUR, staged(4 * HOUR, crew=0), crews=(crew(),))
    assert stages(run, 1) == {"crew": 3 * HOUR, "repair": 4 * HOUR}


def test_a_crew_of_two_takes_both():
    run = two(DAY, DAY + HOUR, staged(4 * HOUR, crew=0), crews=(crew(size=2),))
    assert stages(run, 1) == {"repair": 4 * HOUR}


def test_the_urgent_case_goes_first_though_it_came_later():
    """One case is under repair; then a unit of a pair fails, then a single unit."""
    units = [
        unit("busy", DAY, repair=staged(4 * HOUR, crew=0)),
        unit("a", DAY + HOUR, repair=staged(HOUR, crew=0)),
        unit("b"),
        unit("single", DAY + 2 * HOUR, repair=staged(HOUR, crew=0)),
    ]
    run = play(
        platform(units, group(0), group(1, 2), group(3), crews=(crew(),), support=support(AT_ONCE, AT_ONCE))
    )
    assert run.incidents.end.tolist() == [DAY + 4 * HOUR, DAY + 6 * HOUR, DAY + 5 * HOUR]


NIGHTS_OFF = "Mon-Fri 08:00-18:00"


@pytest.mark.parametrize(
    ("fails", "waits"),
    [
        (DAY + 20 * HOUR, 90 * MINUTE),  # called out
        (DAY + 7 * HOUR, HOUR),  # the opening is sooner
        (DAY + 17 * HOUR, None),  # there before closing, and stays
    ],
)
def test_out_of_hours_an_urgent_case_calls_somebody_out(fails, waits):
    people = crew(hours=NIGHTS_OFF, call_out=90 * MINUTE)
    run = one(fails, staged(5 * HOUR, crew=0), crews=(people,), support=support(AT_ONCE, P3))
    assert stages(run, 0) == ({"crew": waits} if waits else {}) | {"repair": 5 * HOUR}


def test_out_of_hours_any_other_case_waits_for_the_opening():
    people = crew(hours=NIGHTS_OFF, call_out=90 * MINUTE)
    run = two(
        4 * DAY + 19 * HOUR, 300 * DAY, staged(HOUR, crew=0), crews=(people,), support=support(P1, AT_ONCE)
    )
    assert stages(run, 0) == {"crew": 2 * DAY + 13 * HOUR, "repair": HOUR}


def test_a_crew_that_is_never_called_out_comes_at_the_opening():
    """On Saturday at 20:00 the service fails; Monday at 08:00 is 36 h away."""
    people = crew(hours=NIGHTS_OFF)
    run = one(5 * DAY + 20 * HOUR, staged(HOUR, crew=0), crews=(people,), support=support(AT_ONCE, AT_ONCE))
    assert stages(run, 0) == {"crew": 36 * HOUR, "repair": HOUR}


def test_a_case_that_waits_for_the_opening_calls_somebody_out_when_its_service_fails():
    """On Friday evening one unit fails, at midnight the other: one person is called out for the first."""
    people = crew(hours=NIGHTS_OFF, call_out=90 * MINUTE)
    run = two(
        4 * DAY + 19 * HOUR, 5 * DAY, staged(HOUR, crew=0), crews=(people,), support=support(AT_ONCE, AT_ONCE)
    )
    assert stages(run, 0) == {"crew": 5 * HOUR + 90 * MINUTE, "repair": HOUR}


# ---- spares


def test_the_spare_is_awaited_before_the_crew_is_held():
    """While the part of the first case is on its way, the crew does the second."""
    units = [
        unit("a", DAY, repair=staged(HOUR, crew=0, spare=0)),
        unit("b", DAY + HOUR, repair=staged(HOUR, crew=0)),
    ]
    tables = platform(units, group(0), group(1), crews=(crew(),), spares=(Spare("part", 0, Fixed(2 * DAY)),))
    run = play(tables)
    assert stages(run, 0) == {"spare": 2 * DAY, "repair": HOUR}
    assert stages(run, 1) == {"repair": HOUR}


def test_each_part_that_is_taken_is_ordered_again():
    """One in stock, 3 days to the next: the second case waits for what the first ordered, the third too."""
    units = [
        unit(name, at, repair=staged(HOUR, spare=0))
        for name, at in (("a", DAY), ("b", 2 * DAY), ("c", 9 * DAY))
    ]
    tables = platform(units, group(0), group(1), group(2), spares=(Spare("part", 1, Fixed(3 * DAY)),))
    run = play(tables)
    assert [stages(run, n).get("spare", 0.0) for n in range(3)] == [0.0, 2 * DAY, 0.0]


def test_the_first_part_to_arrive_goes_to_the_first_case():
    """The first order takes 10 days, the second 2."""
    units = [unit(name, at, repair=staged(HOUR, spare=0)) for name, at in (("a", DAY), ("b", 2 * DAY))]
    tables = platform(units, group(0), group(1), spares=(Spare("part", 0, Draws((10 * DAY, 2 * DAY))),))
    run = play(tables)
    assert [stages(run, n)["spare"] for n in range(2)] == [3 * DAY, 9 * DAY]
