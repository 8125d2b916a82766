"""Calls that are really placed agree with what the evaluated mode expects of the same faults."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from callsim.api import load
from callsim.beside import Beside
from callsim.build import build
from callsim.call_days import expected
from callsim.cli import main
from callsim.placed import Placed, place
from sim import place_calls, simulate

DAY = 86400.0
HERE = Path(__file__).parent
FIVE_NINES = HERE.parent / "scenarios" / "five-nines.yaml"
BUSY_HOURS = HERE / "busy-hours.yaml"
INBOUND = [
    "traffic.inbound=40%",
    "numbers=[{block: main, home: atlantic, share: 60%}, {block: other, home: boreal, share: 40%}]",
    "carriers.atlantic.channels=76",
    "carriers.boreal.channels=26",
    "carriers.cirrus.channels=6",
]
OFTEN = [
    "carriers.atlantic.failures.silent.mtbf=12h",
    "carriers.atlantic.failures.refuses.mtbf=6h",
    "carriers.atlantic.failures.poor_audio.mtbf=12h",
]
REDIAL = "traffic.redial={share: 60%, after: {median: 20s, p95: 2m}}"


def by_name(placed: Placed) -> dict[str, Beside]:
    return {row.name: row for row in placed.beside()}


@pytest.mark.parametrize(
    "overrides",
    [[], INBOUND, ["carriers.atlantic.failures.refuses.mtbf=4h"], OFTEN],
    ids=["overflow", "with calls to us", "refused too", "carriers fail often"],
)
def test_agrees_with_the_evaluated_mode(overrides: list[str]) -> None:
    placed = place(load(BUSY_HOURS, overrides), 5 * DAY, seed=1)
    rows = by_name(placed)
    assert placed.offered > 70_000
    assert rows["blocked share"].expected > 0.002  # the busy hours overflow
    assert abs(rows["connect share"].counted - rows["connect share"].expected) < 0.002
    # Of some fifteen rows with a margin of 95 % one or two may lie outside by chance, and not by much.
    told = [row for row in rows.values() if row.margin is not None]
    assert len(told) == len(rows) >= 12
    assert sum(not row.agrees for row in told) <= 2
    for row in told:
        assert row.margin is not None
        assert abs(row.counted - row.expected) < 2 * row.margin, row


def test_margins_need_days() -> None:
    """Within one day only what is lost call by call has a margin: that of counting."""
    rows = by_name(place(load(BUSY_HOURS), 0.5 * DAY, seed=1))
    assert rows["connect share"].margin is not None
    assert [rows[name].margin for name in ("blocked share", "dropped share", "MOS, mean")] == [None] * 3


def test_days_add_up_to_what_the_summary_has() -> None:
    placed = place(load(BUSY_HOURS, INBOUND), 2.5 * DAY, seed=3)
    delays = placed.expected.delay_percentiles((0.5, 0.95))
    assert delays is not None
    days = expected(placed.tables, placed.timelines[0], delays)
    assert days.calls.offered.shape == (3,)
    assert days.calls.failed.sum() == pytest.approx(placed.expected.failed.sum())
    assert days.dropped.sum() == pytest.approx(placed.expected.dropped.sum())
    ours = days.carried.sum(axis=0)
    total = dict.fromkeys(("atlantic", "boreal", "cirrus"), 0.0)
    for path, calls in placed.expected.connected.items():
        if not path.inbound:
            total[path.carrier] += calls
    np.testing.assert_allclose(ours, list(total.values()))
    np.testing.assert_allclose(days.within.sum(axis=0) / ours.sum(), [0.5, 0.95], atol=1e-6)


def test_blocking_is_erlang_b() -> None:
    """Some 20.3 erlangs (with the time to ring) on 22 channels: 12 % find none, call by call too."""
    overrides = [
        "traffic.profile=flat",
        "traffic.busy_hour_calls=600",
        "traffic.hold_time=2m",
        "carriers.atlantic.channels=22",
        "routing.routes=[atlantic]",
        "carriers.atlantic.failures=[]",
    ]
    row = by_name(place(load(BUSY_HOURS, overrides), 6 * DAY))["connect share"]
    assert row.agrees
    assert row.margin is not None
    assert row.margin < 0.01
    assert 0.87 < row.expected < 0.89


def test_redials_are_told_apart_from_first_attempts() -> None:
    scenario = load(BUSY_HOURS, ["carriers.atlantic.channels=40", REDIAL])
    placed = place(scenario, DAY, seed=1)
    again = placed.again
    assert again is not None
    first = sum(int((calls.redial == 0).sum()) for calls in placed.calls)
    assert placed.offered == first + again.calls
    # They add load just when channels are short, and get some callers through.
    assert again.first_connected < again.expected < again.callers_through
    assert all(row.agrees is None for row in placed.beside())
    plain = place(scenario, DAY, seed=1, redials=False)
    assert plain.again is None
    assert by_name(plain)["connect share"].counted > again.first_connected
    assert by_name(plain)["connect share"].expected == pytest.approx(again.expected)


def test_the_faults_are_those_of_the_evaluated_stream() -> None:
    tables = build(load(BUSY_HOURS, OFTEN))
    placed = place_calls(tables, 3, 2 * DAY, seed=5).replication.incidents
    whole = next(simulate(tables, [(3, 1)], seed=5)).incidents
    first = whole.start < 2 * DAY
    ours = placed.start < 2 * DAY
    assert ours.sum() > 10
    np.testing.assert_array_equal(placed.start[ours], whole.start[first])
    np.testing.assert_array_equal(placed.unit[ours], whole.unit[first])


def test_calls_are_complete_and_in_range() -> None:
    calls = place_calls(build(load(BUSY_HOURS, [*OFTEN, *INBOUND, REDIAL])), 0, 1 * DAY, seed=1).calls
    assert len(calls) > 10_000
    assert calls.offered.min() >= 0.0
    assert calls.offered.max() < 1 * DAY
    assert (np.diff(calls.set_up) >= 0.0).all()
    assert (calls.delay >= 0.0).all()
    assert (calls.delay[calls.inbound] == 0.0).all()
    assert calls.attempts.max() <= 4
    assert (calls.status[calls.connected] == 200).all()
    assert (calls.status[~calls.connected] != 200).all()
    assert not (calls.blocked & calls.connected).any()
    assert np.isnan(calls.talk[~calls.connected]).all()
    assert (calls.heard[calls.connected] >= 0).all()
    assert (np.isnan(calls.mos) == (~calls.connected | calls.one_way)).all()
    assert (calls.previous < np.arange(len(calls))).all()


def test_the_command_prints_both_and_writes_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    arguments = ["run", str(BUSY_HOURS), "--calls", "--horizon", "12h", "--jobs", "1", "--out", str(out)]
    arguments += [part for override in INBOUND for part in ("--set", override)]
    told = CliRunner().invoke(main, [*arguments, "--repeat", "2"])
    assert told.exit_code == 0, told.output
    assert "connect share, inbound" in told.output
    assert "calls in 2 x 12 h" in told.output
    (folder,) = out.iterdir()
    assert folder.name.startswith("busy-hours-calls-")
    answer = json.loads((folder / "result.json").read_text())
    assert answer["engine"] == "calls"
    assert set(answer["directions"]) == {"outbound", "inbound"}
    assert answer["call_success"]["value"] > 0.9
    assert 4.0 < answer["mos"]["mean"]["value"] < 4.5
    assert answer["busy_hour"] is not None
    lines = 0
    for number in range(2):
        with (folder / "calls" / f"stream-{number}.csv").open(newline="") as file:
            lines += len(list(csv.DictReader(file)))
    assert lines == answer["calls"]


def test_redials_can_be_left_out(tmp_path: Path) -> None:
    arguments = ["run", str(BUSY_HOURS), "--calls", "--horizon", "3h", "--jobs", "1", "--out", str(tmp_path)]
    told = CliRunner().invoke(main, [*arguments, "--set", REDIAL])
    assert "of the calls are redials" in told.output
    assert "APART" not in told.output
    told = CliRunner().invoke(main, [*arguments, "--set", REDIAL, "--no-redials"])
    assert "of the calls are redials" not in told.output
    told = CliRunner().invoke(main, [*arguments, "--redials"])
    assert told.exit_code == 2
    assert told.output == "--redials needs `traffic.redial` in the scenario\n"


def test_the_keys_are_those_of_a_run() -> None:
    from callsim import simulate as evaluate  # noqa: PLC0415 - the same word for another thing

    scenario = load(BUSY_HOURS, INBOUND)
    ours, theirs = place(scenario, DAY / 2).to_json(), evaluate(scenario, 1, jobs=1).to_json()
    assert set(ours) - {"calls", "redials", "expected"} == set(theirs) - {"assumptions"}
    for key in ("mos", "busy_hour"):
        assert set(ours[key]) == set(theirs[key])


def test_the_answer_does_not_depend_on_the_number_of_processes() -> None:
    scenario = load(BUSY_HOURS, [*INBOUND, REDIAL])
    one, two = (place(scenario, 0.1 * DAY, repetitions=2, seed=9, jobs=jobs).to_json() for jobs in (1, 2))
    assert one == two


@pytest.mark.parametrize(
    "options", [["--horizon", "6h"], ["--repeat", "2"], ["--no-redials"], ["--parquet"]], ids=" ".join
)
def test_options_of_calls_need_it(options: list[str]) -> None:
    told = CliRunner().invoke(main, ["run", str(FIVE_NINES), *options])
    assert told.exit_code == 2
    assert "--horizon, --repeat, --redials and --parquet go with --calls" in told.output


def test_placing_calls_needs_some(tmp_path: Path) -> None:
    single = HERE / "oracles" / "one-unit.yaml"
    told = CliRunner().invoke(main, ["run", str(single), "--calls", "--jobs", "1", "--out", str(tmp_path)])
    assert told.exit_code == 2
    assert "needs `traffic` and `carriers`" in told.output
    assert list(tmp_path.iterdir()) == []
