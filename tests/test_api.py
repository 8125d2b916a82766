import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import callsim
from callsim.errors import ScenarioError

ROOT = Path(__file__).parent.parent
ONE_UNIT = ROOT / "tests" / "oracles" / "one-unit.yaml"


def test_the_public_names_are_these():
    names = ["Comparison", "Estimate", "Promises", "Result", "__version__"]
    names += ["compare", "load", "promise", "simulate"]
    assert callsim.__all__ == names
    assert all(getattr(callsim, name) is not None for name in names)
    assert set(names) <= set(dir(callsim))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = callsim.nonsense


def test_the_version_is_the_distribution_s():
    assert callsim.__version__ == version("callsim")


def test_importing_it_imports_nothing_heavy():
    code = "import sys, callsim; sys.exit('numpy' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_module_of_the_users_in_the_way_is_an_import_error(tmp_path):
    (tmp_path / "results.py").write_text("")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import callsim; callsim.load"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: {tmp_path / 'results.py'}: hides callsim's own package `results`")


def test_a_path_or_a_scenario_is_the_same():
    by_path = callsim.simulate(ONE_UNIT, years=10, seed=5)
    by_scenario = callsim.simulate(callsim.load(str(ONE_UNIT)), years=10, seed=5)
    assert by_path.to_json() == by_scenario.to_json()
    assert callsim.simulate(ONE_UNIT, years=10, seed=6).to_json() != by_path.to_json()


def test_what_is_not_given_comes_from_the_scenario():
    result = callsim.simulate(callsim.load(ONE_UNIT, ["simulation.years=7", "simulation.seed=9"]))
    assert (result.study.years, result.study.seed) == (7, 9)


def test_a_precision_of_the_scenario_s_is_kept_to_unless_years_are_given():
    scenario = callsim.load(ONE_UNIT, ["simulation.precision=30%"])
    precise = callsim.simulate(scenario)
    gross = precise.availability
    assert precise.study.years >= 400
    assert (gross.high - gross.low) / 2 <= 0.3 * (1 - gross.value)
    assert callsim.simulate(scenario, years=5).study.years == 5


def test_years_and_precision_exclude_each_other():
    with pytest.raises(ValueError, match=r"years\(=5\) and precision\(=0.1\)"):
        callsim.simulate(ONE_UNIT, years=5, precision=0.1)


def test_progress_is_told():
    told: list[tuple[int, int, float]] = []
    result = callsim.simulate(
        ONE_UNIT, years=150, progress=lambda done, wanted, down: told.append((done, wanted, down))
    )
    assert [done for done, _, _ in told] == [100, 150]
    assert {wanted for _, wanted, _ in told} == {150}
    assert told[-1][2] == pytest.approx(1 - result.availability.value)


def test_wrong_scenarios_raise_with_their_problems():
    with pytest.raises(ScenarioError) as caught:
        callsim.load(ONE_UNIT, ["name=7 7"])
    assert len(caught.value.problems) == 1


def test_estimates_are_a_frame():
    result = callsim.simulate(ROOT / "scenarios" / "single-carrier.yaml", years=20)
    frame = result.to_frame()
    assert frame.loc["availability", "value"] == result.availability.value
    assert frame.loc["dpm", "low"] == result.dpm.low
    assert list(frame.index) == list(result.estimates())


@pytest.mark.parametrize("years", [0, -1, 2.5, "10"])
def test_years_are_a_whole_number(years):
    with pytest.raises(ValueError, match=r"must be a whole number, at least 1"):
        callsim.simulate(ONE_UNIT, years=years)


def test_bounds_hold_the_estimate_when_nothing_fails():
    never = [
        "carriers.only.failures=[{mode: silent, mtbf: 1000000y, repair: 1h}]",
        "carriers.only.channels=500",
    ]
    short = "carriers.only.post_dial_delay=1s"  # nothing rings too late
    scenario = callsim.load(ROOT / "scenarios" / "single-carrier.yaml", [*never, short])
    result = callsim.simulate(scenario, years=10)
    assert result.dpm.value == 0.0
    for name in ("dpm", "dropped_per_million"):
        estimate = result.estimates()[name]
        assert estimate.low is None
        assert estimate.lower == 0.0
        assert estimate.upper is None
