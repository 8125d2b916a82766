import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import callsim
from callsim import cli, side_by_side, study
from callsim.comparison import clear_of_zero
from results.estimates import Estimate

ROOT = Path(__file__).parent.parent
ONE_UNIT = ROOT / "tests" / "oracles" / "one-unit.yaml"
UNITS = "platform.groups.unit.units"
REPAIR = "platform.groups.unit.failures.hardware.repair"


@pytest.fixture(scope="module")
def compared() -> callsim.Comparison:
    scenarios = [callsim.load(ONE_UNIT, [f"{REPAIR}={{exponential: {hours}}}"]) for hours in ("2h", "2h6m")]
    return callsim.compare(scenarios, years=200, seed=4, names=["two", "more"])


def words(*given: object) -> list[str]:
    return [str(word) for word in given]


def test_differences_are_those_of_the_values(compared):
    first, second = compared.results
    (difference,) = compared.differences
    for name, found in difference.items():
        expected = second.estimates()[name].value - first.estimates()[name].value
        assert found.value == pytest.approx(expected, rel=1e-9, abs=1e-12), name
    assert set(difference) == {"downtime_min_per_year", "outages_per_year", "availability"}


def test_common_random_numbers_make_the_difference_sharper(compared):
    first, second = (result.downtime_min_per_year for result in compared.results)
    difference = compared.differences[0]["downtime_min_per_year"]
    assert first.high > second.low, "each by itself could not tell them apart"
    assert clear_of_zero(difference)
    # Every repair takes 5 % longer and nothing else differs: far below the noise of either.
    assert difference.high - difference.low < 0.3 * (first.high - first.low)
    assert difference.value == pytest.approx(0.05 * first.value, rel=0.1)


def test_the_same_scenario_does_not_differ():
    twice = callsim.compare([ONE_UNIT, ONE_UNIT], years=20)
    assert list(twice.names) == ["one-unit (1)", "one-unit (2)"]
    for difference in twice.differences[0].values():
        assert difference.value == 0.0
        assert not clear_of_zero(difference)


def test_years_and_seed_of_the_first_hold_for_all():
    first = callsim.load(ONE_UNIT, ["simulation.years=30", "simulation.seed=8"])
    second = callsim.load(ONE_UNIT, ["simulation.years=60", "simulation.seed=9", "simulation.precision=1%"])
    compared = callsim.compare([first, second])
    assert [(r.study.years, r.study.seed) for r in compared.results] == [(30, 8), (30, 8)]


def test_calls_are_compared_where_all_have_them():
    compared = callsim.compare([ROOT / "scenarios" / "single-carrier.yaml"] * 2, years=5)
    assert "dpm" in compared.differences[0]
    assert "Failed calls per million" in side_by_side.comparison(compared)


def test_voice_is_compared_where_all_have_it():
    path = ROOT / "scenarios" / "single-carrier.yaml"
    better, worse = (callsim.load(path, [f"traffic.codec={codec}"]) for codec in ("G.711_with_PLC", "G.729"))
    compared = callsim.compare([better, worse, path], years=6, names=["better", "worse", "mute"])
    (voice, mute) = compared.differences
    means = [result.mos.mean.value for result in compared.results[:2]]
    assert voice["mos"].value == pytest.approx(means[1] - means[0])
    assert voice["mos"].value < 0
    assert "poor_share" in voice
    assert "mos" not in mute
    text = side_by_side.comparison(compared)
    assert "MOS, mean" in text
    swept = side_by_side.sweep(compared, ["traffic.codec"], 120)
    assert f"{means[1]:.2f}" in next(line for line in swept.splitlines() if line.startswith("worse"))


@pytest.mark.parametrize(
    ("low", "high", "clear"), [(1.0, 2.0, True), (-2.0, -1.0, True), (-1.0, 1.0, False), (None, None, False)]
)
def test_clear_of_zero(low, high, clear):
    assert clear_of_zero(Estimate(1.0, low, high, 0.95, 20)) is clear


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        callsim.compare([])
    with pytest.raises(ValueError, match=r"names\(=1\) must be as many as scenarios\(=2\)"):
        callsim.compare([ONE_UNIT, ONE_UNIT], names=["one"])


def test_a_comparison_interrupted_keeps_what_is_complete(monkeypatch):
    played = []

    def play(work, number, years, whole=study._Work.play):
        played.append(number)
        if len(played) == 3:
            raise KeyboardInterrupt
        return whole(work, number, years)

    monkeypatch.setattr("callsim.study._Work.play", play)
    compared = callsim.compare([ONE_UNIT] * 3, years=200)
    assert len(compared.results) == 1
    assert compared.differences == []
    assert "PARTIAL: " in side_by_side.comparison(compared)


def test_the_tables_tell_what_is_clear(compared):
    text = side_by_side.comparison(compared, 80)
    assert max(map(len, text.splitlines())) <= 80
    downtime = next(line for line in text.splitlines() if line.startswith("  more"))
    assert downtime.endswith(" *")
    assert "seed 4" in text
    assert compared._repr_html_().count("<table>") == 4


def test_a_frame_has_a_row_per_name_and_quantity(compared):
    frame = compared.to_frame()
    assert frame.loc[("more", "mttr_min"), "value"] == compared.results[1].mttr_min.value


def test_compare_command(tmp_path):
    target = tmp_path / "compared.json"
    arguments = words("compare", ONE_UNIT, ONE_UNIT, "--years", 10, "--jobs", 1, "--json", target)
    ran = CliRunner().invoke(cli.main, arguments)
    assert ran.exit_code == 0, ran.output
    answer = json.loads(target.read_text())
    assert [result["years"] for result in answer["results"]] == [10, 10]
    assert answer["differences"][0]["availability"]["clear_of_zero"] is False
    assert ran.stdout.startswith("Scenario")


def test_sweep_command_takes_every_combination(tmp_path):
    varied = ["--vary", f"{UNITS}=1,2", "--vary", f"{REPAIR}={{median: 1h, p95: 2h}},2h"]
    out = tmp_path / "runs"
    arguments = words("sweep", ONE_UNIT, "--years", 10, "--jobs", 1, "--out", out, *varied)
    ran = CliRunner().invoke(cli.main, arguments, env={"COLUMNS": "120"})
    assert ran.exit_code == 0, ran.output
    rows = [line.split("  ")[0] for line in ran.stdout.splitlines()[1:5]]
    assert rows == ["1, {median: 1h, p95: 2h}", "1, 2h", "2, {median: 1h, p95: 2h}", "2, 2h"]
    (folder,) = out.iterdir()
    assert {file.name for file in folder.iterdir()} == {"sweep.json", "sweep.png", "sweep.svg"}
    assert json.loads((folder / "sweep.json").read_text())["names"] == rows


def test_sweep_says_all_that_is_wrong_at_once(tmp_path):
    arguments = words("sweep", ONE_UNIT, "--vary", f"{UNITS}=-1,2,x", "--out", tmp_path)
    ran = CliRunner().invoke(cli.main, arguments)
    assert ran.exit_code == 2
    assert len(ran.stderr.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []
