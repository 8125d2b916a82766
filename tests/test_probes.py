"""Outages from probes: their bounds, what is not known, several locations."""

import math

import numpy as np
import pytest
from probe_cases import (
    BESIDE,
    EVERY,
    HERE,
    JITTER,
    NONE_MISSED,
    THERE,
    probed,
    probes_of,
    reaches,
    strip,
    subjects,
)
from scipy import stats

from results.incidents import State
from results.probes import misses_of, telling
from results.sight import see

DAY = 86400.0


def seen(*rows, until, misses=NONE_MISSED, since=0.0, jitter=0.0, **more):
    probes = probes_of([row for part in rows for row in part])
    return see(probes, misses, subjects, reaches(*probes.of, jitter=jitter, **more), since, until)


def bounds(sight):
    return [(o.began_earliest, o.began_latest, o.ended_earliest, o.ended_latest) for o in sight.outages]


def spans(stretches):
    return list(zip(stretches.start.tolist(), stretches.end.tolist(), strict=True))


def test_an_outage_lies_between_the_probes_around_its_ends():
    found = seen(strip(HERE, "..xx.."), until=1800).whole["atlantic/1"]
    assert bounds(found) == [(300, 610, 900, 1210)]
    assert (found.seconds("shortest").tolist(), found.seconds("longest").tolist()) == ([290], [910])
    assert (found.outages[0].probes, found.outages[0].failed) == (2, 2)
    assert spans(found.unknown) == []
    assert found.known == 1800
    assert found.availability("shortest") == pytest.approx(1 - 290 / 1800)
    assert found.availability("longest") == pytest.approx(1 - 910 / 1800)


def test_one_bad_probe_proves_no_length():
    found = seen(strip(HERE, "..x.."), until=1500).whole["atlantic/1"]
    assert (found.seconds("shortest").tolist(), found.seconds("longest").tolist()) == ([0], [610])
    assert found.availability("shortest") == 1


def test_both_ends_may_be_censored():
    found = seen(strip(HERE, "x..x"), until=1000).whole["atlantic/1"]
    assert bounds(found) == [(-math.inf, 10, 0, 310), (600, 910, 900, math.inf)]
    assert found.seconds("longest").tolist() == [310, 400]
    assert found.state is State.DOWN
    cut = seen(strip(HERE, "..xxxx"), since=1000, until=1510).whole["atlantic/1"]
    assert cut.seconds("shortest").tolist() == [500]


def test_minimum_lengths_are_bounds_too():
    found = seen(strip(HERE, "..x..xx."), until=2400).whole["atlantic/1"]
    certain, possible = found.lasted(300)
    assert (certain.tolist(), possible.tolist()) == ([False, False], [True, True])
    assert found.lasted(290)[0].tolist() == [False, True]
    assert found.availability("shortest", 291) == 1


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("..   ..", [(310, 1500)]),
        (".. ..", [(310, 900)]),
        ("..?..", [(310, 900)]),
        ("..", [(310, 2100)]),
        ("   ...", [(0, 900)]),
        ("xx   xx", [(310, 1500)]),
    ],
)
def test_what_no_probe_tells_is_unknown(text, unknown):
    found = seen(strip(HERE, text), until=max(1800, unknown[0][1]))
    assert spans(found.whole["atlantic/1"].unknown) == unknown


def test_a_missed_slot_makes_the_time_around_it_unknown():
    missed = misses_of([(HERE, 600.0, 1)])
    found = seen(strip(HERE, ".. .."), until=1500, misses=missed).whole["atlantic/1"]
    assert spans(found.unknown) == [(310, 900)]
    assert found.known == 910


def test_unknown_time_is_neither_up_nor_down():
    found = seen(strip(HERE, ".xx    xx.."), until=3300).whole["atlantic/1"]
    # One outage as far as it was seen: no probe has said that it was over.
    assert bounds(found) == [(0, 310, 2400, 2710)]
    assert spans(found.unknown) == [(610, 2100)]
    assert found.seconds("shortest").tolist() == [2400 - 310 - 1490]
    assert found.seconds("longest").tolist() == [2710 - 1490]


def test_a_carrier_is_down_when_all_of_its_trunks_are_known_to_be():
    both = seen(strip(HERE, "..xxxx..."), strip(BESIDE, "..xxx...", start=150), until=2700)
    assert bounds(both.whole["atlantic/1"]) == [(300, 610, 1500, 1810)]
    assert bounds(both.whole["boreal/1"]) == [(450, 760, 1350, 1660)]
    assert bounds(both.whole["service"]) == [(450, 760, 1350, 1660)]
    assert both.whole["service"].outages[0].failed == 7
    # Where one trunk is not seen, nobody knows of the service.
    one = seen(strip(HERE, "..xxxx..."), strip(BESIDE, "..", start=150), until=2700)
    assert bounds(one.whole["service"]) == []
    assert spans(one.whole["service"].unknown) == [(460, 1810)]
    # A trunk that no test goes over is not seen at all.
    alone = seen(strip(HERE, "..xxxx..."), until=2700)
    assert bounds(alone.whole["service"]) == []
    assert bounds(alone.whole["atlantic"]) == [(300, 610, 1500, 1810)]


def test_the_service_is_what_goes_by_the_router():
    route = HERE._replace(over="route")
    found = seen(strip(HERE, "xxxxxx"), strip(route, "..xx.."), until=1800)
    assert bounds(found.whole["service"]) == [(300, 610, 900, 1210)]


def test_a_trunk_that_one_test_finds_up_is_down_in_part():
    other = HERE._replace(test="other")
    found = seen(strip(HERE, "..xxx"), strip(other, ".....", start=1), until=1500)
    assert found.whole["atlantic/1"].state is State.PARTIAL
    assert bounds(found.whole["atlantic/1"]) == []
    assert len(found.whole["echo over atlantic/1"].outages) == 1


def test_inbound_legs_are_nobody_elses():
    inbound = HERE._replace(over="boreal/1 to atlantic/1")
    found = seen(strip(inbound, "..xxx"), until=1500)
    assert [name for name, sight in found.whole.items() if sight.outages] == [
        "echo over boreal/1 to atlantic/1"
    ]


def test_two_locations_agree_or_it_is_partial():
    agreed = seen(strip(HERE, "..xxx.."), strip(THERE, "..xxx..", start=100), until=2100)
    assert bounds(agreed.whole["atlantic/1"]) == [(400, 710, 1200, 1510)]
    apart = seen(strip(HERE, "..xxx.."), strip(THERE, ".......", start=100), until=2100)
    assert bounds(apart.whole["atlantic/1"]) == []
    assert spans(apart.partial("atlantic/1")) == [(610, 1200)]
    assert len(apart.by_location["berlin"]["atlantic/1"].outages) == 1


def test_a_dead_location_is_blind_and_no_outage():
    found = seen(strip(HERE, ".........."), strip(THERE, "...", start=100), until=3000)
    whole, dead = found.whole["atlantic/1"], found.by_location["oslo"]["atlantic/1"]
    assert (bounds(whole), spans(whole.unknown), whole.state) == ([], [], State.UP)
    assert (bounds(dead), spans(dead.unknown), dead.state) == ([], [(0, 100), (710, 3000)], State.BLIND)
    # Even where it was down when it was seen last: the other one says.
    failing = seen(strip(HERE, ".........."), strip(THERE, "..x", start=100), until=3000)
    assert bounds(failing.whole["atlantic/1"]) == []
    assert failing.whole["atlantic/1"].state is State.UP


def test_a_location_that_alone_sees_all_trunks_down_has_a_fault_of_its_own():
    rows = [strip(HERE, "..xxx.."), strip(BESIDE, "..xxx..", start=150)]
    alone = seen(*rows, until=2100)
    assert len(alone.whole["service"].outages) == 1
    other = seen(*rows, strip(THERE, ".......", start=100), until=2100)
    assert [len(sight.outages) for sight in other.by_location["berlin"].values()] == [0] * 7
    assert spans(other.by_location["berlin"]["atlantic/1"].unknown) == [(310, 1500)]
    assert spans(other.whole["atlantic/1"].unknown) == []
    assert spans(other.own_side["berlin"]) == [(760, 1510)]


def test_a_prober_without_network_is_blind():
    missed = misses_of([(HERE, 300.0 * n, 1) for n in (2, 3, 4, 5)])
    found = seen(strip(HERE, "..    .."), until=2400, misses=missed)
    assert bounds(found.whole["atlantic/1"]) == []
    (blind,) = found.blind["berlin"]
    assert (blind.began_earliest, blind.began_latest) == (300, 900)
    assert (blind.ended_earliest, blind.ended_latest, blind.failed) == (1500, 1810, 4)
    assert not seen(strip(HERE, "..    .."), until=2400).blind["berlin"]


def test_probes_that_tell_are_few_and_find_the_same():
    rng = np.random.default_rng(5)
    rows = probed([(50_000.0, 52_000.0)], 10 * DAY, rng)
    probes = probes_of(rows)
    told = telling(probes, reaches(HERE, jitter=JITTER))
    assert len(told.row) < 15


# ---- what it must show


def faults(rng, count, low, high, until):
    """Faults of `low` to `high` seconds, each alone in its part of the time."""
    part = until / count
    length = rng.uniform(low, high, count)
    begin = np.arange(count) * part + rng.uniform(2 * high, part - 2 * high, count)
    return list(zip(begin.tolist(), (begin + length).tolist(), strict=True))


def found_of(sight, fault):
    return [
        o
        for o in sight.outages
        if o.began_earliest <= fault[0] <= o.began_latest and o.ended_earliest <= fault[1] <= o.ended_latest
    ]


def test_faults_of_two_cadences_are_all_found_with_bounds_that_hold():
    rng = np.random.default_rng(1)
    known = faults(rng, 200, 2 * EVERY, 10 * EVERY, 100 * DAY)
    sight = seen(probed(known, 100 * DAY, rng), until=100 * DAY, jitter=JITTER).whole["atlantic/1"]
    assert len(sight.outages) == len(known)
    assert all(len(found_of(sight, fault)) == 1 for fault in known)
    truth = sum(end - begin for begin, end in known)
    assert sight.seconds("shortest").sum() < truth < sight.seconds("longest").sum()


@pytest.mark.parametrize("length", [30.0, 100.0, 200.0])
def test_shorter_faults_are_found_as_length_over_cadence_says(length):
    rng = np.random.default_rng(int(length))
    known = faults(rng, 500, length, length, 50 * DAY)
    sight = seen(probed(known, 50 * DAY, rng), until=50 * DAY, jitter=JITTER).whole["atlantic/1"]
    hits = [len(found_of(sight, fault)) for fault in known]
    assert max(hits) == 1
    assert sum(hits) == len(sight.outages)
    assert stats.binomtest(sum(hits), len(known), length / EVERY).pvalue > 6e-5
