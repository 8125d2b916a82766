"""How a drill's two sides are compared, and told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import callsim
from callsim.cli import main
from callsim.drill import report
from callsim.drill.comparing import FEWEST, Drill, counted, timed
from callsim.drill.outcomes import Account, Fate
from callsim.drill.stretch import Episode
from callsim.drill.tables import lab_tables
from callsim.exits import Exit
from sim import Belief, GivenCall, GivenFault

JOINT = Path(__file__).with_name("joint.yaml")


@pytest.fixture(scope="module")
def tables():
    return lab_tables(callsim.load(JOINT), 1.0)[1]


def side(trunks, *, delay=0.5, down=7.0):
    fates = tuple(
        Fate(float(n), trunk, 200 if trunk is not None else 503, 1, None if trunk is None else delay, False)
        for n, trunk in enumerate(trunks)
    )
    beliefs = (Belief(down, 0, False), Belief(14.0, 0, True))
    return Account(fates, beliefs, ((5.0, 12.0),))


def drill(tables, simulated, real, times=1):
    calls = tuple(GivenCall(fate.at, 1.0) for fate in simulated.fates)
    episode = Episode("one", (GivenFault(5.0, 12.0, 0, (0,)),), calls, 60.0, (0.2, 0.2), (), 1)
    return Drill(tables, [episode] * times, [simulated] * times, [real] * times)


def test_pairs_that_differ_both_ways_alike_are_no_difference():
    pairs = [(True, False)] * 5 + [(False, True)] * 5 + [(True, True)] * 90
    found = counted("x", pairs)
    assert (found.only_simulated, found.only_real, found.p) == (5, 5, 1.0)
    assert counted("x", [(False, True)] * 8).p == pytest.approx(2 * 0.5**8)
    assert counted("x", []).p == 1.0


def test_times_may_differ_by_what_a_lab_needs():
    near = timed("x", [(1.0, 1.02), (2.0, 2.03), (3.0, 3.01), (4.0, None)])
    assert (near.pairs, near.difference) == (3, pytest.approx(0.02))
    assert near.low <= near.difference <= near.high
    assert near.p > 0.99
    far = timed("x", [(1.0, 1.52), (2.0, 2.53), (3.0, 3.51), (4.0, 4.5)])
    assert far.p < 0.001
    assert timed("x", [(1.0, 9.0)]).low is None
    assert timed("x", [(None, 9.0)]).simulated is None


def test_the_same_twice_is_as_predicted(tables):
    same = side([0] * 30 + [1] * 30)
    found = drill(tables, same, same)
    assert found.verdict is Exit.MET
    assert found.as_predicted.value == 1.0
    assert "60 of 60 calls went as predicted" in report.headline(found)


def test_another_carrier_is_a_systematic_difference(tables):
    found = drill(tables, side([0] * 60), side([0] * 40 + [1] * 20))
    assert found.verdict is Exit.BREACHED
    differing = {test.name for test in found.tests if test.differs}
    assert differing == {"carried by first", "carried by second"}
    assert any("differs" in line for line in report.lines(found))


def test_one_call_that_fares_otherwise_is_none(tables):
    found = drill(tables, side([0] * 60), side([0] * 59 + [None]))
    assert found.verdict is Exit.MET
    (line,) = [line for line in report.lines(found) if "call 60" in line]
    assert "first/1 simulated, 503 real; 45.00 s from a change" in line


def test_late_ringing_is_a_systematic_difference(tables):
    found = drill(tables, side([0] * 60), side([0] * 60, delay=0.75))
    # Every pair differs alike, so that there is no scatter.
    assert {test.name for test in found.tests if test.differs} == {"post-dial delay"}


def test_late_detection_is_a_systematic_difference(tables):
    found = drill(tables, side([0] * 20), side([0] * 20, down=7.5), times=8)
    assert {test.name for test in found.tests if test.differs} == {"time to detect"}


def test_times_that_look_different_over_few_faults_leave_it_open(tables):
    expected = side([0] * 20)
    alike = drill(tables, expected, expected, times=3)
    found = replace(alike, real=[side([0] * 20, down=down) for down in (7.5, 7.9, 9.0)])
    assert not any(test.differs for test in found.tests)
    assert (alike.verdict, found.verdict) == (Exit.MET, Exit.INCONCLUSIVE)
    (line,) = [line for line in report.lines(found) if "looks different" in line]
    assert line.startswith("Time to detect looks different, by +1.1 s, over too few faults to be sure")


def test_too_few_calls_say_nothing_and_lost_ones_are_left_out(tables):
    few = side([0] * (FEWEST - 1))
    assert drill(tables, few, few).verdict is Exit.INCONCLUSIVE
    lost = replace(few, fates=tuple(replace(fate, lost_by_tool=True) for fate in few.fates))
    found = drill(tables, few, lost)
    assert (found.pairs, found.lost_by_tool) == ([], FEWEST - 1)
    assert report.headline(found).endswith("TOO FEW TO SAY")


def test_json_has_both_sides(tables):
    found = drill(tables, side([0] * 59 + [None]), side([0] * 60))
    answer = json.loads(json.dumps(report.to_json(found, "joint", "hash", 1, 10.0)))
    assert answer["verdict"] == "as_predicted"
    (fault,) = answer["faults"]
    assert fault["simulated"] == fault["real"]
    last = answer["episodes"][0]["calls"][-1]
    assert (last["as_predicted"], last["simulated"]["trunk"], last["real"]["trunk"]) == (
        False,
        None,
        "first/1",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--stretch", "sun/silent"],
            "'sun/silent' is no carrier's fault, and no other is played; there are typical",
        ),
        (
            ["--stretch", "first/slient"],
            "'first/slient' is no stretch of this scenario; did you mean 'first/s",
        ),
        (["--stretch", "first"], "'first' is no stretch of this scenario; of first there are first/silent"),
        (["--all", "--stretch", "worst"], "--all and --stretch exclude each other"),
        (["--json", "/nowhere/x.json"], "there is no folder /nowhere"),
        (["--set", "carriers.first.failures.silent.mtbf=90000y"], "no carrier's fault harms a call"),
        (["--all", "--set", "carriers.first.failures.silent.mtbf=90000y"], "no carrier fails within 200"),
        (
            ["--stretch", "first/silent", "--set", "carriers.first.failures.silent.mtbf=90000y"],
            "'first/silent' is not played: it does not happen within 200 simulated years",
        ),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(words, message):
    result = CliRunner().invoke(main, ["drill", str(JOINT), *words])
    assert result.exit_code == Exit.USAGE
    assert message in result.output
