"""Calls that are really placed agree with what the evaluated mode expects of the same faults."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from callsim.api import load
from callsim.build import build
from callsim.cli import main
from callsim.placed import Placed, place
from sim import place_calls, simulate

DAY = 86400.0
FIVE_NINES = Path(__file__).parent.parent / "scenarios" / "five-nines.yaml"
OFTEN = [
    "carriers.atlantic.failures.silent.mtbf=12h",
    "carriers.atlantic.failures.trying_only.mtbf=1d",
    "carriers.atlantic.failures.refuses.mtbf=6h",
    "carriers.boreal.failures.silent.mtbf=12h",
    "carriers.cirrus.failures.refuses.mtbf=12h",
    "shared_risks.docklands-meet-me-room.mtbf=1d",
]


def by_name(placed: Placed) -> dict[str, tuple[float, float, float | None]]:
    return {row.name: (row.expected, row.counted, row.margin) for row in placed.beside()}


def test_agrees_with_the_evaluated_mode_when_carriers_fail_often() -> None:
    placed = place(load(FIVE_NINES, OFTEN), 5 * DAY, repetitions=3, seed=1)
    rows = by_name(placed)
    expected, counted, _ = rows["connect share"]
    assert placed.offered > 150_000
    assert expected < 0.999  # the scenario is stressed enough for the comparison to mean something
    # Calls of one fault share its fate (when it is detected), so counting gives no margin here: 0.05 points.
    assert abs(counted - expected) < 0.0005
    for name in ("atlantic", "boreal", "cirrus"):
        expected, counted, _ = rows[f"carried by {name}"]
        assert abs(counted - expected) < 0.003, name
    for name in ("p50", "p95"):
        expected, counted, margin = rows[f"post-dial delay {name} (s)"]
        assert margin is not None
        assert abs(counted - expected) < 2 * margin + 0.02 * expected, name
    expected, counted, _ = rows["dropped share"]
    assert abs(counted - expected) < 0.1 * expected


def test_blocking_is_erlang_b() -> None:
    """Some 20.6 erlangs (with the time to ring) on 22 channels: 12 % find none, call by call too."""
    overrides = [
        "traffic.profile=flat",
        "traffic.busy_hour_calls=1200",
        "traffic.hold_time=1m",
        "carriers.atlantic.channels=22",
        "routing.routes=[atlantic]",
        "carriers.atlantic.failures=[]",
    ]
    scenario = load(FIVE_NINES, overrides)
    rows = by_name(place(scenario, 10 * DAY))
    expected, counted, margin = rows["connect share"]
    assert margin is not None
    # Calls that follow each other find the same channels busy, so many of them count as one: 3 margins.
    assert abs(counted - expected) < 3 * margin
    assert 0.87 < expected < 0.89


def test_the_faults_are_those_of_the_evaluated_stream() -> None:
    tables = build(load(FIVE_NINES, OFTEN))
    placed = place_calls(tables, 3, 4 * DAY, seed=5).replication.incidents
    whole = next(simulate(tables, [(3, 1)], seed=5)).incidents
    first = whole.start < 3 * DAY
    ours = placed.start < 3 * DAY
    assert ours.sum() > 20
    np.testing.assert_array_equal(placed.start[ours], whole.start[first])
    np.testing.assert_array_equal(placed.unit[ours], whole.unit[first])


def test_calls_are_complete_and_in_range() -> None:
    calls = place_calls(build(load(FIVE_NINES, OFTEN)), 0, 1 * DAY, seed=1).calls
    assert len(calls.offered) == len(calls.delay) == len(calls.carrier) == len(calls.attempts)
    assert calls.offered.min() >= 0.0
    assert calls.offered.max() < 1 * DAY
    assert (calls.delay >= 0.0).all()
    assert calls.attempts.max() <= 4
    assert (calls.status[calls.connected] == 200).all()
    assert (calls.status[~calls.connected] != 200).all()


def test_the_command_prints_both_and_writes_the_contract() -> None:
    arguments = ["run", str(FIVE_NINES), "--calls", "--horizon", "6h", "--jobs", "1"]
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code == 0, told.output
    assert "connect share" in told.output
    assert "calls in 1 x 6.0 h" in told.output
    answer = json.loads(CliRunner().invoke(main, [*arguments, "--json", "-"]).output)
    assert answer["engine"] == "calls"
    assert answer["call_success"]["value"] > 0.9


def test_the_answer_does_not_depend_on_the_number_of_processes() -> None:
    scenario = load(FIVE_NINES, OFTEN)
    one, two = (place(scenario, 0.25 * DAY, repetitions=2, seed=9, jobs=jobs).to_json() for jobs in (1, 2))
    assert one == two


def test_wrong_uses_are_one_line() -> None:
    told = CliRunner().invoke(main, ["run", str(FIVE_NINES), "--horizon", "6h"])
    assert told.exit_code == 2
    assert "--horizon and --repeat go with --calls" in told.output
    single = Path(__file__).parent / "oracles" / "one-unit.yaml"
    told = CliRunner().invoke(main, ["run", str(single), "--calls", "--jobs", "1"])
    assert told.exit_code == 2
    assert "needs `traffic` and `carriers`" in told.output
